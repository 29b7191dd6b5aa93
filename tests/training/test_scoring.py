"""Validation beside the training: the same scores and the same best checkpoint, whenever a score arrives."""

import json
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed
import torch.multiprocessing
from helpers.small import small_config

from s2v_ray.cli.main import main
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.recipes.train import PreparedClips, job_on, start_training
from s2v_ray.training.checkpoint_files import checkpoints, find_checkpoint
from s2v_ray.training.data.loader import training_batches
from s2v_ray.training.loop import train
from s2v_ray.training.run import resume
from s2v_ray.training.schedule import config_budget
from s2v_ray.training.scoring import Validation
from s2v_ray.training.state import TrainingState, new_state
from s2v_ray.training.workers import ALONE, Workers

CPU = torch.device("cpu")
FRAMES, WAVE = np.zeros((20, 32, 64, 3), np.uint8), np.zeros(20 * 320, np.int16)
# By step. That of step 6 is as good as the highest, and later.
SCORES = {2: 0.5, 4: 0.9, 6: 0.895, 8: 0.4, 10: 0.2}


def validation(score: float) -> Validation:
    return Validation(score, {"sharpness": score / 2}, FRAMES, WAVE)


class Elsewhere:
    """Scores checkpoints when told to."""

    def __init__(self, scores: dict[int, float] = SCORES) -> None:
        self.scores = scores
        self.asked: dict[int, Future[Validation]] = {}

    def __call__(self, checkpoint: str) -> "Future[Validation]":
        return self.asked.setdefault(int(checkpoint[-8:]), Future())

    def answer(self, before: int) -> bool:
        """Give the scores of the checkpoints before this step; False."""
        for step, future in list(self.asked.items()):
            if step < before and not future.done():
                future.set_result(validation(self.scores[step]))
        return False


def trained(
    clips: Path,
    run: Path,
    beside: Elsewhere | None,
    *,
    after_step: Callable[[int], bool] = lambda step: False,
    steps: int = 10,
    **settings: object,
) -> TrainingState:
    """Train or resume; `after_step` is called after each step, and ends the training if it returns True."""
    config = small_config(clips, **{"training__validate_every_steps": 2} | settings, training__steps=steps)
    state, reader = new_state(config, CPU), ClipReader(str(clips), "train")
    state.clips = reader.fingerprint
    resume(state, run)
    known = beside.scores if beside else SCORES

    def validate(model) -> Validation:
        return validation(known[state.unscored.step if state.unscored else state.step])

    train(
        state,
        training_batches(reader, config, CPU, first_step=state.step),
        run,
        until=config_budget(config),
        validate=validate,
        validate_beside=beside,
        stop=lambda: after_step(state.step),
    )
    return state


def scores(run: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["validation/score"]) for line in lines if "validation/score" in line]


@pytest.mark.parametrize("steps_late", [0, 1])
def test_the_best_checkpoint_is_that_of_validation_inside(small_clips, tmp_path, steps_late):
    elsewhere = Elsewhere()
    keeping = {"training__save_every_steps": 1, "training__keep_checkpoints": 1}
    inside = trained(small_clips, tmp_path / "inside", None, **keeping)
    late = {"after_step": lambda step: elsewhere.answer(step - steps_late)}
    beside = trained(small_clips, tmp_path / "beside", elsewhere, **late, **keeping)
    assert sorted(elsewhere.asked) == [2, 4, 6, 8]  # the last has nothing to be beside of
    assert scores(tmp_path / "beside") == scores(tmp_path / "inside") == list(SCORES.items())
    for run in (tmp_path / "inside", tmp_path / "beside"):
        assert find_checkpoint(run).endswith("step_00000006")
        assert (run / "samples" / "step_00000006.mp4").exists()
    assert beside.best_score == inside.best_score == 0.9
    assert beside.metrics == inside.metrics


@pytest.mark.parametrize("again_beside", [True, False])
def test_a_checkpoint_without_a_score_is_scored_when_the_run_is_resumed(small_clips, tmp_path, again_beside):
    elsewhere = Elsewhere()
    keeping = {"training__save_every_steps": 1, "training__keep_checkpoints": 1}
    # Of step 6, which will be the best, the score is not known when the training is stopped after another step.
    stop = {"after_step": lambda step: elsewhere.answer(min(step, 6)) or step == 7}
    trained(small_clips, tmp_path, elsewhere, **stop, **keeping)
    assert find_checkpoint(tmp_path).endswith("step_00000004")
    assert [location[-8:] for location in checkpoints(tmp_path)] == ["00000004", "00000006", "00000007"]
    again = Elsewhere()
    state = trained(small_clips, tmp_path, again if again_beside else None, after_step=again.answer, **keeping)
    assert find_checkpoint(tmp_path).endswith("step_00000006")
    assert (state.step, state.best_score) == (10, 0.9)
    assert scores(tmp_path) == list(SCORES.items())


def test_a_run_goes_on_without_the_score_of_a_damaged_checkpoint(small_clips, tmp_path, capsys):
    stop = {"after_step": lambda step: step == 3, "training__save_every_steps": 1}
    trained(small_clips, tmp_path, Elsewhere(), **stop)
    assert main(["info", str(tmp_path)]) == 0
    assert "step 3, 12 clips seen" in (printed := capsys.readouterr().out)
    assert "Validation" not in printed  # it was that of step 2
    weights = tmp_path / "checkpoints" / "step_00000002" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    config = small_config(small_clips, training__validate_every_steps=2, training__steps=10)
    told: list[str] = []
    _, state = start_training(job_on(PreparedClips((str(small_clips),)), config, str(tmp_path)), ALONE, told.append)
    assert (state.step, state.unscored) == (3, None)
    assert any("step_00000002' has no score: it is gone, or damaged" in sentence for sentence in told)


def test_a_score_that_arrives_before_a_kill_counts_after_it(small_clips, tmp_path):
    def kill(step: int) -> bool:
        elsewhere.answer(step)
        if step == 11:  # the score of step 8 is noted in step 10, with its log line; nothing is saved after that
            assert find_checkpoint(tmp_path).endswith("step_00000008")
            assert scores(tmp_path) == [(8, 0.9)]
            raise InterruptedError
        return False

    elsewhere, rarely = Elsewhere({8: 0.9, 16: 0.2}), {"training__validate_every_steps": 8}
    with pytest.raises(InterruptedError):
        trained(small_clips, tmp_path, elsewhere, after_step=kill, steps=16, **rarely)
    again = Elsewhere(elsewhere.scores)
    state = trained(small_clips, tmp_path, again, after_step=again.answer, steps=16, **rarely)
    assert state.best_score == 0.9
    assert find_checkpoint(tmp_path).endswith("step_00000008")
    assert scores(tmp_path) == [(8, 0.9), (16, 0.2)]


GROUP_SECONDS = 10.0  # more than a busy machine delays one of two processes


def slow_validation_on_rank(rank: int, clips: str, folder: str) -> None:
    """A step of one of two workers, the first of which validates for longer than the group waits."""
    torch.set_num_threads(1)
    patience = timedelta(seconds=GROUP_SECONDS)
    store = torch.distributed.FileStore(f"{folder}/store", 2)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2, timeout=patience)
    workers = Workers(rank, 2, CPU, torch.distributed.new_group(backend="gloo", timeout=patience))
    config = small_config(Path(clips), training__steps=1)
    state, reader = new_state(config, CPU, distributed=True), ClipReader(clips, "train")

    def validate(model) -> Validation:
        end = time.monotonic() + 1.4 * GROUP_SECONDS
        while time.monotonic() < end:
            model(torch.zeros(1, 3, 32, 32), torch.zeros(1, 20 * 320), torch.arange(2)[None])
        return validation(0.5)

    batches = training_batches(reader, config, CPU, rank=rank, world_size=2)
    run = Path(folder) / "run"
    finished = train(state, batches, run, until=config_budget(config), validate=validate, workers=workers)
    Path(folder, f"finished_{rank}").write_text(str(finished))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_a_validation_may_take_longer_than_the_other_workers_wait_for_a_collective(small_clips, tmp_path):
    torch.multiprocessing.spawn(slow_validation_on_rank, (str(small_clips), str(tmp_path)), nprocs=2)
    assert [(tmp_path / f"finished_{rank}").read_text() for rank in (0, 1)] == ["True", "True"]
    assert [step for step, _ in scores(tmp_path / "run")] == [1]


def test_what_the_first_worker_raises_while_the_others_wait_is_raised():
    def fail() -> None:
        raise ValueError("no clips")

    with pytest.raises(ValueError, match="no clips"):
        ALONE.on_first(fail)
