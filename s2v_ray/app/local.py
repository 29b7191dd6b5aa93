"""Models that make videos in this process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Event, Lock

import numpy as np
import torch

from s2v_ray.app.work import Cancelled, OnProgress
from s2v_ray.generation.region import Region
from s2v_ray.generation.video import Generator, Options, load_generator, make_video, picture_and_region

_LOADED = 4  # models at a time; the others are loaded again when they are used


@dataclass(frozen=True)
class LocalModels:
    """Checkpoints by the models' names, loaded when first used; `make` and `locate` are what a page takes.

    Set `closing` to end what is being made: the process waits for its threads.
    """

    checkpoints: Mapping[str, str]
    device: torch.device
    closing: Event = field(default_factory=Event)
    _loading: Lock = field(default_factory=Lock)

    def load(self) -> None:
        """Load each checkpoint once, so that one that can't be used is found now. Raises UserError."""
        for model in self.checkpoints:
            self._generator(model)

    def make(self, model: str, image: str, sound: str, out: str, options: Options, on_progress: OnProgress) -> None:
        """Make a video; see `Make`."""

        def show(done: float, text: str) -> None:
            if self.closing.is_set():
                raise Cancelled
            on_progress(done, text)

        show(0.0, "loading the model")
        make_video(self._generator(model), image, sound, out, show, options)

    def locate(self, model: str, image: str, region: str) -> tuple[np.ndarray, Region]:
        """Find the square; see `Locate`."""
        return picture_and_region(self._generator(model), image, Options(region=region))

    def _generator(self, model: str) -> Generator:
        with self._loading:  # two requests at once load it once
            return _load(self.checkpoints[model], self.device)


@lru_cache(maxsize=_LOADED)
def _load(checkpoint: str, device: torch.device) -> Generator:
    return load_generator(checkpoint, device)
