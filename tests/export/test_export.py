"""`s2v export`: what is written, and that every verb takes it for the model it was made of."""

import contextlib
import json
import shutil
import zipfile
from pathlib import Path

import av
import pytest
import torch
from helpers.exporting import write_report
from helpers.object_store import ObjectStore
from helpers.small import small_config
from huggingface_hub import ModelCard
from PIL import Image

from s2v_ray.cli.main import main
from s2v_ray.config import load_config
from s2v_ray.dataset.index import exclude_source
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.errors import UserError
from s2v_ray.generation.video import load_generator
from s2v_ray.recipes.export import ExportSettings, export
from s2v_ray.training.checkpoint import load_weights, read_checkpoint
from s2v_ray.training.checkpoint_files import content_hash, find_checkpoint
from s2v_ray.training.state import new_state

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(small_run: Path, small_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run as a folder, all of whose card is known."""
    folder = tmp_path_factory.mktemp("export")
    report = write_report(folder / "report", small_run)
    flags = ["--clips", str(small_clips), "--report", str(report), "--license", "Apache-2.0", "--data-license", "CC0"]
    assert main(["export", str(small_run), "--out", str(folder / "sea model"), *flags]) == 0
    return folder / "sea model"


@pytest.fixture(scope="module")
def archive(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip of it, as programs make it: with the folder itself inside."""
    return Path(shutil.make_archive(str(tmp_path_factory.mktemp("zip") / "sea"), "zip", model.parent, model.name))


def refusal(checkpoint: Path, out: Path, settings: ExportSettings) -> str:
    with pytest.raises(UserError) as caught:
        export(str(checkpoint), str(out), settings)
    return caught.value.code


def test_the_folder_holds_the_model_and_nothing_of_its_training(model: Path) -> None:
    assert {path.name for path in model.iterdir()} == {
        *("README.md", "config.toml", "example.mp4"),
        *("manifest.json", "state.json", "weights.safetensors", "mean_frame.safetensors"),
    }
    saved = read_checkpoint(find_checkpoint(str(model)))
    assert {name.partition(".")[0] for name in saved.tensors["weights.safetensors"]} == {"generator"}
    assert load_config(str(model / "config.toml")) == saved.config


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_it_is_the_model_that_generate_uses(small_run: Path, model: Path, archive: Path, kind: str) -> None:
    ours = load_generator(str(model if kind == "folder" else archive), CPU)
    theirs = load_generator(str(small_run), CPU)  # the EMA of its best checkpoint
    assert ours.config == theirs.config
    assert ours.mean_CHW is not None
    assert theirs.mean_CHW is not None
    assert torch.equal(ours.mean_CHW, theirs.mean_CHW)
    image_BCHW, wave_BS = torch.rand(1, 3, 32, 32), torch.rand(1, 7 * 320)
    assert torch.equal(ours.model(image_BCHW, wave_BS), theirs.model(image_BCHW, wave_BS))


def test_it_is_read_from_an_object_store(model: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(ObjectStore()) as store:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        for path in (archive, *model.iterdir()):
            store.client.upload_file(str(path), "bucket", path.name if path == archive else f"sea/{path.name}")
        theirs = load_generator(str(model), CPU).model.state_dict()
        for uri in ("s3://bucket/sea", "s3://bucket/sea.zip"):
            ours = load_generator(uri, CPU).model.state_dict()
            assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_generate_and_info_take_a_zip(
    archive: Path, small_videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (40, 30), "teal").save(tmp_path / "image.png")
    sound = next(path for path in sorted(small_videos.iterdir()) if path.suffix == ".mp4")
    flags = ["--image", str(tmp_path / "image.png"), "--sound", str(sound), "--out", str(tmp_path / "made.mp4")]
    assert main(["generate", "--checkpoint", str(archive), *flags]) == 0
    with av.open(str(tmp_path / "made.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 40  # 1.6 s at 25 a second
    assert main(["info", str(archive)]) == 0
    assert "step 8, 32 clips seen" in capsys.readouterr().out


def test_the_content_is_the_same_wherever_it_lies(model: Path, archive: Path, small_run: Path) -> None:
    assert content_hash(str(model)) == content_hash(str(archive)) != content_hash(find_checkpoint(str(small_run)))


def test_a_hub_reads_the_card(model: Path) -> None:
    data = ModelCard.load(model / "README.md").data
    assert (data.license, data.library_name, data.pipeline_tag) == ("apache-2.0", "s2v_ray", "image-to-video")
    assert "sound-to-video" in data.tags
    assert data.datasets is None  # a hub would take a folder's name for a data set of its own
    results = {result.metric_type: result for result in data.eval_results}
    assert results.keys() == {"motion_correlation", "matched_minus_mismatched"}  # what is defined
    assert results["motion_correlation"].metric_value == 0.5
    assert (results["motion_correlation"].dataset_name, results["motion_correlation"].dataset_split) == ("sea", "test")


def test_people_read_the_card(model: Path) -> None:
    text = (model / "README.md").read_text()
    assert "# sea model\n" in text
    # Four sources to train on, one each to validate and to test on, of four clips of 0.8 s.
    assert "| train | 4 | 16 | 0.00356 |\n| val | 1 | 4 | 0.000889 |\n| test | 1 | 4 | 0.000889 |\n" in text
    assert "| motion correlation | 0.50 [0.25, 0.75] | 0.12 | 0.00 |\n" in text
    assert "So the sound drives the motion: the gap is 0.38 " in text
    assert "Licence of the data: CC0." in text
    assert "/home" not in text  # no paths of whoever made it
    assert str(model.parent) not in text


def test_a_card_says_what_is_not_known(small_run: Path, tmp_path: Path) -> None:
    made = export(str(small_run), str(tmp_path / "bare"))
    text = made.files["README.md"].decode()
    assert (made.evaluated, made.described) == (False, False)
    assert "It was not evaluated." in text
    assert "The data set is not described." in text
    data = ModelCard(text).data
    assert (data.license, data.datasets, data.eval_results) == ("unknown", None, None)
    # Its example is the run's last sample.
    assert made.files["example.mp4"] == (small_run / "samples" / "step_00000008.mp4").read_bytes()


def test_names_are_text_and_nothing_else(small_run: Path, tmp_path: Path) -> None:
    evil = '</details><script>alert("1")</script> | ![x](http://example.org) 🎆\\ud83c\\udf86\n---\nlicense: mit'
    text = (
        export(str(small_run), str(tmp_path / "model"), ExportSettings(name=evil, license=evil))
        .files["README.md"]
        .decode()
    )
    card = ModelCard(text)
    assert (card.data.license, card.data.license_name) == ("other", evil)
    assert "\n# \\</details\\>\\<script\\>alert" in card.text
    assert "<script" not in card.text.replace("\\<script", "")
    assert "](http" not in card.text.replace("\\](http", "")


def test_what_does_not_belong_to_the_model_is_refused(small_run: Path, small_clips: Path, tmp_path: Path) -> None:
    other = tmp_path / "clips"
    shutil.copytree(small_clips, other)
    exclude_source(str(other), ClipReader(str(other), "train").sources[0], excluded=True)
    damaged = write_report(tmp_path / "damaged", small_run)
    values = json.loads((damaged / "report.json").read_bytes())
    values["scores"]["motion_correlation"]["model"]["mean"] = "much"
    (damaged / "report.json").write_text(json.dumps(values))
    later = write_report(tmp_path / "later", small_run, step=9)
    out = tmp_path / "out"
    assert refusal(small_run, out, ExportSettings(clips=(str(other),))) == "other_clips"
    assert refusal(small_run, out, ExportSettings(report=str(later))) == "other_report"
    assert refusal(small_run, out, ExportSettings(report=str(damaged))) == "damaged_report"
    assert refusal(small_run, out, ExportSettings(report=str(small_clips))) == "no_report"
    assert refusal(small_run, out, ExportSettings(example=str(small_clips / "card.png"))) == "no_example"
    assert refusal(small_run, small_clips, ExportSettings()) == "foreign_folder"
    assert not out.exists()


def test_exporting_again_replaces_all_that_was_there(small_run: Path, model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(model, copy)
    (copy / "notes.txt").write_text("mine")
    checkpoint = tmp_path / "alone"
    shutil.copytree(find_checkpoint(str(small_run)), checkpoint)  # without samples, so without an example
    export(str(checkpoint), str(copy))
    assert not (copy / "example.mp4").exists()
    assert "There is no example video." in (copy / "README.md").read_text()
    assert (copy / "notes.txt").read_text() == "mine"
    assert refusal(copy, copy, ExportSettings()) == "output_is_input"


def test_it_can_be_fine_tuned(model: Path, small_run: Path, small_clips: Path) -> None:
    state = new_state(small_config(small_clips), CPU)
    before = {name: value.clone() for name, value in state.networks.image_discriminator.state_dict().items()}
    load_weights(state, str(model))
    theirs = load_generator(str(small_run), CPU).model.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in state.networks.generator.state_dict().items())
    after = state.networks.image_discriminator.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("photo.jpg", b"")
    with pytest.raises(UserError) as caught:
        load_generator(str(tmp_path / "other.zip"), CPU)
    assert caught.value.code == "damaged_checkpoint"
