"""Videos in data sets of other formats, and the clips that are cut of them and of the same plain files."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import webdataset
from helpers.videos import MEDIA

from s2v_ray.dataset.records import Reject
from s2v_ray.dataset.settings import clip_settings
from s2v_ray.preparation.plan import SourceTask
from s2v_ray.preparation.prepare import source_clips
from s2v_ray.preparation.sources.find import find_sources
from s2v_ray.preparation.sources.source import Source

SETTINGS = clip_settings(
    clip_seconds=0.4, frame_rate="25", sample_rate=8000, stored_size=16, stride_seconds=0.4, crop="centre",
    stabilize="off",
)  # fmt: skip


VIDEOS = [MEDIA / f"demo.{suffix}" for suffix in ("mp4", "mkv", "ts", "avi", "mpg", "webm")]


def clips_of(source: Source) -> list[tuple[float, bytes, bytes]]:
    """When each clip starts, its frames and its samples."""
    rejects: list[Reject] = []
    rows = list(source_clips(SourceTask(source, "train", "any", "", SETTINGS), rejects))
    # What is measured depends on pixels and samples alone.
    return [(row["start_seconds"][0].as_py(), row["frames"][0].as_py(), row["waveform"][0].as_py()) for row in rows]


@cache
def plain_clips(path: Path) -> list[tuple[float, bytes, bytes]]:
    return clips_of(Source(str(path), path.name))


def found(*locations: Path, **options: Any) -> tuple[list[Source], dict[str, str]]:
    """The sources, and the reasons for what was left out, by name."""
    sources, missing = find_sources([str(location) for location in locations], **options)
    return sources, {reject.source: reject.reason for reject in missing}


def write_shard(path: Path, videos: list[Path], **more: Any) -> None:
    """As people write them: by the library itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with webdataset.TarWriter(str(path)) as writer:
        for video in videos:
            suffix = video.suffix[1:]
            about = {"json": {"caption": f"the {suffix} film", "width": 64}, "txt": "a drum", "cls": 7}
            writer.write({"__key__": f"clip.{suffix}".replace(".", "_"), suffix: video.read_bytes(), **about, **more})


def hf_dataset(videos: list[Path]) -> datasets.Dataset:
    features = datasets.Features(
        {
            "video": datasets.Video(decode=False),
            "label": datasets.ClassLabel(names=["sea", "rain"]),
            "captions": datasets.List(datasets.Value("string")),
            "score": datasets.Value("float32"),
        }
    )
    rows = {
        "video": [{"bytes": video.read_bytes(), "path": video.name} for video in videos],
        "label": [index % 2 for index in range(len(videos))],
        "captions": [[f"film {index}", "a wave"] for index in range(len(videos))],
        "score": [0.5] * len(videos),
    }
    return datasets.Dataset.from_dict(rows, features=features)


def write_lerobot(root: Path, version: str, template: str, **more: Any) -> None:
    (root / "meta").mkdir(parents=True)
    features = {
        "observation.images.top": {"dtype": "video", "shape": [48, 64, 3]},
        "observation.images.wrist": {"dtype": "video", "shape": [48, 64, 3]},
        "action": {"dtype": "float32", "shape": [6]},
    }
    info = {"codebase_version": version, "fps": 25, "features": features, "video_path": template, **more}
    (root / "meta/info.json").write_text(json.dumps(info))
    (root / "data/chunk-000").mkdir(parents=True)
    pq.write_table(pa.table({"action": [1.0]}), root / "data/chunk-000/file-000.parquet")
