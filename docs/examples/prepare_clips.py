"""Prepare a folder of videos, and look at its clips.

python docs/examples/prepare_clips.py videos/fireworks clips/fireworks
"""

import sys

import s2v_ray


def main(videos: str, out: str) -> None:
    prepared = s2v_ray.prepare(videos, out, local=True)  # in this process; leave it out to use all cores by Ray
    for split, counts in prepared.info.split_counts.items():
        print(f"{split}: {counts.clips} clips of {counts.sources} videos, {counts.seconds:g} s")
    print("rejected:", dict(prepared.info.rejected))

    clips = s2v_ray.open_clips(prepared.clips, "train")
    for clip in clips:
        change = abs(clip.frames_THWC[1:].astype(int) - clip.frames_THWC[:-1]).mean()
        loudness = (clip.wave / 32768.0).std()
        print(f"{clip.source} from {clip.start_seconds:.2f} s: change {change:.2f} of 255, loudness {loudness:.3f}")

    # In a notebook, this value alone, as the last line of a cell, shows the clip as a video.
    video = s2v_ray.clip_video(clips[0], clips.settings)
    print(video, video.save(f"{out}-first-clip.mp4"))


if __name__ == "__main__":
    main(*sys.argv[1:])
