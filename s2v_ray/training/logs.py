"""What a run writes for people to look at: `metrics.jsonl`, TensorBoard events, sample videos."""

import json
import tempfile
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from s2v_ray.config.schema import ClipConfig
from s2v_ray.media.encode import for_aac, write_video
from s2v_ray.storage.files import exists, list_versions, read_bytes, upload, write_bytes, writing_path
from s2v_ray.storage.paths import Location, is_uri, join
from s2v_ray.training.state import Unscored

_STRIP_EVERY = 20  # frames


class RunLogs(ExitStack):
    """The logs of a run that continues after `step`: what a stopped run wrote beyond it is dropped, and the score of
    `unscored`, which will be computed again.

    An object store can't append to a file: there they are written to a temporary folder, and `publish` uploads them.
    """

    def __init__(self, run: Location, clips: ClipConfig, step: int, unscored: Unscored | None = None) -> None:
        super().__init__()
        self.run, self.clips = run, clips
        # A resumed run starts from what was published, so the folder need not outlive this process.
        folder = self.enter_context(tempfile.TemporaryDirectory(prefix="s2v_")) if is_uri(run) else str(run)
        self.directory = Path(folder)
        self.directory.mkdir(parents=True, exist_ok=True)
        metrics = self.directory / "metrics.jsonl"
        if exists(join(run, metrics.name)):
            lines = _lines_up_to(read_bytes(join(run, metrics.name)), step, unscored.step if unscored else None)
            write_bytes(metrics, "".join(lines).encode())
        self.metrics = self.enter_context(metrics.open("a", encoding="utf-8", buffering=1))
        self.board = self.enter_context(SummaryWriter(str(self.directory), purge_step=step + 1))
        self._published: dict[str, str] = {}

    def publish(self) -> None:
        """Upload what changed, if the run is in an object store. Raises StoreError."""
        if not is_uri(self.run):
            return
        self.board.flush()
        versions = list_versions(self.directory, recursive=True)
        for name, version in versions.items():
            # Hidden files are still being written.
            if self._published.get(name) != version and not Path(name).name.startswith("."):
                upload(self.directory / name, join(self.run, name))
        self._published = versions

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Log numbers under their names, such as "loss/generator"."""
        self.metrics.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            self.board.add_scalar(name, value, step)

    def sample(self, step: int, frames_THWC: np.ndarray, wave: np.ndarray) -> None:
        """Write frames, uint8 [T, H, W, 3], and their sound, int16 [S], to `samples/`; log every 20th in a row."""
        strip_HWC = np.concatenate(list(frames_THWC[::_STRIP_EVERY]), axis=1)
        self.board.add_image("samples", strip_HWC, step, dataformats="HWC")
        name = self.directory / "samples" / f"step_{step:08d}"
        with writing_path(name.with_suffix(".png")) as path:
            Image.fromarray(strip_HWC).save(path)
        wave, sample_rate = for_aac(wave, self.clips.sample_rate)
        rate = Fraction(self.clips.frame_rate)
        write_video(name.with_suffix(".mp4"), frames_THWC, wave, frame_rate=rate, sample_rate=sample_rate)


def _lines_up_to(metrics: bytes, step: int, unscored: int | None) -> list[str]:
    kept = []
    for line in metrics.decode(errors="replace").splitlines(keepends=True):
        with suppress(ValueError):  # a line cut short when the run was killed; its step is run again
            values = json.loads(line)
            if values["step"] <= step and not (values["step"] == unscored and "validation/score" in values):
                kept.append(line)
    return kept
