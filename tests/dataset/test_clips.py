"""Windows, splits, the clip on disk, the order of training and its augmentation."""

import json
import shutil
from collections import Counter
from fractions import Fraction

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from helpers.small import QUICK, SMALL_CLIPS, small_config

from s2v_ray.cli.main import main
from s2v_ray.config import load_config
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.dataset.settings import clip_settings
from s2v_ray.dataset.splits import assign_splits
from s2v_ray.errors import UserError
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.windows import decode_windows
from s2v_ray.preparation.windows import window_starts
from s2v_ray.training.data.augmentation import draw_augmentation, frames_used
from s2v_ray.training.data.loader import training_batches
from s2v_ray.training.data.order import Draw, global_batch, rank_slice
from s2v_ray.training.data.pixels import centre_crop, crop_size, stored_size_for, to_bytes, to_float


def test_the_papers_clip():
    settings = clip_settings()
    assert (settings.frames, settings.samples_per_frame, settings.seconds) == (120, 1470, 4)
    assert crop_size(286) == 256
    assert crop_size(settings.stored_size) == 64
    assert [stored_size_for(resolution) for resolution in (64, 128, 256)] == [72, 143, 286]


@pytest.mark.parametrize(
    ("given", "offending"),
    [
        ({"clip_seconds": 1.01}, "use --clip-seconds 1"),
        ({"clip_seconds": 0.0}, "at least 4"),
        ({"clip_seconds": float("nan")}, "must be finite"),
        ({"stride_seconds": float("inf")}, "must be finite"),
        ({"sample_rate": 44100, "frame_rate": "29.97"}, "30000 or 60000 Hz"),
        ({"stored_size": 4}, "--stored-size is 4"),
        ({"clips_per_source": 0}, "--clips-per-source is 0"),
        ({"stride_seconds": -1.0}, "--stride-seconds is -1"),
    ],
)
def test_clip_settings_that_do_not_fit_are_refused(given, offending):
    with pytest.raises(UserError) as error:
        clip_settings(**given)
    assert offending in str(error.value)


def test_sliding_windows_stand_a_stride_apart_within_the_source():
    settings = clip_settings(clip_seconds=4, stride_seconds=1.5)
    # From 0.01 s the first whole frame at 30 fps starts at 1/30 s; 4 s must fit before 8.5 s.
    starts = window_starts("a", Fraction(1, 100), Fraction(17, 2), settings)
    assert starts == [Fraction(1, 30), Fraction(46, 30), Fraction(91, 30)]


def test_random_windows_are_seeded_by_source_and_lie_within_it():
    settings = clip_settings(clips_per_source=5, seed=3)
    starts = window_starts("a", Fraction(2), Fraction(10), settings)
    assert len(set(starts)) == 5
    assert starts == sorted(starts)
    assert all(2 <= start <= 6 and (start * 30).denominator == 1 for start in starts)
    assert starts == window_starts("a", Fraction(2), Fraction(10), settings)
    assert starts != window_starts("b", Fraction(2), Fraction(10), settings)
    assert starts != window_starts("a", Fraction(2), Fraction(10), clip_settings(clips_per_source=5, seed=4))


def test_a_source_as_long_as_a_clip_gives_one_and_a_shorter_one_none():
    settings = clip_settings(clips_per_source=5)
    assert window_starts("a", Fraction(0), Fraction(4), settings) == [0]
    assert window_starts("a", Fraction(0), Fraction(399, 100), settings) == []


@pytest.mark.parametrize(
    ("units", "counts"),
    [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (10, (8, 1, 1)), (19, (15, 2, 2)), (24, (20, 2, 2))],
)
def test_units_are_split_80_10_10_and_no_split_is_empty_from_three_on(units, counts):
    splits = Counter(assign_splits((f"video_{number}.mp4" for number in range(units)), {}).values())
    assert (splits["train"], splits["val"], splits["test"]) == counts


def test_new_units_go_where_most_is_lacking():
    # Of 27, val and test should have three each: 22 of train are one too many.
    assert Counter(assign_splits(["x", "y", "z"], {"train": 22, "val": 2}).values()) == {"test": 3}
    assert Counter(assign_splits(["x"], {"train": 1, "test": 1}).values()) == {"val": 1}
    assert Counter(assign_splits([f"{number}" for number in range(17)], {"train": 3}).values()) == {
        "train": 13, "val": 2, "test": 2,
    }  # fmt: skip


def test_an_epoch_has_each_clip_once_and_epochs_follow_without_a_gap():
    draws = [draw for step in range(7) for draw in global_batch(step, clip_count=10, batch_size=4, seed=1)]
    assert sorted(draw.clip for draw in draws[:10]) == list(range(10))
    assert sorted(draw.clip for draw in draws[10:20]) == list(range(10))
    assert [draw.clip for draw in draws[:10]] != [draw.clip for draw in draws[10:20]]


def test_workers_share_a_batch_without_overlap():
    batch = global_batch(3, clip_count=10, batch_size=7, seed=1)
    parts = [rank_slice(batch, rank=rank, world_size=3) for rank in range(3)]
    assert [draw for part in parts for draw in part] == batch
    assert {len(part) for part in parts} == {2, 3}
    with pytest.raises(UserError, match=r"--workers is 8, but --training\.batch-size is only 7"):
        rank_slice(batch, rank=0, world_size=8)


def test_the_papers_augmentation_takes_100_consecutive_frames_of_120_and_all_windows_are_reached():
    config = load_config("paper")
    drawn = [draw_augmentation(Draw(0, step, 0), config) for step in range(400)]
    assert all((np.diff(one.frames) == 1).all() and len(one.frames) == 100 for one in drawn)
    assert {int(one.frames[0]) for one in drawn} == set(range(21))
    # 72 stored, 64 cropped: nine positions each way.
    assert {one.top for one in drawn} == {one.left for one in drawn} == set(range(9))
    assert {int(one.video_frames[0]) for one in drawn} <= set(range(85))
    assert max(one.video_frames[0] for one in drawn) > 70


def test_some_frames_of_a_clip_begin_with_evenly_spaced_ones_for_the_video_discriminator():
    config = load_config("tiny")
    spaced = config.video_discriminator.frames
    drawn = [draw_augmentation(Draw(0, step, 0), config) for step in range(600)]
    strides = []
    for one in drawn:
        (stride,) = set(np.diff(one.frames[:spaced]).tolist())
        strides.append(stride)
        assert len(set(one.frames)) == config.data.frames_per_step
        assert one.video_frames.tolist() == list(range(spaced))
    assert set(strides) == set(range(1, config.data.max_stride + 1))
    assert {frame for one in drawn for frame in one.frames} == set(range(120))


def test_the_video_discriminators_frames_are_no_further_apart_than_a_clip_is_long(small_clips):
    # Four of 20 frames: the last is at most 19 after the first, so that three steps of 6 fit and of 7 don't.
    config = small_config(small_clips, data__max_stride=9, data__frames_per_step=0)
    drawn = [draw_augmentation(Draw(0, step, 0), config) for step in range(300)]
    assert {tuple(np.diff(one.video_frames)) for one in drawn} == {(stride,) * 3 for stride in range(1, 7)}
    assert {one.video_frames[-1] for one in drawn} <= set(range(20))
    assert max(one.video_frames[-1] for one in drawn) == 19


def test_settings_that_ask_for_more_than_a_clip_has_are_refused(small_clips):
    assert frames_used(small_config(small_clips)) == 20
    for name, value, offending in (
        ("data__train_frames", 21, "at most 20"),
        ("data__frames_per_step", 21, "at most 20"),
        ("video_discriminator__frames", 7, "at most 6"),
        ("data__resolution", 64, "--stored-size 72"),
    ):
        with pytest.raises(UserError) as caught:
            frames_used(small_config(small_clips, **{name: value}))
        assert offending in str(caught.value)


def test_bytes_and_floats():
    frames_THWC = np.array([[[[0, 255, 128]]]], dtype=np.uint8)
    video_TCHW = to_float(torch.from_numpy(frames_THWC))
    assert video_TCHW.shape == (1, 3, 1, 1)
    assert video_TCHW.flatten().tolist() == pytest.approx([-1, 1, 128 / 127.5 - 1], abs=1e-6)
    assert (to_bytes(video_TCHW).numpy() == frames_THWC).all()
    assert to_bytes(torch.tensor([[[1.7]], [[-3.0]]])).flatten().tolist() == [255, 0]


def test_the_centre_crop_of_the_papers_own_size_is_a_resize():
    flat = np.full((1, 286, 286, 3), 51, dtype=np.uint8)
    flat[:, :15] = 255  # beyond the central 256
    assert to_bytes(centre_crop(flat, 64)).unique().tolist() == [51]


def test_clips_hold_what_the_decoder_gives(small_clips, small_videos):
    reader = ClipReader(str(small_clips), "test")
    clip = reader[0]
    start = Fraction(round(clip.start_seconds * 25), 25)
    with MediaFile(small_videos / clip.source) as media:
        ((_, window),) = decode_windows(
            media, [start], frame_count=20, frame_rate=Fraction(25), sample_rate=8000, size=36
        )
    assert (clip.frames_THWC == window.frames_THWC).all()
    assert (clip.wave == window.wave).all()


def test_any_parquet_reader_reads_a_clip_by_its_schema(small_clips):
    path = next(small_clips.glob("split=train/*.parquet"))
    file = pq.ParquetFile(path)
    assert file.metadata.num_rows == file.num_row_groups  # one clip can be read without the others
    metadata = {key.decode(): value.decode() for key, value in file.schema_arrow.metadata.items()}
    row = file.read_row_group(0).to_pylist()[0]
    shape = [int(length) for length in metadata["frames_shape"].split(",")]
    frames_THWC = np.frombuffer(row["frames"], dtype=metadata["frames_type"]).reshape(shape)
    assert frames_THWC.shape == (20, 36, 36, 3)
    assert len(np.frombuffer(row["waveform"], dtype="<i2")) == int(metadata["waveform_shape"]) == 20 * 320
    assert [field.name for field in file.schema_arrow][:6] == [
        "clip_id", "source", "domain", "start_seconds", "frames", "waveform",
    ]  # fmt: skip


def test_the_card_counts_what_is_there(small_clips):
    counts = json.loads((small_clips / "dataset.json").read_text())["counts"]
    for split in ("train", "val", "test"):
        files = list(small_clips.glob(f"split={split}/*.parquet"))
        clips = sum(pq.ParquetFile(file).metadata.num_rows for file in files)
        assert counts["splits"][split]["sources"] == len(files)
        assert counts["splits"][split]["clips"] == clips
    assert counts["sources"] == 6
    assert counts["frames"] == 20 * counts["clips"]
    assert counts["seconds"] == pytest.approx(0.8 * counts["clips"])


@pytest.mark.parametrize("input_frame", ["first", "random"])
def test_a_batch_is_the_clip_cropped_and_scaled(small_clips, input_frame):
    config = small_config(small_clips, data__input_frame=input_frame, data__crop_growth=0.0)
    reader = ClipReader(str(small_clips), "train")
    batch = next(training_batches(reader, config, torch.device("cpu"), first_step=5))
    settings = {"clip_count": len(reader), "batch_size": 4, "seed": config.training.seed}
    draws = global_batch(5, **settings)
    shown = [draw_augmentation(draw, config).input_frame for draw in draws]
    assert shown == [0] * 4 if input_frame == "first" else len(set(shown)) > 1
    for index, draw in enumerate(draws):
        clip, chosen = reader[draw.clip], draw_augmentation(draw, config)
        cropped = clip.frames_THWC[:, chosen.top : chosen.top + 32, chosen.left : chosen.left + 32]
        assert batch.clip_ids[index] == clip.clip_id
        assert (to_bytes(batch.image_BCHW[index]).numpy() == cropped[chosen.input_frame]).all()
        assert (to_bytes(batch.video_BFCHW[index]).numpy() == cropped[chosen.frames]).all()
        assert batch.wave_BS[index].numpy() == pytest.approx(clip.wave / 32768)
        assert batch.frame_BF[index].tolist() == chosen.frames.tolist()


def test_what_a_worker_sees_of_a_step_does_not_depend_on_their_number(small_clips):
    config = small_config(small_clips)
    reader = ClipReader(str(small_clips), "train")
    alone = next(training_batches(reader, config, torch.device("cpu"), first_step=2))
    parts = [
        next(training_batches(reader, config, torch.device("cpu"), first_step=2, rank=rank, world_size=2))
        for rank in range(2)
    ]
    assert torch.equal(torch.cat([part.video_BFCHW for part in parts]), alone.video_BFCHW)
    assert torch.equal(torch.cat([part.wave_BS for part in parts]), alone.wave_BS)


def test_preparing_again_does_only_what_is_new(small_videos, tmp_path, capsys):
    videos, out = tmp_path / "videos", tmp_path / "clips"
    videos.mkdir()
    names = sorted(path.name for path in small_videos.iterdir())
    command = ["prepare", "--videos", str(videos), "--out", str(out), "--local", *SMALL_CLIPS, *QUICK]
    for name in names[:3]:
        (videos / name).write_bytes((small_videos / name).read_bytes())
    (videos / "notes.mp4").write_text("not a video")
    assert main(command) == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    assert len(before) == 3
    (videos / names[3]).write_bytes((small_videos / names[3]).read_bytes())
    assert main(command) == 0
    assert "3 videos were already done" in capsys.readouterr().out
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    assert before.items() <= after.items()
    assert len(after) == 4
    rejects = [json.loads(line) for line in (out / "rejects.jsonl").read_text().splitlines()]
    assert [(reject["source"], reject["start_seconds"], reject["reason"]) for reject in rejects] == [
        ("notes.mp4", None, "unreadable")
    ]
    assert main([*command, "--seed", "1"]) == 1
    assert "other settings (seed)" in capsys.readouterr().err
    assert after == {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}


def test_an_interrupted_preparation_ends_as_an_undisturbed_one(small_videos, small_clips, tmp_path):
    out = shutil.copytree(small_clips, tmp_path / small_clips.name)
    command = ["prepare", "--videos", str(small_videos), "--out", str(out), "--local", *SMALL_CLIPS]
    # As after a kill: one source has its clips but no record, another has neither.
    records = sorted(out.glob("_sources/*.json"))
    records[0].unlink()
    records[1].unlink()
    next(out.glob(f"split=*/{records[1].stem}.parquet")).unlink()
    assert main(command) == 0
    expected = {path.relative_to(small_clips): path.read_bytes() for path in small_clips.rglob("*.parquet")}
    assert {path.relative_to(out): path.read_bytes() for path in out.rglob("*.parquet")} == expected
