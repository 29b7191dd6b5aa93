"""Outputs that are inputs or somebody's own, pipes that close, terminals without letters, data sets that are tiny."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.small import QUICK, SMALL_CLIPS
from PIL import Image

from s2v_ray.cli.main import main
from s2v_ray.synthetic.write import synthesize
from s2v_ray.training.checkpoint_files import find_checkpoint

PROGRAM = [sys.executable, "-m", "s2v_ray"]


def code_of(capsys, *arguments: object) -> str:
    """The code of a command that is refused in one sentence."""
    assert main([str(argument) for argument in arguments]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return str(error.rpartition("[")[2].rstrip("]\n"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_a_generated_video_replaces_none_of_its_inputs(capsys, small_run, small_videos, tmp_path):
    video = tmp_path / "a.mp4"
    shutil.copy(next(small_videos.iterdir()), video)
    image = tmp_path / "night.png"
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(image)
    (tmp_path / "link.mp4").symlink_to(video)
    (tmp_path / "hard.mp4").hardlink_to(video)
    (tmp_path / "picture.mp4").symlink_to(image)
    weights = Path(find_checkpoint(str(small_run))) / "ema.safetensors"
    (tmp_path / "weights.mp4").symlink_to(weights)
    before = contents(tmp_path)
    base = ["generate", "--checkpoint", small_run, "--image", image, "--sound", video, "--out"]
    for name in ("a.mp4", "x/../a.mp4", "link.mp4", "hard.mp4", "picture.mp4", "weights.mp4"):
        assert code_of(capsys, *base, tmp_path / name) == "output_is_input"
    os.mkfifo(tmp_path / "pipe.wav")
    assert code_of(capsys, *base[:5], "--sound", tmp_path / "pipe.wav", "--out", tmp_path / "b.mp4") == "not_a_file"
    (tmp_path / "pipe.wav").unlink()
    assert contents(tmp_path) == before


def test_a_folder_of_another_kind_is_no_place_for_results(
    capsys, small_run, small_clips, small_model, small_videos, tmp_path
):
    own, photos = tmp_path / "videos", tmp_path / "photos"
    shutil.copytree(small_videos, own)
    (photos / "2019").mkdir(parents=True)
    taken = [small_run, small_clips, own, photos]
    before = [contents(folder) for folder in taken]
    evaluate = ["evaluate", "--checkpoint", small_run, "--clips", small_clips]
    for out in taken:
        assert code_of(capsys, *evaluate, "--out", out) == "foreign_folder"
        assert code_of(capsys, "probe", "--clips", small_clips, "--out", out) == "foreign_folder"
    train = ["train", "--clips", small_clips, "--config", small_model, "--steps", "1"]
    for out in (small_clips, own, photos):
        assert code_of(capsys, *train, "--out", out) == "foreign_folder"
    for out in (small_run, photos):
        assert code_of(capsys, "prepare", "--videos", own, "--out", out, "--local") == "foreign_folder"
    for out in (small_run, small_clips, photos):
        assert code_of(capsys, "synth", "--domain", "sea", "--out", out, "--sources", "1") == "foreign_folder"
        assert code_of(capsys, "demo", "--out", out) == "foreign_folder"
        assert (
            code_of(capsys, "tune", "--clips", small_clips, "--out", out, "--config", small_model) == "foreign_folder"
        )
    (own / "dataset.json").write_text("{}")  # theirs
    assert code_of(capsys, "prepare", "--videos", own, "--out", own, "--local") == "foreign_folder"
    (own / "dataset.json").unlink()
    assert before == [contents(folder) for folder in taken]


@pytest.mark.parametrize("inside", ["", "videos"])
def test_clips_may_be_written_around_their_videos_again_and_again(inside, small_videos, tmp_path, capsys):
    shutil.copytree(small_videos, tmp_path / inside, dirs_exist_ok=True)
    command = ["prepare", "--videos", str(tmp_path / inside), "--out", str(tmp_path), "--local", *SMALL_CLIPS, *QUICK]
    for _ in range(2):
        assert main(command) == 0
        assert json.loads((tmp_path / "dataset.json").read_text())["counts"]["sources"] == 6
        assert (tmp_path / "rejects.jsonl").read_text() == ""
    assert "6 videos were already done" in capsys.readouterr().out


def test_what_to_do_with_videos_that_are_given_as_clips(capsys, small_videos, small_run, small_model, tmp_path):
    folder = shutil.copytree(small_videos, tmp_path / "my videos")
    base = ["train", "--out", tmp_path / "run", "--config", small_model, "--clips"]
    assert main([str(each) for each in (*base, folder)]) == 1
    advice = shlex.split(capsys.readouterr().err.rpartition("with: ")[2].rpartition("[")[0])
    assert advice == ["s2v", "prepare", "--videos", str(folder), "--out", "clips/my videos"]
    assert main([str(each) for each in (*base, small_run)]) == 1
    assert "is a run of s2v train" in capsys.readouterr().err


def test_commands_to_give_next_can_be_pasted(capsys, small_videos, tmp_path):
    out = tmp_path / "it's mine"
    assert main(["prepare", "--videos", str(small_videos), "--out", str(out), "--local", *SMALL_CLIPS, *QUICK]) == 0
    (following,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("then: ")]
    assert shlex.split(following)[1:] == ["s2v", "train", "--clips", str(out), "--out", "runs/it's mine"]


@pytest.mark.parametrize("arguments", [["--help"], ["synth", "--help"], ["info", "CLIPS"]])
def test_nobody_reads_what_is_printed(arguments, small_clips):
    arguments = [str(small_clips) if each == "CLIPS" else each for each in arguments]
    with subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE


def test_a_terminal_that_knows_only_ascii(small_clips, tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    named = shutil.copytree(small_clips, tmp_path / "Möwe \udcff".encode("utf-8", "surrogateescape").decode("latin1"))
    done = subprocess.run([*PROGRAM, "info", named], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"M??we" in done.stdout


STOPPED = """
import os, signal, sys
module = sys.argv.pop(1)
class Finder:
    def find_spec(name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder)
from s2v_ray.__main__ import run
sys.exit(run())
"""


@pytest.mark.parametrize(("module", "lines"), [("tyro", 0), ("pyarrow", 0), ("s2v_ray.recipes.probe", 1), ("torch", 1)])
def test_ctrl_c_is_quiet_whatever_is_being_imported(module, lines, small_clips):
    command = [sys.executable, "-c", STOPPED, module, "probe", "--clips", small_clips]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (128 + signal.SIGINT, "", lines), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("sources", [1, 2])
def test_every_verb_on_one_and_on_two_videos(sources, small_model, tmp_path, capsys):
    videos, clips, run = (str(tmp_path / name) for name in ("videos", "clips", "run"))
    synthesize("sea", videos, sources=sources, seed=5, seconds=1.6, size=48)
    flags = ["--split-by", "source", "--clips-per-source", "1", "--domain", "sea", "--local", *SMALL_CLIPS, *QUICK]
    assert main(["prepare", "--videos", videos, "--out", clips, *flags]) == 0
    if sources == 1:
        assert code_of(capsys, "probe", "--clips", clips, "--minutes", "0.01") == "too_few_clips"
    else:
        assert main(["probe", "--clips", clips, "--minutes", "0.01"]) == 0
    assert main(["train", "--clips", clips, "--out", run, "--config", str(small_model), "--steps", "2"]) == 0
    for split in ("train", "val", "test"):
        out = tmp_path / split
        status = main(["evaluate", "--checkpoint", run, "--clips", clips, "--out", str(out), "--split", split])
        assert (
            (status == 0) == any((Path(clips) / f"split={split}").glob("*.parquet")) == (out / "report.html").exists()
        )
    assert main(["info", run]) == 0
