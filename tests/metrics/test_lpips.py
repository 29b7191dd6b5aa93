"""LPIPS by a given file of weights."""

import pickle

import pytest
import torch
from helpers.weights import waves

from s2v_ray.errors import UserError
from s2v_ray.metrics.lpips import WEIGHTS, load_lpips

SHAPES = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}


@pytest.fixture(scope="module")
def weights_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    weights = {}
    for layer, shape in SHAPES.items():
        weights[f"features.{layer}.weight"] = waves(*shape, speed=0.7) * (2 / torch.Size(shape[1:]).numel()) ** 0.5
        weights[f"features.{layer}.bias"] = torch.zeros(shape[0])
    torch.save({**weights, "classifier.1.weight": torch.zeros(1)}, folder / WEIGHTS)
    return folder


def test_it_is_that_of_torchmetrics(weights_dir):
    lpips = load_lpips(weights_dir)
    real = waves(3, 3, 64, 64, speed=0.37)
    made = (real + 0.3 * waves(3, 3, 64, 64, speed=1.9)).clamp(-1, 1)
    # torchmetrics 1.9.0's own LPIPS on torchvision's AlexNet, given the same weights.
    assert lpips(made, real) == pytest.approx(0.09351573139429092, rel=1e-4)
    assert lpips(real, real) == 0


def test_a_missing_file_and_a_foreign_one_are_refused(weights_dir, tmp_path):
    with pytest.raises(UserError, match=WEIGHTS) as caught:
        load_lpips(tmp_path)
    assert caught.value.code == "missing_weights"
    (tmp_path / WEIGHTS).write_bytes(pickle.dumps({"features.0.weight": 3}))
    with pytest.raises(UserError, match="AlexNet") as caught:
        load_lpips(tmp_path)
    assert caught.value.code == "wrong_weights"
    torch.save({"features.0.weight": torch.zeros(2)}, tmp_path / WEIGHTS)
    with pytest.raises(UserError, match="AlexNet") as caught:
        load_lpips(tmp_path)
    assert caught.value.code == "wrong_weights"


class _Touch:
    def __reduce__(self):
        return open, ("touched", "w")


def test_nothing_in_the_file_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"features.0.weight": _Touch()}, tmp_path / WEIGHTS)
    with pytest.raises(UserError):
        load_lpips(tmp_path)
    assert not (tmp_path / "touched").exists()
