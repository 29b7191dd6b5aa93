"""Greatest Hits: CSV `filename,start_time,occurring_time,end_time,material,action_type,effect`, one row a hit.

A row `<recording>_<number>.mp4` is the part of `<recording>.mp4` around one hit. Hits are closer together than these
parts are long. So the recording is used if it exists: overlapping parts make one source, and nothing is cut twice.
Otherwise the row's own file is used, which is that part already. Either way all parts of a recording are in one split,
since they show the same seconds.
"""

import re
from collections.abc import Iterator

from s2v_ray.preparation.sources.manifests.rows import Part, Row, csv_rows, parse_seconds, parse_times

HEADER = ["filename", "start_time", "occurring_time", "end_time", "material", "action_type", "effect"]
_CUT = re.compile(r"(.+)_\d+(\.\w+)")


def read(text: str, manifest: str) -> Iterator[Row]:
    """The rows, labelled by material, action and effect. Raises UserError for a malformed one."""
    return csv_rows(text, manifest, _parse, columns=len(HEADER), header=True)


def _parse(line: str, cells: list[str]) -> Row:
    file, start, occurring, end = cells[:4]
    if not file or "/" in file:
        raise ValueError(f"its filename is '{file}', but must be the name of a file without folders")
    parse_seconds(occurring)
    labels = tuple(label for label in cells[4:] if label not in ("", "None"))
    cut = _CUT.fullmatch(file)
    recording = cut[1] + cut[2] if cut else file
    parts = (Part(recording, *parse_times(start, end)),) + ((Part(file),) if cut else ())
    return Row(line, parts, event=True, labels=labels, group=recording)
