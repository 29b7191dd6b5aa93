"""What `import s2v_ray` offers, used as a script or a notebook would."""

import base64
import io
import logging
import re
import signal
import wave
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import s2v_ray
from s2v_ray.api.progress import progress_bar
from s2v_ray.cli.main import main
from s2v_ray.dataset.index import read_dataset
from s2v_ray.media.decoding.rgb import Crop
from s2v_ray.training.schedule import TrainingStatus

SMALL = {"clip_seconds": 0.8, "frame_rate": "25", "sample_rate": 8000, "stored_size": 36}  # as `small_clips`


@pytest.fixture(scope="module")
def model(small_run: Path) -> s2v_ray.Model:
    return s2v_ray.load(small_run)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ramp of 48 x 64 pixels."""
    path = tmp_path_factory.mktemp("picture") / "ramp.png"
    y, x = np.mgrid[:64, :48].astype(np.uint8)
    Image.fromarray(np.dstack([3 * y, 5 * x, y + x])).save(path)
    return path


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    """Half a second of noise that gets louder, int16 at 8 kHz: 12.5 frames."""
    noise = np.random.default_rng(0).uniform(-1, 1, 4000) * np.linspace(0, 0.9, 4000)
    return (32768 * noise).astype(np.int16)


@pytest.fixture(scope="module")
def sound(samples: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "noise.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return path


def test_a_video_in_memory_is_what_the_command_writes(
    model: s2v_ray.Model, small_run: Path, picture: Path, sound: Path, tmp_path: Path
) -> None:
    flags = ["--strength", "1.5", "--max-side", "40", "--region", "4,8,36"]
    command = ["generate", "--checkpoint", str(small_run), "--image", str(picture), "--sound", str(sound), *flags]
    assert main([*command, "--out", str(tmp_path / "command.mp4")]) == 0
    options = {"strength": 1.5, "max_side": 40, "region": "4,8,36"}

    video = model.generate(picture, str(sound), **options)
    made = model.write(tmp_path / "written.mp4", picture, sound, **options)

    assert (video.frames.dtype, video.frames.shape) == (np.uint8, (13, 40, 30, 3))
    assert (video.frame_rate, video.sample_rate, video.seconds) == (Fraction(25), 8000, 0.52)
    assert (video.audio.dtype, video.audio.shape) == (np.int16, (4000,))
    assert (made.frames, made.width, made.height, made.frame_rate) == (13, 30, 40, 25)
    assert video.region is not None
    assert video.region.square == Crop(4, 8, 36)
    assert video.save(tmp_path / "saved.mp4") == str(tmp_path / "saved.mp4")
    command_bytes = (tmp_path / "command.mp4").read_bytes()
    assert (tmp_path / "saved.mp4").read_bytes() == (tmp_path / "written.mp4").read_bytes() == command_bytes


def test_arrays_and_files_are_the_same(model: s2v_ray.Model, picture: Path, sound: Path, samples: np.ndarray) -> None:
    expected = model.generate(picture, sound).frames
    with Image.open(picture) as image:
        pixels = np.array(image)
        given = [
            (image, sound),
            (pixels, sound),
            (picture, (samples, 8000)),
            (picture, (samples / np.float32(32768), 8000)),  # as soundfile and librosa have them
            (picture, (np.stack([samples, samples], axis=1), np.int64(8000))),
        ]
        for picture_given, sound_given in given:
            np.testing.assert_array_equal(model.generate(picture_given, sound_given).frames, expected)


def test_what_is_transparent_is_laid_over_the_background(model: s2v_ray.Model, samples: np.ndarray) -> None:
    clear = np.zeros((36, 36, 4), np.uint8)
    video = model.generate(clear, (samples, 8000), background="#ff8000", region="0,0,8")
    np.testing.assert_array_equal(video.frames[:, 20, 20], [[255, 128, 0]] * 13)


def test_samples_at_another_rate_are_resampled(model: s2v_ray.Model, picture: Path) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(22050) / 44100)  # half a second
    video = model.generate(picture, (tone, 44100))
    assert len(video.frames) == 13
    spectrum = np.abs(np.fft.rfft(video.audio, 8000))  # a bin a hertz
    assert abs(int(spectrum.argmax()) - 440) <= 1


@pytest.mark.parametrize(
    ("sound_given", "words"),
    [
        ((np.zeros(0, np.int16), 8000), r"shape \[0\]"),
        ((np.zeros((2, 4000), np.int16), 8000), r"shape \[2, 4000\].*transpose"),
        ((np.zeros(4000, np.int32), 8000), "int32, but must be int16, or floats"),
        ((np.full(4000, 3.0), 8000), "reach 3, but floats must be in"),
        ((np.full(4000, np.nan), 8000), "reach nan"),
        ((8000, np.zeros(4000, np.int16)), "sample rate is an array.*sound is .samples, sample_rate."),
        ((np.zeros(4000, np.int16), 0), "sample rate is 0"),
        (np.zeros(4000, np.int16), "is a ndarray, but must be a path or .samples, sample_rate."),
    ],
)
def test_a_sound_that_is_none_is_refused(
    model: s2v_ray.Model, picture: Path, sound_given: tuple[np.ndarray, int], words: str
) -> None:
    with pytest.raises(s2v_ray.UserError, match=words) as caught:
        model.generate(picture, sound_given)
    assert caught.value.code == "wrong_sound"


@pytest.mark.parametrize("pixels", [np.zeros((8, 8, 3)), np.zeros((3, 8, 8), np.uint8), np.zeros((0, 8, 3), np.uint8)])
def test_an_image_that_is_none_is_refused(model: s2v_ray.Model, sound: Path, pixels: np.ndarray) -> None:
    with pytest.raises(s2v_ray.UserError, match=r"\[H, W, 3\]") as caught:
        model.generate(pixels, sound)
    assert caught.value.code == "wrong_image"


def test_errors_name_arguments_not_flags(model: s2v_ray.Model, picture: Path, sound: Path, tmp_path: Path) -> None:
    def code_of(words: str, *given: object, **options: object) -> str:
        with pytest.raises(s2v_ray.UserError, match=words) as caught:
            model.generate(*given, **options)
        assert "--" not in str(caught.value)
        return caught.value.code

    assert code_of("^max_side is 9", picture, sound, max_side=9) == "out_of_range"
    assert code_of("^There is no file", tmp_path / "none.png", sound) == "not_found"
    assert code_of("^image_time is 2 s", np.zeros((8, 8, 3), np.uint8), sound, image_time=2) == "image_time_outside"
    assert code_of("^size is 'big'", picture, sound, size="big") == "wrong_value"
    assert code_of("^background", picture, sound, background="mud") == "wrong_background"


def test_an_input_is_not_written_over(model: s2v_ray.Model, picture: Path, small_videos: Path) -> None:
    video = sorted(small_videos.glob("*.mp4"))[0]
    before = video.read_bytes()
    with pytest.raises(s2v_ray.UserError, match=r"^out .* is sound ") as caught:
        model.write(video, picture, video)
    assert (caught.value.code, video.read_bytes()) == ("output_is_input", before)


def test_a_notebook_shows_a_video_that_plays(model: s2v_ray.Model, picture: Path, sound: Path, tmp_path: Path) -> None:
    video = model.generate(picture, sound)
    assert repr(video) == "Video(13 frames of 48 x 64 at 25 per second, with sound)"
    page = video._repr_html_()
    content = re.fullmatch(r'<video controls loop style="[^"]*" src="data:video/mp4;base64,([^"]+)"></video>', page)
    assert content
    assert base64.b64decode(content[1]) == Path(video.save(tmp_path / "a.mp4")).read_bytes()
    with av.open(io.BytesIO(base64.b64decode(content[1]))) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert sum(1 for _ in container.decode(video=0)) == 13


def test_clips_are_arrays_by_index_in_order_and_as_videos(small_clips: Path, tmp_path: Path) -> None:
    clips = s2v_ray.open_clips(small_clips, "train")
    assert len(list(clips)) == len(clips) == 16
    assert [clip.clip_id for clip in clips] == [clips[index].clip_id for index in range(len(clips))]
    assert (clips[0].frames_THWC.shape, clips[0].wave.shape) == ((20, 36, 36, 3), (6400,))
    assert len(s2v_ray.open_clips(small_clips)) == 24
    with pytest.raises(IndexError):
        clips[len(clips)]
    with pytest.raises(s2v_ray.UserError, match="no split 'dev'"):
        s2v_ray.open_clips(small_clips, "dev")
    with pytest.raises(s2v_ray.UserError, match=r"^split is empty"):
        s2v_ray.open_clips(small_clips, [])
    video = s2v_ray.clip_video(clips[3], clips.settings)
    with av.open(video.save(tmp_path / "clip.mp4")) as container:
        assert container.streams.video[0].average_rate == 25
        assert sum(1 for _ in container.decode(video=0)) == 20


def test_preparing_returns_counts_and_prepares_nothing_twice(
    small_videos: Path, small_clips: Path, tmp_path: Path
) -> None:
    first = s2v_ray.prepare(small_videos, tmp_path / "clips", domain="sea", local=True, **SMALL)
    assert (first.clips, first.info.counts.clips, first.info.counts.sources) == (str(tmp_path / "clips"), 24, 6)
    assert [first.info.split_counts[split].sources for split in ("train", "val", "test")] == [4, 1, 1]
    again, command = (s2v_ray.open_clips(where) for where in (first.clips, small_clips))
    assert again.fingerprint == command.fingerprint
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "clips").rglob("*.parquet")}
    s2v_ray.prepare([small_videos], tmp_path / "clips", domain="sea", local=True, progress=False, **SMALL)
    assert written == {path: path.stat().st_mtime_ns for path in (tmp_path / "clips").rglob("*.parquet")}
    with pytest.raises(s2v_ray.UserError, match=r"^stored_size is 3") as caught:
        s2v_ray.prepare(small_videos, tmp_path / "other", stored_size=3)
    assert caught.value.code == "out_of_range"


def test_training_is_the_commands_and_goes_on(
    small_clips: Path, small_run: Path, small_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    steps: list[int] = []
    trained = s2v_ray.train(
        small_clips, tmp_path / "run", config=small_model, steps=8, on_status=lambda status: steps.append(status.step)
    )
    assert (trained.run, trained.step, steps[-1]) == (str(tmp_path / "run"), 8, 8)
    assert trained.best_score == trained.metrics["score"]
    weights = Path("checkpoints/step_00000008/weights.safetensors")
    assert (tmp_path / "run" / weights).read_bytes() == (small_run / weights).read_bytes()

    with caplog.at_level(logging.WARNING, "s2v_ray"):
        more = s2v_ray.train(small_clips, tmp_path / "run", config=s2v_ray.load_config(str(small_model)), steps=9)
    assert (more.step, Path(more.checkpoint).parent) == (9, tmp_path / "run" / "checkpoints")
    assert any("Resuming from step 8" in message for message in caplog.messages)
    assert "--" not in " ".join(caplog.messages)
    with pytest.raises(s2v_ray.UserError, match=r"other settings \(optim\.generator_lr\)"):
        s2v_ray.train(small_clips, tmp_path / "run", config=small_model, steps=9, settings={"optim.generator_lr": 0.5})
    with pytest.raises(s2v_ray.UserError, match=r"no setting 'optim\.lr'"):
        s2v_ray.train(small_clips, tmp_path / "new", config="tiny", settings={"optim.lr": 0.5})
    with pytest.raises(s2v_ray.UserError, match=r"^clips\.stored_size can't be set"):
        s2v_ray.train(small_clips, tmp_path / "new", config="tiny", settings={"clips.stored_size": 99})
    assert not (tmp_path / "new").exists()


def test_a_stop_saves_first_and_the_same_call_resumes(
    small_clips: Path, small_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def stop(status: TrainingStatus) -> None:
        if status.step == 10:
            signal.raise_signal(signal.SIGINT)  # as Ctrl-C and a notebook's stop button

    call = partial(s2v_ray.train, small_clips, tmp_path / "run", config=small_model, steps=12)
    with pytest.raises(KeyboardInterrupt):
        call(on_status=stop)
    assert call().step == 12
    assert "Resuming from step 11" in caplog.messages


@pytest.mark.slow
@pytest.mark.ray
def test_the_same_on_ray(
    ray_cluster: None, small_videos: Path, small_clips: Path, small_model: Path, tmp_path: Path
) -> None:
    prepared = s2v_ray.prepare(small_videos, tmp_path / "clips", domain="sea", **SMALL)
    ours, command = (s2v_ray.open_clips(where) for where in (prepared.clips, small_clips))
    assert ours.fingerprint == command.fingerprint
    trained = s2v_ray.train(small_clips, tmp_path / "run", config=small_model, steps=4, workers=2, device="cpu")
    assert (trained.step, trained.run) == (4, str(tmp_path / "run"))
    with pytest.raises(s2v_ray.UserError, match=r"^on_status is called in this process"):
        s2v_ray.train(small_clips, tmp_path / "run", config=small_model, workers=2, on_status=print)


@pytest.mark.slow
@pytest.mark.ray
def test_a_sweep_returns_what_it_found(ray_cluster: None, small_clips: Path, small_model: Path, tmp_path: Path) -> None:
    found = s2v_ray.tune(small_clips, tmp_path / "sweep", config=small_model, steps=8, trials=3, repeats=0)
    ((domain, tuned),) = found.items()
    assert tuned.domain == domain == read_dataset(small_clips).domain
    assert len(tuned.finding.trials) == 3
    config = s2v_ray.load_config(str(tuned.config))
    assert config.optim.generator_lr == tuned.settings["optim.generator_lr"]


def test_probing_returns_figures_and_advice(small_clips: Path, tmp_path: Path) -> None:
    probed = s2v_ray.probe(small_clips, tmp_path / "probe", minutes=0.02)
    assert (probed.out, probed.report.clips_found) == (str(tmp_path / "probe"), 24)
    assert probed.advice
    assert (tmp_path / "probe" / "probe.json").exists()


def test_progress_is_a_bar_in_a_terminal_and_seldom_lines_elsewhere(
    model: s2v_ray.Model,
    picture: Path,
    sound: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model.generate(picture, sound)
    assert capfd.readouterr() == ("", "")  # it takes less than ten seconds
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress_bar("generating", shown=True) as show:
        show(0.5, "6 of 12 frames")
    assert re.search(r"generating  50 %\|.*\| 00:00, 6 of 12 frames\n$", capfd.readouterr().err)
    model.generate(picture, sound)
    assert re.match(r"\rgenerating   0 %", capfd.readouterr().err)
    model.generate(picture, sound, progress=False)
    assert capfd.readouterr() == ("", "")
