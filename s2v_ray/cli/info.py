"""`s2v info`."""

from rich.console import Console

from s2v_ray.cli.flags import Location
from s2v_ray.cli.prepare import counts_table
from s2v_ray.dataset.index import read_dataset
from s2v_ray.errors import UserError
from s2v_ray.storage.files import exists
from s2v_ray.storage.paths import join


def info(where: Location, /) -> None:
    """Describe a run, a checkpoint or a folder of clips.

    Args:
        where: what s2v prepare or s2v train wrote, or one checkpoint of a run.
    """
    if exists(join(where, "dataset.json")):
        _print_clips(where)
    elif exists(join(where, "manifest.json")) or exists(join(where, "checkpoints")):
        from s2v_ray.cli.run_info import print_run

        print_run(where)
    else:
        raise UserError(
            "unknown_content", f"'{where}' has no clips, run or checkpoint; name what s2v prepare or s2v train wrote."
        )


def _print_clips(clips: str) -> None:
    described = read_dataset(clips)
    settings = described.settings
    incomplete = "" if described.complete else ", incomplete: the same s2v prepare command resumes"
    print(f"{clips} holds clips of '{described.domain}'{incomplete}.")
    print(
        f"Each has {settings.frames} frames of {settings.stored_size} x {settings.stored_size} pixels at "
        f"{settings.frame_rate} a second, and {float(settings.seconds):g} s of sound at {settings.sample_rate} Hz."
    )
    Console().print(counts_table(described))
    if described.rejected:
        print(f"Rejected: {', '.join(f'{reason} {count}' for reason, count in described.rejected.items())}.")
