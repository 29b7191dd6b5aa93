"""Make a video from one image and any sound, with a model trained on your own folder of videos."""

import os
from importlib import import_module

TYPE_CHECKING = False  # type checkers know the name; importing it would take most of this package's time
if TYPE_CHECKING:
    from s2v_ray.api.clips import clip_video, open_clips
    from s2v_ray.api.evaluate import evaluate
    from s2v_ray.api.model import Model, load
    from s2v_ray.api.prepare import Prepared, prepare
    from s2v_ray.api.probe import Probed, probe
    from s2v_ray.api.train import Trained, train
    from s2v_ray.api.tune import Tuned, tune
    from s2v_ray.api.video import Video
    from s2v_ray.config import Config, load_config
    from s2v_ray.dataset.measures import QualityLimits
    from s2v_ray.errors import MediaError, UserError
    from s2v_ray.media.decoding.limits import Limits
    from s2v_ray.version import __version__ as __version__

# Before torch is loaded: its threads otherwise spin while they wait, which slows all of a shared machine down, itself
# included (a training step beside one other program took twice as long).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__all__ = [
    "Config",
    "Limits",
    "MediaError",
    "Model",
    "Prepared",
    "Probed",
    "QualityLimits",
    "Trained",
    "Tuned",
    "UserError",
    "Video",
    "clip_video",
    "evaluate",
    "load",
    "load_config",
    "open_clips",
    "prepare",
    "probe",
    "train",
    "tune",
]

# Where each name is: torch and Ray take seconds to import, so that a file is imported when its name is used first.
_FILES = {
    "s2v_ray.api.clips": ("clip_video", "open_clips"),
    "s2v_ray.api.evaluate": ("evaluate",),
    "s2v_ray.api.model": ("Model", "load"),
    "s2v_ray.api.prepare": ("Prepared", "prepare"),
    "s2v_ray.api.probe": ("Probed", "probe"),
    "s2v_ray.api.train": ("Trained", "train"),
    "s2v_ray.api.tune": ("Tuned", "tune"),
    "s2v_ray.api.video": ("Video",),
    "s2v_ray.config": ("Config", "load_config"),
    "s2v_ray.dataset.measures": ("QualityLimits",),
    "s2v_ray.errors": ("MediaError", "UserError"),
    "s2v_ray.media.decoding.limits": ("Limits",),
    "s2v_ray.version": ("__version__",),
}

if not TYPE_CHECKING:  # which would take every name for one of ours

    def __getattr__(name):
        for file, names in _FILES.items():
            if name in names:
                return globals().setdefault(name, getattr(import_module(file), name))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
