"""What `report.json` holds."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from s2v_ray.config import Config, config_from_dict
from s2v_ray.dataset.records import UNSEEN_VIDEOS
from s2v_ray.evaluation.controls import MODEL
from s2v_ray.evaluation.scores import ClipScores, Memorisation, Score, SourceScores
from s2v_ray.evaluation.units import SOURCES


@dataclass(frozen=True)
class Counts:
    """How much was evaluated."""

    sources: int
    clips: int


@dataclass(frozen=True)
class Report:
    """A checkpoint's evaluation on one split of a data set."""

    checkpoint: str
    step: int
    clips: str
    split: str
    seed: int
    counts: Counts
    sync_classifier_accuracy: Score | None
    examples: dict[str, ClipScores]  # "best", "median" and "worst" clip, in this order
    not_measured: tuple[str, ...]  # metrics whose network has no weights in --weights-dir
    scores: dict[str, dict[str, Score | None]]  # by metric and control
    sources: list[SourceScores]
    config: Config
    held_out: str = UNSEEN_VIDEOS  # in words, what the data set's val and test show that its train does not
    units: str = SOURCES  # what `sources` are, over which intervals are made: see `score_units`
    memorisation: Memorisation | None = None  # None where undefined, and in reports of release 0.2
    data_sets: dict[str, Counts] = field(default_factory=dict)  # what of each was scored, where there are several

    def score(self, metric: str, control: str = MODEL) -> Score | None:
        """One metric of the model or a control; None where no source defines it."""
        return self.scores[metric][control]

    def mean(self, metric: str, control: str = MODEL) -> float | None:
        """The mean of that score."""
        score = self.score(metric, control)
        return None if score is None else score.mean

    def to_json(self) -> str:
        """The text of `report.json`."""
        return json.dumps(asdict(self, dict_factory=_without_windows), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """The report of this text."""
        values = json.loads(text)
        accuracy = values["sync_classifier_accuracy"]
        return cls(
            **values
            | {
                "counts": Counts(**values["counts"]),
                "sync_classifier_accuracy": accuracy and Score(**accuracy),
                "data_sets": {name: Counts(**each) for name, each in values.get("data_sets", {}).items()},
                "memorisation": _memorisation(values.get("memorisation")),
                "examples": {name: ClipScores(**clip) for name, clip in values["examples"].items()},
                "not_measured": tuple(values["not_measured"]),
                "scores": {
                    metric: {control: score and Score(**score) for control, score in by_control.items()}
                    for metric, by_control in values["scores"].items()
                },
                "sources": [SourceScores(**source) for source in values["sources"]],
                "config": config_from_dict(values["config"], "the report"),
            }
        )


def _memorisation(values: dict[str, Any] | None) -> Memorisation | None:
    return None if values is None else Memorisation(**{name: Score(**score) for name, score in values.items()})


def _without_windows(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    """Only FVD's scores have `windows`."""
    return {name: value for name, value in fields if (name, value) != ("windows", None)}
