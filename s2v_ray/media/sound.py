"""A whole file's sound."""

from pathlib import Path

import numpy as np

from s2v_ray.config.errors import MediaError
from s2v_ray.media.audio import mono_pieces
from s2v_ray.media.container import audio_stream, clock_zero, open_container

# Timestamps that leave more silence than this between sounds are taken as broken.
MAX_HOLES_SECONDS = 3600


def read_sound(path: str | Path, sample_rate: int) -> np.ndarray:
    """The sound of any sound or video file as int16 mono samples [S] at `sample_rate`.

    Sample 0 is the file's start: a video whose sound starts late begins with silence. Holes are silence.

    Raises MediaError `not_found`, `unreadable`, `no_audio` or `undecodable_audio`.
    """
    with open_container(path) as container:
        stream = audio_stream(container)
        pieces = list(mono_pieces(container, stream, clock_zero(container), sample_rate, threads=1))
    end = max(first + len(samples) for first, samples in pieces)
    if end - sum(len(samples) for _, samples in pieces) > MAX_HOLES_SECONDS * sample_rate:
        raise MediaError("undecodable_audio", f"The times of the sound in '{path}' are broken; convert it first.")
    wave = np.zeros(max(end, 0), np.int16)
    for first, samples in pieces:
        begin = max(first, 0)
        wave[begin : max(first + len(samples), 0)] = samples[begin - first :]
    return wave
