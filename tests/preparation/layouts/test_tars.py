"""Videos in tars of WebDataset: found, labelled and split as these say, and cut where they lie."""

import io
import tarfile

import pytest
import webdataset
from helpers.layouts import VIDEOS, clips_of, found, plain_clips, write_shard
from helpers.videos import MEDIA


def test_videos_in_a_tar_are_cut_where_they_lie(tmp_path):
    write_shard(tmp_path / "shard-000000.tar", VIDEOS)
    sources, rejects = found(tmp_path)
    assert rejects == {}
    assert [source.name for source in sources] == sorted(
        f"shard-000000.tar/clip_{v.suffix[1:]}{v.suffix}" for v in VIDEOS
    )
    assert sources[3].labels == ("7", "the mpg film", "a drum")
    for source in sources:
        expected = plain_clips(MEDIA / f"demo.{source.name.rpartition('.')[2]}")
        assert expected
        assert clips_of(source) == expected


def test_split_and_labels_of_tars_choose(tmp_path):
    for name in ("sea-train-000000.tar", "sea-train-000001.tar", "sea-test-000000.tar"):
        write_shard(tmp_path / name, VIDEOS[:1])
    sources, _ = found(tmp_path / "*.tar")
    # Of two groups of train, one becomes val, as of any data that come with train but without val.
    assert sorted(source.split for source in sources) == ["test", "train", "val"]
    assert sources[0].split == "test"
    assert len(found(tmp_path, select=("the mp4 film",))[0]) == 3
    sources, _ = found(tmp_path / "sea-train*.tar")
    assert {source.split for source in sources} == {""}  # what has one split alone has none


def test_two_cameras_of_one_key_are_in_one_split(tmp_path):
    with webdataset.TarWriter(str(tmp_path / "a.tar")) as writer:
        video = VIDEOS[0].read_bytes()
        writer.write({"__key__": "take/one", "left.mp4": video, "right.mp4": video})
    sources, _ = found(tmp_path)
    assert [source.name for source in sources] == ["a.tar/take/one.left.mp4", "a.tar/take/one.right.mp4"]
    assert {source.group for source in sources} == {"a.tar/take/one"}


def test_what_is_wrong_in_a_tar_costs_only_itself(tmp_path):
    """Members out of the folder, links, pickles, doubles, a tar that breaks off, compressed ones."""
    video = VIDEOS[0].read_bytes()
    with tarfile.open(tmp_path / "odd.tar", "w") as tar:
        for name, content in (
            ("../../up.mp4", video),
            ("/etc/root.mp4", video),
            ("good.mp4", video),
            ("good.mp4", b"the same name again"),
            ("empty.mp4", b""),
            ("weights.pth", b"\x80\x04cposix\nsystem\n."),
            ("code.pyd", b"\x80\x04cposix\nsystem\n."),
            ("broken.json", b"{" * 100_000),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link.mp4")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    whole = tmp_path / "whole.tar"
    write_shard(whole, VIDEOS[:2])
    with tarfile.open(whole) as tar:
        cut = tar.getmember("clip_mkv.mkv").offset_data + 1000
    (tmp_path / "half.tar").write_bytes(whole.read_bytes()[:cut])
    whole.unlink()
    (tmp_path / "no.tar").write_bytes(b"this is no tar at all" * 100)
    with tarfile.open(tmp_path / "small.tar.gz", "w:gz") as tar:
        tar.add(VIDEOS[0], "a.mp4")
    sources, rejects = found(tmp_path)
    assert [source.name for source in sources] == [
        *("half.tar/clip_mp4.mp4", "odd.tar/../../up.mp4", "odd.tar//etc/root.mp4", "odd.tar/empty.mp4"),
        "odd.tar/good.mp4",
    ]
    assert rejects == {
        "half.tar": "unreadable",
        "half.tar/clip_mkv.mkv": "unreadable",
        "no.tar": "unreadable",
        "odd.tar/good.mp4": "same_name",
        "small.tar.gz": "unreadable",
    }
    assert all("/" not in source.key for source in sources)  # the names of what is written
    assert clips_of(sources[3]) == []
    assert all(clips_of(source) == plain_clips(VIDEOS[0]) for source in (*sources[:3], sources[4]))


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A tar's header with any size, also one that tarfile would not write."""
    info = tarfile.TarInfo(name)
    info.type = kind
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    "rest",
    [
        header("back.mp4", -512),  # the next header would be this one
        header("back.txt", -1024),
        header("huge.mp4", 2**70),
        header("pax", 512, tarfile.XHDTYPE)
        + b"31 size=99999999999999999999999\n".ljust(512, b"\0")
        + header("a.mp4", 3),
        header("pax", -512, tarfile.XHDTYPE),
        (header("long", 1, tarfile.GNUTYPE_LONGNAME) + b"a".ljust(512, b"\0")) * 1500,
    ],
)
def test_headers_that_lie_cost_only_what_follows(tmp_path, rest):
    video = VIDEOS[0].read_bytes()
    good = header("good.mp4", len(video)) + video + bytes(-len(video) % 512)
    (tmp_path / "a.tar").write_bytes(good + rest + bytes(1024))
    sources, rejects = found(tmp_path)
    assert [source.name for source in sources] == ["a.tar/good.mp4"]
    assert rejects["a.tar"] == "unreadable"
