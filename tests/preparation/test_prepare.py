"""Preparation as a whole: what is rejected, copies, crops, lags, lists, previews and the card."""

import contextlib
import json
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
import pytest
from helpers.small import QUICK, SMALL_CLIPS

from s2v_ray.cli.main import main
from s2v_ray.dataset.index import read_records
from s2v_ray.dataset.reader import ClipReader, card_columns
from s2v_ray.dataset.settings import clip_settings
from s2v_ray.media.encode import write_video
from s2v_ray.preparation.plan import SourceTask, plan
from s2v_ray.preparation.prepare import prepare_source
from s2v_ray.preparation.sources.source import Source
from s2v_ray.recipes.prepare import prepare_clips, run_here
from s2v_ray.storage.lock import lock
from s2v_ray.synthetic.write import synthesize


def prepare(videos: Path, out: Path, *flags: str) -> dict[str, Any]:
    status = main(["prepare", "--videos", str(videos), "--out", str(out), "--local", *SMALL_CLIPS, *flags])
    description: dict[str, Any] = json.loads((out / "dataset.json").read_text())
    assert (status == 0) == (description["counts"]["clips"] > 0)
    return description


def rejects(out: Path) -> list[tuple[str, str]]:
    lines = [json.loads(line) for line in (out / "rejects.jsonl").read_text().splitlines()]
    return [(line["source"], line["reason"]) for line in lines]


def write_blinking(path: Path, *, loud: bool = True, moving: bool = True, sound_late_frames: int = 0) -> None:
    """Six seconds in which the lower right quarter flashes at irregular times, each flash with a burst of noise."""
    random = np.random.default_rng(3)
    wave, bright = np.zeros(6 * 8000), np.zeros(150)
    for frame in np.cumsum(random.integers(7, 15, 12)):
        bright[frame : frame + 3] = 1
        first = (frame + sound_late_frames) * 320
        wave[first : first + 960] = random.normal(0, 6000, len(wave[first : first + 960]))
    texture = random.integers(0, 160, (64, 64, 3)).astype(np.uint8)

    def frames():
        for level in bright:
            picture = texture.copy()
            if moving and level:
                picture[32:, 32:] = 250
            yield picture

    samples = wave.clip(-30000, 30000).astype(np.int16) if loud else np.zeros(len(wave), np.int16)
    write_video(path, frames(), samples, frame_rate=Fraction(25), sample_rate=8000)


def test_silent_and_still_windows_are_rejected_with_their_reason(tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    write_blinking(videos / "good.mp4")
    write_blinking(videos / "silent.mp4", loud=False)
    write_blinking(videos / "still.mp4", moving=False)
    counts = prepare(videos, tmp_path / "clips", "--split-by", "source")["counts"]
    assert counts["sources"] == 1
    assert counts["rejected"] == {"silent": 4, "still_picture": 4}
    assert set(rejects(tmp_path / "clips")) == {("silent.mp4", "silent"), ("still.mp4", "still_picture")}
    kept = prepare(videos, tmp_path / "kept", "--min-motion", "0", "--split-by", "source")["counts"]
    assert kept["rejected"] == {"silent": 4}


def test_a_crop_is_what_was_asked_for_and_motion_finds_the_moving_part(tmp_path):
    (tmp_path / "videos").mkdir()
    write_blinking(tmp_path / "videos" / "corner.mp4")
    prepare(tmp_path / "videos", tmp_path / "fixed", "--crop", "32,32,32", "--clip-seconds", "3.2")
    frames_THWC = ClipReader(str(tmp_path / "fixed"), "train")[0].frames_THWC
    levels = frames_THWC.reshape(len(frames_THWC), -1).mean(1)
    assert levels.max() > 240  # all of the square flashes
    prepare(tmp_path / "videos", tmp_path / "found", "--crop", "motion", "--clip-seconds", "3.2")
    (record,) = [json.loads(path.read_text()) for path in (tmp_path / "found" / "_sources").iterdir()]
    x, y, size = record["crop"]
    assert size < 50
    assert min(x, y) > 14
    assert main(["prepare", "--videos", str(tmp_path / "videos"), "--out", str(tmp_path / "no"), "--crop", "left"]) == 1


def test_the_record_says_which_track_and_channel_were_taken(tmp_path):
    """Of a video whose default sound is silent, and whose other sound's channels are opposite."""
    (tmp_path / "v").mkdir()
    write_blinking(tmp_path / "one.mp4")
    inputs = ["-f", "lavfi", "-i", "aevalsrc=0:s=8000:d=6", "-i", str(tmp_path / "one.mp4")]
    opposite = "[1:a]pan=stereo|c0=c0|c1=-1*c0[a]"
    out = ["-map", "1:v", "-map", "0:a", "-map", "[a]", "-c:v", "copy", "-c:a", "aac", str(tmp_path / "v" / "two.mp4")]
    program = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([program, "-v", "error", *inputs, "-filter_complex", opposite, *out], check=True)
    flags = ("--crop", "centre", "--stabilize", "off")
    assert prepare(tmp_path / "v", tmp_path / "found", *flags)["counts"]["clips"] > 0
    (record,) = read_records(str(tmp_path / "found")).values()
    assert (record.tracks_taken, record.channels_taken) == ({"audio": "2 of 2"}, {"stereo": 1})
    assert "1 have several tracks of a kind" in (tmp_path / "found" / "card.md").read_text()
    assert prepare(tmp_path / "v", tmp_path / "first", *flags, "--audio-track", "1")["counts"]["clips"] == 0
    assert {reason for _, reason in rejects(tmp_path / "first")} == {"silent"}
    assert prepare(tmp_path / "v", tmp_path / "third", *flags, "--audio-track", "3")["counts"]["clips"] == 0
    assert rejects(tmp_path / "third") == [("two.mp4", "no_such_track")]


def test_a_lag_is_found_and_fixed(tmp_path):
    (tmp_path / "videos").mkdir()
    write_blinking(tmp_path / "videos" / "late.mp4", sound_late_frames=4)
    flags = ["--clip-seconds", "2.4", "--clips-per-source", "6"]
    prepare(tmp_path / "videos", tmp_path / "as_is", *flags)
    prepare(tmp_path / "videos", tmp_path / "fixed", *flags, "--fix-lag")
    lags = {name: np.median(card_columns(str(tmp_path / name))["lag_frames"]) for name in ("as_is", "fixed")}
    assert abs(lags["as_is"] - 4) <= 1
    assert abs(lags["fixed"]) <= 1


@pytest.mark.parametrize("given", [False, True])
def test_a_copy_is_never_in_another_split_than_the_first(tmp_path, given):
    videos, out = tmp_path / "videos", tmp_path / "clips"
    videos.mkdir()
    paths = synthesize("sea", videos, sources=8, seed=2, seconds=4.0, size=48)
    for path in paths:  # smaller, in another container
        ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-vf", "scale=40:40"]
        subprocess.run([*ffmpeg, "-b:a", "48k", str(videos / f"copy_of_{path.stem}.mkv")], check=True)
    flags = QUICK
    if given:
        rows = [f"{path.name},,,train" for path in paths] + [f"copy_of_{path.stem}.mkv,,,test" for path in paths]
        (tmp_path / "list.csv").write_text("path,start,end,split\n" + "\n".join(rows) + "\n")
        flags = [*QUICK, "--manifest", str(tmp_path / "list.csv")]
    content = prepare(videos, out, *flags)
    records = {r["source"]: r for r in (json.loads(path.read_text()) for path in (out / "_sources").iterdir())}
    if given:
        # By name the copies come first, so that the originals, given to `train`, would join two splits.
        assert content["counts"]["rejected"] == {"duplicate": 8}
        assert content["counts"]["splits"]["train"]["sources"] == 0
        return
    for path in paths:
        first, copy = records[f"copy_of_{path.stem}.mkv"], records[path.name]
        assert first["split"] == copy["split"]
        assert copy["first"] == first["source"]
    for split in ("train", "val", "test"):
        files = {path.stem for path in out.glob(f"split={split}/*.parquet")}
        assert len(files) == sum(record["split"] == split for record in records.values())
    again = prepare(videos, out, *flags)
    assert again == content


def test_a_list_of_what_to_use(tmp_path, small_videos):
    names = sorted(path.name for path in small_videos.iterdir())
    rows = [f"{names[0]},0,1.2,train", f"{names[1]},0.4,1.6,test", "gone.mp4,0,5,train"]
    (tmp_path / "list.csv").write_text("path,start,end,split\n" + "\n".join(rows) + "\n")
    out = tmp_path / "clips"
    counts = prepare(small_videos, out, "--manifest", str(tmp_path / "list.csv"))["counts"]
    assert counts["sources"] == 2
    assert counts["rejected"] == {"missing": 1}
    reader = ClipReader(str(out), "test")
    assert len(reader) == 3  # of 0.8 s in 1.2 s; more would be nearly the same
    starts = [clip.start_seconds for clip in map(reader.__getitem__, range(3))]
    assert min(starts) >= 0.4
    assert max(starts) <= 0.8


def test_previews_are_drawn_before_anything_is_decided(tmp_path, small_videos):
    out = tmp_path / "clips"
    videos = [str(path) for path in sorted(small_videos.iterdir())[:2]]
    command = ["prepare", "--videos", *videos, "--domain", "sea", "--out", str(out), "--local", *SMALL_CLIPS]
    assert main([*command, "--preview"]) == 0
    assert len(list((out / "preview").glob("*.png"))) == 2
    assert not (out / "dataset.json").exists()
    assert main([*command, "--crop", "0,0,40"]) == 0  # other settings than when it was previewed


def test_the_card_says_what_the_data_set_holds(small_clips):
    counts = json.loads((small_clips / "dataset.json").read_text())["counts"]
    card = (small_clips / "card.md").read_text()
    assert str(counts["clips"]) in card
    assert f"{counts['frames']:,}" in card or str(counts["frames"]) in card
    assert (small_clips / "card.png").stat().st_size > 10_000


def test_a_video_that_changed_is_prepared_anew_and_one_that_became_useless_leaves_nothing(tmp_path):
    videos, out = tmp_path / "videos", tmp_path / "clips"
    videos.mkdir()
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        write_blinking(videos / name)
    (videos / "a.mp4").unlink()
    synthesize("sea", videos, sources=1, seed=3, seconds=2.0, size=48)[0].rename(videos / "a.mp4")
    prepare(videos, out, "--split-by", "source")
    before = {path.name: path.read_bytes() for path in out.glob("split=*/*.parquet")}
    write_blinking(videos / "a.mp4", loud=False)
    counts = prepare(videos, out)["counts"]
    after = {path.name: path.read_bytes() for path in out.glob("split=*/*.parquet")}
    assert counts["sources"] == len(after) == 2
    assert after.items() <= before.items()
    assert {reason for source, reason in rejects(out) if source == "a.mp4"} == {"silent"}


def test_what_was_lost_or_damaged_is_prepared_again(tmp_path, small_videos, small_clips):
    out = shutil.copytree(small_clips, tmp_path / small_clips.name)
    expected = {path.relative_to(out): path.read_bytes() for path in out.rglob("*.parquet")}
    next(out.glob("split=test/*.parquet")).unlink()
    next(out.glob("_sources/*.json")).write_text("")  # as a power cut leaves it
    prepare(small_videos, out)
    assert {path.relative_to(out): path.read_bytes() for path in out.rglob("*.parquet")} == expected
    assert json.loads((out / "dataset.json").read_text())["counts"]["sources"] == 6


def test_our_own_files_are_no_sources(tmp_path, small_videos):
    videos = tmp_path / "videos"
    videos.mkdir()
    path = next(small_videos.iterdir())
    (videos / path.name).write_bytes(path.read_bytes())
    for _ in range(2):
        assert prepare(videos, videos / "clips")["counts"]["rejected"] == {}


def test_a_preparation_that_was_killed_resumes_to_the_same_result(tmp_path, small_videos, small_clips):
    out = tmp_path / "clips"
    command = [sys.executable, "-m", "s2v_ray", "prepare", "--videos", str(small_videos), "--out", str(out), "--local"]
    with subprocess.Popen([*command, *SMALL_CLIPS]) as process:
        while process.poll() is None and len(list(out.glob("_sources/*.json"))) < 2:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.01)
        process.kill()
    assert not json.loads((out / "dataset.json").read_text())["complete"]
    prepare(small_videos, out)
    expected = {path.relative_to(small_clips): path.read_bytes() for path in small_clips.rglob("*.parquet")}
    assert {path.relative_to(out): path.read_bytes() for path in out.rglob("split=*/[!.]*.parquet")} == expected


def test_limits_cut_a_source_off(tmp_path, small_videos):
    out = tmp_path / "clips"
    assert prepare(small_videos, out, "--max-pixels", "1000")["counts"]["rejected"] == {"too_large": 6}
    assert prepare(small_videos, tmp_path / "b", "--max-duration-seconds", "1")["counts"]["rejected"] == {"too_long": 6}


def test_a_source_without_a_result_is_recorded_as_crashed(tmp_path, small_videos, capsys):
    asked = (
        [str(small_videos)],
        str(tmp_path / "clips"),
        small_videos.name,
        clip_settings(clip_seconds=1, crop="centre", stabilize="off"),
    )
    planned = plan(*asked)
    info, copies = prepare_clips(planned, lambda work, tasks: run_here(work, tasks[1:]))
    crashed = planned.tasks[0].source.name
    assert read_records(planned.out)[crashed].rejects[0].reason == "crashed"
    assert (info.complete, info.domain, info.counts.sources, copies) == (True, small_videos.name, 5, {})
    assert [task.source.name for task in plan(*asked).tasks] == [crashed]  # worth another try
    assert capsys.readouterr().out == ""


def test_a_second_preparation_into_the_same_folder_is_refused(tmp_path, small_videos, capsys):
    command = ["prepare", "--videos", str(small_videos), "--out", str(tmp_path), "--local", *SMALL_CLIPS, *QUICK]
    with lock(tmp_path, tmp_path):
        assert main(command) == 1
    assert f"'{tmp_path}'" in capsys.readouterr().err
    assert not (tmp_path / "dataset.json").exists()
    assert main(command) == 0


def test_a_source_is_opened_once_for_its_picture_and_once_for_its_sound(tmp_path, monkeypatch):
    (tmp_path / "videos").mkdir()
    write_blinking(tmp_path / "videos" / "late.mp4", sound_late_frames=4)
    source = Source(str(tmp_path / "videos" / "late.mp4"), "late.mp4")
    settings = clip_settings(
        clip_seconds=2.4, frame_rate="25", sample_rate=8000, stored_size=36, crop="motion", fix_lag=True
    )
    opened = []

    def counting_open(file, *rest, **options):
        opened.append(file)
        return av_open(file, *rest, **options)

    av_open = av.open
    monkeypatch.setattr(av, "open", counting_open)
    assert prepare_source(SourceTask(source, "train", "blinks", str(tmp_path / "clips"), settings)) > 0
    assert opened == [source.path] * 2
