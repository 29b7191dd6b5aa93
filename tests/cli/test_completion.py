"""What a shell completes, by the script that `s2v --print-completion` prints."""

import shutil
import subprocess

import pytest

from s2v_ray.cli.main import VERBS, main
from s2v_ray.config.load import PRESETS

# Calls the function that bash calls at Tab, as bash does, and prints the candidates.
AT_TAB = r"""
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
registered=$(complete -p s2v); [[ $registered =~ \ -F\ ([^ ]+) ]]
"${BASH_REMATCH[1]}" 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("completion") / "s2v.bash"
    with pytest.MonkeyPatch.context() as patch, path.open("w") as file:
        patch.setattr("sys.stdout", file)
        assert main(["--print-completion", "bash"]) == 0
    return path


@pytest.fixture
def candidates(script, tmp_path):
    (tmp_path / "clips of mine").mkdir()
    (tmp_path / "clip.wav").touch()

    def complete(*words: str) -> list[str]:
        command = ["bash", "-c", AT_TAB, "bash", str(script), "s2v", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()

    return complete


def test_verbs_flags_choices_and_paths_are_completed(candidates):
    assert set(candidates("")) >= set(VERBS)
    assert candidates("tra") == ["train"]
    assert candidates("--js") == ["--json"]
    assert candidates("--json", "sy") == ["synth"]
    assert candidates("help", "gen") == ["generate"]
    assert candidates("prepare", "--local", "--vid") == ["--videos", "--video-track"]
    assert candidates("train", "--loss.reconstruction-w") == ["--loss.reconstruction-weight"]
    assert candidates("train", "--loss.reconstruction", "") == ["l1", "l2"]
    assert candidates("generate", "--size", "") == ["whole", "model"]
    assert candidates("evaluate", "--qui") == ["--quiet"]
    files = ["clip.wav", "clips of mine"]
    assert sorted(candidates("generate", "--sound", "cli")) == files
    assert sorted(candidates("train", "--out", "a", "--clips", "b", "cli")) == files
    assert sorted(candidates("info", "cli")) == files
    assert set(candidates("train", "--config", "")) == {*PRESETS, *files}


def test_other_shells_take_their_scripts(tmp_path, capsys):
    for shell in ("zsh", "fish", "tcsh"):
        assert main(["--print-completion", shell]) == 0
        script = tmp_path / shell
        script.write_text(capsys.readouterr().out)
        assert "generate" in script.read_text()
        if program := shutil.which(shell):
            subprocess.run([program, "-n", str(script)], check=True)


def test_a_shell_that_is_unknown_or_not_named(capsys):
    for arguments in ([], ["ksh"]):
        assert main(["--print-completion", *arguments]) == 2
        assert "bash, zsh, fish, tcsh. [wrong_value]" in capsys.readouterr().err
