"""What `benchmark.py` measures, one file each."""

import s2v_ray.cluster  # noqa: F401  sets what Ray reads of the environment, before Ray is imported
