"""`s2v evaluate` on a cluster: ray job submit --working-dir . -- python jobs/evaluate.py FLAGS."""

import sys

from s2v_ray.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
