"""The samples of all channels of decoded sound."""

from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame

_MOST_PLANES = 7
# By what makes one necessary: format, layout and rate.
Resamplers = dict[tuple[Any, ...], av.AudioResampler]


def channel_samples(frame: AudioFrame, resamplers: Resamplers) -> np.ndarray:
    """The samples of a frame, float32 [C, S], full scale 1; none where they can't be had, as in a damaged file.

    `resamplers`, for what isn't planar float32, are kept from frame to frame. They pack the channels: PyAV reads past
    the end of a frame that has eight or more apart.
    """
    kind = (frame.format.name, frame.layout.name, frame.sample_rate)
    channels = frame.layout.nb_channels
    if frame.format.name == "fltp" and channels <= _MOST_PLANES:
        return np.asarray(frame.to_ndarray())
    try:
        if kind not in resamplers:
            resamplers[kind] = av.AudioResampler(format="flt", layout=frame.layout.name, rate=frame.sample_rate)
        packed = [part.to_ndarray() for part in resamplers[kind].resample(frame) if part is not None]
    except (av.error.FFmpegError, ValueError):
        packed = []
    flat = np.concatenate([np.empty((1, 0), np.float32), *packed], axis=1)
    return flat.reshape(-1, channels).T
