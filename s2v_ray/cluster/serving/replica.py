"""A replica: a process that holds some of the models and makes videos."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator

import torch
from ray import serve
from ray.serve.metrics import Counter, Histogram
from ray.util import get_node_ip_address

from s2v_ray.cluster.ray_internals import keep_replicas_on_loopback
from s2v_ray.cluster.serving.order import Order
from s2v_ray.cluster.serving.settings import ServiceSettings
from s2v_ray.cluster.serving.work import remove_left_over, video_of
from s2v_ray.errors import UserError
from s2v_ray.generation.video import Generator, load_generator

_PIECE_BYTES = 1 << 20
_SECONDS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600]
_FAILURE_SECONDS = 60.0  # how long a model that can't be loaded isn't tried again, so that it doesn't push others out
_LOG = logging.getLogger("ray.serve")


def replica_class(settings: ServiceSettings) -> type:
    """The deployment's class; how many models it holds at a time is fixed when it is defined."""

    class Models:
        async def __init__(self) -> None:  # type: ignore[misc]  # Serve awaits it
            keep_replicas_on_loopback(get_node_ip_address())
            remove_left_over()
            self.device = torch.device("cuda" if settings.gpus_per_replica else "cpu")
            self.failed_at: dict[str, float] = {}
            self.frames = Counter("s2v_frames", description="Frames made.", tag_keys=("model",))
            self.seconds = Histogram("s2v_generate_seconds", "Of making a video.", _SECONDS, ("model",))
            for name in list(settings.checkpoints)[: settings.models_per_replica]:
                try:
                    await self.generator(name)
                except UserError:
                    continue  # it is logged; the others are served

        @serve.multiplexed(max_num_models_per_replica=settings.models_per_replica)  # type: ignore[untyped-decorator]
        async def generator(self, name: str) -> Generator:
            try:
                return await asyncio.to_thread(load_generator, settings.checkpoints[name], self.device)
            except Exception as error:
                _LOG.error("The model '%s' can't be loaded: %s", name, error)
                self.failed_at[name] = time.monotonic()
                raise _unavailable(name) from None

        async def make(self, order: Order) -> AsyncIterator[bytes | UserError]:
            """The MP4 in pieces, or the one error that says why there is none."""
            stopped = threading.Event()
            try:
                if time.monotonic() - self.failed_at.get(order.model, -_FAILURE_SECONDS) < _FAILURE_SECONDS:
                    raise _unavailable(order.model)
                generator = await self.generator(order.model)
                start = time.perf_counter()
                # In a thread, so that this process answers Serve while it works.
                file, frames = await asyncio.to_thread(video_of, generator, order, settings, stopped.is_set)
            except UserError as error:
                yield error
                return
            finally:
                stopped.set()  # where the client is gone, the thread ends at its next frame
            self.frames.inc(frames, {"model": order.model})
            self.seconds.observe(time.perf_counter() - start, {"model": order.model})
            with file:
                while piece := file.read(_PIECE_BYTES):
                    yield piece

    return Models


def _unavailable(name: str) -> UserError:
    return UserError("model_unavailable", f"The model '{name}' can't be loaded; its operator finds why in the log.")
