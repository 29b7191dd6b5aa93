"""The service under Ray Serve: one application for all that needs one, with real models and files."""

import io
import os
import shutil
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from helpers.serving import free_port, picture, sound
from helpers.waiting import wait_until
from PIL import Image

from s2v_ray.media.image import read_picture
from s2v_ray.training.checkpoint_files import find_checkpoint

ROOT = Path(__file__).parents[2]
TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def service(ray_cluster, small_run, tmp_path_factory):
    """Two models that work, and one whose weights are damaged, on two replicas with room for two waiting requests."""
    pytest.importorskip("fastapi")
    from ray import serve

    from s2v_ray.cluster.serving.application import application
    from s2v_ray.cluster.serving.http import token_hash
    from s2v_ray.cluster.serving.settings import ServiceSettings

    damaged = tmp_path_factory.mktemp("damaged") / "run"
    shutil.copytree(small_run, damaged)
    (Path(find_checkpoint(str(damaged))) / "ema.safetensors").write_bytes(b"nothing")
    settings = ServiceSettings(
        checkpoints={"damaged": str(damaged), "sea": str(small_run), "again": str(small_run)},
        replicas=(2, 2),
        cpus_per_replica=0.5,
        models_per_replica=2,
        queue=2,
        max_upload_mb=2,
        max_seconds=20,
    )
    port = free_port()
    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
    handle = serve.run(application(settings, token_hash(TOKEN)), name="s2v", route_prefix="/")
    headers = {"authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=300) as client:
        yield SimpleNamespace(client=client, handle=handle)
    serve.shutdown()


def ordered(service, model="sea", image=None, seconds=0.4, **more):
    files = {"image": ("a", picture() if image is None else image), "sound": ("b", more.pop("sound", sound(seconds)))}
    return service.client.post("/generate", files=files, data={"model": model, **more})


def replicas() -> set[int]:
    """Processes that make videos."""
    import psutil

    children = psutil.Process().children(recursive=True)
    return {child.pid for child in children if "ServeReplica:s2v:models" in " ".join(child.cmdline())}


def order_folders() -> list[Path]:
    return [each for pid in replicas() for each in Path(tempfile.gettempdir()).glob(f"s2v-order-{pid}-*")]


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.ray
def test_pictures_and_sounds_become_videos(service, tmp_path):
    for model in ("sea", "again", "sea"):
        answer = ordered(service, model, size="model")
        assert answer.status_code == 200, answer.text
        (tmp_path / "made.mp4").write_bytes(answer.content)
        assert read_picture(tmp_path / "made.mp4").shape == (32, 32, 3)
    (tmp_path / "made.mp4").write_bytes(ordered(service).content)
    assert read_picture(tmp_path / "made.mp4").shape == (48, 64, 3)
    assert service.client.get("/models").json() == {"models": ["damaged", "sea", "again"]}
    assert service.client.get("/healthz").status_code == 200


@pytest.mark.ray
def test_bad_files_and_requests_are_refused_and_leave_nothing(service):
    playlist, bomb = b"#EXTM3U\n#EXTINF:9\n/etc/passwd\n", io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    for expected, change in [
        ((422, "unreadable_image"), {"image": playlist}),
        ((422, "unreadable_image"), {"image": b"%!PS\n(/etc/passwd) run\n"}),
        ((422, "too_large"), {"image": bomb.getvalue()}),
        ((422, "unreadable"), {"sound": playlist}),
        ((422, "unreadable"), {"sound": b""}),
        ((422, "too_long"), {"seconds": 21}),
        ((413, "upload_too_large"), {"image": bytes(2_000_001)}),
        ((422, "region_outside"), {"region": "40,40,30"}),
        ((503, "model_unavailable"), {"model": "damaged"}),
    ]:
        answer = ordered(service, **change)
        assert code_of(answer) == expected, change.keys()
        assert "/tmp" not in answer.text
    assert service.client.post("/generate", headers={"authorization": "Bearer x"}).status_code == 401
    assert ordered(service).status_code == 200  # the damaged one took no other with it
    assert not order_folders()


@pytest.mark.ray
def test_a_killed_replica_and_a_full_queue_lose_no_request(service):
    before = replicas()
    assert len(before) == 2
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(ordered, service, seconds=8, max_side=400) for _ in range(8)]
        wait_until(lambda: any(each.done() for each in running), "the first to be refused")
        os.kill(min(before), signal.SIGKILL)
        answers = [each.result() for each in running]
    assert {answer.status_code for answer in answers} == {200, 503}
    refused = [answer for answer in answers if answer.status_code == 503]
    assert all(answer.json()["code"] == "busy" and answer.headers["retry-after"] == "5" for answer in refused)
    wait_until(lambda: len(replicas()) == 2 and replicas() != before, "another replica")
    left = f"s2v-order-{min(before)}-*"
    wait_until(lambda: not list(Path(tempfile.gettempdir()).glob(left)), "it to remove what the other left")


@pytest.mark.ray
def test_it_finishes_what_is_under_way_and_takes_no_more(service):
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(ordered, service, seconds=10)
        wait_until(lambda: service.handle.drain.remote().result() or running.done(), "it to run")
        assert code_of(ordered(service)) == (503, "draining")
        assert running.result().status_code == 200
    wait_until(lambda: service.handle.drain.remote().result() == 0, "nothing to be under way")
