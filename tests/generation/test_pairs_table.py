"""The table of `s2v generate --pairs`: what its rows mean, and what is refused before anything is made."""

import pytest

from s2v_ray.errors import UserError
from s2v_ray.generation.pairs import Pair, read_pairs
from s2v_ray.generation.video import Options

DEFAULTS = Options(strength=0.5)


def table(folder, text, name="pairs.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_paths_are_relative_to_the_table_and_empty_cells_are_the_flags(tmp_path):
    (tmp_path / "lists").mkdir()
    rows = "\ufeffname,sound,image,strength,image_time\n\na,../s.wav,i.png,2,\nb, s3://bucket/s.wav ,/abs/i.png,,1.5\n"
    first, second = read_pairs(table(tmp_path / "lists", rows), DEFAULTS)
    assert first == Pair("a", f"{tmp_path}/lists/i.png", f"{tmp_path}/s.wav", Options(strength=2))
    assert second == Pair("b", "/abs/i.png", "s3://bucket/s.wav", Options(strength=0.5, image_seconds=1.5))


@pytest.mark.parametrize(
    ("header", "code", "named"),
    [
        ("image,sound,name,speed", "unknown_column", "'speed'"),
        ("image,sound", "missing_column", "name"),
        ("image,sound,name,name", "repeated_name", "'name'"),
        ("", "missing_column", "image and sound and name"),
    ],
)
def test_a_wrong_header_is_refused_by_name(header, code, named, tmp_path):
    with pytest.raises(UserError) as raised:
        read_pairs(table(tmp_path, f"{header}\n"), DEFAULTS)
    assert raised.value.code == code
    assert named in raised.value.message


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("i,s,../a,", "'../a'"),
        ("i,s,a/b,", "'a/b'"),
        ("i,s,.a,", "'.a'"),
        ("i,s,a.,", "'a.'"),
        ("i,s,NUL,", "'NUL'"),
        ("i,s,a:b,", "'a:b'"),
        ("i,s,a.mp4,", "leave that out"),
        (f"i,s,{'é' * 101},", "202 bytes"),
        ("i,s,,", "its name is ''"),
        (",s,a,", "its image is empty"),
        ("i,s3://k:p@b/s,a,", "password"),
        ("i,s,FIRST,", "line 2"),
        ("i,s,a,9", "--strength is 9"),
        ("i,s,a,nan", "--strength is nan"),
        ("i,s,a,loud", "'loud'"),
        ("i,s,a", "it has 3 columns"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line_and_rule(row, named, tmp_path):
    with pytest.raises(UserError) as raised:
        read_pairs(table(tmp_path, f"image,sound,name,strength\ni,s,First,\n{row}\n"), DEFAULTS)
    assert raised.value.code == "wrong_row"
    assert "line 3" in raised.value.message
    assert named in raised.value.message


def test_no_rows_and_no_text_are_refused(tmp_path):
    for text, code in (("image,sound,name\n", "no_pairs"), (b"image,sound,name\n\xff,b,c\n", "not_utf8")):
        with pytest.raises(UserError) as raised:
            read_pairs(table(tmp_path, text), DEFAULTS)
        assert raised.value.code == code
