"""What only a GPU does: bfloat16, compiled networks, pinned feeding, and a short training there."""

import pytest
import torch
from helpers.small import small_config

from s2v_ray.dataset.reader import ClipReader
from s2v_ray.training.checkpoint import load_state
from s2v_ray.training.checkpoint_files import last_checkpoint
from s2v_ray.training.data.loader import training_batches
from s2v_ray.training.loop import train
from s2v_ray.training.schedule import config_budget
from s2v_ray.training.state import new_state
from s2v_ray.training.step import generate, train_step

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason="no GPU: autocast, compile and pinned feeding are untried"
    ),
]


@pytest.fixture
def gpu() -> torch.device:
    return torch.device("cuda")


def test_bfloat16_makes_nearly_the_frames_of_float32(small_clips, gpu):
    config, reader = small_config(small_clips), ClipReader(str(small_clips), "train")
    states = {device: new_state(config, torch.device(device)) for device in ("cpu", "cuda")}
    frames = [
        generate(state, next(training_batches(reader, config, torch.device(device))), for_gradient=False)
        .fake_BFCHW.float()
        .cpu()
        for device, state in states.items()
    ]
    assert torch.allclose(*frames, atol=0.05)


def test_a_batch_on_the_gpu_is_that_on_the_cpu(small_clips, gpu):
    config, reader = small_config(small_clips, training__loader_workers=1), ClipReader(str(small_clips), "train")
    here, there = (training_batches(reader, config, device) for device in (torch.device("cpu"), gpu))
    for _ in range(3):
        ours, theirs = next(here), next(there)
        assert ours.clip_ids == theirs.clip_ids
        assert torch.allclose(ours.video_BFCHW, theirs.video_BFCHW.cpu(), atol=1e-6)
        assert torch.equal(ours.frame_BF, theirs.frame_BF.cpu())


@pytest.mark.parametrize("compiled", [False, True])
def test_a_short_training_and_its_resume(small_clips, tmp_path, gpu, compiled):
    config = small_config(small_clips, training__steps=20, training__compile=compiled)
    state, reader = new_state(config, gpu), ClipReader(str(small_clips), "train")
    assert train(state, training_batches(reader, config, gpu), tmp_path, until=config_budget(config))
    again = new_state(config, gpu)
    load_state(again, str(last_checkpoint(tmp_path)))
    batch = next(training_batches(reader, config, gpu, first_step=20))
    for one, other in zip(train_step(state, batch).values(), train_step(again, batch).values(), strict=True):
        assert torch.allclose(one, other, rtol=1e-2)
