"""A service that runs as long as the program that started it."""

import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable

import ray
from ray import serve

from s2v_ray.cluster.connect import connect, grows
from s2v_ray.cluster.serving.application import application
from s2v_ray.cluster.serving.http import LOOPBACK, TOKEN_VARIABLE, token_hash
from s2v_ray.cluster.serving.service import Mount
from s2v_ray.cluster.serving.settings import ServiceSettings
from s2v_ray.errors import UserError
from s2v_ray.logs import library_level
from s2v_ray.training.interrupt import stop_signals

_NAME = "s2v"
_POLL_SECONDS = 0.2
_AGENT_SECONDS = 60.0
_LOGGING = {"log_level": "WARNING", "enable_access_log": False}


def serve_until_stopped(
    settings: ServiceSettings,
    *,
    host: str,
    port: int,
    mount: Mount | None = None,
    on_ready: Callable[[str, str], None],
) -> None:
    """Serve on this machine, or on the cluster of this job, until Ctrl-C or SIGTERM; then finish what is under way.

    `on_ready` gets the address, and that of this node's metrics. Raises UserError `no_token` for a `host` that others
    reach, `port_in_use`, `too_few_resources` or `not_started`.
    """
    token_sha256 = token_hash(os.environ.get(TOKEN_VARIABLE))
    if token_sha256 is None and host not in LOOPBACK:
        rule = f"so that other machines reach the service; set {TOKEN_VARIABLE} to a secret of 16 or more characters"
        raise UserError("no_token", f"--host is {host}, {rule}, or leave --host out.")
    _check_port(host, port)
    connect()
    _check_resources(settings)
    _wait_for_metrics_agent()
    with stop_signals() as stopped:  # not earlier: Ray puts its own handlers when it starts
        logging.getLogger("ray.serve").setLevel(library_level(logging.WARNING))
        serve.start(proxy_location="HeadOnly", http_options={"host": host, "port": port}, logging_config=_LOGGING)
        try:
            handle = serve.run(
                application(settings, token_sha256, mount), name=_NAME, route_prefix="/", logging_config=_LOGGING
            )
            on_ready(f"http://{host}:{port}", _metrics_address())
            while not stopped():
                time.sleep(_POLL_SECONDS)
            while handle.drain.remote().result():
                time.sleep(_POLL_SECONDS)
        except RuntimeError as error:
            raise UserError("not_started", f"The service failed: {' '.join(str(error).split())[-600:]}") from None
        finally:
            _delete()


def _delete() -> None:
    """Delete the application; videos may still be on their way to slow clients, which Serve gives `timeout_seconds`."""
    while True:
        try:
            serve.delete(_NAME)
        except TimeoutError:  # it waits for a minute
            continue
        return


def _metrics_address() -> str:
    host, port = _metrics_endpoint()
    return f"http://{host}:{port}/metrics"


def _metrics_endpoint() -> tuple[str, int]:
    node = next(node for node in ray.nodes() if node["NodeID"] == ray.get_runtime_context().get_node_id())
    return node["NodeManagerAddress"], node["MetricsExportPort"]


def _wait_for_metrics_agent() -> None:
    """Return once this node's agent answers, or after a minute.

    What starts more than 30 s before it, as on a busy machine, gives up, and never reports a metric.
    """
    deadline = time.monotonic() + _AGENT_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(_metrics_endpoint(), 1).close()
            return
        time.sleep(_POLL_SECONDS)


def _check_port(host: str, port: int) -> None:
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        rule = "choose another, with --port or --host"
        raise UserError("port_in_use", f"{host}:{port} can't be listened on ({error.strerror}); {rule}.") from None


def _check_resources(settings: ServiceSettings) -> None:
    """Raise UserError if the cluster can't hold the least number of replicas."""
    has, least = ray.cluster_resources(), settings.replicas[0]
    for kind, each in (("CPU", settings.cpus_per_replica), ("GPU", settings.gpus_per_replica)):
        if each * least > has.get(kind, 0.0) and not grows():
            needed = f"{least} replicas need {each * least:g} {kind}s, but the cluster has {has.get(kind, 0.0):g}"
            raise UserError("too_few_resources", f"{needed}; use fewer replicas, or less for each.")
