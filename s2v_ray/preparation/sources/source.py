"""A file, or a part of one, to cut clips from."""

import hashlib
import math
import os
import re
from dataclasses import dataclass
from decimal import Context
from fractions import Fraction
from pathlib import Path

from pyarrow import fs

from s2v_ray.errors import MediaError, StoreError, UserError
from s2v_ray.storage.files import file_info
from s2v_ray.storage.members import Member


@dataclass(frozen=True)
class Source:
    """A file, or a part of one, to cut clips from.

    Split by source, those of one `group` belong in one split. Those of one `recording` may show the same moments.
    """

    path: str  # an absolute local path, or a URI of one of pyarrow's file systems; inside a file, PATH#NAME
    name: str  # "a/b.mp4" or "a/b.mp4@12.000-22.000": relative to the root that it was found under, and the part
    start_seconds: Fraction | None = None  # from the file's beginning; None is the file's own
    end_seconds: Fraction | None = None
    labels: tuple[str, ...] = ()  # what is in it, by the manifest or else the folders in its name
    split: str = ""  # "train", "val" or "test" if the data come with a split
    group: str = ""  # the file's name, the video that several files were cut from, or GRID's speaker
    file_of_speaker: str = ""  # the file's name, where the group is a speaker
    crop: str = ""  # how to crop this one, if not as the others
    stabilize: str = ""  # what to stabilise in this one, if not as in the others
    member: Member | None = None  # where it is inside another file, if it is

    @property
    def recording(self) -> str:
        """The video that it is, or that it was cut from."""
        return self.file_of_speaker or self.group

    @property
    def interval(self) -> tuple[float, float]:
        """Its part of the file, in seconds: from 0 and to infinity where that is the file's own start and end."""
        return float(self.start_seconds or 0), math.inf if self.end_seconds is None else float(self.end_seconds)

    @property
    def key(self) -> str:
        """A file name for what is made of it: readable, and unique by a hash of `name`."""
        readable = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(self.name).stem)[:60]
        return f"{readable}-{hashlib.sha256(os.fsencode(self.name)).hexdigest()[:16]}"

    @property
    def framing_given(self) -> str | None:
        """How this source is to be cropped and stabilised, if not as the others."""
        given = {"crop": self.crop, "stabilize": self.stabilize}
        return " ".join(f"{name}={value}" for name, value in given.items() if value) or None

    def version(self) -> tuple[int, int]:
        """Size in bytes and time of change in ns of the file that it is, or is in: they change when that is replaced.

        Raises MediaError `no_file` if the file has disappeared, and `unreadable` if it is hidden.
        """
        path = self.member.container if self.member else self.path
        try:
            info = file_info(path)
        except StoreError:
            raise
        except UserError as error:
            raise MediaError("unreadable", str(error)) from None
        if info.type != fs.FileType.File:
            raise MediaError("no_file", f"'{path}' is no longer there; put it back, or leave it out.")
        return info.size or 0, info.mtime_ns or 0


def part_name(name: str, start: Fraction | None, end: Fraction | None) -> str:
    """The name of a part of a file: "a.mp4" for the whole, "a.mp4@12.000-22.000", "a.mp4@12.000-"."""
    return name if start is None and end is None else f"{name}@{_decimal(start)}-{_decimal(end)}"


def _decimal(seconds: Fraction | None) -> str:
    """Exactly, with at least three decimals: what was read from a decimal number is one."""
    if seconds is None:
        return ""
    exact = Context(prec=300).divide(seconds.numerator, seconds.denominator)
    return f"{exact:.3f}" if seconds * 1000 % 1 == 0 else f"{exact:f}"
