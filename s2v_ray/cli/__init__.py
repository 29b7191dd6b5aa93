"""`s2v`: parses, calls, prints."""

from s2v_ray.cli.main import main

__all__ = ["main"]
