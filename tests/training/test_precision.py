"""What networks compute in: bfloat16 rounds what they make a little; weights and losses stay in float32."""

import torch
from helpers.small import small_config

from s2v_ray.dataset.reader import ClipReader
from s2v_ray.training.data.loader import training_batches
from s2v_ray.training.state import new_state
from s2v_ray.training.step import generate, train_step

CPU = torch.device("cpu")


def test_bfloat16_makes_nearly_the_frames_of_float32(small_clips):
    reader, frames = ClipReader(str(small_clips), "train"), {}
    for precision in ("float32", "auto", "bfloat16"):
        config = small_config(small_clips, training__precision=precision)
        batch = next(training_batches(reader, config, CPU))
        state = new_state(config, CPU)
        frames[precision] = generate(state, batch, for_gradient=False).fake_BFCHW
        losses = train_step(state, batch)
        assert {value.dtype for value in losses.values()} == {torch.float32}
        assert {weight.dtype for weight in state.networks.generator.parameters()} == {torch.float32}
    assert torch.equal(frames["auto"], frames["float32"])  # on a CPU
    assert not torch.equal(frames["bfloat16"], frames["float32"])
    # Eight significant bits: a few layers leave some hundredths of values around 1.
    assert torch.allclose(frames["bfloat16"], frames["float32"], atol=0.05)
