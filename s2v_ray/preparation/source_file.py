"""Opening a source so that nothing that is wrong with it stops the others."""

import contextlib
import errno
from collections.abc import Iterator

import av

from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.errors import MediaError, UserError
from s2v_ray.media.decoding.limits import Budget
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.tracks import TrackNumbers
from s2v_ray.preparation.sources.source import Source

# Of the machine or of the place for the clips: the next source would fail likewise.
_WHOLE_JOB_ERRNOS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.ENOMEM, errno.EMFILE, errno.ENFILE),
}


@contextlib.contextmanager
def open_source(source: Source, settings: ClipSettings) -> Iterator[MediaFile]:
    """The file of a source, read within the limits; what the block raises comes as `source_faults` says."""
    tracks = TrackNumbers(settings.video_track, settings.audio_track)
    with source_faults(source), MediaFile(source.member or source.path, Budget(settings.limits), tracks) as media:
        yield media


@contextlib.contextmanager
def source_faults(source: Source) -> Iterator[None]:
    """Whatever the block raises for the sake of a source comes as MediaError, so that the others go on.

    It has the code `failed`, with the exception's type and text, where it is none yet. Errors that concern the whole
    job pass unchanged: no memory, no permission or space to write, an object store that doesn't answer, interrupts.
    """
    try:
        yield
    except MediaError:
        raise
    except Exception as error:
        if concerns_whole_job(error):
            raise
        said = f"{type(error).__name__}: {error}"
        advice = "convert it with another program, or leave it out"
        raise MediaError("failed", f"'{source.path}' can't be prepared ({said}); {advice}.") from error


def concerns_whole_job(error: Exception) -> bool:
    """Whether an error is of the machine or of the place for the results, so that the next file would fail likewise."""
    if isinstance(error, av.error.FFmpegError):  # some are OSErrors, too, but these come from the file
        return False
    if isinstance(error, OSError):
        return error.errno in _WHOLE_JOB_ERRNOS
    return isinstance(error, (MemoryError, UserError))
