"""Which files are found, what they are called, and what manifests say of them: each worked out by hand."""

import http.server
import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest
from helpers.finding import found_names, touch

from s2v_ray.errors import MediaError, UserError
from s2v_ray.preparation.sources.find import find_sources
from s2v_ray.preparation.sources.source import Source
from s2v_ray.recipes.prepare import domain_of
from s2v_ray.storage.paths import user_location


def test_a_folder_is_searched_to_the_bottom_and_hidden_files_are_left_out(tmp_path):
    touch(tmp_path, "b.mp4", "a/x.mp4", "a/deep/y.mov", ".hidden.mp4", ".cache/z.mp4", "a/.z.mp4")
    sources, missing = find_sources([str(tmp_path)])
    assert missing == []
    assert [source.name for source in sources] == ["a/deep/y.mov", "a/x.mp4", "b.mp4"]
    assert [source.labels for source in sources] == [("a", "deep"), ("a",), ()]
    assert sources[1] == Source(str(tmp_path / "a/x.mp4"), "a/x.mp4", None, None, ("a",), "", "a/x.mp4")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.mp4", ["b.mp4", "c.mp4"]),
        ("[c-z].mp4", ["c.mp4"]),
        ("?.mp4", ["b.mp4", "c.mp4"]),
        ("**", ["a/deep/y.mp4", "a/x.mp4", "b.mp4", "c.mp4", "d.avi"]),
        ("**/*.mp4", ["a/deep/y.mp4", "a/x.mp4", "b.mp4", "c.mp4"]),
        ("**/deep/*", ["a/deep/y.mp4"]),
        ("*/*.mp4", ["a/x.mp4"]),
        ("a*", ["a/deep/y.mp4", "a/x.mp4"]),  # a folder that matches, with all in it, as an unquoted a* would
    ],
)
def test_globs(tmp_path, pattern, names):
    touch(tmp_path, "b.mp4", "c.mp4", "d.avi", "a/x.mp4", "a/deep/y.mp4", "a/.z.mp4")
    assert found_names(tmp_path / pattern) == names


def test_a_name_with_wildcards_that_is_there_is_meant_itself(tmp_path):
    touch(tmp_path, "film [2019]/a.mp4", "film 2/b.mp4", "what?.mp4", "whats.mp4")
    assert found_names(tmp_path / "film [2019]") == ["a.mp4"]
    assert found_names(tmp_path / "what?.mp4") == ["what?.mp4"]


def test_names_stay_when_locations_are_added(tmp_path):
    touch(tmp_path, "one/a.mp4", "two/b.mp4")
    assert found_names(tmp_path / "one") == ["a.mp4"]
    assert found_names(tmp_path / "one", tmp_path / "two") == ["a.mp4", "b.mp4"]


def test_a_file_found_twice_is_one_source_named_from_the_outermost_folder(tmp_path):
    touch(tmp_path, "one/a.mp4")
    assert found_names(tmp_path / "one/a.mp4", tmp_path, tmp_path / "one") == ["one/a.mp4"]


def test_two_files_of_one_name_are_refused(tmp_path):
    touch(tmp_path, "one/a.mp4", "two/a.mp4")
    with pytest.raises(UserError, match=r"one/a\.mp4' and '.*two/a\.mp4'") as error:
        find_sources([str(tmp_path / "one"), str(tmp_path / "two")])
    assert error.value.code == "same_name"


def test_what_is_not_there_is_refused(tmp_path):
    for location in ("nothing", "nothing.mp4", "no/*.mp4"):
        with pytest.raises(UserError, match=f"--videos '{tmp_path}/{re.escape(location)}'") as error:
            find_sources([str(tmp_path / location)])
        assert error.value.code == "not_found"
    with pytest.raises(UserError) as error:
        find_sources([str(tmp_path)])
    assert error.value.code == "no_files"


def test_links_are_followed_but_not_around_in_circles(tmp_path):
    touch(tmp_path, "elsewhere/a.mp4", "videos/b.mp4")
    (tmp_path / "videos/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "videos/again").symlink_to(tmp_path / "videos")
    (tmp_path / "videos/gone.mp4").symlink_to(tmp_path / "nowhere")
    sources, missing = find_sources([str(tmp_path / "videos")])
    assert [source.name for source in sources] == ["b.mp4", "linked/a.mp4"]
    assert [(item.source, "broken link" in item.detail) for item in missing] == [("gone.mp4", True)]


def test_a_name_that_is_no_text_is_listed_as_unusable(tmp_path):
    touch(tmp_path, "a.mp4")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.mp4")).write_bytes(b"")
    sources, missing = find_sources([str(tmp_path)])
    assert [source.name for source in sources] == ["a.mp4"]
    assert [reject.source for reject in missing] == [r"\xff.mp4"]


def test_one_bad_entry_is_named_and_the_rest_is_done(tmp_path):
    touch(tmp_path, "good.mp4")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "one.mp4").symlink_to("two.mp4")
    (tmp_path / "two.mp4").symlink_to("one.mp4")
    (tmp_path / "gone.mp4").symlink_to("nowhere")
    (tmp_path / "null.mp4").symlink_to("/dev/null")
    os.mkfifo(tmp_path / "pipe.mp4")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.mp4")).write_bytes(b"")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)  # a socket's path must be short
        server.bind("socket.mp4")
        os.chdir(here)
        expected = {
            "gone.mp4": "missing",
            "loop.mp4": "unreadable",
            "null.mp4": "not_a_file",
            "one.mp4": "unreadable",
            "pipe.mp4": "not_a_file",
            r"\xff.mp4": "missing",
            "socket.mp4": "not_a_file",
            "two.mp4": "unreadable",
        }
        given = [str(path) for path in tmp_path.iterdir()]  # as a shell makes of *
        for locations in ([str(tmp_path)], [f"{tmp_path}/*.mp4"], given):
            sources, missing = find_sources(locations)
            assert [source.name for source in sources] == ["good.mp4"]
            assert {reject.source: reject.reason for reject in missing} == expected
            json.dumps([reject.detail for reject in missing], ensure_ascii=False).encode()


def test_only_what_s2v_wrote_itself_is_no_source(tmp_path):
    touch(
        tmp_path, "own/a.mp4", "own/dataset.json", "own/rejects.jsonl", "own/split=train/x.parquet", "own/notes/b.mp4"
    )
    touch(tmp_path, "run/config.toml", "run/metrics.jsonl", "run/samples/c.mp4", "run/film.mp4")
    touch(tmp_path, "report/report.json", "report/report.html", "report/best_real.mp4")
    touch(tmp_path, "plain/dataset.json", "plain/samples/d.mp4", "plain/split=train/e.mp4")
    assert found_names(tmp_path) == [
        *("own/a.mp4", "own/notes/b.mp4", "plain/dataset.json", "plain/samples/d.mp4", "plain/split=train/e.mp4"),
        "run/film.mp4",
    ]


def test_the_domain_is_the_name_of_the_folder_or_the_file(tmp_path):
    touch(tmp_path, "a.b.c/x.y.mp4")
    folder = str(tmp_path / "a.b.c")
    for videos in (folder, f"{folder}/*.mp4", f"{folder}/**/x*"):
        assert domain_of((videos,)) == "a.b.c"
    assert domain_of((f"{folder}/x.y.mp4",)) == "x.y"
    with pytest.raises(UserError, match="--domain") as error:
        domain_of(("/",))
    assert error.value.code == "missing_setting"


def test_file_uris_are_local_paths(tmp_path):
    touch(tmp_path, "ü b#c%20/x y.mp4")
    sources, _ = find_sources([user_location(f"file://{quote(str(tmp_path))}/", "--videos")])
    assert [(source.path, source.name) for source in sources] == [
        (f"{tmp_path}/ü b#c%20/x y.mp4", "ü b#c%20/x y.mp4"),
    ]


class _Bucket(http.server.BaseHTTPRequestHandler):
    """As much of S3 as listing and asking for a file takes, over a folder."""

    folder: Path

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        url = urlsplit(self.path)
        key = unquote(url.path).removeprefix("/bucket").strip("/")
        if not key:
            self._send(200, self._listing(parse_qs(url.query)).encode())
        elif (self.folder / key).is_file():
            self._send(200, (self.folder / key).read_bytes())
        else:
            self._send(404, b"")

    def _listing(self, query: dict[str, list[str]]) -> str:
        prefix = query.get("prefix", [""])[0]
        names = [p.relative_to(self.folder).as_posix() for p in sorted(self.folder.rglob("*")) if p.is_file()]
        entries = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>5</Size><LastModified>2024-01-02T03:04:05.000Z</LastModified>"
            '<ETag>"e"</ETag><StorageClass>STANDARD</StorageClass></Contents>'
            for name in names
            if name.startswith(prefix)
        )
        count = entries.count("<Key>")
        return (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>bucket</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{count}</KeyCount><MaxKeys>1000</MaxKeys>"
            f"<IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
        )

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Last-Modified", "Tue, 02 Jan 2024 03:04:05 GMT")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the end of a URI by which it is an S3 bucket."""
    folder = tmp_path / "bucket"
    folder.mkdir()
    handler = type("Bucket", (_Bucket,), {"folder": folder})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"?scheme=http&endpoint_override=127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_what_s2v_wrote_is_no_source_in_an_object_store_either(bucket):
    folder, end = bucket
    touch(folder, "d/dataset.json", "d/rejects.jsonl", "d/_sources/a.json", "d/split=val/a.parquet", "d/videos/b.mp4")
    touch(folder, "d/run/config.toml", "d/run/metrics.jsonl", "d/run/samples/c.mp4")
    assert found_names(f"s3://bucket/d{end}") == ["videos/b.mp4"]


def test_an_object_store_is_searched_as_a_folder_is(bucket):
    folder, end = bucket
    touch(folder, "videos/a b#.mp4", "videos/sea/c.mp4", "videos/.hidden.mp4", "other/d.mp4")
    (folder / "videos" / "list.csv").write_text("path,start,end\nsea/c.mp4,1,2\nsea/gone.mp4,,\n")
    root = "s3://bucket/videos"
    sources, missing = find_sources([f"{root}{end}"])
    assert missing == []
    assert [source.name for source in sources] == ["a b#.mp4", "list.csv", "sea/c.mp4"]
    assert sources[0].path == f"{root}/a%20b%23.mp4{end}"
    assert sources[0].version() == (5, 1704164645 * 10**9)  # 2024-01-02 03:04:05 UTC
    assert found_names(f"{root}/*/*.mp4{end}") == ["sea/c.mp4"]
    assert found_names(f"{root}/a%20b%23.mp4{end}") == ["a b#.mp4"]
    sources, missing = find_sources([], manifest=f"{root}/list.csv{end}")
    assert [(source.name, source.path) for source in sources] == [("sea/c.mp4@1.000-2.000", f"{root}/sea/c.mp4{end}")]
    assert [reject.source for reject in missing] == ["sea/gone.mp4"]


def test_version_is_size_and_time_and_a_file_that_disappeared_is_an_error(tmp_path):
    touch(tmp_path, "a.mp4")
    os.utime(tmp_path / "a.mp4", ns=(0, 1_600_000_000_123_456_789))
    source = find_sources([str(tmp_path)])[0][0]
    assert source.version() == (5, 1_600_000_000_123_456_789)
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(MediaError) as error:
        source.version()
    assert error.value.code == "no_file"


def test_keys_are_short_plain_and_unique():
    names = ["a/b", "a_b", "a b", "A/b", "ü.mp4", "ö.mp4", "u\u0308.mp4", "x" * 250, "x" * 251, "a.mp4", "a.mov"]
    names += ["日本.mp4", "a.mp4@0.000-1.000", "a.mp4@0.000-1.001", "../a", "-", "a\nb", "CON", " "]
    keys = [Source("", name).key for name in names]
    assert len({key.lower() for key in keys}) == len(names)
    assert all(len(key) <= 80 and key.isascii() and key.replace("-", "").replace("_", "").isalnum() for key in keys)
    assert keys == [Source("elsewhere", name).key for name in names]


def test_grid_is_divided_by_speaker(tmp_path):
    touch(tmp_path, "s1/bbaf2n.mpg", "s1/lwbsza.mpg", "s23/video/mpg_6000/x.mpg", "s1/film.mp4")
    groups = {source.name: source.group for source in find_sources([str(tmp_path)])[0]}
    assert groups == {
        "s1/bbaf2n.mpg": "s1",
        "s1/lwbsza.mpg": "s1",
        "s1/film.mp4": "s1/film.mp4",
        "s23/video/mpg_6000/x.mpg": "s23",
    }
    assert [source.group for source in find_sources([str(tmp_path / "s1/*.mpg")])[0]] == ["s1", "s1"]
