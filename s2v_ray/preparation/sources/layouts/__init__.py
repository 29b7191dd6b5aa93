"""Data sets in formats of others: a file for each format, which finds the videos among files."""

from s2v_ray.preparation.sources.layouts.found import split_of
from s2v_ray.preparation.sources.layouts.read import read_layouts

__all__ = ["read_layouts", "split_of"]
