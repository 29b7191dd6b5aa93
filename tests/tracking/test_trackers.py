"""Trackers of experiments, by their own libraries: what a run sends is read back from where they wrote it."""

import json
import re
import shutil
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest
from helpers.small import small_config

from s2v_ray.cli.flags import parse
from s2v_ray.cli.main import main
from s2v_ray.cli.train import train as train_verb
from s2v_ray.errors import UserError
from s2v_ray.recipes.train import PreparedClips, job_on, run_training, tracked_settings
from s2v_ray.recipes.tune import plan_sweep, track_sweep_report, tracked_sweep, train_to_rungs, trial_tracking
from s2v_ray.storage.files import write_bytes
from s2v_ray.tracking import background
from s2v_ray.tracking.entries import Entry, read_entries, write_entries
from s2v_ray.tracking.track import Tracking, found_tracking, start_tracking
from s2v_ray.training.schedule import config_budget
from s2v_ray.training.workers import ALONE

mlflow = pytest.importorskip("mlflow")
wandb = pytest.importorskip("wandb")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An MLflow database, which takes seconds to make."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture(autouse=True)
def environment(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is reached, and no key of whoever runs the tests is found."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", tmp_path.name)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def mlflow_runs(database: str, experiment: str) -> list[Any]:
    client = mlflow.MlflowClient(tracking_uri=database)
    found = client.get_experiment_by_name(experiment)
    return list(client.search_runs([found.experiment_id])) if found else []


def mlflow_files(database: str, run_id: str, folder: str) -> dict[str, Path]:
    client = mlflow.MlflowClient(tracking_uri=database)
    return {
        Path(f.path).name: Path(client.download_artifacts(run_id, f.path))
        for f in client.list_artifacts(run_id, folder)
    }


def wandb_records(folder: Path) -> Iterator[Any]:
    """The records of an offline run: blocks of 32 KiB as in LevelDB's log, with a header of seven bytes before each."""
    from wandb.proto.wandb_internal_pb2 import Record

    (file,) = folder.glob("*.wandb")
    content, at, whole = file.read_bytes(), 7, b""
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, size, kind = struct.unpack("<IHB", content[at : at + 7])
        whole += content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or a last part
            yield Record.FromString(whole)
            whole = b""


def wandb_rows(folder: Path) -> list[dict[str, Any]]:
    rows = [record.history for record in wandb_records(folder) if record.WhichOneof("record_type") == "history"]
    return [{item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in row.item} for row in rows]


def wandb_values(folder: Path, name: str) -> list[tuple[int, float]]:
    return [(row["step"], row[name]) for row in wandb_rows(folder) if name in row]


def logged(run: Path, name: str) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line[name]) for line in lines if name in line]


def arguments(clips: Path, run: Path | str, model: Path, steps: int) -> list[str]:
    saving = ["--training.save-every-steps", "4", "--training.validate-every-steps", "4"]
    return ["train", "--clips", str(clips), "--out", str(run), "--config", str(model), "--steps", str(steps), *saving]


@pytest.fixture(scope="module")
def tracked(small_clips: Path, small_model: Path, database: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 8 steps whose last checkpoint was lost, resumed from step 4 and trained to step 12."""
    run = tmp_path_factory.mktemp("tracked") / "sea"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", database)
        patch.setenv("MLFLOW_EXPERIMENT_NAME", "tracked")
        patch.setenv("WANDB_MODE", "offline")
        assert main([*arguments(small_clips, run, small_model, 8), "--track", "mlflow,wandb"]) == 0
        shutil.rmtree(run / "checkpoints" / "step_00000008")
        for pointer in ("last", "best"):
            write_bytes(run / "checkpoints" / pointer, b"step_00000004")
        assert main([*arguments(small_clips, run, small_model, 12), "--track", "mlflow", "wandb"]) == 0
    return run


NAMES = ["loss/generator", "loss/video_discriminator", "validation/score", "learning_rate/generator"]


def test_a_resumed_run_continues_its_entry_in_mlflow_without_repeating_steps(tracked: Path, database: str) -> None:
    (entry,) = mlflow_runs(database, "tracked")
    assert (entry.info.run_name, entry.info.status) == ("sea", "FINISHED")
    assert (entry.data.params["training.batch_size"], entry.data.params["data.resolution"]) == ("4", "32")
    client = mlflow.MlflowClient(tracking_uri=database)
    for name in [name for name in NAMES if logged(tracked, name)]:
        history = sorted((each.step, each.value) for each in client.get_metric_history(entry.info.run_id, name))
        assert [step for step, _ in history] == ([4, 8, 12] if "validation" in name else [4, 8, 10, 12]), name
        assert history == logged(tracked, name), name
    assert logged(tracked, "validation/score")
    samples = mlflow_files(database, entry.info.run_id, "samples")
    assert sorted(samples) == [f"step_{step:08d}.mp4" for step in (4, 8, 12)]
    with av.open(str(samples["step_00000012.mp4"])) as video:
        assert [len(video.streams.video), len(video.streams.audio)] == [1, 1]
    assert len(client.list_artifacts(entry.info.run_id, "images")) >= 3  # by step, for MLflow's own viewer


def test_a_resumed_run_continues_its_entry_in_wandb(tracked: Path) -> None:
    (entry,) = [entry for entry in read_entries(tracked) if entry.tracker == "wandb"]
    first, second = sorted((tracked / "wandb").glob(f"offline-run-*-{entry.id}"))
    whole = logged(tracked, "validation/score")
    assert wandb_values(first, "validation/score") == whole[:2]
    assert wandb_values(second, "validation/score") == whole[1:]
    assert wandb_values(first, "loss/reconstruction") == logged(tracked, "loss/reconstruction")[:2]
    run = next(record.run for record in wandb_records(first) if record.WhichOneof("record_type") == "run")
    assert (run.run_id, run.project, run.display_name) == (entry.id, "s2v_ray", "sea")
    configs = [record.config for record in wandb_records(first) if record.WhichOneof("record_type") == "config"]
    settings = {item.key: json.loads(item.value_json) for config in (run.config, *configs) for item in config.update}
    assert settings["training"]["batch_size"] == 4
    samples = [row for row in wandb_rows(first) if "sample/path" in row]
    assert [(row["step"], row["sample/_type"]) for row in samples] == [(4, "video-file"), (8, "video-file")]
    with av.open(str(first / "files" / samples[0]["sample/path"])) as video:
        assert video.streams.audio


def test_scores_follow_their_own_steps_in_wandb(tracked: Path) -> None:
    folder = sorted((tracked / "wandb").glob("offline-run-*"))[0]
    axes = [record.metric for record in wandb_records(folder) if record.WhichOneof("record_type") == "metric"]
    assert ("*", "step") in [(axis.glob_name, axis.step_metric) for axis in axes]


def test_an_evaluation_adds_its_report_to_the_runs_entries(
    tracked: Path, small_clips: Path, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "report-of-sea"
    asked = ["--checkpoint", str(tracked), "--clips", str(small_clips), "--out", str(out)]
    assert main(["evaluate", *asked, "--track", "mlflow,wandb"]) == 0
    report = json.loads((out / "report.json").read_text())
    (entry,) = mlflow_runs(database, "tracked")
    score = report["scores"]["motion_correlation"]["model"]["mean"]
    assert entry.data.metrics["test/motion_correlation"] == score
    assert entry.info.status == "FINISHED"
    found = mlflow_files(database, entry.info.run_id, "report/report-of-sea")
    assert found.keys() == {path.name for path in out.iterdir()}
    assert found["report.html"].read_bytes() == (out / "report.html").read_bytes()
    folder = sorted((tracked / "wandb").glob("offline-run-*"))[-1]
    (row,) = wandb_rows(folder)
    assert (row["step"], row["test/motion_correlation"]) == (report["step"], score)
    artifacts = [
        record.request.log_artifact.artifact if record.WhichOneof("record_type") == "request" else record.artifact
        for record in wandb_records(folder)
        if record.WhichOneof("record_type") == "artifact" or record.request.WhichOneof("request_type") == "log_artifact"
    ]
    (artifact,) = artifacts
    assert artifact.type == "report"
    assert {file.path for file in artifact.manifest.contents} == found.keys()


def test_what_is_not_named_writes_nothing(small_run: Path, tracked: Path) -> None:
    assert list(small_run.glob("events.out.tfevents.*"))
    assert not (small_run / "trackers.json").exists()
    assert not (small_run / "wandb").exists()
    assert not list(tracked.glob("events.out.tfevents.*"))


def test_a_run_that_was_not_tracked_sends_its_history_once_it_is(
    small_run: Path, small_clips: Path, small_model: Path, database: str, tmp_path: Path
) -> None:
    run = shutil.copytree(small_run, tmp_path / "run")
    assert main(["evaluate", "--checkpoint", str(run), "--clips", "x", "--out", "y", "--track", "mlflow"]) == 1
    assert main([*arguments(small_clips, run, small_model, 8), "--track", "mlflow"]) == 0  # it is finished
    (entry,) = mlflow_runs(database, tmp_path.name)
    assert entry.data.metrics["loss/reconstruction"] == dict(logged(run, "loss/reconstruction"))[8]


def test_an_exported_model_has_no_entries(small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported = shutil.copytree(small_run / "checkpoints" / "step_00000008", tmp_path / "exports" / "sea")
    zipped = shutil.make_archive(str(tmp_path / "sea"), "zip", exported)
    for model in (str(exported), zipped):
        assert main(["evaluate", "--checkpoint", model, "--clips", "x", "--out", "y", "--track", "mlflow"]) == 1
        assert re.search(rf"'{model}' is in no run's folder.*\[not_tracked\]", capsys.readouterr().err)


def test_an_experiments_name_may_hold_slashes(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", f"/Users/me/../{tmp_path.name}")
    first = start_tracking(tmp_path, ["mlflow"], name="run", settings={})
    assert start_tracking(tmp_path, ["mlflow"], name="run", settings={}).entries == first.entries
    (entry,) = mlflow_runs(database, f"/Users/me/../{tmp_path.name}")
    files = Path(database.removeprefix("sqlite:///")).parent / "mlruns"
    assert entry.info.artifact_uri == f"{files.as_uri()}/{entry.info.run_id}/artifacts"


def test_a_training_that_can_not_start_has_failed(small_run: Path, small_clips: Path, tmp_path: Path) -> None:
    run = shutil.copytree(small_run, tmp_path / "run")
    (run / "checkpoints" / "step_00000008" / "state.json").write_text("{}")
    config = small_config(small_clips)
    tracking = start_tracking(run, ["mlflow"], name="run", settings={})
    job = replace(
        job_on(PreparedClips((str(small_clips),)), config, str(tmp_path / "new"), tracking=tracking), run=str(run)
    )
    with pytest.raises(UserError, match="damaged"):
        run_training(job, config_budget(config))
    (entry,) = mlflow_runs(mlflow.get_tracking_uri(), tmp_path.name)
    assert entry.info.status == "FAILED"


@pytest.mark.parametrize(
    "typed", [["tensorboard,wandb,mlflow"], ["tensorboard", "wandb", "mlflow"], ["tensorboard,", "wandb,mlflow"]]
)
def test_names_may_be_separated_by_commas(typed: list[str]) -> None:
    call = parse("train", train_verb, ["--clips", "c", "--out", "o", "--track", *typed])
    assert call.keywords["track"] == ("tensorboard", "wandb", "mlflow")


def test_an_unknown_tracker_is_refused() -> None:
    with pytest.raises(UserError, match="'comet' is none of tensorboard, wandb, mlflow") as raised:
        parse("train", train_verb, ["--clips", "c", "--out", "o", "--track", "comet"])
    assert raised.value.code == "wrong_value"


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_library_is_named_with_the_extra_that_adds_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=rf"pip install '\.\[{name}\]'") as raised:
        start_tracking(tmp_path, [name], name="run", settings={})
    assert raised.value.code == f"no_{name}"


def closed_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def test_a_server_that_is_not_there_is_reported_before_the_training(
    small_clips: Path,
    small_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = tmp_path / "run"
    assert main([*arguments(small_clips, run, small_model, 4), "--track", "mlflow"]) == 1
    assert "[tracker_unavailable]" in capsys.readouterr().err
    assert not (run / "metrics.jsonl").exists()


def test_wandb_without_a_key_is_refused_rather_than_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    wandb.teardown()  # it keeps the settings that it started with
    try:
        with pytest.raises(UserError, match="WANDB_MODE=offline") as raised:
            start_tracking(tmp_path, ["wandb"], name="run", settings={})
        assert raised.value.code == "tracker_unavailable"
        assert not (tmp_path / "trackers.json").exists()
        write_entries(tmp_path, (Entry("wandb", "abc", "x"),))
        with pytest.raises(UserError, match="WANDB_MODE=offline"):  # before an evaluation of many minutes
            found_tracking(tmp_path, ["wandb"])
    finally:
        monkeypatch.undo()
        wandb.teardown()


def test_a_server_that_is_gone_ends_no_training(
    small_clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    gone = Tracking(entries=(Entry("mlflow", "a" * 32, "x"),), mlflow_uri=f"http://127.0.0.1:{closed_port()}")
    config = small_config(small_clips, training__steps=2)
    job = job_on(PreparedClips((str(small_clips),)), config, str(tmp_path), tracking=gone)
    told: list[str] = []
    state, finished = run_training(job, config_budget(config), notify=told.append)
    assert (state.step, finished) == (2, True)
    assert len([sentence for sentence in told if "MLflow failed" in sentence]) == 1
    assert logged(tmp_path, "loss/reconstruction")[-1][0] == 2


def test_a_server_that_never_answers_ends_no_training(
    small_clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "_SECONDS_TO_FINISH", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        hung = Tracking(
            entries=(Entry("mlflow", "a" * 32, "x"),), mlflow_uri=f"http://127.0.0.1:{silent.getsockname()[1]}"
        )
        config = small_config(small_clips, training__steps=2)
        job = job_on(PreparedClips((str(small_clips),)), config, str(tmp_path), tracking=hung)
        told: list[str] = []
        state, finished = run_training(job, config_budget(config), notify=told.append)
    assert (state.step, finished) == (2, True)
    assert [sentence for sentence in told if "MLflow failed (no answer within" in sentence]


def test_a_run_in_an_object_store_keeps_its_entries_there(
    small_clips: Path, small_model: Path, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("moto", reason="the server comes with the extra 'dev'")
    from helpers.object_store import ObjectStore

    store = ObjectStore()
    try:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        uri = "s3://bucket/runs/tracked"
        assert main([*arguments(small_clips, uri, small_model, 4), "--track", "mlflow,wandb"]) == 0
        entries = {entry.tracker: entry.id for entry in read_entries(uri)}
        held = store.content()
    finally:
        store.close()
    assert f"run-{entries['wandb']}.wandb" in {Path(key).name for key in held if key.startswith("runs/tracked/wandb/")}
    (entry,) = mlflow_runs(database, tmp_path.name)
    assert entry.info.run_id == entries["mlflow"]
    (sample,) = mlflow_files(database, entries["mlflow"], "samples").values()
    assert sample.read_bytes() == held["runs/tracked/samples/step_00000004.mp4"]


ENTRY = {"tracker": "mlflow", "id": "a" * 32, "project": "x"}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "null",
        '{"mlflow": 1}',
        *(
            json.dumps([{**ENTRY, **wrong}])
            for wrong in ({"id": "../../x"}, {"id": 3}, {"tracker": "comet"}, {"more": 1})
        ),
        json.dumps([{**ENTRY, "project": "a\nb"}]),
        "[" * 100_000,
    ],
)
def test_a_strangers_trackers_file_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "trackers.json").write_text(content)
    with pytest.raises(UserError) as raised:
        read_entries(tmp_path)
    assert raised.value.code == "damaged_trackers"


def test_an_error_is_told_without_the_password_of_a_uri() -> None:
    error = ConnectionError("https://me:secret@host/api failed.\nfor long")
    assert background.one_line(error) == "https://host/api failed"
    assert background.one_line(ConnectionError("https://me:se@cret@host/api")) == "https://host/api"
    assert background.one_line(KeyError()) == "KeyError"


def test_options_of_uris_and_passwords_are_not_sent(small_clips: Path, database: str) -> None:
    from s2v_ray.tracking.mlflow_run import _address

    sent = tracked_settings(small_config(small_clips), "s3://bucket/run?region=x", ["s3://b/clips?endpoint_override=y"])
    assert (sent["run"], sent["data_sets"]) == ("s3://bucket/run", "s3://b/clips")
    shown = _address("https://me:secret@host/mlflow", Entry("mlflow", "a" * 32, "x"))
    assert "secret" not in shown
    assert "https://host/mlflow" in shown
    assert "secret" not in repr(Tracking(mlflow_uri="https://me:secret@host/mlflow"))


def test_the_trials_of_a_sweep_are_grouped(small_clips: Path, small_model: Path, database: str, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    config = small_config(small_clips, training__steps=4)
    job = plan_sweep(config, clips=[str(small_clips)], out=str(out), trials=3, repeats=0, steps=4)
    job = tracked_sweep(job, ["mlflow", "wandb"])
    (sweep,) = job.domains
    run = out / sweep.domain / "trials" / "0002"
    tracking = trial_tracking(sweep, sweep.config, str(run), "search")
    trial = job_on(PreparedClips(sweep.clips), sweep.config, str(run), tracking=tracking)
    train_to_rungs(trial, (0.5, 1.0), float("inf"), ALONE, lambda location, values: None, lambda: False)
    write_bytes(out / "report.html", b"<p>found")
    track_sweep_report(job, lambda message: None)
    (parent,) = [each for each in mlflow_runs(database, tmp_path.name) if each.info.run_name == "sweep"]
    (child,) = [each for each in mlflow_runs(database, tmp_path.name) if each.info.run_name != "sweep"]
    assert child.info.run_name == f"{sweep.domain}/trials/0002"
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.tags["kind"] == "search"
    assert child.data.metrics["validation/score"] == dict(logged(run, "validation/score"))[4]
    assert (parent.info.status, child.info.status) == ("FINISHED", "FINISHED")
    assert mlflow_files(database, parent.info.run_id, "sweep").keys() == {"report.html"}
    (folder,) = (run / "wandb").glob("offline-run-*")  # one for both parts
    started = next(record.run for record in wandb_records(folder) if record.WhichOneof("record_type") == "run")
    assert (started.run_group, started.job_type) == ("sweep", "search")
    assert [row["step"] for row in wandb_rows(folder) if "validation/score" in row] == [2, 4]


def test_a_trial_whose_time_is_up_is_closed_before_it_reports(small_clips: Path, database: str, tmp_path: Path) -> None:
    config = small_config(small_clips, training__steps=4)
    tracking = start_tracking(tmp_path, ["mlflow"], name="trial", settings={})
    job = job_on(PreparedClips((str(small_clips),)), config, str(tmp_path), tracking=tracking)
    states = []

    def report(location: str, values: dict[str, float]) -> None:
        if values:
            (entry,) = mlflow_runs(database, tmp_path.name)
            states.append((values, entry.info.status))

    train_to_rungs(job, (0.5, 1.0), 0.0, ALONE, report, lambda: False)
    assert states == [({"unfinished": 1.0}, "KILLED")]
