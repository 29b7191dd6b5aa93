"""Automatic cropping: the square of the frames that moves with the sound."""

from collections.abc import Sequence
from dataclasses import astuple
from fractions import Fraction

import numpy as np
from av.video.reformatter import VideoReformatter

from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.audio import sound_windows
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.rgb import Crop, displayed_size, whole_frame
from s2v_ray.media.decoding.seeking import seek
from s2v_ray.media.decoding.timeline import displayed_frames
from s2v_ray.metrics.correlation import circular_correlations
from s2v_ray.metrics.loudness import power_between_frames
from s2v_ray.metrics.motion import frame_changes

# The square's side over the frame's shorter side.
_SMALLEST, _LARGEST = 0.4, 1.0
# Motion may be seen this long before or after it is heard.
_MAX_LAG_SECONDS = 0.2
# Cells along the shorter side in which motion is measured: fine enough for a mouth, coarse enough to average noise.
_CELLS = 24
# Motion must follow the sound this many times better than it follows the same sound at other moments.
_OVER_CHANCE = 2.0
# Of all that motion changes over time, at least this share must follow the sound.
_LEAST_SHARE = 0.02
# Squares with at least this share of the best one's score are as good.
_NEARLY = 0.97
_SCAN_HEIGHT, _SCANNED_WINDOWS = 96, 4  # pixels; windows of a source


def find_crop(media: MediaFile, starts: Sequence[Fraction], settings: ClipSettings) -> Crop | None:
    """The square that moves with the sound, in pixels of the upright frames; None where nothing does.

    Up to four of the windows at `starts` (seconds) are scanned; those that lack picture or sound do not count. The
    size lies between 0.4 and 1 of their shorter side.
    Raises MediaError `not_found`, `unreadable`, `no_video`, `no_audio`, `undecodable_video`, `undecodable_audio` or
    `too_slow`.
    """
    sample_count = settings.frames * settings.samples_per_frame
    step = max(1, -(-len(starts) // _SCANNED_WINDOWS))
    maps = []
    for start in starts[step // 2 :: step]:
        try:
            frames_THWC = read_whole_frames(media, start, settings.frames, settings.rate, _SCAN_HEIGHT)
        except MediaError as error:
            if error.code == "no_picture_in_window":
                continue
            raise
        (wave,) = sound_windows(media, [start], sample_rate=settings.sample_rate, sample_count=sample_count)
        if not isinstance(wave, MediaError):
            maps.append(_sound_motion(frames_THWC, wave, settings.rate))
    if not maps:
        return None
    square = _best_square(*np.sum(maps, axis=0))
    return None if square is None else _enlarged(square, media)


def read_whole_frames(
    media: MediaFile, start: Fraction, frame_count: int, frame_rate: Fraction, height: int
) -> np.ndarray:
    """Uncropped frames uint8 RGB [T, height, W, 3], upright and of the video's shape, from `start` seconds on.

    Frame t is what is displayed at start + (t + ½) / frame_rate. Decoding starts at the keyframe before.
    Raises MediaError `no_picture_in_window`, `undecodable_video`, `too_slow`, and what `MediaFile.video` raises.
    """
    middles = [start + (t + Fraction(1, 2)) / frame_rate for t in range(frame_count)]
    frames: list[np.ndarray] = []
    track, reformatter = media.video(), VideoReformatter()
    seek(track, start)
    for displayed_from, displayed_until, frame in displayed_frames(track):
        frame_HWC = None
        while len(frames) < frame_count and displayed_from <= middles[len(frames)] < displayed_until:
            if frame_HWC is None:
                frame_HWC = whole_frame(frame, height, track.stream.sample_aspect_ratio, reformatter)
            frames.append(frame_HWC)
        if len(frames) == frame_count:
            return np.stack(frames)
    missing = f"{frame_count - len(frames)} of {frame_count} frames"
    raise MediaError("no_picture_in_window", f"{missing} from {float(start):.3f} s lie outside '{media.path}'.")


def _sound_motion(frames_THWC: np.ndarray, wave: np.ndarray, frame_rate: Fraction) -> np.ndarray:
    """Two maps [2, H, W]: how much of each pixel's motion over time follows the sound, and how much there is."""
    motion_TC, rows, columns = _cell_motion(frames_THWC)
    loudness_T = np.sqrt(power_between_frames(wave, len(frames_THWC)))
    spread_C = motion_TC.std(axis=0)
    follows_SC = np.maximum(circular_correlations(motion_TC, loudness_T), 0) ** 2 * spread_C
    lag = min(round(_MAX_LAG_SECONDS * float(frame_rate)), (len(follows_SC) - 1) // 4)
    near = np.arange(-lag, lag + 1)
    best = near[np.argmax(follows_SC[near].sum(axis=1))]
    # A cell that moves at all follows any sound a little: what other moments show is subtracted.
    chance_C = np.delete(follows_SC, near, axis=0).mean(axis=0)
    follows_C = np.maximum(follows_SC[best] - _OVER_CHANCE * chance_C, 0)
    maps = np.stack([follows_C, spread_C]).reshape(2, len(rows) - 1, len(columns) - 1)
    return maps.repeat(np.diff(rows), axis=1).repeat(np.diff(columns), axis=2)


def _cell_motion(frames_THWC: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean |V_t − V_{t−1}| [T − 1, cells], and the edges of the cells' rows and columns in pixels."""
    height, width = frames_THWC.shape[1:3]
    side = max(1.0, min(height, width) / _CELLS)
    rows, columns = (np.linspace(0, length, max(1, round(length / side)) + 1).astype(int) for length in (height, width))
    areas = np.outer(np.diff(rows), np.diff(columns)).ravel()
    grey_THW = frames_THWC.mean(axis=3, dtype=np.float32)
    cells = [
        np.add.reduceat(np.add.reduceat(change_HW, rows[:-1], axis=0), columns[:-1], axis=1).ravel()
        for change_HW in frame_changes(grey_THW)
    ]
    return np.stack(cells) / areas, rows, columns


def _best_square(follows_HW: np.ndarray, spread_HW: np.ndarray) -> Crop | None:
    """The square of the highest sum, with the mean pixel as zero; None where nothing follows the sound.

    Of squares nearly as good it is the one nearest to the frame's centre, and among equally near ones the largest.
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
        Crop(int(x), int(y), size)
        for size, score_YX in zip(sizes, scores, strict=True)
        for y, x in np.argwhere(score_YX >= enough)
    ]
    return min(squares, key=lambda crop: (2 * crop.x + crop.size - width) ** 2 + (2 * crop.y + crop.size - height) ** 2)


def _blur(values_HW: np.ndarray, radius: int) -> np.ndarray:
    """Two box means of 2 · radius + 1 pixels each way, edges repeated."""
    box = np.ones(2 * radius + 1) / (2 * radius + 1)
    for _ in range(4):  # down, across, down, across
        padded = np.pad(values_HW, ((radius, radius), (0, 0)), mode="edge")
        values_HW = np.apply_along_axis(np.convolve, 0, padded, box, mode="valid").T
    return values_HW


def _enlarged(square: Crop, media: MediaFile) -> Crop:
    """A square of frames _SCAN_HEIGHT pixels high in pixels of the upright frames, inside them."""
    track = media.video()
    _, _, frame = next(displayed_frames(track))
    width, height = displayed_size(frame, track.stream.sample_aspect_ratio)
    x, y, size = (round(value * height / _SCAN_HEIGHT) for value in astuple(square))
    size = min(size, width, height)
    return Crop(min(x, width - size), min(y, height - size), size)
