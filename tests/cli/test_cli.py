"""What people type wrong: one clear sentence, a status above zero, nothing damaged."""

import hashlib
import json
import re
import shutil
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pytest
from helpers.small import SMALL_CLIPS
from PIL import Image

from s2v_ray.cli.flags import parse
from s2v_ray.cli.main import VERBS, main
from s2v_ray.cli.train import train
from s2v_ray.cli.tune import tune
from s2v_ray.config import Config, load_config, with_settings
from s2v_ray.errors import UserError
from s2v_ray.recipes.train import worker_range
from s2v_ray.training.checkpoint_files import find_checkpoint

# Where the verb or its flags are wrong, the status is 2.
NO_COMMAND = (
    "unknown_verb",
    "unknown_flag",
    "renamed_setting",
    "missing_flag",
    "wrong_value",
    "bad_flags",
    "wrong_flags",
)


def error_line(capsys, *arguments: object) -> str:
    """The one sentence of a command that fails."""
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert status == (2 if captured.err.endswith(tuple(f" [{code}]\n" for code in NO_COMMAND)) else 1)
    assert "Traceback" not in captured.err + captured.out
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "night.png"
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(path)
    return path


def error_of(capsys, *arguments: object) -> str:
    """The code of a command that fails; the value or name in question stands in the sentence before it."""
    return error_line(capsys, *arguments).rpartition("[")[2].rstrip("]\n")


def test_flags_are_settings_on_top_of_the_preset():
    flags = ["--clips", "a", "--out", "b", "--optim.generator-lr", "1e-4", "--loss.reconstruction=l1", "--steps", "3"]
    flags += ["--image_discriminator.channels", "8", "16", "--video-discriminator.channels", "[4, 4]"]
    flags += ["--training.compile", "true", "--config", "tiny"]
    given = parse("train", train, flags).keywords
    expected = {
        "optim.generator_lr": 1e-4,
        "loss.reconstruction": "l1",
        "image_discriminator.channels": [8, 16],
        "video_discriminator.channels": [4, 4],
        "training.compile": True,
    }
    assert given["config"] == with_settings(load_config("tiny"), expected)
    assert (given["steps"], given["minutes"]) == (3, None)
    assert parse("tune", tune, ["--clips", "a", "--out", "b"]).keywords["config"] == load_config("tiny")
    assert parse("train", train, ["--clips", "a", "--out", "b"]).keywords["config"] == load_config("stable")


@pytest.mark.parametrize("verb", ["train", "tune"])
def test_help_lists_every_setting_with_its_meaning_range_and_value_in_the_preset(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")  # in one column
    with pytest.raises(SystemExit) as caught:
        main([verb, "--help", "--config", "paper"])
    assert caught.value.code == 0
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for section, settings in asdict(load_config("paper")).items():
        for name in settings:
            assert f"--{section}.{name}".replace("_", "-") in printed
    for section in fields(Config):
        for setting in fields(section.type):
            assert setting.metadata["meaning"] in printed
    assert "of the analysis window in hops; from 1 to 16 (default: 1)" in printed
    assert "(default: 64 128 256 512)" in printed
    assert "(default: None)" not in printed
    assert "(default: '')" not in printed


def test_verbs_and_the_version(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n  {verb} " in printed for verb in VERBS)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("s2v 0.")
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith("s2v 0.")
    assert main(["help"]) == 0
    assert capsys.readouterr().out == printed
    with pytest.raises(SystemExit) as caught:
        main(["help", "synth"])
    assert caught.value.code == 0
    assert "--nuisance" in capsys.readouterr().out
    assert "did you mean 'train'" in error_line(capsys, "trian")


def test_flags_that_are_unknown_missing_or_not_numbers(capsys):
    train = ["train", "--clips", "a", "--out", "b"]
    assert "--stepz; did you mean --steps?" in error_line(capsys, *train, "--stepz", "3")
    assert "did you mean --min-motion?" in error_line(capsys, "prepare", "--out", "a", "--min-motoin", "3")
    assert error_of(capsys, *train, "--steps", "3", "4") == "unknown_flag"
    for wrong, named, code in (
        (["train"], "--out", "missing_flag"),
        (["info"], "WHERE", "missing_flag"),
        (["synth", "--domain", "sea", "--outt", "b"], "--outt; did you mean --out?", "unknown_flag"),
        ([*train, "--optim.beta2", "--steps", "3"], "--optim.beta2", "wrong_value"),
        ([*train, "--steps", "quick"], "--steps: 'quick'", "wrong_value"),
        (["synth", "--domain", "sea", "--out", "b", "--nuisance", "wild"], "'wild'", "wrong_value"),
    ):
        line = error_line(capsys, *wrong)
        assert named in line
        assert f"[{code}]" in line


def test_an_unknown_flag_is_compared_with_those_of_its_verb_alone(capsys):
    assert "--clips; did" not in error_line(capsys, "synth", "--domain", "sea", "--out", "b", "--clipz", "1")
    assert "since version" not in error_line(capsys, "synth", "--loss.adversarial-from", "0.5")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--pairs", "p.csv"], "the same command resumes"),
        (["--pairs=p.csv"], "the same command resumes"),
        (["--image", "i.png"], "nothing unfinished is left"),
    ],
)
def test_a_stop_says_whether_the_same_command_resumes(flags, said, monkeypatch, capsys):
    def generate(*, pairs: str = "", image: str = "") -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(VERBS, "generate", generate)
    assert main(["generate", *flags]) == 130
    assert capsys.readouterr().err == f"s2v generate: stopped; {said}.\n"


LOCATION_FLAGS = [
    ("demo", {"out": "one"}, {}),
    ("synth", {"out": "one"}, {"domain": "sea"}),
    ("prepare", {"out": "one", "videos": "several", "manifest": "one"}, {}),
    ("app", {"checkpoint": "several", "clips": "several", "report": "several"}, {}),
    ("train", {"out": "one", "clips": "several", "videos": "several", "init_from": "one"}, {}),
    (
        "evaluate",
        {"checkpoint": "one", "clips": "several", "out": "one", "resampled": "several", "weights_dir": "one"},
        {},
    ),
    ("generate", {"checkpoint": "one", "image": "one", "sound": "one", "pairs": "one", "out": "one"}, {}),
    ("probe", {"clips": "several", "out": "one"}, {}),
    ("tune", {"clips": "several", "out": "one", "space": "one", "warm_start": "several"}, {}),
]


@pytest.mark.parametrize(("verb", "locations", "others"), LOCATION_FLAGS, ids=[case[0] for case in LOCATION_FLAGS])
def test_every_location_is_normalised_and_keeps_no_password(verb, locations, others, monkeypatch, capsys):
    monkeypatch.setenv("HOME", "/home/ann")

    def given(location: str) -> dict[str, object]:
        flags = [f"--{name.replace('_', '-')}={location}" for name in locations]
        return parse(verb, VERBS[verb], [*flags, *(f"--{name}={value}" for name, value in others.items())]).keywords

    for typed, meant in (
        ("~/x", "/home/ann/x"),
        ("file:///data/x%20y", "/data/x y"),
        ("s3://bucket/x/", "s3://bucket/x"),
        ("FILE:///data/x", "/data/x"),
        ("x", str(Path("x").absolute())),
    ):
        found = given(typed)
        assert {name: found[name] for name in locations} == {
            name: meant if count == "one" else (meant,) for name, count in locations.items()
        }
    for name in locations:
        printed = error_line(capsys, verb, f"--{name.replace('_', '-')}=s3://key:secret@bucket/x")
        assert "[password_in_uri]" in printed
        assert "secret" not in printed


def test_a_default_location_is_normalised_too():
    assert parse("demo", VERBS["demo"], []).keywords["out"] == str(Path("demo").absolute())


def test_info_and_config_take_locations_too(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "own.toml").write_text("[optim]\nbeta1 = 0.25\n")
    assert parse("info", VERBS["info"], ["~/x"]).args == (f"{tmp_path}/x",)
    assert error_of(capsys, "info", "") == "empty_location"
    for typed in ("~/own.toml", f"file://{tmp_path}/own.toml"):
        flags = ["--clips", "a", "--out", "b", "--config", typed]
        assert parse("train", train, flags).keywords["config"].optim.beta1 == 0.25


def test_an_optional_number_may_be_none():
    flags = ["--videos", "a", "--out", "b", "--max-lag-frames"]
    for typed, meant in (("None", None), ("3", 3)):
        assert parse("prepare", VERBS["prepare"], [*flags, typed]).keywords["settings"].quality.max_lag_frames == meant


def test_the_former_name_of_a_flag_still_works():
    flags = ["--domain", "sea", "--out", "a"]
    assert parse("synth", VERBS["synth"], [*flags, "--redraw", "1"]).keywords["resample"] == 1
    assert parse("synth", VERBS["synth"], [*flags, "--resample", "1"]).keywords["resample"] == 1


def test_an_empty_location_is_refused(capsys, small_clips, small_model):
    assert error_of(capsys, "prepare", "--videos", small_clips, "--out", "", "--local") == "empty_location"
    assert error_of(capsys, "train", "--clips", small_clips, "--out", "", "--config", small_model) == "empty_location"


def test_missing_videos(capsys, tmp_path):
    out = tmp_path / "clips"
    (tmp_path / "empty").mkdir()
    for videos in (tmp_path / "none", tmp_path / "empty"):
        assert f"'{videos}'" in error_line(capsys, "prepare", "--videos", videos, "--out", out, "--local")
    assert not out.exists()


def test_rates_that_do_not_divide(capsys, small_videos, tmp_path):
    printed = error_line(
        capsys, "prepare", "--videos", small_videos, "--out", tmp_path / "clips", "--frame-rate", "29.97", "--local"
    )
    assert "30000 or 60000 Hz" in printed
    assert not (tmp_path / "clips").exists()


def test_a_text_file_named_mp4_is_rejected_with_its_reason(capsys, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "story.mp4").write_text("Once upon a time\n" * 100)
    out = tmp_path / "clips"
    line = error_line(capsys, "prepare", "--videos", tmp_path / "videos", "--out", out, "--local", *SMALL_CLIPS)
    assert "No clip could be made of 1 video (1 unreadable)" in line
    assert str(out / "rejects.jsonl") in line
    (reject,) = [json.loads(line) for line in (out / "rejects.jsonl").read_text().splitlines()]
    assert (reject["source"], reject["start_seconds"], reject["reason"]) == ("story.mp4", None, "unreadable")
    assert error_of(capsys, "train", "--clips", out, "--out", tmp_path / "run") == "no_clips"
    assert not (tmp_path / "run").exists()


def test_training_on_what_is_no_data_set(capsys, tmp_path):
    assert error_of(capsys, "train", "--clips", tmp_path, "--out", tmp_path / "run") == "no_clips"
    (tmp_path / "dataset.json").write_text('{"schema_version": 1}')
    assert error_of(capsys, "train", "--clips", tmp_path, "--out", tmp_path / "run") == "damaged_clips"


def test_settings_that_do_not_exist_or_fit(capsys, small_clips, small_model, tmp_path):
    base = ["train", "--clips", small_clips, "--out", tmp_path / "run", "--config", small_model]
    assert "did you mean --optim.generator-lr?" in error_line(capsys, *base, "--optim.generator-rl", "1")
    assert "--loss.discriminator-start" in error_line(capsys, *base, "--loss.adversarial-from", "0.5")
    assert "--optim.generator-lr is 'quick'" in error_line(capsys, *base, "--optim.generator-lr", "quick")
    assert "from 0 to 0.9999" in error_line(capsys, *base, "--optim.beta1", "1.5")
    assert "each from 1 to 16384" in error_line(capsys, *base, "--image-discriminator.channels", "8", "0")
    assert error_of(capsys, *base, "--image-discriminator.channels", "8", "x") == "wrong_type"
    assert error_of(capsys, *base, "--training.compile", "1") == "wrong_type"
    assert error_of(capsys, *base, "--generator.output", "sigmoid") == "wrong_type"
    assert error_of(capsys, *base, "--data.resolution", "30") == "conflicting_settings"
    assert "at most 20" in error_line(capsys, *base, "--data.train-frames", "100")
    assert "training.steps is 0" in error_line(capsys, *base, "--steps", "0")
    assert "--minutes is 0" in error_line(capsys, *base, "--minutes", "0")
    assert error_of(capsys, *base, "--init-from", tmp_path) == "no_checkpoint"
    assert error_of(capsys, *base, "--workers", "-1") == "bad_workers"
    assert error_of(capsys, *base, "--workers", "5") == "too_many_workers"
    assert error_of(capsys, *base, "--workers", "2", "--device", "cuda:1") == "unknown_device"
    assert error_of(capsys, *base, "--clips.sample-rate", "8000") == "clips_are_fixed"
    base_elsewhere = ["train", "--clips", small_clips, "--out", "nowhere://bucket/run", "--config", small_model]
    assert "nowhere://bucket/run" in error_line(capsys, *base_elsewhere)
    (tmp_path / "own.toml").write_text('preset = "tiny"\n[optim]\nspeed = 3\n')
    printed = error_line(
        capsys, "train", "--clips", small_clips, "--out", tmp_path / "run", "--config", tmp_path / "own.toml"
    )
    assert "no setting 'optim.speed'" in printed
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_continued_with_other_settings(capsys, small_clips, small_model, small_run):
    before = {path: path.read_bytes() for path in small_run.rglob("*") if path.is_file()}
    base = ["train", "--clips", small_clips, "--out", small_run, "--config", small_model, "--steps", "9"]
    printed = error_line(capsys, *base, "--optim.generator-lr", "0.5", "--seed", "3")
    assert "optim.generator_lr, training.seed" in printed
    assert before == {path: path.read_bytes() for path in small_run.rglob("*") if path.is_file()}


def test_clips_of_other_rates_than_the_checkpoints(capsys, small_videos, small_run, tmp_path):
    other = tmp_path / "other"
    settings = ["--clip-seconds", "0.8", "--frame-rate", "30", "--sample-rate", "48000", "--stored-size", "36"]
    assert main(["prepare", "--videos", str(small_videos), "--out", str(other), "--local", *settings]) == 0
    capsys.readouterr()
    printed = error_line(capsys, "evaluate", "--checkpoint", small_run, "--clips", other, "--out", tmp_path / "report")
    assert "frame_rate 30 instead of 25" in printed
    assert "sample_rate 48000 instead of 8000" in printed
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
        assert named in error_line(capsys, *base, "--image", image, "--sound", sound)
    wrong_format = ["generate", "--checkpoint", small_run, "--out", tmp_path / "made.avi"]
    assert "made.avi" in error_line(capsys, *wrong_format, "--image", picture, "--sound", video)
    no_checkpoint = ["generate", "--checkpoint", tmp_path, "--out", out]
    assert f"'{tmp_path}'" in error_line(capsys, *no_checkpoint, "--image", picture, "--sound", video)
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
    assert "format version 99" in error_line(capsys, *base)


def test_devices_that_are_not_there(capsys, small_run, small_clips, tmp_path):
    base = ["evaluate", "--checkpoint", small_run, "--clips", small_clips, "--out", tmp_path]
    for device in ("abacus", "meta"):
        assert error_of(capsys, *base, "--device", device) == "unknown_device"
    assert error_of(capsys, *base, "--device", "cuda:99") == "no_such_gpu"


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
    ("text", "code"),
    [
        ("two", "bad_workers"),
        ("-1", "bad_workers"),
        ("3:1", "bad_workers"),
        ("0:2", "bad_workers"),
        ("1:9", "too_many_workers"),
    ],
)
def test_numbers_of_workers_that_make_no_sense(text, code):
    with pytest.raises(UserError, match=text) as caught:
        worker_range(text, batch_size=4)
    assert caught.value.code == code


def test_a_dry_run_prints_and_writes_nothing(capsys, small_clips, small_model, tmp_path):
    command = ["train", "--clips", str(small_clips), "--out", str(tmp_path / "run"), "--config", str(small_model)]
    assert main([*command, "--dry-run", "--steps", "50"]) == 0
    printed = capsys.readouterr().out
    assert "[optim]\ngenerator_lr = 0.001" in printed
    assert "It would train about 50 steps" in printed
    # The last layer of D_I: 8 channels times 3 x 3, and a bias; before it 3 -> 8 and 8 -> 8 of 4 x 4, and a norm.
    assert f"{(3 * 8 * 16 + 8) + (8 * 8 * 16 + 8 + 16) + (8 * 9 + 1):,}" in printed
    assert not list(tmp_path.iterdir())


def test_a_dry_run_on_videos_says_how_many_cpus_decode_fast_enough(capsys, small_videos, small_model, tmp_path):
    command = ["train", "--videos", str(small_videos), "--out", str(tmp_path / "run"), "--config", str(small_model)]
    sizes = ["--clips.frame-rate", "25", "--clips.sample-rate", "8000", "--clips.frames", "20", "--clips.stored-size"]
    assert main([*command, *sizes, "36", "--dry-run", "--steps", "50", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "It would train about 50 steps" in printed
    assert re.search(r"Decoding a clip takes \S+ s on a CPU: .* needs \d+ CPUs beside it", printed)
    assert not list(tmp_path.iterdir())


def test_training_on_clips_whose_preparation_was_stopped_says_so(capsys, small_clips, small_model, tmp_path):
    clips = shutil.copytree(small_clips, tmp_path / "clips")
    description = json.loads((clips / "dataset.json").read_text())
    (clips / "dataset.json").write_text(json.dumps(description | {"complete": False}))
    command = ["train", "--clips", clips, "--out", tmp_path / "run", "--config", small_model, "--device", "gpu"]
    assert main([str(argument) for argument in command]) == 1
    assert f"'{clips}' is incomplete" in capsys.readouterr().out


def test_info_describes_clips_runs_and_checkpoints(capsys, small_clips, small_run, tmp_path):
    assert main(["info", str(small_clips)]) == 0
    printed = capsys.readouterr().out
    assert "20 frames of 36 x 36 pixels at 25 per second, and 0.8 s of sound at 8000 Hz" in printed
    assert main(["info", str(small_run)]) == 0
    printed = capsys.readouterr().out
    assert "step 8, 32 clips seen" in printed
    assert main(["info", find_checkpoint(small_run)]) == 0
    assert error_of(capsys, "info", tmp_path) == "unknown_content"
