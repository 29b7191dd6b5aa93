"""`s2v generate` on a cluster: ray job submit --working-dir . -- python jobs/generate.py FLAGS."""

import sys

from s2v_ray.cli import main

if __name__ == "__main__":
    sys.exit(main(["generate", *sys.argv[1:]]))
