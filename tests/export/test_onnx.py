"""The ONNX graph: what onnxruntime makes of it, against torch and by the lines of its README."""

import json
import re
import wave
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from s2v_ray.cli.main import main
from s2v_ray.export.onnx_graph import _Spectrogram
from s2v_ray.generation.video import load_generator
from s2v_ray.models.sound_encoder import SoundEncoder
from s2v_ray.training.data.pixels import to_bytes


@pytest.fixture(scope="module")
def model(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx") / "model"
    assert main(["export", "--checkpoint", str(small_run), "--out", str(folder), "--onnx"]) == 0
    return folder


def test_the_graph_is_the_model_at_any_length(model: Path) -> None:
    torch_model = load_generator(str(model), torch.device("cpu")).model
    session = onnxruntime.InferenceSession(model / "onnx" / "model.onnx")
    random = torch.Generator().manual_seed(0)
    for frames in (1, 3, 20, 47):  # of which none is the example's; 20 is a clip
        image_BCHW = torch.rand(1, 3, 32, 32, generator=random) * 2 - 1
        samples_BS = torch.randn(1, frames * 320, generator=random) * 0.1
        samples_BS[:, :320] = 0  # silence, and a loud tone, beside which other bands are all but silent
        samples_BS[:, -320:] = torch.sin(torch.arange(320) * 0.5)
        (video,) = session.run(None, {"image": image_BCHW.numpy(), "samples": samples_BS.numpy()})
        expected = torch_model(image_BCHW, samples_BS).numpy()
        assert video.shape == (1, frames, 3, 32, 32)
        assert np.abs(video - expected).max() < 1e-4  # a hundredth of a level of eight bits is 8e-5


# A full-scale sine has a magnitude of 19; 0.005 of a logarithm are a quarter of a decibel, at 90 dB below the sine.
@pytest.mark.parametrize(("spectrogram", "tolerance"), [("linear", 1e-3), ("log_mel", 5e-3)])
def test_its_spectra_are_those_of_the_sound_encoder(spectrogram: str, tolerance: float) -> None:
    encoder = SoundEncoder(
        sample_rate=44100,
        samples_per_frame=1470,
        spectrogram=spectrogram,
        stft_window_frames=3,
        mel_bands=64,
        hidden=4,
        spectra_per_frame=2,
    )
    seconds = torch.arange(1470 * 12) / 44100
    loud, quiet = torch.sin(2 * torch.pi * 440 * seconds), torch.randn(1470 * 12) * 1e-4
    wave_BS = torch.stack([loud, quiet, loud + quiet])
    expected = encoder.spectra(wave_BS)
    encoder.spectrogram = _Spectrogram(encoder.spectrogram)
    assert (encoder.spectra(wave_BS) - expected).abs().max() < tolerance


def test_the_lines_of_its_readme_run(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.onnx").write_bytes((model / "onnx" / "model.onnx").read_bytes())
    Image.new("RGB", (50, 40), "teal").save(tmp_path / "picture.png")
    sound = np.random.default_rng(0).integers(-9000, 9000, 320 * 9 + 100).astype("<i2")
    with wave.open(str(tmp_path / "sound.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(sound.tobytes())
    code = re.findall(r"```python\n(.*?)```", (model / "onnx" / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code[0], "README.md", "exec"), {})
    made = np.stack([Image.open(path) for path in sorted(tmp_path.glob("frame_*.png"))])
    image_BCHW = torch.full((1, 3, 32, 32), -1.0)
    image_BCHW[:, 1:] = 128 / 127.5 - 1  # teal
    samples_BS = torch.from_numpy(sound[: 320 * 9].astype(np.float32) / 32768).unsqueeze(0)
    expected = to_bytes(load_generator(str(model), torch.device("cpu")).model(image_BCHW, samples_BS)[0])
    assert made.shape == (9, 32, 32, 3)
    assert np.abs(made.astype(int) - expected.numpy()).max() <= 1


def test_its_description_says_what_it_takes(model: Path) -> None:
    described = json.loads((model / "onnx" / "model.json").read_bytes())
    assert (described["sample_rate"], described["samples_per_frame"], described["frame_rate"]) == (8000, 320, "25")
    session = onnxruntime.InferenceSession(model / "onnx" / "model.onnx")
    assert {each.name: each.shape for each in session.get_inputs()} == {
        "image": described["inputs"]["image"]["shape"],
        "samples": [1, "320*frames"],
    }
    assert {each.name: each.shape for each in session.get_outputs()} == {
        "video": described["outputs"]["video"]["shape"]
    }
