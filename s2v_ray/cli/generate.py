"""`s2v generate`."""


def generate(*, checkpoint: str, image: str, sound: str, out: str, device: str = "auto", seed: int = 0) -> None:
    """Make a video from one picture and a sound of any length.

    Args:
        checkpoint: a run (its best checkpoint) or one checkpoint.
        image: any picture, or a video, of which the first frame is taken; it is cropped square.
        sound: any sound, or a video with sound.
        out: the video to write, an .mp4 with that sound.
        device: auto, cpu or cuda.
        seed: nothing is random here yet; the same inputs give the same video.
    """
    from s2v_ray.cli.device import choose_device
    from s2v_ray.cli.progress import ProgressBar
    from s2v_ray.generation import generate as generate_video
    from s2v_ray.storage.paths import absolute

    with ProgressBar("generating") as show:
        made = generate_video(checkpoint, image, sound, absolute(out), choose_device(device), show)
    print(f"Wrote {made.frames} frames at {made.frame_rate} a second, with their sound, to {made.path}")
