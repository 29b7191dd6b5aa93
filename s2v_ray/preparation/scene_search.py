"""Finding the scenes of a collection: which of its sources are filmed alike, and where the sound moves them."""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from s2v_ray.dataset.settings import AUTO, MOTION, SUBJECT, ClipSettings
from s2v_ray.errors import MediaError
from s2v_ray.preparation.autocrop import MotionScan, find_crop, scan_motion
from s2v_ray.preparation.framing.subject import scene_reference
from s2v_ray.preparation.scene import Scene, align, best_scene, is_alike, packed
from s2v_ray.preparation.source_file import open_source
from s2v_ray.preparation.sources.source import Source
from s2v_ray.preparation.stabilise import IDENTITY, warp

_MOST_SCENES = 5
_MOST_LOOKS = 12  # different ones that are told apart


@dataclass(frozen=True)
class Footage:
    """A source as it will be cut: where its clips start, in seconds, and the size of its upright frames."""

    source: Source
    starts: Sequence[Fraction]
    width: int
    height: int


@dataclass
class _Group:
    """Sources that look alike: the first of them, and the motion maps of all, in its coordinates."""

    first: Footage
    scan: MotionScan
    maps: list[np.ndarray] = field(default_factory=list)


def uses_scenes(settings: ClipSettings) -> bool:
    """Whether sources share a square or a reference: not where a fixed square is meant as it is."""
    return settings.crop in (AUTO, MOTION) or (settings.stabilize == SUBJECT and settings.fixed_crop() is not None)


def find_scenes(footage: Iterable[Footage], settings: ClipSettings, known: Sequence[Scene] = ()) -> list[Scene]:
    """The scenes that at least two of these sources share, beside those that are `known`: at most five in all.

    The square of a scene is found by what moves with the sound in all of its sources together.
    """
    groups: list[_Group] = []
    for one in footage:
        # One file must not stop all others: what is wrong with it is found again, and reported, when it is prepared.
        with contextlib.suppress(MediaError), open_source(one.source, settings) as media:
            scan = scan_motion(media, one.starts, one.width, one.height, settings)
            if scan is not None and not best_scene(known, scan.overview_HW, one.width, one.height):
                _join(groups, one, scan)
    scenes: list[Scene] = []
    for group in sorted(groups, key=lambda group: -len(group.maps)):
        first, overview_HW = group.first, group.scan.overview_HW
        is_new = len(group.maps) > 1 and not best_scene(scenes, overview_HW, first.width, first.height)
        if is_new and len(known) + len(scenes) < _MOST_SCENES:
            scenes.append(_scene(group, f"scene_{len(known) + len(scenes) + 1:02d}", settings))
    return scenes


def _join(groups: list[_Group], one: Footage, scan: MotionScan) -> None:
    """Add a source to the group that it looks like most, or to a new one."""
    best, most, placement_23 = None, -1.0, IDENTITY
    for group in groups:
        if (group.first.width, group.first.height) == (one.width, one.height):
            M, correlation = align(group.scan.overview_HW, scan.overview_HW)
            if is_alike(correlation) and correlation > most:
                best, most, placement_23 = group, correlation, M
    if best is None:
        if len(groups) >= _MOST_LOOKS:
            return
        best = _Group(one, scan)
        groups.append(best)
    best.maps.append(warp(scan.motion_2HW.astype(np.float32), np.stack([placement_23] * 2)))


def _scene(group: _Group, name: str, settings: ClipSettings) -> Scene:
    first, overview = group.first, packed(group.scan.overview_HW)
    crop = settings.fixed_crop() or find_crop(np.sum(group.maps, axis=0), first.width, first.height, settings)
    if crop is not None and settings.stabilize in (AUTO, SUBJECT):
        found = None
        with contextlib.suppress(MediaError), open_source(first.source, settings) as media:
            found = scene_reference(media, first.starts, crop, first.width, first.height, settings)
        if found:
            return Scene(name, first.width, first.height, crop, found[0], overview, packed(found[1]))
    return Scene(name, first.width, first.height, crop, None, overview)
