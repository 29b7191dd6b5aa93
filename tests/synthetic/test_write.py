"""Synthetic videos as files."""

import av
import numpy as np
import pytest

from s2v_ray.errors import UserError
from s2v_ray.synthetic.write import synthesize


def decode(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]).astype(float)


def test_more_sources_leave_the_first_files_unchanged(tmp_path):
    written = []
    few = synthesize("sea", tmp_path / "few", sources=1, seed=4, seconds=0.5, size=64)
    more = synthesize("sea", tmp_path / "more", sources=2, seed=4, seconds=0.5, size=64, on_source=written.append)
    assert [path.name for path in more] == ["sea_0000.mp4", "sea_0001.mp4"]
    assert written == [0, 1]
    first, again, second = (decode(path) for path in (few[0], more[0], more[1]))
    assert len(first) == len(again) == len(second) == 15
    # Within the error of the encoder; another source differs far more.
    assert np.abs(first - again).mean() < 4
    assert np.abs(first - second).mean() > 20


def test_an_unknown_domain_names_the_four(tmp_path):
    with pytest.raises(UserError, match=r"'rain'.*mouth, hand, fireworks, sea") as error:
        synthesize("rain", tmp_path, sources=1, seed=0, seconds=1, size=64)
    assert error.value.code == "unknown_domain"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sources", 0),
        ("seed", -1),
        ("resample", -1),
        ("size", 8),
        ("size", 65),
        ("seconds", 0.0),
        ("seconds", float("nan")),
    ],
)
def test_numbers_out_of_range_are_refused_by_name(tmp_path, name, value):
    numbers = {"sources": 1, "seed": 0, "seconds": 1.0, "size": 64} | {name: value}
    with pytest.raises(UserError, match=f"--{name} is {value}") as error:
        synthesize("sea", tmp_path / "out", **numbers)
    assert error.value.code == "out_of_range"
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_a_file_is_refused_by_name(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UserError, match="out") as error:
        synthesize("sea", tmp_path / "out", sources=1, seed=0, seconds=1.0, size=64)
    assert error.value.code == "not_writable"
