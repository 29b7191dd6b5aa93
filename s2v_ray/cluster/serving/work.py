"""One order made by a loaded model, in a folder of its own that is gone afterwards. No Ray."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from s2v_ray.cluster.serving.order import Order
from s2v_ray.cluster.serving.problems import in_client_words
from s2v_ray.cluster.serving.settings import ServiceSettings
from s2v_ray.errors import UserError
from s2v_ray.generation.video import Generator, make_video
from s2v_ray.media.decoding.limits import Limits
from s2v_ray.storage.files import file_info, open_file

_FOLDER = "s2v-order-"


def own_prefix() -> str:
    """How names of this process's temporary folders begin; see `remove_left_over`."""
    return f"{_FOLDER}{os.getpid()}-"


class StoppedError(Exception):
    """Nobody waits for the video any more."""


def video_of(
    generator: Generator, order: Order, settings: ServiceSettings, stopped: Callable[[], bool]
) -> tuple[IO[bytes], int]:
    """The MP4, open for reading and without a name, and its number of frames.

    Raises UserError in the client's words, and StoppedError at the first frame after `stopped` is true.
    """

    def check(fraction: float, text: str) -> None:
        if stopped():
            raise StoppedError

    with tempfile.TemporaryDirectory(prefix=own_prefix()) as name:
        folder = Path(name)
        # Names of ours: what a client calls its files reaches no path.
        image, sound, out = (str(folder / file) for file in ("image", "sound", "video.mp4"))
        limits = Limits(max_source_seconds=settings.timeout_seconds, max_duration_seconds=settings.max_seconds)
        try:
            _put(order.image, image, settings.max_upload_bytes)
            _put(order.sound, sound, settings.max_upload_bytes)
            made = make_video(generator, image, sound, out, check, order.options, limits)
        except UserError as error:
            raise in_client_words(error, {image: "image", sound: "sound"}) from None
        return Path(out).open("rb"), made.frames


def remove_left_over() -> None:
    """Remove what processes that were killed have left of orders."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        try:
            os.kill(int(folder.name.removeprefix(_FOLDER).partition("-")[0]), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (PermissionError, ValueError):  # another user's, or not ours
            continue


def _put(source: bytes | str, path: str, max_bytes: int) -> None:
    """Write a file's content, or that of a URI. Raises UserError `not_found` or `upload_too_large`."""
    if isinstance(source, bytes):
        Path(path).write_bytes(source)
        return
    size = file_info(source).size
    if size is None:
        raise UserError("not_found", f"There is no file '{source}'.")
    if size > max_bytes:
        raise UserError("upload_too_large", f"'{source}' has more than {max_bytes / 1e6:g} MB; reduce it.")
    with open_file(source) as file, Path(path).open("wb") as copy:
        shutil.copyfileobj(file, copy)
