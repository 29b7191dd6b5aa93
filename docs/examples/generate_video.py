"""Make a video from a picture and a sound.

python docs/examples/generate_video.py runs/fireworks night.jpg boom.wav night.mp4
"""

import sys

import s2v_ray


def main(checkpoint: str, image: str, sound: str, out: str) -> None:
    model = s2v_ray.load(checkpoint)  # once; it is kept for any number of videos
    video = model.generate(image, sound)

    print(video)
    print("frames", video.frames.dtype, video.frames.shape)
    print("sound", video.audio.dtype, video.audio.shape, "at", video.sample_rate, "Hz")
    print("written to", video.save(out))

    # From arrays: the video's own first frame, and the first second of its sound.
    again = model.generate(video.frames[0], (video.audio[: video.sample_rate], video.sample_rate))
    print(f"{again.seconds:.2f} seconds from arrays")


if __name__ == "__main__":
    main(*sys.argv[1:])
