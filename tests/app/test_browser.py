"""The page as people use it, in Chromium; skipped where there is none."""

import os
import re
import shutil
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.scripting import answer_of
from PIL import Image

from s2v_ray.dataset.excluded import read_excluded

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]

SECONDS, FRAME_SECONDS = 1.3, 1 / 25
_ANOTHER_IS_SHOWN = """before => {
    const image = document.querySelector('#preview img');
    return image.getAttribute('src') !== before && image.complete && image.naturalWidth > 0;
}"""
PATIENCE = 180_000  # milliseconds: of a busy machine


def write_sound(path: Path, seconds: float) -> Path:
    samples = np.random.default_rng(0).integers(-9000, 9000, round(8000 * seconds)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    random = np.random.default_rng(1)
    Image.fromarray(random.integers(0, 255, (90, 120, 3)).astype(np.uint8)).save(folder / "picture.png")
    for name in ("notes.png", "notes.wav"):
        (folder / name).write_text("neither picture nor sound")
    return {
        "picture": folder / "picture.png",
        "notes.png": folder / "notes.png",
        "notes.wav": folder / "notes.wav",
        "sound": write_sound(folder / "sound.wav", SECONDS),
        "long": write_sound(folder / "long.wav", 200),
        "spoken": write_sound(folder / "spoken.wav", 8),
    }


@pytest.fixture(scope="module")
def clips(small_clips, tmp_path_factory) -> Path:
    return Path(shutil.copytree(small_clips, tmp_path_factory.mktemp("page") / "clips"))


@pytest.fixture(scope="module")
def address(small_run, clips, tmp_path_factory) -> Iterator[str]:
    """The page of `s2v app`, which Ctrl-C ends with status 0, leaving nothing behind."""
    temporary = tmp_path_factory.mktemp("temporary")
    command = [sys.executable, "-m", "s2v_ray", "app", "--checkpoint", str(small_run), "--clips", str(clips)]
    command += ["--json"]
    environment = os.environ | {"TMPDIR": str(temporary)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        yield answer_of(server.stdout.readline(), "app")["address"]
        server.send_signal(signal.SIGINT)
        printed, errors = server.communicate(timeout=PATIENCE / 1000)
    assert (server.returncode, printed) == (0, "")
    assert re.fullmatch(r"The page: http://[\d.:]+  \(Ctrl-C ends it\)\n+", errors)
    assert not list(temporary.glob("s2v_page_*"))


@pytest.fixture(scope="module")
def browser(files) -> Iterator[object]:
    flags = [
        "--no-sandbox",
        "--autoplay-policy=no-user-gesture-required",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={files['spoken']}",
    ]
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


@pytest.fixture(params=[1280, 390], ids=["wide", "phone"])
def width(request) -> int:
    return request.param


@pytest.fixture
def page(browser, address, request) -> Iterator[object]:
    """The open page. All that it asked for came from its own server."""
    width = request.getfixturevalue("width") if "width" in request.fixturenames else 1280
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.set_default_timeout(PATIENCE)
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(address)
    yield page
    page.close()
    assert asked
    assert [url for url in asked if not url.startswith((f"{address}/", "data:", "blob:"))] == []


def give(page, kind: str, file: Path) -> None:
    page.set_input_files(f"#{kind} input[type=file]", str(file))


def told(page, pattern: str) -> str:
    """What the page says, once it says something like this."""
    page.wait_for_function("pattern => document.querySelector('#status').innerText.match(pattern)", arg=pattern)
    return page.inner_text("#status")


def played(page) -> dict[str, object]:
    """The video after it was played to its end."""
    page.wait_for_function("document.querySelector('#video video')?.readyState >= 2")
    return page.evaluate(
        """async () => {
            const video = document.querySelector('#video video');
            video.muted = true;  // it is decoded nevertheless
            await new Promise((ended, failed) => {
                video.onended = ended; video.onerror = failed; video.play();
            });
            return {
                ended: video.ended, duration: video.duration, width: video.videoWidth,
                sound: video.webkitAudioDecodedByteCount, pictures: video.webkitDecodedFrameCount,
            };
        }"""
    )


def test_a_picture_and_a_sound_become_a_video_to_watch_and_to_keep(page, files, width):
    give(page, "picture", files["picture"])
    page.wait_for_selector("#preview img")
    give(page, "sound", files["sound"])
    page.wait_for_selector("#sound [aria-label='Clear']")
    page.click("#go")
    assert "120 × 90 pixels" in told(page, "Done")
    video = played(page)
    assert video["ended"]
    assert abs(video["duration"] - SECONDS) <= FRAME_SECONDS
    assert video["width"] == 120
    assert video["sound"] > 0
    with page.expect_download() as download:
        page.click("#video a[download]")
    assert download.value.suggested_filename.endswith(".mp4")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_square_is_moved_by_a_click_and_sized_by_a_slider(page, files):
    give(page, "picture", files["picture"])
    page.wait_for_function("document.querySelector('#why').innerText.includes('pixels at')")
    before = page.get_attribute("#preview img", "src")
    page.fill("#size input[type=number]", "50")
    page.wait_for_function("document.querySelector('#why').innerText.includes('45 pixels')")
    page.wait_for_function(_ANOTHER_IS_SHOWN, arg=before)  # a click on what is still loading has no place in it
    box = page.locator("#preview img").bounding_box()  # the picture is shown in its middle, at its own size
    page.mouse.click(box["x"] + box["width"] / 2 - 50, box["y"] + box["height"] / 2 - 38)
    page.wait_for_function("document.querySelector('#why').innerText.match(/45 pixels at 0, 0: as you placed it/)")


def test_a_recorded_sound_is_used(page, files):
    give(page, "picture", files["picture"])
    page.click("#sound [aria-label='Record audio']")
    page.click("#sound .record-button")
    page.wait_for_function("/0?0:0[2-9]/.test(document.querySelector('#sound').innerText)")
    page.click("#sound .stop-button")
    page.wait_for_selector("#sound .play-pause-button")
    page.click("#go")
    told(page, "Done")
    video = played(page)
    assert video["duration"] >= 1
    assert video["sound"] > 0


def test_mistakes_are_told_in_words(page, files):
    page.click("#go")
    assert told(page, "first") == "Give a picture and a sound first."
    give(page, "picture", files["notes.png"])
    page.wait_for_function("document.querySelector('#why').innerText.includes('notes.png')")
    assert "/" not in page.inner_text("#why")
    page.reload()
    give(page, "picture", files["picture"])
    give(page, "sound", files["notes.wav"])
    page.wait_for_selector("#sound [aria-label='Clear']")
    page.click("#go")
    assert "notes.wav" in told(page, "can't be read")


def test_work_is_cancelled(page, files):
    give(page, "picture", files["picture"])
    page.wait_for_selector("#preview img")
    give(page, "sound", files["long"])
    page.wait_for_selector("#sound [aria-label='Clear']")
    page.click("#go")
    page.wait_for_function("document.querySelector('#video').innerText.match(/of 5000 frames/)")
    page.click("#stop")
    told(page, "Cancelled")
    page.wait_for_selector("#go", state="visible")


def test_a_run_and_a_data_set_are_shown_and_a_source_is_excluded(page, clips, width):
    page.get_by_role("tab", name="Runs").click()
    page.wait_for_selector("#sample video")
    page.get_by_role("tab", name="Data").click()
    page.wait_for_selector("#clip video")
    page.wait_for_selector("#card img")
    page.click("#exclude")
    page.wait_for_function("document.querySelector('#clip-status').innerText.includes('Excluded')")
    assert len(read_excluded(clips)) == 1
    page.click("#exclude")
    page.wait_for_function("!document.querySelector('#clip-status').innerText.includes('Excluded')")
    assert not read_excluded(clips)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
