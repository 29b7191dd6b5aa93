"""The page on the service: what it asks of the service's way to make a video, and who may see it."""

import asyncio
import tempfile
import threading
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from s2v_ray.app.on_service import mount_on_service, replica_make
from s2v_ray.app.work import Cancelled
from s2v_ray.cluster.serving.http import token_hash
from s2v_ray.cluster.serving.settings import ServiceSettings
from s2v_ray.errors import UserError
from s2v_ray.generation.video import Options

TOKEN = "0123456789abcdef"


@pytest.fixture
def files(tmp_path):
    for name in ("image", "sound"):
        (tmp_path / name).write_bytes(name.encode())
    return {name: str(tmp_path / name) for name in ("image", "sound", "out")}


def settings(run="run", **more):
    return ServiceSettings(checkpoints={"sea": str(run)}, max_side=640, max_upload_mb=0.002, **more)


def test_it_orders_what_the_visitor_gave_within_the_services_bounds(files, tmp_path):
    orders = []

    async def make(order, file):
        orders.append(order)
        file.write(b"a video")

    replica_make(make, settings())("sea", *files.values(), Options(max_side=1280, strength=2), lambda done, text: None)
    (order,) = orders
    assert (order.model, order.image, order.sound) == ("sea", b"image", b"sound")
    assert (order.options.max_side, order.options.strength) == (640, 2)
    assert (tmp_path / "out").read_bytes() == b"a video"


def test_a_picture_and_a_sound_may_be_as_large_together_as_in_a_request(files, tmp_path):
    async def make(order, file):
        raise AssertionError

    (tmp_path / "sound").write_bytes(bytes(1996))  # and 5 of the image
    with pytest.raises(UserError, match=r"more than 0\.002 MB"):
        replica_make(make, settings())("sea", *files.values(), Options(), lambda done, text: None)


def test_an_error_leaves_no_file_and_reaches_the_visitor(files, tmp_path):
    async def make(order, file):
        file.write(b"half")
        raise UserError("busy", "Too many.")

    with pytest.raises(UserError, match="Too many"):
        replica_make(make, settings())("sea", *files.values(), Options(), lambda done, text: None)
    assert not (tmp_path / "out").exists()


def test_who_cancels_ends_the_work_of_the_service(files):
    cancelled, started = threading.Event(), threading.Event()

    async def make(order, file):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    def check(done, text):
        if started.is_set():
            raise Cancelled

    with pytest.raises(Cancelled):
        replica_make(make, settings())("sea", *files.values(), Options(), check)
    assert cancelled.is_set()


def test_with_a_token_it_is_the_password(small_run):
    async def make(order, file):
        raise AssertionError

    app = mount_on_service(FastAPI(), make, settings(small_run), token_hash(TOKEN))
    with TestClient(app, base_url="http://anywhere") as client:
        assert client.get("/page/config").status_code == 401
        for private in ("heartbeat/me", "heartbeat/theme.css", "app_id", "upload_progress", "queue/data"):
            assert client.get(f"/page/gradio_api/{private}").status_code == 401
        assert client.get("/page/gradio_api/theme.css").status_code == 200
        wrong = client.post("/page/login", data={"username": "me", "password": "guess"})
        assert wrong.status_code == 400
        client.post("/page/login", data={"username": "me", "password": TOKEN})
        assert client.get("/page/config").status_code == 200
        assert client.get("/page/gradio_api/app_id").status_code == 200


def test_without_one_only_this_machines_names_are_answered(small_run, tmp_path, monkeypatch):
    """And when the service stops, what an open page waits for ends, and visitors' files are removed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    async def make(order, file):
        raise AssertionError

    drained = asyncio.Event()
    drained.set()
    app = mount_on_service(FastAPI(redirect_slashes=False), make, settings(small_run), drained=drained)
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get("/page").url.path == "/page/"
        assert client.get("/page/config").status_code == 200
        assert client.get("/page/config", headers={"Host": "evil.example"}).status_code == 403
        assert client.get("/page/gradio_api/heartbeat/me").text == "data: ALIVE\n\n"
        (picture, _) = client.post("/page/gradio_api/run/load_example", json={"data": [0]}).json()["data"]
        assert "/page/gradio_api/file=" in picture["value"]["url"], picture
        upload = client.post("/page/gradio_api/upload", files={"files": ("a.wav", bytes(1000))})
        assert Path(upload.json()[0]).read_bytes() == bytes(1000)
        assert client.post("/page/gradio_api/upload", files={"files": ("a.wav", bytes(3000))}).status_code == 413
    assert not list(tmp_path.glob("s2v-order-*"))
