"""`python -m s2v_ray` is `s2v`."""

import sys

from s2v_ray.cli import main

sys.exit(main())
