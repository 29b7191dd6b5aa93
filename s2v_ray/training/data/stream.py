"""Where a training is in an endless sequence of videos."""

from collections.abc import Iterable
from dataclasses import dataclass

ClipPlace = tuple[int, int]  # the visit of a video, and which of its clips


@dataclass(frozen=True)
class StreamPosition:
    """Which clips were trained on: all of the visits before `visit`, and of later ones those `taken`.

    A visit is the decoding of a video, counted over all epochs.
    """

    visit: int = 0
    taken: tuple[ClipPlace, ...] = ()

    def after(self, taken: Iterable[ClipPlace], visit: int) -> "StreamPosition":
        """After a worker's batch of clips, with which it is done with its part of the visits before `visit`."""
        return StreamPosition(visit, (*self.taken, *taken))


def common_position(positions: list[StreamPosition]) -> StreamPosition:
    """The position of workers together, each of which was at the common one before its own."""
    visit = min(position.visit for position in positions)
    taken = dict.fromkeys(place for position in positions for place in position.taken if place[0] >= visit)
    return StreamPosition(visit, tuple(taken))
