"""What a checkpoint holds: weights, EMA, optimiser moments and the mean frame in safetensors, the rest in `state.json`.

Nothing is unpickled. Checkpoints of formats 2 and 3, as releases 0.1 and 0.2 wrote them, are read, too. Those of
format 4 may lack the mean frame.
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim import Optimizer

from s2v_ray.config import Config, config_from_dict
from s2v_ray.config.load import upgraded
from s2v_ray.errors import UserError
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.storage.files import exists, read_bytes
from s2v_ray.storage.paths import Location, join
from s2v_ray.training.checkpoint_files import DAMAGED, damaged, last_checkpoint, read_files, write_files
from s2v_ray.training.data.stream import StreamPosition
from s2v_ray.training.networks import build_sound_to_video
from s2v_ray.training.schedule import Schedule, config_schedule
from s2v_ray.training.state import TrainingState, Unscored

FORMAT_VERSION = 4
_STATE, _WEIGHTS, _EMA, _MOMENTS = "state.json", "weights.safetensors", "ema.safetensors", "optimizers.safetensors"
_MEAN_FRAME = "mean_frame.safetensors"
# Format 2's names of files, and prefixes of its tensors' names; the first that fits is replaced.
_FORMAT_2_FILES = {"average.safetensors": _EMA}
_FORMAT_2_TENSORS = {"sound_to_video.generator.": "generator.unet.", "sound_to_video.": "generator."}

# What `state.json` holds beside the configuration and the schedule, as far as it is used.
_DESCRIBED: dict[str, Any] = {
    **dict.fromkeys(("step", "epoch", "clips_seen"), int),
    "training_seconds": int | float,
    "best_score": int | float | None,
    "clips": str,
    "metrics": dict,
    "config": dict,
}

# Tensors by file and name, copied to the CPU's memory, and what goes into `state.json`.
Snapshot = tuple[dict[str, dict[str, Tensor]], dict[str, Any]]


@dataclass(frozen=True)
class SavedState:
    """A checkpoint as read: its tensors by file, its configuration and schedule, and all of `state.json`."""

    checkpoint: str
    tensors: dict[str, dict[str, Tensor]]
    config: Config
    schedule: Schedule
    description: dict[str, Any]


def take_snapshot(state: TrainingState) -> Snapshot:
    """Copy the state, so that it can be written while training continues."""
    tensors = {_WEIGHTS: state.networks.state_dict(), _MOMENTS: _moments(state)}
    if state.ema is not None:
        tensors[_EMA] = nn.ModuleDict({"generator": state.ema}).state_dict()
    if state.mean_frame is not None:
        tensors[_MEAN_FRAME] = {"mean_CHW": state.mean_frame}
    copies = {
        file: {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in named.items()}
        for file, named in tensors.items()
    }
    return copies, {
        "format_version": FORMAT_VERSION,
        "step": state.step,
        "epoch": state.epoch,
        "clips": state.clips,
        "clips_seen": state.step * state.config.training.batch_size,
        "training_seconds": state.seconds,
        "schedule": asdict(state.schedule),
        "best_score": state.best_score,
        # Those of this checkpoint, not of one before.
        "metrics": {} if state.unscored and state.unscored.step == state.step else state.metrics,
        "unscored": asdict(state.unscored) if state.unscored else None,
        "position": asdict(state.position) if state.position else None,
        # All randomness is a function of these two.
        "rng": {"seed": state.config.training.seed, "step": state.step},
        "config": asdict(state.config),
    }


def write_checkpoint(run: Location, snapshot: Snapshot, *, best: bool) -> str:
    """Write a snapshot and point `last` (and `best`) to it; returns its location."""
    tensors, description = snapshot
    files = {file: safetensors.torch.save(named) for file, named in tensors.items()}
    files[_STATE] = json.dumps(description, indent=2).encode()
    return write_files(run, description["step"], files, best=best)


def read_checkpoint(checkpoint: Location) -> SavedState:
    """A checkpoint of this format or of an earlier one. Raises UserError if it is damaged or of another format."""
    files = read_files(checkpoint)
    config, schedule, description = _parse_description(files.pop(_STATE, b""), checkpoint)
    tensors = {}
    for file, content in files.items():
        try:
            tensors[_FORMAT_2_FILES.get(file, file)] = safetensors.torch.load(content)
        except SafetensorError as error:
            raise damaged(checkpoint, f"{file} can't be read ({error!r})") from None
    if description["format_version"] == 2:
        tensors = {file: {_renamed(name): value for name, value in named.items()} for file, named in tensors.items()}
    return SavedState(str(checkpoint), tensors, config, schedule, description)


def read_description(checkpoint: Location) -> dict[str, Any]:
    """What a checkpoint's `state.json` says, without reading its weights. Raises UserError if it is damaged."""
    return _parse_description(read_bytes(join(checkpoint, _STATE)), checkpoint)[2]


def run_schedule(run: Location, config: Config) -> Schedule:
    """The schedule that a run was opened with; of a new run, or if its last checkpoint is damaged, the configuration's.

    `load_state` replaces it by that of the checkpoint it loads.
    """
    last = last_checkpoint(run)
    if last is None or not exists(join(last, _STATE)):
        return config_schedule(config)
    try:
        return _parse_description(read_bytes(join(last, _STATE)), last)[1]
    except UserError as error:
        if error.code != DAMAGED:
            raise
        return config_schedule(config)


def load_state(state: TrainingState, checkpoint: Location) -> None:
    """Put a checkpoint's weights, optimiser moments, schedule and progress into `state` (of the same configuration).

    Raises UserError for a damaged checkpoint, and for one trained on clips other than `state.clips`.
    """
    saved = read_checkpoint(checkpoint)
    description = saved.description
    if description["clips"] != state.clips:
        raise UserError(
            "other_clips",
            f"'{checkpoint}' was trained on other clips, or these have changed since (sources were added, excluded or "
            f"included again); to continue with them, give another --out and --init-from '{checkpoint}'.",
        )
    _put(saved, _WEIGHTS, **state.networks)
    if state.ema is not None:
        _put(saved, _EMA, generator=state.ema)
    _put_moments(state, _file(saved, _MOMENTS))
    state.mean_frame = _mean_frame(saved)
    state.schedule = saved.schedule
    state.step, state.epoch, state.seconds = description["step"], description["epoch"], description["training_seconds"]
    metrics = description["metrics"]
    if "right_minus_wrong" in metrics:  # its name in format 2
        metrics["matched_minus_mismatched"] = metrics.pop("right_minus_wrong")
    state.metrics = metrics
    unscored = description.get("unscored")
    state.unscored = Unscored(**unscored) if unscored else None
    state.position = _position(description)
    # Earlier formats' scores were defined otherwise.
    state.best_score = description["best_score"] if description["format_version"] == FORMAT_VERSION else None


def inference_files(saved: SavedState) -> dict[str, bytes]:
    """The files of a checkpoint of this format with what generating needs alone: the SE and G that `load_model` gives.

    Raises UserError if the weights don't fit the configuration.
    """
    generator = nn.ModuleDict({"generator": model_of(saved)}).state_dict()
    mean_CHW = _mean_frame(saved)
    current = saved.description["format_version"] == FORMAT_VERSION
    description = {
        **{name: saved.description[name] for name in _DESCRIBED},
        "format_version": FORMAT_VERSION,
        "schedule": asdict(saved.schedule),
        "best_score": saved.description["best_score"] if current else None,  # of another definition before
        "metrics": saved.description["metrics"] if current else {},
        "config": asdict(saved.config),
    }
    return {
        _WEIGHTS: safetensors.torch.save(generator),
        **({} if mean_CHW is None else {_MEAN_FRAME: safetensors.torch.save({"mean_CHW": mean_CHW})}),
        _STATE: json.dumps(description, indent=2).encode(),
    }


def load_weights(state: TrainingState, checkpoint: Location) -> None:
    """Start from another model's weights alone, for fine-tuning. Raises UserError if shapes differ.

    The discriminators stay as they are where the checkpoint has none, as those of `inference_files`.
    """
    saved = read_checkpoint(checkpoint)
    held = {name.partition(".")[0] for name in _file(saved, _WEIGHTS)} | {"generator"}
    _put(saved, _WEIGHTS, **nn.ModuleDict({name: net for name, net in state.networks.items() if name in held}))
    if state.ema is not None:
        state.ema.load_state_dict(state.networks.generator.state_dict())


def load_model(checkpoint: Location) -> tuple[SoundToVideo, Config, dict[str, Any]]:
    """SE and G for generating (their EMA if the checkpoint has one), their configuration, and `state.json`."""
    saved = read_checkpoint(checkpoint)
    return model_of(saved), saved.config, saved.description


def load_model_and_mean_frame(checkpoint: Location) -> tuple[SoundToVideo, Config, Tensor | None]:
    """SE and G as `load_model` gives them, their configuration, and the mean frame [3, R, R] if there is one."""
    saved = read_checkpoint(checkpoint)
    return model_of(saved), saved.config, _mean_frame(saved)


def model_of(saved: SavedState) -> SoundToVideo:
    """SE and G, ready to generate. Raises UserError if the weights don't fit the configuration."""
    file = _EMA if _EMA in saved.tensors else _WEIGHTS
    with torch.device("meta"):  # the configuration may be a stranger's: no memory before the weights bear it out
        described = build_sound_to_video(saved.config)
    _put(saved, file, assign=True, generator=described)
    model = build_sound_to_video(saved.config)
    _put(saved, file, generator=model)
    return model.eval().requires_grad_(False)


def _mean_frame(saved: SavedState) -> Tensor | None:
    """None in checkpoints of earlier releases, and of training on videos that are decoded meanwhile."""
    mean_CHW = saved.tensors.get(_MEAN_FRAME, {}).get("mean_CHW")
    if mean_CHW is None:
        return None
    right = [3, saved.config.data.resolution, saved.config.data.resolution]
    if list(mean_CHW.shape) != right or mean_CHW.dtype != torch.float32 or not mean_CHW.isfinite().all():
        found = f"{mean_CHW.dtype} {list(mean_CHW.shape)}"
        raise damaged(saved.checkpoint, f"the mean frame is {found}, but must be finite numbers, float32 {right}")
    return mean_CHW


def _parse_description(content: bytes, checkpoint: Location) -> tuple[Config, Schedule, dict[str, Any]]:
    """The configuration and the schedule that a `state.json` holds, and all of it."""
    try:
        description = json.loads(content)
        version = description["format_version"]
        if version not in (2, 3, FORMAT_VERSION):
            raise UserError(
                "unknown_format",
                f"'{checkpoint}' has format version {version}, but this s2v reads 2 to {FORMAT_VERSION}; "
                "use the s2v that wrote it, or train again.",
            )
        _check_types(description)
        config = config_from_dict(upgraded(description["config"]), where=join(checkpoint, _STATE))
        schedule = _schedule(config, description)
        _check_unscored(description)
        _position(description)
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as error:
        raise damaged(checkpoint, f"{_STATE} can't be read ({error!r})") from None
    return config, schedule, description


def _check_types(description: dict[str, Any]) -> None:
    """Raise KeyError or ValueError where a value that is used later is missing, or of another type."""
    for name, kind in _DESCRIBED.items():
        value = description[name]
        # A bool is an int to Python; NaN and infinity are numbers to its JSON.
        if not isinstance(value, kind) or isinstance(value, bool) or (isinstance(value, float) and not isfinite(value)):
            raise ValueError(f"{name} is {value!r}")
    if description["step"] < 0 or not all(isinstance(value, int | float) for value in description["metrics"].values()):
        raise ValueError(f"step is {description['step']}, metrics are {description['metrics']}")


def _check_unscored(description: dict[str, Any]) -> None:
    """Raise KeyError, TypeError or ValueError unless it is missing, null, or an `Unscored` of a step up to this one."""
    unscored = description.get("unscored")
    if unscored is None:
        return
    step, eligible = Unscored(**unscored).step, unscored["eligible"]
    if type(step) is not int or not 0 < step <= description["step"] or type(eligible) is not bool:
        raise ValueError(f"unscored is {unscored!r}")


def _position(description: dict[str, Any]) -> StreamPosition | None:
    """None if it is missing or null. Raises KeyError, TypeError or ValueError unless it is whole numbers from 0 on."""
    if description.get("position") is None:
        return None
    visit, taken = description["position"]["visit"], description["position"]["taken"]
    places = tuple((of_visit, number) for of_visit, number in taken)
    if not all(type(number) is int and number >= 0 for number in (visit, *itertools.chain(*places))):
        raise ValueError(f"position is at visit {visit!r}, with {len(places)} clips taken")
    return StreamPosition(visit, places)


def _schedule(config: Config, description: dict[str, Any]) -> Schedule:
    """That of the run; format 2 has none, and format 3 has when the discriminators start instead."""
    start = config.loss.discriminator_start
    if description["format_version"] == FORMAT_VERSION:
        return _checked_schedule(Schedule(**description["schedule"]))
    if description["format_version"] == 2 or not start:
        return config_schedule(config)
    step, seconds = (description["schedule"][f"discriminator_start_{unit}"] for unit in ("step", "seconds"))
    return _checked_schedule(Schedule(int(step / start + 1e-9), None if seconds is None else seconds / start))


def _checked_schedule(schedule: Schedule) -> Schedule:
    """The same. Raises ValueError unless it has at least a step, and seconds above 0 or none."""
    steps, seconds = schedule.steps, schedule.seconds
    if type(steps) is not int or steps < 1 or not (seconds is None or (isfinite(seconds) and seconds > 0)):
        raise ValueError(f"the schedule is {schedule}")
    return schedule


def _put(saved: SavedState, file: str, *, assign: bool = False, **networks: nn.Module) -> None:
    """Load these networks; the file may hold others, too. `assign` makes the file's tensors theirs, without a copy."""
    tensors = _file(saved, file)
    for network, module in networks.items():
        prefix = f"{network}."
        own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        try:
            module.load_state_dict(own, assign=assign)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise UserError(
                "wrong_weights",
                f"The weights in '{saved.checkpoint}' don't fit this configuration's {network}: {reason}; "
                "use the configuration of its run.",
            ) from None


def _file(saved: SavedState, file: str) -> dict[str, Tensor]:
    if file not in saved.tensors:
        raise damaged(saved.checkpoint, f"it has no {file}")
    return saved.tensors[file]


def _renamed(name: str) -> str:
    """A tensor's name of format 2 in this format."""
    before, after = next(((b, a) for b, a in _FORMAT_2_TENSORS.items() if name.startswith(b)), ("", ""))
    return after + name.removeprefix(before)


def _moments(state: TrainingState) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": value
        for name, parameter, optimizer in _parameters(state)
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def _put_moments(state: TrainingState, tensors: dict[str, Tensor]) -> None:
    for name, parameter, optimizer in _parameters(state):
        for key in ("step", "exp_avg", "exp_avg_sq"):
            value = tensors.get(f"{name}.{key}")
            if value is not None:
                # As Adam itself keeps them: on the parameter's device, the moments in its memory layout.
                optimizer.state[parameter][key] = (
                    value.to(parameter.device) if key == "step" else torch.empty_like(parameter).copy_(value)
                )


def _parameters(state: TrainingState) -> Iterator[tuple[str, nn.Parameter, Optimizer]]:
    """All that is trained: the names of the weights in checkpoints, the weights, and their optimisers."""
    for name, parameter in state.networks.named_parameters():
        yield name, parameter, state.optimizers[name.split(".")[0]]
