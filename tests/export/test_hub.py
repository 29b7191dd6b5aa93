"""Models to a hub and from it, by the real client of Hugging Face, against a hub on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers.hub import Hub
from helpers.scripting import answer_of

from s2v_ray.cli.main import main
from s2v_ray.errors import StoreError, UserError
from s2v_ray.export.hub import hub_client
from s2v_ray.export.hub import push as push_files
from s2v_ray.generation.video import load_generator
from s2v_ray.training.checkpoint_files import find_checkpoint


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)  # HF_HUB_DISABLE_XET=1: by LFS alone
    yield server
    server.close()


def push(run: Path, out: Path, *flags: str) -> int:
    return main(["export", "--checkpoint", str(run), "--out", str(out), "--push-to-hub", "someone/sea", *flags])


def test_a_model_is_pushed_whole_and_used_from_there(small_run: Path, tmp_path: Path, hub: Hub) -> None:
    assert push(small_run, tmp_path / "sea") == 0
    model = hub.models["someone/sea"]
    assert (model.visibility, len(model.commits)) == ("private", 1)
    assert model.files == {path.name: path.read_bytes() for path in (tmp_path / "sea").iterdir()}
    assert (model.ways["README.md"], model.ways["weights.safetensors"]) == ("regular", "lfs")
    ours, theirs = (load_generator(where, torch.device("cpu")).model for where in ("hf://someone/sea", str(small_run)))
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)


def test_pushing_again_removes_what_is_of_before_and_keeps_the_rest(small_run: Path, tmp_path: Path, hub: Hub) -> None:
    assert push(small_run, tmp_path / "sea", "--public") == 0
    model = hub.models["someone/sea"]
    model.files |= {"onnx/model.onnx": b"of before", "photo.jpg": b"by hand"}
    assert push(small_run, tmp_path / "sea") == 0
    assert model.visibility == "public"
    assert "onnx/model.onnx" not in model.files
    assert model.files["photo.jpg"] == b"by hand"


def test_who_may_not_push_hears_why(
    small_run: Path, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert push(small_run, tmp_path / "sea") == 1
    error = capsys.readouterr().err
    assert "[hub_refused]" in error
    assert "HF_TOKEN" in error
    assert "hf_wrong" not in error
    assert (tmp_path / "sea" / "README.md").exists()  # the folder is there all the same
    assert main(["generate", "--checkpoint", "hf://someone/none", "--image=x", "--sound=y", "--out=z.mp4"]) == 1


def test_a_hub_that_breaks_off_is_an_error_with_a_name(
    small_run: Path, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", False)  # which this one doesn't have
    assert push(small_run, tmp_path / "sea") == 1
    assert "[hub_refused]" in capsys.readouterr().err
    assert hub.models["someone/sea"].files == {}


@pytest.mark.parametrize(("endpoint", "name"), [("http://127.0.0.1:9", "someone/sea"), ("", "no name")])
def test_where_no_hub_answers_or_the_name_is_none_is_an_error_with_a_name(
    endpoint: str, name: str, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint or hub.url)
    with pytest.raises(UserError) as caught:
        push_files(hub_client(), {"README.md": b""}, name, public=False, own=())
    assert caught.value.code == "hub_refused"


def test_a_model_where_no_hub_answers_is_an_error_with_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(StoreError) as caught:
        find_checkpoint("hf://someone/sea")
    assert caught.value.code == "store_unavailable"


def test_nothing_is_sent_unless_asked(
    small_run: Path, tmp_path: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--checkpoint", str(small_run), "--out", str(tmp_path / "sea"), "--json"]) == 0
    answer = answer_of(capsys.readouterr().out, "export")
    assert answer["pushed_to"] is None
    assert sorted(answer["files"]) == sorted(path.name for path in (tmp_path / "sea").iterdir())
    assert "its licence (--license)" in answer["lacking"]
    assert hub.requests == []
