"""The step, the loop and its checkpoints."""

import contextlib
import copy
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.decoding import probe_path
from helpers.gradients import gradients_of_step
from helpers.small import SyntheticClips, small_config
from helpers.training import assert_same, run_to, weights

from s2v_ray.cli.main import main
from s2v_ray.config import load_config, with_settings
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.errors import UserError
from s2v_ray.losses import discriminator_loss
from s2v_ray.recipes.train import PreparedClips, job_on, start_training
from s2v_ray.storage.files import read_bytes
from s2v_ray.storage.lock import lock
from s2v_ray.training.checkpoint import load_model
from s2v_ray.training.checkpoint_files import find_checkpoint, last_checkpoint
from s2v_ray.training.data.loader import Batch, TrainingClips, to_device, training_batches
from s2v_ray.training.data.order import global_batch
from s2v_ray.training.data.pixels import stored_size_for
from s2v_ray.training.health import explaining_memory
from s2v_ray.training.loop import train
from s2v_ray.training.networks import build_networks
from s2v_ray.training.run import resume
from s2v_ray.training.schedule import Budget, Schedule, TrainingStatus, config_budget
from s2v_ray.training.scoring import Validation
from s2v_ray.training.state import TrainingState, new_state, single_frames
from s2v_ray.training.step import train_step
from s2v_ray.training.workers import ALONE, Workers

CPU = torch.device("cpu")


def test_a_stopped_training_ends_with_the_weights_of_one_that_was_not(small_clips, tmp_path):
    whole = run_to(7, small_clips, tmp_path / "whole")
    run_to(7, small_clips, tmp_path / "parts", stop_at=2)
    run_to(7, small_clips, tmp_path / "parts", stop_at=5)
    parts = run_to(7, small_clips, tmp_path / "parts")
    assert parts.step == 7
    assert_same(weights(whole), weights(parts))
    lines = [json.loads(line) for line in (tmp_path / "parts" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 5, 7]


def test_the_same_seed_gives_the_same_weights_and_another_one_others(small_clips, tmp_path):
    first, second = (run_to(3, small_clips, tmp_path / name) for name in ("a", "b"))
    other = run_to(3, small_clips, tmp_path / "c", training__seed=1)
    assert_same(weights(first), weights(second))
    assert any(not torch.equal(weights(first)[name], weights(other)[name]) for name in weights(first))


def test_logs_beyond_the_checkpoint_are_dropped_on_resume(small_clips, tmp_path):
    run_to(2, small_clips, tmp_path)
    with (tmp_path / "metrics.jsonl").open("a") as metrics:
        metrics.write('{"step": 3, "loss/generator": 1.0}\n{"step": 4, "loss/gen')  # a run killed in the middle
    run_to(3, small_clips, tmp_path)
    steps = [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert steps == [2, 3]


@pytest.mark.parametrize("resolution", [64, 128, 256])
@pytest.mark.parametrize("preset", ["paper", "tiny"])
def test_a_step_at_each_resolution(preset, resolution):
    overrides = {
        "data.resolution": resolution,
        "data.train_frames": 16,
        "data.frames_per_step": 0,
        "generator.base_channels": 4,
        "generator.max_channels": 8,
        "image_discriminator.channels": [4, 4, 4],
        "video_discriminator.channels": [4, 4, 4],
        "sound.hidden": 4,
        "clips.stored_size": stored_size_for(resolution),
    }
    config = with_settings(load_config(preset), overrides)
    clips, state = TrainingClips(SyntheticClips(config), config), new_state(config, CPU)
    draws = global_batch(0, clip_count=4, batch_size=1, seed=0)
    items = torch.utils.data.default_collate([clips[draw] for draw in draws])
    batch = to_device(items, resolution, CPU, loss_weight=1.0, epoch=0)
    assert batch.video_BFCHW.shape == (1, 16, 3, resolution, resolution)
    # The bottleneck stays as it is; the depth follows.
    halvings = {"paper": {64: 6, 128: 7, 256: 8}, "tiny": {64: 4, 128: 5, 256: 6}}[preset][resolution]
    assert len(state.networks.generator.unet.down) == halvings
    assert all(torch.isfinite(value) for value in train_step(state, batch).values())


def one_batch(clips: Path, **settings: object) -> tuple[TrainingState, Batch]:
    config = small_config(clips, **settings)
    return new_state(config, CPU), next(training_batches(ClipReader(str(clips), "train"), config, CPU))


def test_a_step_moves_every_network_and_the_ema(small_clips):
    state, batch = one_batch(small_clips)
    before = {name: value.clone() for name, value in weights(state).items()}
    losses = train_step(state, batch)
    assert {"loss/generator", "loss/reconstruction", "loss/image_discriminator"} < set(losses)
    assert all(torch.isfinite(value) for value in losses.values())
    moved = {name.split(".")[0] for name, value in weights(state).items() if not torch.equal(value, before[name])}
    assert moved == {"generator", "image_discriminator", "video_discriminator", "ema"}


def test_the_generators_loss_leaves_no_gradient_in_the_discriminators(small_clips):
    state, batch = one_batch(small_clips)
    discriminator = state.networks.image_discriminator
    twin = copy.deepcopy(discriminator)
    with torch.no_grad():
        fake = state.networks.generator(batch.image_BCHW, batch.wave_BS, batch.frame_BF)
    ours = gradients_of_step(state, batch)
    videos = batch.video_BFCHW, fake
    logits = twin(torch.cat([single_frames(video, batch) for video in videos]))
    discriminator_loss(*logits.chunk(2)).backward()  # its own loss alone
    for weight, theirs in zip(discriminator.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(ours[weight], theirs.grad, atol=1e-6)
        assert weight.grad is None
        assert weight.requires_grad


def test_the_average_after_one_step(small_clips):
    # Its decay warms up as (1 + step) / (10 + step): 0.1 of the old weights stays.
    state, batch = one_batch(small_clips)
    before = [weight.clone() for weight in state.networks.generator.parameters()]
    train_step(state, batch)
    assert state.ema is not None
    averages, weights_now = state.ema.parameters(), state.networks.generator.parameters()
    for average, old, new in zip(averages, before, weights_now, strict=True):
        assert torch.allclose(average, 0.1 * old + 0.9 * new, atol=1e-6)


def test_uneven_shares_of_a_batch_make_the_gradient_of_the_whole(small_clips):
    config = small_config(small_clips, training__batch_size=7)
    reader = ClipReader(str(small_clips), "train")

    def gradients(workers: Workers) -> list[torch.Tensor]:
        state = new_state(config, CPU)
        for optimizer in state.optimizers.values():
            optimizer.param_groups[0]["lr"] = 0.0
        rank_and_size = {"rank": workers.rank, "world_size": workers.world_size}
        batch = next(training_batches(reader, config, CPU, **rank_and_size))
        return list(gradients_of_step(state, batch).values())

    parts = [gradients(Workers(rank, 3)) for rank in range(3)]
    for whole, *slices in zip(gradients(Workers()), *parts, strict=True):
        assert torch.allclose(whole, sum(slices) / 3, atol=1e-5, rtol=1e-3)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    "settings",
    [{"training__micro_batches": 3}, {"training__frames_per_chunk": 2}, {"training__parallel_halves": True}],
    ids=["micro_batches", "chunks", "halves"],
)
def test_what_saves_memory_or_time_leaves_the_gradients(small_clips, settings):
    def gradients(**settings: object) -> list[torch.Tensor]:
        whole = {"training__batch_size": 3, "training__parallel_halves": False}
        state, batch = one_batch(small_clips, **whole | settings)
        return list(gradients_of_step(state, batch).values())

    for whole, saving in zip(gradients(), gradients(**settings), strict=True):
        assert torch.allclose(whole, saving, atol=1e-5, rtol=1e-4)


@pytest.mark.usefixtures("two_threads")
def test_halves_at_the_same_time_give_the_same_weights_each_time(small_clips, tmp_path):
    first, second = (run_to(4, small_clips, tmp_path / name, training__parallel_halves=True) for name in ("a", "b"))
    assert_same(weights(first), weights(second))


@pytest.mark.usefixtures("two_threads")
def test_halves_are_computed_by_two_threads_where_there_are_two(small_clips):
    def threads_of_a_step(**settings: object) -> set[str]:
        """Those in which the sound encoder, which each part needs once, is run."""
        found: list[str] = []
        state, batch = one_batch(small_clips, **settings)
        sound_encoder = state.networks.generator.sound_encoder
        sound_encoder.register_forward_hook(lambda *_: found.append(threading.current_thread().name))
        train_step(state, batch)
        return set(found)

    main_thread = {threading.current_thread().name}
    # Which thread takes a half is chance, but none is computed in the thread that waits for both.
    assert not main_thread & threads_of_a_step(training__parallel_halves=True)
    assert threads_of_a_step(training__parallel_halves=False) == main_thread
    assert threads_of_a_step(training__parallel_halves=True, training__micro_batches=2) == main_thread
    torch.set_num_threads(1)
    assert threads_of_a_step(training__parallel_halves=True) == main_thread


def test_a_discriminator_of_weight_zero_is_left_alone(small_clips):
    state, batch = one_batch(small_clips, loss__adversarial_video_weight=0)
    before = copy.deepcopy(state.networks.video_discriminator.state_dict())
    metrics = train_step(state, batch)
    assert_same(state.networks.video_discriminator.state_dict(), before)
    assert "loss/video_discriminator" not in metrics


def test_a_discriminator_that_says_one_thing_of_everything_stops_the_run(small_clips, tmp_path):
    settings = {"training__collapse_steps": 20, "optim__image_discriminator_lr": 0.0}
    config = small_config(small_clips, training__steps=100, **settings)
    state = new_state(config, CPU)
    with torch.no_grad():
        state.networks.image_discriminator.layers[-1].weight.zero_()
        state.networks.image_discriminator.layers[-1].bias.fill_(3.0)
    batches = training_batches(ClipReader(str(small_clips), "train"), config, CPU)
    with pytest.raises(
        UserError,
        match=r"image_discriminator has collapsed: from step 1 to 30 .*clips were [0-9a-f]{20}",
    ):
        train(state, batches, tmp_path, until=config_budget(config))


def test_settings_of_the_sound_encoder_that_do_not_fit_are_refused(small_clips):
    with pytest.raises(UserError, match=r"spectra_per_frame is 7, but must divide the 320 .* 1, 2, 4, 5, 8, 10, 16"):
        new_state(small_config(small_clips, sound__spectra_per_frame=7), CPU)
    with pytest.raises(UserError, match=r"--loss\.thumbnail-weight 100"):
        new_state(small_config(small_clips, loss__generator_start=0.1, loss__thumbnail_weight=0.0), CPU)


def test_out_of_memory_names_the_settings_that_help():
    with pytest.raises(UserError, match=r"not enough memory.*--training\.frames-per-chunk"), explaining_memory():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    with pytest.raises(UserError, match="not enough memory"), explaining_memory():
        torch.empty(2**60)  # more than any machine has
    with pytest.raises(RuntimeError, match="another"), explaining_memory():
        raise RuntimeError("another fault stays what it is")


def test_a_step_fits_a_batch_when_it_is_repeated(small_clips):
    state, batch = one_batch(small_clips)
    losses = [train_step(state, batch)["loss/reconstruction"].item() for _ in range(120)]
    assert losses[-1] < 0.5 * losses[0]


def test_a_paper_step_runs(small_clips):
    # The paper's networks, on clips of 20 frames and fewer channels.
    settings = {
        "data__frames_per_step": 0,
        "generator__max_channels": 8,
        "generator__bottleneck": 1,
        "generator__film_levels": 0,
        "generator__output": "tanh",
        "generator__palette": 0,
        "generator__warp": 0.0,
        "generator__relative_hue": False,
        "sound__spectrogram": "linear",
        "loss__reconstruction": "l1",
        "data__train_frames": 16,
        "video_discriminator__frames": 16,
        "optim__ema_decay": 0.0,
    }
    config = small_config(small_clips, **settings)
    state = new_state(config, CPU)
    batch = next(training_batches(ClipReader(str(small_clips), "train"), config, CPU))
    assert batch.video_BFCHW.shape == (4, 16, 3, 32, 32)
    losses = train_step(state, batch)
    assert all(torch.isfinite(value) for value in losses.values())
    assert state.ema is None


@pytest.mark.parametrize("preset", ["paper", "stable", "tiny"])
def test_presets_build(preset):
    networks = build_networks(load_config(preset))
    assert networks.generator.sound_encoder.spectra(torch.zeros(1, 1470 * 3)).shape[1] == 3


def test_of_scores_that_are_as_good_the_latest_checkpoint_is_the_best(small_clips, tmp_path):
    scores = iter([0.5, 0.9, 0.895, 0.4, 0.888])  # the last is clearly below the highest, not below the third
    config = small_config(small_clips, training__steps=5, training__validate_every_steps=1)
    state = new_state(config, CPU)
    frames, wave = np.zeros((20, 32, 64, 3), np.uint8), np.zeros(20 * 320, np.int16)
    train(
        state,
        training_batches(ClipReader(str(small_clips), "train"), config, CPU),
        tmp_path,
        until=config_budget(config),
        validate=lambda model: Validation(next(scores), {}, frames, wave),
    )
    assert find_checkpoint(tmp_path).endswith("step_00000003")
    assert state.best_score == 0.9


def test_the_best_checkpoint_is_the_one_of_the_best_score(small_clips, tmp_path):
    scores = iter([0.1, 0.9, 0.4])
    config = small_config(small_clips, training__steps=6, training__validate_every_steps=2)
    state = new_state(config, CPU)
    shown: list[TrainingStatus] = []
    frames, wave = np.zeros((20, 32, 64, 3), np.uint8), np.zeros(20 * 320, np.int16)
    train(
        state,
        training_batches(ClipReader(str(small_clips), "train"), config, CPU),
        tmp_path,
        until=config_budget(config),
        validate=lambda model: Validation(next(scores), {}, frames, wave),
        show=shown.append,
    )
    assert find_checkpoint(tmp_path).endswith("step_00000004")
    assert str(last_checkpoint(tmp_path)).endswith("step_00000006")
    assert (tmp_path / "samples" / "step_00000004.png").exists()
    info = probe_path(tmp_path / "samples" / "step_00000004.mp4")
    assert float(info.picture_end) == pytest.approx(0.8)
    assert float(info.sound_end) == pytest.approx(0.8, abs=0.2)  # of whole AAC frames
    assert shown[-1].step == 6
    assert list(tmp_path.glob("events.out.tfevents.*"))


def test_old_and_unfinished_checkpoints_are_removed(small_clips, tmp_path):
    (tmp_path / "checkpoints" / "step_00000099").mkdir(parents=True)  # as a kill in the middle of a save leaves it
    run_to(6, small_clips, tmp_path, training__save_every_steps=1, training__keep_checkpoints=2)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir() if path.is_dir())
    assert names == ["step_00000005", "step_00000006"]


def test_a_step_with_a_loss_that_is_not_finite_stops_and_names_the_clips(small_clips, tmp_path):
    with pytest.raises(UserError, match=r"not finite at step \d+ \(clips [0-9a-f]{20}") as caught:
        run_to(60, small_clips, tmp_path, optim__generator_lr=1e20, training__save_every_steps=1)
    good = last_checkpoint(tmp_path)
    assert f"the last good checkpoint is {good or 'none'}" in str(caught.value)
    if good:
        model, _, _ = load_model(good)
        assert all(weight.isfinite().all() for weight in model.parameters())


def test_other_clips_are_not_taken_for_those_of_the_run(small_clips, tmp_path):
    run_to(1, small_clips, tmp_path / "run")
    clips = tmp_path / "clips"
    shutil.copytree(small_clips, clips)
    next(clips.glob("split=train/*.parquet")).unlink()
    shutil.rmtree(clips / "_index")  # which would list it: the files are looked at without it
    with pytest.raises(UserError, match="trained on other clips"):
        run_to(2, clips, tmp_path / "run")


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda folder: cut(folder / "weights.safetensors"), "is damaged: weights.safetensors"),
        (lambda folder: cut(folder / "state.json"), "is damaged: state.json"),
        (lambda folder: cut(folder / "manifest.json"), "is damaged: manifest.json"),
        (
            lambda folder: (folder / "manifest.json").unlink(),
            "neither a run with checkpoints nor a complete checkpoint",
        ),
        (lambda folder: (folder / "ema.safetensors").unlink(), "ema.safetensors is missing"),
    ],
)
def test_a_damaged_checkpoint_is_named(small_run, tmp_path, damage, named):
    copy = tmp_path / "checkpoint"
    shutil.copytree(find_checkpoint(small_run), copy)
    damage(copy)
    with pytest.raises(UserError) as caught:
        load_model(find_checkpoint(copy))
    assert named in str(caught.value)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_pointers_can_not_lead_out_of_the_run(small_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(small_run, run)
    (run / "checkpoints" / "best").write_text("../../elsewhere")
    with pytest.raises(UserError, match="must name a folder such as step_00001000"):
        find_checkpoint(run)


def test_nothing_in_a_checkpoint_is_pickled(small_run):
    for path in Path(find_checkpoint(small_run)).iterdir():
        assert path.suffix in {".json", ".safetensors"}
        assert b"\x80\x04" not in read_bytes(path)[:2]


def test_a_disk_that_refuses_a_checkpoint_stops_the_run_and_keeps_the_one_before(small_clips, tmp_path):
    run_to(2, small_clips, tmp_path)
    # A folder in the way of the weights, as good as a full disk.
    (tmp_path / "checkpoints" / "step_00000003" / "weights.safetensors").mkdir(parents=True)
    with pytest.raises(UserError, match="step_00000002") as caught:
        run_to(3, small_clips, tmp_path)
    assert caught.value.code == "checkpoint_not_written"
    assert str(last_checkpoint(tmp_path)).endswith("step_00000002")
    shutil.rmtree(tmp_path / "checkpoints" / "step_00000003")
    assert_same(weights(run_to(3, small_clips, tmp_path)), weights(run_to(3, small_clips, tmp_path / "whole")))


def test_a_damaged_checkpoint_is_skipped_only_when_asked(small_clips, tmp_path):
    whole = weights(run_to(4, small_clips, tmp_path, training__save_every_steps=1))
    cut(tmp_path / "checkpoints" / "step_00000004" / "weights.safetensors")
    reader = ClipReader(str(small_clips), "train")
    state = new_state(small_config(small_clips, training__steps=4), CPU)
    state.clips = reader.fingerprint
    with pytest.raises(UserError, match="step_00000004") as caught:
        resume(state, tmp_path)
    assert caught.value.code == "damaged_checkpoint"
    source, skipped = resume(state, tmp_path, skip_damaged=True)
    assert str(source).endswith("step_00000003")
    assert "step_00000004" in skipped[0]
    assert state.step == 3
    batches = training_batches(reader, state.config, CPU, first_step=3)
    train(state, batches, tmp_path, until=config_budget(state.config))
    assert_same(weights(state), whole)


def test_a_damaged_state_can_be_skipped_too(small_clips, tmp_path):
    config = small_config(small_clips, training__steps=4)
    run_to(4, small_clips, tmp_path, training__save_every_steps=2, loss__discriminator_start=0.5)
    (tmp_path / "checkpoints" / "step_00000004" / "state.json").write_bytes(b"")
    job = job_on(PreparedClips(str(small_clips)), config, str(tmp_path), skip_damaged=True)
    told: list[str] = []
    _, state = start_training(job, ALONE, told.append)
    assert (state.step, state.schedule) == (2, Schedule(4, None))
    assert "step_00000004" in told[0]
    with pytest.raises(UserError, match="--skip-damaged"):
        start_training(job_on(job.clips, config, job.run), ALONE)


@pytest.mark.parametrize(("number", "loader_workers"), [(signal.SIGINT, 1), (signal.SIGTERM, 0)])
def test_a_signal_saves_and_the_same_command_resumes(
    small_clips, small_model, tmp_path, capsys, number, loader_workers
):
    command = ["train", "--clips", str(small_clips), "--out", str(tmp_path / "run")]
    command += ["--config", str(small_model), "--training.loader-workers", str(loader_workers), "--steps"]
    start = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    with subprocess.Popen([sys.executable, "-m", "s2v_ray", *command, "1000000"], **start) as process:
        metrics = tmp_path / "run" / "metrics.jsonl"
        while process.poll() is None and not (metrics.exists() and metrics.read_text()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.1)  # until the first ten steps are done
        # As a terminal does: every process of the group gets it.
        os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
        _, output = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "the same command resumes" in output
    assert "Traceback" not in output
    stopped_at = int(Path(str(last_checkpoint(tmp_path / "run"))).name.removeprefix("step_"))
    assert stopped_at >= 10
    assert main([*command, str(stopped_at + 2)]) == 0
    assert f"Resuming from step {stopped_at}" in capsys.readouterr().out


def test_a_second_training_into_the_same_run_is_refused(small_clips, small_model, tmp_path, capsys):
    run = tmp_path / "run"
    command = ["train", "--clips", str(small_clips), "--out", str(run), "--config", str(small_model), "--steps", "1"]
    with lock(run, run):
        assert main(command) == 1
    assert "Another process is writing to" in capsys.readouterr().err
    assert not (run / "config.toml").exists()
    assert main(command) == 0


def test_training_takes_no_more_threads_than_it_may(small_clips, tmp_path):
    seen = []

    def validate(model) -> Validation:
        seen.append(torch.get_num_threads())
        return Validation(0.0, {}, np.zeros((1, 2, 2, 3), np.uint8), np.zeros(10, np.int16))

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    for threads in (1, 2, 0, 5):
        state = new_state(small_config(small_clips, training__steps=1, training__threads=threads), CPU)
        batches = training_batches(ClipReader(str(small_clips), "train"), state.config, CPU)
        train(state, batches, tmp_path / str(threads), until=Budget(1), validate=validate)
        assert torch.get_num_threads() == 3
    torch.set_num_threads(before)
    assert seen == [1, 2, 3, 3]
