"""Data sets and lists of videos by strangers: their clips are read, or a named error says why not."""

import csv
import io
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.small import QUICK, SMALL_CLIPS
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from robustness.fuzzing import EXAMPLES, MANY_EXAMPLES, fuzz
from robustness.structure import Layout, variants
from robustness.trees import NUMBERS, TEXTS, broken_trees
from robustness.trouble import run

from s2v_ray.dataset.index import read_dataset, read_records, write_dataset
from s2v_ray.dataset.reader import ClipReader, card_columns, card_examples
from s2v_ray.dataset.splits import SPLITS
from s2v_ray.errors import UserError

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def clips(small_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The files of a data set of one source with one clip."""
    folder = tmp_path_factory.mktemp("one")
    video = shutil.copy(next(small_videos.iterdir()), folder / "sea.mp4")
    flags = ["--local", "--domain=sea", "--split-by=source", "--clips-per-source=1", *SMALL_CLIPS, *QUICK]
    made = run(["prepare", f"--videos={video}", f"--out={folder / 'clips'}", *flags])
    assert made.status == 0, made.error
    names = [path for path in (folder / "clips").rglob("*.*") if path.suffix in (".json", ".parquet")]
    return {str(path.relative_to(folder / "clips")): path.read_bytes() for path in names}


def clips_door(files: Files, folder: Path) -> str:
    """A data set of these files: described, all clips read, the columns of its card, and its index written anew."""
    location = tempfile.mkdtemp(dir=folder)  # a new one each time, as readers keep files open
    for name, content in files.items():
        path = Path(location, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    try:
        info = read_dataset(location)
        reader = ClipReader(location, SPLITS)
        for index in range(min(len(reader), 50)):
            clip, settings = reader[index], reader.settings
            assert clip.frames_THWC.shape == (settings.frames, settings.stored_size, settings.stored_size, 3)
            assert clip.frames_THWC.dtype == np.uint8
            assert clip.wave.shape == (settings.frames * settings.samples_per_frame,)
            assert isinstance(clip.source, str)
            assert isinstance(clip.start_seconds, float)
        assert reader.fingerprint
        card_columns(location)
        card_examples(location)
        assert all(split in SPLITS for record in read_records(location).values() for split in record.split_clips)
        write_dataset(
            location,
            info.settings,
            info.domain,
            split_by=info.split_by,
            planned_splits=info.planned_splits,
            missing=[],
            complete=True,
        )
    except UserError as error:
        return error.code
    finally:
        shutil.rmtree(location)
    return "result" if len(reader) else "no clip"


def _named(files: Files, beginning: str) -> str:
    return next(name for name in files if name.startswith(beginning))


def broken_json(beginning: str) -> Any:
    """Data sets in which one JSON file, the first whose name has this beginning, holds other values."""

    def broken(files: Files) -> SearchStrategy[Files]:
        name = _named(files, beginning)
        return broken_trees(json.loads(files[name])).map(lambda tree: {**files, name: json.dumps(tree).encode()})

    return broken


def broken_bytes(files: Files) -> SearchStrategy[Files]:
    """A Parquet file with other bytes in its footer and in the headers of its pages."""
    name = _named(files, "split=")
    content = files[name]
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    layout = Layout()
    layout.words("footer's length", len(content) - 8, len(content) - 4, 4, "little")
    for start in range(footer, len(content) - 8, 40):
        layout.words("footer", start, min(start + 40, len(content) - 8), 1)
    columns = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0)
    for column in range(columns.num_columns):
        at = columns.column(column).data_page_offset
        layout.words("page header", at, at + 24, 1)
    return variants(content, layout).map(lambda variant: {**files, name: variant.content})


@st.composite
def broken_rows(draw: DrawFn, files: Files) -> Files:
    """A valid Parquet file that is not what it says: sizes, types, columns, nulls, rows, metadata."""
    name = _named(files, "split=")
    table = pq.read_table(io.BytesIO(files[name]))
    for _ in range(draw(st.integers(1, 3))):
        column = draw(st.sampled_from(table.column_names))
        index, kind = table.column_names.index(column), table.schema.field(column).type
        match draw(st.sampled_from(["size", "null", "type", "remove", "rename", "rows", "no rows", "metadata"])):
            case "size" if pa.types.is_large_binary(kind):
                whole = (table[column][0].as_py() if len(table) else None) or b""
                size = draw(st.sampled_from([0, 1, len(whole) - 1, len(whole) + 1, 2 * len(whole), len(whole) // 2]))
                values = [(whole + whole + b"\0")[: max(0, size)]] * len(table)
                table = table.set_column(index, pa.field(column, kind), pa.array(values, kind))
            case "null":
                table = table.set_column(index, pa.field(column, kind), pa.nulls(len(table), kind))
            case "type":
                other = draw(st.sampled_from([pa.string(), pa.int8(), pa.bool_(), pa.list_(pa.int32()), pa.binary()]))
                table = table.set_column(index, pa.field(column, other), pa.nulls(len(table), other))
            case "remove" if table.num_columns > 1:
                table = table.drop_columns([column])
            case "rename":
                table = table.rename_columns([f"{each}x" if each == column else each for each in table.column_names])
            case "rows":
                table = pa.concat_tables([table] * 3)
            case "no rows":
                table = table.slice(0, 0)
            case _:
                value = draw(st.sampled_from(TEXTS))
                table = table.replace_schema_metadata({**(table.schema.metadata or {}), "schema_version": value})
        if not table.num_columns:
            break
    to = io.BytesIO()
    pq.write_table(table, to, row_group_size=max(1, draw(st.integers(1, 3))))
    return {**files, name: to.getvalue()}


KINDS = {
    "dataset.json": broken_json("dataset"),
    "_sources": broken_json("_sources"),
    "parquet rows": broken_rows,
    "parquet bytes": broken_bytes,
}


def test_a_whole_data_set_is_read(clips: Files, tmp_path: Path) -> None:
    assert clips_door(clips, tmp_path) == "result"


@pytest.mark.parametrize("kind", KINDS)
def test_clips_broken_by_structure(kind: str, clips: Files, tmp_path: Path) -> None:
    fuzz(kind, KINDS[kind](clips), clips_door, tmp_path, EXAMPLES)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_many_clips_broken_by_structure(kind: str, clips: Files, tmp_path: Path) -> None:
    fuzz(kind, KINDS[kind](clips), clips_door, tmp_path, MANY_EXAMPLES)


def manifest_door(content: bytes, folder: Path) -> str:
    """A list of videos, as `prepare --manifest` takes it."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    (folder / "list.csv").write_bytes(content)
    flags = ["--local", "--domain=sea", "--split-by=source", "--clips-per-source=1", "--crop=centre", *SMALL_CLIPS]
    ended = run(["prepare", f"--manifest={folder / 'list.csv'}", f"--out={folder / 'out'}", "--stabilize=off", *flags])
    assert ended.status == 0 or ended.is_refused, ended
    return "result" if ended.status == 0 else ended.error.rpartition("[")[2].rstrip("]\n")


@st.composite
def broken_lists(draw: DrawFn, video: str) -> bytes:
    """A CSV whose cells lead elsewhere, or are numbers out of range, or nothing."""
    header = ["path", "start", "end", "split"]
    rows = [[video, "0", "0.8", "train"], [f"{video}/../{Path(video).name}", "0.2", "1.2", ""]]
    for _ in range(draw(st.integers(1, 3))):
        row = draw(st.sampled_from([header, *rows]))
        texts = [*TEXTS, *map(str, NUMBERS), video, f"../../..{video}", str(Path(video).parent), "train", "path", '"']
        row[draw(st.integers(0, len(row) - 1))] = draw(st.sampled_from(texts))
        if draw(st.booleans()):
            del row[draw(st.integers(0, len(row) - 1)) :]
            row.append(draw(st.sampled_from(texts)))
    to = io.StringIO()
    csv.writer(to, quoting=csv.QUOTE_MINIMAL).writerows([header, *rows])
    text = to.getvalue()
    return (text if draw(st.integers(0, 3)) else text.replace('"', "")).encode()


def _fuzz_lists(small_videos: Path, folder: Path, examples: int) -> None:
    fuzz("manifest", broken_lists(str(sorted(small_videos.iterdir())[0])), manifest_door, folder, examples)


def test_lists_of_videos_broken_by_structure(small_videos: Path, tmp_path: Path) -> None:
    _fuzz_lists(small_videos, tmp_path, EXAMPLES)


@pytest.mark.long
def test_many_lists_of_videos_broken_by_structure(small_videos: Path, tmp_path: Path) -> None:
    _fuzz_lists(small_videos, tmp_path, MANY_EXAMPLES)
