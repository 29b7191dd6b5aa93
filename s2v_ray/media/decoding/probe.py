"""What a media file holds, found by reading all of it: headers lie."""

from array import array
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np

from s2v_ray.media.decoding.container import undecodable
from s2v_ray.media.decoding.media_file import MediaFile, Track
from s2v_ray.media.decoding.packets import decode_packet, read_packets
from s2v_ray.media.decoding.rgb import displayed_size


@dataclass(frozen=True)
class MediaInfo:
    """A video file's spans in seconds on one clock, whose zero is the file's start, and its measures.

    `width` and `height` are upright, in square pixels; `frame_rate` is the mean where it varies.
    """

    picture_start: Fraction
    picture_end: Fraction
    sound_start: Fraction
    sound_end: Fraction
    width: int
    height: int
    frame_rate: Fraction
    sample_rate: int
    channels: int


def probe(media: MediaFile) -> MediaInfo:
    """Read all packets of the file, once, and decode the first frame of each stream.

    Raises MediaError `not_found`, `unreadable`, `no_video`, `no_audio`, `undecodable_video`, `undecodable_audio`,
    `too_slow`, `too_large` or `too_long`.
    """
    video, audio = media.interleaved()
    container, zero, budget = video.container, video.zero, video.budget
    budget.limit_pixels(container, video.decoder)
    picture, sound = _PacketTimes(video), _PacketTimes(audio)
    for packet in read_packets(container, [video.stream, audio.stream], budget):
        (picture if packet.stream_index == video.stream.index else sound).add(packet)
    picture.finish()
    sound.finish()
    picture_start, picture_end = picture.span()
    sound_start, sound_end = sound.span()
    budget.check_duration(container, max(picture_end, sound_end) - zero)
    width, height = displayed_size(picture.first, video.stream.sample_aspect_ratio)
    return MediaInfo(
        picture_start=picture_start - zero,
        picture_end=picture_end - zero,
        sound_start=sound_start - zero,
        sound_end=sound_end - zero,
        width=width,
        height=height,
        frame_rate=_frame_rate(video.stream, picture),
        sample_rate=sound.first.sample_rate,
        channels=sound.first.layout.nb_channels,
    )


class _PacketTimes:
    """The times of a stream's packets, and the first frame that decodes."""

    def __init__(self, track: Track) -> None:
        self.track = track
        self.first: Any = None
        self.stamps, self.durations = array("q"), array("q")

    def add(self, packet: av.Packet) -> None:
        if self.first is None:
            self.first = next(iter(decode_packet(self.track.decoder, packet)), None)
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is not None and not packet.is_discard:
            self.stamps.append(stamp)
            self.durations.append(packet.duration or 0)

    def finish(self) -> None:
        """Raise MediaError `undecodable_video` or `undecodable_audio` where there is no frame."""
        self.first = self.first or next(iter(decode_packet(self.track.decoder, None)), None)
        if self.first is None:
            raise undecodable(self.track.container, self.track.stream)

    def span(self) -> tuple[Fraction, Fraction]:
        """When the first frame starts and the last packet ends, in seconds by the stream's clock."""
        stamps, last_duration = self.stamps_and_last_duration()
        time_base = self.track.time_base
        return int(stamps[0]) * time_base, (int(stamps[-1]) + last_duration) * time_base

    def stamps_and_last_duration(self) -> tuple[np.ndarray, Fraction]:
        """The times of the first frame and of all after it, sorted, and how long the last one lasts, in ticks."""
        start = self.first.pts if self.first.pts is not None else min(self.stamps, default=0)
        stamps, indices = np.unique(np.array([*self.stamps, start]), return_index=True)
        last_duration = float(np.array([*self.durations, 0])[indices[-1]])
        stamps = stamps[stamps >= start]
        if not last_duration and len(stamps) > 1:
            last_duration = float(np.median(np.diff(stamps)))
        return stamps, Fraction(last_duration)


def _frame_rate(stream: Any, picture: _PacketTimes) -> Fraction:
    """The rate that the header names where the times bear it out to a hundredth, or else their mean rate."""
    stamps, last_duration = picture.stamps_and_last_duration()
    time_base = picture.track.time_base
    named = stream.guessed_rate or Fraction(0)
    if len(stamps) == 1:
        return 1 / (last_duration * time_base) if last_duration else named
    mean = (len(stamps) - 1) / (int(stamps[-1] - stamps[0]) * time_base)
    return named if abs(named - mean) <= mean / 100 else mean.limit_denominator(1001)
