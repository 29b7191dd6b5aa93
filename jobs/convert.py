"""`s2v convert` on a cluster: ray job submit --runtime-env jobs/runtime_env.yaml -- python jobs/convert.py FLAGS."""

import sys

from s2v_ray.cli.job import run

if __name__ == "__main__":
    sys.exit(run("convert", sys.argv[1:]))
