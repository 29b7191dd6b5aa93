"""Frames and samples to an MP4 file (H.264 and AAC) whose two streams share one exact clock."""

import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from av.video.stream import VideoStream

from s2v_ray.errors import UserError
from s2v_ray.storage.files import writing_path
from s2v_ray.storage.os_errors import reason
from s2v_ray.storage.paths import Location

# The rates that AAC has (ISO/IEC 14496-3, table 1.18).
AAC_SAMPLE_RATES = (7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)

COMMON_SAMPLE_RATE = 48000

DEFAULT_CRF = 18

_BT709 = 1  # the number of BT.709 among matrices, primaries and transfer curves alike (ITU-T H.273)
_SOUND_BITS_PER_SECOND = 160_000
# One thread and no instructions that differ between processors: the same frames always give the same bytes.
_X264 = {"threads": "1", "x264-params": "cpu-independent=1"}
# At 1280 x 720, three times as fast as the default, for files of the same size and 0.3 dB.
_LARGE_PIXELS, _LARGE_PRESET = 512 * 512, "veryfast"
_FRAMES_AHEAD = 16  # made while earlier ones are encoded
_CONVERSION = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP


def write_video(
    path: Location,
    frames: Iterable[np.ndarray],
    wave: np.ndarray | Iterable[np.ndarray],
    *,
    frame_rate: Fraction,
    sample_rate: int,
    crf: int = DEFAULT_CRF,
) -> None:
    """Write `frames` and `wave` to the MP4 file `path`, also of an object store, both starting at time zero.

    `frames` are uint8 RGB arrays [H, W, 3] of one even size, taken one at a time; frame t is displayed at
    exactly t / frame_rate. `wave` is int16 mono [S], or blocks of it, which are taken as the frames need them; sample n
    is heard at n / sample_rate. Each is written to its end, whichever is longer. `crf` is H.264's quality, 0 to 51: 18
    looks like the frames, 6 more halve the file. The file appears complete or not at all. While `frames` makes the
    next, a thread encodes those before.

    Raises UserError `no_frames`, `wrong_shape` (odd or changing sizes, other types), `unknown_sample_rate` (AAC lacks
    it) and `not_writable`.
    """
    if sample_rate not in AAC_SAMPLE_RATES:
        rates = ", ".join(map(str, AAC_SAMPLE_RATES))
        raise UserError("unknown_sample_rate", f"AAC has no sample rate of {sample_rate} Hz; use one of {rates}.")
    samples = _SampleQueue([wave] if isinstance(wave, np.ndarray) else wave)
    # The movie clock of one tick a sample keeps the sound's length exact; its default is a millisecond.
    options = {"movflags": "+faststart", "movie_timescale": str(sample_rate)}
    try:
        with writing_path(path) as file, av.open(str(file), "w", format="mp4", options=options) as container:
            _encode(container, frames, samples, frame_rate, sample_rate, crf)
    except OSError as error:
        raise UserError("not_writable", f"'{path}' can't be written: {reason(error)}.") from error


def video_bytes(frames: Iterable[np.ndarray], wave: np.ndarray, *, frame_rate: Fraction, sample_rate: int) -> bytes:
    """The bytes of the file that `write_video` would write."""
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
    pieces = [piece.to_ndarray()[0] for input_frame in (frame, None) for piece in resampler.resample(input_frame)]
    return np.concatenate(pieces), COMMON_SAMPLE_RATE


def _encode(
    container: OutputContainer,
    frames: Iterable[np.ndarray],
    samples: "_SampleQueue",
    frame_rate: Fraction,
    sample_rate: int,
    crf: int,
) -> None:
    frames = iter(frames)
    first_HWC = next(frames, None)
    if first_HWC is None:
        raise UserError("no_frames", "There are no frames to write; pass at least one.")
    height, width = first_HWC.shape[:2]
    if height % 2 or width % 2:
        problem = f"A frame of {width} x {height} pixels can't be written as H.264"
        raise UserError("wrong_shape", f"{problem}; use an even size.")
    preset = {"preset": _LARGE_PRESET} if height * width > _LARGE_PIXELS else {}
    picture = container.add_stream("libx264", rate=frame_rate, options=_X264 | preset | {"crf": str(crf)})
    picture.width, picture.height, picture.pix_fmt = width, height, "yuv420p"
    picture.codec_context.time_base = 1 / frame_rate
    picture.color_range = ColorRange.MPEG
    picture.colorspace = picture.color_primaries = picture.color_trc = _BT709
    sound = container.add_stream("aac", rate=sample_rate, layout="mono")
    sound.bit_rate = min(_SOUND_BITS_PER_SECOND, 4 * sample_rate)
    container.start_encoding()  # not with the first frame: the frames in waiting would start it again after a failure

    def encode(frame_HWC: np.ndarray, index: int) -> None:
        _encode_frame(container, picture, frame_HWC, index)
        # The sound keeps pace with the picture, so that the muxer has little to hold back.
        _encode_samples(container, sound, samples, until=int((index + 1) * sample_rate / frame_rate))

    waiting: deque[Future[None]] = deque()
    thread = ThreadPoolExecutor(1, thread_name_prefix="encoding")
    try:
        for index, frame_HWC in enumerate(chain([first_HWC], frames)):
            if frame_HWC.dtype != np.uint8 or frame_HWC.shape != (height, width, 3):
                problem = f"Frame {index} is {frame_HWC.dtype} {list(frame_HWC.shape)}"
                raise UserError("wrong_shape", f"{problem}; it must be uint8 {[height, width, 3]} as frame 0.")
            waiting.append(thread.submit(encode, frame_HWC, index))
            if len(waiting) > _FRAMES_AHEAD:
                waiting.popleft().result()
        for encoded in waiting:
            encoded.result()
    finally:
        thread.shutdown(cancel_futures=True)
    _encode_samples(container, sound, samples)
    container.mux(picture.encode(None))
    container.mux(sound.encode(None))


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


def _encode_samples(
    container: OutputContainer, stream: AudioStream, samples: "_SampleQueue", until: int | None = None
) -> None:
    """Encode the samples from where they are up to `until`, or all, in pieces of at most a second."""
    while until is None or samples.taken < until:
        first = samples.taken
        piece = samples.take(stream.sample_rate if until is None else min(stream.sample_rate, until - first))
        if not len(piece):
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece[None]), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = stream.sample_rate, first, Fraction(1, stream.sample_rate)
        container.mux(stream.encode(frame))


class _SampleQueue:
    """The samples of blocks, int16 [S] each, one after the other."""

    def __init__(self, blocks: Iterable[np.ndarray]) -> None:
        self._blocks: Iterator[np.ndarray] = iter(blocks)
        self._block = np.zeros(0, np.int16)
        self.taken = 0

    def take(self, most: int) -> np.ndarray:
        """The next samples, up to `most`; none at the end."""
        while not len(self._block):
            block = next(self._blocks, None)
            if block is None:
                return self._block
            if block.dtype != np.int16 or block.ndim != 1:
                raise UserError("wrong_shape", f"The wave is {block.dtype} {list(block.shape)}; it must be int16 [S].")
            self._block = block
        piece, self._block = self._block[:most], self._block[most:]
        self.taken += len(piece)
        return piece
