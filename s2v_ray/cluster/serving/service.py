"""The deployment that answers HTTP: it reads requests, has a replica make each, and tries again where one is lost."""

import asyncio
from collections.abc import Callable
from typing import IO, Any

from fastapi import FastAPI
from ray import serve
from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError
from ray.serve.handle import DeploymentHandle
from ray.serve.metrics import Counter, Histogram
from ray.util import get_node_ip_address

from s2v_ray.cluster.ray_internals import keep_replicas_on_loopback
from s2v_ray.cluster.serving.http import Make, http_app
from s2v_ray.cluster.serving.order import Order
from s2v_ray.cluster.serving.problems import draining_error
from s2v_ray.cluster.serving.settings import ServiceSettings
from s2v_ray.errors import UserError

Mount = Callable[[FastAPI, Make, ServiceSettings, str | None, asyncio.Event], FastAPI]
"""Adds a page to the service, given the function that makes a video, and the SHA-256 of the token if there is one.

The event is set when the service has finished what was under way: streams that have no end must end then.
"""

_BY_OUTCOME: Any = ("model", "outcome")  # which Ray types as one name
_TRIES = 3  # a request that kills each replica it meets must end
_PAUSE_SECONDS = 0.5
_SECONDS = [0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600]


@serve.ingress()
class Service:
    """`http_app` around a handle of the replicas."""

    def __init__(
        self, models: DeploymentHandle[Any], settings: ServiceSettings, token_sha256: str | None, mount: Mount | None
    ) -> None:
        keep_replicas_on_loopback(get_node_ip_address())
        self.models = models.options(stream=True, method_name="make")
        self.settings, self.token_sha256, self.mount = settings, token_sha256, mount
        self.under_way, self.stopping, self.drained = 0, False, asyncio.Event()
        self.requests = Counter("s2v_requests", "Requests, by how they ended.", _BY_OUTCOME)
        self.seconds = Histogram("s2v_request_seconds", "Of requests, with waiting.", _SECONDS, ("model",))

    def __serve_build_asgi_app__(self) -> FastAPI:
        app = http_app(
            self.make, self.settings, self.token_sha256, observe=self.observe, draining=lambda: self.stopping
        )
        if self.mount is None:
            return app
        return self.mount(app, self.make, self.settings, self.token_sha256, self.drained)

    def observe(self, model: str, outcome: str, seconds: float) -> None:
        self.requests.inc(1, {"model": model, "outcome": outcome})
        self.seconds.observe(seconds, {"model": model})

    async def make(self, order: Order, out: IO[bytes]) -> None:
        """Write the order's MP4 to `out`. Raises UserError: `busy`, `draining`, `replica_lost`, `took_too_long`, ..."""
        if self.stopping:
            raise draining_error()
        self.under_way += 1
        try:
            async with asyncio.timeout(self.settings.timeout_seconds):
                await self._make(order, out)
        except TimeoutError:
            limit = self.settings.timeout_seconds
            raise UserError("took_too_long", f"The video took longer than {limit:g} s; shorten the sound.") from None
        finally:
            self.under_way -= 1

    async def _make(self, order: Order, out: IO[bytes]) -> None:
        handle = self.models.options(multiplexed_model_id=order.model)
        lost = 0
        while True:
            pieces: Any = handle.remote(order)  # a stream, which its type leaves open
            try:
                async for piece in pieces:
                    if isinstance(piece, UserError):
                        raise piece
                    out.write(piece)
                return
            except asyncio.CancelledError:  # the client is gone, or its time is up
                pieces.cancel()
                raise
            except BackPressureError:
                if not lost:
                    raise UserError("busy", "Too many requests wait already; try again in a few seconds.") from None
                await asyncio.sleep(_PAUSE_SECONDS)  # it was accepted once, and is not turned away now
            except RayActorError:  # its replica is gone; making a video twice does no harm
                lost += 1
                if lost == _TRIES:
                    raise UserError("replica_lost", f"{lost} replicas were lost with this video; try again.") from None
                out.seek(0)
                out.truncate()

    async def drain(self) -> int:
        """Take no more requests; returns how many are under way."""
        self.stopping = True
        if not self.under_way:
            self.drained.set()
        return self.under_way
