"""What release 0.1 wrote is read, generated from, added to and resumed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from helpers.generating import generate_frames

from s2v_ray.cli.main import main
from s2v_ray.dataset.index import read_dataset, read_records
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.synthetic.write import synthesize
from s2v_ray.training.checkpoint import load_model

RELEASE = Path(__file__).parent / "fixtures" / "release-0.1"
# As in its make.py.
WINDOWS = ["--clip-seconds", "0.8", "--clips-per-source", "1", "--frame-rate", "25", "--sample-rate", "8000"]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RELEASE / "clips", tmp_path / "clips"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RELEASE / "run", tmp_path / "run"))


def pointed(run: Path, pointer: str) -> Path:
    """The checkpoint to which a run's text file `best` or `last` points."""
    return run / "checkpoints" / (run / "checkpoints" / pointer).read_text()


def test_clips_are_read() -> None:
    folder = RELEASE / "clips"
    settings = read_dataset(folder).settings
    assert (settings.frames, settings.stored_size, settings.frame_rate, settings.sample_rate) == (20, 36, "25", 8000)
    assert sorted(read_records(folder)) == [f"sea_{number:04}.mp4" for number in range(6)]
    for split, count in {"train": 4, "val": 1, "test": 1}.items():
        reader = ClipReader(str(folder), split)
        rows = [pq.read_table(path, partitioning=None).to_pylist() for path in folder.glob(f"split={split}/*.parquet")]
        expected = {row["clip_id"]: row for (row,) in rows}
        assert len(reader) == len(expected) == count
        for number in range(count):
            clip = reader[number]
            row = expected[clip.clip_id]
            assert (clip.source, clip.start_seconds) == (row["source"], row["start_seconds"])
            assert clip.frames_THWC.shape == (20, 36, 36, 3)
            assert clip.frames_THWC.tobytes() == row["frames"]
            assert clip.wave.tobytes() == row["waveform"]


def test_clips_are_added_to(clips: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in clips.glob("split=*/*.parquet")}
    (video,) = synthesize("sea", tmp_path / "sea", sources=1, seed=6, seconds=1.6, size=48)
    video.rename(video.with_name("another.mp4"))
    arguments = ["--videos", str(tmp_path / "sea"), "--out", str(clips), "--local", "--stored-size", "36", *WINDOWS]
    assert main(["prepare", *arguments]) == 0
    assert sorted(read_records(clips)) == ["another.mp4", *[f"sea_{number:04}.mp4" for number in range(6)]]
    assert {path: path.read_bytes() for path in before} == before


def test_a_checkpoint_generates_what_it_did(run: Path) -> None:
    expected = json.loads((RELEASE / "expected.json").read_text())
    model, config, _ = load_model(pointed(run, "best"))
    clip = ClipReader(str(RELEASE / "clips"), "test")[0]
    centre_HWC = torch.from_numpy(clip.frames_THWC[0, 2:34, 2:34].copy())
    image_CHW = centre_HWC.permute(2, 0, 1).float() / 127.5 - 1
    frames_THWC = np.stack(generate_frames(model, config, image_CHW, clip.wave))
    np.testing.assert_allclose(frames_THWC.mean((1, 2, 3)), expected["frame_means"], atol=0.1)
    every_8th_pixel = frames_THWC[-1, ::8, ::8].ravel().astype(int)
    np.testing.assert_allclose(every_8th_pixel, expected["last_frame_every_8th_pixel"], atol=1)


def test_a_run_is_resumed(clips: Path, run: Path, tmp_path: Path) -> None:
    config = tmp_path / "small.toml"
    text = (run / "config.toml").read_text()  # presets have changed since
    for old, new in (("adversarial_from", "discriminator_start"), ("window_frames", "stft_window_frames")):
        text = text.replace(old, new)
    config.write_text(text)
    assert main(["train", "--clips", str(clips), "--out", str(run), "--config", str(config), "--steps", "122"]) == 0
    assert pointed(run, "last").name == "step_00000122"
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    trained = [line for line in lines if "loss/generator" in line]
    assert [line["step"] for line in trained][-2:] == [120, 122]
    # They were enabled at step 60, and stay so.
    assert "loss/video_discriminator" in trained[-1]
