"""What users type, and names of files here and in object stores."""

import errno
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from s2v_ray.errors import UserError
from s2v_ray.storage.files import exists, is_folder, list_files, read_bytes, write_bytes
from s2v_ray.storage.lock import lock
from s2v_ray.storage.os_errors import reason
from s2v_ray.storage.paths import base_name, join, parent, readable, user_location


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("clips/sea/", "{here}/clips/sea"),
        ("./a/../b", "{here}/b"),
        (".", "{here}"),
        ("~/x", "{home}/x"),
        ("/a/~/x", "/a/~/x"),
        ("file:///a%20b/%C3%BC%23", "/a b/ü#"),
        ("file:///a?b#c", "/a?b#c"),
        ("file:///a/%FF", "/a/\udcff"),
        ("./a://b", "{here}/a:/b"),
        ("~root/x", f"{pwd.getpwnam('root').pw_dir}/x"),
        ("file://localhost/a/", "/a"),
        ("s3://bucket/clips/", "s3://bucket/clips"),
        ("s3://bucket/a%20b//?region=eu-west-1", "s3://bucket/a%20b?region=eu-west-1"),
        ("s3://bucket/a?endpoint_override=http://127.0.0.1:9/", "s3://bucket/a?endpoint_override=http://127.0.0.1:9/"),
        ("hdfs://host:9000/name@x", "hdfs://host:9000/name@x"),
    ],
)
def test_what_a_user_types(typed, meant, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    found = user_location(typed, "--out")
    assert found == meant.format(here=tmp_path, home="/home/me")
    assert user_location(found, "--out") == found


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "empty_location"),
        ("file://elsewhere/a", "wrong_uri"),
        ("~nobody-of-this-name/x", "unknown_home"),
        ("a\0b", "wrong_path"),
        ("s3://the-key:the-secret@bucket/run", "password_in_uri"),
        ("s3://the-key:the/secret@bucket/run", "password_in_uri"),
    ],
)
def test_what_can_not_be_meant_is_refused(typed, code):
    with pytest.raises(UserError) as error:
        user_location(typed, "--out")
    assert error.value.code == code
    assert "secret@" not in str(error.value)


def test_above_a_link_is_above_what_it_leads_to(tmp_path):
    (tmp_path / "far/away").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far/away")
    for typed, meant in (("link/../x", "far/x"), ("link/x", "link/x"), ("link/in/../x", "link/x"), ("far/../x", "x")):
        assert user_location(tmp_path / typed, "--out") == str(tmp_path / meant)


def test_a_link_as_output_stays_and_what_it_leads_to_is_written(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    for target in ("elsewhere/there", "elsewhere/not_yet"):
        link = tmp_path / Path(target).name
        link.symlink_to(tmp_path / target)
        write_bytes(link, b"new")
        assert link.is_symlink()
        assert (tmp_path / target).read_bytes() == b"new"
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(OSError, match="loop") as error:
        write_bytes(tmp_path / "loop", b"new")
    assert error.value.errno == errno.ELOOP
    assert (tmp_path / "loop").is_symlink()


@pytest.mark.parametrize("name", ["n" * 251 + ".mp4", "n" * 255, "." + "n" * 254, "ü" * 127, "a." + "b" * 253])
def test_the_longest_names_can_be_written(tmp_path, name):
    write_bytes(tmp_path / name, b"all")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_folders_with_names_that_are_not_utf8_are_read_and_written(tmp_path):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    write_bytes(join(odd, "a"), b"here")
    Path(odd, os.fsdecode(b"\xff")).write_bytes(b"")
    assert read_bytes(join(odd, "a")) == b"here"
    assert list_files(odd) == ["a", os.fsdecode(b"\xff")]
    assert (is_folder(odd), exists(join(odd, "b"))) == (True, False)
    assert readable(odd) == f"{tmp_path}/caf\\xe9"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "no space"),
        (errno.EACCES, "permission"),
        (errno.EMFILE, "ulimit -n"),
        (errno.ENAMETOOLONG, "longer"),
        (errno.EROFS, "read-only"),
        (errno.ESTALE, "stale"),
        (errno.EPROTO, "Protocol error"),
    ],
)
def test_an_error_of_the_system_is_told_by_its_cause(number, said):
    assert said in reason(OSError(number, os.strerror(number), "file"))


def test_parts_of_names():
    assert join("a/", "b", "c d") == "a/b/c d"
    assert join("/", "b") == "/b"
    assert join("s3://bucket/x?region=eu", "y z#@") == "s3://bucket/x/y%20z%23@?region=eu"
    for location in ("/a/b c", "s3://bucket/b%20c?region=eu"):
        assert base_name(location) == "b c"
        assert join(parent(location), base_name(location)) == location


def test_a_lock_is_held_by_one_process_and_ends_with_it(tmp_path):
    hold = (
        "import sys, time; from s2v_ray.storage.lock import lock\n"
        "with lock('x', sys.argv[1]): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(UserError) as error, lock("mine", tmp_path):
            pass
        assert error.value.code == "locked"
        assert "'mine'" in str(error.value)
        process.kill()
    with lock("mine", tmp_path):
        pass
    with lock("s3://bucket/run", "s3://bucket/run"):  # which has none
        pass


def test_a_file_system_without_locks_goes_without(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    with lock(tmp_path, tmp_path):
        assert Path(tmp_path / ".lock").exists()
