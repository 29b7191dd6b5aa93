"""Cropping and stabilisation as a user meets them: shared squares, still videos untouched, shaky ones kept."""

import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers.decoding import ffmpeg
from helpers.small import SMALL_CLIPS

from s2v_ray.cli.main import main
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.errors import UserError
from s2v_ray.media.encode import write_video
from s2v_ray.preparation.scene import read_scenes
from s2v_ray.synthetic.write import synthesize

RATE, SAMPLE_RATE, FRAMES = Fraction(25), 8000, 60
WIDTH, HEIGHT = 200, 160
MOUTH_XY = (100, 90)  # its centre, where the head is not shifted


def prepare(videos: Path, out: Path, *flags: str) -> dict[str, dict[str, object]]:
    """The records of the data set's sources, by name."""
    status = main(["prepare", "--videos", str(videos), "--out", str(out), "--local", *SMALL_CLIPS, *flags])
    assert (status == 0) == any(out.glob("split=*/*.parquet"))
    records = [json.loads(path.read_text()) for path in (out / "_sources").glob("*.json")]
    return {str(record["source"]): record for record in records}


def clips(out: Path) -> list[np.ndarray]:
    reader = ClipReader(str(out), ("train", "val", "test"))
    return [reader[index].frames_THWC for index in range(len(reader))]


def noise(seed: int, width: int, height: int, coarse: float) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(values, (0, 0), coarse)
    return np.clip(120 + 40 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def write_head(path: Path, *, at: tuple[float, float] = (0, 0), sway: float = 0, seed: int = 5) -> None:
    """A textured head before a plain wall, whose mouth opens with bursts of noise, at irregular times.

    The head stands shifted by `at`, and sways by `sway` pixels. Beside it something blinks at other times.
    """
    random = np.random.default_rng(seed)
    wave, open_T, blink_T = np.zeros(FRAMES * 320), np.zeros(FRAMES), np.zeros(FRAMES)
    for frame in range(3, FRAMES - 6, 9):
        frame += int(random.integers(0, 4))
        open_T[frame : frame + 3] = (0.6, 1, 0.6)
        wave[frame * 320 : frame * 320 + 960] = random.normal(0, 6000, 960)
    for frame in random.integers(0, FRAMES - 2, 8):
        blink_T[frame : frame + 2] = 1
    head = noise(1, 110, 130, 4)  # the same in all takes

    def frames():
        for t in range(FRAMES):
            face = head.copy()
            if open_T[t]:
                cv2.ellipse(face, (55, 75), (16, max(1, round(10 * open_T[t]))), 0, 0, 360, (20, 10, 30), -1)
            x = 45 + at[0] + sway * np.sin(t / 4)
            y = 15 + at[1] + sway * np.cos(t / 5)
            picture = np.full((HEIGHT, WIDTH, 3), (200, 150, 60), np.uint8)
            if blink_T[t]:
                picture[5:25, 175:195] = 255
            inside = np.full(face.shape[:2], 255, np.uint8)
            M = np.float32([[1, 0, x], [0, 1, y]])
            shape = (WIDTH, HEIGHT)
            where = cv2.warpAffine(inside, M, shape)[..., None] / 255
            yield (picture * (1 - where) + cv2.warpAffine(face, M, shape) * where).astype(np.uint8)

    write_video(path, frames(), wave.clip(-30000, 30000).astype(np.int16), frame_rate=RATE, sample_rate=SAMPLE_RATE)


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four takes of one head, at other places, that sways."""
    folder = tmp_path_factory.mktemp("takes")
    for number, at in enumerate(((0, 0), (7, -4), (-5, 3), (3.5, 5.5))):
        write_head(folder / f"take{number}.mp4", at=at, sway=2, seed=number)
    return folder


def test_takes_of_one_scene_share_a_square_on_what_moves_with_the_sound_and_stand_at_one_place(takes, tmp_path):
    out = tmp_path / "clips"
    records = prepare(takes, out, "--clip-seconds", "2")
    assert {(record["stabilized"], record["scene"]) for record in records.values()} == {("subject", "scene_01")}
    scene = json.loads((out / "_scenes" / "scene_01.json").read_text())["crop"]
    for number, at in enumerate(((0, 0), (7, -4), (-5, 3), (3.5, 5.5))):
        x, y, size = records[f"take{number}.mp4"]["crop"]
        assert size == scene["size"] < 80
        for corner, shift, centre in ((x, at[0], MOUTH_XY[0]), (y, at[1], MOUTH_XY[1])):
            assert corner + 8 < centre + shift < corner + size - 8
    mouths = []  # where each frame shows the mouth, in stored pixels
    for path in out.glob("split=*/*.parquet"):
        for row in pq.read_table(path).to_pylist():
            at = ((0, 0), (7, -4), (-5, 3), (3.5, 5.5))[int(row["source"][4])]
            transforms = np.frombuffer(row["transforms"], "<f4").reshape(50, 2, 3)
            for t, M in zip(range(round(row["start_seconds"] * 25), FRAMES), transforms, strict=False):
                there = np.array(MOUTH_XY) + at + 2 * np.array([np.sin(t / 4), np.cos(t / 5)])
                in_square = (there + 0.5 - [row["crop_x"], row["crop_y"]]) * 36 / row["crop_size"] - 0.5
                mouths.append(cv2.invertAffineTransform(M) @ [*in_square, 1])
    assert len(mouths) == 200
    assert np.std(mouths, axis=0).max() < 0.15


def test_the_columns_say_where_the_square_was_and_how_frames_were_moved(takes, tmp_path):
    out = tmp_path / "clips"
    records = prepare(takes, out, "--clip-seconds", "2", "--stabilize", "subject")
    for path in out.glob("split=*/*.parquet"):
        row = pq.read_table(path).slice(0, 1).to_pylist()[0]
        assert [row["crop_x"], row["crop_y"], row["crop_size"]] == records[row["source"]]["crop"]
        transforms = np.frombuffer(row["transforms"], "<f4").reshape(50, 2, 3)
        start = round(row["start_seconds"] * 25)
        true_x = 2 * np.sin(np.arange(start, start + 50) / 4) * 36 / row["crop_size"]  # of the head, in stored pixels
        moved_x = transforms @ [18, 18, 1] - 18
        assert np.abs((moved_x[:, 0] - moved_x[:, 0].mean()) - (true_x - true_x.mean())).max() < 0.15


def test_what_was_prepared_stays_the_same_when_takes_are_added(takes, tmp_path):
    videos, out = tmp_path / "videos", tmp_path / "clips"
    videos.mkdir()
    for name in ("take0.mp4", "take1.mp4"):
        (videos / name).symlink_to(takes / name)
    prepare(videos, out)
    before = {path.name: path.read_bytes() for path in out.glob("split=*/*.parquet")}
    scenes = {path.name: path.read_bytes() for path in (out / "_scenes").iterdir()}
    for name in ("take2.mp4", "take3.mp4"):
        (videos / name).symlink_to(takes / name)
    records = prepare(videos, out)
    after = {path.name: path.read_bytes() for path in out.glob("split=*/*.parquet")}
    assert before.items() <= after.items()
    assert scenes == {path.name: path.read_bytes() for path in (out / "_scenes").iterdir()}
    assert {record["scene"] for record in records.values()} == {"scene_01"}


def test_where_nothing_moves_frames_are_those_of_no_stabilisation(tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    write_head(videos / "still.mp4")
    prepare(videos, tmp_path / "auto", "--crop", "70,60,60")
    prepare(videos, tmp_path / "off", "--crop", "70,60,60", "--stabilize", "off")
    for auto, off in zip(clips(tmp_path / "auto"), clips(tmp_path / "off"), strict=True):
        assert np.array_equal(auto, off)


def test_a_square_outside_the_picture_is_refused_also_where_frames_are_stabilised(takes, tmp_path):
    for stabilize in ("subject", "camera", "auto"):
        records = prepare(takes, tmp_path / stabilize, "--crop", "150,100,90", "--stabilize", stabilize)
        assert {reject["reason"] for record in records.values() for reject in record["rejects"]} == {"crop_outside"}


def test_videos_that_change_their_shape_on_the_way_can_be_prepared(tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    for number in (1, 2):
        parts = []
        for start, size in ((0, "96x64"), (2, "64x96")):
            part = tmp_path / f"{start}.ts"
            picture = f"testsrc=s={size}:r=25:d=2"
            sound = "anoisesrc=r=44100:d=2:a=0.3"
            inputs = ("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound)
            ffmpeg(*inputs, "-c:v", "mpeg2video", "-c:a", "mp2", "-output_ts_offset", str(start), str(part))
            parts.append(part.read_bytes())
        (videos / f"{number}.ts").write_bytes(b"".join(parts))
    for stabilize in ("auto", "subject"):
        records = prepare(videos, tmp_path / stabilize, "--stabilize", stabilize, "--clip-seconds", "2")
        assert len(records) == 2
    assert main(["prepare", "--videos", str(videos), "--out", str(tmp_path / "sheets"), "--local", "--preview"]) == 0


def test_scenes_that_a_stopped_run_left_are_replaced_and_damaged_ones_refused(takes, tmp_path, capsys):
    out = tmp_path / "clips"
    scenes = out / "_scenes"
    scenes.mkdir(parents=True)
    for name in ("scene_01.json", "scene_02.json", "scene_02_overview.png"):
        (scenes / name).write_text("from a run that was stopped before its first source")
    prepare(takes, out)
    assert {path.name for path in scenes.iterdir()} == {
        f"scene_01{end}" for end in (".json", "_overview.png", "_reference.png")
    }
    whole = json.loads((scenes / "scene_01.json").read_text())
    for change in (
        {"width": "200"},
        {"crop": {"x": 190, "y": 0, "size": 60}},
        {"crop": 3},
        {"more": 1},
        {"height": 10},
    ):
        (scenes / "scene_01.json").write_text(json.dumps(whole | change))
        with pytest.raises(UserError) as error:
            read_scenes(str(out))
        assert error.value.code == "damaged_clips"
        assert "scene_01.json" in str(error.value)
    (scenes / "scene_01.json").write_text(json.dumps(whole))
    (scenes / "scene_01_overview.png").write_bytes(b"no picture")
    command = ["prepare", "--videos", str(takes), "--out", str(out), "--local", *SMALL_CLIPS]
    assert main(command) == 1
    assert "damaged" in capsys.readouterr().err


def test_a_still_video_without_texture_is_not_stabilised_where_nothing_was_scanned(tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    wave = np.random.default_rng(3).normal(0, 5000, FRAMES * 320).astype(np.int16)

    def frames():
        for t in range(FRAMES):
            picture = np.full((HEIGHT, WIDTH, 3), (200, 150, 60), np.uint8)
            yield cv2.circle(picture, (80, 60), 6 + 3 * (t % 4), (20, 30, 40), -1)

    write_video(videos / "plain.mp4", frames(), wave, frame_rate=RATE, sample_rate=SAMPLE_RATE)
    record = prepare(videos, tmp_path / "auto", "--crop", "centre")["plain.mp4"]
    assert (record["crop"], record["stabilized"]) == (None, "off")
    prepare(videos, tmp_path / "off", "--crop", "centre", "--stabilize", "off")
    assert clips(tmp_path / "auto")
    for auto, off in zip(clips(tmp_path / "auto"), clips(tmp_path / "off"), strict=True):
        assert np.array_equal(auto, off)


@pytest.mark.parametrize("domain", ["hand", "sea", "mouth", "fireworks"])
def test_what_the_sound_moves_is_never_registered_away(tmp_path, domain):
    synthesize(domain, tmp_path / "videos", sources=2, seed=4, seconds=3.0, size=96)
    flags = ["--stored-size", "72", "--frame-rate", "30", "--clip-seconds", "1", "--sample-rate", "44100"]
    prepare(tmp_path / "videos", tmp_path / "off", *flags, "--crop", "centre", "--stabilize", "off")
    for crop in ("auto", "centre"):
        records = prepare(tmp_path / "videos", tmp_path / crop, *flags, "--crop", crop)
        assert {(record["crop"], record["stabilized"]) for record in records.values()} == {(None, "off")}
        for auto, off in zip(clips(tmp_path / crop), clips(tmp_path / "off"), strict=True):
            assert np.array_equal(auto, off)


def test_a_hand_held_video_is_kept_once_its_camera_is_undone(tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    random = np.random.default_rng(3)
    scenery, wave = noise(7, 220, 220, 4), random.normal(0, 5000, FRAMES * 320).astype(np.int16)
    shake = cv2.GaussianBlur(random.normal(0, 6, (FRAMES, 2)), (1, 5), 1.0)

    def frames():
        for t in range(FRAMES):
            picture = scenery.copy()
            cv2.circle(picture, (110, 110), 6 + t % 7, (250, 250, 250), -1)
            M = np.float32([[1, 0, -30 + shake[t, 0]], [0, 1, -30 + shake[t, 1]]])
            yield cv2.warpAffine(picture, M, (160, 160))

    write_video(videos / "shaky.mp4", frames(), wave, frame_rate=RATE, sample_rate=SAMPLE_RATE)
    off = prepare(videos, tmp_path / "off", "--stabilize", "off")["shaky.mp4"]
    assert {reject["reason"] for reject in off["rejects"]} == {"camera_moves"}
    auto = prepare(videos, tmp_path / "auto")["shaky.mp4"]
    assert (auto["stabilized"], auto["rejects"]) == ("camera", [])
    assert auto["shift_pixels"] > 0.5


def test_a_list_may_say_how_to_crop_and_stabilise_each_video(takes, tmp_path):
    rows = ['take0.mp4,,,"10,20,40",off', "take1.mp4,,,,subject", "take2.mp4,,,centre,"]
    manifest = tmp_path / "list.csv"
    manifest.write_text("path,start,end,crop,stabilize\n" + "\n".join(rows) + "\n")
    records = prepare(takes, tmp_path / "clips", "--manifest", str(manifest))
    assert (records["take0.mp4"]["crop"], records["take0.mp4"]["stabilized"]) == ([10, 20, 40], "off")
    assert records["take1.mp4"]["stabilized"] == "subject"
    assert (records["take2.mp4"]["crop"], records["take2.mp4"]["stabilized"]) == (None, "off")
    manifest.write_text("path,start,end,crop\ntake0.mp4,,,left\n")
    command = ["prepare", "--videos", str(takes), "--out", str(tmp_path / "no"), "--local", "--manifest", str(manifest)]
    assert main(command) == 1
    manifest.write_text("path,start,end,crop,stabilize\n" + "\n".join([rows[0].replace("40", "50"), *rows[1:]]) + "\n")
    again = prepare(takes, tmp_path / "clips", "--manifest", str(manifest))
    assert again["take0.mp4"]["crop"] == [10, 20, 50]  # asked for anew, so prepared anew
