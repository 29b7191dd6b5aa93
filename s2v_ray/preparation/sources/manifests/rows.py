"""What every manifest comes down to, and how its text is read strictly."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from s2v_ray.errors import UserError

VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm")  # of the videos of sets that name them by their id
_SECONDS = re.compile(r"\d{1,9}(\.\d{0,20})?([eE][-+]?\d{1,2})?")
_ID = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = 120  # characters of a refused row


@dataclass(frozen=True, slots=True)
class Part:
    """A file and the part of it to use, in seconds from its beginning; None is the file's own beginning or end."""

    file: str
    begin_seconds: Fraction | None = None
    end_seconds: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a manifest.

    place: where it stands, such as "line 12".
    parts: what it may mean, in order of preference: the first one whose file is there is taken.
    by_path: whether `parts` name paths relative to a folder, rather than files anywhere below it.
    event: whether it marks something in a longer video, so that overlapping rows make one source.
    labels: what is seen and heard.
    split: "train", "val", "test", or "" where the manifest says nothing.
    group: rows of one group stay in one split; "" where the file decides.
    """

    place: str
    parts: tuple[Part, ...]
    by_path: bool = False
    event: bool = False
    labels: tuple[str, ...] = ()
    split: str = ""
    group: str = ""


def csv_rows(
    text: str, manifest: str, parse: Callable[[str, list[str]], Row], *, header: bool = False
) -> Iterator[Row]:
    """`parse(place, cells)` of every line but blank ones, comments (#) and the header.

    Raises UserError with the file, the line, its content and the rule, where the CSV is broken or `parse` raises
    ValueError with the rule.
    """
    for place, cells in csv_lines(text, manifest):
        if header:
            header = False
            continue
        try:
            row = parse(place, cells)
        except ValueError as error:
            raise refused(manifest, place, ",".join(cells), str(error)) from None
        yield row


def csv_lines(text: str, manifest: str) -> Iterator[tuple[str, list[str]]]:
    """The cells of every line but blank ones and comments, and its place; spaces around cells are left out."""
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    while True:
        place = f"line {reader.line_num + 1}"
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise UserError(f"{manifest}, {place}: not a line of CSV ({error}); mind its quotes.") from None
        if cells not in ([], [""]) and not cells[0].startswith("#"):
            yield place, cells


def refused(manifest: str, place: str, content: str, rule: str) -> UserError:
    """The error for a row that breaks `rule`."""
    shown = content if len(content) <= _SHOWN else content[:_SHOWN] + "..."
    return UserError(f"{manifest}, {place}: '{shown}' can't be used: {rule}; correct the row or remove it.")


def check_columns(cells: list[str], count: int) -> None:
    """Raise ValueError unless there are `count` cells."""
    if len(cells) != count:
        raise ValueError(f"it has {len(cells)} columns, but must have {count}")


def parse_seconds(text: object) -> Fraction:
    """The exact number that `text` writes. Raises ValueError unless it is one of at least 0."""
    if not isinstance(text, str) or not _SECONDS.fullmatch(text):
        raise ValueError(f"'{text}' is not a number of seconds of at least 0")
    return Fraction(text)


def parse_times(begin: object, end: object) -> tuple[Fraction, Fraction]:
    """Both in seconds. Raises ValueError unless the end is after the beginning."""
    times = parse_seconds(begin), parse_seconds(end)
    if times[1] <= times[0]:
        raise ValueError(f"it ends at {end} s, but must end after its start at {begin} s")
    return times


def parse_id(text: object) -> str:
    """A video's id. Raises ValueError unless it is letters, digits, _ and -, as YouTube's are."""
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise ValueError(f"the id '{text}' must consist of letters, digits, _ and -")
    return text


def cut_parts(video: str, begin: Fraction, end: Fraction) -> tuple[Part, ...]:
    """What [begin, end] seconds of a video are called when cut: `<id>_000030.mp4` or `<id>_30000_40000.mp4`."""
    stems = [f"{video}_{int(begin * 1000)}_{int(end * 1000)}"]
    if begin.denominator == 1:
        stems.insert(0, f"{video}_{int(begin):06d}")
    return tuple(Part(stem + suffix) for stem in stems for suffix in VIDEO_SUFFIXES)
