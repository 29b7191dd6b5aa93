"""How much time and memory one source may cost."""

import time
from dataclasses import dataclass, field
from fractions import Fraction

from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext

from s2v_ray.errors import MediaError


@dataclass(frozen=True)
class Limits:
    """What one source may cost at most, so that no file holds up or fills up a machine."""

    max_source_seconds: float = 3600.0
    """the most time to spend on a video"""
    max_pixels: int = 8192 * 8192
    """the largest picture, width times height"""
    max_duration_seconds: float = 24 * 3600.0
    """the longest video"""


@dataclass(frozen=True)
class Budget:
    """The limits of one source and when work on it started, by `time.monotonic`."""

    limits: Limits = Limits()
    started_at: float = field(default_factory=time.monotonic)

    def check_time(self, container: InputContainer) -> None:
        """Raise MediaError `too_slow` where the time is used up."""
        limit = self.limits.max_source_seconds
        if time.monotonic() - self.started_at > limit:
            advice = "convert it with another program, or allow more with --max-source-seconds"
            raise MediaError("too_slow", f"Reading '{container.name}' took longer than {limit:g} s; {advice}.")

    def limit_pixels(self, container: InputContainer, decoder: VideoCodecContext) -> None:
        """Raise MediaError `too_large` where a coded picture has too many pixels."""
        width, height, limit = decoder.width, decoder.height, self.limits.max_pixels
        if width * height > limit:
            problem = f"The picture of '{container.name}' is {width} x {height}, more than {limit} pixels"
            raise MediaError("too_large", f"{problem}; scale it down first, or allow more with --max-pixels.")
        # Where the size grows on the way, the decoder refuses before it takes the memory.
        decoder.options = {"max_pixels": str(limit)}

    def check_duration(self, container: InputContainer, seconds: Fraction) -> None:
        """Raise MediaError `too_long` where a source lasts longer than allowed."""
        limit = self.limits.max_duration_seconds
        if seconds > limit:
            problem = f"'{container.name}' lasts {float(seconds):.2f} s, more than {limit:g} s"
            raise MediaError("too_long", f"{problem}; cut it into parts, or allow more with --max-duration-seconds.")
