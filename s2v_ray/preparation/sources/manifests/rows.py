"""The rows of any manifest, and strict parsing of their text."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from s2v_ray.errors import UserError

VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm")  # of videos that a manifest names by their id
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
    """One row of a manifest.

    line: where it is in the manifest, such as "line 12" or "entry 'abc', annotation 2".
    parts: what it may mean, in order of preference: the first one whose file exists is taken.
    by_path: whether `parts` name paths relative to a folder, rather than files anywhere below it.
    event: whether it marks something in a longer video, so that overlapping rows make one source.
    labels: what is seen and heard.
    split: "train", "val", "test", or "" if the manifest does not say.
    group: rows of one group stay in one split; "" makes each file a group.
    """

    line: str
    parts: tuple[Part, ...]
    by_path: bool = False
    event: bool = False
    labels: tuple[str, ...] = ()
    split: str = ""
    group: str = ""


def csv_rows(
    text: str, manifest: str, parse: Callable[[str, list[str]], Row], *, header: bool = False
) -> Iterator[Row]:
    """`parse(line, cells)` of every line but blank ones, comments (#) and the header.

    Raises UserError with the file, the line, its content and the rule, if the CSV is broken or `parse` raises
    ValueError with the rule.
    """
    for line, cells in csv_lines(text, manifest):
        if header:
            header = False
            continue
        try:
            row = parse(line, cells)
        except ValueError as error:
            raise refused(manifest, line, ",".join(cells), str(error)) from None
        yield row


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
            raise UserError(
                "wrong_manifest", f"{manifest}, {line}: not a line of CSV ({error}); check its quotes."
            ) from None
        if cells not in ([], [""]) and not cells[0].startswith("#"):
            yield line, cells


def refused(manifest: str, line: str, content: str, rule: str) -> UserError:
    """The error for a row that breaks `rule`."""
    shown = content if len(content) <= _SHOWN else content[:_SHOWN] + "..."
    return UserError("wrong_row", f"{manifest}, {line}: '{shown}' can't be used: {rule}; correct the row or remove it.")


def check_columns(cells: list[str], count: int) -> None:
    """Raise ValueError unless there are `count` cells."""
    if len(cells) != count:
        raise ValueError(f"it has {len(cells)} columns, but must have {count}")


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
    return tuple(Part(stem + suffix) for stem in stems for suffix in VIDEO_SUFFIXES)
