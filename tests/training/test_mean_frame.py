"""The mean training frame: made once when a run is opened, kept in its checkpoints."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.small import small_config

from s2v_ray.dataset.reader import ClipReader
from s2v_ray.recipes.train import PreparedClips, job_on, run_training, start_training
from s2v_ray.training.checkpoint import load_model_and_mean_frame
from s2v_ray.training.checkpoint_files import find_checkpoint
from s2v_ray.training.data.mean_frame import mean_frame
from s2v_ray.training.schedule import Budget
from s2v_ray.training.workers import ALONE


def test_it_is_the_mean_of_first_and_middle_frames(small_clips: Path) -> None:
    reader = ClipReader(str(small_clips), "train")
    frames = [reader[clip].frames_THWC[t] for clip in range(len(reader)) for t in (0, 10)]
    expected = np.mean(frames, axis=0).transpose(2, 0, 1) / 127.5 - 1
    assert np.abs(mean_frame(reader, 36).numpy() - expected).max() < 1e-5
    smaller = mean_frame(reader, 18).numpy()  # an area's mean, in whole levels
    assert np.abs(smaller - expected.reshape(3, 18, 2, 18, 2).mean((2, 4))).max() < 1 / 127.5


def test_a_run_keeps_it_and_resumes_without_reading_clips_for_it(small_clips: Path, tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    job = job_on(PreparedClips(str(small_clips)), small_config(small_clips, training__steps=1), run)
    run_training(job, Budget(1))
    *_, kept = load_model_and_mean_frame(find_checkpoint(run))
    expected = mean_frame(ClipReader(str(small_clips), "train"), 32)
    assert kept is not None
    assert torch.equal(kept, expected)

    class Unreadable(PreparedClips):
        def open(self, *arguments):  # type: ignore[no-untyped-def]
            return replace(super().open(*arguments), mean_frame=lambda: pytest.fail("clips were read"))

    _, state = start_training(replace(job, clips=Unreadable(str(small_clips))), ALONE)
    assert state.mean_frame is not None
    assert torch.equal(state.mean_frame, expected)
