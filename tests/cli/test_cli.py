"""What people type wrong: one clear sentence, a status above zero, nothing damaged."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from helpers.small import SMALL_CLIPS
from PIL import Image

from s2v_ray.cli.main import gather_settings, main
from s2v_ray.cli.train import worker_range
from s2v_ray.errors import UserError
from s2v_ray.training.checkpoint import find_checkpoint


def told_by(capsys, *arguments: object) -> str:
    """The one sentence of a command that fails."""
    assert main([str(argument) for argument in arguments]) == 1
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err + captured.out
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "night.png"
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(path)
    return path


def test_dotted_flags_are_settings():
    assert gather_settings(["train", "--optim.generator-lr", "1e-4", "--steps", "3", "--loss.reconstruction=l1"]) == [
        "train", "--steps", "3", "--settings", "optim.generator-lr=1e-4", "loss.reconstruction=l1",
    ]  # fmt: skip
    assert gather_settings(["generate", "--out", "video.mp4"]) == ["generate", "--out", "video.mp4"]


def test_dotted_flags_join_those_given_as_settings_and_swallow_no_flag(capsys):
    assert gather_settings(["train", "--settings", "optim.beta1=0.3", "--optim.beta2", "0.9", "--steps", "3"]) == [
        "train", "--settings", "optim.beta2=0.9", "optim.beta1=0.3", "--steps", "3",
    ]  # fmt: skip
    told = told_by(capsys, "train", "--clips", "a", "--out", "b", "--optim.beta2", "--steps", "3")
    assert "--optim.beta2 needs a value" in told


def test_an_unknown_flag_or_verb_is_refused(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["train", "--clips", "a", "--out", "b", "--stepz", "3"])
    assert caught.value.code != 0
    assert "--stepz" in capsys.readouterr().err
    assert "did you mean 'train'" in told_by(capsys, "trian")
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("s2v 0.")


def test_a_place_without_a_name_is_refused(capsys, small_clips, small_model):
    assert "is empty" in told_by(capsys, "prepare", "--videos", small_clips, "--out", "", "--local")
    assert "is empty" in told_by(capsys, "train", "--clips", small_clips, "--out", "", "--config", small_model)


def test_missing_videos(capsys, tmp_path):
    out = tmp_path / "clips"
    assert "does not exist" in told_by(capsys, "prepare", "--videos", tmp_path / "none", "--out", out, "--local")
    (tmp_path / "empty").mkdir()
    assert "No files" in told_by(capsys, "prepare", "--videos", tmp_path / "empty", "--out", out, "--local")
    assert not out.exists()


def test_rates_that_do_not_divide(capsys, small_videos, tmp_path):
    told = told_by(
        capsys, "prepare", "--videos", small_videos, "--out", tmp_path / "clips", "--frame-rate", "29.97", "--local"
    )
    assert "30000 or 60000 Hz" in told
    assert not (tmp_path / "clips").exists()


def test_a_text_file_named_mp4_is_rejected_with_its_reason(capsys, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "story.mp4").write_text("Once upon a time\n" * 100)
    out = tmp_path / "clips"
    assert main(["prepare", "--videos", str(tmp_path / "videos"), "--out", str(out), "--local", *SMALL_CLIPS]) == 0
    assert "Rejected: 1 unreadable" in capsys.readouterr().out
    (reject,) = [json.loads(line) for line in (out / "rejects.jsonl").read_text().splitlines()]
    assert (reject["source"], reject["start_seconds"], reject["reason"]) == ("story.mp4", None, "unreadable")
    assert "no clips in its split 'train'" in told_by(capsys, "train", "--clips", out, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_training_on_what_is_no_data_set(capsys, tmp_path):
    assert "holds no clips" in told_by(capsys, "train", "--clips", tmp_path, "--out", tmp_path / "run")
    (tmp_path / "dataset.json").write_text('{"schema_version": 1}')
    assert "is damaged" in told_by(capsys, "train", "--clips", tmp_path, "--out", tmp_path / "run")


def test_settings_that_do_not_exist_or_fit(capsys, small_clips, small_model, tmp_path):
    base = ["train", "--clips", small_clips, "--out", tmp_path / "run", "--config", small_model]
    assert "did you mean 'generator_lr'" in told_by(capsys, *base, "--optim.generator-rl", "1")
    assert "must be a number" in told_by(capsys, *base, "--optim.generator-lr", "quick")
    assert "needs a value" in told_by(capsys, *base, "--optim.generator-lr")
    assert "(4) times 2, 4, 8" in told_by(capsys, *base, "--data.resolution", "30")
    assert "at most 20" in told_by(capsys, *base, "--data.train-frames", "100")
    assert "training.steps is 0" in told_by(capsys, *base, "--steps", "0")
    assert "--minutes is 0" in told_by(capsys, *base, "--minutes", "0")
    assert "neither a run with checkpoints" in told_by(capsys, *base, "--init-from", tmp_path)
    assert "NAME=VALUE" in told_by(capsys, *base, "--settings", "optim.generator-lr")
    assert "--workers is '-1'" in told_by(capsys, *base, "--workers", "-1")
    assert "0 (without Ray) to 4" in told_by(capsys, *base, "--workers", "5")
    assert "as they were prepared" in told_by(capsys, *base, "--clips.sample-rate", "8000")
    told = told_by(capsys, "train", "--clips", small_clips, "--out", "nowhere://bucket/run", "--config", small_model)
    assert "URI that can be opened" in told
    (tmp_path / "own.toml").write_text('preset = "tiny"\n[optim]\nspeed = 3\n')
    told = told_by(
        capsys, "train", "--clips", small_clips, "--out", tmp_path / "run", "--config", tmp_path / "own.toml"
    )
    assert "no setting 'optim.speed'" in told
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_continued_with_other_settings(capsys, small_clips, small_model, small_run):
    before = {path: path.read_bytes() for path in small_run.rglob("*") if path.is_file()}
    base = ["train", "--clips", small_clips, "--out", small_run, "--config", small_model, "--steps", "9"]
    told = told_by(capsys, *base, "--optim.generator-lr", "0.5", "--seed", "3")
    assert "optim.generator_lr, training.seed" in told
    assert before == {path: path.read_bytes() for path in small_run.rglob("*") if path.is_file()}


def test_clips_of_other_rates_than_the_checkpoints(capsys, small_videos, small_run, tmp_path):
    other = tmp_path / "other"
    settings = ["--clip-seconds", "0.8", "--frame-rate", "30", "--sample-rate", "48000", "--stored-size", "36"]
    assert main(["prepare", "--videos", str(small_videos), "--out", str(other), "--local", *settings]) == 0
    capsys.readouterr()
    told = told_by(capsys, "evaluate", "--checkpoint", small_run, "--clips", other, "--out", tmp_path / "report")
    assert "frame_rate 30 instead of 25" in told
    assert "sample_rate 48000 instead of 8000" in told
    assert not (tmp_path / "report").exists()


def test_what_can_not_be_generated_from(capsys, small_run, small_videos, picture, tmp_path):
    video, out = next(small_videos.iterdir()), tmp_path / "made.mp4"
    text = tmp_path / "letter.mp4"
    text.write_text("Dear all")
    base = ["generate", "--checkpoint", small_run, "--out", out]
    for image, sound, named in (
        (picture, picture, "night.png"),
        (text, video, "letter.mp4"),
        (picture, text, "letter.mp4"),
        (tmp_path / "gone.png", video, "gone.png"),
        (picture, tmp_path / "gone.wav", "gone.wav"),
    ):
        assert named in told_by(capsys, *base, "--image", image, "--sound", sound)
    told = told_by(capsys, "generate", "--checkpoint", small_run, "--out", tmp_path / "made.avi", "--image", picture,
                   "--sound", video)  # fmt: skip
    assert "must end in .mp4" in told
    assert "neither a run with checkpoints" in told_by(
        capsys, "generate", "--checkpoint", tmp_path, "--image", picture, "--sound", video, "--out", out
    )
    assert not list(tmp_path.glob("*made*"))


def test_a_checkpoint_of_another_version(capsys, small_run, small_videos, picture, tmp_path):
    copy = tmp_path / "checkpoint"
    shutil.copytree(find_checkpoint(small_run), copy)
    state = json.loads((copy / "state.json").read_text())
    content = json.dumps({**state, "format_version": 99}).encode()
    (copy / "state.json").write_bytes(content)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["state.json"] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    video = next(small_videos.iterdir())
    base = ["generate", "--checkpoint", copy, "--image", picture, "--sound", video, "--out", tmp_path / "made.mp4"]
    assert "format version 99" in told_by(capsys, *base)


def test_devices_that_are_not_there(capsys, small_run, small_clips, tmp_path):
    base = ["evaluate", "--checkpoint", small_run, "--clips", small_clips, "--out", tmp_path]
    for device in ("abacus", "meta"):
        assert "must be auto, cpu or cuda" in told_by(capsys, *base, "--device", device)
    assert "0 GPUs here" in told_by(capsys, *base, "--device", "cuda") or __import__("torch").cuda.is_available()


def test_fine_tuning_starts_from_the_weights_alone(small_clips, small_model, small_run, tmp_path, capsys):
    run = tmp_path / "tuned"
    command = ["train", "--clips", str(small_clips), "--out", str(run), "--config", str(small_model), "--steps", "1"]
    assert main([*command, "--init-from", str(small_run)]) == 0
    assert f"Starting from the weights of {small_run}" in capsys.readouterr().out
    assert json.loads((run / "checkpoints" / "step_00000001" / "state.json").read_text())["clips_seen"] == 4


@pytest.mark.parametrize(("text", "least", "most"), [("0", 0, 0), ("2", 2, 2), ("1:4", 1, 4)])
def test_numbers_of_workers(text, least, most):
    assert worker_range(text, batch_size=4) == (least, most)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("two", "must be a number such as 2, or a range such as 1:4"),
        ("-1", "must be a number"),
        ("3:1", "from at least 1 upwards"),
        ("0:2", "from at least 1 upwards"),
        ("1:9", "the clips of a batch"),
    ],
)
def test_numbers_of_workers_that_make_no_sense(text, told):
    with pytest.raises(UserError, match=told):
        worker_range(text, batch_size=4)


def test_a_dry_run_tells_and_writes_nothing(capsys, small_clips, small_model, tmp_path):
    command = ["train", "--clips", str(small_clips), "--out", str(tmp_path / "run"), "--config", str(small_model)]
    assert main([*command, "--dry-run", "--steps", "50"]) == 0
    told = capsys.readouterr().out
    assert "[optim]\ngenerator_lr = 0.001" in told
    assert "it would train 50 steps" in told
    # The last layer of D_I: 8 channels times 3 x 3, and a bias; before it 3 -> 8 and 8 -> 8 of 4 x 4, and a norm.
    assert f"{(3 * 8 * 16 + 8) + (8 * 8 * 16 + 8 + 16) + (8 * 9 + 1):,}" in told
    assert not list(tmp_path.iterdir())


def test_info_tells_what_a_thing_is(capsys, small_clips, small_run, tmp_path):
    assert main(["info", str(small_clips)]) == 0
    told = capsys.readouterr().out
    assert "20 frames of 36 x 36 pixels at 25 a second, and 0.8 s of sound at 8000 Hz" in told
    assert main(["info", str(small_run)]) == 0
    told = capsys.readouterr().out
    assert "step 8, 32 clips seen" in told
    assert main(["info", find_checkpoint(small_run)]) == 0
    assert "no clips, no run and no checkpoint" in told_by(capsys, "info", tmp_path)
