"""Speed beside honest baselines, and what a unit of work costs."""

import s2v_ray.cluster  # noqa: F401  sets what Ray reads of the environment, before Ray is imported
