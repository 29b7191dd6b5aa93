"""Lists of videos: a file for each format, all of them read into the same rows."""

from s2v_ray.preparation.sources.manifests.read import read_manifest
from s2v_ray.preparation.sources.manifests.rows import Part, Row

__all__ = ["Part", "Row", "read_manifest"]
