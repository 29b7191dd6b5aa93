"""What a run writes for people to look at: `metrics.jsonl`, sample videos, and what trackers make of them."""

import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from s2v_ray.config.schema import ClipConfig
from s2v_ray.media.encode import for_aac, write_video
from s2v_ray.storage.files import exists, list_versions, read_bytes, upload, write_bytes, writing_path
from s2v_ray.storage.paths import Location, is_uri, join
from s2v_ray.tracking.tensorboard import open_tensorboard
from s2v_ray.tracking.tracker import FINISHED, Tracker
from s2v_ray.training.state import Unscored

_STRIP_EVERY = 20  # frames


class RunLogs(ExitStack):
    """The logs of a run that continues after `step`: what a stopped run wrote beyond it is dropped, and the score of
    `unscored`, which will be computed again.

    `trackers` get what was logged before, and all that follows. An object store can't append to a file: there they are
    written to a temporary folder, and `publish` uploads them.
    """

    def __init__(
        self,
        run: Location,
        clips: ClipConfig,
        step: int,
        unscored: Unscored | None = None,
        trackers: Sequence[Tracker] = (),
        *,
        tensorboard: bool = True,
    ) -> None:
        super().__init__()
        self.run, self.clips = run, clips
        # A resumed run starts from what was published, so the folder need not outlive this process.
        folder = self.enter_context(tempfile.TemporaryDirectory(prefix="s2v_")) if is_uri(run) else str(run)
        self.directory = Path(folder)
        self.directory.mkdir(parents=True, exist_ok=True)
        metrics = self.directory / "metrics.jsonl"
        if exists(join(run, metrics.name)):
            lines = _lines_up_to(read_bytes(join(run, metrics.name)), step, unscored.step if unscored else None)
            write_bytes(metrics, "".join(json.dumps(line) + "\n" for line in lines).encode())
            history = [(line["step"], {name: line[name] for name in line if name != "step"}) for line in lines]
            for tracker in trackers:
                tracker.history(history)
        self.metrics = self.enter_context(metrics.open("a", encoding="utf-8", buffering=1))
        self.trackers = list(trackers)
        if is_uri(run):  # samples are sent before their folder goes
            for tracker in trackers:
                self.callback(tracker.flush)
        self.board = open_tensorboard(self.directory, step) if tensorboard else None
        if self.board:
            self.trackers.append(self.board)
            self.callback(self.board.close, FINISHED)
        self._published: dict[str, str] = {}

    def publish(self) -> None:
        """Upload what changed, if the run is in an object store. Raises StoreError."""
        if not is_uri(self.run):
            return
        if self.board:
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
        for tracker in self.trackers:
            tracker.scalars(step, values)

    def sample(self, step: int, frames_THWC: np.ndarray, wave: np.ndarray) -> None:
        """Write frames, uint8 [T, H, W, 3], and their sound, int16 [S], to `samples/`; log every 20th in a row."""
        strip_HWC = np.concatenate(list(frames_THWC[::_STRIP_EVERY]), axis=1)
        name = self.directory / "samples" / f"step_{step:08d}"
        strip, video = name.with_suffix(".png"), name.with_suffix(".mp4")
        with writing_path(strip) as path:
            Image.fromarray(strip_HWC).save(path)
        wave, sample_rate = for_aac(wave, self.clips.sample_rate)
        rate = Fraction(self.clips.frame_rate)
        write_video(video, frames_THWC, wave, frame_rate=rate, sample_rate=sample_rate)
        for tracker in self.trackers:
            tracker.sample(step, video, strip)


def _lines_up_to(metrics: bytes, step: int, unscored: int | None) -> list[dict[str, Any]]:
    kept = []
    for line in metrics.decode(errors="replace").splitlines(keepends=True):
        with suppress(ValueError):  # a line cut short when the run was killed; its step is run again
            values = json.loads(line)
            if values["step"] <= step and not (values["step"] == unscored and "validation/score" in values):
                kept.append(values)
    return kept
