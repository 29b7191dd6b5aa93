"""--quiet, --verbose and --json of every verb, terminals with and without colours, and lines for a log."""

import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.pairs import write_pairs
from helpers.scripting import answer_of
from helpers.small import QUICK, SMALL_CLIPS

from s2v_ray.cli.main import VERBS, main
from s2v_ray.cli.manner import announce
from s2v_ray.cli.progress import ProgressBar, is_line_due
from s2v_ray.cli.result import plain
from s2v_ray.cli.terminal import console


def told(capsys, verb: str, *arguments: object, status: int = 0) -> dict:
    """What `--json` prints, which has the keys that the page names for `verb`."""
    assert main([*map(str, arguments), "--json"]) == status
    return answer_of(capsys.readouterr().out, verb)


def test_data_sets_are_described_in_numbers(small_videos, tmp_path, capsys):
    made = told(
        capsys, "synth", "synth", "--domain", "sea", "--out", tmp_path / "sea", "--sources", "1", "--seconds", "1"
    )
    assert (made["ok"], made["videos"], made["outputs"]) == (True, 1, {"videos": str(tmp_path / "sea")})
    assert made["next"][0].startswith("s2v prepare --videos ")
    clips, two = tmp_path / "clips", sorted(small_videos.iterdir())[:2]
    base = [
        "prepare",
        "--videos",
        *two,
        "--out",
        clips,
        "--local",
        *SMALL_CLIPS,
        *QUICK,
        "--split-by",
        "source",
        "--domain",
        "sea",
    ]
    one = [two[0], "--out", tmp_path / "one", "--local", *SMALL_CLIPS, "--preview"]
    assert told(capsys, "prepare --preview", "prepare", "--videos", *one)["previews"] == 1
    assert told(capsys, "prepare --shard", *base, "--shard", "1/2")["unfinished_shards"] == [2]
    waiting = told(capsys, "merge", "merge", "--clips", clips)
    assert (waiting["missing_shards"], waiting["next"]) == ([2], [])
    told(capsys, "prepare --shard", *base, "--shard", "2/2")
    merged = told(capsys, "merge", "merge", "--clips", clips)
    described = json.loads((clips / "dataset.json").read_text())
    assert merged["counts"].items() <= described["counts"].items()
    assert merged["shards"] == 2
    assert merged["frame_rate"] == 25
    again = told(capsys, "prepare", *base)
    assert again["counts"]["sources"] == 2
    assert [command.split()[1] for command in again["next"]] == ["probe", "train"]
    assert told(capsys, "info CLIPS", "info", clips)["splits"] == described["counts"]["splits"]


def test_models_are_described_in_numbers(small_clips, small_model, small_videos, tmp_path, capsys):
    run, video = tmp_path / "run", tmp_path / "made.mp4"
    base = ["train", "--clips", small_clips, "--out", run, "--config", small_model, "--steps", "2"]
    assert told(capsys, "train --dry-run", *base, "--dry-run")["steps"] == 2
    trained = told(capsys, "train", *base)
    assert (trained["steps"], trained["outputs"]["run"]) == (2, str(run))
    assert Path(trained["outputs"]["best"]).is_dir()
    assert trained["best_score"] == trained["metrics"]["score"]
    described = told(capsys, "info RUN", "info", run)
    assert (described["step"], described["config"]["training"]["steps"]) == (2, 2)
    assert (described["status"]["state"], described["status"]["step"]) == ("finished", 2)
    assert told(capsys, "info RUN", "info", trained["outputs"]["best"])["status"] is None
    source = next(small_videos.iterdir())
    inputs = ["--checkpoint", run, "--image", source, "--sound", source, "--out", video, "--size", "model"]
    made = told(capsys, "generate", "generate", *inputs)
    assert (made["width"], made["height"], made["frame_rate"], made["seconds"]) == (32, 32, 25, made["frames"] / 25)


def test_pairs_of_which_some_fail_are_done_in_part(small_run, tmp_path, capsys):
    table = write_pairs(tmp_path, ["one", "two"])
    (table.parent / "two.png").unlink()
    base = ["generate", "--checkpoint", small_run, "--pairs", table, "--out", tmp_path / "made", "--local"]
    made = told(capsys, "generate --pairs", *base, status=3)
    assert (made["ok"], made["made"], made["failed"], made["reasons"]) == (False, 1, 1, {"not_found": 1})
    assert made["error"]["code"] == "pairs_failed"
    (table.parent / "one.png").unlink()
    assert main([str(each) for each in base]) == 1  # none is there any more


def test_errors_have_a_code_a_sentence_and_a_status(tmp_path, capsys):
    for arguments, status, code in (
        (["trian"], 2, "unknown_verb"),
        (["synth", "--domain", "sea"], 2, "missing_flag"),
        (["synth", "--domain", "sea", "--out", "a", "--sourcez", "1"], 2, "unknown_flag"),
        (["synth", "--domain", "sea", "--out", "a", "--sources", "few"], 2, "wrong_value"),
        (["train", "--clips", "a", "--videos", "b", "--out", "c"], 2, "bad_flags"),
        (["info", str(tmp_path / "none")], 1, "unknown_content"),
    ):
        assert main(["--json", *arguments]) == status
        captured = capsys.readouterr()
        answer = answer_of(captured.out)
        assert set(answer) == {"verb", "ok", "version", "elapsed_seconds", "error"}
        assert (answer["ok"], answer["verb"], answer["error"]["code"]) == (False, arguments[0], code)
        assert captured.err.endswith(f": {answer['error']['message']} [{code}]\n")
    assert main(["info", "a", "--quiet", "--verbose"]) == 2
    assert "[bad_flags]\n" in capsys.readouterr().err


def verb_that(action):
    def probe(*, out: str = "") -> None:
        """Do something."""
        print("Some text")
        return action()

    return probe


def test_verbs_that_return_nothing_crash_or_are_stopped(monkeypatch, capsys):
    def crash():
        raise ZeroDivisionError("x")

    def stop():
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError

    monkeypatch.setitem(VERBS, "probe", verb_that(lambda: None))
    assert main(["--json", "probe"]) == 0
    captured = capsys.readouterr()
    answer = answer_of(captured.out)
    assert (answer["verb"], answer["ok"], answer["outputs"], captured.err) == ("probe", True, {}, "Some text\n")
    assert main(["probe", "--quiet"]) == 0
    assert capsys.readouterr().out == "Some text\n"  # it is all that there is
    monkeypatch.setitem(VERBS, "probe", verb_that(crash))
    with pytest.raises(ZeroDivisionError):
        main(["probe", "--json"])
    assert answer_of(capsys.readouterr().out)["error"]["code"] == "internal_error"
    monkeypatch.setitem(VERBS, "probe", verb_that(stop))
    assert main(["probe", "--json"]) == 143
    assert answer_of(capsys.readouterr().out)["error"]["code"] == "stopped"


def test_a_service_says_where_it_is_once_it_is_ready(monkeypatch, capsys):
    def serve():
        announce({"address": "http://127.0.0.1:1"})
        return {"too": "late"}

    monkeypatch.setitem(VERBS, "probe", verb_that(serve))
    assert main(["probe", "--json"]) == 0
    assert answer_of(capsys.readouterr().out)["address"] == "http://127.0.0.1:1"
    assert main(["probe", "--quiet"]) == 0
    assert capsys.readouterr().out == "http://127.0.0.1:1\n"
    assert main(["probe"]) == 0
    assert capsys.readouterr().out == "Some text\n"


def test_quiet_prints_paths_and_errors_alone(small_clips, tmp_path, capsys):
    out = tmp_path / "sea"
    assert main(["--quiet", "synth", "--domain", "sea", "--out", str(out), "--sources", "1", "--seconds", "1"]) == 0
    assert capsys.readouterr() == (f"{out}\n", "")
    assert main(["info", str(tmp_path / "none"), "--quiet"]) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert main(["info", str(small_clips), "--quiet"]) == 0
    assert "holds clips of" in capsys.readouterr().out


def test_verbose_tells_how_long_it_took_and_where_an_error_is_from(tmp_path, capsys):
    assert main(["info", str(tmp_path / "none"), "--verbose"]) == 1
    printed = capsys.readouterr().err
    assert "Traceback" in printed
    assert "[unknown_content]" in printed
    assert "s2v info took " in printed


def test_what_json_can_not_hold():
    @dataclass(frozen=True)
    class Score:
        mean: float
        path: Path

    given = {
        "a": Score(float("nan"), Path("/x")),
        1: (np.float32(0.5), np.int64(3), Fraction(1, 4), float("-inf"), True),
    }
    assert plain(given) == {"a": {"mean": None, "path": "/x"}, "1": [0.5, 3, 0.25, None, True]}
    assert plain(np.array([[1.0, np.inf]])) == [[1.0, None]]


def test_a_log_gets_a_line_for_a_tenth_or_after_half_a_minute(capsys):
    assert not is_line_due(4.9, 1.0)
    assert is_line_due(5.0, 0.1)
    assert not is_line_due(29.0, 0.09)
    assert is_line_due(30.0, 0.0)
    with ProgressBar("working") as show:
        show.line_at -= 30
        show(0.5, "half")
        show(0.6, "more")
    assert capsys.readouterr().out == "working  50 %  half\n"


def in_terminal(*arguments: str, **environment: str) -> str:
    """What `s2v` prints in a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "s2v_ray", *arguments]
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=kept | {"TERM": "xterm"} | environment):
        os.close(theirs)
        printed = b""
        with contextlib.suppress(OSError):  # so Linux says that the other end is closed
            while block := os.read(ours, 65536):
                printed += block
    os.close(ours)
    return printed.decode()


def test_no_color_leaves_no_code_of_a_terminal(tmp_path):
    synth = ["synth", "--domain", "sea", "--sources", "1", "--seconds", "1", "--out", str(tmp_path / "sea")]
    assert "\x1b[" in in_terminal(*synth)
    for arguments, said in ((["synth", "--help"], "--nuisance"), (synth, "Wrote 1 videos")):
        plain_output = in_terminal(*arguments, NO_COLOR="1", FORCE_COLOR="1")
        assert "\x1b" not in plain_output
        assert said in plain_output


def test_force_color_colours_tables_in_a_pipe_and_moves_no_cursor(monkeypatch, capsys):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    console().print("[bold red]No")
    with ProgressBar("working") as show:
        show(0.5, "half")
    assert capsys.readouterr().out == "\x1b[1;31mNo\x1b[0m\n"
    monkeypatch.setenv("NO_COLOR", "1")
    console().print("[bold red]No")
    assert capsys.readouterr().out == "No\n"


def test_the_documented_shell_lines_take_the_object(small_clips):
    if shutil.which("jq"):
        given = f"{sys.executable} -m s2v_ray info {small_clips} --json 2>/dev/null | jq .counts.clips"
        done = subprocess.run(given, shell=True, capture_output=True, text=True, check=True)
        assert int(done.stdout) == json.loads((small_clips / "dataset.json").read_text())["counts"]["clips"]


def test_help_says_what_the_statuses_are(capsys):
    assert main(["help"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Exit status:")]
    assert "2 wrong verb or flags; 3 done in part" in line


def test_streams_that_the_shell_has_closed_are_no_error(small_clips):
    given = f"{sys.executable} -m s2v_ray info {small_clips} <&- >&- 2>&-"
    assert subprocess.run(given, shell=True).returncode == 0
