"""From a checkpoint, a picture and a sound to a video."""

import json
import shutil
import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np
import pytest
import torch
from helpers.generating import generate_frames
from PIL import Image

from s2v_ray.cli.main import main
from s2v_ray.errors import UserError
from s2v_ray.generation import generate
from s2v_ray.media.encode import write_video
from s2v_ray.training.checkpoint import load_model
from s2v_ray.training.checkpoint_files import find_checkpoint


def sound_file(path, seconds, sample_rate=8000):
    """A tone with black frames, as a video file."""
    wave = (np.sin(np.arange(round(seconds * sample_rate)) / 9) * 9000).astype(np.int16)
    frames = (np.zeros((32, 32, 3), np.uint8) for _ in range(round(seconds * 25)))
    write_video(path, frames, wave, frame_rate=Fraction(25), sample_rate=sample_rate)
    return path


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "wide.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)).save(path)
    return path


@pytest.mark.parametrize("seconds", [0.3, 0.8, 3.1])
def test_a_video_lasts_as_long_as_its_sound(small_run, image, tmp_path, seconds):
    sound = sound_file(tmp_path / "sound.mp4", seconds)
    out = tmp_path / "made.mp4"
    arguments = ["--checkpoint", str(small_run), "--image", str(image), "--sound", str(sound), "--out", str(out)]
    assert main(["generate", *arguments]) == 0
    with av.open(str(out)) as made:
        video_seconds = sum(1 for _ in made.decode(video=0)) / 25
        assert (made.streams.video[0].width, made.streams.video[0].height) == (90, 60)
    # Counted by another decoder, which leaves out AAC's padding of its last block.
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(out), "-f", "s16le", "-ac", "1", "-"]
    samples = len(subprocess.run(ffmpeg, capture_output=True, check=True).stdout) // 2
    assert abs(video_seconds - seconds) <= 1 / 25
    assert samples / 8000 == pytest.approx(seconds, abs=0.001)


def test_the_frames_for_a_clips_own_sound_are_those_that_evaluation_scores(small_run):
    model, config, _ = load_model(find_checkpoint(small_run))
    wave = np.random.default_rng(0).integers(-9000, 9000, config.clips.frames * 320, dtype=np.int16)
    image_CHW = torch.rand(3, 32, 32) * 2 - 1
    frames = generate_frames(model, config, image_CHW, wave)
    video_TCHW = model(image_CHW.unsqueeze(0), torch.from_numpy(wave / 32768).float().unsqueeze(0))[0]
    expected = ((video_TCHW.clamp(-1, 1) + 1) * 127.5).round().permute(0, 2, 3, 1).numpy()
    assert np.abs(np.stack(frames) - expected).max() <= 1


def test_the_same_inputs_give_the_same_bytes(small_run, image, tmp_path):
    sound = sound_file(tmp_path / "sound.mp4", 0.5)
    made = []
    for name in ("a.mp4", "b.mp4"):
        arguments = ["--image", str(image), "--sound", str(sound), "--out", str(tmp_path / name)]
        assert main(["generate", "--checkpoint", str(small_run), *arguments]) == 0
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]


def test_a_video_serves_as_image_and_as_sound(small_run, small_videos, tmp_path):
    video = str(next(small_videos.iterdir()))
    out = tmp_path / "made.mp4"
    arguments = ["--checkpoint", str(small_run), "--image", video, "--sound", video, "--out", str(out)]
    assert main(["generate", *arguments]) == 0
    assert out.stat().st_size > 1000


@pytest.mark.parametrize(("name", "code"), [("video.avi", "unsupported_format"), ("folder.mp4", "is_folder")])
def test_an_out_that_is_no_mp4_file_is_refused(tmp_path, name, code):
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(UserError, match=name) as error:
        generate("run", "image.png", "sound.wav", str(tmp_path / name), torch.device("cpu"))
    assert error.value.code == code


def test_strength_scales_each_frame_from_the_mean_over_the_sound(small_run):
    model, config, _ = load_model(find_checkpoint(small_run))
    wave = np.random.default_rng(0).integers(-9000, 9000, config.clips.frames * 320, dtype=np.int16)
    image_CHW = torch.rand(3, 32, 32) - 0.5
    with torch.no_grad():  # so that the sound does something after eight steps
        model.unet.up[-1].over_x.weight.mul_(20)
    # A clip is shorter than 64 frames, so the mean is over all of them.
    own_TCHW = model(image_CHW.unsqueeze(0), torch.from_numpy(wave / 32768).float().unsqueeze(0))[0].detach().numpy()
    mean_CHW = own_TCHW.mean(0)

    def made(**strength: float) -> np.ndarray:
        return np.stack(generate_frames(model, config, image_CHW, wave, **strength))

    assert np.array_equal(made(), made(strength=1.0))
    for strength in (0.0, 0.5, 2.0):
        expected = np.clip(mean_CHW + strength * (own_TCHW - mean_CHW), -1, 1) * 127.5 + 127.5
        assert np.abs(made(strength=strength) - expected.transpose(0, 2, 3, 1)).max() <= 1, strength
    still = made(strength=0.0)
    assert (still == still[0]).all()
    assert np.ptp(made(), axis=0).max() > 8


@pytest.mark.parametrize("region", ["middle", "1,2", "-1,0,5", "1,2,0"])
def test_a_region_that_is_no_square_is_refused(tmp_path, capsys, region):
    command = ["generate", "--checkpoint", str(tmp_path), "--image", "a.png", "--sound", "a.wav", "--out", "a.mp4"]
    assert main([*command, f"--region={region}"]) == 1
    assert f"--region is '{region}', but must be auto, centre, or x,y,size" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("strength", ["-0.1", "4.5", "nan", "inf"])
def test_a_strength_out_of_range_is_refused(tmp_path, capsys, strength):
    arguments = ["--image", "a.png", "--sound", "a.wav", "--out", str(tmp_path / "a.mp4")]
    assert main(["generate", "--checkpoint", "run", *arguments, f"--strength={strength}"]) == 1
    error = capsys.readouterr().err
    assert "[out_of_range]" in error
    assert f"--strength is {strength}" in error


def first_frame(path) -> np.ndarray:
    with av.open(str(path)) as made:
        return next(made.decode(video=0)).to_ndarray(format="rgb24").astype(int)


def generated(small_run, image, tmp_path, *flags) -> np.ndarray:
    """The first frame of what the command makes of an image with half a second of sound."""
    sound, out = sound_file(tmp_path / "sound.mp4", 0.5), tmp_path / "made.mp4"
    arguments = ["--checkpoint", str(small_run), "--image", str(image), "--sound", str(sound), "--out", str(out)]
    assert main(["generate", *arguments, *flags]) == 0
    return first_frame(out)


def two_colours(height, width) -> np.ndarray:
    """Left dark, right bright."""
    pixels = np.full((height, width, 3), (40, 60, 80), np.uint8)
    pixels[:, width // 2 :] = (200, 180, 160)
    return pixels


@pytest.mark.parametrize(
    ("size", "flags", "expected"),
    [
        ((91, 61), [], (90, 60)),
        ((61, 91), [], (60, 90)),
        ((90, 60), ["--max-side", "45"], (44, 30)),
        ((20, 14), [], (20, 14)),  # fewer pixels than the model has
        ((91, 61), ["--size", "model"], (32, 32)),
    ],
)
def test_a_video_has_the_size_of_its_picture(small_run, tmp_path, capsys, size, flags, expected):
    Image.fromarray(two_colours(*size[::-1])).save(tmp_path / "image.png")
    assert generated(small_run, tmp_path / "image.png", tmp_path, *flags).shape == (*expected[::-1], 3)
    printed = capsys.readouterr().out
    assert f"frames of {expected[0]} x {expected[1]} pixels" in printed
    assert "the centre, since nothing in the image looks clearly like the training frames" in printed


def test_a_region_given_is_the_one_that_moves(small_run, tmp_path, capsys):
    Image.fromarray(two_colours(80, 120)).save(tmp_path / "image.png")
    generated(small_run, tmp_path / "image.png", tmp_path, "--region", "70,20,40")
    assert "Region: 70,20,40, as given." in capsys.readouterr().out


def test_a_picture_is_upright_and_laid_on_the_background(small_run, tmp_path):
    turned = Image.fromarray(two_colours(60, 90))
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    turned.save(tmp_path / "turned.jpg", exif=exif)
    upright = generated(small_run, tmp_path / "turned.jpg", tmp_path)
    assert upright.shape == (90, 60, 3)
    assert upright[:30].mean() < 90 < 150 < upright[60:].mean()
    transparent = np.zeros((60, 90, 4), np.uint8)
    Image.fromarray(transparent).save(tmp_path / "clear.png")
    for background, level in (("white", 255), ("#202020", 32)):
        frame = generated(small_run, tmp_path / "clear.png", tmp_path, "--background", background)
        assert np.abs(frame - level).mean() < 8


def test_a_frame_of_a_video_is_chosen_by_its_time(small_run, tmp_path):
    frames = [np.full((60, 80, 3), level, np.uint8) for level in [20] * 10 + [220] * 10]
    write_video(tmp_path / "v.mp4", frames, np.zeros(16000, np.int16), frame_rate=Fraction(10), sample_rate=8000)
    assert generated(small_run, tmp_path / "v.mp4", tmp_path).mean() < 60
    assert generated(small_run, tmp_path / "v.mp4", tmp_path, "--image-time", "1.5").mean() > 180


@pytest.mark.parametrize("max_side", ["0", "15", "8193"])
def test_a_longest_side_out_of_range_is_refused(tmp_path, capsys, max_side):
    arguments = ["--image", "a.png", "--sound", "a.wav", "--out", str(tmp_path / "a.mp4")]
    assert main(["generate", "--checkpoint", "run", *arguments, "--max-side", max_side]) == 1
    assert f"--max-side is {max_side}, but must be from 16 to 8192 pixels. [out_of_range]" in " ".join(
        capsys.readouterr().err.split()
    )


def test_an_older_checkpoint_generates_around_the_centre(small_run, tmp_path, capsys, image):
    """Without its mean frame, as those before had none."""
    copy = tmp_path / "older"
    shutil.copytree(find_checkpoint(small_run), copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    del manifest["mean_frame.safetensors"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    generated(copy, image, tmp_path)
    assert "Region: 15,0,60, the centre, since the checkpoint has no mean training frame" in capsys.readouterr().out
