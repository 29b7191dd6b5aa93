"""`s2v train` on a cluster: ray job submit --runtime-env jobs/runtime_env.yaml -- python jobs/train.py FLAGS."""

import sys

import needs  # noqa: F401  # says what this Python lacks

from s2v_ray.cli.job import run

if __name__ == "__main__":
    sys.exit(run("train", sys.argv[1:]))
