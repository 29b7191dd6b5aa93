"""Joining a running cluster, or starting one on this machine."""

import logging
import os
import sys
from typing import Any

import ray

from s2v_ray.cluster.ray_internals import NODE_GROUP


def connect() -> None:
    """Join the cluster of this job, or start one on this machine that ends with this process."""
    if ray.is_initialized():
        return
    if not sys.stdout.isatty():
        os.environ.setdefault("RAY_COLOR_PREFIX", "0")  # no terminal codes in a log
    alone: dict[str, Any] = {} if "RAY_ADDRESS" in os.environ else {"address": "local", "include_dashboard": False}
    ray.init(logging_level=logging.ERROR, log_to_driver=True, **alone)


def grows() -> bool:
    """Whether this cluster has an autoscaler, which labels each node with its group."""
    return any(NODE_GROUP in node.get("Labels", {}) for node in ray.nodes())
