"""The version of what is installed: that of the git tag (docs/releasing.md)."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("s2v_ray")
except PackageNotFoundError:
    __version__ = "0.dev0+not.installed"  # the source folder, imported from where it lies
