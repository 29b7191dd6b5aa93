"""Zips by strangers: nothing is written, and what they hold is read within bounds."""

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from s2v_ray.errors import UserError
from s2v_ray.storage.archive import is_archive, open_archive


def make(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            file.writestr(name, content)
    return path


def refusal(path: Path, name: str = "a") -> str:
    with pytest.raises(UserError) as caught, open_archive(str(path)) as archive:
        archive.read(name)
    return caught.value.code


def test_files_at_the_top_or_in_one_folder_are_read(tmp_path: Path) -> None:
    for number, folder in enumerate(("", "model/")):
        path = make(tmp_path / f"{number}.zip", (f"{folder}a", b"1"), (f"{folder}onnx/b", b"2"))
        with open_archive(str(path)) as archive:
            assert (archive.read("a"), archive.read("onnx/b"), archive.read("c")) == (b"1", b"2", None)


def test_what_the_finder_adds_is_left_alone(tmp_path: Path) -> None:
    path = make(tmp_path / "mac.zip", ("model/a", b"1"), ("__MACOSX/model/._a", b"2"))
    with open_archive(str(path)) as archive:
        assert archive.read("a") == b"1"


def test_only_files_named_zip_are_archives(tmp_path: Path) -> None:
    (tmp_path / "folder.zip").mkdir()
    assert is_archive(make(tmp_path / "a.ZIP", ("a", b"")))
    assert not is_archive(tmp_path / "folder.zip")
    assert not is_archive(tmp_path / "none.zip")


def test_names_that_lead_elsewhere_write_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = make(tmp_path / "in" / "a.zip", ("../up", b"1"), ("a", b"2"))
    with open_archive(str(path)) as archive:
        assert archive.read("a") == b"2"
    assert [each.name for each in tmp_path.rglob("*")] == ["in", "a.zip"]


def test_links_bombs_and_doubles_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("a")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert refusal(make(tmp_path / "link.zip", (link, b"/etc/passwd"))) == "unusable_archive"
    # 64 MiB of zeros in 64 KiB: a thousandth.
    assert refusal(make(tmp_path / "bomb.zip", ("a", bytes(2**26)))) == "unusable_archive"
    assert refusal(make(tmp_path / "many.zip", *((str(number), b"") for number in range(1001)))) == "unusable_archive"
    with zipfile.ZipFile(tmp_path / "lzma.zip", "w", zipfile.ZIP_LZMA) as file:
        file.writestr("a", b"1")
    assert refusal(tmp_path / "lzma.zip") == "unusable_archive"
    with pytest.warns(UserWarning, match="Duplicate"):
        double = make(tmp_path / "double.zip", ("a", b"1"), ("a", b"2"))
    assert refusal(double) == "unusable_archive"


@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b"PK\x01\x02", b"PK\x09\x09"),
        lambda content: content[:40] + bytes(10) + content[50:],  # of what is compressed
        lambda content: content.replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
        ),  # encrypted
        lambda content: b"no zip at all" * 100,
    ],
)
def test_damaged_ones_are_refused(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = make(tmp_path / "a.zip", ("a", b"some text, " * 9 + bytes(range(256))))
    path.write_bytes(change(path.read_bytes()))
    assert refusal(path) == "unusable_archive"


def test_a_size_that_lies_is_found(tmp_path: Path) -> None:
    """The directory says 10 bytes where there are a million, so that the sum stays small."""
    path = make(tmp_path / "a.zip", ("a", bytes(10**6)))
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02") + 24
    content[at : at + 4] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    assert refusal(path) == "unusable_archive"
