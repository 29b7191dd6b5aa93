"""All of a file's sound, in blocks."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.audio import mono_pieces, paste
from s2v_ray.media.decoding.limits import Budget, Limits
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.packets import read_packets
from s2v_ray.media.decoding.tracks import TrackNumbers

# Timestamps that leave more silence than this between sounds are taken as broken.
MAX_GAPS_SECONDS = 3600
# The longest block of a common coder is AAC's at 8 kHz, 2048 samples.
MAX_PADDING_SECONDS = 0.26
ANY_LENGTH = Limits(max_duration_seconds=math.inf)


def sound_blocks(
    path: str | Path,
    sample_rate: int,
    *,
    block_seconds: float = 10.0,
    sample_count: int | None = None,
    audio_track: int = 0,
) -> Iterator[np.ndarray]:
    """The sound of any sound or video file as int16 mono samples, in blocks [S] of `block_seconds` or, the last, less.

    Sample 0 is heard at the file's start: a video whose sound starts late begins with silence. Gaps are silence. What a
    coder added to fill its last block, by the file's own account, is left out. No more than a block is held in memory.
    `sample_count` is that of `count_samples` where it is known already; it costs a pass over the file. `audio_track`
    counts the file's audio tracks from 1; 0 is the first that has a decoder and sounds. The channels are mixed, or
    the loudest is taken where they cancel.

    Raises, at once, MediaError `not_found`, `unreadable`, `no_audio`, `no_such_track` or `undecodable_audio`.
    """
    count = count_samples(path, sample_rate, audio_track=audio_track) if sample_count is None else sample_count

    def blocks() -> Iterator[np.ndarray]:
        with MediaFile(path, track_numbers=TrackNumbers(audio=audio_track)) as media:
            yield from _blocks(mono_pieces(media, sample_rate), count, max(1, round(block_seconds * sample_rate)))

    return blocks()


def count_samples(path: str | Path, sample_rate: int, *, audio_track: int = 0, limits: Limits = ANY_LENGTH) -> int:
    """How many samples all `sound_blocks` of a file have together, found by decoding it; raises what they do.

    Decoding ends with MediaError `too_long` or `too_slow` as soon as the sound is longer, or has taken longer, than
    `limits` allow.
    """
    with MediaFile(path, Budget(limits), TrackNumbers(audio=audio_track)) as media:
        media.channels = {}  # whether they are mixed doesn't change how long they are
        end = heard = 0
        for first, samples in mono_pieces(media, sample_rate):
            end, heard = first + len(samples), heard + len(samples)
            if end > (limits.max_duration_seconds + MAX_PADDING_SECONDS) * sample_rate:
                raise _too_long(path, limits)
        track, stated_end = media.audio(), None
        for packet in read_packets(track):
            if packet.pts is not None and packet.duration:
                stated_end = max(stated_end or packet.pts + packet.duration, packet.pts + packet.duration)
        if stated_end is not None:
            stated_count = round((stated_end * track.time_base - track.zero) * sample_rate)
            if 0 < end - stated_count < MAX_PADDING_SECONDS * sample_rate:
                end = stated_count
    if end - heard > MAX_GAPS_SECONDS * sample_rate:
        raise MediaError("undecodable_audio", f"The times of the sound in '{path}' are broken; convert it first.")
    if end > limits.max_duration_seconds * sample_rate:
        raise _too_long(path, limits)
    return max(end, 0)


def _too_long(path: str | Path, limits: Limits) -> MediaError:
    return MediaError("too_long", f"The sound of '{path}' lasts more than {limits.max_duration_seconds:g} s; cut it.")


def _blocks(pieces: Iterable[tuple[int, np.ndarray]], count: int, block_length: int) -> Iterator[np.ndarray]:
    """The samples from 0 to `count` in blocks, silent where no piece is."""
    start, block = 0, np.zeros(min(block_length, count), np.int16)
    for first, samples in pieces:
        while start < count and first + len(samples) >= start + len(block):
            paste(block, samples, first - start)
            yield block
            start += len(block)
            block = np.zeros(min(block_length, count - start), np.int16)
        paste(block, samples, first - start)
    while start < count:
        yield block
        start += len(block)
        block = np.zeros(min(block_length, count - start), np.int16)
