"""`s2v generate`."""

from typing import Literal

from s2v_ray.cli.flags import Location
from s2v_ray.cli.progress import ProgressBar
from s2v_ray.errors import UserError
from s2v_ray.training.device import choose_device


def generate(
    *,
    checkpoint: Location,
    out: Location,
    image: Location = "",
    sound: Location = "",
    pairs: Location = "",
    size: Literal["whole", "model"] = "whole",
    max_side: int = 1280,
    region: str = "auto",
    strength: float = 1.0,
    audio_track: int = 0,
    image_time: float = 0.0,
    background: str = "white",
    device: str = "auto",
    local: bool = False,
    workers: int | None = None,
    cpus_per_worker: float | None = None,
    gpus_per_worker: float | None = None,
) -> None:
    """Make a video from one image and a sound of any length, or one of each of many such pairs.

    Args:
        checkpoint: a run (its best checkpoint), one checkpoint, or what s2v export wrote (a folder or a .zip of it).
        out: the video to write, an .mp4 with that sound; with --pairs a folder. There, results.csv says what became of
            each pair, and the same command makes those that are missing.
        image: an image, or a video, of which one frame is used.
        sound: a sound file, or a video with sound.
        pairs: a CSV in place of --image and --sound, with the columns image, sound (paths relative to its folder, or
            URIs) and name (of the video, without .mp4), and, where rows differ, size, max_side, region, strength,
            audio_track, image_time and background; an empty cell is the flag's value. Lines that begin with # are
            comments (a file of such a name is ./#1.png).
        size: whole (all of the image, of which the region moves) or model (the region alone, at the size that the
            model was trained at).
        max_side: the most pixels of the video's longer side; a larger image is reduced, none is enlarged.
        region: the square of the image that moves: auto (where it looks like the training clips; if that is unsure, the
            centre), centre, or x,y,size in pixels of the image.
        strength: how much the sound does: 0 shows the mean of the video, 1 what the model makes, 2 twice as much; to 4.
        audio_track: which audio track of the sound to take, counted from 1; 0 is the first that works.
        image_time: which frame of a video is the image, in seconds from its start.
        background: the colour behind what is transparent in the image, a CSS name or #rrggbb.
        device: auto, cpu or cuda.
        local: make --pairs one by one in this process, without Ray.
        workers: how many processes make --pairs, each with the model; by default as many as the cluster holds.
        cpus_per_worker: CPUs for each of these; 1 by default.
        gpus_per_worker: GPUs for each, such as 0.5; by default one if there are any.
    """
    pool = (workers, cpus_per_worker, gpus_per_worker)
    _check_flags(image, sound, pairs, local=local, pool=pool != (None, None, None))
    from s2v_ray.cli.generate_files import check_generate_files
    from s2v_ray.generation.video import Options
    from s2v_ray.generation.video import generate as write_generated

    options = Options(size, max_side, region, strength, background, image_time, audio_track)
    if pairs:
        from s2v_ray.cli.generate_pairs import generate_pairs

        generate_pairs(pairs, checkpoint, out, options, device=device, local=local, pool=pool)
        return
    check_generate_files(checkpoint, image, sound, out)
    with ProgressBar("generating") as show:
        made = write_generated(checkpoint, image, sound, out, choose_device(device), show, options)
    square = made.region.square
    print(f"Region: {square.x},{square.y},{square.size}, {made.region.reason}.")
    pixels = f"{made.width} x {made.height} pixels"
    print(f"Wrote {made.frames} frames of {pixels} at {made.frame_rate} per second, with the sound, to {out}")


def _check_flags(image: str, sound: str, pairs: str, *, local: bool, pool: bool) -> None:
    """Raise UserError unless there is one pair, or a table of them, and only flags that go with it."""
    if pairs and (image or sound):
        raise UserError("bad_flags", "--pairs is in place of --image and --sound, which are its columns; drop one.")
    missing = [flag for flag, value in (("--image", image), ("--sound", sound)) if not value]
    if missing and not pairs:
        are = "is" if len(missing) == 1 else "are"
        raise UserError("missing_flag", f"{' and '.join(missing)} {are} needed, or --pairs for many videos.")
    if (local or pool) and not pairs:
        raise UserError("bad_flags", "--local, --workers, --cpus-per-worker and --gpus-per-worker go with --pairs.")
    if local and pool:
        raise UserError("bad_flags", "--local is one process; leave out --workers and what each of them has.")
