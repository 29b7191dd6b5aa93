"""The index of clips: a finished data set is opened by it, and it says the same as a look at each file."""

import json
import pickle
import shutil
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.small import SMALL_CLIPS

from s2v_ray.cli.main import main
from s2v_ray.dataset.clip_index import ClipIndex, open_index, write_index
from s2v_ray.dataset.index import read_dataset
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.errors import UserError


def test_the_index_says_what_a_look_at_each_file_does(small_clips, tmp_path):
    folder = tmp_path / "sea"
    shutil.copytree(small_clips, folder)
    name = read_dataset(folder).clip_index
    assert name == write_index(folder) != ""
    looked, mapped = (open_index(folder, each, ["val", "train"]) for each in ("", name))
    assert len(mapped) == len(looked) == 20
    ours, theirs = ([replace(index.place(clip), version="") for clip in range(20)] for index in (mapped, looked))
    assert ours == theirs
    assert list(mapped.sources()) == [mapped.source(clip) for clip in range(20)] == list(looked.sources())
    again = pickle.loads(pickle.dumps(mapped))
    assert again.digest("x") == mapped.digest("x") == looked.digest("x")
    assert len(pickle.dumps(mapped)) < 1000  # another process maps the file itself
    excluded = frozenset({looked.source(19)})
    assert len(open_index(folder, "0" * 16 + ".arrow", ["val", "train"])) == 20  # none of that name
    for each in ("", name):
        fewer = pickle.loads(pickle.dumps(open_index(folder, each, ["val", "train"], excluded=excluded)))
        assert (len(fewer), excluded & set(fewer.sources())) == (16, set())
    # No file of clips is opened before a clip is read.
    moved = folder.rename(tmp_path / "moved")
    kept = pickle.loads(pickle.dumps(mapped))  # what it was mapped from is gone
    assert (kept.digest("x"), kept.place(7)) == (mapped.digest("x"), mapped.place(7))
    shutil.rmtree(moved / "split=train")
    reader = ClipReader(moved, "train")
    assert (len(reader), len(set(reader.sources))) == (16, 4)
    with pytest.raises(UserError, match="can't be read"):
        reader[0]


def test_a_clip_is_found_in_files_of_several_row_groups_and_rows(tmp_path):
    for name, counts in (("a", [2, 1]), ("b", []), ("c", [3])):
        path = tmp_path / "split=train" / f"{name}.parquet"
        path.parent.mkdir(exist_ok=True)
        schema = pa.schema({"source": pa.string()}, metadata={"schema_version": "2"})
        with pq.ParquetWriter(path, schema) as writer:
            for count in counts:
                writer.write_table(pa.table({"source": [name] * count}, schema))
    index = open_index(tmp_path, write_index(tmp_path), ["train"])
    found = [(place.file[0], place.group, place.row) for place in map(index.place, range(len(index)))]
    assert found == [("a", 0, 0), ("a", 0, 1), ("a", 1, 0), ("c", 0, 0), ("c", 0, 1), ("c", 0, 2)]
    with pytest.raises(IndexError):
        index.place(6)


def test_clips_that_were_added_by_an_older_release_are_seen(small_clips, tmp_path, small_videos):
    folder = tmp_path / "sea"
    shutil.copytree(small_clips, folder)
    description = json.loads((folder / "dataset.json").read_text())
    del description["clip_index"]
    (folder / "dataset.json").write_text(json.dumps(description))
    removed = next((folder / "split=train").glob("*.parquet"))
    removed.unlink()
    assert len(ClipReader(folder, "train")) == 12
    assert main(["prepare", "--videos", str(small_videos), "--out", str(folder), "--local", *SMALL_CLIPS]) == 0
    assert len(ClipReader(folder, "train")) == 16


@pytest.mark.parametrize("fault", ["split", "file", "clips", "order", "rows", "no rows", "cut", "no Arrow", "integers"])
def test_an_index_by_a_stranger_is_refused(fault, small_clips, tmp_path):
    folder = tmp_path / "sea"
    shutil.copytree(small_clips, folder)
    path = folder / "_index" / read_dataset(folder).clip_index
    content = path.read_bytes()
    table = pa.ipc.open_file(path).read_all()
    values = {"split": "../../x", "file": "../x.parquet", "clips": [2**30]}
    if fault in values:
        position = table.schema.get_field_index(fault)
        changed = pa.array([values[fault]] * len(table), table.schema.field(fault).type)
        table = table.set_column(position, fault, changed)
    if fault == "order":  # so that train would be the clips of other splits
        table = table.take(list(reversed(range(len(table)))))
    rows = {"rows": {"rows train": "-1 3"}, "no rows": {"x": "y"}}.get(fault, table.schema.metadata)
    with pa.ipc.new_file(path, table.schema.with_metadata(rows)) as writer:
        writer.write_table(table.replace_schema_metadata(rows))
    damaged = {
        "cut": content[:-100],
        "no Arrow": b"x" * 5000,
        "integers": content.replace(b"\x20\x00\x00\x00", b"\x03" * 4),
    }
    if fault in damaged:
        path.write_bytes(damaged[fault])
    with pytest.raises(UserError) as refused:
        ClipReader(folder, "train")
    assert refused.value.code == "damaged_clips"
    assert str(path) in refused.value.message


def test_an_index_that_says_another_source_than_the_clip_is_found_out(small_clips, tmp_path):
    folder = tmp_path / "sea"
    shutil.copytree(small_clips, folder)
    path = folder / "_index" / read_dataset(folder).clip_index
    path.write_bytes(path.read_bytes().replace(b".mp4", b".mov"))
    reader = ClipReader(folder, "train")
    with pytest.raises(UserError, match="among those of") as refused:
        reader[0]
    assert refused.value.code == "damaged_clips"


def test_no_clips_are_no_error():
    assert len(ClipIndex(pa.table({"clips": pa.array([], pa.list_(pa.int32()))}))) == 0
