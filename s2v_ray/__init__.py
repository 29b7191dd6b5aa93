"""Make a video from one image and any sound, with a model trained on your own folder of videos."""

import os
from importlib.metadata import PackageNotFoundError, version

# Before torch is loaded: its threads otherwise spin while they wait, which slows all of a shared machine down, itself
# included (a training step beside one other program took twice as long).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

try:
    __version__ = version("s2v_ray")
except PackageNotFoundError:
    __version__ = "0.dev0+not.installed"  # the source folder, imported from where it lies
