"""What can be seen and heard of the mouth and hand domains."""

from fractions import Fraction
from types import ModuleType

import numpy as np
import pytest

from s2v_ray.errors import UserError
from s2v_ray.synthetic import hand, mouth, voice

SAMPLE_RATE, FRAME_RATE = 44100, 30
both_domains = pytest.mark.parametrize("domain", [mouth, hand])

# Peterson & Barney (1952), table II, men: F1 and F2 in hertz.
FORMANTS = {"a": (730, 1090), "i": (270, 2290), "u": (300, 870), "e": (530, 1840), "o": (570, 840)}


def render(
    domain: ModuleType, source_seed: int, nuisance_seed: int = 0, seconds: float = 6, size: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    frames, wave = domain.scene(
        source_seed,
        nuisance_seed,
        seconds=seconds,
        size=size,
        frame_rate=Fraction(FRAME_RATE),
        sample_rate=SAMPLE_RATE,
    )
    return np.stack(list(frames)), wave


def motion_energy(frames_THWC: np.ndarray) -> np.ndarray:
    return np.abs(np.diff(frames_THWC.astype(float), axis=0)).mean(axis=(1, 2, 3))


@both_domains
@pytest.mark.parametrize(("frame_rate", "size"), [(Fraction(30), 64), (Fraction(25), 72)])
def test_shapes_and_types(domain: ModuleType, frame_rate: Fraction, size: int) -> None:
    frames, wave = domain.scene(4, 0, seconds=1.2, size=size, frame_rate=frame_rate, sample_rate=SAMPLE_RATE)
    made = list(frames)
    assert len(made) == {30: 36, 25: 30}[int(frame_rate)]
    assert all(frame.shape == (size, size, 3) and frame.dtype == np.uint8 for frame in made)
    assert wave.shape == (52920,)
    assert wave.dtype == np.int16


@both_domains
def test_rates_that_do_not_divide_are_refused(domain: ModuleType) -> None:
    with pytest.raises(UserError, match=r"44100.*30000/1001"):
        domain.scene(0, 0, seconds=1, size=64, frame_rate=Fraction(30000, 1001), sample_rate=SAMPLE_RATE)


@both_domains
def test_seeds(domain: ModuleType) -> None:
    frames, wave = render(domain, 3)
    same_frames, same_wave = render(domain, 3)
    np.testing.assert_array_equal(frames, same_frames)
    np.testing.assert_array_equal(wave, same_wave)

    varied_frames, varied_wave = render(domain, 3, nuisance_seed=1)
    np.testing.assert_array_equal(wave, varied_wave)
    assert (frames != varied_frames).any()
    assert np.corrcoef(motion_energy(frames), motion_energy(varied_frames))[0, 1] > 0.98

    other_frames, other_wave = render(domain, 4)
    assert np.abs(frames[0].astype(int) - other_frames[0]).mean() > 10
    assert abs(np.corrcoef(wave, other_wave)[0, 1]) < 0.1
    assert np.corrcoef(motion_energy(frames), motion_energy(other_frames))[0, 1] < 0.4


def held_states(song: voice.Song, seconds: float) -> list[tuple[str, float, float]]:
    """(vowel or "closed", start, end) of the stretches in which the mouth holds one shape."""
    half = song.transition_seconds / 2
    starts, ends = (song.boundary_seconds + half)[:-1], (song.boundary_seconds - half)[1:]
    names = ["closed" if state == voice.CLOSED else voice.VOWELS[state] for state in song.states[1:-1]]
    return [held for held in zip(names, starts, ends, strict=True) if held[2] < seconds]


def measured_formants(wave: np.ndarray) -> np.ndarray:
    """Resonances below 3 kHz in hertz, by linear prediction (autocorrelation method) at a fifth of the rate."""
    spectrum = np.fft.rfft(wave * np.hanning(len(wave)))
    rate = SAMPLE_RATE / 5
    low = np.fft.irfft(spectrum[: len(spectrum) // 5])
    low = np.append(low[0], low[1:] - 0.9 * low[:-1])
    order = 10
    correlation = np.fft.irfft(np.abs(np.fft.rfft(low, 2 * len(low))) ** 2)[: order + 1]
    lags = np.abs(np.subtract.outer(np.arange(order), np.arange(order)))
    predictor = np.linalg.solve(correlation[lags], correlation[1:])
    roots = np.roots(np.append(1, -predictor))
    hertz, bandwidth = np.angle(roots) * rate / (2 * np.pi), -np.log(np.abs(roots)) * rate / np.pi
    return np.sort(hertz[(hertz > 150) & (hertz < 3000) & (bandwidth < 400)])


def test_vowels_have_the_published_formants() -> None:
    measured: dict[str, list[np.ndarray]] = {vowel: [] for vowel in FORMANTS}
    # The harmonics of low voices are dense enough to show the formants.
    songs = [(seed, voice.compose(seed, 12)) for seed in range(40)]
    for seed, song in [pair for pair in songs if pair[1].pitch_hertz < 125][:4]:
        _, wave = mouth.scene(
            seed, 0, seconds=12, size=64, frame_rate=Fraction(FRAME_RATE), sample_rate=SAMPLE_RATE
        )  # the frames are an iterator, so none is painted
        for name, start, end in held_states(song, 12):
            if name != "closed" and end - start > 0.15:
                formants = measured_formants(wave[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)].astype(float))
                measured[name].append(formants[:2] / song.tract_scale)
    for vowel, expected in FORMANTS.items():
        assert len(measured[vowel]) >= 5
        np.testing.assert_allclose(np.median(measured[vowel], axis=0), expected, rtol=0.1, err_msg=vowel)


def test_mouth_shapes_distinguish_the_vowels() -> None:
    sizes: dict[str, list[tuple[int, int]]] = {vowel: [] for vowel in FORMANTS}
    # Faces with light skin: a dark one would hide the dark opening from this measure.
    for seed in (0, 2, 3, 7):
        held = held_states(voice.compose(seed, 12), 12)
        frames, _ = render(mouth, seed, seconds=12, size=128)
        closed = next(frames[int((start + end) / 2 * FRAME_RATE)] for name, start, end in held if name == "closed")
        for name, start, end in held:
            frame = frames[int((start + end) / 2 * FRAME_RATE)]
            opening = (frame.max(axis=2) < 100) & ((closed - frame.astype(int)).max(axis=2) > 40)
            if name != "closed":
                rows, columns = np.flatnonzero(opening.any(axis=1)), np.flatnonzero(opening.any(axis=0))
                sizes[name].append((int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1))
    height, width = ({vowel: np.median(sizes[vowel], axis=0)[axis] for vowel in sizes} for axis in (0, 1))
    assert height["a"] > 20
    assert height["a"] > 1.3 * height["e"] > 1.3 * height["i"]
    assert width["i"] > 3 * height["i"]
    assert width["i"] > 2 * width["u"]
    assert width["e"] > 1.2 * width["o"]
    assert height["o"] > 1.1 * width["o"]
    assert max(height["u"], width["u"]) < 0.6 * height["o"]


def test_lips_rest_in_silence_and_move_where_the_vowel_changes() -> None:
    song = voice.compose(5, 12)
    frames, wave = render(mouth, 5, seconds=12)
    energy = motion_energy(frames)
    middle_seconds = np.arange(1, len(frames)) / FRAME_RATE  # between the times of the two frames
    to_boundary = np.abs(middle_seconds[:, None] - song.boundary_seconds).min(axis=1)
    assert energy[to_boundary > 0.07].max() == 0
    assert energy[to_boundary < 0.03].mean() > 0.5

    rests = [(start, end) for name, start, end in held_states(song, 12) if name == "closed"]
    assert len(rests) >= 3
    for start, end in rests:
        # The last pulse decays for some 20 ms.
        quiet = wave[int((start + 0.03) * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
        assert np.abs(quiet).max() < 0.01 * np.abs(wave).max()


def heard_claps(wave: np.ndarray) -> np.ndarray:
    """Seconds at which the sound suddenly grows, found in blocks of 5 ms."""
    loudness = np.abs(wave[: len(wave) // 220 * 220].astype(float)).reshape(-1, 220).max(axis=1)
    jumps = np.flatnonzero((loudness[1:] > 1500) & (loudness[1:] > 5 * loudness[:-1])) + 1
    return np.array([block * 220 / SAMPLE_RATE for block in jumps])


def hand_distances(frames_THWC: np.ndarray, rest_HWC: np.ndarray) -> np.ndarray:
    """Horizontal distance in pixels between the highest changed pixels of the left and the right half."""
    changed_THW = np.abs(frames_THWC.astype(int) - rest_HWC).max(axis=3) > 40
    centre = int(np.flatnonzero(changed_THW.any(axis=(0, 1))).mean())
    distances = []
    for changed_HW in changed_THW:
        tops = []
        for half_HW in (changed_HW[:, :centre], changed_HW[:, centre:]):
            top = half_HW.any(axis=1).argmax()
            tops.append(np.flatnonzero(half_HW[top]).mean() if half_HW.any() else np.nan)
        distances.append(centre + tops[1] - tops[0])
    return np.array(distances)


@pytest.mark.parametrize("seed", [0, 6, 9])
def test_hands_move_before_the_clap_and_meet_with_it(seed: int) -> None:
    frames, wave = render(hand, seed, seconds=12)
    claps = heard_claps(wave)
    intervals = np.diff(claps)
    assert len(claps) >= 8
    assert 0.49 < intervals.min() < intervals.max() < 1.41
    np.testing.assert_allclose(claps, hand.compose(seed, 12).onset_seconds, atol=0.006)

    energy = motion_energy(frames)
    between_seconds = np.arange(1, len(frames)) / FRAME_RATE
    since = between_seconds[:, None] - claps
    before_clap = ((since > -0.25) & (since < -0.03)).any(axis=1)
    resting = ((since > 0.45) | (since < -0.42)).all(axis=1)
    assert resting.sum() >= 5
    assert energy[resting].max() == 0
    assert energy[before_clap].min() > 0.3

    at_rest = int(np.flatnonzero(resting)[0])
    distances = hand_distances(frames, frames[at_rest])
    for clap in claps:
        frame = int(clap * FRAME_RATE)
        around = distances[max(0, frame - 7) : frame + 8]
        assert distances[frame - 1 : frame + 2].min() <= np.nanmin(around) + 1
        assert distances[frame - 1 : frame + 2].min() < 0.15 * 64


def test_louder_claps_meet_higher() -> None:
    claps = hand.compose(2, 12)
    frames, wave = render(hand, 2, seconds=12, size=128)
    changed_THW = np.abs(frames.astype(int) - np.median(frames, axis=0)).max(axis=3) > 40
    highest_rows = [changed_THW[int(onset * FRAME_RATE) + 1].any(axis=1).argmax() for onset in claps.onset_seconds]
    peaks = [np.abs(wave[int(onset * SAMPLE_RATE) :][:2000].astype(float)).max() for onset in claps.onset_seconds]
    assert np.corrcoef(np.log(peaks), highest_rows)[0, 1] < -0.7
