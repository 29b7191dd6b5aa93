"""Joining the cluster that runs, or starting one on this machine."""

import logging
import os

# Ray reads these when it is imported: no phoning home, and no advice that a user of s2v can't act on.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")

import ray


def connect() -> None:
    """Join the cluster of this job, or start one here that ends with this process."""
    if ray.is_initialized():
        return
    in_cluster = "RAY_ADDRESS" in os.environ
    ray.init(
        address=None if in_cluster else "local",
        include_dashboard=None if in_cluster else False,
        logging_level=logging.ERROR,
        log_to_driver=True,
    )
