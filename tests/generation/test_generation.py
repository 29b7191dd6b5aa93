"""From a checkpoint, a picture and a sound to a video."""

import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np
import pytest
import torch
from PIL import Image

from s2v_ray.cli.main import main
from s2v_ray.errors import UserError
from s2v_ray.generation import generate, generate_frames
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
    frames = list(generate_frames(model, config, image_CHW, wave))
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
        return np.stack(list(generate_frames(model, config, image_CHW, wave, **strength)))

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
