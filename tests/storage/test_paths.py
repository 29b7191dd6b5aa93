"""What users type, and names of files here and in object stores."""

import subprocess
import sys
from pathlib import Path

import pytest

from s2v_ray.errors import UserError
from s2v_ray.storage.lock import lock
from s2v_ray.storage.paths import base_name, join, parent, user_location


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("clips/sea/", "{here}/clips/sea"),
        ("./a/../b", "{here}/b"),
        (".", "{here}"),
        ("~/x", "{home}/x"),
        ("/a/~/x", "/a/~/x"),
        ("file:///a%20b/%C3%BC%23", "/a b/ü#"),
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
        ("s3://the-key:the-secret@bucket/run", "password_in_uri"),
        ("s3://the-key:the/secret@bucket/run", "password_in_uri"),
    ],
)
def test_what_can_not_be_meant_is_refused(typed, code):
    with pytest.raises(UserError) as error:
        user_location(typed, "--out")
    assert error.value.code == code
    assert "secret@" not in str(error.value)


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
