"""What a tracker of experiments is to a training."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TENSORBOARD, WANDB, MLFLOW = "tensorboard", "wandb", "mlflow"
NAMES = {TENSORBOARD: "TensorBoard", WANDB: "Weights & Biases", MLFLOW: "MLflow"}  # as people write them
FINISHED, STOPPED, FAILED, UNCHANGED = "finished", "stopped", "failed", "unchanged"  # how an entry is closed

# A step and its values under names such as "loss/generator": a line of metrics.jsonl.
Line = tuple[int, Mapping[str, float]]
# Logged beside the values that follow them: how far an entry is.
STEP, VALIDATION_STEP = "training/step", "validation/step"


@dataclass(frozen=True)
class Tracker:
    """What may be done with a run's open entry.

    `history` is called first, with all lines that the run has so far; `scalars` with each later one, in the order of
    their steps but for validations, which may be of an earlier step. `sample` gets a step, an MP4 with sound and a PNG;
    `scores` what the model of a step reached in an evaluation; `files` the name of an artefact, and its files by their
    names. `close` is told FINISHED, STOPPED, FAILED or UNCHANGED. `where` is the entry's address, for people.
    """

    where: str
    history: Callable[[Iterable[Line]], None]
    scalars: Callable[[int, Mapping[str, float]], None]
    sample: Callable[[int, Path, Path], None]
    scores: Callable[[int, Mapping[str, float]], None]
    files: Callable[[str, Mapping[str, Path]], None]
    flush: Callable[[], None]
    close: Callable[[str], None]


def tracker_names(texts: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The trackers that texts such as "wandb,mlflow" name, each once. Raises ValueError for one that isn't known."""
    names = tuple(dict.fromkeys(name for text in texts for name in text.split(",") if name))
    for name in names:
        if name not in known:
            raise ValueError(f"'{name}' is none of {', '.join(known)}.")
    return names


def without_credentials(text: str) -> str:
    """A text for people, without the name and password that a URI in it may hold."""
    return re.sub(r"//[^/\s]*@", "//", text)


def axis_of(values: Mapping[str, float]) -> str:
    """Which steps these values follow: validations arrive late, but in the order of theirs."""
    return VALIDATION_STEP if any(name.startswith("validation/") for name in values) else STEP


def once(reached: Mapping[str, float], send: Callable[[int, dict[str, float]], None]) -> Callable[..., None]:
    """`scalars` that sends a line, with its step among the values, unless its steps are `reached` already.

    So what a tracker holds of a stopped run beyond its checkpoint is not sent again: a resumed run repeats it exactly.
    """
    sent = dict(reached)

    def scalars(step: int, values: Mapping[str, float]) -> None:
        axis = axis_of(values)
        if step > sent.get(axis, -1):
            send(step, {**values, axis: float(step)})
            sent[axis] = step

    return scalars
