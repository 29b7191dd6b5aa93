"""Several data sets as one: what --clips names, how they are read together, and the weighted order of training."""

import json
import math
import shutil
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from helpers.small import QUICK, SMALL_CLIPS

from s2v_ray.cli.main import main
from s2v_ray.dataset.collection import find_data_sets, open_clips
from s2v_ray.dataset.excluded import write_excluded
from s2v_ray.dataset.index import read_records
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.errors import UserError
from s2v_ray.recipes.copies import refuse_copies
from s2v_ray.synthetic.write import synthesize
from s2v_ray.training.data.order import global_batch, weighted_parts


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Clips of three other videos, whose files have the names of those of `small_clips`."""
    folder = tmp_path_factory.mktemp("others")
    synthesize("sea", folder / "videos", sources=3, seed=9, seconds=0.88, size=48)
    arguments = ["--videos", str(folder / "videos"), "--out", str(folder / "lake"), "--domain", "sea", "--local"]
    assert main(["prepare", *arguments, "--split-by", "source", *SMALL_CLIPS, *QUICK]) == 0
    return folder / "lake"


def test_clips_of_all_are_read_and_equal_names_are_different_sources(small_clips, others):
    ours, theirs = ClipReader(small_clips, "train"), ClipReader(others, "train")
    both = open_clips((str(small_clips), str(others)), "train")
    assert both.counts == (len(ours), len(theirs))
    assert set(ours.sources) & set(theirs.sources)  # they are named alike
    named = [f"sea/{name}" for name in ours.sources] + [f"lake/{name}" for name in theirs.sources]
    assert ([*both.sources], both.sources[:]) == (named, named)
    assert [both.sources[index] for index in range(-1, len(both))] == [named[-1], *named]
    assert not isinstance(both.sources, list)  # none is held
    for index, (reader, own) in {0: (ours, 0), len(ours) - 1: (ours, -1), len(ours): (theirs, 0)}.items():
        clip, expected = both[index], reader[own % len(reader)]
        np.testing.assert_array_equal(clip.frames_THWC, expected.frames_THWC)
        np.testing.assert_array_equal(clip.wave, expected.wave)
        assert clip.source == both.sources[index]
    assert len({both[index].clip_id for index in range(len(both))}) == len(both)
    swapped = open_clips((str(others), str(small_clips)), "train")
    assert len({reader.fingerprint for reader in (ours, theirs, both, swapped)}) == 4
    with pytest.raises(IndexError):
        both[len(both)]


def test_globs_name_the_data_sets_among_folders_and_none_twice(small_clips, others, tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "dataset.json").write_text("{}")
    (tmp_path / "c").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert find_data_sets([f"{tmp_path}/[abc]"]) == (f"{tmp_path}/a", f"{tmp_path}/b")
    for given, code in (
        ([f"{tmp_path}/x*"], "no_clips"),
        ([f"{tmp_path}/a", f"{tmp_path}/link"], "repeated_name"),
        ([], "missing_flag"),
    ):
        with pytest.raises(UserError) as raised:
            find_data_sets(given)
        assert raised.value.code == code


def test_other_rates_or_sizes_are_refused_and_named(small_clips, others, tmp_path):
    other = shutil.copytree(others, tmp_path / "other")
    described = json.loads((other / "dataset.json").read_text())
    described["settings"]["stored_size"] = 72
    (other / "dataset.json").write_text(json.dumps(described))
    with pytest.raises(UserError, match="stored_size 36 and 72") as raised:
        open_clips((str(small_clips), str(other)), "train")
    assert str(small_clips) in raised.value.message
    assert str(other) in raised.value.message


def rewrite_records(clips, **changes):
    """Change each source's record; a change is a function of what was there."""
    for path in sorted((clips / "_sources").iterdir()):
        record = json.loads(path.read_text())
        path.write_text(json.dumps(record | {name: change(record.get(name)) for name, change in changes.items()}))


def test_a_copy_that_is_held_out_elsewhere_is_refused(small_clips, others, tmp_path):
    refuse_copies((str(small_clips), str(others)))
    original, copy = (shutil.copytree(small_clips, tmp_path / name) for name in ("original", "copy"))
    both = (str(original), str(copy))
    refuse_copies(both)  # each copy is in its original's split
    with pytest.raises(UserError, match="are copies of one video"):
        refuse_copies(both, any_split=True)
    rewrite_records(copy, split=lambda split: "train" if split == "test" else "test")
    with pytest.raises(UserError) as raised:
        refuse_copies(both)
    assert raised.value.code == "copies_across_clips"
    assert f"'{copy}'" in raised.value.message
    write_excluded(copy, read_records(copy))
    refuse_copies(both)  # nothing of the copy is read
    write_excluded(copy, [])

    rewrite_records(copy, path=lambda path: f"/elsewhere/{path}")  # another file, but
    sound = np.random.default_rng(0).integers(1, 2**12, 300).astype(">u2").tobytes().hex()
    refuse_copies(both)  # these are too short to have a fingerprint
    for clips in (original, copy):
        rewrite_records(clips, fingerprint=lambda _: sound)
    with pytest.raises(UserError, match="are copies of one video"):
        refuse_copies(both)


def drawn(parts, steps, first=0):
    clips = sum(part.count for part in parts)
    batches = [
        global_batch(step, clip_count=clips, batch_size=4, seed=3, parts=parts) for step in range(first, first + steps)
    ]
    return [draw.clip for batch in batches for draw in batch]


def test_weights_share_out_the_draws_and_each_data_set_keeps_epochs_of_its_own():
    parts = weighted_parts([10, 7], [1, 3])
    assert [part.share for part in parts] == [Fraction(1, 4), Fraction(3, 4)]
    clips = drawn(parts, steps=4096)  # four blocks of 4096 draws
    small = [clip for clip in clips if clip < 10]
    large = [clip - 10 for clip in clips if clip >= 10]
    assert len(small) == 4096
    assert len(large) == 3 * 4096
    for own, count in ((small, 10), (large, 7)):
        for start in range(0, len(own) - count, count):
            assert sorted(own[start : start + count]) == list(range(count))  # an epoch: each clip once
    runs = Counter(first < 10 for first in clips[:400])
    assert 70 < runs[True] < 130  # of 400, everywhere about a quarter
    assert drawn(parts, steps=8, first=1020) == clips[4 * 1020 : 4 * 1028]  # across a block's end, from anywhere


def test_without_weights_the_order_is_that_of_all_clips():
    one = weighted_parts([10, 7], ())
    assert drawn(one, steps=20) == [
        draw.clip for step in range(20) for draw in global_batch(step, clip_count=17, batch_size=4, seed=3)
    ]


@pytest.mark.parametrize("weights", [(1,), (1, 2, 3), (1, 0), (1, -1), (1, 1e-6), (1, math.inf), (1, math.nan)])
def test_weights_that_mean_nothing_are_refused(weights):
    with pytest.raises(UserError) as raised:
        weighted_parts([10, 7], weights)
    assert raised.value.code == "wrong_weights"


def test_training_evaluating_and_probing_on_two_data_sets(small_clips, others, small_model, tmp_path, capsys):
    run, clips = tmp_path / "run", ["--clips", str(small_clips), str(others)]
    train = ["train", *clips, "--out", str(run), "--config", str(small_model)]
    assert main([*train, "--clip-weights", "1", "3", "--steps", "2"]) == 0
    assert f"--clips {small_clips} {others}" in capsys.readouterr().out
    assert main([*train, "--clip-weights", "1", "3", "--steps", "3"]) == 0
    for flags, code in (
        (["--clip-weights", "1", "1"], "wrong_settings"),
        (["--clip-weights", "1"], "wrong_weights"),
        ([], "wrong_settings"),
    ):
        assert main([*train, *flags, "--steps", "4"]) == 1
        assert f"[{code}]" in capsys.readouterr().err
    other = ["train", "--clips", str(others), str(small_clips), "--out", str(run), "--config", str(small_model)]
    assert main([*other, "--clip-weights", "1", "3", "--steps", "4"]) == 1
    assert "[other_clips]" in capsys.readouterr().err

    report = tmp_path / "report"
    assert main(["evaluate", "--checkpoint", str(run), *clips, "--out", str(report)]) == 0
    counts = {place: len(ClipReader(place, "test")) for place in (str(small_clips), str(others))}
    found = json.loads((report / "report.json").read_text())
    assert {place: each["clips"] for place, each in found["data_sets"].items()} == counts
    assert found["counts"]["clips"] == sum(counts.values())
    assert {source["source"].split("/")[0] for source in found["sources"]} == {"sea", "lake"}
    assert found["memorisation"] is not None  # it knows that these are the clips it was trained on

    capsys.readouterr()
    assert main(["probe", *clips, "--minutes", "0.01"]) == 2
    assert "[missing_flag]" in capsys.readouterr().err
    assert main(["probe", *clips, "--minutes", "0.01", "--out", str(tmp_path / "probe")]) == 0
    probed = json.loads((tmp_path / "probe" / "probe.json").read_text())
    assert probed["clips_by_data_set"] == {
        place: len(ClipReader(place, ("train", "val", "test"))) for place in (str(small_clips), str(others))
    }
