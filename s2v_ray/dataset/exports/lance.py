"""Clips as a Lance data set, with the columns and the metadata that they have in Parquet."""

import importlib.util
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from s2v_ray.errors import UserError

_FILE_BYTES = 2**30


def check_lance() -> None:
    """Raise UserError where it isn't installed."""
    if importlib.util.find_spec("lance") is None:
        raise UserError("no_lance", "--to lance needs pylance; in the folder of s2v_ray: pip install '.[lance]'")


def write_lance(folder: Path, rows: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write clips, tables of one row as `ClipReader.row` reads them, to a local folder: there as a whole or not at all.

    Raises what `rows` raises, and UserError as `check_lance` does.
    """
    check_lance()
    import lance

    raised: list[Exception] = []  # Lance would make an OSError of each

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for row in rows:
                yield from row.to_batches()
        except Exception as error:
            raised.append(error)
            raise

    unfinished = folder.with_name(f".{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
    try:
        reader = pa.RecordBatchReader.from_batches(schema, batches())
        lance.write_dataset(reader, str(unfinished), max_bytes_per_file=_FILE_BYTES)
        unfinished.rename(folder)
    except Exception:
        if raised:
            raise raised[0] from None
        raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
