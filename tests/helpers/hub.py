"""A hub for models on loopback, with as much of Hugging Face's protocol as its client needs to write and to read."""

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field

import flask
from werkzeug.serving import WSGIRequestHandler, make_server


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: object) -> None:
        pass


@dataclass
class Model:
    """A repository: its files, how each came (inline or by LFS), and its commits' messages."""

    visibility: str
    files: dict[str, bytes] = field(default_factory=dict)
    ways: dict[str, str] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)


class Hub:
    """`url` is what HF_ENDPOINT must be; who has not the token "hf_secret" is refused."""

    def __init__(self) -> None:
        self.models: dict[str, Model] = {}
        self.requests: list[str] = []
        self._objects: dict[str, bytes] = {}
        self._server = make_server("127.0.0.1", 0, self._app(), threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _app(self) -> flask.Flask:
        app = flask.Flask("hub")
        model = "/api/models/<user>/<name>"

        @app.before_request
        def check() -> tuple[dict[str, str], int] | None:
            self.requests.append(f"{flask.request.method} {flask.request.path}")
            if flask.request.path.startswith("/objects/"):  # a signed address
                return None
            known = flask.request.headers.get("Authorization") == "Bearer hf_secret"
            return None if known else ({"error": "Invalid username or password."}, 401)

        @app.post("/api/repos/create")
        def create() -> tuple[dict[str, str], int]:
            asked = flask.request.get_json()
            name = f"{asked['organization']}/{asked['name']}"
            answer = {"url": f"{self.url}/{name}", "name": name}
            if name in self.models:
                return answer | {"error": "You already created this model repo"}, 409
            self.models[name] = Model(asked["visibility"])
            return answer, 200

        @app.post("/api/validate-yaml")
        def validate() -> dict[str, list[str]]:
            assert flask.request.get_json()["content"].startswith("---\nlicense: ")
            return {"errors": [], "warnings": []}

        @app.post(f"{model}/preupload/main")
        def preupload(user: str, name: str) -> dict[str, object]:
            asked = flask.request.get_json()["files"]
            ways = {
                each["path"]: "regular" if each["path"].endswith((".md", "n", ".toml")) else "lfs" for each in asked
            }
            self.models[f"{user}/{name}"].ways |= ways
            return {"files": [{"path": path, "uploadMode": way, "shouldIgnore": False} for path, way in ways.items()]}

        @app.post("/<user>/<name>.git/info/lfs/objects/batch")
        def batch(user: str, name: str) -> dict[str, object]:
            objects = [
                {"oid": each["oid"], "size": each["size"], "authenticated": True}
                | (
                    {}
                    if each["oid"] in self._objects
                    else {"actions": {"upload": {"href": self._address(each["oid"])}}}
                )
                for each in flask.request.get_json(force=True)["objects"]
            ]
            return {"transfer": "basic", "objects": objects}

        @app.put("/objects/<oid>")
        def upload(oid: str) -> str:
            content = flask.request.get_data()
            assert hashlib.sha256(content).hexdigest() == oid
            self._objects[oid] = content
            return ""

        @app.post(f"{model}/commit/main")
        def commit(user: str, name: str) -> dict[str, str]:
            repository = self.models[f"{user}/{name}"]
            for line in map(json.loads, flask.request.get_data().splitlines()):
                value = line["value"]
                if line["key"] == "header":
                    repository.commits.append(value["summary"])
                elif line["key"] == "file":
                    repository.files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    repository.files[value["path"]] = self._objects[value["oid"]]
                elif line["key"] == "deletedFile":
                    del repository.files[value["path"]]
            return {"commitUrl": f"{self.url}/{user}/{name}/commit/{'0' * 40}", "commitOid": "0" * 40}

        @app.get(model)
        @app.get(f"{model}/revision/main")
        def information(user: str, name: str) -> tuple[dict[str, object], int, dict[str, str]]:
            if f"{user}/{name}" not in self.models:
                return {"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"}
            return {"id": f"{user}/{name}", "sha": "0" * 40, "siblings": []}, 200, {}

        @app.get(f"{model}/tree/main")
        @app.get(f"{model}/tree/main/")
        @app.get(f"{model}/tree/main/<path:folder>")
        def tree(user: str, name: str, folder: str = "") -> list[dict[str, object]] | tuple[dict[str, str], int]:
            prefix = f"{folder}/" if folder else ""
            below = {
                path.removeprefix(prefix): content
                for path, content in self.models[f"{user}/{name}"].files.items()
                if path.startswith(prefix)
            }
            if folder and not below:
                return {"error": "there is no such folder"}, 404
            if flask.request.args.get("recursive", "").lower() == "true":
                shown = below
            else:
                shown = {path: content for path, content in below.items() if "/" not in path}
            folders = {path.partition("/")[0] for path in below if "/" in path}
            return [
                *({"type": "directory", "path": prefix + each, "oid": "0" * 40, "size": 0} for each in sorted(folders)),
                *(
                    {
                        "type": "file",
                        "path": prefix + path,
                        "oid": hashlib.sha1(content).hexdigest(),
                        "size": len(content),
                    }
                    for path, content in shown.items()
                ),
            ]

        @app.get("/<user>/<name>/resolve/main/<path:file>")
        def resolve(user: str, name: str, file: str) -> flask.Response:
            content = self.models[f"{user}/{name}"].files[file]
            first, _, last = flask.request.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
            return flask.Response(content[int(first) : int(last or len(content) - 1) + 1], 206)

        return app

    def _address(self, oid: str) -> str:
        return f"{self.url}/objects/{oid}"
