"""The synthetic domains by name, and what each of their scene functions promises."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Protocol

import numpy as np

from s2v_ray.synthetic import fireworks, hand, mouth, sea


class Scene(Protocol):
    """A video with sound: its frames, uint8 [size, size, 3], made one by one, and its samples, int16 [S].

    There are round(seconds · frame_rate) frames, of which frame t shows the time (t + ½) / frame_rate, and samples for
    exactly as long. `source_seed` fixes the first image, the sound, and all that follows from the two;
    `nuisance_seed` fixes the small rest that nobody could predict from them.
    Raises UserError where the sample rate is no multiple of the frame rate.
    """

    def __call__(
        self, source_seed: int, nuisance_seed: int, *, seconds: float, size: int, frame_rate: Fraction, sample_rate: int
    ) -> tuple[Iterator[np.ndarray], np.ndarray]: ...


SCENES: Mapping[str, Scene] = {
    "mouth": mouth.scene,
    "hand": hand.scene,
    "fireworks": fireworks.scene,
    "sea": sea.scene,
}

PEOPLE = frozenset({"mouth", "hand"})  # the domains of a person, who may sway
