"""Lists of videos, public sets' and one's own: each format in its file, all of them read into the same rows."""

from s2v_ray.preparation.sources.manifests.read import read_manifest
from s2v_ray.preparation.sources.manifests.rows import Part, Row

__all__ = ["Part", "Row", "read_manifest"]
