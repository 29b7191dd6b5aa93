"""What the page does, without a browser."""

import json
import shutil
import sys
import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from s2v_ray.app.cached import new_file
from s2v_ray.app.dataset_files import card_text, clip_indices, rejects_by_reason, rejects_page, write_clip
from s2v_ray.app.examples import find_examples
from s2v_ray.app.local import LocalModels
from s2v_ray.app.names import short_names
from s2v_ray.app.page import build_page
from s2v_ray.app.run_figure import run_figures
from s2v_ray.app.run_files import is_run, read_curves, reports_beside, sample_videos
from s2v_ray.app.server import LOOPBACK, listen, mount_page, upload_folder
from s2v_ray.app.square import draw, move_to, place, resize_to
from s2v_ray.app.work import in_words
from s2v_ray.cli.main import main
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.errors import UserError
from s2v_ray.generation.region import Region
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.probe import probe
from s2v_ray.media.decoding.rgb import Crop
from s2v_ray.training.device import choose_device


def square_at(x: int, y: int, size: int):
    return place(
        np.zeros((1000, 2000, 3), np.uint8), Region(Crop(x, y, size), "where it is; --region x,y,size moves it")
    )


def test_the_square_found_is_auto_until_it_is_moved():
    placed = square_at(100, 200, 500)
    assert (placed.region, placed.reason, placed.part) == ("auto", "where it is", 0.5)
    # The picture shown has 720 of the 2000 pixels: (360, 180) is (1000, 500).
    assert move_to(placed, 360, 180).region == "750,250,500"
    assert move_to(placed, 0, 0).region == "0,0,500"
    assert move_to(placed, 719, 359).region == "1500,500,500"


def test_the_square_grows_and_shrinks_around_its_middle_inside_the_picture():
    placed = square_at(100, 200, 500)  # its middle is (350, 450)
    assert resize_to(placed, 0.2).region == "250,350,200"
    assert resize_to(placed, 0.8).region == "0,50,800"
    assert resize_to(placed, 1.0).region == "0,0,1000"
    assert resize_to(placed, 0.5) is placed


def test_the_square_is_drawn_bright_on_a_darker_picture():
    drawn_HWC = draw(place(np.full((100, 200, 3), 200, np.uint8), Region(Crop(50, 20, 60), "given")))
    assert drawn_HWC.shape == (100, 200, 3)
    assert (drawn_HWC[50, 80] == 200).all()
    assert (drawn_HWC[50, 20] == 90).all()
    assert tuple(drawn_HWC[50, 50]) == (255, 107, 26)


def test_an_error_of_the_users_is_its_sentence_and_any_other_is_told_in_the_terminal(capsys):
    error = UserError("unreadable_image", "The image '/tmp/a/b/cat.png' can't be read.")
    assert in_words(error, ["/tmp/a/b/cat.png"]) == "The image 'cat.png' can't be read."
    assert capsys.readouterr().err == ""
    told = in_words(ZeroDivisionError("a secret"))
    assert "secret" not in told
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_short_names_take_as_much_of_a_path_as_tells_them_apart():
    assert short_names(("/a/runs/x", "/a/runs/y", "/a/runs/x")) == {"x": "/a/runs/x", "y": "/a/runs/y"}
    assert short_names(("/a/sea/run", "/a/hand/run", "s3://b/z")) == {
        "sea/run": "/a/sea/run",
        "hand/run": "/a/hand/run",
        "z": "s3://b/z",
    }


def test_a_long_name_in_any_script_is_cut_to_what_a_file_may_have(tmp_path):
    path = new_file(str(tmp_path), f"{'画' * 60} a/b {'音' * 60}.mp4")
    path.write_bytes(b"")
    assert path.name.startswith("画" * 60 + " a_b ")
    assert path.suffix == ".mp4"
    assert new_file(str(tmp_path), "a b.mp4").name == "a b.mp4"


def test_curves_are_read_while_a_run_writes_them(tmp_path):
    lines = [{"step": 1, "loss/reconstruction": 0.5}, {"step": 2, "loss/reconstruction": 0.25, "validation/score": 1.0}]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"step": 3, "loss/rec')
    curves = read_curves(str(tmp_path))
    assert curves == {"loss/reconstruction": ([1, 2], [0.5, 0.25]), "validation/score": ([2], [1.0])}
    (reconstruction, discriminators, _) = run_figures(curves)
    (line,) = reconstruction.axes[0].lines
    assert line.get_xydata().tolist() == [[1, 0.5], [2, 0.25]]
    assert not discriminators.axes[0].lines


def test_samples_and_reports_of_a_run_are_found(small_run, tmp_path):
    run = Path(shutil.copytree(small_run, tmp_path / "runs" / "sea"))
    assert is_run(str(run))
    assert not is_run(str(next((run / "checkpoints").glob("step_*"))))
    assert list(sample_videos(str(run))) == ["step 8"]
    for folder, checkpoint in (
        ("reports/a", f"{run}/checkpoints/step_00000008"),
        ("reports/b", f"{run}2/checkpoints/x"),
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "report.html").write_text("<p>")
        (tmp_path / folder / "report.json").write_text(json.dumps({"checkpoint": checkpoint}))
    assert reports_beside(str(run)) == [str(tmp_path / "reports/a")]


def test_rejects_are_listed_by_reason_and_names_are_shown_and_not_run(tmp_path):
    rejects = [("a.mp4", None, "too_short"), ("<script>", 1.5, "silent"), ("b.mp4", 0.0, "silent")]
    lines = [
        json.dumps({"source": source, "start_seconds": start, "reason": reason, "detail": "why"})
        for source, start, reason in rejects
    ]
    (tmp_path / "rejects.jsonl").write_text("\n".join(lines))
    found = rejects_by_reason(str(tmp_path))
    assert found == {"silent": [("<script>", 1.5, "why"), ("b.mp4", 0.0, "why")], "too_short": [("a.mp4", None, "why")]}
    page = rejects_page(found)
    assert "<script" not in page
    assert "&lt;script&gt;</b> at 1.50 s" in page


def test_a_clip_becomes_a_video_with_its_sound(small_clips, tmp_path):
    reader = ClipReader(small_clips, "train")
    source, (first, *_) = next(iter(clip_indices(reader).items()))
    assert reader.sources[first] == source
    start = write_clip(reader, first, tmp_path / "clip.mp4")
    assert start == reader[first].start_seconds
    with MediaFile(tmp_path / "clip.mp4") as media:
        info = probe(media)
    assert (info.width, info.height, info.frame_rate) == (36, 36, Fraction(25))
    assert "![" not in card_text(str(small_clips))
    assert "## How much" in card_text(str(small_clips))


def test_examples_are_unseen_moments_of_what_there_is(small_clips, small_run, tmp_path):
    test = ClipReader(small_clips, "test")
    ((picture, sound), *_) = find_examples([], [str(small_clips)], tmp_path / "clips")
    assert (np.asarray(Image.open(picture)) == test[0].frames_THWC[0]).all()
    with wave.open(sound) as file:
        assert file.getnframes() == len(test[0].wave)
    ((picture, _),) = find_examples([str(small_run)], [], tmp_path / "run")
    assert Image.open(picture).size == (32, 32)  # the real half of the sample


@pytest.fixture(scope="module")
def client(small_run):
    models = short_names([str(small_run)])
    local = LocalModels(models, choose_device("cpu"))
    app = FastAPI()
    app.get("/own")(lambda: "mine")
    with upload_folder():
        page = build_page(models, make=local.make, locate=local.locate)
        yield TestClient(mount_page(app, page, "/page", hosts=LOOPBACK), base_url="http://localhost:1")


def test_answers_let_nothing_be_loaded_from_elsewhere(client):
    answer = client.get("/page/")
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "fonts.googleapis" not in answer.text + client.get("/page/theme.css").text
    own = client.get("/own")
    assert own.json() == "mine"
    assert "content-security-policy" not in own.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "127.0.0.1:1"}, 200),
        ({"Host": "evil.example"}, 403),  # a name that was made to lead here
        ({"Host": "localhost.evil.example"}, 403),
        ({"Origin": "http://localhost:1"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_only_its_own_site_is_answered(client, headers, status):
    assert client.get("/page/config", headers=headers).status_code == status


def test_a_port_that_is_taken_is_refused_and_the_default_moves_on():
    with listen("127.0.0.1", 0) as first, listen("127.0.0.1", 0) as second:
        taken = first.getsockname()[1]
        assert second.getsockname()[1] != taken
        with pytest.raises(UserError) as error:
            listen("127.0.0.1", taken)
    assert error.value.code == "no_port"
    assert str(taken) in str(error.value)


def test_without_gradio_one_sentence_says_what_to_install(small_run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert main(["app", "--checkpoint", str(small_run)]) == 1
    printed = capsys.readouterr().err
    assert "pip install '.[app]'" in printed
    assert "[no_gradio]" in printed
