"""What is lost when a file's channels are mixed down to one, and the channel to take instead.

With mixing weights a and the channels' covariance C over the whole file, the mix has the power aᵀCa. It would be
Σ aᵢ²Cᵢᵢ if the channels were unrelated; where they are opposite, they cancel.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame

from s2v_ray.media.decoding.samples import Resamplers, channel_samples

# The mix is kept unless it has less than half (-3 dB) of the power that unrelated channels would give it, ...
_LEAST_OF_UNRELATED = 0.5
# ... or less than a hundredth (-20 dB) of the loudest channel's, as where all is in one of many.
_LEAST_OF_LOUDEST = 0.01
_FRAMES_PER_BLOCK = 50  # a second or so
# Below this power (-90 dB of full scale), there is nothing to lose.
_LEAST_POWER = 1e-9


def lossy_layouts(frames: Iterable[AudioFrame]) -> dict[str, int]:
    """For each channel layout whose mix over all `frames` loses too much: the loudest channel, counted from 0."""
    sums: dict[str, tuple[int, np.ndarray, np.ndarray]] = {}
    for layout, samples_CS in _blocks(frames):
        channels = len(samples_CS)
        count, total_C, product_CC = sums.get(layout, (0, np.zeros(channels), np.zeros((channels, channels))))
        total_C, product_CC = total_C + samples_CS.sum(axis=1), product_CC + samples_CS @ samples_CS.T
        sums[layout] = count + samples_CS.shape[1], total_C, product_CC
    found = {}
    for layout, (count, total_C, product_CC) in sums.items():
        if not count or not np.isfinite(product_CC).all():
            continue
        covariance_CC = product_CC / count - np.outer(total_C, total_C) / count**2
        weights_C = _mixing_weights(layout, len(total_C))
        if weights_C is not None and _loses(covariance_CC, weights_C):
            found[layout] = int(np.diag(covariance_CC).argmax())
    return found


def _blocks(frames: Iterable[AudioFrame]) -> Iterator[tuple[str, np.ndarray]]:
    """Layouts and samples, float64 [C, S], of some frames at a time, of those with several channels."""
    resamplers: Resamplers = {}
    for layout, alike in groupby(frames, key=lambda frame: frame.layout.name):
        many = (channel_samples(frame, resamplers) for frame in alike if frame.layout.nb_channels > 1)
        while some := list(islice(many, _FRAMES_PER_BLOCK)):
            yield layout, np.concatenate(some, axis=1, dtype=np.float64)


def one_channel(frame: AudioFrame, channels: Mapping[str, int], resamplers: Resamplers) -> AudioFrame:
    """`frame`, or only the channel that `channels` names for its layout."""
    channel = channels.get(frame.layout.name)
    if channel is None:
        return frame
    samples_CS: Any = channel_samples(frame, resamplers)
    mono = AudioFrame.from_ndarray(np.ascontiguousarray(samples_CS[channel : channel + 1]), format="flt", layout="mono")
    mono.sample_rate = frame.sample_rate
    return mono


def _loses(covariance_CC: np.ndarray, weights_C: np.ndarray) -> bool:
    power_C = np.diag(covariance_CC)
    if power_C.max() < _LEAST_POWER:
        return False
    mixed = weights_C @ covariance_CC @ weights_C
    return bool(mixed < _LEAST_OF_UNRELATED * (weights_C**2 @ power_C) or mixed < _LEAST_OF_LOUDEST * power_C.max())


def _mixing_weights(layout: str, channels: int) -> np.ndarray | None:
    """FFmpeg's weights of the channels in its mix to one; None where it has none for the layout."""
    impulses: Any = np.eye(channels, dtype=np.float32).reshape(1, -1) / 2
    resampler = av.AudioResampler(format="s16", layout="mono")
    try:
        frame = AudioFrame.from_ndarray(impulses, format="flt", layout=layout)
        frame.sample_rate = 48000
        mixed = [out.to_ndarray()[0] for part in (frame, None) for out in resampler.resample(part) if out is not None]
    except (av.error.FFmpegError, ValueError):
        return None
    weights_C = np.concatenate(mixed) / 16384
    return weights_C if len(weights_C) == channels else None
