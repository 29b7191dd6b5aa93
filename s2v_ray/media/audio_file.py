"""All of a file's sound."""

from pathlib import Path

import numpy as np

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.audio import mono_pieces, paste
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.packets import read_packets

# Timestamps that leave more silence than this between sounds are taken as broken.
MAX_GAPS_SECONDS = 3600
# The longest block of a common coder is AAC's at 8 kHz, 2048 samples.
MAX_PADDING_SECONDS = 0.26


def read_sound(path: str | Path, sample_rate: int) -> np.ndarray:
    """The sound of any sound or video file as int16 mono samples [S] at `sample_rate`.

    Sample 0 is heard at the file's start: a video whose sound starts late begins with silence. Gaps are silence. What a
    coder added to fill its last block, by the file's own account, is left out.

    Raises MediaError `not_found`, `unreadable`, `no_audio` or `undecodable_audio`.
    """
    with MediaFile(path) as media:
        pieces = list(mono_pieces(media, sample_rate))
        track = media.audio()
        packets = read_packets(track.container, [track.stream])
        ends = [packet.pts + packet.duration for packet in packets if packet.pts is not None and packet.duration]
    stated_end = round((max(ends) * track.time_base - track.zero) * sample_rate) if ends else 0
    end = max(first + len(samples) for first, samples in pieces)
    if 0 < end - stated_end < MAX_PADDING_SECONDS * sample_rate:
        end = stated_end
    if end - sum(len(samples) for _, samples in pieces) > MAX_GAPS_SECONDS * sample_rate:
        raise MediaError("undecodable_audio", f"The times of the sound in '{path}' are broken; convert it first.")
    wave = np.zeros(max(end, 0), np.int16)
    for first, samples in pieces:
        paste(wave, samples, first)
    return wave
