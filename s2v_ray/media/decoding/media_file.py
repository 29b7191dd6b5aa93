"""A media file that is opened once and read as often as needed."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.container import InputContainer
from av.video.stream import VideoStream

from s2v_ray.media.decoding.container import audio_stream, clock_zero, open_container, video_stream
from s2v_ray.media.decoding.limits import Budget

# Formats in which a seek to before everything lands on the first packet, and all that follows is as at first. Files of
# others are opened again: AVI and FLV refuse such a seek; ASF's packets then have other flags; MPEG's program streams
# and Ogg build their index while they are read, so that later seeks land elsewhere; rarer formats are untested.
_REWINDABLE_FORMATS = {"matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "mpegts"}
# Sound decoders that can be made anew from what PyAV exposes of a stream. (WMA's also need a block size.)
_REPEATABLE_DECODERS = {
    *("aac", "ac3", "amrnb", "amrwb", "eac3", "flac", "mp2", "mp2float", "mp3", "mp3float", "opus", "vorbis"),
    *("pcm_f32le", "pcm_s16be", "pcm_s16le", "pcm_s24le"),
}
_BEFORE_EVERYTHING = -(2**62)  # in any stream's ticks


@dataclass(frozen=True)
class Track:
    """A stream of an open file, to be read from its first packet, and what decodes it.

    `zero` is when the file starts, in seconds by the stream's own timestamps.
    """

    container: InputContainer
    stream: Any  # a VideoStream or an AudioStream
    decoder: Any  # a VideoCodecContext or an AudioCodecContext
    zero: Fraction
    budget: Budget

    @property
    def time_base(self) -> Fraction:
        """The seconds that a tick of the stream's timestamps lasts."""
        return Fraction(self.stream.time_base or 1)


class MediaFile:
    """A video or sound file at a path or URI, for use in a `with`. Nothing is opened before it is needed.

    It is opened at most twice, once for its picture and once for its sound, as reading both through one container would
    hold in memory all that lies between them. Each pass seeks back to the start; only the rare files for which that
    would change the result (see above) are opened again for each. `budget` bounds the cost of all passes together; by
    default it starts now.
    """

    def __init__(self, path: str | Path, budget: Budget | None = None) -> None:
        self.path, self.budget = path, budget or Budget()
        self._containers: dict[str, InputContainer] = {}
        self._zero: Fraction | None = None

    def __enter__(self) -> "MediaFile":
        return self

    def __exit__(self, *error: object) -> None:
        for container in self._containers.values():
            container.close()

    def video(self) -> Track:
        """The picture, from its start; this invalidates the track of an earlier call.

        Raises MediaError `not_found`, `unreadable`, `no_video` or `undecodable_video`.
        """
        container = self._rewound("video", video_stream)
        return self._track(container, video_stream(container))

    def audio(self) -> Track:
        """The sound, from its start; this invalidates the track of an earlier call.

        Its decoder is a new one, since some keep state across a seek: that of their noise (AAC, AMR), or that the
        padding at the start is behind them (Opus).
        Raises MediaError `not_found`, `unreadable`, `no_audio` or `undecodable_audio`.
        """
        container = self._rewound("audio", audio_stream)
        return self._track(container, audio_stream(container))

    def interleaved(self) -> tuple[Track, Track]:
        """Picture and sound, from their start, through the picture's container: for one pass over all packets.

        Call it before `video`: afterwards the file must be opened again, as a seek to one stream's start may lead past
        the other's. Raises what `video` and `audio` raise.
        """
        if "video" in self._containers:
            self._containers.pop("video").close()
        container = self._rewound("video", video_stream)
        return self._track(container, video_stream(container)), self._track(container, audio_stream(container))

    def _rewound(self, kind: str, choose: Callable[[InputContainer], VideoStream | AudioStream]) -> InputContainer:
        """The container of this kind of stream, at its start: opened, sought back, or opened again."""
        known = self._containers.get(kind)
        if known is not None and _seeks_to_start(known, choose(known)):
            return known
        if known is not None:
            known.close()
        container = self._containers[kind] = open_container(self.path)
        if self._zero is None:  # before anything is read: that may change what a stream says about its start
            self._zero = clock_zero(container)
        return container

    def _track(self, container: InputContainer, stream: VideoStream | AudioStream) -> Track:
        decoder: Any = stream.codec_context
        if decoder.name in _REPEATABLE_DECODERS:
            decoder = _new_decoder(stream)
        elif stream.type == "video":
            decoder.skip_frame = "DEFAULT"
        if not decoder.is_open:
            decoder.thread_count = 1  # sources are prepared side by side
        return Track(container, stream, decoder, self._zero or Fraction(0), self.budget)


def _seeks_to_start(container: InputContainer, stream: VideoStream | AudioStream) -> bool:
    """Seek `stream` to its first packet; returns whether reading then gives the same as at first."""
    if container.format.name not in _REWINDABLE_FORMATS:
        return False
    if stream.type == "audio" and stream.codec_context.name not in _REPEATABLE_DECODERS:
        return False
    try:
        container.seek(_BEFORE_EVERYTHING, stream=stream)
    except av.error.FFmpegError:
        return False
    return True


def _new_decoder(stream: Any) -> Any:
    known, time_base = stream.codec_context, stream.time_base or Fraction(1)
    decoder: Any = CodecContext.create(known.codec, "r")
    decoder.extradata, decoder.sample_rate, decoder.layout = known.extradata, known.sample_rate, known.layout
    # It lets the decoder correct the time of a frame whose start it cuts off.
    decoder.options = {"pkt_timebase": f"{time_base.numerator}/{time_base.denominator}"}
    return decoder
