"""The page on a server: mounted on an app of FastAPI, or served by itself on this machine."""

import asyncio
import logging
import os
import socket
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
import uvicorn
from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from s2v_ray.app.style import CSS, THEME
from s2v_ray.errors import UserError
from s2v_ray.storage.os_errors import reason

DEFAULT_PORT = 7860
LOOPBACK = ("localhost", "127.0.0.1", "::1")
MAX_UPLOAD_BYTES = 200 * 2**20
# gradio's own scripts are inline, and compile templates; everything comes from here, or is made in the browser.
_POLICY = "; ".join(
    [
        "default-src 'self' data: blob:",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    ]
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def mount_page(
    app: FastAPI,
    page: gr.Blocks,
    path: str = "/",
    *,
    hosts: Collection[str] = (),
    admit: Callable[[str, str], bool] | None = None,
    max_upload_bytes: int = MAX_UPLOAD_BYTES,
    stopped: asyncio.Event | None = None,
) -> FastAPI:
    """Put the page of `build_page` at `path` of `app`, which needs its own routes before, and is returned.

    Answers there forbid browsers to load anything from other hosts. Requests by other sites' pages, and if `hosts` are
    given those to other names of this machine, are refused with 403. With `admit`, visitors log in first, by a name and
    a password for which it is true. What is uploaded may have up to `max_upload_bytes`, and lies in `upload_folder`.
    Open pages hold streams, which end when `stopped` is set.
    """
    path = path.rstrip("/")
    app.add_middleware(_OwnSiteOnly, path=path, hosts=frozenset(hosts))
    gr.mount_gradio_app(
        app,
        page,
        path or "/",
        auth=admit,
        root_path=path or None,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        max_file_size=max_upload_bytes,
        theme=THEME,
        css=CSS,
    )
    mounted: Any = app.routes[-1]
    if stopped is not None:
        mounted.app.stop_event = stopped
    if admit is not None:
        app.add_middleware(_LoggedInOnly, path=path, gradio=mounted.app)
    if path:
        app.get(path, include_in_schema=False)(lambda: RedirectResponse(f"{path}/"))
    return app


@contextmanager
def upload_folder(prefix: str = "s2v_page_") -> Iterator[str]:
    """A temporary folder for what is uploaded and made, for the pages that are built meanwhile; then it is removed."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    with tempfile.TemporaryDirectory(prefix=prefix) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        try:
            yield folder
        finally:
            del os.environ["GRADIO_TEMP_DIR"]
            if before is not None:
                os.environ["GRADIO_TEMP_DIR"] = before


def serve_page(
    page: gr.Blocks, listening: socket.socket, *, host: str, started: Callable[[], None] = lambda: None
) -> None:
    """Serve the page on a socket of `listen` until a signal; raises KeyboardInterrupt then.

    On a loopback address only requests to this machine's own names are answered: another site's name that a resolver
    was made to lead here is none of them.
    """
    hosts = LOOPBACK if host in LOOPBACK else ()
    app = mount_page(FastAPI(openapi_url=None, on_startup=[started]), page, hosts=hosts)
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # of answers that are cut off when it ends
    config = uvicorn.Config(app, log_level="critical", access_log=False, timeout_graceful_shutdown=1)
    uvicorn.Server(config).run([listening])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Port 0 is DEFAULT_PORT, or any free one where that is taken. Raises UserError `no_port`."""
    for tried in (port,) if port else (DEFAULT_PORT, 0):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, tried))
            listening.listen()
            return listening
        except OSError as error:
            listening.close()
            problem = f"--host {host} --port {port or 'auto'} can't be used: {reason(error)}"
    raise UserError("no_port", f"{problem}; give another --port, or leave it out.")


class _OwnSiteOnly:
    """Answers below `path` name the policy; requests from other sites, and to names not in `hosts`, are refused."""

    def __init__(self, app: ASGIApp, path: str, hosts: Collection[str]) -> None:
        self.app, self.path, self.hosts = app, path, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not f"{scope['path']}/".startswith(f"{self.path}/"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        name = urlsplit(f"//{host}").hostname or ""
        if (self.hosts and name not in self.hosts) or (origin is not None and urlsplit(origin).netloc != host):
            refused = PlainTextResponse("This page answers only its own site.", status_code=403)
            await refused(scope, receive, send)
            return

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_policy)


class _LoggedInOnly:
    """gradio's API for who has logged in: it leaves parts open to all, such as streams that never end."""

    def __init__(self, app: ASGIApp, path: str, gradio: Any) -> None:
        self.app, self.path, self.gradio = app, f"{path}/gradio_api/", gradio

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        guarded = scope["type"] == "http" and scope["path"].startswith(self.path)
        if guarded and scope["path"] != f"{self.path}theme.css":  # which the form to log in needs
            cookies = Request(scope).cookies
            names = [f"access-token-{kind}{self.gradio.cookie_id}" for kind in ("", "unsecure-")]
            if not any(cookies.get(name) in self.gradio.tokens for name in names):
                refused = PlainTextResponse("Log in first.", status_code=401)
                await refused(scope, receive, send)
                return
        await self.app(scope, receive, send)
