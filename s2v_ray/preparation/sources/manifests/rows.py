"""The rows of any manifest, and strict parsing of their text."""

import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from s2v_ray.errors import UserError

_SUFFIXES = (".mp4", ".mkv", ".webm")  # of videos that a manifest names by their id
_SECONDS = re.compile(r"\d{1,9}(\.\d{0,20})?([eE][-+]?\d{1,2})?")
_ID = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = 120  # characters of a row in an error


@dataclass(frozen=True, slots=True)
class Part:
    """A file and the part of it to use, in seconds from its beginning; None is the file's own beginning or end."""

    file: str
    start_seconds: Fraction | None = None
    end_seconds: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a manifest."""

    line: str  # where it is in the manifest, such as "line 12" or "entry 'abc', annotation 2"
    parts: tuple[Part, ...]  # what it may mean: the first one whose file exists is taken
    by_path: bool = False  # whether `parts` name paths relative to a folder, rather than files anywhere below it
    event: bool = False  # whether it marks something in a longer video, so that overlapping rows make one source
    labels: tuple[str, ...] = ()  # what is seen and heard
    split: str = ""  # "train", "val", "test", or "" if the manifest does not say
    group: str = ""  # rows of one group stay in one split; "" makes each file a group
    crop: str = ""  # how to crop this one, or "" if the manifest does not say
    stabilize: str = ""  # what to stabilise in this one, likewise


def csv_rows(
    text: str, manifest: str, parse: Callable[[str, list[str]], Row], *, columns: int, header: bool = False
) -> Iterator[Row]:
    """`parse(line, cells)` of every line but blank ones, comments (#) and the header.

    Raises UserError with the file, the line, its content and the rule, if the CSV is broken, a line has not as many
    `columns`, or `parse` raises ValueError with the rule.
    """
    for line, cells in itertools.islice(csv_lines(text, manifest), int(header), None):
        try:
            if len(cells) != columns:
                raise ValueError(f"it has {len(cells)} columns, but must have {columns}")
            yield parse(line, cells)
        except ValueError as error:
            raise refused(manifest, line, ",".join(cells), str(error)) from None


def csv_lines(text: str, manifest: str) -> Iterator[tuple[str, list[str]]]:
    """Which line it is, and its cells without spaces around them, for every line but blank ones and comments."""
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    while True:
        line = f"line {reader.line_num + 1}"
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            detail = f"{manifest}, {line}: not a line of CSV ({error})"
            raise UserError("wrong_manifest", f"{detail}; check its quotes.") from None
        if cells not in ([], [""]) and not cells[0].startswith("#"):
            yield line, cells


def refused(manifest: str, line: str, content: str, rule: str) -> UserError:
    """The error for a row that breaks `rule`."""
    shown = content if len(content) <= _SHOWN else content[:_SHOWN] + "..."
    return UserError("wrong_row", f"{manifest}, {line}: '{shown}' can't be used: {rule}; correct the row or remove it.")


def parse_seconds(text: object) -> Fraction:
    """The exact number in `text`. Raises ValueError unless it is a number of at least 0."""
    if not isinstance(text, str) or not _SECONDS.fullmatch(text):
        raise ValueError(f"'{text}' is not a number of seconds of at least 0")
    return Fraction(text)


def parse_times(start: object, end: object) -> tuple[Fraction, Fraction]:
    """Both in seconds. Raises ValueError unless the end is after the start."""
    times = parse_seconds(start), parse_seconds(end)
    if times[1] <= times[0]:
        raise ValueError(f"it ends at {end} s, but must end after its start at {start} s")
    return times


def parse_id(text: object) -> str:
    """A video's id. Raises ValueError unless it is letters, digits, _ and -, as YouTube's are."""
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise ValueError(f"the id '{text}' must consist of letters, digits, _ and -")
    return text


def cut_parts(video: str, start: Fraction, end: Fraction) -> tuple[Part, ...]:
    """Names of a file with [start, end] seconds of a video: `<id>_000030.mp4` or `<id>_30000_40000.mp4`."""
    stems = [f"{video}_{int(start * 1000)}_{int(end * 1000)}"]
    if start.denominator == 1:
        stems.insert(0, f"{video}_{int(start):06d}")
    return tuple(Part(stem + suffix) for stem in stems for suffix in _SUFFIXES)


def whole_parts(video: str, start: Fraction, end: Fraction) -> tuple[Part, ...]:
    """[start, end] seconds of a file with all of a video: `<id>.mp4`."""
    return tuple(Part(video + suffix, start, end) for suffix in _SUFFIXES)
