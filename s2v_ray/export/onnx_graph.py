"""SE and G as one ONNX graph: an image and samples in, frames out, for any number of frames."""

import contextlib
import copy
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2v_ray.config import Config
from s2v_ray.errors import UserError
from s2v_ray.models.sound_to_video import SoundToVideo

OPSET = 20  # the first in which a flow's grid and the sampling at it are operators
_TRACED_FRAMES, _MOST_FRAMES = 6, 100_000


@dataclass(frozen=True)
class Signature:
    """What the graph takes and gives, for programs: `model.json` beside it. The batch is one image and one sound."""

    resolution: int
    frame_rate: str
    sample_rate: int
    samples_per_frame: int
    clip_frames: int  # as long as the sounds of its training

    def to_json(self) -> str:
        """As it is written: each tensor's name, shape, type and meaning."""
        side, count = self.resolution, self.samples_per_frame
        values = {
            "opset": OPSET,
            **asdict(self),
            "inputs": {
                "image": {"shape": [1, 3, side, side], "type": "float32", "meaning": "RGB in [-1, 1], -1 is black"},
                "samples": {
                    "shape": [1, f"{count} * frames"],
                    "type": "float32",
                    "meaning": f"mono in [-1, 1] at {self.sample_rate} Hz, {count} for each frame",
                },
            },
            "outputs": {
                "video": {
                    "shape": [1, "frames", 3, side, side],
                    "type": "float32",
                    "meaning": f"RGB around [-1, 1], {self.frame_rate} frames a second; clip it",
                }
            },
        }
        return json.dumps(values, indent=2)


def signature(model: SoundToVideo, config: Config) -> Signature:
    """What `onnx_graph` of this model takes and gives."""
    clips, frame_samples = config.clips, model.sound_encoder.samples_per_frame
    return Signature(config.data.resolution, clips.frame_rate, clips.sample_rate, frame_samples, clips.frames)


def onnx_graph(model: SoundToVideo) -> bytes:
    """The content of `model.onnx`. Raises UserError `no_onnx` where the packages for it are missing.

    It holds what torch computes, to rounding: the spectra by a discrete Fourier transform as a convolution, since the
    exporter has no complex numbers, and the LSTM as ONNX's own.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401 - which torch's exporter imports
    except ImportError:
        raise UserError(
            "no_onnx", "--onnx needs onnx and onnxscript; in the folder of s2v_ray: pip install '.[onnx]'"
        ) from None
    exportable = copy.deepcopy(model).cpu().eval().requires_grad_(False)
    encoder = exportable.sound_encoder
    encoder.spectrogram = _Spectrogram(encoder.spectrogram)
    encoder.lstm = _AnyLength(encoder.lstm)  # type: ignore[assignment]
    side, count = exportable.unet.resolution, encoder.samples_per_frame
    frames = torch.export.Dim("frames", min=1, max=_MOST_FRAMES)
    with _quiet(), torch.no_grad():
        program: Any = torch.onnx.export(
            _Named(exportable),
            (torch.zeros(1, 3, side, side), torch.zeros(1, _TRACED_FRAMES * count)),
            dynamo=True,
            opset_version=OPSET,
            input_names=["image", "samples"],
            output_names=["video"],
            dynamic_shapes={"image": None, "samples": {1: count * frames}},
            verbose=False,
        )
    graph = program.model_proto
    graph.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "frames"
    onnx.checker.check_model(graph)
    content: bytes = graph.SerializeToString()
    return content


class _Named(nn.Module):
    """Arguments by the names of the graph's inputs."""

    def __init__(self, model: SoundToVideo) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor, samples: Tensor) -> Tensor:
        video_BTCHW: Tensor = self.model(image, samples)
        return video_BTCHW


class _Spectrogram(nn.Module):
    """torchaudio's `Spectrogram` or `MelSpectrogram`, as the sound encoder sets them up, without complex numbers."""

    kernel: Tensor
    bands_FM: Tensor | None

    def __init__(self, of: Any) -> None:
        super().__init__()
        mel = getattr(of, "mel_scale", None)
        spectrogram = of if mel is None else of.spectrogram
        self.hop, length = spectrogram.hop_length, spectrogram.n_fft
        bins = torch.arange(length // 2 + 1, dtype=torch.float64)
        # The phase's whole turns are left out before it is a floating-point number, which keeps it exact.
        turns_FN = torch.outer(bins, torch.arange(length, dtype=torch.float64)) % length / length
        kernel_KN = torch.cat([torch.cos(2 * torch.pi * turns_FN), torch.sin(2 * torch.pi * turns_FN)])
        kernel_KN *= spectrogram.window.double()
        if spectrogram.normalized:
            kernel_KN /= length**0.5
        self.register_buffer("kernel", kernel_KN.float().unsqueeze(1))
        self.register_buffer("bands_FM", None if mel is None else mel.fb)

    def forward(self, wave_BS: Tensor) -> Tensor:
        cosine_BFN, sine_BFN = functional.conv1d(wave_BS.unsqueeze(1), self.kernel, stride=self.hop).chunk(2, dim=1)
        power_BFN = cosine_BFN * cosine_BFN + sine_BFN * sine_BFN
        if self.bands_FM is None:
            return power_BFN.sqrt()
        return (power_BFN.transpose(1, 2) @ self.bands_FM).transpose(1, 2)


class _AnyLength(nn.Module):
    """An LSTM whose output is as long as its input for the exporter, too, which takes its length for the example's."""

    def __init__(self, lstm: nn.Module) -> None:
        super().__init__()
        self.lstm = lstm

    def forward(self, x_BTF: Tensor) -> tuple[Tensor, None]:
        features_BTD = self.lstm(x_BTF)[0]
        return features_BTD.index_select(1, torch.arange(x_BTF.shape[1])), None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings, which are about its own code."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
