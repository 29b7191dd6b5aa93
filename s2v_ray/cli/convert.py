"""`s2v convert`."""

from s2v_ray.cli.flags import Location
from s2v_ray.cli.progress import ProgressBar
from s2v_ray.cli.result import Result
from s2v_ray.dataset.exports import Format


def convert(*, clips: Location, out: Location, to: Format) -> Result:
    """Write prepared clips in a format that other trainers read. The same command resumes after a stop.

    Args:
        clips: what s2v prepare wrote; sources that are excluded are left out.
        out: the folder to write; each split has files of its own.
        to: webdataset (tars with arrays and JSON) or lance (a data set for each split, with the columns of the clips).
    """
    from s2v_ray.recipes.convert import convert_clips

    with ProgressBar("converting clips") as bar:
        counts = convert_clips(clips, out, to, bar)
    print(f"Wrote {', '.join(f'{count:,} clips of {split}' for split, count in counts.items())} to {out}")
    return {"outputs": {"clips": out}, "counts": counts}
