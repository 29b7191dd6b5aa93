"""What s2v wrote itself, recognised by the names of the files in a folder: no sources, and no place for other results.

Each verb's folder has files that no other program writes together; what else lies beside them is somebody's own.
"""

import fnmatch
import os
from collections.abc import Collection, Iterable

from s2v_ray.errors import UserError
from s2v_ray.storage.files import is_file, is_folder, is_special, list_files, list_folders
from s2v_ray.storage.paths import Location, is_uri

DATASET, RUN, CHECKPOINT, REPORT = "a data set of s2v prepare", "a run of s2v train", "a checkpoint", "a report"
SWEEP, PROBE, PAIRS = "a sweep of s2v tune", "what s2v probe found", "a folder of s2v generate --pairs"
MODEL = "a model of s2v export"
CONVERTED = "clips of s2v convert"
# The files and folders that together show what a folder is, any of several such sets; the more special come first.
_MARKS: dict[str, tuple[frozenset[str], ...]] = {
    DATASET: (
        frozenset({"dataset.json", "rejects.jsonl"}),
        frozenset({"dataset.json", "_sources"}),
        frozenset({"rejects.jsonl", "_plan"}),
    ),
    RUN: (frozenset({"config.toml", "checkpoints"}), frozenset({"config.toml", "metrics.jsonl"})),
    MODEL: (frozenset({"manifest.json", "state.json", "README.md"}),),
    CHECKPOINT: (frozenset({"manifest.json", "state.json"}),),
    REPORT: (frozenset({"report.json", "report.html"}),),
    SWEEP: (frozenset({"journal.log", "sweep.json"}),),
    PROBE: (frozenset({"probe.json", "probe.png"}),),
    PAIRS: (frozenset({"pairs.json", "_pairs"}),),
    CONVERTED: (frozenset({"converted.json"}),),
}
_CONVERTED = ("-[0-9]*.tar", ".lance")
# What is in each.
_OWN: dict[str, tuple[str, ...]] = {
    DATASET: (
        *("dataset.json", "rejects.jsonl", "excluded.json", "card.md", "card.png"),
        *("_sources", "_scenes", "_plan", "_index"),
        *("split=train", "split=val", "split=test", "preview", "probe"),
    ),
    RUN: (
        *("config.toml", "metrics.jsonl", "checkpoints", "samples", "validation_clips", "events.out.tfevents.*"),
        *("trackers.json", "wandb"),
        *("checkpoint_manager_snapshot.json", ".validate_storage_marker", "stop", "failure"),
    ),
    MODEL: ("*.safetensors", "state.json", "manifest.json", "config.toml", "README.md", "example.mp4", "onnx"),
    CHECKPOINT: ("*.safetensors", "state.json", "manifest.json"),
    REPORT: (
        *("report.json", "report.html", "headline.png"),
        *(f"{name}_*.{kind}" for name in ("best", "median", "worst") for kind in ("png", "mp4")),
    ),
    SWEEP: ("journal.log", "sweep.json", "report.html"),
    PROBE: ("probe.json", "probe.png"),
    PAIRS: ("pairs.json", "results.csv", "_pairs", "*.mp4"),
    CONVERTED: ("converted.json", *(f"{split}{files}" for split in ("train", "val", "test") for files in _CONVERTED)),
}
_SHEET = "*-" + "[0-9a-f]" * 16 + ".png"  # a contact sheet of prepare --preview
# Notes that people keep beside results, such as what `s2v train | tee log.txt` writes.
_NOTES = (".txt", ".log", ".out", ".err", ".md", ".sh", ".csv", ".toml", ".yaml", ".yml", ".slurm", ".ini")


def kind_of(names: Collection[str]) -> str:
    """What a folder with files and folders of these names is; "" if s2v didn't write it."""
    present = set(names)
    return next((kind for kind, marks in _MARKS.items() if any(mark <= present for mark in marks)), "")


def own_names(names: Collection[str]) -> set[str]:
    """Those of a folder's names that s2v wrote, as far as that can be told."""
    visible = [name for name in names if not name.startswith(".")]
    if visible and all(fnmatch.fnmatchcase(name, _SHEET) for name in visible):
        return set(visible)
    kind = kind_of(names)
    if kind == SWEEP:  # with a folder for each domain
        return set(names)
    return {name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in _OWN.get(kind, ()))}


def check_output_folder(out: Location, flag: str, *kinds: str, own: Iterable[str] = ()) -> None:
    """Raise UserError `foreign_folder` if `out` exists and holds what is neither of `kinds`, nor notes, nor `own`.

    `own` are patterns of names that the verb writes there.
    """
    names, kind = refuse_other_kinds(out, flag, *kinds)
    patterns = [*own, *(pattern for each in kinds for pattern in _OWN[each])]
    others = sorted(name for name in names if not _is_harmless(name, patterns))
    if others and not (kind == SWEEP and SWEEP in kinds):
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        rule = f"holds '{others[0]}'{more}, which belong to something else; name a folder of its own"
        raise UserError("foreign_folder", f"{flag} '{out}' {rule}.")


def refuse_other_kinds(out: Location, flag: str, *kinds: str) -> tuple[list[str], str]:
    """What is in the folder `out`, and what kind it is; raises UserError if s2v wrote another kind than `kinds`."""
    if is_file(out):
        raise UserError("not_a_folder", f"{flag} '{out}' is a file, but must be a folder; name another.")
    names = [*list_files(out), *list_folders(out)] if is_folder(out) else []
    kind = kind_of(names)
    if kind and kind not in kinds:
        raise UserError("foreign_folder", f"{flag} '{out}' is {kind}; name a folder of its own.")
    clash = sorted(set(names) & {mark for each in kinds for marks in _MARKS[each][:1] for mark in marks})
    if clash and kind not in kinds and DATASET in kinds:
        rule = f"holds '{clash[0]}', which s2v prepare did not write but would replace; name a folder of its own"
        raise UserError("foreign_folder", f"{flag} '{out}' {rule}.")
    return names, kind


def check_not_input(out: Location, flag: str, inputs: dict[str, Location | None]) -> None:
    """Raise UserError `output_is_input` if `out` is one of the inputs, which are given by their flags.

    A file is known by its inode, so that links to it count, too.
    """
    for name, location in inputs.items():
        if location and _is_same(out, location):
            raise UserError("output_is_input", f"{flag} '{out}' is {name} '{location}' itself; name another.")


def check_not_special(location: Location, flag: str) -> None:
    """Raise UserError `not_a_file` for a pipe or a device, which can't be read twice, and may never end."""
    if is_special(location):
        raise UserError("not_a_file", f"{flag} '{location}' is a pipe, socket or device; put it into a file first.")


def _is_harmless(name: str, patterns: Iterable[str]) -> bool:
    hidden = name.startswith(".")
    return hidden or name.lower().endswith(_NOTES) or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _is_same(one: Location, other: Location) -> bool:
    if is_uri(one) or is_uri(other):
        return str(one) == str(other)
    try:
        return os.path.samefile(one, other)  # noqa: PTH121
    except OSError:
        return False
