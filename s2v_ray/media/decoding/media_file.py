"""A media file that is opened once and read as often as needed: its streams, and its clock's zero."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
from av.codec.context import CodecContext
from av.container import InputContainer

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.demux import demux
from s2v_ray.media.decoding.formats import OPEN_OPTIONS, why_not_listed
from s2v_ray.media.decoding.limits import Budget
from s2v_ray.media.decoding.parts import Part, find_parts, may_begin_anew
from s2v_ray.media.decoding.tracks import Kind, TakenTrack, TrackNumbers, needs_reading, take_track
from s2v_ray.storage.files import open_file
from s2v_ray.storage.members import Cell, Member, Span, open_member
from s2v_ray.storage.paths import Location, is_uri, readable

av.logging.set_level(None)  # FFmpeg says nothing by itself: what matters becomes a MediaError

# Formats in which a seek to before everything lands on the first packet, and all that follows is as at first. Files of
# others are opened again: AVI and FLV refuse such a seek; ASF's packets then have other flags; MPEG's program streams
# and Ogg build their index while they are read, so that later seeks land elsewhere; rarer formats are untested.
# Matroska cuts what a coder put before the sound off its first packet, but only once.
_REWINDABLE_FORMATS = {
    "video": {"matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "mpegts"},
    "audio": {"mov,mp4,m4a,3gp,3g2,mj2", "mpegts"},
}
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
    parts: tuple[Part, ...] = ()  # after the first, where times begin anew on the way

    @property
    def time_base(self) -> Fraction:
        """The seconds that a tick of the stream's timestamps lasts."""
        return Fraction(self.stream.time_base or 1)


class MediaFile:
    """A video or sound file at a path or URI, or inside another file, for use in a `with`.

    Nothing is opened before it is needed. It is opened twice, once for its picture and once for its sound, as reading
    both through one container would hold in memory all that lies between them; and once more to look where it has
    several tracks of a kind, or where its times may begin anew on the way. Each pass seeks back to the start; only the
    files for which that would change the result (see above) are opened again for each. `budget` bounds the cost of all
    passes together; by default it starts now. `track_numbers` names the tracks to read; by default those that work.

    All methods raise MediaError `not_found` or `unreadable`; `no_video` or `no_audio`; `undecodable_video` or
    `undecodable_audio` where there is no decoder; `no_such_track`.
    """

    def __init__(
        self, path: Location | Member, budget: Budget | None = None, track_numbers: TrackNumbers | None = None
    ) -> None:
        self.path, self.budget, self.track_numbers = path, budget or Budget(), track_numbers or TrackNumbers()
        self._containers: dict[Kind, InputContainer] = {}
        self._layout: _Layout | None = None
        self.channels: dict[str, int] | None = None  # see `audio.channels_taken`, which finds it

    def __enter__(self) -> "MediaFile":
        return self

    def __exit__(self, *error: object) -> None:
        for container in self._containers.values():
            container.close()

    def video(self) -> Track:
        """The picture, from its start; this invalidates the track of an earlier call."""
        return self._track(self._rewound("video"), "video")

    def audio(self) -> Track:
        """The sound, from its start; this invalidates the track of an earlier call.

        Its decoder is a new one, since some keep state across a seek: that of their noise (AAC, AMR), or that the
        padding at the start is behind them (Opus).
        """
        return self._track(self._rewound("audio"), "audio")

    def interleaved(self) -> tuple[Track, Track]:
        """Picture and sound, from their start, through the picture's container: for one pass over all packets.

        Call it before `video`: afterwards the file must be opened again, as a seek to one stream's start may lead past
        the other's.
        """
        if "video" in self._containers:
            self._containers.pop("video").close()
        container = self._rewound("video")
        return self._track(container, "video"), self._track(container, "audio")

    def taken(self) -> dict[Kind, TakenTrack]:
        """Which tracks are taken, once one has been read; of a kind that the file lacks, none."""
        return {kind: track for kind, track in self._layout.taken.items() if track} if self._layout else {}

    def _rewound(self, kind: Kind) -> InputContainer:
        """The container of this kind of stream, at its start: opened, sought back, or opened again."""
        known = self._containers.get(kind)
        if known is not None:
            if _seeks_to_start(known, self._stream(known, kind)):
                return known
            known.close()
        container = self._containers[kind] = _open(self.path)
        if self._layout is None:
            self._layout = _find_layout(container, self.path, self.track_numbers, self.budget)
        return container

    def _stream(self, container: InputContainer, kind: Kind) -> Any:
        return _stream(container, kind, self._layout.taken[kind] if self._layout else None)

    def _track(self, container: InputContainer, kind: Kind) -> Track:
        stream, layout = self._stream(container, kind), self._layout
        decoder: Any = stream.codec_context
        if decoder.name in _REPEATABLE_DECODERS:
            decoder = _new_decoder(stream)
        elif kind == "video":
            decoder.skip_frame = "DEFAULT"
        if not decoder.is_open:
            decoder.thread_count = 1  # sources are prepared in parallel
        zero, parts = (layout.zero, layout.parts) if layout else (Fraction(0), ())
        return Track(container, stream, decoder, zero, self.budget, parts)


@dataclass(frozen=True)
class _Layout:
    """What is found before a file is read: which streams, when they start, and where their times begin anew."""

    taken: dict[Kind, TakenTrack | None]
    zero: Fraction
    parts: tuple[Part, ...]


def _find_layout(container: InputContainer, path: Location | Member, numbers: TrackNumbers, budget: Budget) -> _Layout:
    """The layout of a file whose `container` was just opened: what must be read for it is read in another."""
    taken: dict[Kind, TakenTrack | None] = {}
    kinds: tuple[tuple[Kind, int], ...] = (("video", numbers.video), ("audio", numbers.audio))
    for kind, number in kinds:
        if needs_reading(container, kind, number):
            with _open(path) as other:
                taken[kind] = take_track(other, kind, number, budget)
        else:
            taken[kind] = take_track(container, kind, number, budget)
    zero = _clock_zero(container, taken.values())
    indices = [track.index for track in taken.values() if track]
    if not indices or not may_begin_anew(container.format.name):
        return _Layout(taken, zero, ())
    with _open(path) as other:
        return _Layout(taken, zero, find_parts(demux(other, [other.streams[index] for index in indices], budget)))


def undecodable(container: InputContainer, stream: Any) -> MediaError:
    """The error `undecodable_video` or `undecodable_audio` for a stream in which nothing decodes."""
    name = stream.codec_context.name if stream.codec_context else "unknown codec"
    what = "picture" if stream.type == "video" else "sound"
    sentence = f"No {what} of '{container.name}' can be decoded ({name}); convert it with another program."
    return MediaError(f"undecodable_{stream.type}", sentence)


def _open(path: Location | Member) -> InputContainer:
    try:
        if not isinstance(path, Span | Cell) and not is_uri(path):
            # An absolute path, since FFmpeg takes what precedes a colon in a name for a protocol.
            return av.open(str(Path(path).absolute()), "r", container_options=OPEN_OPTIONS, metadata_errors="replace")
        content = _content(path)
        named = SimpleNamespace(name=readable(str(path)), read=content.read, seek=content.seek, tell=content.tell)
        return av.open(named, "r", container_options=OPEN_OPTIONS, metadata_errors="replace")
    except FileNotFoundError:
        raise MediaError("not_found", f"There is no file '{path}'; check its name.") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise MediaError("unreadable", f"'{path}' can't be read as video or sound{_why(path, error)}") from None


def _content(path: Location | Member) -> Any:
    return open_member(path) if isinstance(path, Span | Cell) else open_file(str(path))


def _why(path: Location | Member, error: Exception) -> str:
    if isinstance(error, av.error.ArgumentError):  # what FFmpeg says of a format that OPEN_OPTIONS leaves out
        with contextlib.suppress(OSError, ValueError), _content(path) as file:
            return f": {why_not_listed(file)}."
    return f" ({getattr(error, 'strerror', None) or error})."


def _stream(container: InputContainer, kind: Kind, taken: TakenTrack | None) -> Any:
    if taken is None:
        what = "moving picture" if kind == "video" else "sound"
        raise MediaError(f"no_{kind}", f"'{container.name}' ({container.format.name}) has no {what}.")
    stream = container.streams[taken.index]
    if stream.codec_context is None:
        raise undecodable(container, stream)
    return stream


def _clock_zero(container: InputContainer, taken: Iterable[TakenTrack | None]) -> Fraction:
    """The time in seconds, by the streams' own timestamps, at which the file starts: the earlier of the two."""
    streams = [container.streams[track.index] for track in taken if track]
    starts = [
        stream.start_time * stream.time_base
        for stream in streams
        if stream.start_time is not None and stream.time_base is not None
    ]
    return min(starts, default=Fraction(0))


def _seeks_to_start(container: InputContainer, stream: Any) -> bool:
    """Seek `stream` to its first packet; returns whether reading then gives the same as at first."""
    if container.format.name not in _REWINDABLE_FORMATS[stream.type]:
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
