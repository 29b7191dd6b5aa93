"""Clips, runs and reports in an object store: a real S3 server on loopback, that is slow, fails and breaks off."""

import json
import os
import shlex
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import optuna
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from helpers.decoding import probe_path
from helpers.small import SMALL_CLIPS, small_config
from helpers.weights import assert_close, weights

pytest.importorskip("moto", reason="the server comes with the extra 'dev'")
from helpers.object_store import Fault, ObjectStore

from s2v_ray.cli.main import main
from s2v_ray.dataset import clip_files
from s2v_ray.dataset.index import read_dataset
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.errors import StoreError, UserError
from s2v_ray.storage.cache import ClipCache
from s2v_ray.storage.files import (
    exists,
    is_folder,
    list_files,
    list_folders,
    locate,
    open_file,
    read_bytes,
    remove_folder,
    upload,
    write_bytes,
)
from s2v_ray.storage.paths import join
from s2v_ray.training.checkpoint import load_model
from s2v_ray.training.checkpoint_files import find_checkpoint, last_checkpoint
from s2v_ray.training.data.loader import training_batches
from s2v_ray.training.data.order import global_batch
from s2v_ray.tuning.journal import fetch_journal, open_journal, sweep_location

CLIPS = "s3://bucket/clips/sea"


@pytest.fixture(scope="module")
def server(small_clips: Path) -> Iterator[ObjectStore]:
    """A store with clips in it."""
    store = ObjectStore()
    for path in small_clips.rglob("*"):
        if path.is_file():
            store.client.upload_file(str(path), "bucket", f"clips/sea/{path.relative_to(small_clips)}")
    yield store
    store.close()


@pytest.fixture
def store(server: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ObjectStore]:
    """That store as it is found by the environment, and an empty cache."""
    for name, value in {**server.environment, "XDG_CACHE_HOME": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    server.requests.clear()
    yield server
    server.faults.clear()


def train_command(run: str | Path, clips: str | Path, model: str | Path, *more: str) -> list[str]:
    command = ["train", "--clips", str(clips), "--out", str(run), "--config", str(model), "--device", "cpu"]
    return [*command, "--training.save-every-steps", "2", *more]


def assert_same_weights(ours: str | Path, theirs: str | Path) -> None:
    assert_close(weights(ours), weights(theirs), 0)


def metric_steps(run: str) -> list[int]:
    return [json.loads(line)["step"] for line in read_bytes(join(run, "metrics.jsonl")).splitlines()]


def test_files_and_folders(store):
    folder = "s3://bucket/files"
    write_bytes(join(folder, "a b.bin"), b"one")
    write_bytes(join(folder, "deep", "ü#?.bin"), b"two")
    assert list_files(folder, recursive=True) == ["a b.bin", "deep/ü#?.bin"]
    assert list_files(folder) == ["a b.bin"]
    assert list_folders(folder) == ["deep"]
    assert read_bytes(join(folder, "deep", "ü#?.bin")) == b"two"
    assert (is_folder(folder), is_folder(join(folder, "a b.bin")), exists(join(folder, "none"))) == (True, False, False)
    assert open_file(join(folder, "a b.bin")).read_at(2, 1) == b"ne"
    with pytest.raises(UserError, match="'s3://bucket/files/none'") as error:
        read_bytes(join(folder, "none"))
    assert error.value.code == "not_found"
    remove_folder(join(folder, "deep"))
    assert list_files(folder, recursive=True) == ["a b.bin"]
    assert join("s3://bucket/x?region=eu-west-1", "y z") == "s3://bucket/x/y%20z?region=eu-west-1"


@pytest.mark.parametrize("kind", ["500", "cut"])
def test_a_fault_that_passes_is_waited_for_and_one_that_stays_is_reported(store, kind):
    file = f"s3://bucket/faults/{kind}.bin"
    for method in ("PUT", "GET"):
        store.faults.append(Fault(kind, lambda request, method=method: request.startswith(method), times=2))
    write_bytes(file, b"content")
    assert read_bytes(file) == b"content"
    assert [fault.times for fault in store.faults] == [0, 0]
    store.faults[:] = [Fault(kind, lambda request: not request.startswith("HEAD"))]
    with pytest.raises(StoreError, match=rf"'{file}'"):
        read_bytes(file)
    with pytest.raises(StoreError, match=r"other\.bin"):
        write_bytes("s3://bucket/faults/other.bin", b"content")
    store.faults.clear()
    assert not exists("s3://bucket/faults/other.bin")


def test_of_a_large_file_whose_upload_breaks_off_nothing_appears(store, tmp_path):
    large = tmp_path / "large"
    large.write_bytes(bytes(25_000_000))  # three parts
    store.faults.append(Fault("500", lambda request: "partNumber=2" in request))
    with pytest.raises(StoreError):
        upload(large, "s3://bucket/large")
    store.faults.clear()
    assert not exists("s3://bucket/large")
    upload(large, "s3://bucket/large")
    assert read_bytes("s3://bucket/large") == bytes(25_000_000)


def test_each_scheme_finds_its_file_system():
    filesystem, path = locate("gs://bucket/clips/a%20b?endpoint_override=127.0.0.1:9&scheme=http")
    assert (filesystem.type_name, path) == ("gcs", "bucket/clips/a b")
    for uri, code in (
        ("nowhere://bucket/clips", "wrong_uri"),
        ("s3://bucket/clips?retries=3", "unknown_setting"),
        ("s3://the-key:the-secret@bucket/run", "password_in_uri"),
    ):
        with pytest.raises(UserError) as error:
            locate(uri)
        assert error.value.code == code
        assert "the-secret" not in str(error.value)


def test_clips_are_prepared_into_a_store_as_into_a_folder(store, small_videos, small_clips):
    out = "s3://bucket/clips/prepared"
    command = ["prepare", "--videos", str(small_videos), "--out", out, "--local", *SMALL_CLIPS]
    store.faults.append(Fault("500", lambda request: request.startswith("PUT") and "split=train" in request, times=7))
    assert main(command) == 1  # after the first source's four tries
    assert not parquet_files(out)
    store.faults[:] = [Fault("cut", lambda request: request.startswith("PUT") and "split=" in request, times=2)]
    assert main(command) == 0
    local = {str(path.relative_to(small_clips)): path for path in small_clips.rglob("*.parquet")}
    assert parquet_files(out) == sorted(local)
    assert all(read_bytes(join(out, name)) == path.read_bytes() for name, path in local.items())
    assert read_bytes(join(out, "dataset.json")) == (small_clips / "dataset.json").read_bytes()
    store.requests.clear()
    assert main(command) == 0
    assert not any(request.startswith("PUT") and "split=" in request for request in store.requests)  # all was done


def parquet_files(clips: str) -> list[str]:
    return [name for name in list_files(clips, recursive=True) if name.startswith("split=")]


def test_clips_read_from_a_store_are_those_of_the_folder(store, small_clips):
    ours, theirs = ClipReader(CLIPS, ["train", "val"]), ClipReader(small_clips, ["train", "val"])
    assert (len(ours), ours.fingerprint) == (len(theirs), theirs.fingerprint)
    assert list(ours.sources) == list(theirs.sources)
    for number in [*range(len(ours)), 0]:
        assert np.array_equal(ours[number].frames_THWC, theirs[number].frames_THWC)
        assert np.array_equal(ours[number].wave, theirs[number].wave)


def test_shards_in_a_store_are_merged_there(store, small_videos, small_clips):
    out = "s3://bucket/clips/shards"
    command = ["prepare", "--videos", str(small_videos), "--out", out, "--local", *SMALL_CLIPS]
    for shard in ("2/2", "1/2"):
        assert main([*command, "--shard", shard]) == 0
    assert main(["merge", "--clips", out]) == 0
    names = list_files(out, recursive=True)
    local = [path for path in small_clips.rglob("[!.]*") if path.is_file()]
    assert names == sorted(str(path.relative_to(small_clips)) for path in local)
    assert all(read_bytes(join(out, name)) == (small_clips / name).read_bytes() for name in names)


def reads(store: ObjectStore) -> int:
    return sum(request.startswith("GET") and ".parquet" in request for request in store.requests)


def test_a_cached_clip_is_not_read_again_and_a_damaged_copy_is(store, tmp_path):
    reader = ClipReader(CLIPS, "train")
    frames_THWC = reader[0].frames_THWC
    store.requests.clear()
    assert np.array_equal(ClipReader(CLIPS, "train")[0].frames_THWC, frames_THWC)
    assert np.array_equal(reader[0].frames_THWC, frames_THWC)
    opened = reads(store)  # to see which clips there are, once more
    index = read_dataset(CLIPS).clip_index
    (copy,) = (path for path in (tmp_path / "cache").rglob("*.arrow") if path.name != index)
    copy.write_bytes(copy.read_bytes()[:1000])
    assert np.array_equal(reader[0].frames_THWC, frames_THWC)
    assert reads(store) > opened
    uncached = ClipReader(CLIPS, "train", cache_gib=0)
    assert np.array_equal(uncached[1].frames_THWC, reader[1].frames_THWC)


def test_a_data_set_in_place_of_another_with_the_same_index_is_not_read_from_the_cache(store, small_clips, tmp_path):
    clips, place = f"{CLIPS}-anew", tmp_path / "anew"
    shutil.copytree(small_clips, place)

    def upload_all() -> None:
        for path in place.rglob("*"):
            if path.is_file():
                store.client.upload_file(str(path), "bucket", f"clips/sea-anew/{path.relative_to(place)}")

    upload_all()
    before = ClipReader(clips, "test")[0].frames_THWC
    path = next((place / "split=test").glob("*.parquet"))
    table = pq.read_table(path)
    dark = pa.array([bytes(before.size)] * len(table), table.schema.field("frames").type)
    pq.write_table(table.set_column(table.column_names.index("frames"), table.schema.field("frames"), dark), path)
    described = (place / "dataset.json").read_text()
    (place / "dataset.json").write_text(described.replace('"seed": 0', '"seed": 10'))
    upload_all()
    clip_files._open_once.cache_clear()  # as in another process
    assert not ClipReader(clips, "test")[0].frames_THWC.any()
    assert before.any()


def test_an_index_in_a_store_may_be_missing_and_is_kept_only_under_its_own_name(store, small_clips, tmp_path):
    index = read_dataset(CLIPS).clip_index
    key, cached = f"clips/sea/_index/{index}", tmp_path / "cache" / "s2v_ray" / "clips" / index
    content = store.client.get_object(Bucket="bucket", Key=key)["Body"].read()
    try:
        store.client.put_object(Bucket="bucket", Key=key, Body=content.replace(b".mp4", b".mov"))
        with pytest.raises(UserError) as refused:
            ClipReader(CLIPS, "train")
        assert refused.value.code == "damaged_clips"
        assert not cached.exists()
        store.client.delete_object(Bucket="bucket", Key=key)
        assert len(ClipReader(CLIPS, "train")) == 16  # each file is looked at
    finally:
        store.client.put_object(Bucket="bucket", Key=key, Body=content)
    assert len(ClipReader(CLIPS, "train")) == 16
    assert cached.exists()
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("no folder")
    with pytest.warns(UserWarning, match="can't be cached"):
        assert len(ClipReader(CLIPS, "train", cache_gib=0)) == 16


def test_the_cache_is_bounded_and_the_least_recently_used_goes_first(tmp_path):
    def table(number: int) -> pa.Table:
        return pa.table({"content": [bytes([number]) * 100_000]})

    made: list[int] = []

    def read(number: int) -> pa.Table:
        def make() -> pa.Table:
            made.append(number)
            return table(number)

        return cache.table(f"clip {number}", make)

    cache = ClipCache(tmp_path, limit_bytes=450_000)  # four of them
    for number in range(4):
        assert read(number) == table(number)
        os.utime(max(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns), ns=(0, number))
    assert read(0) == table(0)  # used just now
    assert read(4) == table(4)
    assert made == [0, 1, 2, 3, 4]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 450_000
    assert [read(number) == table(number) for number in (0, 4, 1)] == [True] * 3
    assert made == [0, 1, 2, 3, 4, 1]
    assert len(list(ClipCache(tmp_path / "small", limit_bytes=50_000).table("large", lambda: table(1)))) == 1
    assert not (tmp_path / "small").exists()


def test_clips_are_read_while_a_step_is_made(store, small_clips):
    config = small_config(small_clips, training__batch_size=1)
    reader, cpu = ClipReader(CLIPS, "train", cache_gib=0), torch.device("cpu")
    (first,) = global_batch(0, clip_count=len(reader), batch_size=1, seed=config.training.seed)
    source = Path(reader.sources[first.clip]).stem
    waiting = threading.Semaphore(0)

    def others(request: str) -> bool:
        if not request.startswith("GET") or source in request:
            return False
        waiting.release()
        return True

    slow = Fault("slow", others)
    store.faults.append(slow)
    batches = training_batches(reader, config, cpu)
    ours = [next(batches)]  # it does not wait for the others
    assert waiting.acquire(timeout=60)  # and the store is asked for them before we are
    slow.released.set()
    ours += [next(batches) for _ in range(5)]
    batches.close()
    theirs = training_batches(ClipReader(small_clips, "train"), config, cpu)
    for batch in ours:
        assert torch.equal(batch.video_BFCHW, next(theirs).video_BFCHW)


def test_a_run_in_a_store_resumes_and_equals_a_local_one(store, small_clips, small_model, tmp_path, capsys):
    run, local = "s3://bucket/runs/sea", tmp_path / "local"
    validated = ["--training.validate-every-steps", "3"]
    assert main(train_command(local, small_clips, small_model, "--steps", "6", *validated)) == 0
    assert main(train_command(run, CLIPS, small_model, "--steps", "3", *validated)) == 0
    event_files = [name for name in list_files(run) if "tfevents" in name]
    assert main(train_command(run, CLIPS, small_model, "--steps", "6", *validated)) == 0
    output = capsys.readouterr().out
    assert "Resuming from step 3" in output
    assert f"Next: s2v evaluate --checkpoint {run} --clips {CLIPS} --out reports/sea" in output
    assert_same_weights(run, local)
    assert metric_steps(run) == [2, 3, 3, 4, 6, 6]  # a validation has a line of its own
    assert set(event_files) < set(list_files(run))
    pointers = list_files(join(run, "checkpoints"))
    assert pointers == ["best", "last"]
    assert list_files(join(run, "samples")) == [
        f"step_0000000{step}.{kind}" for step in (3, 6) for kind in ("mp4", "png")
    ]
    assert last_checkpoint(run) == join(run, "checkpoints", "step_00000006")

    report = "s3://bucket/reports/sea"
    assert main(["evaluate", "--checkpoint", run, "--clips", CLIPS, "--out", report, "--device", "cpu"]) == 0
    assert json.loads(read_bytes(join(report, "report.json")))["checkpoint"] == find_checkpoint(run)
    assert b"data:video/mp4" in read_bytes(join(report, "report.html"))

    sample, video = tmp_path / "real.mp4", "s3://bucket/made/a b.mp4"
    sample.write_bytes(read_bytes(join(report, "best_real.mp4")))
    command = ["generate", "--checkpoint", run, "--image", str(sample), "--sound", str(sample), "--device", "cpu"]
    assert main([*command, "--out", str(tmp_path / "made.mp4")]) == 0
    assert main([*command, "--out", video.replace(" ", "%20")]) == 0
    assert read_bytes(video.replace(" ", "%20")) == (tmp_path / "made.mp4").read_bytes()
    assert probe_path(tmp_path / "made.mp4").picture_end > 0
    assert main(["info", run]) == 0

    everything = b"".join(store.content().values()) + "".join(capsys.readouterr()).encode()
    for secret in (b"the-secret", b"the-key"):
        assert secret not in everything


def test_a_checkpoint_that_the_store_refuses_costs_nothing_that_was_saved(
    store, small_clips, small_model, tmp_path, capsys
):
    run, local = "s3://bucket/runs/refused", tmp_path / "local"
    store.faults.append(Fault("500", lambda request: request.startswith("PUT") and "step_00000004" in request))
    assert main(train_command(run, CLIPS, small_model, "--steps", "6")) == 1
    output = capsys.readouterr().err
    assert "A checkpoint could not be written to 's3://bucket/runs/refused' (" in output
    assert "it resumes from s3://bucket/runs/refused/checkpoints/step_00000002." in output
    assert "Traceback" not in output
    store.faults.clear()
    assert last_checkpoint(run) == join(run, "checkpoints", "step_00000002")
    assert main(train_command(run, CLIPS, small_model, "--steps", "6")) == 0
    assert "Resuming from step 2" in capsys.readouterr().out
    assert main(train_command(local, small_clips, small_model, "--steps", "6")) == 0
    assert_same_weights(run, local)
    assert metric_steps(run) == [2, 4, 6, 6]


def test_training_outlives_a_store_that_fails_for_a_while(store, small_clips, small_model, tmp_path, capsys):
    run, local = "s3://bucket/runs/shaken", tmp_path / "local"
    for kind in ("500", "cut"):
        for method in ("GET", "PUT", "HEAD"):
            store.faults.append(Fault(kind, lambda request, method=method: request.startswith(method), times=1))
    assert main(train_command(run, CLIPS, small_model, "--steps", "4")) == 0
    assert not any(fault.times for fault in store.faults)
    assert main(train_command(local, small_clips, small_model, "--steps", "4")) == 0
    assert_same_weights(run, local)
    # And one that fails for long while clips are read.
    store.faults[:] = [Fault("cut", lambda request: "/clips/" in request and ".parquet" in request)]
    capsys.readouterr()
    more = ["--steps", "6", "--training.clip-cache-gib", "0"]
    assert main(train_command(run, CLIPS, small_model, *more)) == 1
    assert "give the same command" in capsys.readouterr().err
    store.faults.clear()
    assert main(train_command(run, CLIPS, small_model, *more)) == 0


@pytest.mark.ray
def test_workers_of_a_cluster_share_a_run_in_a_store(
    store, small_videos, small_clips, small_model, two_worker_run, capsys
):
    end = f"?scheme=http&endpoint_override={store.url.removeprefix('http://')}"  # workers don't have our environment
    clips, run = f"s3://bucket/clips/by_ray{end}", f"s3://bucket/runs/by_ray{end}"
    assert main(["prepare", "--videos", str(small_videos), "--out", clips, *SMALL_CLIPS]) == 0
    assert ClipReader(clips, "train").fingerprint == ClipReader(small_clips, "train").fingerprint
    command = train_command(run, clips, small_model, "--training.clip-cache-gib", "0")
    assert main([*command, "--workers", "2", "--steps", "4"]) == 0
    local = load_model(str(two_worker_run / "checkpoints" / "step_00000004"))[0].state_dict()
    assert_close(weights(run), local, 1e-6)
    capsys.readouterr()
    assert main([*command, "--steps", "5"]) == 0  # by one process
    assert "Resuming from step 4" in capsys.readouterr().out
    assert metric_steps(run) == [2, 4, 4, 5, 5]  # a validation, at the end of each, has a line of its own
    written = {name for name in list_files(run) if "tfevents" not in name}
    assert written == {"config.toml", "metrics.jsonl", "status.json"}


@pytest.mark.ray
def test_a_sweep_in_a_store_resumes_on_another_machine(
    store, small_clips, small_model, tmp_path, ray_cluster, monkeypatch, capsys
):
    end = f"?scheme=http&endpoint_override={store.url.removeprefix('http://')}"  # workers don't have our environment
    out, domain = f"s3://bucket/sweeps/mine{end}", json.loads((small_clips / "dataset.json").read_text())["domain"]
    command = ["tune", "--clips", str(small_clips), "--out", out, "--config", str(small_model)]
    command += ["--steps", "4", "--repeats", "0"]
    assert main([*command, "--trials", "3"]) == 0
    first = capsys.readouterr().out
    names = {name for name in store.content() if name.startswith("sweeps/mine/")}
    assert {
        f"sweeps/mine/{name}" for name in ("journal.log", "sweep.json", "report.html", f"{domain}/best.toml")
    } <= names
    assert len({name.split("/")[4] for name in names if "/checkpoints/" in name}) == 1  # those of the best trial
    table = pa.BufferReader(read_bytes(f"s3://bucket/sweeps/mine/{domain}/trials.parquet{end}"))
    before = pq.read_table(table).to_pylist()
    assert [trial["kind"] for trial in before] == ["preset", "control", "search"]

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert main([*command, "--trials", "4"]) == 0
    assert "Resuming with 3 finished trials" in capsys.readouterr().out
    table = pa.BufferReader(read_bytes(f"s3://bucket/sweeps/mine/{domain}/trials.parquet{end}"))
    assert pq.read_table(table).to_pylist()[:3] == before
    command[4] = str(tmp_path / "warm")
    assert main([*command, "--trials", "3", "--warm-start", out]) == 0
    best = next(shlex.split(line)[6] for line in first.splitlines() if line.startswith("Next: "))
    assert main(train_command(tmp_path / "run", small_clips, best, "--steps", "1")) == 0


def test_a_line_of_a_journal_that_was_cut_off_is_left_out(store, tmp_path):
    location = sweep_location("s3://bucket/sweeps/cut")
    optuna.create_study(study_name="sea", storage=open_journal(location))
    whole = read_bytes("s3://bucket/sweeps/cut/journal.log")
    write_bytes("s3://bucket/sweeps/cut/journal.log", whole + b'{"op_code":4,"wor')
    fetch_journal(location)
    study = optuna.load_study(study_name="sea", storage=open_journal(location))
    study.enqueue_trial({"x": 1.0})
    fetch_journal(location)
    assert len(optuna.load_study(study_name="sea", storage=open_journal(location)).trials) == 1
