"""`s2v tune` on a cluster: ray job submit --working-dir . -- python jobs/tune.py FLAGS."""

import sys

from s2v_ray.cli import main

if __name__ == "__main__":
    sys.exit(main(["tune", *sys.argv[1:]]))
