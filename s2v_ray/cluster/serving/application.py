"""The application: the service, and replicas that come and go with the load."""

import os
from collections.abc import Mapping
from typing import Any

from ray import serve
from ray.serve import Application

from s2v_ray.cluster.serving.http import TOKEN_VARIABLE, token_hash
from s2v_ray.cluster.serving.problems import RETRY_SECONDS
from s2v_ray.cluster.serving.replica import replica_class
from s2v_ray.cluster.serving.service import Mount, Service
from s2v_ray.cluster.serving.settings import ServiceSettings, settings_from_dict
from s2v_ray.errors import UserError

_UPLOADS = 64  # requests whose bodies arrive, beside those that wait for a replica


def application(settings: ServiceSettings, token_sha256: str | None, mount: Mount | None = None) -> Application:
    """What `serve.run` takes. Without a token, it must be reachable from this machine alone."""
    least, most = settings.replicas
    models: Any = serve.deployment(
        replica_class(settings),
        name="models",
        ray_actor_options={"num_cpus": settings.cpus_per_replica, "num_gpus": settings.gpus_per_replica},
        max_ongoing_requests=settings.requests_per_replica,
        max_queued_requests=settings.queue,
        autoscaling_config={
            "min_replicas": least,
            "max_replicas": most,
            "target_ongoing_requests": settings.requests_per_replica,
            "upscale_delay_s": 5.0,
            "downscale_delay_s": 300.0,
        },
        graceful_shutdown_timeout_s=settings.timeout_seconds,
        health_check_period_s=2.0,  # how long a lost replica may go unnoticed
    )
    under_way = settings.queue + most * settings.requests_per_replica
    service: Any = serve.deployment(
        Service,
        name="service",
        ray_actor_options={"num_cpus": 0},
        max_ongoing_requests=under_way + _UPLOADS,
        max_queued_requests=_UPLOADS,
        backpressure_config={"retry_after_s": RETRY_SECONDS},
        graceful_shutdown_timeout_s=settings.timeout_seconds,
    )
    bound: Application = service.bind(models.bind(), settings, token_sha256, mount)
    return bound


def build(args: Mapping[str, Any]) -> Application:
    """The application of jobs/serve.yaml: `args` are the fields of `ServiceSettings`.

    Clusters answer other machines, so the nodes' environment must hold a token. Raises UserError without one.
    """
    token = os.environ.get(TOKEN_VARIABLE)
    if token is None:
        raise UserError("no_token", f"Set {TOKEN_VARIABLE} in the environment of the cluster's nodes.")
    return application(settings_from_dict(args), token_hash(token))
