"""The probe on small constructed clips, the answer for which is known."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from helpers.scripting import answer_of

from s2v_ray.cli.main import main
from s2v_ray.dataset.index import write_dataset, write_record
from s2v_ray.dataset.measures import Measures
from s2v_ray.dataset.records import SourceRecord
from s2v_ray.dataset.schema import clip_row
from s2v_ray.dataset.settings import clip_settings
from s2v_ray.dataset.splits import BY_SOURCE
from s2v_ray.errors import UserError
from s2v_ray.evaluation.probe.cross_validation import Errors, score_units
from s2v_ray.evaluation.probe.frame_shift import frame_shift_errors
from s2v_ray.evaluation.probe.spectra import hops_per_frame, probe_ears
from s2v_ray.evaluation.probe.units import Units, find_units, make_folds
from s2v_ray.recipes.probe import probe
from s2v_ray.storage.files import make_folder

FRAMES, RATE, SAMPLES = 32, 8000, 320  # at 25 frames a second
SETTINGS = clip_settings(clip_seconds=1.28, frame_rate="25", sample_rate=RATE, stored_size=36)
SPLITS = ("train", "val", "test")
SECONDS_BETWEEN_CLIPS = 3
Level = Callable[[np.random.Generator], np.ndarray]


def walk(random: np.random.Generator, frames: int = FRAMES + 40) -> np.ndarray:
    """A level in [0, 1] that holds for three frames each."""
    return random.uniform(0, 1, -(-frames // 3)).repeat(3)[:frames]


def drawn(level_T: np.ndarray) -> np.ndarray:
    """Frames with a bright square in the middle that is as bright as the level says."""
    frames_THWC = np.full((len(level_T), 36, 36, 3), 60, np.uint8)
    frames_THWC[:, 10:26, 8:28] = (40 + 180 * level_T).astype(np.uint8)[:, None, None, None]
    return frames_THWC


def sounded(level_T: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Noise that is as loud, in dB, as the level says."""
    gain = 10 ** (-2 + 1.6 * level_T)
    return (random.uniform(-1, 1, (len(level_T), SAMPLES)) * gain[:, None] * 30000).astype("<i2").ravel()


def make_clips(folder: Path, *, sources: int, clips: int, late: int = 0, related: bool = True) -> Path:
    """A data set in which brightness is an exact function of the sound's level, `late` frames before it."""
    make_folder(folder / "split=train")
    for source in range(sources):
        random, rows = np.random.default_rng(source), []
        for number in range(clips):
            level = walk(random)
            heard = level if related else walk(random)
            wave = sounded(heard[20 - late : 20 - late + FRAMES], random)
            start = Fraction(SECONDS_BETWEEN_CLIPS * number)
            measures = Measures(-20.0, 0.1, 0.0, 0.0, 0.9, float(late), 0.5)
            rows.append(
                clip_row(
                    f"{source}.mp4",
                    "square",
                    start,
                    drawn(level[20 : 20 + FRAMES]),
                    wave,
                    measures,
                    SETTINGS,
                    square=(0, 0, 36),
                    transforms_T23=np.tile(np.eye(2, 3, dtype=np.float32), (FRAMES, 1, 1)),
                )
            )
        pq.write_table(pa.Table.from_batches(rows), folder / "split=train" / f"{source}.parquet", row_group_size=1)
        write_record(folder, f"{source}", SourceRecord(f"{source}.mp4", "", (), "train", True, clips, ()))
    write_dataset(folder, SETTINGS, "square", split_by=BY_SOURCE, planned_splits={}, missing=[], complete=True)
    return folder


@pytest.fixture(scope="module")
def related(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clips(tmp_path_factory.mktemp("related") / "clips", sources=12, clips=3)


def test_motion_that_follows_the_sound_is_explained(related, capsys):
    assert main(["probe", "--clips", str(related), "--minutes", "0.1", "--json"]) == 0
    answer, printed = capsys.readouterr()
    answer = answer_of(answer, "probe")
    assert "These clips can be learnt:" in printed
    assert f"Next: s2v train --clips {related}" in printed
    found = json.loads((related / "probe" / "probe.json").read_text())
    assert found["explained"]["mean"] > 0.8
    assert found["explained"]["low"] > 0.7
    assert answer["explained"] == found["explained"]
    assert (answer["learnable"], answer["lag_frames"]) == (True, 0)
    assert found["explained"]["count"] == found["sources"] == len(found["units"]) == 12
    assert found["shifted"]["mean"] < 0.2
    assert found["ceiling"]["mean"] > 0.95
    assert found["lags"]["best_frames"] == 0
    assert [point["part"] for point in found["curve"]] == [0.3, 0.6, 1.0]  # of nine, 5 and 15 % are less than two
    assert found["curve"][-1]["minutes"] == pytest.approx(27 * 1.28 / 60)
    assert (related / "probe" / "probe.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_gives_the_same_result(tmp_path):
    clips = make_clips(tmp_path / "clips", sources=4, clips=1)
    for out, seed in (("a", 3), ("b", 3), ("c", 4)):
        probe(str(clips), str(tmp_path / out), splits=SPLITS, minutes=0.01, seed=seed)
    first, again, other = ((tmp_path / out / "probe.json").read_bytes() for out in "abc")
    assert first == again != other


def test_motion_that_has_nothing_to_do_with_the_sound_is_not(tmp_path, capsys):
    clips = make_clips(tmp_path / "clips", sources=8, clips=3, related=False)
    assert main(["probe", "--clips", str(clips), "--out", str(tmp_path / "out"), "--minutes", "0.01"]) == 0
    printed = capsys.readouterr().out
    assert "Don't train yet: the sound explains nothing" in printed
    assert "s2v train" not in printed
    found = json.loads((tmp_path / "out" / "probe.json").read_text())
    assert found["explained"]["low"] <= 0


@pytest.mark.parametrize("late", [4, -3])
def test_a_lag_is_found_and_named(tmp_path, late):
    clips = make_clips(tmp_path / "clips", sources=4, clips=4, late=late)
    report, sentences = probe(str(clips), str(tmp_path / "out"), splits=SPLITS, minutes=0.01)
    assert report.lags.best_frames == late
    expected = f"The sound is {abs(late)} frames {'late' if late > 0 else 'early'}: prepare again with --fix-lag."
    assert expected in sentences


def test_one_source_is_split_by_time(tmp_path, capsys):
    clips = make_clips(tmp_path / "clips", sources=1, clips=16)
    assert main(["probe", "--clips", str(clips), "--minutes", "0.1"]) == 0
    assert "held-out blocks of time" in capsys.readouterr().out
    found = json.loads((clips / "probe" / "probe.json").read_text())
    assert found["by_time"]
    assert found["explained"]["count"] == 4
    assert found["explained"]["mean"] > 0.7
    assert found["units"][1]["name"] == "0.mp4, 12.0 to 22.3 s"  # four clips of 1.28 s, three seconds apart


def test_training_clips_keep_their_distance_from_held_out_ones():
    starts = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    sources = ["a"] * 8
    units = find_units(sources, starts, 1.0)
    assert units.of_clips == (0, 0, 1, 1, 2, 2, 3, 3)
    folds = make_folds(units, sources, starts, 1.0, seed=0)
    # A second of gap: of clips one second long that start at 2 and 3 s, those that start at 1 and 4 s are too near.
    assert folds[1].test == (2, 3)
    assert folds[1].train == (0, 5, 6, 7)


def test_sources_are_held_out_whole_and_each_once():
    sources = [name for name in "abcdefg" for _ in range(3)]
    units = find_units(sources, [0.0, 1.0, 2.0] * 7, 4.0)
    folds = make_folds(units, sources, [0.0, 1.0, 2.0] * 7, 4.0, seed=1)
    assert sorted(clip for fold in folds for clip in fold.test) == list(range(21))
    for fold in folds:
        assert {sources[clip] for clip in fold.test}.isdisjoint(sources[clip] for clip in fold.train)
        assert sorted(fold.test + fold.train) == list(range(21))


def test_clips_that_overlap_in_one_source_are_too_few():
    with pytest.raises(UserError) as caught:
        make_folds(find_units(["a"] * 3, [0.0, 1.0, 2.0], 4.0), ["a"] * 3, [0.0, 1.0, 2.0], 4.0, seed=0)
    assert caught.value.code == "too_few_clips"


def test_what_can_not_be_probed(related, capsys, tmp_path):
    for flags, code in (
        (["--minutes", "0"], "out_of_range"),
        (["--seed", "-1"], "out_of_range"),
        (["--split", "test"], "no_clips"),
        (["--split", "exam"], "unknown_split"),
    ):
        assert main(["probe", "--clips", str(related), "--out", str(tmp_path / "out"), *flags]) == 1
        assert f"[{code}]" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_unit_that_hardly_moves_counts_at_least_minus_one():
    def errors(matched: float) -> Errors:
        of_frames = [torch.full((1, 30), value) for value in (matched, 2.0, 1.0, 4.0, 0.5)]
        return Errors((0,), *of_frames)

    units = Units(("a",), (0,), by_time=False)
    (wild,) = score_units([errors(50.0)], units, frames_per_second=30, seed=0)
    (good,) = score_units([errors(0.25)], units, frames_per_second=30, seed=0)
    assert (wild.explained, wild.shifted, wild.ceiling) == (-1, -1, 0.5)
    assert good.explained == 0.75


def test_a_shift_of_the_frame_is_told_from_a_change_inside_it():
    random = np.random.default_rng(0)
    rough = torch.from_numpy(random.uniform(-1, 1, (1, 3, 12, 12))).float()
    smooth = torch.nn.functional.interpolate(rough, size=(80, 80), mode="bicubic")[0]
    shifted = torch.stack([smooth[:, 8 + t : 72 + t, 8:72] for t in range(3)])
    total_T, shift_T = frame_shift_errors(shifted)
    assert total_T[0] == 0
    assert (shift_T[1:] / total_T[1:]).min() > 0.9
    blinking = shifted[:1].repeat(3, 1, 1, 1)
    blinking[1:, :, 20:40, 20:40] += 0.5
    total_T, shift_T = frame_shift_errors(blinking)
    assert (shift_T[1:] / total_T[1:]).max() < 0.3


def test_spectra_have_hops_of_ten_milliseconds_that_divide_a_frame():
    assert hops_per_frame(1764, 44100) == 4  # 25 frames a second
    assert hops_per_frame(1470, 44100) == 3  # 30 frames a second: 11.1 ms
    wave = torch.zeros(1, 1764 * 5)
    wave[0, 1764 * 2 + 441 * 2 : 1764 * 2 + 441 * 3] = torch.sin(torch.arange(441) * 0.3)
    level_TH = probe_ears(1764, 44100).spectra(wave)[0].unflatten(1, (4, 40)).mean(2)
    assert level_TH.flatten().argmax() == 2 * 4 + 2  # the third frame's third hop
