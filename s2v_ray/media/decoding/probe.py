"""What a media file holds, found by reading all of it: headers lie."""

from array import array
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np

from s2v_ray.media.decoding.demux import decode_packet
from s2v_ray.media.decoding.media_file import MediaFile, Track, undecodable
from s2v_ray.media.decoding.packets import read_packets
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
    container, budget = video.container, video.budget
    budget.limit_pixels(container, video.decoder)
    picture, sound = _PacketTimes(video), _PacketTimes(audio)
    for packet in read_packets(video, audio):
        (picture if packet.stream_index == video.stream.index else sound).add(packet)
    picture.finish()
    sound.finish()
    picture_span, sound_span = picture.span(), sound.span()
    budget.check_duration(container, max(picture_span[1], sound_span[1]))
    size = displayed_size(picture.first, video.stream.sample_aspect_ratio)
    sound_format = sound.first.sample_rate, sound.first.layout.nb_channels
    return MediaInfo(*picture_span, *sound_span, *size, picture.frame_rate(), *sound_format)


class _PacketTimes:
    """The times of a stream's packets, and the first frame that decodes."""

    def __init__(self, track: Track) -> None:
        self.track = track
        self.first: Any = None
        self._all_stamps, self._durations = array("q"), array("q")

    def add(self, packet: "av.Packet[Any]") -> None:
        if self.first is None:
            self.first = next(iter(decode_packet(self.track.decoder, packet)), None)
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is not None and not packet.is_discard:
            self._all_stamps.append(stamp)
            self._durations.append(packet.duration or 0)

    def finish(self) -> None:
        """Sort the times of the first frame and of all after it, and find how long the last one lasts, in ticks.

        Raises MediaError `undecodable_video` or `undecodable_audio` where there is no frame.
        """
        self.first = self.first or next(iter(decode_packet(self.track.decoder, None)), None)
        if self.first is None:
            raise undecodable(self.track.container, self.track.stream)
        start = self.first.pts if self.first.pts is not None else min(self._all_stamps, default=0)
        stamps, indices = np.unique(np.array([*self._all_stamps, start]), return_index=True)
        last_duration = float(np.array([*self._durations, 0])[indices[-1]])
        self._stamps = stamps[stamps >= start]
        if not last_duration and len(self._stamps) > 1:
            last_duration = float(np.median(np.diff(self._stamps)))
        self._last_duration = Fraction(last_duration)

    def span(self) -> tuple[Fraction, Fraction]:
        """When the first frame starts and the last packet ends, in seconds after the file's start."""
        time_base, zero = self.track.time_base, self.track.zero
        end = int(self._stamps[-1]) + self._last_duration
        return int(self._stamps[0]) * time_base - zero, end * time_base - zero

    def frame_rate(self) -> Fraction:
        """The rate that the header names where the times bear it out to a hundredth, or else their mean rate."""
        stamps, time_base = self._stamps, self.track.time_base
        named = Fraction(self.track.stream.guessed_rate or 0)
        if len(stamps) == 1:
            return 1 / (self._last_duration * time_base) if self._last_duration else named
        mean = (len(stamps) - 1) / (int(stamps[-1] - stamps[0]) * time_base)
        return named if abs(named - mean) <= mean / 100 else mean.limit_denominator(1001)
