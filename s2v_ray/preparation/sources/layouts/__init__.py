"""Data sets in formats of others: a file for each format, which finds the videos among files."""

from s2v_ray.preparation.sources.layouts.found import VIDEO_SUFFIXES, Found, folder_labels, split_of
from s2v_ray.preparation.sources.layouts.read import may_have_layout, read_layouts

__all__ = ["VIDEO_SUFFIXES", "Found", "folder_labels", "may_have_layout", "read_layouts", "split_of"]
