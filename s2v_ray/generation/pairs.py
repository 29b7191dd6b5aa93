"""A table of pairs to generate from: a CSV with the columns image, sound and name, and options for single rows."""

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from s2v_ray.errors import UserError
from s2v_ray.generation.video import Options
from s2v_ray.preparation.sources.manifests.rows import csv_lines, refused
from s2v_ray.storage.files import read_bytes
from s2v_ray.storage.paths import is_uri, join, parent, user_location

# Names of flags, and the field of `Options` that each sets.
OPTION_COLUMNS = {
    **{name: name for name in ("size", "max_side", "region", "strength", "background", "audio_track")},
    "image_time": "image_seconds",
}
_NEEDED = ("image", "sound", "name")
_NUMBERS: dict[str, Any] = {"max_side": int, "audio_track": int, "strength": float, "image_seconds": float}
_LONGEST_NAME = 200  # bytes; file systems allow 255, and files need a suffix
_NAME = re.compile(r"\w([\w .+-]*[\w+-])?")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # by Windows


@dataclass(frozen=True)
class Pair:
    """One video to make: of `image` by `sound` (paths or URIs), to be called `name`."""

    name: str
    image: str
    sound: str
    options: Options


def read_pairs(table: str, defaults: Options) -> list[Pair]:
    """The rows of a CSV, all of them checked. Cells that are empty or missing are those of `defaults`.

    Paths are relative to the folder of `table`. Raises UserError, with the line, for columns that are unknown or
    missing, for values that are no option, and for names that are no portable file name or are there twice.
    """
    try:
        text = read_bytes(table).decode().removeprefix("\ufeff")  # which spreadsheets write first
    except UnicodeDecodeError:
        raise UserError("not_utf8", f"--pairs '{table}' is not UTF-8; save it as CSV in UTF-8.") from None
    lines = csv_lines(text, table)
    _, header = next(lines, ("", []))
    _check_header(header, table)
    pairs: list[Pair] = []
    seen: dict[str, str] = {}
    for line, cells in lines:
        try:
            if len(cells) != len(header):
                raise ValueError(f"it has {len(cells)} columns, but the header has {len(header)}")
            pair = _pair(dict(zip(header, cells, strict=True)), table, defaults)
            first = seen.setdefault(pair.name.casefold(), line)
            if first != line:
                raise ValueError(f"its name '{pair.name}' is that of {first}, too (upper and lower case are the same)")
        except (ValueError, UserError) as error:
            raise refused(table, line, ",".join(cells), str(error).rstrip(".")) from None
        pairs.append(pair)
    if not pairs:
        raise UserError("no_pairs", f"--pairs '{table}' has no rows; give each video one: {','.join(_NEEDED)}.")
    return pairs


def _check_header(header: list[str], table: str) -> None:
    known = (*_NEEDED, *OPTION_COLUMNS)
    for name in header:
        if name not in known:
            rule = f"there are {', '.join(_NEEDED)}, and for single rows {', '.join(OPTION_COLUMNS)}"
            raise UserError("unknown_column", f"--pairs '{table}' has a column '{name}', but {rule}; remove it.")
        if header.count(name) > 1:
            raise UserError("repeated_name", f"--pairs '{table}' has the column '{name}' twice; remove one.")
    if missing := [name for name in _NEEDED if name not in header]:
        lacks = f"--pairs '{table}' lacks the column {' and '.join(missing)}"
        raise UserError("missing_column", f"{lacks}; its first line must name {', '.join(_NEEDED)}.")


def _pair(row: Mapping[str, str], table: str, defaults: Options) -> Pair:
    _check_name(row["name"])
    given = {OPTION_COLUMNS[column]: text for column, text in row.items() if column in OPTION_COLUMNS and text}
    values = {name: _NUMBERS.get(name, str)(text) for name, text in given.items()}
    if values.get("size", defaults.size) not in ("whole", "model"):
        raise ValueError(f"its size is '{values['size']}', but must be whole or model")
    image, sound = (_location(row[column], column, table) for column in ("image", "sound"))
    return Pair(row["name"], image, sound, replace(defaults, **values))


def _location(text: str, column: str, table: str) -> str:
    """A cell's path or URI; it is relative to the table's folder unless it says otherwise."""
    if not text:
        raise ValueError(f"its {column} is empty, but must be a path or URI")
    elsewhere = is_uri(text) or text.startswith("~") or os.path.isabs(text)  # noqa: PTH117
    return user_location(text if elsewhere else join(parent(table), text), f"its {column}")


def _check_name(name: str) -> None:
    """Raise ValueError, with the rule, unless `name` names a file on every system, in the folder it is put into."""
    if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
        rule = "must be a file's name on every system: letters, digits, and inside also spaces and . _ + -"
        raise ValueError(f"its name is '{name}', but {rule}")
    if name.lower().endswith(".mp4"):
        raise ValueError(f"its name is '{name}', but .mp4 is added to it; leave that out")
    if len(name.encode()) > _LONGEST_NAME:
        raise ValueError(f"its name has {len(name.encode())} bytes, but must have at most {_LONGEST_NAME}")


def option_values(options: Options) -> dict[str, Any]:
    """The options by the names of their flags and columns."""
    values = asdict(options)
    return {column: values[name] for column, name in OPTION_COLUMNS.items()}
