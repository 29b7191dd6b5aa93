"""`s2v prepare` on a cluster: ray job submit --working-dir . -- python jobs/prepare.py FLAGS."""

import sys

from s2v_ray.cli import main

if __name__ == "__main__":
    sys.exit(main(["prepare", *sys.argv[1:]]))
