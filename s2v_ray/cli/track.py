"""The flag `--track`, whose names may be separated by spaces or by commas."""

from functools import partial
from typing import Annotated

from tyro.constructors import PrimitiveConstructorSpec

from s2v_ray.tracking.tracker import MLFLOW, TENSORBOARD, WANDB, tracker_names


def _flag(*known: str) -> PrimitiveConstructorSpec[tuple[str, ...]]:
    return PrimitiveConstructorSpec(
        nargs="*",
        metavar=f"[{{{','.join(known)}}} ...]",
        instance_from_str=partial(tracker_names, known=known),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=list,
    )


Track = Annotated[tuple[str, ...], _flag(TENSORBOARD, WANDB, MLFLOW)]
TrackReport = Annotated[tuple[str, ...], _flag(WANDB, MLFLOW)]  # of what has no event files
