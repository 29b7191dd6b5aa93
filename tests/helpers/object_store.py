"""An S3 server on loopback whose requests can be made to fail: moto's, with faults injected in front of it."""

import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        pass


@dataclass
class Fault:
    """What happens to the next `times` requests of which `matches("METHOD /path?query")` is true.

    kind: "500"; "cut", a connection that breaks off halfway; "slow", no answer until `released` is set.
    """

    kind: str
    matches: Callable[[str], bool] = lambda request: True
    times: int = 10**9
    released: threading.Event = field(default_factory=threading.Event)


class ObjectStore:
    """A bucket `bucket` behind `url`; `requests` are those received so far, `faults` what happens to later ones."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.faults: list[Fault] = []
        self._lock, self._moto = threading.Lock(), DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.client = boto3.client("s3", endpoint_url=self.url)
        self.client.create_bucket(Bucket="bucket")

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to find it besides the keys of conftest.py, with few retries."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_MAX_ATTEMPTS": "3"}

    def content(self) -> dict[str, bytes]:
        """The content of all objects, by key."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="bucket")
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: self.client.get_object(Bucket="bucket", Key=key)["Body"].read() for key in keys}

    def close(self) -> None:
        """Stop the server."""
        for fault in self.faults:
            fault.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _fault(self, request: str) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            for fault in self.faults:
                if fault.times and fault.matches(request):
                    fault.times -= 1
                    return fault
        return None

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        query = environ["QUERY_STRING"]
        fault = self._fault(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}{'?' if query else ''}{query}")
        kind = fault.kind if fault else ""
        if kind == "500":
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response("500 Internal Server Error", [("Content-Length", "0")])
            return
        if fault and kind == "slow":
            fault.released.wait(60)
        if kind == "cut" and environ["REQUEST_METHOD"] != "GET":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError
        answer = b"".join(self._moto(environ, start_response))
        yield answer[: len(answer) // 2] if kind == "cut" else answer
        if kind == "cut":
            raise ConnectionAbortedError
