"""What `s2v export` does: a checkpoint as a folder to share, with a card that says what it is."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from s2v_ray.config import config_to_toml
from s2v_ray.dataset.collection import DataSets, open_clips, places
from s2v_ray.dataset.typed import typed
from s2v_ray.errors import UserError
from s2v_ray.evaluation.report.page import headline
from s2v_ray.evaluation.report.schema import Report
from s2v_ray.evaluation.report.table import table, title
from s2v_ray.evaluation.scores import Score
from s2v_ray.export.card import CARD, Card
from s2v_ray.export.facts import data_facts
from s2v_ray.export.onnx_graph import onnx_graph, signature
from s2v_ray.export.onnx_text import onnx_text
from s2v_ray.storage.files import exists, is_file, list_files, read_bytes, remove_file, write_bytes
from s2v_ray.storage.own_folders import MODEL, check_not_input, check_output_folder
from s2v_ray.storage.paths import base_name, join, parent
from s2v_ray.training.checkpoint import SavedState, inference_files, model_of, read_checkpoint
from s2v_ray.training.checkpoint_files import MANIFEST, find_checkpoint, manifest

CONFIG, EXAMPLE = "config.toml", "example.mp4"
ONNX = ("onnx/model.onnx", "onnx/model.json", "onnx/README.md")
# All that there can be beside the checkpoint's own files.
EXTRAS = (CARD, CONFIG, EXAMPLE, *ONNX)


@dataclass(frozen=True)
class ExportSettings:
    """What goes into the folder beside the model; "" and none is unknown.

    `clips` are what it was trained on, `report` is a folder that evaluate wrote, `example` a video.
    """

    name: str = ""  # on the card; by default the folder's
    clips: DataSets = ()
    report: str = ""
    example: str = ""
    license: str = ""
    data_license: str = ""
    onnx: bool = False


@dataclass(frozen=True)
class Exported:
    """What was written: the folder's files, and what of it a user should know."""

    files: Mapping[str, bytes] = field(repr=False)
    example_text: str  # "" without an example
    evaluated: bool
    described: bool


def export(
    checkpoint: str,
    out: str,
    settings: ExportSettings = ExportSettings(),
    show: Callable[[str], None] = lambda text: None,
) -> Exported:
    """Write a checkpoint's SE and G with all that belongs to them to the folder `out`; its manifest comes last.

    The folder is a checkpoint itself, for every verb. What an earlier export left in it is replaced. `show` is called
    with what is being done. Raises UserError for an `out` that holds something else, a report on another model, clips
    that are not those of the training, an example that is no .mp4, and a checkpoint that can't be used.
    """
    location = find_checkpoint(checkpoint)
    check_output_folder(out, "--out", MODEL)
    check_not_input(out, "--out", {"--checkpoint": location})
    saved = read_checkpoint(location)
    core = inference_files(saved)
    report = _read_report(settings.report, saved) if settings.report else None
    if settings.clips:
        _check_clips(settings.clips, saved)
    example, example_text = _example(settings, location)
    model = model_of(saved)
    described = saved.description
    card = Card(
        name=settings.name or base_name(out),
        config=saved.config,
        step=described["step"],
        clips_seen=described["clips_seen"],
        training_seconds=described["training_seconds"],
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        data=data_facts(settings.clips) if settings.clips else (),
        report=report,
        example=EXAMPLE if example else "",
        example_text=example_text,
        license=settings.license,
        data_license=settings.data_license,
        onnx=settings.onnx,
    )
    extras = {CARD: card.text().encode(), CONFIG: config_to_toml(saved.config).encode()}
    if example:
        extras[EXAMPLE] = read_bytes(example)
    if settings.onnx:
        show("making the ONNX graph")
        described_graph = signature(model, saved.config)
        texts = (described_graph.to_json(), onnx_text(described_graph))
        extras |= dict(zip(ONNX, (onnx_graph(model), *(text.encode() for text in texts)), strict=True))
    files = extras | core | {MANIFEST: manifest(core)}
    show("writing")
    remove_file(join(out, MANIFEST))  # until all is written, the folder is no checkpoint
    for name in list_files(out, recursive=True):
        if name not in files and (name in EXTRAS or ("/" not in name and name.endswith(".safetensors"))):
            remove_file(join(out, name))
    for name, content in files.items():
        write_bytes(join(out, name), content)
    return Exported(files, example_text, report is not None, bool(settings.clips))


def _check_clips(clips: DataSets, saved: SavedState) -> None:
    if open_clips(clips, "train").fingerprint != saved.description["clips"]:
        raise UserError(
            "other_clips",
            f"'{saved.checkpoint}' was trained on other clips than '{places(clips)}' (or these have changed since), so "
            "the card would not be true; name those of its training, or leave --clips out.",
        )


def _read_report(folder: str, saved: SavedState) -> Report:
    """A report on this model. Raises UserError `no_report`, `damaged_report` or `other_report`."""
    location = join(folder, "report.json")
    if not exists(location):
        raise UserError("no_report", f"--report '{folder}' holds no report.json; name what s2v evaluate wrote.")
    try:
        text = read_bytes(location).decode()
        typed(json.loads(text)["scores"], Mapping[str, Mapping[str, Score | None]])
        report = Report.from_json(text)
        headline(report), table(report), title(report)  # what the card will show of it
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserError(
            "damaged_report", f"'{location}' can't be read ({error!r}); evaluate the model again."
        ) from None
    if (report.step, report.config) != (saved.description["step"], saved.config):
        raise UserError(
            "other_report",
            f"--report '{folder}' is on another model (of step {report.step}; '{saved.checkpoint}' is of step "
            f"{saved.description['step']}) or other settings; evaluate this checkpoint.",
        )
    return report


def _example(settings: ExportSettings, checkpoint: str) -> tuple[str, str]:
    """Where the example video is, and what it shows; "" without one.

    It is the one given, else the report's median clip, else the latest sample of the checkpoint's run up to it.
    """
    if settings.example:
        if not settings.example.lower().endswith(".mp4") or not is_file(settings.example):
            raise UserError("no_example", f"--example '{settings.example}' is no .mp4 file; name one.")
        return settings.example, "chosen by whoever exported the model"
    if settings.report and exists(median := join(settings.report, "median_model.mp4")):
        return median, "made of the first frame and the sound of the held-out clip that scored in the middle"
    samples = join(parent(parent(checkpoint)), "samples")
    step = base_name(checkpoint)
    made = [name for name in list_files(samples) if name.endswith(".mp4") and name <= f"{step}.mp4"]
    if base_name(parent(checkpoint)) == "checkpoints" and made:
        return join(
            samples, made[-1]
        ), "a clip of its validation during training, generated on the left, real on the right"
    return "", ""
