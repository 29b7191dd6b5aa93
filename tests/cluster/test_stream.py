"""Training straight from videos: each epoch has each clip once, whatever the workers' shares of it."""

import json
import sys
from dataclasses import replace
from functools import partial
from itertools import islice, takewhile
from pathlib import Path

import pytest
from helpers.small import SMALL_CLIPS

from s2v_ray.cli.main import main
from s2v_ray.cluster.resources import scaling
from s2v_ray.cluster.streaming.batches import RunningVisits, worker_clips
from s2v_ray.cluster.streaming.source import VideoStream, open_stream
from s2v_ray.cluster.training import train_on_workers
from s2v_ray.config import Config, load_config, with_settings
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.errors import UserError
from s2v_ray.synthetic.write import synthesize
from s2v_ray.training.checkpoint_files import last_checkpoint
from s2v_ray.training.data.stream import StreamPosition
from s2v_ray.training.loop import train
from s2v_ray.training.run import resume
from s2v_ray.training.schedule import config_budget
from s2v_ray.training.state import new_state

# What SMALL_CLIPS says, as a configuration has it.
AS_SETTINGS = {"clips.frame_rate": "25", "clips.sample_rate": 8000, "clips.frames": 20, "clips.stored_size": 36}


@pytest.fixture(scope="module")
def uneven_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos of four clips and of one, and a file that is no video."""
    folder = tmp_path_factory.mktemp("uneven")
    synthesize("sea", folder / "long", sources=5, seed=5, seconds=1.6, size=48)
    synthesize("sea", folder / "short", sources=1, seed=50, seconds=0.84, size=48)
    (folder / "broken.mp4").write_text("no video")
    return folder


@pytest.fixture(scope="module")
def clip_ids(uneven_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Those to train on, as `s2v prepare` cuts them without Ray."""
    folder = tmp_path_factory.mktemp("clips") / "uneven"
    as_streamed = [*SMALL_CLIPS, "--crop", "centre", "--stabilize", "off"]
    assert main(["prepare", "--videos", str(uneven_videos), "--out", str(folder), "--local", *as_streamed]) == 0
    clips = ClipReader(folder, "train")
    return sorted(clips[number].clip_id for number in range(len(clips)))


@pytest.mark.ray
@pytest.mark.slow
def test_each_epoch_has_each_clip_once_also_when_resumed_in_its_middle_by_fewer_workers(
    uneven_videos, clip_ids, small_model, tmp_path, ray_cluster
):
    from ray import cloudpickle

    from s2v_ray.recipes.train import streaming_settings

    assert len(clip_ids) == 13  # an epoch ends in the middle of a batch of four
    run = tmp_path / "run"
    flags = ["--clips.frame-rate", "25", "--clips.sample-rate", "8000", "--clips.frames", "20"]
    flags += ["--clips.stored-size", "36", "--config", str(small_model), "--training.validate-clips", "1"]
    command = ["train", "--videos", str(uneven_videos), "--workers", "1:2", "--out", str(run), *flags]
    assert main([*command, "--steps", "5"]) == 0  # in the middle of the second epoch
    first = json.loads((Path(last_checkpoint(run)) / "state.json").read_text())
    assert first["metrics"].keys() >= {"score"}
    rejects = [json.loads(line) for line in (run / "rejects.jsonl").read_text().splitlines()]
    assert [(reject["source"], reject["reason"]) for reject in rejects] == [("broken.mp4", "unreadable")]

    # One worker goes on from there, to the middle of the fifth epoch, and writes down what it sees.
    settings = {**AS_SETTINGS, "training.validate_clips": 1, "training.steps": 14}
    config = with_settings(load_config(str(small_model)), settings)
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the worker can't import this file
    on_cluster = {"workers": (1, 1), "device": "cpu"}
    stream = open_stream([str(uneven_videos)], streaming_settings(config), config, run, **on_cluster)
    stream = replace(stream, visits_a_round=7)
    loop = partial(train_and_record, config, stream, run)
    assert train_on_workers(loop, run=run, max_failures=0, clips=stream.dataset(), **on_cluster)
    seen = [json.loads(line) for line in (run / "seen.jsonl").read_text().splitlines()]
    last = json.loads((Path(last_checkpoint(run)) / "state.json").read_text())
    before, after = first["position"], last["position"]
    assert len(seen) == 9 * 4
    places = {(clip["visit"], clip["number"]) for clip in seen}
    assert len(places) == len(seen)
    assert min(places)[0] >= before["visit"]
    assert places.isdisjoint(map(tuple, before["taken"]))
    whole_epochs = after["visit"] // stream.videos
    assert whole_epochs == 4
    # Each of the two workers shuffled sixteen clips at most, two eights: none of the fourth epoch.
    ids = [[clip["id"] for clip in seen if clip["visit"] // stream.videos == epoch] for epoch in range(4)]
    assert sum(map(len, ids[:3])) == 3 * len(clip_ids) - 5 * 4  # what they had left
    assert all(len(set(epoch)) == len(epoch) for epoch in ids[:3])
    assert sorted(ids[3]) == clip_ids
    assert ids[3] != clip_ids


@pytest.mark.ray
def test_no_worker_gets_ahead_of_the_others_where_rounds_have_an_odd_number_of_clips(
    uneven_videos, small_model, tmp_path, ray_cluster
):
    from ray import cloudpickle

    from s2v_ray.recipes.train import streaming_settings

    config, on_cluster = with_settings(load_config(str(small_model)), AS_SETTINGS), {"workers": (2, 2), "device": "cpu"}
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers can't import this file
    stream = open_stream([str(uneven_videos)], streaming_settings(config), config, tmp_path, **on_cluster)
    stream = replace(stream, visits_a_round=stream.videos)  # thirteen clips
    loop = partial(record_places, config, stream, tmp_path)
    assert train_on_workers(loop, run=tmp_path, max_failures=0, clips=stream.dataset(), **on_cluster)
    first, second = (json.loads((tmp_path / f"places_{rank}.json").read_text()) for rank in (0, 1))
    both = sorted(first + second)
    assert len({place[0] // stream.videos for place in both}) == 4
    assert (first, second) == (both[::2], both[1::2])


@pytest.mark.ray
def test_of_one_video_the_held_out_moments_are_not_trained_on(small_model, tmp_path, ray_cluster, capfd):
    from s2v_ray.recipes.train import streaming_settings

    synthesize("sea", tmp_path / "videos", sources=1, seed=9, seconds=12.0, size=48)
    config, run = with_settings(load_config(str(small_model)), AS_SETTINGS), tmp_path / "run"
    settings = streaming_settings(config)
    stream = open_stream([str(tmp_path / "videos")], settings, config, run, workers=(1, 1), device="cpu")
    epoch = takewhile(lambda row: row["visit"] < stream.videos, stream.dataset().iter_rows())
    trained = [row["start_seconds"] for row in epoch]
    validated = ClipReader(stream.held_out, "val")
    held_out = [validated[number].start_seconds for number in range(len(validated))]
    assert held_out
    assert min(abs(one - other) for one in trained for other in held_out) >= 1.8 - 1e-6  # a clip and a second
    assert len(ClipReader(stream.held_out, "train")) == 0
    again = open_stream([str(tmp_path / "videos")], settings, config, run, workers=(1, 1), device="cpu")
    assert again.fingerprint == stream.fingerprint
    assert "blocks of each video's time" in capfd.readouterr().out


def record_places(config: Config, stream: VideoStream, run: Path, workers, report, stop) -> bool:
    visits = RunningVisits(stream.visits, stream.videos, stream.visits_a_round)
    clips = islice(worker_clips(visits, config, str(run), workers, StreamPosition()), 23)
    (run / f"places_{workers.rank}.json").write_text(json.dumps([(clip.visit, clip.number) for clip in clips]))
    return True


def train_and_record(config: Config, stream: VideoStream, run: Path, workers, report, stop) -> bool:
    state = new_state(config, workers.device)
    state.clips = stream.fingerprint
    assert resume(state, run)[0]
    assert state.step == 5

    def recorded():
        batches = stream.open(config, str(run), workers).batches(state)
        with (run / "seen.jsonl").open("w", buffering=1) as file:
            for batch in batches:
                for (visit, number), clip_id in zip(state.position.taken[-4:], batch.clip_ids, strict=True):
                    file.write(json.dumps({"visit": visit, "number": number, "id": clip_id}) + "\n")
                yield batch

    until = config_budget(config)
    return train(state, recorded(), run, until=until, workers=workers, report=report, stop=stop)


@pytest.mark.parametrize(
    ("flags", "named", "status"),
    [
        (["--clips", "somewhere"], "or --videos", 2),
        (["--workers", "0"], "--videos needs --workers, such as 2 or 1:4", 2),
        (["--workers", "2", "--data.resolution", "128"], "needs at least 143", 1),
    ],
)
def test_what_streaming_lacks_is_named(flags, named, status, tmp_path, capsys):
    assert main(["train", "--videos", str(tmp_path), "--out", str(tmp_path / "run"), *flags]) == status
    assert named in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_workers_leave_a_cpu_to_decode():
    asked = scaling((2, 2), "cpu", {"CPU": 2.0}, decoding=True)
    assert asked.resources_per_worker == {"CPU": 0.5}
    assert scaling((1, 4), "cpu", {"CPU": 3.0}, decoding=True).resources_per_worker == {"CPU": 0.5}
    with pytest.raises(UserError, match=r"2 workers need 0\.2 CPUs and 1 to decode videos, but the cluster has 1;"):
        scaling((2, 2), "cpu", {"CPU": 1.0}, decoding=True)
