"""What manifests say of files, and which labels are selected: each worked out by hand."""

import hashlib
import json
from fractions import Fraction
from pathlib import Path

import pytest
from helpers.finding import found_names, touch

from s2v_ray.errors import UserError
from s2v_ray.preparation.sources.find import find_sources
from s2v_ray.preparation.sources.source import Source
from s2v_ray.storage.paths import user_location


def from_manifest(folder: Path, text: str, **options: object) -> tuple[list[Source], list[str]]:
    """The sources that the manifest `text` names in `folder`, and the names of what is missing."""
    manifest = folder.parent / "manifest"
    manifest.write_text(text)
    sources, missing = find_sources([str(folder)], manifest=str(manifest), **options)
    return sources, [reject.source for reject in missing]


VGGSOUND = """---g-f_I2yQ,1,people marching,test
--0PQM4-hqg,30,waterfall burbling,train
AAA_bbb-ccc,7,fireworks banging,train
AAA_bbb-ccc,90,fireworks banging,train
gone0000000,3,Fireworks Banging,train
"""


def test_vggsound(tmp_path):
    videos = touch(
        tmp_path / "videos",
        "part1/---g-f_I2yQ_000001.mp4",
        "part2/--0PQM4-hqg_30000_40000.mp4",
        "AAA_bbb-ccc_000007.mp4",
        "AAA_bbb-ccc_000090.mp4",
        "not_in_the_list.mp4",
    )
    sources, missing = from_manifest(videos, VGGSOUND)
    assert missing == ["gone0000000_000003.mp4"]
    found = {source.name: (source.labels, source.group, source.start_seconds) for source in sources}
    assert found == {
        "part1/---g-f_I2yQ_000001.mp4": (("people marching",), "---g-f_I2yQ", None),
        "part2/--0PQM4-hqg_30000_40000.mp4": (("waterfall burbling",), "--0PQM4-hqg", None),
        "AAA_bbb-ccc_000007.mp4": (("fireworks banging",), "AAA_bbb-ccc", None),
        "AAA_bbb-ccc_000090.mp4": (("fireworks banging",), "AAA_bbb-ccc", None),
    }
    assert {source.split for source in sources if source.group == "---g-f_I2yQ"} == {"test"}
    chosen, missing = from_manifest(videos, VGGSOUND, select=("FIREWORKS banging",))
    assert [source.name for source in chosen] == ["AAA_bbb-ccc_000007.mp4", "AAA_bbb-ccc_000090.mp4"]
    assert missing == ["gone0000000_000003.mp4"]


def test_where_the_data_have_no_val_a_tenth_of_train_becomes_it_by_the_hash(tmp_path):
    ids = [f"video{number:04d}" for number in range(300)]
    videos = touch(tmp_path / "videos", *(f"{name}_000000.mp4" for name in ids))
    sources, _ = from_manifest(
        videos, "".join(f"{name},0,sea,{'test' if name < 'video0050' else 'train'}\n" for name in ids)
    )
    assert {source.group for source in sources if source.split == "test"} == set(ids[:50])
    val = {source.group for source in sources if source.split == "val"}
    by_hash = sorted(ids[50:], key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    assert val == set(by_hash[:25])
    few, _ = from_manifest(videos, "".join(f"{name},0,sea,train\n" for name in ids[:2]))
    assert sorted(source.split for source in few) == ["train", "val"]


AUDIOSET = """# Segments csv created Sun Mar  5 10:54:25 2017
# num_ytids=22160, num_segs=22160, num_unique_labels=527, num_positive_labels=52882
# YTID, start_seconds, end_seconds, positive_labels
--PJHxphWEs, 30.000, 40.000, "/m/09x0r,/t/dd00088"
--ZhevVpy1s, 50.000, 60.000, "/m/012xff"
--aE2O5G5WE, 0.000, 10.000, "/m/03fwl,/m/0g6b5,/m/09x0r"
--aO5cdqSAg, 2.500, 9.250, "/m/034srq"
"""


def test_audioset(tmp_path):
    videos = touch(
        tmp_path / "videos",
        "--PJHxphWEs.mp4",
        "--aE2O5G5WE_000000.mp4",
        "--aE2O5G5WE.mp4",
        "--aO5cdqSAg_2500_9250.mp4",
    )
    sources, missing = from_manifest(videos, AUDIOSET)
    assert missing == ["--ZhevVpy1s_000050.mp4"]
    assert [(source.name, source.start_seconds, source.end_seconds) for source in sources] == [
        ("--PJHxphWEs.mp4@30.000-40.000", 30, 40),  # the whole video, so that the times apply
        ("--aE2O5G5WE_000000.mp4", None, None),  # cut already
        ("--aO5cdqSAg_2500_9250.mp4", None, None),
    ]
    assert sources[0].path == str(videos / "--PJHxphWEs.mp4")
    assert [source.split for source in sources] == ["", "", ""]
    for wanted in ("/m/0g6b5", "fireworks", "Fireworks"):
        chosen, missing = from_manifest(videos, AUDIOSET, select=(wanted,))
        assert [source.group for source in chosen] == ["--aE2O5G5WE"]
        assert missing == []
    chosen, _ = from_manifest(videos, AUDIOSET, select=("waves", "Clapping", "Fireworks")[::2])
    assert [source.labels for source in chosen] == [
        ("/m/03fwl", "/m/0g6b5", "/m/09x0r", "Fireworks"),
        ("/m/034srq", "Waves"),
    ]


UNAV = {
    "database": {
        "aaa": {
            "subset": "train",
            "duration": 42.7,
            "annotations": [
                {"label": "sea waves", "label_id": 3, "segment": [0.1, 10.0]},
                {"label": "sea waves", "label_id": 3, "segment": [20, 30.5]},
                {"label": "people clapping", "label_id": 4, "segment": [8.123456789, 12]},
            ],
        },
        "bbb": {"subset": "validation", "annotations": [{"label": "sea waves", "segment": [0, 5]}]},
        "ccc": {"subset": "test", "annotations": [{"label": "sea waves", "segment": [0, 5]}]},
    }
}


def test_unav100(tmp_path):
    videos = touch(tmp_path / "videos", "aaa.mp4", "bbb.mp4")
    sources, missing = from_manifest(videos, json.dumps(UNAV))
    assert missing == ["ccc.mp4@0.000-5.000"]
    assert sources == [
        Source(
            str(videos / "aaa.mp4"),
            "aaa.mp4@0.100-12.000",  # two annotations that overlap
            Fraction(1, 10),
            Fraction(12),
            ("sea waves", "people clapping"),
            "train",
            "aaa",
        ),
        Source(
            str(videos / "aaa.mp4"),
            "aaa.mp4@20.000-30.500",
            Fraction(20),
            Fraction(61, 2),
            ("sea waves",),
            "train",
            "aaa",
        ),
        Source(str(videos / "bbb.mp4"), "bbb.mp4@0.000-5.000", Fraction(0), Fraction(5), ("sea waves",), "val", "bbb"),
    ]
    chosen, _ = from_manifest(videos, json.dumps(UNAV), select=("people clapping",))
    assert [source.name for source in chosen] == ["aaa.mp4@8.123456789-12.000"]


GREATEST_HITS = """filename,start_time,occurring_time,end_time,material,action_type,effect
2015-02-16-16-49-06_denoised_67.mp4,0.177437999,2.677438,5.177438001,ceramic,hit,static
2015-02-16-16-49-06_denoised_92.mp4,1.175197999,3.675198,6.175198001,ceramic,scratch,None
2015-02-16-16-49-06_denoised_308.mp4,9.781135999,12.281136,14.781136001,metal,hit,rigid-motion
2015-02-16-16-56-35_denoised_121.mp4,2.316343999,4.816344,7.316344001,cloth,hit,deform
2015-02-16-16-56-35_denoised_187.mp4,4.963707999,7.463708,9.963708001,cloth,hit,static
"""


def test_greatest_hits_uses_a_recording_once_or_else_the_cut_files(tmp_path):
    videos = touch(tmp_path / "videos", "2015-02-16-16-49-06_denoised.mp4", "2015-02-16-16-56-35_denoised_121.mp4")
    sources, missing = from_manifest(videos, GREATEST_HITS)
    assert missing == ["2015-02-16-16-56-35_denoised.mp4@4.963707999-9.963708001"]
    assert [(source.name, source.labels, source.group) for source in sources] == [
        (
            "2015-02-16-16-49-06_denoised.mp4@0.177437999-6.175198001",
            ("ceramic", "hit", "static", "scratch"),
            "2015-02-16-16-49-06_denoised.mp4",
        ),
        (
            "2015-02-16-16-49-06_denoised.mp4@9.781135999-14.781136001",
            ("metal", "hit", "rigid-motion"),
            "2015-02-16-16-49-06_denoised.mp4",
        ),
        ("2015-02-16-16-56-35_denoised_121.mp4", ("cloth", "hit", "deform"), "2015-02-16-16-56-35_denoised.mp4"),
    ]


PLAIN = """path,start,end,split
sea/a.mp4,12,22,train
sea/a.mp4,0.5,,train
clap/b.mp4,,,test
clap/c.mp4,,3.25,
clap/c.mp4,,3.25,
val.mp4,,,val
"""


def test_plain_csv(tmp_path):
    videos = touch(tmp_path / "videos", "sea/a.mp4", "clap/b.mp4", "clap/c.mp4", "val.mp4")
    sources, missing = from_manifest(videos, PLAIN)
    assert missing == []
    found = [(s.name, s.start_seconds, s.end_seconds, s.labels, s.split, s.group) for s in sources]
    assert found == [
        ("clap/b.mp4", None, None, ("clap",), "test", "clap/b.mp4"),
        ("clap/c.mp4@-3.250", None, Fraction(13, 4), ("clap",), "", "clap/c.mp4"),
        ("sea/a.mp4@0.500-", Fraction(1, 2), None, ("sea",), "train", "sea/a.mp4"),
        ("sea/a.mp4@12.000-22.000", 12, 22, ("sea",), "train", "sea/a.mp4"),
        ("val.mp4", None, None, (), "val", "val.mp4"),
    ]
    chosen, _ = from_manifest(videos, "label,path\nloud,sea/a.mp4\nsoft,clap/b.mp4\n", select=("loud",))
    assert [(source.name, source.labels) for source in chosen] == [("sea/a.mp4", ("loud",))]


def test_paths_may_be_relative_to_the_manifest_and_absolute_within(tmp_path):
    touch(tmp_path, "lists/videos/a.mp4", "videos/b.mp4", "videos/c.mp4")
    manifest = tmp_path / "lists" / "list.csv"
    manifest.write_text(f"\ufeffpath,start,end\r\n./videos//a.mp4,,\r\n{tmp_path}/videos/b.mp4,,\r\n\r\nc.mp4,,\r\n")
    sources, missing = find_sources([str(tmp_path / "videos")], manifest=str(manifest))
    assert missing == []
    assert [(source.name, source.path) for source in sources] == [
        ("b.mp4", f"{tmp_path}/videos/b.mp4"),
        ("c.mp4", f"{tmp_path}/videos/c.mp4"),
        ("videos/a.mp4", f"{tmp_path}/lists/videos/a.mp4"),
    ]
    manifest.write_text("path,start,end\nvideos/a.mp4,,\n")
    assert found_names(manifest=str(manifest)) == ["videos/a.mp4"]
    assert found_names(manifest=user_location(f"file://{manifest}", "--manifest")) == ["videos/a.mp4"]


def test_paths_never_leave_their_folder(tmp_path):
    videos = touch(tmp_path / "videos", "a.mp4")
    touch(tmp_path, "secret.mp4", "videos2/x.mp4")
    for path in ("../secret.mp4", "x/../../secret.mp4", "/etc/passwd", "s3://bucket/a.mp4", "file:///etc/passwd"):
        with pytest.raises(UserError, match=r"manifest, line 3: .*must"):
            from_manifest(videos, f"path,start,end\na.mp4,,\n{path},,\n")


def test_times_of_any_precision_give_different_names(tmp_path):
    videos = touch(tmp_path / "videos", "a.mp4")
    begins = ["0.00000000000000000001", "0.00000000000000000002", "0.001", "0.0010", "1e-3"]
    rows = [f"a.mp4,{begin},1999999.5" for begin in begins] + ["a.mp4,999999999.00000000000000000001,"]
    sources, _ = from_manifest(videos, "\n".join(["path,start,end", *rows]))
    assert [source.name for source in sources] == [
        "a.mp4@0.00000000000000000001-1999999.500",
        "a.mp4@0.00000000000000000002-1999999.500",
        "a.mp4@0.001-1999999.500",  # three times the same
        "a.mp4@999999999.00000000000000000001-",
    ]
    assert len({source.key for source in sources}) == 4


def test_a_file_called_like_a_part_of_another_is_refused(tmp_path):
    videos = touch(tmp_path / "videos", "a.mp4", "a.mp4@0.000-1.000")
    with pytest.raises(UserError, match=r"'a\.mp4@0\.000-1\.000'") as error:
        from_manifest(videos, "path,start,end\na.mp4,0,1\na.mp4@0.000-1.000,,\n")
    assert error.value.code == "same_name"


def test_parts_of_a_file_may_be_in_different_splits(tmp_path):
    videos = touch(tmp_path / "videos", "a.mp4")
    sources, _ = from_manifest(videos, "path,start,end,split\na.mp4,,8,train\na.mp4,8,9,test\na.mp4,2,6,train\n")
    assert [(source.name, source.split) for source in sources] == [
        ("a.mp4@-8.000", "train"),
        ("a.mp4@2.000-6.000", "train"),
        ("a.mp4@8.000-9.000", "test"),
    ]


@pytest.mark.parametrize(
    "rows",
    [
        "a.mp4,0,1.5,train\na.mp4,1,2,test\n",  # half a second is in both
        "a.mp4,0,9,train\na.mp4,1,2,test\n",
        "a.mp4,,,train\na.mp4,1,2,test\n",
        "a.mp4,0,1,train\na.mp4,5,6,\n",  # it is not said which
    ],
)
def test_moments_in_two_splits_are_refused(tmp_path, rows):
    videos = touch(tmp_path / "videos", "a.mp4")
    with pytest.raises(UserError, match=r"line 3 .*'a.mp4' .* line 2 .*'train'") as error:
        from_manifest(videos, f"path,start,end,split\n{rows}")
    assert error.value.code == "two_splits"


def test_paths_in_a_users_own_manifest_may_lead_anywhere(tmp_path, monkeypatch):
    videos = touch(tmp_path / "videos", "a.mp4")
    touch(tmp_path, "home/b.mp4", "elsewhere/c.mp4", "d.mp4")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    rows = ["videos/../videos/a.mp4", "~/b.mp4", f"{tmp_path}/elsewhere/c.mp4", "../d.mp4", "/no/such.mp4"]
    sources, missing = from_manifest(videos, "\n".join(["path", *rows]), own_manifest=True)
    inside = str(tmp_path).lstrip("/")
    assert missing == ["no/such.mp4"]
    assert {source.name: source.path for source in sources} == {
        "a.mp4": f"{videos}/a.mp4",
        "home/b.mp4": f"{tmp_path}/home/b.mp4",  # the manifest's folder is a root, too
        "elsewhere/c.mp4": f"{tmp_path}/elsewhere/c.mp4",
        "d.mp4": f"{tmp_path}/d.mp4",
    }
    manifest = touch(tmp_path / "lists", "x") / "list.csv"
    manifest.write_text(f"path\n{tmp_path}/elsewhere/c.mp4\n")
    (source,), _ = find_sources([], manifest=str(manifest), own_manifest=True)
    assert (source.name, source.labels[-1]) == (f"{inside}/elsewhere/c.mp4", "elsewhere")


def test_a_file_name_that_is_there_twice_is_refused(tmp_path):
    videos = touch(tmp_path / "videos", "raw/aaa.mp4", "small/aaa.mp4")
    with pytest.raises(UserError, match=r"entry 'aaa', annotation 1: 'aaa.mp4' .*2 times") as error:
        from_manifest(videos, json.dumps(UNAV))
    assert error.value.code == "same_name"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("path,start,end\na.mp4,1,2\na.mp4,5,4\n", r"line 3: 'a.mp4,5,4' can't be used: it ends at 4 s"),
        ("path,start,end\na.mp4,1,1\n", "line 2"),
        ("path,start,end\na.mp4,,0\n", "line 2"),
        ("path,start,end\na.mp4,-1,4\n", r"line 2: .*'-1' is not a number of seconds"),
        ("path,start,end\na.mp4,nan,4\n", r"line 2: .*'nan'"),
        ("path,start,end\na.mp4,1e999999999,\n", "line 2"),
        ("path,start,end\na.mp4,1\n", r"line 2: .*2 columns, but must have 3"),
        ("path,start,end\n,1,2\n", r"line 2: .*path"),
        (f"path,start,end\n{'x' * 300},1,2\n", r"line 2: .*path"),
        ('path,start,end\n"a.mp4,1,2\nb.mp4,1,2\n', r"line 2: not a line of CSV"),
        ("path,start,end,split\na.mp4,1,2,dev\n", r"line 2: .*split is 'dev', but must be train, val, test"),
        ("path,start,end,fps\na.mp4,1,2,3\n", r"header 'path,start,end,fps', but must have 'path'"),
        ("aaa,1,sea,train\nbbb,x,sea,train\n", r"line 2: .*'x' is not a number of seconds"),
        ("aaa,1,sea,train\nbbb,1,sea,dev\n", r"line 2: .*must be train or test"),
        ("aaa,1,sea,train\n../b,1,sea,train\n", r"line 2: .*letters, digits"),
        ("aaa,1,sea,train\nbbb,1,sea, and waves,train\n", r"line 2: .*5 columns, but must have 4"),
        ('# YTID\naaa, 1, 2, "/m/1"\naaa, 1, 2, "Speech"\n', r"line 3: .*must be mids"),
        ('# YTID\naaa, 3, 2, "/m/1"\n', r"line 2: .*ends at 2 s"),
        (GREATEST_HITS + "x/y.mp4,0,1,2,a,b,c\n", r"line 7: .*without folders"),
        (GREATEST_HITS + "y.mp4,0,?,2,a,b,c\n", r"line 7: .*not a number"),
        ('{"database": {"aaa": {"subset": "train"}}}', r"entry 'aaa': .*'annotations'"),
        ('{"database": {"aaa": {"subset": "x", "annotations": []}}}', r"entry 'aaa': .*subset is 'x'"),
        (
            '{"database": {"aaa": {"subset": "test", "annotations": [{"label": "l", "segment": [3, 2]}]}}}',
            r"entry 'aaa', annotation 1: .*ends at 2 s",
        ),
        (
            '{"database": {"aaa": {"subset": "test", "annotations": [{"label": "l", "segment": [NaN, 2]}]}}}',
            r"entry 'aaa', annotation 1: .*not a number",
        ),
        ('{"database": {"aaa": {"subset": "test", "annotations": [{"segment": [1, 2]}]}}}', r"annotation 1: .*'label'"),
        ('{"database":\n[1, 2}', r"line 2: not JSON"),
        ('{"videos": {}}', r"no object 'database'"),
        ("one,two\n", r"\(vggsound, audioset, unav-100, greatest-hits, csv\)"),
        ("", "vggsound, audioset"),
    ],
)
def test_a_malformed_manifest_is_refused_by_its_line(tmp_path, text, named):
    videos = touch(tmp_path / "videos", "a.mp4", "aaa_000001.mp4")
    with pytest.raises(UserError, match=named) as error:
        from_manifest(videos, text)
    assert error.value.code in ("wrong_row", "wrong_manifest", "unknown_format")
    assert str(tmp_path / "manifest") in str(error.value)
    assert "\n" not in str(error.value)


def test_the_format_can_be_named(tmp_path):
    videos = touch(tmp_path / "videos", "aaa_000001.mp4")
    text = "aaa,1,path,train\n"  # a class called like a column
    with pytest.raises(UserError, match="header"):
        from_manifest(videos, text)
    assert from_manifest(videos, text, manifest_format="vggsound")[0][0].labels == ("path",)
    (tmp_path / "latin.csv").write_bytes("path\nü.mp4".encode("latin-1"))
    for options, named, code in (
        ({"manifest": str(tmp_path / "manifest"), "manifest_format": "grid"}, "'grid',.*vggsound", "unknown_format"),
        ({"manifest_format": "vggsound"}, "'vggsound'.*--manifest", "missing_setting"),
        ({"manifest": str(tmp_path / "none.csv")}, r"none\.csv", "not_found"),
        ({"manifest": str(tmp_path / "latin.csv")}, r"latin\.csv.*UTF-8", "wrong_manifest"),
    ):
        with pytest.raises(UserError, match=named) as error:
            find_sources([str(videos)], **options)
        assert error.value.code == code


def test_a_manifest_without_a_single_file_is_refused_with_an_example(tmp_path):
    videos = touch(tmp_path / "videos", "other.mp4")
    with pytest.raises(UserError, match=r"gone_000001\.mp4.*line 1") as error:
        from_manifest(videos, "gone,1,sea,train\n")
    assert error.value.code == "no_files"


def test_folders_are_labels_without_a_manifest(tmp_path):
    touch(tmp_path, "Fireworks/a.mp4", "sea/b.mp4", "train/sea/c.mp4", "d.mp4")
    assert found_names(tmp_path, select=("fireworks",)) == ["Fireworks/a.mp4"]
    assert found_names(tmp_path, select=("sea", "FIREWORKS")) == ["Fireworks/a.mp4", "sea/b.mp4", "train/sea/c.mp4"]


def test_a_selection_of_nothing_names_the_closest_labels_or_the_most_frequent(tmp_path):
    videos = touch(tmp_path / "videos", "a_000001.mp4")
    labels = ["fireworks banging", "fire crackling", "dog barking", *(f"class {n}" for n in range(20))]
    text = "".join(f"a,1,{label},train\n" for label in ["dog barking", *labels])
    for wanted, offered in (
        ("firework banging", r"'firework banging' .*'fireworks banging'"),
        ("fire", r"'fire' .*'(fireworks banging', 'fire crackling|fire crackling', 'fireworks banging)'"),
        ("zyx", r"'zyx' .*'dog barking', .* and 13 more"),
    ):
        with pytest.raises(UserError, match=offered) as error:
            from_manifest(videos, text, select=("dog barking", wanted))
        assert error.value.code == "unknown_label"
    assert str(error.value).count("'") == 2 * (10 + 1)
    touch(tmp_path / "flat", "a.mp4")
    with pytest.raises(UserError, match="no labels"):
        find_sources([str(tmp_path / "flat")], select=("sea",))
