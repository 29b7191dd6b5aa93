"""Joining the cluster that runs, or starting one on this machine."""

import logging
import os

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
