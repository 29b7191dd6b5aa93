"""A video in memory: frames and sound, to compute with, to look at in a notebook, and to save."""

import base64
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from s2v_ray.api.inputs import Path, location, naming_arguments
from s2v_ray.generation.region import Region
from s2v_ray.generation.video import check_video_name
from s2v_ray.media.encode import for_aac, video_bytes, write_video

_LEAST_WIDTH = 256  # pixels on a page, of smaller videos


@dataclass(frozen=True, eq=False, repr=False)
class Video:
    """`frames` are uint8 RGB [T, H, W, 3], `audio` int16 mono [S]; both start at time zero.

    `frame_rate` is exact, in frames per second (`float(video.frame_rate)` for a number), `sample_rate` in Hz. `region`
    is the square of the image that moves, and how it was chosen, where a model made the video. In a notebook, the value
    is shown as a video with sound.
    """

    frames: np.ndarray
    frame_rate: Fraction
    audio: np.ndarray
    sample_rate: int
    region: Region | None = None

    @property
    def seconds(self) -> float:
        """How long the frames last."""
        return float(len(self.frames) / self.frame_rate)

    @naming_arguments()
    def save(self, path: Path) -> str:
        """Write an MP4 with the sound, to a local path or a URI ending in .mp4; returns it. The file appears whole.

        Raises UserError `unsupported_format` for another ending, `wrong_shape` for frames of an odd size, and
        `not_writable`.
        """
        out = location(path, "--out")
        check_video_name(out)
        wave, sample_rate = for_aac(self.audio, self.sample_rate)
        write_video(out, self.frames, wave, frame_rate=self.frame_rate, sample_rate=sample_rate)
        return out

    @naming_arguments()
    def to_mp4(self) -> bytes:
        """The bytes of the file that `save` writes."""
        wave, sample_rate = for_aac(self.audio, self.sample_rate)
        return video_bytes(self.frames, wave, frame_rate=self.frame_rate, sample_rate=sample_rate)

    def __repr__(self) -> str:
        height, width = self.frames.shape[1:3]
        return f"Video({len(self.frames)} frames of {width} x {height} at {self.frame_rate} per second, with sound)"

    def _repr_html_(self) -> str:
        """What a notebook shows: the video itself, in the page."""
        content = base64.b64encode(self.to_mp4()).decode()
        width = max(_LEAST_WIDTH, self.frames.shape[2])
        style = f"width: {width}px; max-width: 100%"
        return f'<video controls loop style="{style}" src="data:video/mp4;base64,{content}"></video>'
