"""Recognising a manifest's format, and reading its rows."""

from collections.abc import Callable, Iterator

from s2v_ray.errors import UserError
from s2v_ray.preparation.sources.manifests import audioset, greatest_hits, plain, unav100, vggsound
from s2v_ray.preparation.sources.manifests.rows import Row, csv_lines
from s2v_ray.storage.files import read_bytes
from s2v_ray.storage.os_errors import reason
from s2v_ray.storage.paths import Location

FORMATS: dict[str, Callable[[str, str], Iterator[Row]]] = {
    "vggsound": vggsound.read,
    "audioset": audioset.read,
    "unav-100": unav100.read,
    "greatest-hits": greatest_hits.read,
    "csv": plain.read,
}


def read_manifest(location: Location, manifest_format: str = "") -> Iterator[Row]:
    """The rows of a manifest at a local path or URI, in the named format, or in the one that its content shows.

    Raises UserError if there is no such file, if its format is unknown, and, while the rows are read, for a malformed
    row, with its line, content and the rule.
    """
    try:
        text = read_bytes(location).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError("wrong_manifest", f"{location} is not text in UTF-8; save it as UTF-8.") from None
    except OSError as error:
        raise UserError("unreadable", f"'{location}' can't be read: {reason(error)}.") from None
    if manifest_format and manifest_format not in FORMATS:
        rule = f"must be one of {', '.join(FORMATS)}; GRID needs no manifest: give its folder."
        raise UserError("unknown_format", f"--manifest-format is '{manifest_format}', but {rule}")
    return FORMATS[manifest_format or _detect(text, str(location))](text, str(location))


def _detect(text: str, manifest: str) -> str:
    """The format that the first lines show."""
    if text.lstrip().startswith("{"):
        return "unav-100"
    if text.startswith("#") and "YTID" in text[:1000]:  # the third line of its comments
        return "audioset"
    first = next((cells for _, cells in csv_lines(text, manifest)), [])
    if first == greatest_hits.HEADER:
        return "greatest-hits"
    if "path" in first:
        return "csv"
    if len(first) == 4 and first[3].startswith("/"):
        return "audioset"
    if len(first) == 4 and first[3] in ("train", "test"):
        return "vggsound"
    detail = f"{manifest} is in none of the known formats ({', '.join(FORMATS)})"
    raise UserError("unknown_format", f"{detail}; name its --manifest-format, or write a CSV with path,start,end.")
