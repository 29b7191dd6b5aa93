"""Finds the same video at another size, bit rate or in another container, by the beginning of its sound alone.

After Haitsma & Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002), with fewer, wider bands and a
coarser clock.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from s2v_ray.media.decoding.audio import mono_pieces
from s2v_ray.media.decoding.media_file import MediaFile

SAMPLE_RATE = 8000
SECONDS = 30
# The share of bits that may differ. Copies differ by 0.2 at most at usual bit rates, other sources by 0.36 or more.
MAX_BIT_ERROR_RATE = 0.28

_WINDOW, _HOP = 4096, 500  # 0.5 s, so that an offset of half a hop of 1/16 s changes little
_COMPARED = 4  # hops, after which windows still overlap by half
_BITS = 16
# The band of a telephone (AMR).
_LOWEST_HZ, _HIGHEST_HZ = 250.0, 3300.0
# Below these, what changes is coding noise: silence, hum, constant tones.
_LEAST_LOUDNESS_DB = -65.0
_LEAST_CHANGE_DB = 0.5
_LEAST_WORDS = 16  # a second of sound
_MAX_OFFSET = 8  # words, half a second: by how much later the sound of a copy may begin
_INDEXED_WORDS = 128  # of a source, by which it is found
_VERIFIED_SOURCES = 10
_ONES = np.unpackbits(np.arange(2**_BITS, dtype=np.uint16).view(np.uint8).reshape(-1, 2), axis=1).sum(
    axis=1, dtype=np.uint8
)


def sound_fingerprint(media: MediaFile) -> str:
    """The fingerprint of the first half minute of a file's sound, as hexadecimal digits; "" where it says nothing.

    Sixteen words a second, of 4 digits each; 0000 where the sound is silent or does not change. With less than a second
    of other words it is "", which matches no other.

    Raises MediaError `not_found`, `unreadable`, `no_audio`, `undecodable_audio` or `too_slow`.
    """
    words = _words(_beginning(media))
    return words.astype(">u2").tobytes().hex() if np.count_nonzero(words) >= _LEAST_WORDS else ""


def bit_error_rate(words: np.ndarray, others: np.ndarray) -> float:
    """The share of bits in which the words, uint16 [N], of two fingerprints differ.

    They are aligned as well as half a second allows. About 0.5 for unrelated sounds. 1.0 where they share less than a
    second, or less than half of the shorter one.
    """
    padded = np.zeros(max(len(words), len(others)) + 2 * _MAX_OFFSET, np.uint16)
    padded[_MAX_OFFSET : _MAX_OFFSET + len(others)] = others
    shifted_ON = np.lib.stride_tricks.sliding_window_view(padded, len(words))[: 2 * _MAX_OFFSET + 1]
    known_ON = (shifted_ON != 0) & (words != 0)
    known_O = known_ON.sum(axis=1)
    differing_O = np.where(known_ON, _ONES[shifted_ON ^ words], 0).sum(axis=1)
    enough_O = known_O >= max(_LEAST_WORDS, min(np.count_nonzero(words), np.count_nonzero(others)) / 2)
    return float((differing_O[enough_O] / (_BITS * known_O[enough_O])).min(initial=1.0))


def find_duplicates(fingerprints: Mapping[str, str]) -> dict[str, str]:
    """For each source that sounds like an earlier one: the name of the first that sounds so.

    `fingerprints` are those of `sound_fingerprint` by source, in the order that decides which is first. A source is
    compared only with the few that share most of its words at about the same time.
    """
    return dict(find_copies(fingerprints.items()))


def find_copies(fingerprints: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """`find_duplicates` for pairs, which are taken one at a time."""
    firsts: list[tuple[str, np.ndarray]] = []
    numbers: dict[int, array[int]] = {}  # by key: which of `firsts` have it
    for name, fingerprint in fingerprints:
        words = np.frombuffer(bytes.fromhex(fingerprint), ">u2").astype(np.uint16)
        votes = np.frombuffer(b"".join(numbers[key] for key in _searched_keys(words) if key in numbers), np.uintc)
        likely = [firsts[number] for number in _most_common(votes)]
        first = next((n for n, others in likely if bit_error_rate(words, others) <= MAX_BIT_ERROR_RATE), None)
        if first is not None:
            yield name, first
        else:
            for key in _indexed_keys(words):
                numbers.setdefault(key, array("I")).append(len(firsts))
            firsts.append((name, words))


def _most_common(votes: np.ndarray) -> list[int]:
    """The few numbers that are most frequent, by frequency; of the same one, the first to come."""
    counts = np.bincount(votes)
    least = np.partition(counts, -_VERIFIED_SOURCES)[-_VERIFIED_SOURCES] if len(counts) > _VERIFIED_SOURCES else 1
    frequent = dict.fromkeys(votes[counts[votes] >= least].tolist())
    return sorted(frequent, key=lambda number: -counts[number])[:_VERIFIED_SOURCES]


# A key is a word and about when it is heard, counted in twice the greatest offset.


def _indexed_keys(words: np.ndarray) -> list[int]:
    """The keys of the words of the smallest hash: the same words in a copy."""
    positions = np.flatnonzero(words)
    hashes = words[positions].astype(np.uint32) * np.uint32(2654435761)  # Knuth's
    kept = positions[np.argsort(hashes, kind="stable")[:_INDEXED_WORDS]]
    return sorted({int(key) for key in _keys(words[kept], kept)})


def _searched_keys(words: np.ndarray) -> list[int]:
    """The keys that a copy may have: of each word, and of all that differ from it in a bit, at any offset."""
    positions = np.flatnonzero(words)
    flips = np.concatenate([[0], 1 << np.arange(_BITS)])
    near_PV = words[positions, None].astype(np.int64) ^ flips
    early, late = (_keys(near_PV, positions[:, None] + offset) for offset in (-_MAX_OFFSET, _MAX_OFFSET))
    return list(set(np.concatenate([early, late]).ravel().tolist()))


def _keys(words: np.ndarray, positions: np.ndarray) -> np.ndarray:
    keys: np.ndarray = (positions // (2 * _MAX_OFFSET)) * 2**_BITS + words
    return keys


def _beginning(media: MediaFile) -> np.ndarray:
    """The first half minute of sound, int16 mono [S] at 8,000 Hz, gaps left out."""
    pieces: list[np.ndarray] = []
    missing = SECONDS * SAMPLE_RATE
    for _, samples in mono_pieces(media, SAMPLE_RATE):
        pieces.append(samples[:missing])
        missing -= len(pieces[-1])
        if not missing:
            break
    return np.concatenate(pieces)


def _words(wave: np.ndarray) -> np.ndarray:
    """The words uint16 [N] of int16 mono samples at 8,000 Hz, 0 where the sound is silent or does not change.

    Bit m of word n is the sign of (E(n + 4, m + 1) - E(n + 4, m)) - (E(n, m + 1) - E(n, m)), as in the paper's
    equation 1, of the log energies E of 17 bands.
    """
    if len(wave) < _WINDOW + _HOP * _COMPARED:
        return np.zeros(0, np.uint16)
    frames_NS = np.lib.stride_tricks.sliding_window_view(wave, _WINDOW)[::_HOP]
    window_S = np.hanning(_WINDOW).astype(np.float32) / 32768
    edges = np.round(np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _BITS + 2) * _WINDOW / SAMPLE_RATE).astype(int)
    energy_NM = np.concatenate(
        [
            np.add.reduceat(np.abs(np.fft.rfft(part_NS * window_S)) ** 2, edges, axis=1)[:, :-1]
            for part_NS in np.array_split(frames_NS, len(frames_NS) // 100 + 1)  # little memory at a time
        ]
    )
    level_NM = 10 * np.log10(energy_NM + _WINDOW * 1e-7)  # a floor far below what counts as silence
    slope_NM = np.diff(level_NM, axis=1)
    change_NM = slope_NM[_COMPARED:] - slope_NM[:-_COMPARED]
    # A full-scale sine has this energy under a Hann window: the loudness is in dB of it.
    loudness_db_N = 10 * np.log10(energy_NM.sum(axis=1) / (3 / 32 * _WINDOW**2) + 1e-12)
    telling_N = (loudness_db_N[_COMPARED:] > _LEAST_LOUDNESS_DB) & (np.abs(change_NM).mean(axis=1) > _LEAST_CHANGE_DB)
    words_N = ((change_NM > 0) * (1 << np.arange(_BITS))).sum(axis=1)
    return np.where(telling_N, words_N, 0).astype(np.uint16)
