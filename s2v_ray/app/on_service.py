"""The page on the service of `s2v serve`, whose replicas make its videos."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch
from fastapi import FastAPI

from s2v_ray.app.local import LocalModels
from s2v_ray.app.page import build_page
from s2v_ray.app.server import mount_page, upload_folder
from s2v_ray.app.work import Make, OnProgress
from s2v_ray.cluster.serving.http import LOOPBACK, sha256
from s2v_ray.cluster.serving.http import Make as MakeOrder
from s2v_ray.cluster.serving.order import Order, too_large
from s2v_ray.cluster.serving.settings import ServiceSettings
from s2v_ray.cluster.serving.work import own_prefix
from s2v_ray.generation.video import Options
from s2v_ray.storage.files import writing_path

PATH = "/page"
_POLL_SECONDS = 0.2  # how long a cancelled video goes on


def mount_on_service(
    app: FastAPI,
    make: MakeOrder,
    settings: ServiceSettings,
    token_sha256: str | None = None,
    drained: asyncio.Event | None = None,
) -> FastAPI:
    """Put a page for the service's models at PATH; where there is a token, it is the password there.

    The process that answers HTTP finds the squares itself, and so loads the models that visitors choose, on its CPU.
    Each open page holds a stream, which ends when `drained` is set: the service waits for all of them when it stops.
    """
    folder = ExitStack()
    folder.enter_context(upload_folder(own_prefix()))  # a replica removes it where this process is killed
    app.router.on_shutdown.append(folder.close)
    local = LocalModels(settings.checkpoints, torch.device("cpu"))
    at_once = settings.replicas[1] * settings.requests_per_replica
    page = build_page(settings.checkpoints, make=replica_make(make, settings), locate=local.locate, at_once=at_once)

    def admit(name: str, password: str) -> bool:
        return hmac.compare_digest(sha256(password), token_sha256 or "")

    hosts = LOOPBACK if token_sha256 is None else ()
    return mount_page(
        app,
        page,
        PATH,
        hosts=hosts,
        admit=None if token_sha256 is None else admit,
        max_upload_bytes=settings.max_upload_bytes,
        stopped=drained,
    )


def replica_make(make: MakeOrder, settings: ServiceSettings) -> Make:
    """What the page calls to make a video, by the service's own way to make one."""

    def make_video(model: str, image: str, sound: str, out: str, options: Options, on_progress: OnProgress) -> None:
        if sum(Path(file).stat().st_size for file in (image, sound)) > settings.max_upload_bytes:
            raise too_large(settings.max_upload_bytes)
        bounded = replace(options, max_side=min(options.max_side, settings.max_side))
        order = Order(model, Path(image).read_bytes(), Path(sound).read_bytes(), bounded)
        with writing_path(out) as unfinished, Path(unfinished).open("wb") as file:
            _awaited(lambda: make(order, file), lambda: on_progress(0.0, "making the video"))

    return make_video


def _awaited(work: Callable[[], Awaitable[None]], check: Callable[[], None]) -> None:
    """Wait for `work` from a thread; whatever `check` raises meanwhile cancels it."""

    async def run() -> None:
        task = asyncio.ensure_future(work())
        try:
            while not (await asyncio.wait([task], timeout=_POLL_SECONDS))[0]:
                check()
        except BaseException:
            task.cancel()
            await asyncio.wait([task])
            raise
        await task

    asyncio.run(run())
