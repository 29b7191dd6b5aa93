"""Only formats that hold everything themselves are opened: nothing is started, and no other file or address opened."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from helpers.decoding import read_sound
from helpers.videos import MEDIA
from PIL import Image

from s2v_ray.errors import MediaError, UserError
from s2v_ray.media.decoding import formats
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.image import read_picture

VIDEO = MEDIA / "demo.mp4"
_STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.startfile")
_seen: list[str] | None = None


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if _seen is not None and event in _STARTS:
        _seen.append(f"{event} {arguments}")


sys.addaudithook(_note)  # it can't be removed


@pytest.fixture
def started() -> Iterator[list[str]]:
    """The processes that Python has started since."""
    global _seen
    _seen = []
    yield _seen
    _seen = None


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server on this machine, to which nothing has connected."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def assert_untouched(server: socket.socket) -> None:
    with pytest.raises(BlockingIOError):
        server.accept()


def playlists(target: str) -> dict[str, str]:
    """Files that ask for `target` to be opened."""
    return {
        "hls": f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
        "hls of hls": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\n{target}\n",
        "m3u": f"#EXTM3U\n{target}\n",
        "concat": f"ffconcat version 1.0\nfile '{target}'\n",
        "pls": f"[playlist]\nFile1={target}\nNumberOfEntries=1\n",
        "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT9S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>'
        '<AdaptationSet mimeType="video/mp4"><Representation id="0" bandwidth="9">'
        f"<BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    }


@pytest.mark.parametrize("suffix", ["m3u8", "mp4", "wav", "png"])
@pytest.mark.parametrize("kind", playlists(""))
@pytest.mark.parametrize("scheme", ["http", "rtsp", "tcp", "file", "path", "relative"])
def test_playlists_are_refused_and_lead_nowhere(
    tmp_path: Path, listener: socket.socket, kind: str, suffix: str, scheme: str
) -> None:
    (tmp_path / "video.mp4").write_bytes(VIDEO.read_bytes())
    targets = {"file": f"file://{VIDEO}", "path": str(VIDEO), "relative": "video.mp4"}
    target = targets.get(scheme, f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/video.mp4")
    path = tmp_path / f"list.{suffix}"
    path.write_text(playlists(target)[kind])
    for read in (read_picture, lambda path: read_sound(path, 8000), lambda path: MediaFile(path).video()):
        with pytest.raises(UserError, match="playlist") as caught:
            read(path)
        assert caught.value.code in ("unreadable", "unreadable_image")
    assert_untouched(listener)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.heic", "a.eps", "a.mp4"])
def test_postscript_is_not_run(tmp_path: Path, started: list[str], name: str) -> None:
    Image.new("RGB", (20, 20), "red").save(tmp_path / name, "EPS")
    for read in (read_picture, lambda path: read_sound(path, 8000), lambda path: MediaFile(path).video()):
        with pytest.raises(UserError):
            read(tmp_path / name)
    assert started == []


@pytest.mark.parametrize("name", ["a.msp", "a.pcx", "a.tga", "a.sgi", "a.ico", "a.icns", "a.dds"])
def test_pictures_of_other_formats_are_refused(tmp_path: Path, started: list[str], name: str) -> None:
    Image.new("1" if name == "a.msp" else "RGB", (32, 32)).save(tmp_path / name)
    with pytest.raises(UserError):
        read_picture(tmp_path / name)
    assert started == []


@pytest.mark.parametrize("content", ["P6\n4 4\n255\n" + "x" * 48, "<svg xmlns='http://www.w3.org/2000/svg'/>"])
def test_pictures_are_no_videos_of_one_frame(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.mp4").write_text(content)
    with pytest.raises(MediaError) as caught:
        MediaFile(tmp_path / "a.mp4").video()
    assert caught.value.code == "unreadable"


def test_numbered_pictures_are_not_read_as_one_video(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("RGB", (20, 20)).save(tmp_path / f"a{number}.png")
    with pytest.raises(MediaError):
        MediaFile(tmp_path / "a%d.png").video()


def test_each_container_is_one_of_ffmpegs() -> None:
    assert set(formats._CONTAINERS) <= av.formats_available
