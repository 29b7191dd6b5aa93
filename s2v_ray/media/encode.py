"""Frames and samples to an MP4 file (H.264 and AAC) whose two streams share one exact clock."""

import tempfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from av.video.stream import VideoStream

from s2v_ray.errors import UserError
from s2v_ray.storage.files import writing_path
from s2v_ray.storage.paths import Location

# The rates that AAC has (ISO/IEC 14496-3, table 1.18).
AAC_SAMPLE_RATES = (7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)

COMMON_SAMPLE_RATE = 48000

_BT709 = 1  # the number of BT.709 among matrices, primaries and transfer curves alike (ITU-T H.273)
_SOUND_BITS_PER_SECOND = 160_000
# One thread and no code that differs between processors: the same frames give the same bytes.
_X264 = {"crf": "18", "threads": "1", "x264-params": "cpu-independent=1"}
_CONVERSION = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP


def write_video(
    path: Location,
    frames: Iterable[np.ndarray],
    wave: np.ndarray,
    *,
    frame_rate: Fraction,
    sample_rate: int,
) -> None:
    """Write `frames` and `wave` to the MP4 file `path`, also of an object store, both starting at time zero.

    `frames` are uint8 RGB arrays [H, W, 3] of one even size, taken one at a time; frame t is shown at
    exactly t / frame_rate. `wave` is int16 mono [S]; sample n is heard at n / sample_rate. Each is written to its
    end, whichever is longer. The file appears whole or not at all.

    Raises UserError for no frames, odd or changing sizes, other types, a sample rate that AAC does not have,
    and where the file cannot be written.
    """
    _check_wave(wave, sample_rate)
    # The movie clock of one tick a sample keeps the sound's length exact; its default is a millisecond.
    options = {"movflags": "+faststart", "movie_timescale": str(sample_rate)}
    try:
        with (
            writing_path(path) as beside,
            av.open(str(beside), "w", format="mp4", options=options) as container,
        ):
            _encode(container, frames, wave, frame_rate, sample_rate)
    except OSError as error:
        raise UserError(f"'{path}' can't be written ({error}); free space or choose another place.") from error


def video_bytes(frames: Iterable[np.ndarray], wave: np.ndarray, *, frame_rate: Fraction, sample_rate: int) -> bytes:
    """The content of the file that `write_video` would write."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        write_video(path, frames, wave, frame_rate=frame_rate, sample_rate=sample_rate)
        return path.read_bytes()


def for_aac(wave: np.ndarray, sample_rate: int) -> tuple[np.ndarray, int]:
    """Samples, int16 mono [S], and their rate as `write_video` takes them: at 48 kHz where AAC lacks the rate."""
    if sample_rate in AAC_SAMPLE_RATES:
        return wave, sample_rate
    frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
    frame.sample_rate = sample_rate
    resampler = av.AudioResampler("s16", "mono", COMMON_SAMPLE_RATE)
    pieces = [piece.to_ndarray()[0] for given in (frame, None) for piece in resampler.resample(given)]
    return np.concatenate(pieces), COMMON_SAMPLE_RATE


def _encode(
    container: OutputContainer, frames: Iterable[np.ndarray], wave: np.ndarray, frame_rate: Fraction, sample_rate: int
) -> None:
    picture: VideoStream | None = None
    sound: AudioStream | None = None
    samples_done = 0
    for index, frame_HWC in enumerate(frames):
        if picture is None or sound is None:
            picture = _add_picture(container, frame_HWC, frame_rate)
            sound = _add_sound(container, sample_rate)
        _check_frame(frame_HWC, index, picture)
        _encode_frame(container, picture, frame_HWC, index)
        # The sound keeps pace with the picture, so that the muxer has little to hold back.
        samples_due = int((index + 1) * sample_rate / frame_rate)
        _encode_samples(container, sound, wave, samples_done, samples_due)
        samples_done = max(samples_done, min(samples_due, len(wave)))
    if picture is None or sound is None:
        raise UserError("There are no frames to write; give at least one.")
    _encode_samples(container, sound, wave, samples_done, len(wave))
    container.mux(picture.encode(None))
    container.mux(sound.encode(None))


def _add_picture(container: OutputContainer, frame_HWC: np.ndarray, frame_rate: Fraction) -> VideoStream:
    height, width = frame_HWC.shape[:2]
    if height % 2 or width % 2:
        raise UserError(f"A frame of {width} x {height} pixels can't be written as H.264; use an even size.")
    stream = container.add_stream("libx264", rate=frame_rate, options=_X264)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.codec_context.time_base = 1 / frame_rate
    stream.color_range = ColorRange.MPEG
    stream.colorspace = stream.color_primaries = stream.color_trc = _BT709
    return stream


def _add_sound(container: OutputContainer, sample_rate: int) -> AudioStream:
    stream = container.add_stream("aac", rate=sample_rate, layout="mono")
    stream.bit_rate = min(_SOUND_BITS_PER_SECOND, 4 * sample_rate)
    return stream


def _encode_frame(container: OutputContainer, stream: VideoStream, frame_HWC: np.ndarray, index: int) -> None:
    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame_HWC), format="rgb24")
    frame = rgb.reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=_CONVERSION,
        threads=1,
    )
    frame.pts, frame.time_base = index, stream.codec_context.time_base
    container.mux(stream.encode(frame))


def _encode_samples(container: OutputContainer, stream: AudioStream, wave: np.ndarray, begin: int, end: int) -> None:
    """Encode wave[begin:end] in pieces of at most a second."""
    end = min(end, len(wave))
    for first in range(begin, end, stream.sample_rate):
        piece = wave[first : min(first + stream.sample_rate, end)]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece[None]), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = stream.sample_rate, first, Fraction(1, stream.sample_rate)
        container.mux(stream.encode(frame))


def _check_wave(wave: np.ndarray, sample_rate: int) -> None:
    if wave.dtype != np.int16 or wave.ndim != 1:
        raise UserError(f"The wave is {wave.dtype} {list(wave.shape)}; it must be int16 [S].")
    if sample_rate not in AAC_SAMPLE_RATES:
        rates = ", ".join(map(str, AAC_SAMPLE_RATES))
        raise UserError(f"A sample rate of {sample_rate} Hz can't be written as AAC; use one of {rates}.")


def _check_frame(frame_HWC: np.ndarray, index: int, stream: VideoStream) -> None:
    expected = (stream.height, stream.width, 3)
    if frame_HWC.dtype != np.uint8 or frame_HWC.shape != expected:
        raise UserError(
            f"Frame {index} is {frame_HWC.dtype} {list(frame_HWC.shape)}; it must be uint8 {list(expected)} as frame 0."
        )
