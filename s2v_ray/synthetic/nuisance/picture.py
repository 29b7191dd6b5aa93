"""All that disturbs the picture, in the order in which it happens: in the scene, in the hand, in the camera."""

from collections.abc import Iterator
from itertools import chain

import numpy as np

from s2v_ray.synthetic.nuisance.branch import branch, lay_branch_over
from s2v_ray.synthetic.nuisance.levels import Nuisance
from s2v_ray.synthetic.nuisance.light import add_sensor_noise, exposure, noise_field
from s2v_ray.synthetic.nuisance.movement import moved, shake, sway, zoom_for
from s2v_ray.synthetic.nuisance.wander import wander
from s2v_ray.synthetic.paint import to_uint8

_GUST_HERTZ = (0.3, 2.5)
_STREAM = 2_000_000  # separates these streams from the scene's own, even for equal seeds


def disturbed_frames(
    frames: Iterator[np.ndarray],
    nuisance: Nuisance,
    *,
    source_seed: int,
    nuisance_seed: int,
    seconds_T: np.ndarray,
    person: bool,
) -> Iterator[np.ndarray]:
    """The frames, uint8 [size, size, 3], with sway, shake, a branch in the wind, drifting exposure and sensor noise.

    `seconds_T` are the times that the frames show; `person` says whether there is one to sway. As in a scene,
    `source_seed` fixes what the first image shows, `nuisance_seed` how it moves on.
    """
    look_rng = np.random.default_rng((source_seed, _STREAM))
    sway_rng, shake_rng, gust_rng, exposure_rng, noise_rng = (
        np.random.default_rng((nuisance_seed, _STREAM, stream)) for stream in range(5)
    )
    sway_size = (nuisance.sway_sides, nuisance.sway_degrees) if person else (0.0, 0.0)
    swaying = sway(sway_rng, seconds_T, *sway_size)
    shake_size = (nuisance.shake_sides, nuisance.shake_degrees)
    shaking, zoom = shake(shake_rng, seconds_T, *shake_size), zoom_for(*shake_size)
    gain_T = exposure(exposure_rng, seconds_T, nuisance.exposure_stops)

    first_HWC = next(frames)
    on_the_right = look_rng.permutation([True, False])[: nuisance.branches].tolist()
    branches = [branch(look_rng, len(first_HWC), float(first_HWC.mean() / 255)) for _ in on_the_right]
    noise_HWC = noise_field(noise_rng, len(first_HWC))
    turns_BT = [nuisance.branch_degrees * wander(gust_rng, seconds_T, *_GUST_HERTZ) for _ in on_the_right]

    for number, frame_HWC in enumerate(chain([first_HWC], frames)):
        image_HWC = frame_HWC.astype(np.float32) / np.float32(255)
        for branch_HWC, right, turn_T in zip(branches, on_the_right, turns_BT, strict=True):
            lay_branch_over(image_HWC, branch_HWC, on_the_right=right, turn_degrees=float(turn_T[number]))
        image_HWC = moved(image_HWC, swaying, shaking, number, zoom)
        image_HWC *= gain_T[number]
        add_sensor_noise(image_HWC, noise_rng, noise_HWC, nuisance.sensor_noise)
        yield to_uint8(image_HWC)
