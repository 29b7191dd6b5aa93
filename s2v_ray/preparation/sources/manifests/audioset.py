"""AudioSet: three comment lines, then `YTID, start_seconds, end_seconds, "mid,mid"`.

A file cut to those times is named as VGGSound's; `<id>.mp4` is the whole video, from which the times are cut.
"""

from collections.abc import Iterator

from s2v_ray.preparation.sources.manifests.rows import Row, csv_rows, cut_parts, parse_id, parse_times, whole_parts

# Classes of our domains, so that --select finds them by name; the others have only their mid.
NAMES = {"/m/0g6b5": "Fireworks", "/m/0l15bq": "Clapping", "/m/034srq": "Waves"}


def read(text: str, manifest: str) -> Iterator[Row]:
    """The rows, labelled by mids and by names in NAMES. Raises UserError for a malformed one."""
    return csv_rows(text, manifest, _parse, columns=4)


def _parse(line: str, cells: list[str]) -> Row:
    video = parse_id(cells[0])
    start, end = parse_times(cells[1], cells[2])
    mids = tuple(mid.strip() for mid in cells[3].split(","))
    if not all(mid.startswith("/") for mid in mids):
        raise ValueError(f"its labels '{cells[3]}' must be mids such as /m/0g6b5, with commas between them")
    parts = cut_parts(video, start, end) + whole_parts(video, start, end)
    return Row(line, parts, labels=mids + tuple(NAMES[mid] for mid in mids if mid in NAMES), group=video)
