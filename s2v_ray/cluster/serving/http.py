"""The service as a web application around one function that makes videos. No Ray."""

import asyncio
import hashlib
import hmac
import logging
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from http import HTTPStatus
from typing import IO
from urllib.parse import urlsplit

from anyio import to_thread
from fastapi import Depends, FastAPI, Request, Security
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import Response, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

import s2v_ray
from s2v_ray.cluster.serving.openapi import GENERATE_BODY, GENERATE_RESPONSES
from s2v_ray.cluster.serving.order import Order, read_order
from s2v_ray.cluster.serving.problems import draining_error, problem
from s2v_ray.cluster.serving.settings import ServiceSettings
from s2v_ray.errors import UserError

TOKEN_VARIABLE = "S2V_TOKEN"
LOOPBACK = ("127.0.0.1", "localhost")
_PIECE_BYTES = 1 << 20
_LOG = logging.getLogger("ray.serve")

Make = Callable[[Order, IO[bytes]], Awaitable[None]]
"""Writes an order's MP4 into a file. Raises UserError."""
Observe = Callable[[str, str, float], None]
"""Gets a request's model ("" if unknown), its outcome ("ok" or a code) and its seconds."""


def http_app(
    make: Make,
    settings: ServiceSettings,
    token_sha256: str | None = None,
    *,
    observe: Observe = lambda model, outcome, seconds: None,
    draining: Callable[[], bool] = lambda: False,
) -> FastAPI:
    """`POST /generate`, `GET /models`, `/healthz` and `/openapi.json`.

    All but the last two need the token whose SHA-256 is given; without one, only requests to a loopback name are
    answered, and none that a browser sends for another site's page.
    """
    app = FastAPI(title="s2v", version=s2v_ray.__version__, summary=s2v_ray.__doc__, docs_url=None, redoc_url=None)
    app.router.redirect_slashes = False
    if token_sha256 is None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK])

    def admit(
        request: Request,
        given: HTTPAuthorizationCredentials | None = Security(HTTPBearer(auto_error=False)),  # noqa: B008
    ) -> None:
        origin = request.headers.get("origin")
        if token_sha256 is None and origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            raise UserError("other_site", f"A page of {origin} has sent this; without a token, none is answered.")
        token = given.credentials if given else ""
        if token_sha256 is not None and not hmac.compare_digest(sha256(token), token_sha256):
            raise UserError(
                "wrong_token", "The header 'Authorization: Bearer TOKEN' is missing, or its token is wrong."
            )

    def check_running() -> None:
        if draining():
            raise draining_error()

    @app.exception_handler(UserError)
    async def refuse(request: Request, error: UserError) -> Response:
        return problem(error)

    @app.exception_handler(HTTPException)
    async def refuse_path(request: Request, error: HTTPException) -> Response:
        code = "wrong_method" if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else "no_such_page"
        return problem(UserError(code, f"There is no {request.method} {request.url.path}; see /openapi.json."))

    @app.get("/healthz", summary="Whether the service takes requests")
    async def healthz() -> dict[str, str]:
        check_running()
        return {"status": "ok"}

    @app.get("/models", summary="The models' names", dependencies=[Depends(admit)])
    async def models() -> dict[str, list[str]]:
        return {"models": list(settings.checkpoints)}

    @app.post(
        "/generate",
        summary="Make a video from one image and a sound",
        response_class=StreamingResponse,
        responses=GENERATE_RESPONSES,
        openapi_extra={"requestBody": GENERATE_BODY},
    )
    async def generate(
        request: Request,
        token: HTTPAuthorizationCredentials | None = Security(HTTPBearer(auto_error=False)),  # noqa: B008
    ) -> StreamingResponse:
        """Nothing is kept, so a request that got no answer, or 503, may be repeated."""
        start, model, outcome = time.perf_counter(), "", "cancelled"
        try:
            admit(request, token)
            check_running()
            order = await _read_in_time(request, settings)
            model = order.model
            with ExitStack() as unless_made:
                # A file without a name: it is gone when it is closed, or when this process ends.
                out = unless_made.enter_context(tempfile.TemporaryFile())
                await make(order, out)
                unless_made.pop_all()
            outcome = "ok"
        except UserError as error:
            outcome = error.code
            raise
        except ClientDisconnect:
            raise UserError("unreadable_request", "The request ended before its body did.") from None
        except Exception:
            outcome = "internal_error"
            _LOG.exception("A request failed.")
            raise UserError(outcome, "The service failed; its operator finds the reason in the log.") from None
        finally:
            observe(model, outcome, time.perf_counter() - start)
        length = str(out.seek(0, os.SEEK_END))
        return _Streamed(_pieces(out), headers={"Content-Length": length}, media_type="video/mp4")

    return app


def token_hash(token: str | None) -> str | None:
    """What is kept of a token. Raises UserError `weak_token` for one that could be guessed."""
    if token is None:
        return None
    if len(token) < 16:
        rule = "but must have 16 or more; `openssl rand -hex 32` makes one"
        raise UserError("weak_token", f"{TOKEN_VARIABLE} has {len(token)} characters, {rule}.")
    return sha256(token)


def sha256(text: str) -> str:
    """What is compared of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


async def _read_in_time(request: Request, settings: ServiceSettings) -> Order:
    """Read an order; a body that comes too slowly would hold its place for ever. Raises UserError `took_too_long`."""
    try:
        async with asyncio.timeout(settings.timeout_seconds):
            return await read_order(request, settings)
    except TimeoutError:
        limit = settings.timeout_seconds
        raise UserError("took_too_long", f"The request took longer than {limit:g} s to arrive; send less.") from None


class _Streamed(StreamingResponse):
    """Sends, and no more: Starlette's also waits to hear that the client is gone, which Serve ends with an error."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.stream_response(send)


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while piece := await to_thread.run_sync(file.read, _PIECE_BYTES):
            yield piece
