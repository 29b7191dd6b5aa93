"""`s2v generate`."""

from s2v_ray.cli.device import choose_device
from s2v_ray.cli.flags import Location
from s2v_ray.cli.progress import ProgressBar


def generate(
    *,
    checkpoint: Location,
    image: Location,
    sound: Location,
    out: Location,
    region: str = "centre",
    strength: float = 1.0,
    audio_track: int = 0,
    device: str = "auto",
) -> None:
    """Make a video from one image and a sound of any length.

    Args:
        checkpoint: a run (its best checkpoint) or one checkpoint.
        image: an image, or a video, whose first frame is used; it is cropped to a square.
        region: the square of the image that is used: centre, or x,y,size in its pixels; best framed as the training
            clips are, whose squares are on the contact sheets of prepare --preview.
        sound: a sound file, or a video with sound.
        out: the video to write, an .mp4 with that sound.
        strength: how much the sound does: 0 shows the mean of the video, 1 what the model makes, 2 twice as much; to 4.
        audio_track: which audio track of the sound to take, counted from 1; 0 is the first that works.
        device: auto, cpu or cuda.
    """
    from s2v_ray.cli.generate_files import check_generate_files
    from s2v_ray.generation import generate as write_generated

    check_generate_files(checkpoint, image, sound, out)
    with ProgressBar("generating") as show:
        frames, frame_rate = write_generated(
            checkpoint,
            image,
            sound,
            out,
            choose_device(device),
            show,
            strength=strength,
            region=region,
            audio_track=audio_track,
        )
    print(f"Wrote {frames} frames at {frame_rate} per second, with the sound, to {out}")
