"""The card of a model: `README.md`, text for people under metadata that a hub reads."""

import json
import re
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import s2v_ray
from s2v_ray.config import Config, config_to_toml
from s2v_ray.evaluation.controls import FROZEN, MISMATCHED, MODEL, REAL
from s2v_ray.evaluation.report.page import headline
from s2v_ray.evaluation.report.schema import Report
from s2v_ray.evaluation.report.table import METRICS, controls, table, title
from s2v_ray.export.facts import DataFacts

CARD = "README.md"
# What a hub knows of; others are "other", with their name beside.
_LICENSES = (
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "gpl-3.0", "agpl-3.0", "lgpl-3.0", "mpl-2.0", "unlicense"),
    *("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0"),
    *("openrail", "creativeml-openrail-m"),
)
_PAIR = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}")
_SHOWN = (MODEL, MISMATCHED, FROZEN, REAL)


@dataclass(frozen=True)
class Card:
    """What a card tells. What is empty or None is said to be unknown; the text holds no paths of this machine."""

    name: str
    config: Config
    step: int
    clips_seen: int
    training_seconds: float
    parameters: int
    data: tuple[DataFacts, ...]
    report: Report | None
    example: str  # the file beside the card, and
    example_text: str  # what it shows
    license: str
    data_license: str
    onnx: bool

    def text(self) -> str:
        """The content of the card."""
        known = self.license.lower() in _LICENSES
        clips = self.config.clips
        rate = Fraction(clips.frame_rate)
        domains = sorted({each.domain for each in self.data})
        return _TEMPLATES.get_template("model_card.md.j2").render(
            card=self,
            license=self.license.lower() if known else "other" if self.license else "unknown",
            license_name="" if known else self.license,
            tags=["s2v_ray", "sound-to-video", "audio", "video-generation", *(["onnx"] if self.onnx else [])],
            domains=domains,
            resolution=self.config.data.resolution,
            frame_rate=f"{float(rate):.5g}",
            clip_seconds=f"{float(clips.frames / rate):.3g}",
            version=s2v_ray.__version__,
            results=_results(self.report),
            report_title=self.report and title(self.report),
            report_headline=self.report and headline(self.report),
            report_controls=self.report and _shown(self.report),
            report_rows=self.report and _rows(self.report),
            settings=config_to_toml(self.config),
        )


def _results(report: Report | None) -> list[dict[str, Any]]:
    """The model's means by metric, as a hub's `model-index` has them."""
    if report is None:
        return []
    labels = {name: label for metrics in METRICS.values() for name, (label, _) in metrics.items()}
    means = {name: report.mean(name) for name in report.scores}
    return [
        {"type": name, "name": labels.get(name, name), "value": round(mean, 6)}
        for name, mean in means.items()
        if mean is not None and isfinite(mean) and name in labels
    ]


def _shown(report: Report) -> list[str]:
    return [control for control in controls(report) if control in _SHOWN]


def _rows(report: Report) -> list[list[str]]:
    """Label and cells of each metric."""
    columns = [index for index, control in enumerate(controls(report)) if control in _SHOWN]
    return [
        [label, *(cells[index] for index in columns)]
        for metrics in table(report).values()
        for label, cells in metrics.items()
    ]


def plain(value: Any) -> Any:
    """A text on one line, without what Markdown takes for markup; names in a card may be a stranger's."""
    if not isinstance(value, str) or hasattr(value, "__html__"):  # what `tojson` made is for the metadata
        return value
    text = " ".join(value.split())
    return "".join(f"\\{each}" if each in "\\`*_[]<>|#$~" else each for each in text)


def _yaml(value: Any, **options: Any) -> str:
    """JSON that is YAML, too, which has no pairs of escapes for one character, as of an emoji."""
    return _PAIR.sub(lambda pair: str(json.loads(f'"{pair[0]}"')), json.dumps(value, **options))


_TEMPLATES = Environment(
    loader=PackageLoader("s2v_ray", "export/templates"),
    autoescape=False,
    finalize=plain,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.policies["json.dumps_function"] = _yaml
