"""Data sets that somebody else made: what doesn't fit is named."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s2v_ray.dataset.index import read_dataset, read_records
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.errors import UserError


@pytest.fixture
def clips(small_clips: Path, tmp_path: Path) -> Path:
    return shutil.copytree(small_clips, tmp_path / "clips")


@pytest.mark.parametrize(
    ("name", "value"),
    [("frames", "20"), ("stored_size", -36), ("sample_rate", 0), ("frame_rate", 25), ("quality", None), ("auto", "x")],
)
def test_settings_of_another_type_or_out_of_range(clips: Path, name: str, value: Any) -> None:
    description = json.loads((clips / "dataset.json").read_text())
    description["settings"][name] = value
    (clips / "dataset.json").write_text(json.dumps(description))
    with pytest.raises(UserError) as caught:
        read_dataset(clips)
    assert caught.value.code == "damaged_clips"


@pytest.mark.parametrize(
    ("name", "value"), [("split", "../../elsewhere"), ("clips", "1"), ("path", ["a"]), ("first", 3)]
)
def test_a_record_that_leads_elsewhere_or_has_other_types_is_of_no_source_that_is_done(
    clips: Path, name: str, value: Any
) -> None:
    path = sorted((clips / "_sources").glob("*.json"))[0]
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, name: value}))
    assert record["source"] not in read_records(clips)


@pytest.mark.parametrize("fault", ["short frames", "long sound", "null", "no sound", "text for pixels"])
def test_rows_that_are_not_clips(clips: Path, fault: str) -> None:
    path = next((clips / "split=test").glob("*.parquet"))
    table = pq.read_table(path)
    for name in ("frames", "waveform"):
        table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.large_binary()))
    frames, waveform = table["frames"].to_pylist(), table["waveform"].to_pylist()

    def changed(name: str, values: list[Any], kind: pa.DataType) -> pa.Table:
        return table.set_column(table.column_names.index(name), name, pa.array(values, kind))

    broken = {
        "short frames": lambda: changed("frames", [each[:-1] for each in frames], pa.large_binary()),
        "long sound": lambda: changed("waveform", [each + each for each in waveform], pa.large_binary()),
        "null": lambda: changed("frames", [None] * len(frames), pa.large_binary()),
        "no sound": lambda: table.drop_columns(["waveform"]),
        "text for pixels": lambda: changed("frames", ["x"] * len(frames), pa.string()),
    }[fault]()
    pq.write_table(broken, path, row_group_size=1)
    reader = ClipReader(clips, "test")
    with pytest.raises(UserError) as caught:
        reader[0]
    assert caught.value.code == "damaged_clips"
    assert str(path) in str(caught.value)
