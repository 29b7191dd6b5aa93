"""Opening a media file, choosing its streams, and its clock's zero."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from s2v_ray.errors import MediaError
from s2v_ray.storage.files import open_file
from s2v_ray.storage.paths import is_uri

av.logging.set_level(None)  # FFmpeg says nothing by itself: what matters becomes a MediaError


def open_container(path: str | Path) -> InputContainer:
    """Open the media file at a path or URI for reading; close it, or use it in a `with`.

    Raises MediaError `not_found` or `unreadable`.
    """
    try:
        # A whole path, since FFmpeg takes what stands before a colon in a name for a protocol.
        file = _remote_file(str(path)) if is_uri(path) else str(Path(path).absolute())
        return av.open(file, "r", metadata_errors="replace")
    except FileNotFoundError:
        raise MediaError("not_found", f"There is no file '{path}'; check its name.") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise MediaError("unreadable", f"'{path}' can't be read as video or sound ({_why(error)}).") from None


def _remote_file(uri: str) -> SimpleNamespace:
    """A file of an object store as PyAV reads it; it keeps its URI as the container's name."""
    file = open_file(uri)
    return SimpleNamespace(name=uri, read=file.read, seek=file.seek, tell=file.tell)


def video_stream(container: InputContainer) -> VideoStream:
    """The picture stream that FFmpeg chooses by default; cover art is none.

    Raises MediaError `no_video`, and `undecodable_video` where there is no decoder.
    """
    stream = _best_video(container)
    if stream is None:
        raise MediaError("no_video", f"'{container.name}' ({container.format.name}) has no moving picture.")
    if stream.codec_context is None:
        raise undecodable(container, stream)
    return stream


def audio_stream(container: InputContainer) -> AudioStream:
    """The sound stream that FFmpeg chooses by default.

    Raises MediaError `no_audio`, and `undecodable_audio` where there is no decoder.
    """
    stream = _best_audio(container)
    if stream is None:
        raise MediaError("no_audio", f"'{container.name}' ({container.format.name}) has no sound.")
    if stream.codec_context is None:
        raise undecodable(container, stream)
    return stream


def undecodable(container: InputContainer, stream: VideoStream | AudioStream) -> MediaError:
    """The error for a stream of which nothing decodes."""
    name = stream.codec_context.name if stream.codec_context else "unknown codec"
    what = "picture" if stream.type == "video" else "sound"
    return MediaError(f"undecodable_{stream.type}", f"No {what} of '{container.name}' can be decoded ({name}).")


def clock_zero(container: InputContainer) -> Fraction:
    """The time in seconds, by the streams' own timestamps, at which the file starts: the earlier of the two."""
    streams = [stream for stream in (_best_video(container), _best_audio(container)) if stream is not None]
    starts = [
        stream.start_time * stream.time_base
        for stream in streams
        if stream.start_time is not None and stream.time_base is not None
    ]
    return min(starts, default=Fraction(0))


def _best_video(container: InputContainer) -> VideoStream | None:
    best = container.streams.best("video")
    moving = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    return best if best in moving else next(iter(moving), None)


def _best_audio(container: InputContainer) -> AudioStream | None:
    return container.streams.best("audio")  # type: ignore[return-value]


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
