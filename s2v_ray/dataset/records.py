"""What became of each source of a data set, and what was left out of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from s2v_ray.errors import MediaError


@dataclass(frozen=True)
class Reject:
    """A source or a window that was left out: one line of `rejects.jsonl`.

    source: the source's name.
    start_seconds: where the window starts in the source; None for the source as a whole.
    reason: a fixed word, such as `no_audio`.
    detail: a sentence.
    """

    source: str
    start_seconds: float | None
    reason: str
    detail: str

    @classmethod
    def from_error(cls, source: str, error: MediaError, start_seconds: float | None = None) -> "Reject":
        """What `error` says of a source, or of the window that starts at `start_seconds`."""
        return cls(source, start_seconds, error.code, str(error))

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Reject":
        """As it was written. Raises TypeError for anything else."""
        return cls(**values)


@dataclass(frozen=True)
class SourceRecord:
    """What became of one source: its file in `_sources`.

    source: the source's name.
    path: where it lies.
    version: size in bytes and time of change in ns; () if the file disappeared meanwhile.
    split: where its clips are; "" if it has none.
    split_is_given: whether the data themselves come with its split.
    clips: how many clips it has.
    rejects: why there are not more.
    crop: x, y and size of the square in pixels; None for the largest in the centre.
    fingerprint: of its sound; None, like `lag_fixed`, if the source was rejected before it was measured.
    lag_fixed: how many frames earlier its sound was taken, to undo a lag.
    first: the first source with the same sound; None until sources have been compared.
    """

    source: str
    path: str
    version: tuple[int, ...]
    split: str
    split_is_given: bool
    clips: int
    rejects: tuple[Reject, ...]
    crop: tuple[int, int, int] | None = None
    fingerprint: str | None = None
    lag_fixed: int | None = None
    first: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As it is written: without what is not known."""
        unknown = {name for name in ("fingerprint", "lag_fixed", "first") if getattr(self, name) is None}
        if self.lag_fixed is None:
            unknown.add("crop")
        return {name: value for name, value in asdict(self).items() if name not in unknown}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "SourceRecord":
        """As it was written. Raises KeyError or TypeError for anything else."""
        lists = {name: tuple(values[name]) for name in ("version", "crop") if values.get(name) is not None}
        rejects = tuple(Reject.from_json(reject) for reject in values["rejects"])
        return cls(**{**values, **lists, "rejects": rejects})
