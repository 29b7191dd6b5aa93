"""Checkpoints: weights and optimiser moments in safetensors, the rest in JSON, a manifest written last.

A run directory holds `checkpoints/step_00001000/` and the text files `best` and `last` that name one of these.
Only what the manifest lists, byte for byte, is loaded; nothing is unpickled.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim import Optimizer

from s2v_ray.config import Config, config_from_dict
from s2v_ray.errors import UserError
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.storage.files import exists, list_folders, read_bytes, remove_file, remove_folder, write_bytes
from s2v_ray.storage.paths import Location, join
from s2v_ray.training.networks import build_sound_to_video
from s2v_ray.training.state import TrainingState

FORMAT_VERSION = 2
_MANIFEST, _STATE = "manifest.json", "state.json"
_NAME = re.compile(r"step_\d{8}")


class DamagedCheckpointError(UserError):
    """What was written as a checkpoint can't be read as one."""


@dataclass(frozen=True)
class Snapshot:
    """The whole state at a step, apart from what goes on to change."""

    step: int
    tensors: dict[str, dict[str, Tensor]]
    description: dict[str, Any]


def take_snapshot(state: TrainingState) -> Snapshot:
    """A copy of the state in the CPU's memory."""
    tensors = {"weights": _weights(dict(state.networks.items())), "optimizers": _moments(state)}
    if state.ema is not None:
        tensors["ema"] = _weights({"generator": state.ema})
    copies = {
        file: {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in named.items()}
        for file, named in tensors.items()
    }
    return Snapshot(state.step, copies, _description(state))


def write_checkpoint(run: Location, taken: Snapshot, *, best: bool) -> str:
    """Write a snapshot and point `last` (and `best`) to it; returns its location."""
    name = f"step_{taken.step:08d}"
    folder = join(run, "checkpoints", name)
    files = {f"{file}.safetensors": safetensors.torch.save(named) for file, named in taken.tensors.items()}
    files[_STATE] = json.dumps(taken.description, indent=2).encode()
    for file, content in files.items():
        write_bytes(join(folder, file), content)
    manifest = {
        file: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for file, content in files.items()
    }
    write_bytes(join(folder, _MANIFEST), json.dumps(manifest, indent=2).encode())
    for pointer in ("best", "last") if best else ("last",):
        write_bytes(join(run, "checkpoints", pointer), name.encode())
    return folder


def remove_checkpoint(checkpoint: Location) -> None:
    """Remove a checkpoint, its manifest first: what is left where this is cut short is not taken for a whole one."""
    remove_file(join(checkpoint, _MANIFEST))
    remove_folder(checkpoint)


def find_checkpoint(location: Location) -> str:
    """The checkpoint at `location`: itself, or the best (else the last) one of a run. Raises UserError."""
    if exists(join(location, _MANIFEST)):
        return str(location)
    found = best_checkpoint(location) or last_checkpoint(location)
    if found is None:
        raise UserError(
            f"'{location}' is neither a run with checkpoints nor a whole checkpoint; give --checkpoint what "
            "s2v train wrote with --out."
        )
    return found


def last_checkpoint(run: Location) -> str | None:
    """Where a run goes on from, or None where nothing was saved yet."""
    return _pointed(run, "last")


def best_checkpoint(run: Location) -> str | None:
    """The one with the best validation score, or None where there was no validation yet."""
    return _pointed(run, "best")


def checkpoints(run: Location) -> dict[str, bool]:
    """The folders of a run's checkpoints, in the order of their steps, and whether each was written to its end."""
    folder = join(run, "checkpoints")
    names = [name for name in sorted(list_folders(folder)) if _NAME.fullmatch(name)]
    return {join(folder, name): exists(join(folder, name, _MANIFEST)) for name in names}


def load_state(state: TrainingState, checkpoint: Location) -> None:
    """Put a checkpoint's weights, optimiser moments and progress into `state`, which has the same configuration.

    Raises UserError for a damaged checkpoint, and for one of other clips than `state.clips`.
    """
    files, described = _read(checkpoint)
    if described["clips"] != state.clips:
        raise UserError(
            f"'{checkpoint}' was trained on other clips (or these have changed since); to go on with them, "
            f"give another --out and --init-from '{checkpoint}'."
        )
    _put(dict(state.networks.items()), _tensors(files, "weights.safetensors", checkpoint), checkpoint)
    if state.ema is not None:
        _put({"generator": state.ema}, _tensors(files, "ema.safetensors", checkpoint), checkpoint)
    _put_moments(state, _tensors(files, "optimizers.safetensors", checkpoint))
    state.step, state.epoch, state.seconds = described["step"], described["epoch"], described["training_seconds"]
    state.best_score, state.metrics = described["best_score"], described["metrics"]


def load_weights(state: TrainingState, checkpoint: Location) -> None:
    """Start from another model's weights alone, for fine-tuning. Raises UserError where shapes differ."""
    files, _ = _read(checkpoint)
    _put(dict(state.networks.items()), _tensors(files, "weights.safetensors", checkpoint), checkpoint)
    if state.ema is not None:
        state.ema.load_state_dict(state.networks.generator.state_dict())


def load_model(checkpoint: Location) -> tuple[SoundToVideo, Config, dict[str, Any]]:
    """SE and G for use (their moving average where there is one), their configuration, and `state.json`."""
    files, described = _read(checkpoint)
    config = config_from_dict(described["config"], where=str(checkpoint))
    model = build_sound_to_video(config)
    name = "ema.safetensors" if "ema.safetensors" in files else "weights.safetensors"
    tensors = _tensors(files, name, checkpoint)
    ours = {key: tensor for key, tensor in tensors.items() if key.startswith("generator.")}
    _put({"generator": model}, ours, checkpoint)
    return model.eval().requires_grad_(False), config, described


def _description(state: TrainingState) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "step": state.step,
        "epoch": state.epoch,
        "clips": state.clips,
        "clips_seen": state.step * state.config.training.batch_size,
        "training_seconds": state.seconds,
        "best_score": state.best_score,
        "metrics": state.metrics,
        # All randomness is a function of these two.
        "rng": {"seed": state.config.training.seed, "step": state.step},
        "config": asdict(state.config),
    }


def _read(checkpoint: Location) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The files of a checkpoint, each as its manifest says, and what `state.json` says.

    Raises DamagedCheckpointError for a damaged or unfinished checkpoint, UserError for one of another version.
    """
    if not exists(join(checkpoint, _MANIFEST)):
        raise DamagedCheckpointError(f"'{checkpoint}' is no whole checkpoint (it has no {_MANIFEST}); choose another.")
    try:
        manifest = json.loads(read_bytes(join(checkpoint, _MANIFEST)))
        listed = {str(name): (entry["bytes"], entry["sha256"]) for name, entry in manifest.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedCheckpointError(
            f"'{checkpoint}' is damaged: {_MANIFEST} can't be read ({error!r}); choose another."
        ) from None
    files = {}
    for name, (size, digest) in listed.items():
        if "/" in name or "\\" in name:
            raise DamagedCheckpointError(f"'{checkpoint}' is damaged: its manifest names a file elsewhere ('{name}').")
        if not exists(join(checkpoint, name)):
            raise DamagedCheckpointError(f"'{checkpoint}' is damaged: {name} is missing; choose another.")
        content = read_bytes(join(checkpoint, name))
        if len(content) != size or hashlib.sha256(content).hexdigest() != digest:
            raise DamagedCheckpointError(
                f"'{checkpoint}' is damaged: {name} has {len(content)} bytes that differ from the {size} that were "
                "written; choose another, or let s2v train go on from the one before it by --skip-damaged."
            )
        files[name] = content
    try:
        described = json.loads(files[_STATE])
        version = described["format_version"]
        if version == FORMAT_VERSION:
            config_from_dict(described["config"], where=join(checkpoint, _STATE))
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedCheckpointError(
            f"'{checkpoint}' is damaged: {_STATE} can't be read ({error!r}); choose another."
        ) from None
    if version != FORMAT_VERSION:
        raise UserError(
            f"'{checkpoint}' has format version {version}, but this s2v reads {FORMAT_VERSION}; "
            "use the s2v that wrote it, or train again."
        )
    return files, described


def _pointed(run: Location, pointer: str) -> str | None:
    location = join(run, "checkpoints", pointer)
    if not exists(location):
        return None
    name = read_bytes(location).decode(errors="replace").strip()
    if not _NAME.fullmatch(name):
        raise UserError(f"{location} is damaged: it says '{name[:40]}', but must name a folder such as step_00001000.")
    return join(run, "checkpoints", name)


def _weights(networks: dict[str, nn.Module]) -> dict[str, Tensor]:
    return {
        f"{network}.{name}": tensor
        for network, module in networks.items()
        for name, tensor in module.state_dict().items()
    }


def _put(networks: dict[str, nn.Module], tensors: dict[str, Tensor], checkpoint: Location) -> None:
    for network, module in networks.items():
        prefix = f"{network}."
        ours = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        try:
            module.load_state_dict(ours)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise UserError(
                f"The weights in '{checkpoint}' don't fit this configuration's {network}: {reason}"
            ) from None


def _tensors(files: dict[str, bytes], name: str, checkpoint: Location) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load(files[name])
    except (KeyError, SafetensorError) as error:
        raise DamagedCheckpointError(
            f"'{checkpoint}' is damaged: {name} can't be read ({error!r}); choose another."
        ) from None


def _moments(state: TrainingState) -> dict[str, Tensor]:
    tensors = {}
    for network, parameter_name, parameter, optimizer in _parameters(state):
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{network}.{parameter_name}.{key}"] = value
    return tensors


def _put_moments(state: TrainingState, tensors: dict[str, Tensor]) -> None:
    for network, parameter_name, parameter, optimizer in _parameters(state):
        for key in ("step", "exp_avg", "exp_avg_sq"):
            value = tensors.get(f"{network}.{parameter_name}.{key}")
            if value is not None:
                # As Adam itself keeps them: on the parameter's device, the moments laid out as it is.
                count = key == "step"
                optimizer.state[parameter][key] = (
                    value.to(parameter.device) if count else torch.empty_like(parameter).copy_(value)
                )


def _parameters(state: TrainingState) -> list[tuple[str, str, nn.Parameter, Optimizer]]:
    return [
        (network, name, parameter, state.optimizers[network])
        for network, module in state.networks.items()
        for name, parameter in module.named_parameters()
    ]
