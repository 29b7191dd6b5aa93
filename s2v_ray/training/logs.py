"""What a run writes for people to look at: `metrics.jsonl`, TensorBoard events, sample pictures."""

import json
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from s2v_ray.media.storage import write_bytes, writing_path


class RunLogs:
    """The logs of a run in `directory`, which go on after `step`: what a stopped run wrote beyond it is dropped."""

    def __init__(self, directory: Path, step: int) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        metrics = directory / "metrics.jsonl"
        if metrics.exists():
            write_bytes(metrics, "".join(_lines_up_to(metrics, step)).encode())
        self.metrics = metrics.open("a", encoding="utf-8", buffering=1)
        self.board = SummaryWriter(str(directory), purge_step=step + 1)

    def __enter__(self) -> "RunLogs":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.metrics.close()
        self.board.close()

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Log numbers under their names, such as "loss/generator"."""
        self.metrics.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            self.board.add_scalar(name, value, step)

    def sample(self, step: int, picture_HWC: np.ndarray) -> None:
        """Log a picture, uint8 [H, W, 3], and write it to `samples/`."""
        self.board.add_image("samples", picture_HWC, step, dataformats="HWC")
        with writing_path(self.directory / "samples" / f"step_{step:08d}.png") as beside:
            Image.fromarray(picture_HWC).save(beside)


def _lines_up_to(metrics: Path, step: int) -> list[str]:
    kept = []
    for line in metrics.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except ValueError:
            continue  # a line that was cut when the run was killed; its step is run again
    return kept
