"""Checkpoints: weights and optimiser moments in safetensors, the rest in JSON, a manifest written last.

A run directory holds `checkpoints/step_00001000/` and the text files `best` and `last` that name one of these.
Only what the manifest lists, byte for byte, is loaded; nothing is unpickled.
"""

import hashlib
import json
import re
from dataclasses import asdict
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim import Optimizer

from s2v_ray.config import Config, UserError, config_from_dict
from s2v_ray.media.storage import Location, exists, join, list_folders, read_bytes, remove_folder, write_bytes
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.training.networks import build_sound_to_video
from s2v_ray.training.state import TrainingState

FORMAT_VERSION = 1
_MANIFEST, _STATE = "manifest.json", "state.json"
_NAME = re.compile(r"step_\d{8}")


def save_checkpoint(run: Location, state: TrainingState, *, best: bool) -> str:
    """Write the whole state and point `last` (and `best`) to it; returns its location."""
    name = f"step_{state.step:08d}"
    folder = join(run, "checkpoints", name)
    files = {
        "weights.safetensors": safetensors.torch.save(_weights(dict(state.networks.items()))),
        "optimizers.safetensors": safetensors.torch.save(_moments(state)),
        _STATE: json.dumps(_description(state), indent=2).encode(),
    }
    if state.average is not None:
        files["average.safetensors"] = safetensors.torch.save(_weights({"sound_to_video": state.average}))
    for file, content in files.items():
        write_bytes(join(folder, file), content)
    manifest = {
        file: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for file, content in files.items()
    }
    write_bytes(join(folder, _MANIFEST), json.dumps(manifest, indent=2).encode())
    for pointer in ("best", "last") if best else ("last",):
        write_bytes(join(run, "checkpoints", pointer), name.encode())
    return folder


def remove_old_checkpoints(run: Location, keep: int) -> None:
    """Remove what was never finished, and all whole ones but the last `keep`, the best and the last."""
    folder = join(run, "checkpoints")
    names = [name for name in list_folders(folder) if _NAME.fullmatch(name)]
    whole = [name for name in names if exists(join(folder, name, _MANIFEST))]
    pointed = {_pointed(run, pointer) for pointer in ("best", "last")}
    for name in names:
        if name not in whole[-keep:] and name not in pointed:
            remove_folder(join(folder, name))


def find_checkpoint(location: Location) -> str:
    """The checkpoint at `location`: itself, or the best (else the last) one of a run. Raises UserError."""
    if exists(join(location, _MANIFEST)):
        return str(location)
    name = _pointed(location, "best") or _pointed(location, "last")
    if name is None:
        raise UserError(
            f"'{location}' is neither a run with checkpoints nor a whole checkpoint; give --checkpoint what "
            "s2v train wrote with --out."
        )
    return join(location, "checkpoints", name)


def last_checkpoint(run: Location) -> str | None:
    """Where a run goes on from, or None where nothing was saved yet."""
    name = _pointed(run, "last")
    return join(run, "checkpoints", name) if name else None


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
    if state.average is not None:
        _put({"sound_to_video": state.average}, _tensors(files, "average.safetensors", checkpoint), checkpoint)
    _put_moments(state, _tensors(files, "optimizers.safetensors", checkpoint))
    state.step, state.seconds = described["step"], described["training_seconds"]
    state.best_score, state.metrics = described["best_score"], described["metrics"]


def load_weights(state: TrainingState, checkpoint: Location) -> None:
    """Start from another model's weights alone, for fine-tuning. Raises UserError where shapes differ."""
    files, _ = _read(checkpoint)
    _put(dict(state.networks.items()), _tensors(files, "weights.safetensors", checkpoint), checkpoint)
    if state.average is not None:
        state.average.load_state_dict(state.networks.sound_to_video.state_dict())


def load_model(checkpoint: Location) -> tuple[SoundToVideo, Config, dict[str, Any]]:
    """SE and G for use (their moving average where there is one), their configuration, and `state.json`."""
    files, described = _read(checkpoint)
    config = config_from_dict(described["config"], where=str(checkpoint))
    model = build_sound_to_video(config)
    name = "average.safetensors" if "average.safetensors" in files else "weights.safetensors"
    tensors = _tensors(files, name, checkpoint)
    ours = {key: tensor for key, tensor in tensors.items() if key.startswith("sound_to_video.")}
    _put({"sound_to_video": model}, ours, checkpoint)
    return model.eval().requires_grad_(False), config, described


def _description(state: TrainingState) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "step": state.step,
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

    Raises UserError for a damaged or unfinished checkpoint, and for one of another version.
    """
    if not exists(join(checkpoint, _MANIFEST)):
        raise UserError(f"'{checkpoint}' is no whole checkpoint (it has no {_MANIFEST}); choose another.")
    try:
        manifest = json.loads(read_bytes(join(checkpoint, _MANIFEST)))
        listed = {str(name): (entry["bytes"], entry["sha256"]) for name, entry in manifest.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"'{checkpoint}' is damaged: {_MANIFEST} can't be read ({error!r}); choose another.") from None
    files = {}
    for name, (size, digest) in listed.items():
        if "/" in name or "\\" in name:
            raise UserError(f"'{checkpoint}' is damaged: its manifest names a file elsewhere ('{name}').")
        if not exists(join(checkpoint, name)):
            raise UserError(f"'{checkpoint}' is damaged: {name} is missing; choose another.")
        content = read_bytes(join(checkpoint, name))
        if len(content) != size or hashlib.sha256(content).hexdigest() != digest:
            raise UserError(
                f"'{checkpoint}' is damaged: {name} has {len(content)} bytes that differ from the {size} that were "
                "written; choose another, or write another's name into the run's checkpoints/last to go on from there."
            )
        files[name] = content
    try:
        described = json.loads(files[_STATE])
        version = described["format_version"]
        if version == FORMAT_VERSION:
            config_from_dict(described["config"], where=join(checkpoint, _STATE))
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"'{checkpoint}' is damaged: {_STATE} can't be read ({error!r}); choose another.") from None
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
    return name


def _weights(networks: dict[str, nn.Module]) -> dict[str, Tensor]:
    return {
        f"{network}.{name}": tensor.detach().cpu().contiguous()
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
        raise UserError(f"'{checkpoint}' is damaged: {name} can't be read ({error!r}); choose another.") from None


def _moments(state: TrainingState) -> dict[str, Tensor]:
    tensors = {}
    for network, parameter_name, parameter, optimizer in _parameters(state):
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{network}.{parameter_name}.{key}"] = value.detach().cpu().contiguous()
    return tensors


def _put_moments(state: TrainingState, tensors: dict[str, Tensor]) -> None:
    for network, parameter_name, parameter, optimizer in _parameters(state):
        for key in ("step", "exp_avg", "exp_avg_sq"):
            value = tensors.get(f"{network}.{parameter_name}.{key}")
            if value is not None:
                optimizer.state[parameter][key] = value if key == "step" else value.to(parameter.device)


def _parameters(state: TrainingState) -> list[tuple[str, str, nn.Parameter, Optimizer]]:
    return [
        (network, name, parameter, state.optimizers[network])
        for network, module in state.networks.items()
        for name, parameter in module.named_parameters()
    ]
