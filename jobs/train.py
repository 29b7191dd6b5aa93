"""`s2v train` on a cluster: ray job submit --working-dir . -- python jobs/train.py FLAGS."""

import sys

from s2v_ray.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
