"""Checkpoints by somebody else: what they claim to be takes no memory before the weights bear it out."""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from helpers.child import Child, child
from torch import Tensor

from s2v_ray.cli.main import main
from s2v_ray.errors import UserError
from s2v_ray.training.checkpoint import load_model, load_model_and_mean_frame
from s2v_ray.training.checkpoint_files import find_checkpoint


def changed(run: Path, folder: Path, file: str, content: bytes) -> Path:
    """A copy of a run's best checkpoint in which one file is another."""
    copy = folder / "step_00000001"
    shutil.copytree(find_checkpoint(str(run)), copy)
    (copy / file).write_bytes(content)
    manifest = json.loads((copy / "manifest.json").read_bytes())
    manifest[file] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


def with_settings(run: Path, folder: Path, settings: dict[str, Any]) -> Path:
    """The checkpoint with other values in the configuration of its `state.json`, by their dotted names."""
    state = json.loads((Path(find_checkpoint(str(run))) / "state.json").read_bytes())
    for name, value in settings.items():
        section, _, key = name.partition(".")
        state["config"][section][key] = value
    return changed(run, folder, "state.json", json.dumps(state).encode())


def told(checkpoint: str) -> str:
    """How `s2v info` ends, which reads the weights and counts those of all networks: "0", or an error's code."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as error:
        status = main(["info", checkpoint])
    return error.getvalue().rpartition("[")[2].strip("]\n") or str(status)


@pytest.mark.parametrize(
    "manifest", ["[" * 100_000, *(f'{{"{name}": {{"bytes": 1, "sha256": ""}}}}' for name in ("..", ""))]
)
def test_a_manifest_that_is_none_is_damage(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(UserError) as caught:
        load_model(str(tmp_path))
    assert caught.value.code == "damaged_checkpoint"


def test_a_pipe_among_its_files_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"state.json": {"bytes": 1, "sha256": ""}}')
    os.mkfifo(tmp_path / "state.json")
    with pytest.raises(UserError) as caught:
        load_model(str(tmp_path))
    assert caught.value.code == "damaged_checkpoint"


def test_a_state_that_is_nested_for_ever_is_damage(small_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_model(str(changed(small_run, tmp_path, "state.json", b"[" * 100_000)))
    assert caught.value.code == "damaged_checkpoint"


@pytest.fixture(scope="module")
def info() -> Iterator[Child]:
    with child(told, seconds=60, most_bytes=2**30) as run:
        yield run


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"sound.hidden": 16384}, "wrong_weights"),
        ({"generator.base_channels": 16384, "generator.max_channels": 16384}, "wrong_weights"),
        ({"sound.convolutions": 8, "sound.convolution_channels": 16384}, "wrong_weights"),
        ({"sound.hidden": 10**9}, "out_of_range"),
        ({"clips.sample_rate": 10**12}, "out_of_range"),
        ({"data.resolution": 2**20, "generator.bottleneck": 2**16}, "out_of_range"),  # weights as with the true ones
        ({"clips.frame_rate": "1/1000000"}, "conflicting_settings"),
        ({"clips.frame_rate": "1e999999999"}, "not_a_number"),
        ({"image_discriminator.channels": [16384, 16384]}, "0"),  # which only training uses
    ],
)
def test_memory_does_not_follow_what_a_checkpoint_claims(
    small_run: Path, info: Child, tmp_path: Path, settings: dict[str, Any], code: str
) -> None:
    outcome = info(str(with_settings(small_run, tmp_path, settings)))
    assert (outcome.result, outcome.fault) == (code, "")
    assert outcome.peak_bytes < 200 * 2**20


@pytest.mark.parametrize(
    "mean",
    [
        lambda mean_CHW: mean_CHW[:, 1:],
        lambda mean_CHW: mean_CHW[:1],
        lambda mean_CHW: mean_CHW / 0,
        lambda mean_CHW: mean_CHW.int(),
    ],
)
def test_a_mean_frame_that_is_none_is_damaged(small_run: Path, tmp_path: Path, mean: Any) -> None:
    _, _, mean_CHW = load_model_and_mean_frame(find_checkpoint(str(small_run)))
    assert isinstance(mean_CHW, Tensor)
    content = safetensors.torch.save({"mean_CHW": mean(mean_CHW + torch.ones(())).contiguous()})
    with pytest.raises(UserError) as caught:
        load_model_and_mean_frame(str(changed(small_run, tmp_path, "mean_frame.safetensors", content)))
    assert caught.value.code == "damaged_checkpoint"


@pytest.mark.parametrize(
    "values",
    [
        {"unscored": {"step": 9, "eligible": True}},  # of a checkpoint of step 8
        {"unscored": {"step": 8, "eligible": 1}},
        {"unscored": [8, True]},
        {"position": {"visit": -1, "taken": []}},
        {"position": {"visit": 0, "taken": [[0, 0, 0]]}},
        {"position": {"visit": 0, "taken": [[0, "0"]]}},
        {"position": 7},
    ],
)
def test_where_a_training_is_that_makes_no_sense_is_damaged(small_run: Path, tmp_path: Path, values: Any) -> None:
    state = json.loads((Path(find_checkpoint(str(small_run))) / "state.json").read_bytes())
    with pytest.raises(UserError) as caught:
        load_model(str(changed(small_run, tmp_path, "state.json", json.dumps(state | values).encode())))
    assert caught.value.code == "damaged_checkpoint"
