"""What became of each source of a data set, and what was left out of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from s2v_ray.dataset.splits import SPLITS
from s2v_ray.dataset.typed import typed
from s2v_ray.errors import MediaError
from s2v_ray.storage.paths import readable

UNSEEN_MOMENTS = "unseen moments of seen videos"
UNSEEN_OF_SPEAKERS = "unseen videos of seen speakers"
UNSEEN_VIDEOS = "unseen videos"


@dataclass(frozen=True)
class Reject:
    """A source or a window that was left out: one line of `rejects.jsonl`."""

    source: str  # its name
    start_seconds: float | None  # where the window starts; None for the source as a whole
    reason: str  # a fixed word, such as `no_audio`
    detail: str  # a sentence

    @classmethod
    def from_error(cls, source: str, error: MediaError, start_seconds: float | None = None) -> "Reject":
        """What `error` says of a source, or of the window that starts at `start_seconds`."""
        return cls(source, start_seconds, error.code, readable(str(error)))


@dataclass(frozen=True)
class SourceRecord:
    """What became of one source: its file in `_sources`.

    `fingerprint` and `lag_fixed` are None if the source was rejected before it was measured.
    """

    source: str  # its name
    path: str
    version: tuple[int, ...]  # size in bytes and time of change in ns; () if the file disappeared meanwhile
    split: str  # of its clips; "" if it has none, or has them in several
    split_is_given: bool  # whether the data themselves come with its split
    clips: int  # how many it has
    rejects: tuple[Reject, ...]
    crop: tuple[int, int, int] | None = None  # x, y and size of the square in pixels; None for the largest, centred
    stabilized: str | None = None  # "off", "camera" or "subject"
    shift_pixels: float | None = None  # root mean square of the shifts that were found, in stored pixels
    scene: str | None = None  # the scene that it belongs to; "" for none
    framing_given: str | None = None  # how it was to be cropped and stabilised, if not as the others
    fingerprint: str | None = None  # of its sound
    lag_fixed: int | None = None  # how many frames earlier its sound was taken, to undo a lag
    first: str | None = None  # the first source with the same sound; None until sources have been compared
    group: str | None = None  # what it belongs to, such as a speaker; None where release 0.1 or 0.2 wrote it
    unit: str | None = None  # what is in one split together; the same
    clips_by_split: Mapping[str, int] | None = None  # if they are in several
    tracks_taken: Mapping[str, str] | None = None  # of "video" and "audio", where it has several: such as "2 of 3"
    channels_taken: Mapping[str, int] | None = None  # by layout, where the mix loses too much: which, counted from 1
    parts: int | None = None  # where its times begin anew on the way: into how many it falls
    gap_seconds: float | None = None  # how much of it is not used, to keep moments of different splits apart

    @property
    def split_clips(self) -> Mapping[str, int]:
        """How many clips it has in each split in which it has any."""
        return self.clips_by_split or ({self.split: self.clips} if self.clips else {})

    def with_clips(self, split_clips: Mapping[str, int]) -> "SourceRecord":
        """The same with other clips: how many, by split."""
        (split, several) = (next(iter(split_clips), ""), None) if len(split_clips) < 2 else ("", dict(split_clips))
        return replace(self, split=split, clips=sum(split_clips.values()), clips_by_split=several)

    def to_json(self) -> dict[str, Any]:
        """As it is written: without what is not known. A `crop` of None is known once `lag_fixed` is."""
        known = {"crop"} if self.lag_fixed is not None else set()
        optional = {field.name for field in fields(self) if field.default is None} - known
        return {name: value for name, value in asdict(self).items() if value is not None or name not in optional}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "SourceRecord":
        """As it was written. Raises KeyError, TypeError or ValueError for anything else."""
        record: SourceRecord = typed(values, cls)
        # They become names of folders.
        if not {record.split, *(record.clips_by_split or ())} <= {"", *SPLITS}:
            raise ValueError(f"'{record.split}' is not one of {', '.join(SPLITS)}")
        return record


def held_out(records: Iterable[SourceRecord]) -> str:
    """In words: what the splits val and test show that a model trained on the split train has not seen."""
    paths, groups = (defaultdict[bool, set[str]](set) for _ in range(2))  # by whether they are seen in training
    for record in records:
        is_seen = {split == "train" for split, clips in record.split_clips.items() if clips or split != "train"}
        for each in is_seen:
            paths[each].add(record.path)
            groups[each].add(record.group or record.source)
    if paths[True] & paths[False]:
        return UNSEEN_MOMENTS
    if groups[True] & groups[False]:
        return UNSEEN_OF_SPEAKERS
    return UNSEEN_VIDEOS
