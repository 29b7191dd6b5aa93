"""`s2v generate`."""

from typing import Literal

from s2v_ray.cli.device import choose_device
from s2v_ray.cli.flags import Location
from s2v_ray.cli.progress import ProgressBar


def generate(
    *,
    checkpoint: Location,
    image: Location,
    sound: Location,
    out: Location,
    size: Literal["whole", "model"] = "whole",
    max_side: int = 1280,
    region: str = "auto",
    strength: float = 1.0,
    audio_track: int = 0,
    image_time: float = 0.0,
    background: str = "white",
    device: str = "auto",
) -> None:
    """Make a video from one image and a sound of any length.

    Args:
        checkpoint: a run (its best checkpoint) or one checkpoint.
        image: an image, or a video, of which one frame is used.
        sound: a sound file, or a video with sound.
        out: the video to write, an .mp4 with that sound.
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
    """
    from s2v_ray.cli.generate_files import check_generate_files
    from s2v_ray.generation.video import Options
    from s2v_ray.generation.video import generate as write_generated

    options = Options(size, max_side, region, strength, background, image_time, audio_track)
    check_generate_files(checkpoint, image, sound, out)
    with ProgressBar("generating") as show:
        made = write_generated(checkpoint, image, sound, out, choose_device(device), show, options)
    square = made.region.square
    print(f"Region: {square.x},{square.y},{square.size}, {made.region.reason}.")
    pixels = f"{made.width} x {made.height} pixels"
    print(f"Wrote {made.frames} frames of {pixels} at {made.frame_rate} per second, with the sound, to {out}")
