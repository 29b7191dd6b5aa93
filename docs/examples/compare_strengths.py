"""One picture and one sound at four strengths, side by side in one video.

python docs/examples/compare_strengths.py runs/fireworks night.jpg boom.wav strengths.mp4
"""

import sys

import numpy as np

import s2v_ray

STRENGTHS = (0.0, 0.5, 1.0, 2.0)


def main(checkpoint: str, image: str, sound: str, out: str) -> None:
    model = s2v_ray.load(checkpoint)
    videos = [model.generate(image, sound, strength=strength, max_side=320) for strength in STRENGTHS]
    for strength, video in zip(STRENGTHS, videos, strict=True):
        change = np.abs(np.diff(video.frames.astype(np.int16), axis=0)).mean()
        print(f"strength {strength}: mean change from frame to frame {change:.2f} of 255")

    first, second, third, fourth = (video.frames for video in videos)  # [T, H, W, 3] each
    grid = np.concatenate([np.concatenate([first, second], axis=2), np.concatenate([third, fourth], axis=2)], axis=1)
    s2v_ray.Video(grid, videos[0].frame_rate, videos[0].audio, videos[0].sample_rate).save(out)
    print("written to", out)


if __name__ == "__main__":
    main(*sys.argv[1:])
