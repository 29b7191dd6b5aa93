"""Joining a running cluster, or starting one on this machine."""

import logging
import os
import socket
import sys
from typing import Any

import ray

from s2v_ray.cluster.ray_internals import NODE_GROUP
from s2v_ray.errors import UserError
from s2v_ray.logs import library_level
from s2v_ray.storage.os_errors import reason

_ANSWER_SECONDS = 10.0


def connect() -> None:
    """Join the cluster of this job, or start one on this machine that ends with this process."""
    if ray.is_initialized():
        return
    if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        os.environ.setdefault("RAY_COLOR_PREFIX", "0")  # no terminal codes in a log
    alone: dict[str, Any] = {} if "RAY_ADDRESS" in os.environ else {"address": "local", "include_dashboard": False}
    _check_address(os.environ.get("RAY_ADDRESS", ""))
    try:
        ray.init(logging_level=library_level(logging.ERROR), log_to_driver=True, **alone)
    except UserError:
        raise
    except Exception as error:  # Ray's own, of many kinds
        raise UserError("ray_not_started", _why_not(error)) from error


def _check_address(address: str) -> None:
    """Raise UserError if nothing answers at a host and port: Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UserError("ray_not_started", _why_not(error)) from None


def _why_not(error: Exception) -> str:
    """Why Ray did not start, and what to do."""
    # Ray's messages have several lines.
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    if "AF_UNIX path length" in text:
        name = "RAY_TMPDIR" if "RAY_TMPDIR" in os.environ else "TMPDIR"
        rule = f"its sockets lie below {name}, '{os.environ.get(name, '')}', and a socket's path has at most 107 bytes"
        return f"Ray can't start: {rule}; set {name} to a short path such as /tmp, or RAY_TMPDIR beside it."
    if address := os.environ.get("RAY_ADDRESS"):
        return f"Ray's cluster at RAY_ADDRESS '{address}' can't be joined ({text}); correct it, or unset RAY_ADDRESS."
    why = reason(error) if isinstance(error, OSError) else text
    without = "`s2v prepare --local`, `s2v generate --local` and `s2v train --workers 0` need no Ray"
    return f"Ray can't start on this machine: {why}. {without}."


def grows() -> bool:
    """Whether this cluster has an autoscaler, which labels each node with its group."""
    return any(NODE_GROUP in node.get("Labels", {}) for node in ray.nodes())
