"""What the page shows of a run: its metrics, its samples, the reports on it."""

import json
from contextlib import suppress

from s2v_ray.storage.files import exists, list_files, list_folders, read_bytes
from s2v_ray.storage.paths import join, parent

Curves = dict[str, tuple[list[int], list[float]]]  # steps and values by name, such as "validation/score"


def is_run(location: str) -> bool:
    """Whether it is what s2v train wrote, and not one checkpoint."""
    return exists(join(location, "metrics.jsonl"))


def read_curves(run: str) -> Curves:
    """All metrics of a run, also of one that is being trained. Lines that are cut short are left out."""
    curves: Curves = {}
    for line in read_bytes(join(run, "metrics.jsonl")).decode(errors="replace").splitlines():
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            values = json.loads(line)
            step = int(values.pop("step"))
            for name, value in values.items():
                steps, numbers = curves.setdefault(name, ([], []))
                number = float(value)
                steps.append(step)
                numbers.append(number)
    return curves


def sample_videos(run: str) -> dict[str, str]:
    """The videos of a run's validations, by a name with the step, the last one first."""
    folder = join(run, "samples")
    names = [name for name in list_files(folder) if name.startswith("step_") and name.endswith(".mp4")]
    return {f"step {int(name[5:-4]):,}": join(folder, name) for name in reversed(names) if name[5:-4].isdecimal()}


def reports_beside(run: str) -> list[str]:
    """The folders of reports on checkpoints of a run that lie beside it, or in `reports` one level up."""
    beside = parent(run)
    roots = [beside, join(beside, "reports"), join(parent(beside), "reports")]
    folders = [join(root, name) for root in roots for name in list_folders(root)]
    return [folder for folder in folders if (on := report_checkpoint(folder)) and f"{on}/".startswith(f"{run}/")]


def report_checkpoint(folder: str) -> str:
    """The checkpoint that a report is on; "" if there is no report in the folder, or one that can't be read."""
    if exists(join(folder, "report.json")) and exists(join(folder, "report.html")):
        with suppress(ValueError, KeyError, TypeError):
            return str(json.loads(read_bytes(join(folder, "report.json")))["checkpoint"])
    return ""
