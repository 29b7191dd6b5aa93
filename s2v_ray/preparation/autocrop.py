"""Where to look: the square of a picture that moves with the sound."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from av.video.reformatter import VideoReformatter

from s2v_ray.errors import MediaError
from s2v_ray.media.clock import samples_per_frame
from s2v_ray.media.decoding.audio import sound_windows
from s2v_ray.media.decoding.container import audio_stream, clock_zero, open_container, video_stream
from s2v_ray.media.decoding.rgb import Crop, displayed_size, whole_picture
from s2v_ray.media.decoding.seeking import seek
from s2v_ray.media.decoding.timeline import shown_frames

Square = tuple[int, int, int]

# The square's side over the picture's shorter side.
_SMALLEST, _LARGEST = 0.4, 1.0
# What moves may be seen this long before or after it is heard.
_MAX_LAG_SECONDS = 0.2
# Cells along the shorter side in which motion is measured: fine enough for a mouth, coarse enough to average noise.
_CELLS = 24
# Motion must follow the sound this many times better than it follows the same sound at wrong moments.
_OVER_CHANCE = 2.0
# Of all that motion changes over time, at least this share must follow the sound.
_LEAST_SHARE = 0.02
# Squares that hold this much of what the best one holds are as good.
_NEARLY = 0.97
_LEAST_FRAMES = 8
_LOOK_HEIGHT, _LOOK_WINDOWS = 96, 4  # pixels, and so many windows of a source


def motion_square(frames_THWC: np.ndarray, wave: np.ndarray, frame_rate: Fraction, sample_rate: int) -> Square | None:
    """(x, y, size): the square that moves with the sound, in pixels of the frames; (x, y) is its upper left corner.

    `frames_THWC` are uint8 and small (some 100 pixels high); `wave` is int16 or float [S], heard from frame 0 on, at
    least as long. The size lies between 0.4 and 1 of the shorter side. None where nothing moves with the sound: then
    take the centred square. Raises ValueError for other shapes and types, and for fewer than 8 frames.
    """
    return _best_square(*_sound_motion(frames_THWC, wave, frame_rate, sample_rate))


def source_motion_square(
    path: str | Path, starts: Sequence[Fraction], *, frame_count: int, frame_rate: Fraction, sample_rate: int
) -> Crop | None:
    """`motion_square` over up to four of a file's windows at `starts` (seconds), in pixels of the picture as displayed.

    Windows that lack picture or sound say nothing. Raises MediaError `not_found`, `unreadable`, `no_video`,
    `no_audio`, `undecodable_video` or `undecodable_audio`.
    """
    sample_count = frame_count * samples_per_frame(sample_rate, frame_rate)
    step = max(1, -(-len(starts) // _LOOK_WINDOWS))
    found = []
    for start in starts[step // 2 :: step]:
        try:
            frames_THWC = read_whole_frames(path, start, frame_count, frame_rate, _LOOK_HEIGHT)
            wave = _read_sound(path, start, sample_count, sample_rate)
        except MediaError as error:
            if error.code.endswith("_in_window"):
                continue
            raise
        found.append(_sound_motion(frames_THWC, wave, frame_rate, sample_rate))
    if not found:
        return None
    square = _best_square(*(np.sum(maps_HW, axis=0) for maps_HW in zip(*found, strict=True)))
    return None if square is None else _enlarged(square, path)


def read_whole_frames(
    path: str | Path, start: Fraction, frame_count: int, frame_rate: Fraction, height: int
) -> np.ndarray:
    """Uncropped frames uint8 RGB [T, height, W, 3], upright and of the picture's shape, from `start` seconds on.

    Frame t is the picture displayed at start + (t + ½) / frame_rate. Decoding begins at the key frame before.
    Raises MediaError `not_found`, `unreadable`, `no_video`, `undecodable_video` or `no_picture_in_window`.
    """
    middles = [start + (t + Fraction(1, 2)) / frame_rate for t in range(frame_count)]
    pictures: list[np.ndarray] = []
    with open_container(path) as container:
        stream, zero, reformatter = video_stream(container), clock_zero(container), VideoReformatter()
        seek(container, stream, zero + start)
        for begin, end, frame in shown_frames(container, stream, zero):
            picture_HWC = None
            while len(pictures) < frame_count and begin <= middles[len(pictures)] < end:
                if picture_HWC is None:
                    picture_HWC = whole_picture(frame, height, stream.sample_aspect_ratio, reformatter)
                pictures.append(picture_HWC)
            if len(pictures) == frame_count:
                return np.stack(pictures)
    raise MediaError(
        "no_picture_in_window",
        f"{frame_count - len(pictures)} of {frame_count} frames from {float(start):.3f} s of '{path}' lie outside "
        "its picture.",
    )


def _sound_motion(
    frames_THWC: np.ndarray, wave: np.ndarray, frame_rate: Fraction, sample_rate: int
) -> tuple[np.ndarray, np.ndarray]:
    """Two maps [H, W]: how much of each place's motion over time follows the sound, and how much there is in all."""
    if frames_THWC.ndim != 4 or frames_THWC.dtype != np.uint8 or len(frames_THWC) < _LEAST_FRAMES:
        raise ValueError(
            f"frames_THWC are {frames_THWC.dtype} {frames_THWC.shape}; they must be uint8 [T, H, W, C] with "
            f"at least {_LEAST_FRAMES} frames."
        )
    if wave.ndim != 1 or len(wave) * frame_rate < (len(frames_THWC) - 1) * sample_rate:
        raise ValueError(f"wave has shape {wave.shape}; it must be [S] and as long as the {len(frames_THWC)} frames.")
    motion_TC, rows, columns = _cell_motion(frames_THWC)
    loudness_T = _loudness(wave, len(motion_TC), frame_rate, sample_rate)
    spread_C = motion_TC.std(axis=0)
    follows_SC = np.maximum(_circular_correlations(motion_TC, loudness_T), 0) ** 2 * spread_C
    lag = min(round(_MAX_LAG_SECONDS * float(frame_rate)), (len(follows_SC) - 1) // 4)
    near = np.arange(-lag, lag + 1)
    best = near[np.argmax(follows_SC[near].sum(axis=1))]
    # A place that moves at all follows any sound a little: what wrong moments give is taken off.
    chance_C = np.delete(follows_SC, near, axis=0).mean(axis=0)
    follows_C = np.maximum(follows_SC[best] - _OVER_CHANCE * chance_C, 0)
    return _spread_over(follows_C, rows, columns), _spread_over(spread_C, rows, columns)


def _cell_motion(frames_THWC: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean |V_t − V_{t−1}| [T − 1, cells], and the edges of the cells' rows and columns in pixels."""
    height, width = frames_THWC.shape[1:3]
    side = max(1.0, min(height, width) / _CELLS)
    rows, columns = (np.linspace(0, length, max(1, round(length / side)) + 1).astype(int) for length in (height, width))
    areas = np.outer(np.diff(rows), np.diff(columns)).ravel()
    grey_THW = frames_THWC.mean(axis=3, dtype=np.float32)
    # Frame by frame: the differences of all of them at once would be the largest thing in memory.
    cells = [
        np.add.reduceat(np.add.reduceat(np.abs(after - before), rows[:-1], axis=0), columns[:-1], axis=1).ravel()
        for before, after in pairwise(grey_THW)
    ]
    return np.stack(cells) / areas, rows, columns


def _loudness(wave: np.ndarray, count: int, frame_rate: Fraction, sample_rate: int) -> np.ndarray:
    """Root mean square [count] of the sound around each change of picture: a frame's time, from 1 / frame_rate on."""
    edges = [round((t + Fraction(1, 2)) * sample_rate / frame_rate) for t in range(count + 1)]
    power = wave[: edges[-1]].astype(np.float64) ** 2
    return np.sqrt([power[begin:end].mean() for begin, end in pairwise(edges)])


def _circular_correlations(motion_TC: np.ndarray, loudness_T: np.ndarray) -> np.ndarray:
    """Pearson's correlation [T, C] of each cell with the loudness at each circular shift; row s: motion s late."""
    motion_TC = motion_TC - motion_TC.mean(axis=0)
    loudness_T = loudness_T - loudness_T.mean()
    spectrum = np.fft.rfft(motion_TC, axis=0) * np.fft.rfft(loudness_T).conj()[:, None]
    norm_C = np.linalg.norm(motion_TC, axis=0) * np.linalg.norm(loudness_T)
    return np.fft.irfft(spectrum, len(motion_TC), axis=0) / np.where(norm_C > 1e-6, norm_C, np.inf)


def _spread_over(values_C: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    values = values_C.reshape(len(rows) - 1, len(columns) - 1)
    return values.repeat(np.diff(rows), axis=0).repeat(np.diff(columns), axis=1)


def _best_square(follows_HW: np.ndarray, spread_HW: np.ndarray) -> Square | None:
    """The square of the highest sum, where a place counts by how much it exceeds the mean place; None without any.

    Of squares nearly as good it is the one nearest to the picture's centre, of these the largest.
    """
    if follows_HW.sum() <= _LEAST_SHARE * spread_HW.sum():
        return None
    height, width = follows_HW.shape
    shorter = min(height, width)
    smooth_HW = _blur(follows_HW, max(1, shorter // _CELLS))
    sums = np.zeros((height + 1, width + 1))
    sums[1:, 1:] = (smooth_HW - smooth_HW.mean()).cumsum(axis=0).cumsum(axis=1)
    sizes = range(round(_LARGEST * shorter), round(_SMALLEST * shorter) - 1, -1)
    scores = [sums[s:, s:] - sums[:-s, s:] - sums[s:, :-s] + sums[:-s, :-s] for s in sizes]
    enough = _NEARLY * max(score_YX.max() for score_YX in scores)
    squares = [
        (int(x), int(y), size)
        for size, score_YX in zip(sizes, scores, strict=True)
        for y, x in np.argwhere(score_YX >= enough)
    ]
    return min(squares, key=lambda square: _distance_from_centre(square, height, width))


def _distance_from_centre(square: Square, height: int, width: int) -> float:
    x, y, size = square
    return (2 * x + size - width) ** 2 + (2 * y + size - height) ** 2


def _blur(values_HW: np.ndarray, radius: int) -> np.ndarray:
    """Two box means of 2 · radius + 1 pixels each way, edges repeated."""
    box = np.ones(2 * radius + 1) / (2 * radius + 1)
    for axis in (0, 1, 0, 1):
        padding = [(radius, radius) if axis == a else (0, 0) for a in (0, 1)]
        padded = np.pad(values_HW, padding, mode="edge")
        values_HW = np.apply_along_axis(np.convolve, axis, padded, box, mode="valid")
    return values_HW


def _read_sound(path: str | Path, start: Fraction, sample_count: int, sample_rate: int) -> np.ndarray:
    with open_container(path) as container:
        stream, zero = audio_stream(container), clock_zero(container)
        windows = sound_windows(container, stream, zero, [start], sample_rate=sample_rate, sample_count=sample_count)
        wave = next(windows)
    if isinstance(wave, MediaError):
        raise wave
    return wave


def _enlarged(square: Square, path: str | Path) -> Crop:
    """A square of frames _LOOK_HEIGHT pixels high in pixels of the picture as displayed, inside it."""
    with open_container(path) as container:
        stream = video_stream(container)
        _, _, frame = next(shown_frames(container, stream, clock_zero(container)))
        width, height = displayed_size(frame, stream.sample_aspect_ratio)
    x, y, size = (round(value * height / _LOOK_HEIGHT) for value in square)
    size = min(size, width, height)
    return Crop(min(x, width - size), min(y, height - size), size)
