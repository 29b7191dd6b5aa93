"""What `benchmark.py` measures, one file each."""

import s2v_ray.cluster  # noqa: F401  sets Ray's environment variables before Ray is imported
