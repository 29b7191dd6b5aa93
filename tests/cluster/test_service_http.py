"""The service's interface around a function that makes no video: what it asks for, refuses and says. No Ray."""

import asyncio
import io
import json
import socket
import wave

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("multipart")
pytest.importorskip("fastapi")
from starlette.testclient import TestClient

from s2v_ray.cli.main import main
from s2v_ray.cluster.serving.http import http_app, token_hash
from s2v_ray.cluster.serving.order import Order
from s2v_ray.cluster.serving.problems import in_client_words
from s2v_ray.cluster.serving.settings import (
    ServiceSettings,
    named_checkpoints,
    replica_range,
    settings_from_dict,
)
from s2v_ray.cluster.serving.work import StoppedError, video_of
from s2v_ray.errors import MediaError, UserError
from s2v_ray.generation.video import Options, load_generator

TOKEN = "0123456789abcdef"
FILES = {"image": ("a.png", b"picture"), "sound": ("../../b.wav", b"noise")}


class Service:
    """An application whose maker keeps the orders, or raises."""

    def __init__(self, token: str | None = None, error: Exception | None = None, **settings: object) -> None:
        self.orders, self.seen, self.error, self.draining = [], [], error, False
        settings = {"checkpoints": {"sea": "runs/sea", "hand": "runs/hand"}, "allow_uri": ("s3://in/up",)} | settings

        async def make(order, out):
            if self.error:
                raise self.error
            self.orders.append(order)
            out.write(b"video" * 1000)

        app = http_app(
            make,
            ServiceSettings(**settings),
            token_hash(token),
            observe=lambda model, outcome, seconds: self.seen.append((model, outcome)),
            draining=lambda: self.draining,
        )
        self.client = TestClient(app, base_url="http://127.0.0.1:8000")

    def refusal(self, **request: object) -> tuple[int, str, str]:
        answer = self.client.post("/generate", **request)
        assert answer.headers["content-type"] == "application/problem+json"
        content = answer.json()
        assert content["status"] == answer.status_code
        return answer.status_code, content["code"], content["detail"]


def test_a_form_and_json_order_videos():
    service = Service()
    answer = service.client.post("/generate", files=FILES, data={"model": "hand", "strength": "2", "size": "model"})
    assert (answer.status_code, answer.content) == (200, b"video" * 1000)
    assert (answer.headers["content-type"], answer.headers["content-length"]) == ("video/mp4", "5000")
    uris = {"image_uri": "s3://in/up/a b.png", "sound_uri": "s3://in/up/x/b.wav"}
    assert service.client.post("/generate", json={"model": "sea", "region": "1,2,30", **uris}).status_code == 200
    by_form, by_json = service.orders
    assert (by_form.model, by_form.image, by_form.sound) == ("hand", b"picture", b"noise")
    assert by_form.options == Options("model", 1280, strength=2.0)
    assert (by_json.model, by_json.image, by_json.sound) == ("sea", uris["image_uri"], uris["sound_uri"])
    assert by_json.options == Options(region="1,2,30")
    assert service.seen == [("hand", "ok"), ("sea", "ok")]


def test_the_only_model_needs_no_name():
    service = Service(checkpoints={"sea": "runs/sea"})
    assert service.client.post("/generate", files=FILES).status_code == 200
    assert service.client.get("/models").json() == {"models": ["sea"]}


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"files": FILES}, 422, "unknown_model"),
        ({"files": FILES, "data": {"model": "fire"}}, 422, "unknown_model"),
        ({"files": FILES, "data": {"model": "sea", "speed": "1"}}, 422, "wrong_field"),
        ({"files": FILES, "data": {"model": "sea", "size": "huge"}}, 422, "wrong_field"),
        ({"files": FILES, "data": {"model": "sea", "strength": "nan"}}, 422, "out_of_range"),
        ({"files": FILES, "data": {"model": "sea", "max_side": "1281"}}, 422, "out_of_range"),
        ({"files": FILES, "data": {"model": "sea", "max_side": "0"}}, 422, "out_of_range"),
        ({"files": FILES, "data": {"model": ["sea", "sea"]}}, 422, "wrong_field"),
        ({"files": {**FILES, "more": ("c", b"")}, "data": {"model": "sea"}}, 400, "unreadable_request"),
        ({"files": {"image": FILES["image"]}, "data": {"model": "sea"}}, 422, "wrong_field"),
        ({"files": FILES, "data": {"model": "sea", "image_uri": "s3://in/up/a.png"}}, 422, "wrong_field"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "unreadable_request"),
        ({"content": b"\xff", "headers": {"content-type": "application/json"}}, 400, "unreadable_request"),
        ({"json": ["sea"]}, 422, "wrong_field"),
        ({"content": b"xx", "headers": {"content-type": "multipart/form-data"}}, 400, "unreadable_request"),
        ({"content": b"xx", "headers": {"content-type": "text/plain"}}, 415, "unsupported_content_type"),
        ({"files": {**FILES, "sound": ("b", bytes(2000))}, "data": {"model": "sea"}}, 413, "upload_too_large"),
        ({"content": iter([bytes(1501)]), "headers": {"content-type": "application/json"}}, 413, "upload_too_large"),
    ],
)  # fmt: skip
def test_what_is_refused_and_with_which_word(request_, status, code):
    service = Service(max_upload_mb=0.0015)
    assert service.refusal(**request_)[:2] == (status, code)
    assert not service.orders
    assert [outcome for _, outcome in service.seen] == [code]


@pytest.mark.parametrize(
    "uri",
    [
        *("s3://in/upper/a.png", "s3://in/up", "s3://other/up/a.png", "S3://in/up/a.png", "/etc/passwd", "a.png"),
        *("file:///etc/passwd", "http://169.254.169.254/latest", "s3://in/up/../a.png", "s3://in/up/%2e%2e/a.png"),
        *("s3://in/up/a.png?endpoint_override=evil.example", "s3://in/up/a\0b", "s3://in/up/x@y"),
    ],
)
def test_uris_outside_what_was_allowed_are_refused(uri):
    order = {"model": "sea", "image_uri": uri, "sound_uri": "s3://in/up/b.wav"}
    assert Service().refusal(json=order)[:2] == (403, "uri_not_allowed")
    assert Service(allow_uri=()).refusal(json=order)[:2] == (403, "uri_not_allowed")


def test_a_token_is_asked_for_wherever_videos_or_names_are():
    service = Service(token=TOKEN)
    for header in ({}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}, {"authorization": "Bearer "}):
        assert service.client.get("/models", headers=header).json()["code"] == "wrong_token"
        assert service.refusal(files=FILES, headers=header)[:2] == (401, "wrong_token")
    right = {"authorization": f"Bearer {TOKEN}"}
    assert service.client.get("/models", headers=right).status_code == 200
    assert service.client.post("/generate", files=FILES, data={"model": "sea"}, headers=right).status_code == 200
    assert service.client.get("/healthz").json() == {"status": "ok"}
    with pytest.raises(UserError) as caught:
        token_hash("short")
    assert caught.value.code == "weak_token"


def test_without_a_token_no_page_of_another_site_gets_through():
    host = {"host": "evil.example"}
    assert Service().client.get("/models", headers=host).status_code == 400
    assert Service(token=TOKEN).client.get("/healthz", headers=host).status_code == 200
    service, request = Service(), {"files": FILES, "data": {"model": "sea"}}
    assert service.refusal(headers={"origin": "http://evil.example"}, **request)[:2] == (403, "other_site")
    assert not service.orders
    own = {"origin": "http://127.0.0.1:8000"}
    assert service.client.post("/generate", headers=own, **request).status_code == 200


def test_errors_come_as_problems_with_their_words():
    busy = Service(error=UserError("busy", "Too many."))
    answer = busy.client.post("/generate", files=FILES, data={"model": "sea"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    request = {"files": FILES, "data": {"model": "sea"}}
    assert Service(error=MediaError("no_audio", "None.")).refusal(**request) == (422, "no_audio", "None.")
    status, code, detail = Service(error=RuntimeError("/secret/path")).refusal(**request)
    assert (status, code) == (500, "internal_error")
    assert "secret" not in detail
    assert Service().client.get("/nowhere").json()["code"] == "no_such_page"
    assert Service().client.get("/generate").json()["code"] == "wrong_method"


def test_who_stops_takes_no_more():
    service = Service()
    service.draining = True
    assert service.refusal(files=FILES, data={"model": "sea"})[:2] == (503, "draining")
    assert service.client.get("/healthz").status_code == 503


@pytest.mark.parametrize(
    ("then", "status", "code"), [("nothing", 504, "took_too_long"), ("leaves", 400, "unreadable_request")]
)
def test_a_body_that_never_ends_holds_no_place(then, status, code, caplog):
    """What comes after its first piece: nothing more, or its client goes away, which is no fault of the service."""
    service, sent = Service(timeout_seconds=0.05), []

    async def receive():
        if not sent:
            sent.append({})
            return {"type": "http.request", "body": b"{", "more_body": True}
        if then == "nothing":
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/generate", "query_string": b"", "headers": headers}
    asyncio.run(service.client.app(scope, receive, send))
    assert sent[1]["status"] == status
    assert service.seen == [("", code if then == "nothing" else "cancelled")]
    assert not caplog.records


def test_errors_name_what_the_client_sent():
    told = "Reading '/tmp/x/sound' took longer than 9 s; convert it, or allow more with --max-source-seconds."
    shown = in_client_words(MediaError("too_slow", told), {"/tmp/x/sound": "sound"})
    assert str(shown) == "Reading 'sound' took longer than 9 s; convert it."
    assert str(in_client_words(UserError("a", "--image-time is 3 s."), {})) == "image_time is 3 s."


def test_the_openapi_document_has_all_fields_codes_and_examples():
    document = Service(token=TOKEN).client.get("/openapi.json").json()
    generate = document["paths"]["/generate"]["post"]
    content = generate["requestBody"]["content"]
    assert {"image", "sound", "model", "strength"} <= content["multipart/form-data"]["schema"]["properties"].keys()
    assert content["application/json"]["example"]["image_uri"].startswith("s3://")
    assert {"200", "401", "413", "422", "503"} <= generate["responses"].keys()
    assert "busy" in generate["responses"]["503"]["description"]
    assert generate["security"] == [{"HTTPBearer": []}]
    json.dump(document, io.StringIO())


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"checkpoints": {}}, "no_model"),
        ({"checkpoints": {"a b": "x"}}, "wrong_name"),
        ({"checkpoints": {"a": "x"}, "replicas": "4:1"}, "out_of_range"),
        ({"checkpoints": {"a": "x"}, "replicas": "many"}, "out_of_range"),
        ({"checkpoints": {"a": "x"}, "gpus_per_replica": -0.5}, "out_of_range"),
        ({"checkpoints": {"a": "x"}, "max_seconds": 0}, "out_of_range"),
        ({"checkpoints": {"a": "x"}, "max_seconds": "long"}, "wrong_settings"),
        ({"checkpoints": {"a": "x"}, "speed": 1}, "wrong_settings"),
        ({"checkpoints": {"a": "x"}, "allow_uri": ["file:///etc"]}, "not_a_store"),
        ({"checkpoints": {"a": "x"}, "allow_uri": ["/data"]}, "not_a_store"),
    ],
)
def test_settings_out_of_range_are_refused(values, code):
    with pytest.raises(UserError) as caught:
        settings_from_dict(values)
    assert caught.value.code == code


def test_models_and_replicas_are_given_in_short():
    assert named_checkpoints(("s3://b/runs/sea", "hand=/r/x=y")) == {"sea": "s3://b/runs/sea", "hand": "/r/x=y"}
    assert (replica_range("3"), replica_range("1:4")) == ((3, 3), (1, 4))
    with pytest.raises(UserError, match="Two models are called 'sea'"):
        named_checkpoints(("a/sea", "b/sea"))


def test_an_order_by_location_is_fetched_made_and_stopped(small_run, tmp_path):
    picture, noise = tmp_path / "a.png", tmp_path / "b.wav"
    Image.new("RGB", (40, 40), "navy").save(picture)
    with wave.open(str(noise), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.random.default_rng(0).integers(-9000, 9000, 3200, np.int16).tobytes())
    generator = load_generator(str(small_run), torch.device("cpu"))
    settings = ServiceSettings(checkpoints={"sea": str(small_run)}, max_upload_mb=0.1)
    order = Order("sea", str(picture), str(noise), Options("model"))
    made, frames = video_of(generator, order, settings, lambda: False)
    with made:
        assert (frames, made.read(8)[4:]) == (10, b"ftyp")  # 0.4 s at 25 a second
    with pytest.raises(StoppedError):
        video_of(generator, order, settings, lambda: True)
    noise.write_bytes(bytes(100_001))
    for sound, code in ((str(noise), "upload_too_large"), (str(tmp_path / "none.wav"), "not_found")):
        with pytest.raises(UserError) as caught:
            video_of(generator, Order("sea", str(picture), sound, Options()), settings, lambda: False)
        assert caught.value.code == code


def test_nobody_else_is_served_without_a_token(small_run, monkeypatch, capsys):
    monkeypatch.delenv("S2V_TOKEN", raising=False)
    base = ["serve", "--checkpoint", str(small_run)]
    assert main([*base, "--host", "0.0.0.0"]) == 1
    assert "[no_token]" in capsys.readouterr().err
    monkeypatch.setenv("S2V_TOKEN", "short")
    assert main([*base, "--host", "0.0.0.0"]) == 1
    assert "[weak_token]" in capsys.readouterr().err
    monkeypatch.delenv("S2V_TOKEN")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main([*base, "--port", str(taken.getsockname()[1])]) == 1
    assert "[port_in_use]" in capsys.readouterr().err
