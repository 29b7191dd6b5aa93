"""A whole file's sound."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.audio import mono_pieces
from s2v_ray.media.decoding.container import audio_stream, clock_zero, open_container
from s2v_ray.media.decoding.packets import read_packets

# Timestamps that leave more silence than this between sounds are taken as broken.
MAX_HOLES_SECONDS = 3600
# The longest block of a common coder is AAC's at 8 kHz, 2048 samples.
MAX_PADDING_SECONDS = 0.26


def read_sound(path: str | Path, sample_rate: int) -> np.ndarray:
    """The sound of any sound or video file as int16 mono samples [S] at `sample_rate`.

    Sample 0 is the file's start: a video whose sound starts late begins with silence. Holes are silence. What a
    coder added to fill its last block, by the file's own account, is left out.

    Raises MediaError `not_found`, `unreadable`, `no_audio` or `undecodable_audio`.
    """
    with open_container(path) as container:
        stream = audio_stream(container)
        pieces = list(mono_pieces(container, stream, clock_zero(container), sample_rate))
    end = max(first + len(samples) for first, samples in pieces)
    told_end = _told_end(path, sample_rate)
    if 0 < end - told_end < MAX_PADDING_SECONDS * sample_rate:
        end = told_end
    if end - sum(len(samples) for _, samples in pieces) > MAX_HOLES_SECONDS * sample_rate:
        raise MediaError("undecodable_audio", f"The times of the sound in '{path}' are broken; convert it first.")
    wave = np.zeros(max(end, 0), np.int16)
    for first, samples in pieces:
        begin, until = max(first, 0), min(first + len(samples), end)
        if begin < until:
            wave[begin:until] = samples[begin - first : until - first]
    return wave


def _told_end(path: str | Path, sample_rate: int) -> int:
    """The sample at which the last packet ends by its own duration; 0 where none tells."""
    with open_container(path) as container:
        stream = audio_stream(container)
        zero, time_base = clock_zero(container), stream.time_base or Fraction(0)
        ends = [p.pts + p.duration for p in read_packets(container, [stream]) if p.pts is not None and p.duration]
    return round((max(ends) * time_base - zero) * sample_rate) if ends else 0
