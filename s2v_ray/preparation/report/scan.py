"""A quick scan of a source: some of its frames, how much it moves, how loud it is, what is wrong with it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, islice
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.reformatter import VideoReformatter

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.demux import decode_packet
from s2v_ray.media.decoding.media_file import MediaFile, Track, undecodable
from s2v_ray.media.decoding.packets import read_packets
from s2v_ray.media.decoding.rgb import displayed_size, whole_frame
from s2v_ray.media.decoding.seeking import seek
from s2v_ray.metrics.motion import motion_energy

# Up to this much is decoded as a whole; of more, samples of a few frames each.
_WHOLE_PIXELS, _WHOLE_FRAMES, _WHOLE_SOUND_SECONDS = 600e6, 1500, 300
VIDEO_SAMPLES, _SAMPLE_FRAMES = 48, 4
_SOUND_SAMPLES, _SAMPLE_SOUND_FRAMES = 200, 8
_WHOLE_SOUND_BINS = 1000
_SCAN_HEIGHT = 144  # pixels

_LATE_SECONDS = 0.5
_SILENT = 0.003  # of full scale: −50 dB
_STILL = 0.3  # grey levels of 255 by which a pixel changes from frame to frame, on average


@dataclass
class Scan:
    """What a quick scan of a source found. Times are seconds after the file's start."""

    end_seconds: float
    description: str = ""
    width: int = 0
    height: int = 0
    frames: list[tuple[float, np.ndarray]] = field(default_factory=list)  # uint8 RGB [h, w, 3]
    motion: list[tuple[float, float]] = field(default_factory=list)  # mean change of grey levels between two frames
    peaks: np.ndarray = field(default_factory=lambda: np.full((1, 2), np.nan))  # lowest and highest sample [bins, 2]
    warnings: list[str] = field(default_factory=list)


def scan_source(media: MediaFile) -> Scan:
    """Scan a source, in memory that doesn't grow with its length.

    Raises MediaError `not_found`, `unreadable`, `no_video` or `undecodable_video`.
    """
    scan = Scan(_end_seconds(media))
    track = media.video()
    rate = float(track.stream.guessed_rate or track.stream.average_rate or 25)
    _scan_frames(track, rate, scan)
    parts = [f"{scan.width} × {scan.height}", f"{rate:.5g} frames a second", time_text(scan.end_seconds)]
    parts.append(f"{track.decoder.name} in {track.container.format.name.split(',')[0]}")
    try:
        sound = media.audio()
        _scan_sound(sound, scan)
        parts.append(f"{sound.decoder.name}, {sound.decoder.sample_rate} Hz, {sound.decoder.layout.name}")
    except MediaError as error:
        parts.append("no sound")
        scan.warnings.append(str(error))
    scan.description = "  ·  ".join(parts)
    if max((change for _, change in scan.motion), default=0) < _STILL:
        scan.warnings.append("The picture is still.")
    return scan


def _scan_frames(track: Track, rate: float, scan: Scan) -> None:
    sample_aspect = track.stream.sample_aspect_ratio
    frame_count = scan.end_seconds * rate
    pixels = frame_count * track.decoder.width * track.decoder.height
    whole = pixels <= _WHOLE_PIXELS and frame_count <= _WHOLE_FRAMES
    spacing = scan.end_seconds / VIDEO_SAMPLES
    reformatter = VideoReformatter()
    seen: set[float] = set()
    for run in _runs(track, scan.end_seconds, 0 if whole else VIDEO_SAMPLES, _SAMPLE_FRAMES):
        before, changes = None, []
        for number, (seconds, frame) in enumerate(run):
            if number == 0 and seconds in seen:
                break  # there is no keyframe between this sample and the last
            seen.add(seconds)
            width = scan.frames[0][1].shape[1] if scan.frames else None
            frame_HWC = whole_frame(frame, _SCAN_HEIGHT, sample_aspect, reformatter, width)
            grey_HW = frame_HWC.mean(axis=2, dtype=np.float32)
            if before is not None:
                changes.append((seconds, float(motion_energy((before, grey_HW))[0])))
            before = grey_HW
            if number == 0 or (whole and seconds >= scan.frames[-1][0] + spacing):
                scan.frames.append((seconds, frame_HWC))
                scan.width, scan.height = displayed_size(frame, sample_aspect)
        if whole:
            scan.motion = changes
        elif changes:
            scan.motion.append((changes[0][0], float(np.mean([change for _, change in changes]))))
    if not scan.frames:
        raise undecodable(track.container, track.stream)


def _scan_sound(track: Track, scan: Scan) -> None:
    whole = scan.end_seconds <= _WHOLE_SOUND_SECONDS
    peaks = np.full((_WHOLE_SOUND_BINS if whole else _SOUND_SAMPLES, 2), [np.inf, -np.inf])
    seconds_a_bin = scan.end_seconds / len(peaks)
    resampler = av.AudioResampler(format="flt", layout="mono")
    for run in _runs(track, scan.end_seconds, 0 if whole else _SOUND_SAMPLES, _SAMPLE_SOUND_FRAMES):
        for seconds, frame in run:
            samples = _mono(frame, resampler)
            bins = ((seconds + np.arange(len(samples)) / frame.sample_rate) / seconds_a_bin).astype(int)
            bins = np.clip(bins, 0, len(peaks) - 1)
            np.minimum.at(peaks[:, 0], bins, samples)
            np.maximum.at(peaks[:, 1], bins, samples)
    heard = np.isfinite(peaks[:, 0])
    if not heard.any():
        raise undecodable(track.container, track.stream)
    peaks[~heard] = np.nan
    scan.peaks = peaks
    if np.nanmax(np.abs(peaks)) < _SILENT:
        scan.warnings.append("The sound is silent.")
    first, last = (np.flatnonzero(heard)[[0, -1]] + [0, 1]) * seconds_a_bin
    tolerance = max(_LATE_SECONDS, 2 * seconds_a_bin)
    if first > tolerance:
        scan.warnings.append(f"The sound starts {first:.1f} s late.")
    if last < scan.end_seconds - tolerance:
        scan.warnings.append(f"The sound ends {scan.end_seconds - last:.1f} s early.")


def _runs(track: Track, end_seconds: float, samples: int, length: int) -> Iterator[Iterator[tuple[float, Any]]]:
    """(seconds, frame) of all frames in one run where `samples` is 0, or else of the first `length` of each sample.

    A run must be consumed before the next is asked for.
    """
    if not samples:
        yield _timed_frames(track)
    for sample in range(samples):
        seek(track, Fraction(end_seconds) * (2 * sample + 1) / (2 * samples))
        yield islice(_timed_frames(track), length)


def _timed_frames(track: Track) -> Iterator[tuple[float, Any]]:
    for packet in chain(read_packets(track), [None]):
        for frame in decode_packet(track.decoder, packet):
            stamp = frame.pts if frame.pts is not None else frame.dts
            if stamp is not None:
                yield float(stamp * track.time_base - track.zero), frame


def _mono(frame: AudioFrame, resampler: av.AudioResampler) -> np.ndarray:
    """Its samples, float in [-1, 1]; none where it can't be mixed down, as in a damaged file."""
    pieces = [np.empty(0, np.float32)]
    with contextlib.suppress(av.error.FFmpegError, ValueError):
        pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame) if piece is not None]
    return np.concatenate(pieces)


def _end_seconds(media: MediaFile) -> float:
    """How long the file lasts by its header, or by its last packet where the header doesn't say."""
    track = media.video()
    if track.container.duration:
        return track.container.duration / av.time_base
    stamps = [packet.pts for packet in read_packets(track) if packet.pts is not None]
    return max(0.1, float(max(stamps, default=0) * track.time_base - track.zero))


def time_text(seconds: float, *, hundredths: bool = True) -> str:
    """Such as 0:07.25 or 1:52:03."""
    minutes, rest = divmod(round(seconds, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    rest_text = f"{rest:05.2f}" if hundredths else f"{int(rest):02d}"
    return f"{hours}:{minutes:02d}:{rest_text}" if hours else f"{minutes}:{rest_text}"
