"""The flag `--track`, whose names may be separated by spaces or by commas."""

from collections.abc import Sequence
from typing import Annotated

from tyro.constructors import PrimitiveConstructorSpec

from s2v_ray.tracking.tracker import MLFLOW, TENSORBOARD, WANDB


def _flag(*known: str) -> PrimitiveConstructorSpec[tuple[str, ...]]:
    def parsed(texts: Sequence[str]) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(name for text in texts for name in text.split(",") if name))
        for name in names:
            if name not in known:
                raise ValueError(f"'{name}' is none of {', '.join(known)}.")
        return names

    return PrimitiveConstructorSpec(
        nargs="*",
        metavar=f"[{{{','.join(known)}}} ...]",
        instance_from_str=parsed,
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=list,
    )


Track = Annotated[tuple[str, ...], _flag(TENSORBOARD, WANDB, MLFLOW)]
TrackReport = Annotated[tuple[str, ...], _flag(WANDB, MLFLOW)]  # of what has no event files
