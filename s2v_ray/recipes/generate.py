"""What `s2v generate --pairs` does: a video for each row of a table, and a row of results for each.

In the folder are NAME.mp4, `_pairs/NAME.json` (what a video was made of and with, written after it), `pairs.json` (what
all have in common) and `results.csv` (what became of each row).
"""

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from typing import Any

from s2v_ray.config.load import differing_names
from s2v_ray.dataset.typed import typed
from s2v_ray.errors import UserError
from s2v_ray.generation.pairs import Pair, option_values, read_pairs
from s2v_ray.generation.video import Generator, Options, make_video
from s2v_ray.preparation.source_file import concerns_whole_job
from s2v_ray.storage.files import (
    file_info,
    is_folder,
    is_special,
    list_files,
    make_folder,
    map_concurrently,
    read_bytes,
    remove_file,
    write_bytes,
)
from s2v_ray.storage.lock import lock
from s2v_ray.storage.os_errors import reason
from s2v_ray.storage.own_folders import PAIRS, check_not_input, check_output_folder, refuse_other_kinds
from s2v_ray.storage.paths import is_uri, join, readable
from s2v_ray.training.checkpoint_files import content_hash, find_checkpoint

MADE, FAILED, WAITING = "made", "failed", "waiting"
_RESULTS, _SETTINGS, _RECORDS = "results.csv", "pairs.json", "_pairs"


@dataclass(frozen=True)
class PairTask:
    """A pair to make, below `out`. `made_of` is what its record will say: its inputs, their versions, its options."""

    pair: Pair
    out: str
    made_of: Mapping[str, Any]

    @property
    def video(self) -> str:
        """Where the video goes."""
        return join(self.out, _video_name(self.pair.name))

    @property
    def record(self) -> str:
        """Where its record goes, after the video."""
        return join(self.out, _RECORDS, f"{self.pair.name}.json")


@dataclass(frozen=True)
class PairResult:
    """What became of a pair: a row of `results.csv`. `frames` and `seconds` are the video's, 0 where there is none."""

    name: str
    status: str  # made, failed, or waiting where it was not tried
    reason: str = ""  # the fixed word of an error, such as no_audio
    detail: str = ""  # its sentence
    frames: int = 0
    seconds: float = 0.0


# Makes each task, as `make_here` or `cluster.pairs.make_in_parallel`; yields its result when it is done.
MapPairs = Callable[[Sequence[PairTask]], Iterable[PairResult]]


@dataclass(frozen=True)
class PairsPlan:
    """The pairs of a table: `tasks` are those to make, `results` has a row for each, in the table's order."""

    checkpoint: str
    out: str
    settings: Mapping[str, Any]
    tasks: tuple[PairTask, ...]
    results: Mapping[str, PairResult]


def plan_pairs(table: str, checkpoint: str, out: str, options: Options) -> PairsPlan:
    """Check a table and what is at `out`, and find what is left to do; writes nothing.

    A pair is done if its video and its record are there, and image, sound and options are those of the record; failed
    ones are tried again. Raises UserError for a table or a row that is wrong, for an `out` that holds something else,
    and where its videos were made by another checkpoint or with other settings.
    """
    location = find_checkpoint(checkpoint)
    pairs = read_pairs(table, options)
    names = _check_out(out, table, pairs)
    settings = {
        "checkpoint": content_hash(location),
        **option_values(options),
    }
    _check_settings(out, names, settings)
    tasks = _tasks(pairs, out)
    records = _read_records(out)
    results, left = {}, []
    for task in tasks:
        name = task.pair.name
        made_of, result = records.get(name, ({}, None))
        if result and made_of == task.made_of and _video_name(name) in names:
            results[name] = result
        else:
            results[name] = PairResult(name, WAITING)
            left.append(task)
    return PairsPlan(location, out, settings, tuple(left), results)


def make_pairs(planned: PairsPlan, map_pairs: MapPairs) -> list[PairResult]:
    """Make what is left; returns the results of all pairs. `results.csv` has all of them whenever it is written.

    Raises UserError `locked` while another process does, `wrong_settings` if one meanwhile did with others, and for
    what concerns all pairs, such as a full disk.
    """
    out, results = planned.out, dict(planned.results)
    with lock(out, out):
        _check_settings(out, set(list_files(out)), planned.settings)  # another process may have come first
        make_folder(join(out, _RECORDS))
        write_bytes(join(out, _SETTINGS), json.dumps(planned.settings, indent=1).encode())
        _write_results(out, results.values())
        try:
            for result in map_pairs(planned.tasks):
                results[result.name] = result
        finally:
            _write_results(out, results.values())
    return list(results.values())


def make_here(generator: Generator, tasks: Sequence[PairTask]) -> Iterator[PairResult]:
    """Make each pair in this process."""
    for task in tasks:
        yield make_pair(generator, task)


def make_pair(generator: Generator, task: PairTask) -> PairResult:
    """Make one video, then its record. What is wrong with a pair is in its result; raises only what concerns all."""
    pair = task.pair
    # Nothing of an earlier version of the row must pass for this one.
    for stale in (task.record, task.video):
        remove_file(stale)
    try:
        for column, location in (("image", pair.image), ("sound", pair.sound)):
            if is_special(location):
                what = f"The {column} '{location}' is a pipe, socket or device"
                raise UserError("not_a_file", f"{what}; put it into a file first.")
        made = make_video(generator, pair.image, pair.sound, task.video, options=pair.options)
    except UserError as error:
        return PairResult(pair.name, FAILED, error.code, readable(error.message))
    except Exception as error:
        if concerns_whole_job(error):
            raise
        said = reason(error) if isinstance(error, OSError) and error.errno else f"{type(error).__name__}: {error}"
        return PairResult(pair.name, FAILED, "failed", readable(f"No video could be made: {said}."))
    result = PairResult(pair.name, MADE, frames=made.frames, seconds=float(made.frames / made.frame_rate))
    write_bytes(task.record, json.dumps({"made_of": task.made_of, "result": asdict(result)}, indent=1).encode())
    return result


def _video_name(name: str) -> str:
    return f"{name}.mp4"


def _tasks(pairs: Sequence[Pair], out: str) -> list[PairTask]:
    inputs = sorted({location for pair in pairs for location in (pair.image, pair.sound)})
    found = map_concurrently(_version, inputs, remote=any(map(is_uri, inputs)))
    versions = dict(zip(inputs, found, strict=True))
    return [
        PairTask(
            pair,
            out,
            {
                "image": readable(pair.image),
                "image_version": versions[pair.image],
                "sound": readable(pair.sound),
                "sound_version": versions[pair.sound],
                **option_values(pair.options),
            },
        )
        for pair in pairs
    ]


def _version(location: str) -> str:
    """A text that changes when the file does; "" if there is none, which making the pair says better."""
    try:
        info = file_info(location)
    except UserError:
        return ""
    return "" if info.size is None else f"{info.size} {info.mtime_ns}"


def _check_out(out: str, table: str, pairs: Sequence[Pair]) -> set[str]:
    """The names of the files in `out`. Raises UserError if it holds what is not of such pairs, or one of the inputs."""
    check_output_folder(out, "--out", PAIRS)
    _, kind = refuse_other_kinds(out, "--out", PAIRS)
    names = set(list_files(out)) if is_folder(out) else set()
    written = {_RESULTS, _SETTINGS, *(_video_name(pair.name) for pair in pairs)}
    if kind != PAIRS and (clash := sorted(names & written)):
        rule = f"holds '{clash[0]}', which s2v did not write but would replace; name a folder of its own"
        raise UserError("foreign_folder", f"--out '{out}' {rule}.")
    check_not_input(join(out, _RESULTS), "--out", {"--pairs": table})
    replaced = {_real(join(out, name)) for name in written}
    for pair in pairs:
        for column, location in (("image", pair.image), ("sound", pair.sound)):
            if _real(location) in replaced:
                rule = "would be replaced by the video of a pair; name another --out"
                raise UserError("output_is_input", f"The {column} of '{pair.name}', '{location}', {rule}.")
    return names


def _real(location: str) -> str:
    return location if is_uri(location) else os.path.realpath(location)


def _check_settings(out: str, names: set[str], settings: Mapping[str, Any]) -> None:
    """Raise UserError if the videos at `out` were made otherwise: a folder of two models' videos would mislead."""
    if _SETTINGS not in names:
        return
    path = join(out, _SETTINGS)
    try:
        before = dict(json.loads(read_bytes(path)))
    except (ValueError, TypeError) as error:
        raise UserError("damaged_pairs", f"'{path}' is damaged ({error!r}); give another --out.") from None
    if differing := differing_names(before, dict(settings)):
        detail = f"The videos in '{out}' were made with another {', '.join(differing)}"
        raise UserError("wrong_settings", f"{detail}; give the same to resume, or another --out.")


def _read_records(out: str) -> dict[str, tuple[Mapping[str, Any], PairResult]]:
    """What each video was made of, and its result, by the pair's name. One whose record is damaged is not done."""
    folder = join(out, _RECORDS)
    found = [name for name in list_files(folder) if name.endswith(".json") and not name.startswith(".")]
    records: dict[str, tuple[Mapping[str, Any], PairResult]] = {}
    for content in map_concurrently(read_bytes, [join(folder, name) for name in found], remote=is_uri(out)):
        try:
            values = json.loads(content)
            result: PairResult = typed(values["result"], PairResult)
            records[result.name] = (dict(values["made_of"]), result)
        except (ValueError, KeyError, TypeError):
            continue
    return records


def _write_results(out: str, results: Iterable[PairResult]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(PairResult))
    writer.writerows(astuple(result) for result in results)
    write_bytes(join(out, _RESULTS), text.getvalue().encode())
