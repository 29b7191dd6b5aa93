"""TensorBoard: event files in the run's folder."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from s2v_ray.tracking.tracker import Line, Tracker


def open_tensorboard(directory: Path, step: int) -> Tracker:
    """Events of a run that continues after `step`: TensorBoard drops what was written of later ones."""
    from torch.utils.tensorboard import SummaryWriter  # imports for most of a second, and only a training needs it

    board = SummaryWriter(str(directory), purge_step=step + 1)

    def history(lines: Iterable[Line]) -> None:
        """Nothing: they are in earlier event files."""

    def scalars(step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            board.add_scalar(name, value, step)

    def sample(step: int, video: Path, strip: Path) -> None:
        with Image.open(strip) as image:
            board.add_image("samples", np.asarray(image), step, dataformats="HWC")

    def files(kind: str, files: Mapping[str, Path]) -> None:
        """Nothing: event files hold none."""

    return Tracker(
        str(directory), history, scalars, sample, scalars, files, board.flush, close=lambda outcome: board.close()
    )
