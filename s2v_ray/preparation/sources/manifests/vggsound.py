"""VGGSound: CSV without a header, `ytid,start_seconds,label,train|test`, with files that are already cut.

They are called `<id>_<start, six digits>.mp4` or `<id>_<start ms>_<end ms>.mp4`, and last ten seconds.
"""

from collections.abc import Iterator

from s2v_ray.preparation.sources.manifests.rows import Row, csv_rows, cut_parts, parse_id, parse_seconds

_SECONDS = 10


def read(text: str, manifest: str) -> Iterator[Row]:
    """The rows; those of one video are one group. Raises UserError for a malformed one."""
    return csv_rows(text, manifest, _parse, columns=4)


def _parse(line: str, cells: list[str]) -> Row:
    video, start, label, split = parse_id(cells[0]), parse_seconds(cells[1]), cells[2], cells[3]
    if split not in ("train", "test"):
        raise ValueError(f"its split is '{split}', but must be train or test")
    return Row(line, cut_parts(video, start, start + _SECONDS), labels=(label,), split=split, group=video)
