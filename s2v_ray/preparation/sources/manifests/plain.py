"""A plain list: CSV with the header `path,start,end`, optionally `split`, `label`, `crop`, `stabilize`, in any order.

Empty `start` and `end` are the file's own. Without a label the folders of the path are the labels. Paths are relative
to the folder of the videos, or else to the manifest's; those in a user's own manifest may lead anywhere. `crop` and
`stabilize` are the flags of this video; where empty, it is cut as the others.
"""

from collections.abc import Iterator
from functools import partial

from s2v_ray.dataset.settings import check_crop, check_stabilize
from s2v_ray.dataset.splits import SPLITS
from s2v_ray.errors import UserError
from s2v_ray.preparation.sources.manifests.rows import Part, Row, csv_lines, csv_rows, parse_seconds, parse_times

COLUMNS = ("path", "start", "end", "split", "label", "crop", "stabilize")

_LONGEST_NAME = 255  # bytes that file systems allow


def read(text: str, manifest: str) -> Iterator[Row]:
    """The rows. Raises UserError for a malformed header or row."""
    header = next((cells for _, cells in csv_lines(text, manifest)), [])
    unknown = [name for name in header if name not in COLUMNS]
    if unknown or "path" not in header or len(set(header)) < len(header):
        rule = f"must have 'path' and may have {', '.join(COLUMNS[1:])}, each once; rename or remove the others."
        raise UserError("wrong_manifest", f"{manifest} has the header '{','.join(header)}', but {rule}")
    return csv_rows(text, manifest, partial(_parse, header), columns=len(header), header=True)


def _parse(header: list[str], line: str, cells: list[str]) -> Row:
    values = dict.fromkeys(COLUMNS, "") | dict(zip(header, cells, strict=True))
    path, start, end, split, label, crop, stabilize = (values[name] for name in COLUMNS)
    folders = [folder for folder in path.split("/")[:-1] if folder not in ("", ".", "..", "~")]
    if not path or "\0" in path or any(len(name.encode()) > _LONGEST_NAME for name in path.split("/")):
        raise ValueError("its path is not the path of a file")
    if split and split not in SPLITS:
        raise ValueError(f"its split is '{split}', but must be train, val, test or empty")
    if crop:
        check_crop(crop)
    if stabilize:
        check_stabilize(stabilize)
    if start and end:
        part = Part(path, *parse_times(start, end))
    else:
        part = Part(path, parse_seconds(start) if start else None, parse_seconds(end) if end else None)
    if part.end_seconds == 0:
        raise ValueError("it ends at 0 s, but must end after its start")
    labels = (label,) if label else tuple(folders)
    return Row(line, (part,), by_path=True, labels=labels, split=split, crop=crop, stabilize=stabilize)
