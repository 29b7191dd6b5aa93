"""A zip file as a folder to read from. Nothing is unpacked: what is asked for is read into memory, within bounds."""

import contextlib
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator

from s2v_ray.errors import UserError
from s2v_ray.storage.files import is_file, open_file, store_errors
from s2v_ray.storage.paths import Location, base_name

# Weights hardly shrink, and text about eightfold; a bomb grows a thousandfold.
_MOST_GROWTH, _MOST_ENTRIES = 16, 1000
_SPARE_BYTES = 2**20  # for archives of a few small files
# What zipfile raises of a file that is no zip, or a damaged one.
_FAULTS = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError, OverflowError)


def is_archive(location: Location) -> bool:
    """Whether there is a file whose name ends in .zip."""
    return base_name(location).lower().endswith(".zip") and is_file(location)


class Archive:
    """The files of a zip, or, where all of them are in one folder, the files of that folder."""

    def __init__(self, archive: zipfile.ZipFile, location: Location, most_bytes: int) -> None:
        self._archive, self._location = archive, location
        # Beside the folder, the Finder packs one with what macOS alone knows of its files.
        entries = [entry for entry in archive.infolist() if not entry.filename.startswith("__MACOSX/")]
        if len(entries) > _MOST_ENTRIES:
            raise _unusable(location, f"it has {len(entries)} entries, but may have {_MOST_ENTRIES}")
        size = sum(entry.file_size for entry in entries)
        if size > most_bytes:
            raise _unusable(location, f"it would unpack to {size} bytes, but may to {most_bytes}")
        names = [entry.filename for entry in entries]
        if twice := next((name for name, count in Counter(names).items() if count > 1), None):
            raise _unusable(location, f"'{twice}' is in it twice")
        top = {name.partition("/")[0] for name in names if "/" in name}
        inside = len(top) == 1 and all("/" in name for name in names)
        self._prefix = f"{top.pop()}/" if inside else ""
        self._entries = {entry.filename: entry for entry in entries}

    def read(self, name: str) -> bytes | None:
        """A file's content, None if there is none. Raises UserError `unusable_archive`."""
        entry = self._entries.get(self._prefix + name)
        if entry is None:
            return None
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise _unusable(self._location, f"'{entry.filename}' is a symbolic link")
        if entry.flag_bits & 1:
            raise _unusable(self._location, f"'{entry.filename}' is encrypted")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # LZMA takes the memory it claims
            raise _unusable(self._location, f"'{entry.filename}' is compressed otherwise than by deflate")
        with _faults(self._location):
            return self._archive.read(entry)


@contextlib.contextmanager
def open_archive(location: Location) -> Iterator[Archive]:
    """A zip to read from, local or in an object store.

    Raises UserError `unusable_archive` if it is none, names a file twice, has more than a thousand entries, or would
    unpack to much more than the weights and texts that it is meant for could.
    """
    with open_file(location) as file:
        with _faults(location):
            archive = zipfile.ZipFile(file)
        with archive:
            yield Archive(archive, location, _MOST_GROWTH * file.size() + _SPARE_BYTES)


@contextlib.contextmanager
def _faults(location: Location) -> Iterator[None]:
    try:
        with store_errors(location):
            yield
    except _FAULTS as error:
        raise _unusable(location, f"it can't be read ({error})") from None


def _unusable(location: Location, fault: str) -> UserError:
    return UserError("unusable_archive", f"'{location}' can't be used: {fault}; zip the folder itself, and try again.")
