"""A contact sheet of a source, from a quick look: what it shows and sounds like, and what would be cut from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from s2v_ray.clips.focus import seek, whole_picture
from s2v_ray.clips.plan import Job, source_crop, source_starts
from s2v_ray.config.errors import MediaError
from s2v_ray.media.container import (
    Budget,
    audio_stream,
    clock_zero,
    decode_packet,
    open_container,
    read_packets,
    undecodable,
    video_stream,
)
from s2v_ray.media.probe import probe
from s2v_ray.media.square import Crop, displayed_size
from s2v_ray.media.storage import Location, join, writing

CROP_COLOUR, WINDOW_COLOUR = "#ff6b1a", "#1f9d8b"
_SOUND_COLOUR, _MOTION_COLOUR, _WARNING_COLOUR, _TEXT, _PALE = "#5f7396", "#3d4248", "#b3201b", "#2b2e33", "#c5c9ce"

# So much is looked at whole; of more, that many glimpses.
_WHOLE_PIXELS, _WHOLE_FRAMES, _WHOLE_SOUND_SECONDS = 600e6, 1500, 300
_PICTURE_GLIMPSES, _GLIMPSE_FRAMES = 48, 4
_SOUND_GLIMPSES, _GLIMPSE_SOUND_FRAMES = 200, 8
_WHOLE_SOUND_BINS = 1000
_LOOK_HEIGHT = 144

_LATE_SECONDS = 0.5
_SILENT = 0.003  # of full scale: −50 dB
_STILL = 0.3  # grey levels of 255 that a pixel changes from frame to frame, in the mean

_DPI = 110
_WIDTH, _LEFT, _RIGHT, _SPACE = 11.0, 0.62, 0.2, 0.05  # inches
_CURVE_HEIGHT, _TITLE_HEIGHT, _LABEL_HEIGHT, _AXIS_HEIGHT = 0.95, 0.62, 0.24, 0.42


@dataclass
class Glimpse:
    """What a quick look at a source found. Times are seconds after the file's start."""

    end_seconds: float
    measures: str
    width: int
    height: int
    pictures: list[tuple[float, np.ndarray]] = field(default_factory=list)  # uint8 RGB [h, w, 3]
    motion: list[tuple[float, float]] = field(default_factory=list)  # mean change of grey levels between two frames
    peaks: np.ndarray = field(default_factory=lambda: np.full((1, 2), np.nan))  # lowest and highest sample [bins, 2]
    warnings: list[str] = field(default_factory=list)


def preview_source(job: Job) -> int:
    """Draw the contact sheet of one source into the data set's folder `preview`; returns how many it drew.

    What keeps the source from being used stands on the sheet; a source that has no picture gets none.
    """
    starts: list[Fraction] = []
    crop, warnings = None, []
    try:
        starts = source_starts(job.source, probe(job.source.path, Budget(job.settings.limits)), job.settings)
        crop = source_crop(job.source.path, starts, job.settings)
    except MediaError as error:
        warnings = [str(error)]
    try:
        draw_preview(
            job.source.path,
            join(job.out, "preview", f"{job.source.key}.png"),
            source_name=job.source.name,
            starts=starts,
            clip_seconds=job.settings.seconds,
            crop=crop,
            warnings=warnings,
        )
    except MediaError:
        return 0  # prepare tells why
    return 1


def draw_preview(
    path: str | Path,
    out_png: Location,
    *,
    source_name: str,
    starts: Sequence[Fraction],
    clip_seconds: Fraction,
    crop: Crop | None = None,
    warnings: Sequence[str] = (),
) -> list[str]:
    """Write a contact sheet of the video `path` as a PNG, and return the warnings on it: `warnings` and those found.

    It shows frames over the whole source with the crop on them, and below, on one time axis, the waveform, the
    motion, and the windows of `clip_seconds` at `starts` (seconds). `crop` None is the
    centred square. A long source is looked at here and there, not decoded through.

    Raises MediaError `not_found`, `unreadable`, `no_video` or `undecodable_video`.
    """
    glimpse = look(path)
    told = [*warnings, *glimpse.warnings] + ([] if starts or warnings else ["No windows would be cut."])
    columns = min(12, max(8, round(9 * glimpse.height / glimpse.width + 3)))
    panel_width = (_WIDTH - _LEFT - _RIGHT) / columns
    panel_height = (panel_width - _SPACE) * glimpse.height / glimpse.width
    height = _TITLE_HEIGHT + 0.2 * len(told) + panel_height + _LABEL_HEIGHT + 2 * _CURVE_HEIGHT + _AXIS_HEIGHT + 0.25
    figure = Figure((_WIDTH, height), dpi=_DPI, facecolor="white")

    def write(x: float, from_top: float, text: str, **style: object) -> None:
        style = {"fontsize": 8, "color": _TEXT, "va": "center", "parse_math": False} | style
        figure.text(x / _WIDTH, 1 - from_top / height, text, **style)  # type: ignore[arg-type]

    def panel(x: float, from_top: float, width: float, high: float) -> Axes:
        return figure.add_axes((x / _WIDTH, 1 - (from_top + high) / height, width / _WIDTH, high / height))

    crop = crop or _centred(glimpse.width, glimpse.height)
    write(_LEFT, 0.2, source_name, fontsize=11, weight="bold")
    write(_LEFT, 0.43, glimpse.measures)
    write(_WIDTH - _RIGHT, 0.2, f"crop {crop.size} × {crop.size} at {crop.x}, {crop.y}", color=CROP_COLOUR, ha="right")
    windows = f"{len(starts)} {'window' if len(starts) == 1 else 'windows'} of {float(clip_seconds):g} s"
    write(_WIDTH - _RIGHT, 0.43, windows, color=WINDOW_COLOUR, ha="right")
    for line, warning in enumerate(told):
        write(_LEFT, _TITLE_HEIGHT + 0.2 * line + 0.02, f"▲ {warning}", color=_WARNING_COLOUR)

    top = _TITLE_HEIGHT + 0.2 * len(told)
    for column in range(columns):
        middle = (column + 0.5) / columns * glimpse.end_seconds
        seconds, picture_HWC = min(glimpse.pictures, key=lambda pair: abs(pair[0] - middle))
        x = _LEFT + column * panel_width
        _draw_picture(panel(x, top, panel_width - _SPACE, panel_height), picture_HWC, crop, glimpse)
        label = _clock(max(seconds, 0.0), hundredths=glimpse.end_seconds < 100)
        write(x + (panel_width - _SPACE) / 2, top + panel_height + 0.11, label, ha="center", fontsize=7)
    top += panel_height + _LABEL_HEIGHT
    curves_width = _WIDTH - _LEFT - _RIGHT - _SPACE
    sound = panel(_LEFT, top, curves_width, _CURVE_HEIGHT)
    motion = panel(_LEFT, top + _CURVE_HEIGHT + 0.1, curves_width, _CURVE_HEIGHT)
    _draw_sound(sound, glimpse)
    _draw_motion(motion, glimpse)
    for axes in (sound, motion):
        _draw_windows(axes, starts, clip_seconds)
        _plain(axes, glimpse.end_seconds)
    sound.tick_params(labelbottom=False)
    motion.set_xlabel("seconds", fontsize=7.5, color=_TEXT)
    with writing(out_png) as file:
        FigureCanvasAgg(figure).print_png(file)
    return told


def look(path: str | Path) -> Glimpse:
    """A quick look at a source: some pictures, how much it moves, how loud it is. Memory doesn't grow with its length.

    Raises MediaError `not_found`, `unreadable`, `no_video` or `undecodable_video`.
    """
    with open_container(path) as container:
        stream, zero = video_stream(container), clock_zero(container)
        end_seconds = _end_seconds(path, container)
        rate = float(stream.guessed_rate or stream.average_rate or 25)
        glimpse = Glimpse(end_seconds, "", 0, 0)
        _look_at_pictures(container, stream, zero, rate, glimpse)
        parts = [f"{glimpse.width} × {glimpse.height}", f"{rate:.5g} frames a second", _clock(end_seconds)]
        parts.append(f"{stream.codec_context.name} in {container.format.name.split(',')[0]}")
    try:
        with open_container(path) as container:
            audio = audio_stream(container)
            _look_at_sound(container, audio, zero, glimpse)
            parts.append(f"{audio.codec_context.name}, {audio.codec_context.sample_rate} Hz, {audio.layout.name}")
    except MediaError as error:
        parts.append("no sound")
        glimpse.warnings.append(str(error))
    glimpse.measures = "  ·  ".join(parts)
    if max((change for _, change in glimpse.motion), default=0) < _STILL:
        glimpse.warnings.append("The picture is still.")
    return glimpse


def _look_at_pictures(
    container: InputContainer, stream: VideoStream, zero: Fraction, rate: float, glimpse: Glimpse
) -> None:
    frames = glimpse.end_seconds * rate
    pixels = frames * stream.codec_context.width * stream.codec_context.height
    whole = pixels <= _WHOLE_PIXELS and frames <= _WHOLE_FRAMES
    spacing = glimpse.end_seconds / _PICTURE_GLIMPSES
    reformatter = VideoReformatter()
    seen: set[float] = set()
    for run in _runs(container, stream, zero, glimpse.end_seconds, 0 if whole else _PICTURE_GLIMPSES, _GLIMPSE_FRAMES):
        before, changes = None, []
        for number, (seconds, frame) in enumerate(run):
            if number == 0 and seconds in seen:
                break  # there is no key frame between this glimpse and the last
            seen.add(seconds)
            picture_HWC = whole_picture(frame, _LOOK_HEIGHT, stream.sample_aspect_ratio, reformatter)
            grey_HW = picture_HWC.mean(axis=2, dtype=np.float32)
            if before is not None:
                changes.append((seconds, float(np.abs(grey_HW - before).mean())))
            before = grey_HW
            if number == 0 or (whole and seconds >= glimpse.pictures[-1][0] + spacing):
                glimpse.pictures.append((seconds, picture_HWC))
                glimpse.width, glimpse.height = displayed_size(frame, stream.sample_aspect_ratio)
        if whole:
            glimpse.motion = changes
        elif changes:
            glimpse.motion.append((changes[0][0], float(np.mean([change for _, change in changes]))))
    if not glimpse.pictures:
        raise undecodable(container, stream)


def _look_at_sound(container: InputContainer, stream: AudioStream, zero: Fraction, glimpse: Glimpse) -> None:
    whole = glimpse.end_seconds <= _WHOLE_SOUND_SECONDS
    peaks = np.full((_WHOLE_SOUND_BINS if whole else _SOUND_GLIMPSES, 2), [np.inf, -np.inf])
    seconds_a_bin = glimpse.end_seconds / len(peaks)
    resampler = av.AudioResampler(format="flt", layout="mono")
    glimpses = 0 if whole else _SOUND_GLIMPSES
    for run in _runs(container, stream, zero, glimpse.end_seconds, glimpses, _GLIMPSE_SOUND_FRAMES):
        for seconds, frame in run:
            samples = _mono(frame, resampler)
            bins = ((seconds + np.arange(len(samples)) / frame.sample_rate) / seconds_a_bin).astype(int)
            bins = np.clip(bins, 0, len(peaks) - 1)
            np.minimum.at(peaks[:, 0], bins, samples)
            np.maximum.at(peaks[:, 1], bins, samples)
    heard = np.isfinite(peaks[:, 0])
    if not heard.any():
        raise undecodable(container, stream)
    peaks[~heard] = np.nan
    glimpse.peaks = peaks
    if np.nanmax(np.abs(peaks)) < _SILENT:
        glimpse.warnings.append("The sound is silence.")
    first, last = (np.flatnonzero(heard)[[0, -1]] + [0, 1]) * seconds_a_bin
    tolerance = max(_LATE_SECONDS, 2 * seconds_a_bin)
    if first > tolerance:
        glimpse.warnings.append(f"The sound starts {first:.1f} s late.")
    if last < glimpse.end_seconds - tolerance:
        glimpse.warnings.append(f"The sound ends {glimpse.end_seconds - last:.1f} s early.")


def _runs(
    container: InputContainer,
    stream: VideoStream | AudioStream,
    zero: Fraction,
    end_seconds: float,
    glimpses: int,
    length: int,
) -> Iterator[Iterator[tuple[float, Any]]]:
    """(seconds, frame) of all frames in one run where `glimpses` is 0, or else of the first `length` of each glimpse.

    A run is to be used before the next is asked for.
    """
    stream.codec_context.thread_count = 1
    if not glimpses:
        yield _timed_frames(container, stream, zero)
    for glimpse in range(glimpses):
        seek(container, stream, zero + Fraction(end_seconds) * (2 * glimpse + 1) / (2 * glimpses))
        yield islice(_timed_frames(container, stream, zero), length)


def _timed_frames(
    container: InputContainer, stream: VideoStream | AudioStream, zero: Fraction
) -> Iterator[tuple[float, Any]]:
    for packet in chain(read_packets(container, [stream]), [None]):
        for frame in decode_packet(stream, packet):
            stamp = frame.pts if frame.pts is not None else frame.dts
            if stamp is not None:
                yield float(stamp * (stream.time_base or 0) - zero), frame


def _mono(frame: AudioFrame, resampler: av.AudioResampler) -> np.ndarray:
    """Its samples, float in [-1, 1]; none where it is no sound that can be mixed down, as in a damaged file."""
    try:
        pieces = [piece.to_ndarray()[0] for piece in resampler.resample(frame) if piece is not None]
    except (av.error.FFmpegError, ValueError):
        return np.empty(0, np.float32)
    return np.concatenate(pieces) if pieces else np.empty(0, np.float32)


def _end_seconds(path: str | Path, container: InputContainer) -> float:
    """How long the file lasts by its header, or by its last packet where that doesn't say."""
    if container.duration:
        return container.duration / av.time_base
    with open_container(path) as another:  # reading packets moves on
        stream, zero = video_stream(another), clock_zero(another)
        stamps = [packet.pts for packet in read_packets(another, [stream]) if packet.pts is not None]
    return max(0.1, float(max(stamps, default=0) * (stream.time_base or 0) - zero))


def _draw_picture(axes: Axes, picture_HWC: np.ndarray, crop: Crop, glimpse: Glimpse) -> None:
    axes.imshow(picture_HWC, extent=(0, glimpse.width, glimpse.height, 0), aspect="auto", interpolation="antialiased")
    line = glimpse.width * 0.012
    corner, side = (crop.x + line / 2, crop.y + line / 2), crop.size - line  # the line lies inside
    axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=CROP_COLOUR, linewidth=1.6))
    axes.set_xlim(0, glimpse.width)
    axes.set_ylim(glimpse.height, 0)
    axes.set_axis_off()


def _draw_sound(axes: Axes, glimpse: Glimpse) -> None:
    edges = np.linspace(0, glimpse.end_seconds, len(glimpse.peaks) + 1)
    # Each bin is drawn at least a hair high, so that silence differs from no sound.
    low, high = np.minimum(glimpse.peaks[:, 0], -0.01), np.maximum(glimpse.peaks[:, 1], 0.01)
    axes.stairs(high, edges, baseline=low, fill=True, color=_SOUND_COLOUR)
    loudest = np.nanmax(np.abs(glimpse.peaks), initial=0.1)
    axes.set_ylim(-1.05 * loudest, 1.05 * loudest)
    axes.set_ylabel("sound", fontsize=7.5, color=_TEXT)


def _draw_motion(axes: Axes, glimpse: Glimpse) -> None:
    sparse = len(glimpse.motion) <= _PICTURE_GLIMPSES
    seconds, changes = np.array(glimpse.motion or [(0.0, 0.0)]).T
    axes.plot(seconds, changes, color=_MOTION_COLOUR, linewidth=0.9, marker="o" if sparse else None, markersize=2.5)
    axes.set_ylim(0, max(1.08 * changes.max(), 1.0))
    axes.set_ylabel("motion", fontsize=7.5, color=_TEXT)


def _draw_windows(axes: Axes, starts: Sequence[Fraction], clip_seconds: Fraction) -> None:
    for start in starts:
        axes.axvspan(float(start), float(start + clip_seconds), color=WINDOW_COLOUR, alpha=0.12, linewidth=0, zorder=0)
        axes.axvline(float(start), color=WINDOW_COLOUR, linewidth=1.1, zorder=1)


def _plain(axes: Axes, end_seconds: float) -> None:
    axes.set_xlim(0, end_seconds)
    axes.set_yticks([])
    axes.tick_params(labelsize=7, color=_PALE, labelcolor=_TEXT, length=3)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_PALE)


def _centred(width: int, height: int) -> Crop:
    size = min(width, height)
    return Crop((width - size) // 2, (height - size) // 2, size)


def _clock(seconds: float, *, hundredths: bool = True) -> str:
    """Such as 0:07.25 or 1:52:03."""
    minutes, rest = divmod(round(seconds, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    rest_text = f"{rest:05.2f}" if hundredths else f"{int(rest):02d}"
    return f"{hours}:{minutes:02d}:{rest_text}" if hours else f"{minutes}:{rest_text}"
