"""Joining the cluster that runs, or starting one on this machine."""

import logging
import os
import sys

import ray

_NODE_GROUP = "ray.io/node-group"


def connect() -> None:
    """Join the cluster of this job, or start one here that ends with this process."""
    if ray.is_initialized():
        return
    if not sys.stdout.isatty():
        os.environ.setdefault("RAY_COLOR_PREFIX", "0")  # no codes for a terminal in a log
    in_cluster = "RAY_ADDRESS" in os.environ
    ray.init(
        address=None if in_cluster else "local",
        include_dashboard=None if in_cluster else False,
        logging_level=logging.ERROR,
        log_to_driver=True,
    )


def grows() -> bool:
    """Whether an autoscaler adds nodes to this cluster when there is work for them: it tells each node its group."""
    return any(_NODE_GROUP in node.get("Labels", {}) for node in ray.nodes())
