"""What stands beside an ONNX graph for people: how it is used, in lines that run."""

from s2v_ray.export.onnx_graph import Signature


def onnx_text(signature: Signature) -> str:
    """The README of the graph."""
    side, count = signature.resolution, signature.samples_per_frame
    return f"""# model.onnx

The sound encoder (its spectrogram and LSTM included) and the generator in one graph, for any number of frames.

| | name | shape | |
|---|---|---|---|
| input | `image` | [1, 3, {side}, {side}] | float32, RGB in [-1, 1] |
| input | `samples` | [1, {count} * frames] | float32, mono in [-1, 1] at {signature.sample_rate} Hz |
| output | `video` | [1, frames, 3, {side}, {side}] | float32, RGB around [-1, 1], {signature.frame_rate} a second |

`model.json` says the same for programs. The model was trained on clips of {signature.clip_frames} frames; of a longer
sound, s2v hears windows of that length. All frames are in memory at once.

```python
{EXAMPLE_CODE.format(count=count, rate=signature.sample_rate, side=side)}```
"""


EXAMPLE_CODE = """import wave

import numpy as np
import onnxruntime
from PIL import Image

image = Image.open("picture.png").convert("RGB").resize(({side}, {side}))
image = np.asarray(image, np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
with wave.open("sound.wav") as file:  # mono, 16 bits, {rate} Hz
    samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
samples = samples[: len(samples) // {count} * {count}][None]
model = onnxruntime.InferenceSession("model.onnx")
(video,) = model.run(None, {{"image": image, "samples": samples}})
frames = ((video[0].clip(-1, 1) + 1) * 127.5).round().astype(np.uint8).transpose(0, 2, 3, 1)
for number, frame in enumerate(frames):
    Image.fromarray(frame).save(f"frame_{{number:05d}}.png")
"""
