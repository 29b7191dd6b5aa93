"""Controls, scores and the report."""

import json

import numpy as np
import pytest
import torch
from helpers.scripting import answer_of

from s2v_ray.cli.main import main
from s2v_ray.dataset.reader import Clip, ClipReader
from s2v_ray.evaluation.controls import (
    CONTROLS,
    ClipVideos,
    channels_last,
    clip_videos,
    encode_sounds,
    envelope_autocorrelation,
    generate_videos,
    mismatched_sounds,
    shifted_sound,
    uninformative_shift,
)
from s2v_ray.evaluation.scores import score_clip, score_sources, summarise
from s2v_ray.evaluation.sync_classifier import are_matched, sync_classifier_accuracy, train_sync_classifier
from s2v_ray.evaluation.validation import validation
from s2v_ray.training.checkpoint import load_model
from s2v_ray.training.checkpoint_files import find_checkpoint
from s2v_ray.training.data.pixels import centre_crop


def blinking(frames_on: list[int], level: float = 1.0) -> torch.Tensor:
    """A dark video [12, 3, 16, 16] that is bright in the given frames."""
    video = torch.full((12, 3, 16, 16), -1.0)
    video[frames_on] = -1 + level
    return video


def clip(source: str, sounding: list[int] | None = None) -> Clip:
    """A clip of 12 frames at 44.1 kHz that sounds in the given frames; only its sound is of use."""
    wave = np.zeros((12, 1470), np.int16)
    wave[sounding or []] = 9000 * np.sin(np.arange(1470) * 0.2)
    return Clip("id", source, 0.0, None, wave.ravel())  # type: ignore[arg-type]


def test_scores_of_a_source_worked_out_by_hand():
    real = blinking([3, 8])
    matched, mismatched = blinking([3, 8], level=0.5), blinking([5, 10], level=1.0)
    scored = score_sources([score_clip(ClipVideos(clip("a"), real, matched, [mismatched]))])
    scores = scored[0].scores
    assert scores["model"]["motion_correlation"] == pytest.approx(1)
    assert scores["frozen image"]["motion_correlation"] == 0
    assert scores["real video"]["motion_explained"] == 1
    # Squared errors in units of bright frames: ours 2·¼, frozen 2, the sound-blind baseline 4.
    assert scores["model"]["motion_explained"] == pytest.approx(1 - 0.5 / 2)
    assert scores["mismatched sound"]["motion_explained"] == pytest.approx(1 - 4 / 2)
    assert scores["model"]["lag_frames"] == 0
    # Of [0, 1]: half a level of one, a quarter, in 2 of 12 frames.
    assert scores["model"]["l1"] == pytest.approx(0.25 * 2 / 12)
    gap = scores["model"]["motion_correlation"] - scores["mismatched sound"]["motion_correlation"]
    assert scores["model"]["matched_minus_mismatched"] == pytest.approx(gap)


def test_the_resampled_reference_is_a_control_of_its_own():
    real, again = blinking([3, 8]), blinking([3, 8], level=0.5)
    videos = ClipVideos(clip("a"), real, real, [blinking([5, 10])], resampled=[again])
    scores = score_sources([score_clip(videos)])[0].scores
    # Both flashes at half the height: a quarter of the frozen image's squared error.
    assert scores["resampled reference"]["motion_explained"] == pytest.approx(0.75)
    assert scores["resampled reference"]["motion_correlation"] == pytest.approx(1)


def test_timing_and_appearance_of_a_clip_by_hand():
    real = torch.full((12, 3, 16, 16), -1.0)
    real[[3, 8], :, :, :8] = 1.0
    still = real[:1].expand_as(real)
    late = real.roll(1, 0)
    scores = score_clip(ClipVideos(clip("a", [3, 8]), real, late, [still], [still])).scores
    assert list(scores) == list(CONTROLS)
    for control, onset_f1, av_align in (("model", 1, 1), ("real video", 1, 1), ("frozen image", 0, 0)):
        assert scores[control]["onset_f1"] == onset_f1, control
        assert scores[control]["av_align"] == av_align, control
    assert scores["model"]["lag_frames"] == 1
    assert scores["real video"]["beat_alignment"] == 1
    assert scores["model"]["beat_alignment"] == pytest.approx(np.exp(-1 / 18))
    # The left half is dark where it should be bright in 2 of 12 frames; the right half never differs.
    assert scores["frozen image"]["l1_moving"] == pytest.approx(2 / 12)
    assert scores["frozen image"]["l1"] == pytest.approx(1 / 12)
    assert scores["frozen image"]["appearance_error"] == 0
    assert scores["frozen image"]["psnr_moving"] == pytest.approx(10 * np.log10(6))
    assert scores["shifted sound"] == scores["mismatched sound"]


def test_what_is_undefined_is_none_and_not_counted():
    everywhere, left = blinking([3, 8]), blinking([])
    left[[3, 8], :, :, :8] = 0.0
    sources = score_sources(
        [score_clip(ClipVideos(clip(name), v, v, [])) for name, v in (("a", everywhere), ("b", left))]
    )
    summary = summarise(sources, seed=0)
    # Where everything moves nothing stands still.
    assert [source.scores["model"]["flicker"] for source in sources] == [None, 0]
    assert summary["flicker"]["model"].count == 1
    assert summary["l1"]["model"].count == 2
    assert summary["l1"]["mismatched sound"] is None
    assert summary["lag_frames"]["frozen image"] is None


def test_errors_add_up_over_the_clips_of_a_source_and_sources_count_alike():
    real, still = blinking([3, 8]), blinking([])
    perfect = score_clip(ClipVideos(clip("a"), real, real, [still]))
    frozen = score_clip(ClipVideos(clip("a"), real, still, [still]))
    lone = score_clip(ClipVideos(clip("b"), real, real, [still]))
    sources = score_sources([perfect, frozen, lone])
    assert [source.clips for source in sources] == [2, 1]
    assert [source.scores["model"]["motion_explained"] for source in sources] == pytest.approx([0.5, 1])
    summary = summarise(sources, seed=0)["motion_explained"]["model"]
    assert (summary.mean, summary.count) == (pytest.approx(0.75), 2)


def test_without_other_sources_nothing_is_said_of_mismatched_sounds():
    real = blinking([3])
    scores = score_sources([score_clip(ClipVideos(clip("a"), real, real, []))])[0].scores
    assert scores["mismatched sound"]["motion_correlation"] is None
    assert scores["model"]["matched_minus_mismatched"] is None
    assert scores["model"]["motion_explained"] == 1


def test_mismatched_sounds_are_of_other_sources_each_once_and_seeded(small_clips):
    train, test = ClipReader(str(small_clips), "train"), ClipReader(str(small_clips), "test")
    assert len(set(train.sources)) == 4
    assert len(mismatched_sounds(test, train, 0, count=8, seed=0)) == 4
    assert len(mismatched_sounds(train, None, 0, count=8, seed=0)) == 3  # not its own
    drawn = [mismatched_sounds(train, test, 0, count=3, seed=seed) for seed in (1, 1, 2, 3, 4)]
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(drawn[0], drawn[1], strict=True))
    assert len({b"".join(wave.tobytes() for wave in sounds) for sounds in drawn}) > 2


def test_videos_are_scored_as_a_file_holds_them(small_run, small_clips):
    model, config, _ = load_model(find_checkpoint(small_run))
    videos = clip_videos(model, ClipReader(str(small_clips), "test"), 0, [], config.data.resolution)
    levels = (videos.model + 1) * 127.5
    assert (levels - levels.round()).abs().max() < 1e-3
    assert videos.frozen.shape == videos.real.shape == videos.model.shape == (20, 3, 32, 32)
    scored = score_clip(videos, appearance=False)
    assert scored.sound_blind_error == scored.scores["frozen image"]["squared_error"]


def test_a_model_laid_out_for_a_cpu_makes_the_same_videos_and_its_original_stays_as_it_was(small_run, small_clips):
    model, config, _ = load_model(find_checkpoint(small_run))
    clip = ClipReader(str(small_clips), "test")[0]
    image_CHW = centre_crop(clip.frames_THWC, config.data.resolution)[0]
    ours, theirs = (
        generate_videos(made, image_CHW, encode_sounds(made, [clip.wave]))[0] for made in (channels_last(model), model)
    )
    # A pixel between two levels may be rounded either way.
    assert (ours - theirs).abs().max() < 1.01 * 2 / 255
    assert (ours != theirs).float().mean() < 1e-3
    assert all(weight.is_contiguous() for weight in model.parameters())


def test_validation_scores_the_held_out_sources(small_run, small_clips):
    model, _, _ = load_model(find_checkpoint(small_run))
    validate = validation(
        ClipReader(str(small_clips), "val"), ClipReader(str(small_clips), "train"), clips=3, resolution=32
    )
    assert validate is not None
    result = validate(model)
    assert result.score == pytest.approx(
        result.metrics["motion_explained"] + result.metrics["matched_minus_mismatched"]
    )
    assert result.frames_THWC.shape == (20, 32, 2 * 32, 3)


def test_the_report_is_written_and_repeats_itself(small_run, small_clips, tmp_path, capsys):
    command = ["evaluate", "--checkpoint", str(small_run), "--clips", str(small_clips)]
    assert main([*command, "--out", str(tmp_path / "a")]) == 0
    printed = capsys.readouterr().out
    assert "motion correlation" in printed
    assert "mismatched sound" in printed
    assert main([*command, "--out", str(tmp_path / "b"), "--json"]) == 0
    answer = answer_of(capsys.readouterr().out, "evaluate")
    report = json.loads((tmp_path / "a" / "report.json").read_text())
    assert report == json.loads((tmp_path / "b" / "report.json").read_text())
    assert answer["scores"]["motion_explained"]["model"] == report["scores"]["motion_explained"]["model"]
    assert report["counts"]["sources"] == 1
    assert report["scores"]["motion_correlation"]["real video"]["mean"] == pytest.approx(1)
    for name in ("report.html", "headline.png"):
        assert (tmp_path / "a" / name).stat().st_size > 5000


def test_redrawn_is_another_name_of_resampled(tmp_path, capsys):
    missing = str(tmp_path / "none")
    assert main(["evaluate", "--checkpoint", missing, "--clips", missing, "--out", missing, "--redrawn", missing]) == 1
    assert missing in capsys.readouterr().err


def beeps(frames_on: list[int], frames: int = 120, sample_rate: int = 24000) -> np.ndarray:
    """Silence that beeps in the given frames, of 800 samples each, as int16."""
    wave = np.zeros((frames, sample_rate // 30))
    wave[frames_on] = 0.5 * np.sin(np.arange(sample_rate // 30) * 2 * np.pi * 900 / sample_rate)
    return (wave.ravel() * 32767).astype(np.int16)


def test_a_shifted_sound_is_the_same_sound_elsewhere():
    wave = beeps([10, 45, 52, 90])
    moved = shifted_sound(wave, 120, 24000)
    loud = np.abs(moved.reshape(120, -1)).max(1) > 9000
    shift = uninformative_shift(envelope_autocorrelation(wave, 120))
    assert 15 <= shift <= 105
    assert sorted((np.flatnonzero(loud) - shift) % 120) == [10, 45, 52, 90]
    assert np.array_equal(moved, shifted_sound(wave, 120, 24000))


def test_a_repeated_sound_is_shifted_to_neither_where_it_fits_nor_where_it_fits_worst():
    # Every 30 frames: a shift by 30, 60 or 90 would change nothing, and one by 15, 45 ... would be anti-correlated.
    wave = beeps([*range(0, 120, 30), *range(1, 120, 30)])
    autocorrelation = envelope_autocorrelation(wave, 120)
    assert autocorrelation[[0, 30, 60, 90]] == pytest.approx(1)
    shift = uninformative_shift(autocorrelation)
    assert abs(autocorrelation[shift]) < 0.2
    assert 4 <= shift % 30 <= 26


def test_the_autocorrelation_of_a_loudness_has_mean_zero():
    autocorrelation = envelope_autocorrelation(beeps([10, 45, 52, 90]), 120)
    assert autocorrelation.mean() == pytest.approx(0, abs=1e-9)
    assert autocorrelation[1:] == pytest.approx(autocorrelation[:0:-1])


def test_a_sound_that_never_changes_is_shifted_by_half_the_clip():
    for wave in (np.zeros(120 * 800, np.int16), beeps(list(range(120)))):
        assert uninformative_shift(envelope_autocorrelation(wave, 120)) == 60


def test_the_shortest_of_clips_can_be_shifted():
    assert uninformative_shift(np.array([1.0, -1.0])) == 1


def flashing(source: int, seed: int, frames: int = 60) -> Clip:
    """A synthetic clip: a square lights up where the source has it, in frames that the seed draws, and it beeps."""
    random = np.random.default_rng([source, seed])
    events = np.flatnonzero(random.random(frames) < 0.06)
    picture = np.random.default_rng(source).integers(0, 160, (36, 36, 3))
    top, left = np.random.default_rng(source).integers(6, 22, 2)
    video = np.repeat(picture[None], frames, 0)
    for event in events:
        for age, light in enumerate((90, 50, 20)):
            video[event + age : event + age + 1, top : top + 8, left : left + 8] += light
    return Clip("id", f"source {source}", 0.0, video.clip(0, 255).astype(np.uint8), beeps(events.tolist(), frames))


@pytest.fixture(scope="module")
def classifier():
    return train_sync_classifier([flashing(n // 4, n) for n in range(32)], sample_rate=24000, resolution=32, seed=0)


def test_the_classifier_tells_matched_from_shifted_and_other_sounds(classifier):
    held_out = [flashing(100 + n // 2, n) for n in range(24)]
    taken, refused = [], []
    for n, one in enumerate(held_out):
        video = centre_crop(one.frames_THWC, 32)
        others = shifted_sound(one.wave, 60, 24000), held_out[(n + 2) % 24].wave
        own, *mismatched = are_matched(classifier, [video], [one.wave, *others], 24000)[0].tolist()
        taken.append(own)
        refused += [not matched for matched in mismatched]
    assert np.mean(taken) >= 0.9
    assert np.mean(refused) >= 0.9


def test_the_classifier_relies_on_motion_not_by_sharpness_and_refuses_a_frozen_image(classifier):
    for n in range(8):
        one = flashing(200 + n, n)
        video = centre_crop(one.frames_THWC, 32)
        blurred = torch.nn.functional.avg_pool2d(video, 5, stride=1, padding=2, count_include_pad=False)
        videos = [0.5 * blurred, video[:1].expand_as(video)]
        assert are_matched(classifier, videos, [one.wave], 24000)[:, 0].tolist() == [True, False]


def test_a_classifier_is_seeded_and_leaves_the_random_state_alone():
    clips = [flashing(n // 2, n, frames=20) for n in range(4)]
    state = torch.random.get_rng_state()
    one, same, other = (train_sync_classifier(clips, sample_rate=24000, resolution=32, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    weights = [
        torch.cat([value.flatten() for value in classifier.state_dict().values()]) for classifier in (one, same, other)
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_without_clips_there_is_no_classifier():
    assert train_sync_classifier([], sample_rate=24000, resolution=32, seed=0) is None


def test_a_classifiers_accuracy_is_by_source_and_its_score_stands_beside_the_others(small_clips, small_run):
    train, test = ClipReader(str(small_clips), "train"), ClipReader(str(small_clips), "test")
    classifier = train_sync_classifier(train, sample_rate=train.settings.sample_rate, resolution=32, seed=0)
    accuracy = sync_classifier_accuracy(classifier, train, None, resolution=32, seed=0)
    assert list(accuracy) == list(dict.fromkeys(train.sources))
    assert all(0 <= value <= 1 for value in accuracy.values())
    model, config, _ = load_model(find_checkpoint(small_run))
    videos = clip_videos(model, test, 0, mismatched_sounds(test, train, 0, count=1, seed=0), config.data.resolution)
    scores = score_clip(videos, sync_classifier=classifier).scores
    assert {scores[control]["sync_classifier"] for control in CONTROLS if scores[control]} <= {0.0, 1.0}
    assert scores["frozen image"]["sync_classifier"] == 0
    assert len(videos.shifted) == 1
    assert (videos.frame_rate, videos.sample_rate) == (25.0, 8000)
