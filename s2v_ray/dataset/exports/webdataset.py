"""Clips as a tar that WebDataset reads: of each, arrays as `KEY.frames.npy` and so on, and `KEY.json`."""

import io
import json
import math
import re
import tarfile
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from s2v_ray.errors import UserError
from s2v_ray.storage.files import writing
from s2v_ray.storage.paths import Location

_KEY = re.compile(r"[0-9A-Za-z_-]{1,100}")
_TYPES = {"frames": "|u1", "waveform": "<i2", "transforms": "<f4"}


def write_tar(location: Location, rows: Iterable[pa.Table], split: str) -> None:
    """Write clips, tables of one row as `ClipReader.row` reads them, to a tar that is there as a whole or not at all.

    The same clips give the same bytes. The JSON has all columns that are not arrays, and the split and the rates.
    Raises UserError `damaged_clips` for an array of another size, and for an id that is no name for a file.
    """
    with writing(location) as file, tarfile.open(fileobj=file, mode="w|", format=tarfile.USTAR_FORMAT) as tar:
        for row in rows:
            key = row["clip_id"][0].as_py()
            if not _KEY.fullmatch(key):
                raise UserError("damaged_clips", f"A clip has the id '{key}', which no clip has; prepare them again.")
            described = {key.decode(): value.decode() for key, value in row.schema.metadata.items()}
            about: dict[str, Any] = {"split": split, "frame_rate": described["frame_rate"]}
            about["sample_rate"] = int(described["sample_rate"])
            for name in row.column_names:
                if name not in _TYPES:
                    value = row[name][0].as_py()
                    about[name] = None if isinstance(value, float) and not math.isfinite(value) else value
                    continue
                array = _array(row, name, described[f"{name}_shape"])
                content = io.BytesIO()
                np.lib.format.write_array(content, array, allow_pickle=False)
                _add(tar, f"{key}.{name}.npy", content.getvalue())
            _add(tar, f"{key}.json", json.dumps(about, ensure_ascii=False, allow_nan=False).encode())


def _array(row: pa.Table, name: str, shape: str) -> np.ndarray:
    try:
        return np.frombuffer(row[name][0].as_buffer(), _TYPES[name]).reshape([int(size) for size in shape.split(",")])
    except ValueError as error:
        detail = f"The {name} of a clip of '{row['source'][0].as_py()}' are damaged ({error})"
        raise UserError("damaged_clips", f"{detail}; remove it and prepare it again.") from None


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    tar.addfile(member, io.BytesIO(content))
