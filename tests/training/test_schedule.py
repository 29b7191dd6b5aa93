"""What changes on the way of a training, and which checkpoint is taken."""

import json

import numpy as np
import pytest
import torch
from helpers.small import small_config
from helpers.training import assert_same, run_to, weights

from s2v_ray.dataset.reader import ClipReader
from s2v_ray.training.checkpoint import run_schedule
from s2v_ray.training.checkpoint_files import find_checkpoint
from s2v_ray.training.data.loader import training_batches
from s2v_ray.training.loop import train
from s2v_ray.training.schedule import Schedule, config_budget, config_schedule
from s2v_ray.training.scoring import Validation
from s2v_ray.training.state import new_state, set_learning_rates

CPU = torch.device("cpu")

THUMBNAILS = {"loss__thumbnail_weight": 100.0}


def test_discriminators_are_enabled_at_their_fraction_of_the_training(small_clips, tmp_path):
    first = weights(run_to(1, small_clips, tmp_path / "first", loss__discriminator_start=1))
    for steps, changed in ((3, False), (4, True)):  # of 8, they join after 3
        at = run_to(8, small_clips, tmp_path / str(steps), stop_at=steps, loss__discriminator_start=0.375)
        for name, value in weights(at).items():
            if "discriminator" in name:
                assert torch.equal(value, first[name]) is not changed, name
    whole = run_to(8, small_clips, tmp_path / "whole", loss__discriminator_start=0.375)
    for steps in (3, 4):
        assert_same(
            weights(run_to(8, small_clips, tmp_path / str(steps), loss__discriminator_start=0.375)), weights(whole)
        )
    lines = [json.loads(line) for line in (tmp_path / "3" / "metrics.jsonl").read_text().splitlines()]
    assert ["loss/video_discriminator" in line for line in lines] == [False, True]


def test_the_sound_encoder_learns_alone_until_the_generator_starts(small_clips, tmp_path):
    settings = THUMBNAILS | {"loss__generator_start": 0.5, "loss__discriminator_start": 0.0}
    first = weights(new_state(small_config(small_clips, **settings), CPU))
    changed = {}
    for steps in (4, 5):
        at = weights(run_to(8, small_clips, tmp_path / str(steps), stop_at=steps, **settings))
        changed[steps] = {name.split(".")[1] for name, value in at.items() if not torch.equal(value, first[name])}
    assert changed[4] == {"sound_encoder"}  # of networks and of the EMA
    assert changed[5] == {"sound_encoder", "unet", "layers"}
    whole = run_to(8, small_clips, tmp_path / "whole", **settings)
    assert_same(weights(run_to(8, small_clips, tmp_path / "4", **settings)), weights(whole))
    lines = [json.loads(line) for line in (tmp_path / "4" / "metrics.jsonl").read_text().splitlines()]
    assert ["loss/reconstruction" in line for line in lines] == [False, True]
    assert all(line["loss/thumbnails"] > 0 for line in lines)


def test_learning_rates_fall_to_a_twentieth(small_clips, tmp_path):
    rates = {}
    for steps in (4, 6, 8):
        state = run_to(8, small_clips, tmp_path / str(steps), stop_at=steps, optim__decay_start=0.5)
        set_learning_rates(state)  # of the step that would follow
        rates[steps] = [optimizer.param_groups[0]["lr"] for optimizer in state.optimizers.values()]
    generator, image, video = 1e-3, 2e-4, 2e-4
    assert rates[4] == pytest.approx([generator, image, video])
    assert rates[6] == pytest.approx([0.525 * generator, 0.525 * image, 0.525 * video])  # halfway from 1 to 0.05
    assert rates[8] == pytest.approx([0.05 * generator, 0.05 * image, 0.05 * video])
    whole = run_to(8, small_clips, tmp_path / "whole", optim__decay_start=0.5)
    assert_same(weights(run_to(8, small_clips, tmp_path / "6", optim__decay_start=0.5)), weights(whole))


def test_a_longer_budget_leaves_the_discriminators_on(small_clips, tmp_path):
    run_to(8, small_clips, tmp_path / "extended", loss__discriminator_start=0.5)
    extended = run_to(80, small_clips, tmp_path / "extended", stop_at=10, loss__discriminator_start=0.5)
    # As one that was opened with the longer budget, and the same start: a twentieth of 80 is half of 8.
    whole = run_to(80, small_clips, tmp_path / "whole", stop_at=10, loss__discriminator_start=0.05)
    assert (extended.schedule, whole.schedule) == (Schedule(8, None), Schedule(80, None))
    assert_same(weights(extended), weights(whole))


def test_the_schedule_of_a_run_of_release_0_2_is_found_again(small_clips, tmp_path):
    settings = {"loss__discriminator_start": 0.375}
    run_to(8, small_clips, tmp_path, stop_at=2, **settings)
    state = tmp_path / "checkpoints" / "step_00000002" / "state.json"
    config = small_config(small_clips, training__steps=80, **settings)
    for seconds, expected in ((None, Schedule(8, None)), (45.0, Schedule(8, 120.0))):
        old = {"discriminator_start_step": 3, "discriminator_start_seconds": seconds}
        state.write_text(json.dumps(json.loads(state.read_text()) | {"format_version": 3, "schedule": old}))
        assert run_schedule(str(tmp_path), config) == expected


def test_a_schedule_is_the_fraction_of_the_budget_that_is_nearer(small_clips):
    config = small_config(small_clips, training__steps=9, training__minutes=2)
    schedule = config_schedule(config)
    assert schedule == Schedule(9, 120.0)
    assert [schedule.progress(*at) for at in ((2, 6), (3, 6), (0, 30), (9, 0), (3, 600))] == [2 / 9, 1 / 3, 0.25, 1, 1]


def test_too_few_clips_do_not_choose_a_checkpoint(small_clips, tmp_path):
    scores = iter([0.9, 0.2, 0.4])
    config = small_config(small_clips, training__steps=6, training__validate_every_steps=2)
    state = new_state(config, CPU)
    frames, wave = np.zeros((1, 2, 2, 3), np.uint8), np.zeros(10, np.int16)
    train(
        state,
        training_batches(ClipReader(str(small_clips), "train"), config, CPU),
        tmp_path,
        until=config_budget(config),
        validate=lambda model: Validation(next(scores), {}, frames, wave, decides=False),
    )
    assert find_checkpoint(tmp_path).endswith("step_00000006")


def test_the_best_checkpoint_is_one_that_discriminators_took_part_in(small_clips, tmp_path):
    scores = iter([0.9, 0.8, 0.1, 0.3])
    config = small_config(
        small_clips, training__steps=8, training__validate_every_steps=2, loss__discriminator_start=0.5
    )
    state = new_state(config, CPU)
    train(
        state,
        training_batches(ClipReader(str(small_clips), "train"), config, CPU),
        tmp_path,
        until=config_budget(config),
        validate=lambda model: Validation(next(scores), {}, np.zeros((1, 2, 2, 3), np.uint8), np.zeros(10, np.int16)),
    )
    assert (state.best_score, find_checkpoint(tmp_path)[-8:]) == (0.3, "00000008")


def test_a_discriminator_enabled_between_two_lines_of_the_log_is_reported(small_clips, tmp_path):
    run_to(10, small_clips, tmp_path, loss__discriminator_start=0.75)
    line = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert 0.5 < line["loss/image_discriminator"] < 3  # the mean of two steps: about 2 log 2, that of who knows nothing
