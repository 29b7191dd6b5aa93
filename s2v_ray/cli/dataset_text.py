"""What verbs say of a data set."""

from collections.abc import Mapping
from fractions import Fraction

from rich.table import Table

from s2v_ray.cli.next_command import command
from s2v_ray.cli.result import Result
from s2v_ray.cli.terminal import console
from s2v_ray.dataset.index import DatasetInfo
from s2v_ray.dataset.splits import BY_TIME
from s2v_ray.storage.paths import base_name


def print_copies(copies: Mapping[str, str]) -> None:
    """Say which sources sound like others."""
    if copies:
        copy, first = next(iter(copies.items()))
        print(
            f"{len(copies)} videos sound the same as others, such as '{copy}' as '{first}'; copies share a split, or "
            "are left out where they can't."
        )


def print_dataset(info: DatasetInfo, out: str) -> None:
    """What is in a data set, what was left out, and what can't be done with it."""
    console().print(counts_table(info))
    if info.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in info.rejected.items())
        print(f"Rejected: {reasons}. Details: {out}/rejects.jsonl")
    if info.split_counts["val"].clips or info.split_counts["test"].clips:
        print(f"Split by {info.split_by}: val and test hold {info.held_out}.")
    shorter = ", or a smaller --clip-seconds" if info.split_by == BY_TIME else ""
    for split, use in (("val", "no best checkpoint can be chosen"), ("test", "there is nothing to evaluate on")):
        if info.counts.clips and not info.split_counts[split].clips:
            print(f"No clip is in the split '{split}', so {use}; prepare more videos{shorter}.")


def print_next(info: DatasetInfo, out: str) -> list[str]:
    """Where the clips are, and what to do with them; returns the commands."""
    print(f"Wrote {info.counts.clips} clips to {out}")
    print(f"Data card: {out}/card.md")
    probe = command("probe", clips=out)
    print(f"Next: {probe}   (in a minute: can these clips be learnt, and what would help)")
    train = command("train", clips=out, out=f"runs/{base_name(out)}")
    print(f"then: {train}")
    return [probe, train]


def dataset_result(info: DatasetInfo) -> Result:
    """What a program is told of a data set."""
    settings = info.settings
    return {
        "domain": info.domain,
        "complete": info.complete,
        "counts": info.counts,
        "splits": info.split_counts,
        "rejected": info.rejected,
        "excluded": info.excluded,
        "split_by": info.split_by,
        "frames_per_clip": settings.frames,
        "frame_rate": Fraction(settings.frame_rate),
        "sample_rate": settings.sample_rate,
        "stored_size": settings.stored_size,
    }


def counts_table(info: DatasetInfo) -> Table:
    """The counts of a data set by split."""
    table = Table("", "sources", "clips", "seconds", "frames")
    for name, row in {**info.split_counts, "all": info.counts}.items():
        table.add_row(name, str(row.sources), str(row.clips), f"{row.seconds:g}", str(row.frames))
    return table
