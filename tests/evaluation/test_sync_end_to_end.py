"""Picture and sound through the whole product: prepare, batch, encode, within half a frame of each other."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from helpers.decoding import window_of
from helpers.small import QUICK, SMALL_MODEL
from helpers.videos import own, real

from s2v_ray.cli.main import main
from s2v_ray.config import Config, load_config
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.media.encode import write_video
from s2v_ray.training.data.loader import training_batches
from s2v_ray.training.data.pixels import to_bytes
from s2v_ray.training.run import config_for_clips

HALF_A_FRAME_SECONDS = 1 / 60


def flash_and_beep(path, frame_rate: Fraction, sample_rate: int) -> None:
    """Seven seconds with a white frame run and a tone that begin together each second, at whole frames."""
    starts = [round(second * frame_rate) for second in range(1, 7)]
    lit = {frame for start in starts for frame in range(start, start + round(frame_rate / 5))}
    wave = np.zeros(7 * sample_rate, np.int16)
    tone = (20000 * np.cos(2 * np.pi * 1000 * np.arange(sample_rate // 5) / sample_rate)).astype(np.int16)
    for start in starts:
        first = round(start / frame_rate * sample_rate)
        wave[first : first + len(tone)] = tone
    frames = (np.full((64, 64, 3), 255 * (frame in lit), np.uint8) for frame in range(int(7 * frame_rate)))
    write_video(path, frames, wave, frame_rate=frame_rate, sample_rate=sample_rate)


def onsets_seconds(level: np.ndarray, rate: float) -> np.ndarray:
    """When `level` [0, 1] crosses a half after half a second below."""
    loud = np.flatnonzero(level > 0.5)
    return loud[np.diff(loud, prepend=-rate) > 0.5 * rate] / rate


def assert_together(frames_THWC: np.ndarray, wave: np.ndarray) -> None:
    """Flashes and beeps, beyond the first moments, come in pairs."""
    flashes = onsets_seconds(frames_THWC.mean((1, 2, 3)) / 255, 30)
    envelope = np.convolve(np.abs(wave.astype(float)) > 3000, np.ones(60), "same") > 0
    beeps = onsets_seconds(envelope.astype(float), 44100)
    flashes, beeps = flashes[flashes > 0.1], beeps[beeps > 0.1]
    assert len(flashes) == len(beeps) >= 1
    np.testing.assert_allclose(flashes, beeps, atol=HALF_A_FRAME_SECONDS + 60 / 44100)


NTSC = Fraction(30000, 1001)
# Each of the rates once; all their combinations are slow.
USUAL = [(Fraction(25), 22050), (NTSC, 44100), (NTSC, 48000), (Fraction(30), 48000), (Fraction(60), 44100)]
RATES = [
    pytest.param(*rates, marks=() if rates in USUAL else pytest.mark.slow)
    for rates in product((Fraction(25), NTSC, Fraction(30), Fraction(60)), (22050, 44100, 48000))
]


@pytest.mark.parametrize(("frame_rate", "sample_rate"), RATES)
def test_a_flash_and_a_beep_stay_together(tmp_path, frame_rate, sample_rate):
    flash_and_beep(tmp_path / "flash.mp4", frame_rate, sample_rate)
    clips = tmp_path / "clips"
    command = ["prepare", "--videos", str(tmp_path / "flash.mp4"), "--out", str(clips), "--local", *QUICK]
    assert main([*command, "--frame-rate", "30", "--clip-seconds", "4"]) == 0
    reader = ClipReader(str(clips), "train")
    assert len(reader) in (3, 4)  # more would be nearly the same

    # On disk.
    for number in range(len(reader)):
        assert_together(reader[number].frames_THWC, reader[number].wave)

    # In the batch: its frames say which of the clip's they are.
    batch = next(training_batches(reader, whole_clip_config(tmp_path, reader), torch.device("cpu")))
    clip_frames_THWC = to_bytes(batch.video_BFCHW[0]).numpy()
    assert batch.frame_BF[0].tolist() == list(range(120))
    wave = (batch.wave_BS[0].numpy() * 32768).astype(np.int16)
    assert_together(clip_frames_THWC, wave)

    # In a file that we write.
    write_video(tmp_path / "made.mp4", clip_frames_THWC, wave, frame_rate=Fraction(30), sample_rate=44100)
    window = window_of(tmp_path / "made.mp4", Fraction(0), frame_count=120)
    assert_together(window.frames_THWC, window.wave)


def whole_clip_config(tmp_path, reader: ClipReader) -> Config:
    (tmp_path / "whole.toml").write_text(SMALL_MODEL.replace("frames_per_step = 6", "frames_per_step = 0"))
    return config_for_clips(load_config(str(tmp_path / "whole.toml")), reader.settings)


@pytest.mark.parametrize("source", [own("each_second.mp4"), real("formats/gradio-app_av1-video.mp4")])
def test_a_test_pattern_stays_together(source, tmp_path):
    # A beep sounds each second; by its own header the sound is a frame of AAC late.
    clips = tmp_path / "clips"
    command = ["prepare", "--videos", str(source), "--out", str(clips), "--local", "--clips-per-source", "6"]
    assert main([*command, "--clip-seconds", "4"]) == 0
    reader = ClipReader(str(clips), "train")
    for number in range(len(reader)):
        clip = reader[number]
        beeps = onsets_seconds(np.convolve(np.abs(clip.wave.astype(float)) > 1500, np.ones(60), "same") > 0, 44100)
        beeps = beeps[beeps > 0.1] + clip.start_seconds
        assert len(beeps) >= 3
        np.testing.assert_allclose(beeps - np.round(beeps), 1024 / 32000, atol=0.004)
