"""Data sets in formats of others: a file for each format, which finds the videos among files."""

from s2v_ray.preparation.sources.layouts.found import VIDEO_SUFFIXES, split_of
from s2v_ray.preparation.sources.layouts.read import read_layouts

__all__ = ["VIDEO_SUFFIXES", "read_layouts", "split_of"]
