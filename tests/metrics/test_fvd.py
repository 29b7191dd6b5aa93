"""FVD: its network by a given file of weights, and its distance by closed forms."""

import math
import pickle

import pytest
import torch
from helpers.weights import i3d_shapes, levels, synthetic_i3d_weights, waves
from torch import nn

from s2v_ray.errors import UserError
from s2v_ray.metrics import i3d
from s2v_ray.metrics.fvd import frechet_distance, fvd_features

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights():
    return synthetic_i3d_weights()


@pytest.fixture
def meta_network():
    with torch.device("meta"):  # tensors there have a shape and nothing in them
        return i3d.i3d_network().eval()


def test_it_is_the_network_of_pytorch_i3d(weights, tmp_path):
    torch.save(weights, tmp_path / i3d.WEIGHTS)
    seen = i3d.load_i3d(tmp_path, CPU)(waves(1, 3, 16, 224, 224, speed=0.37))
    assert seen.shape == (1, 400)
    # InceptionI3d of github.com/piergiaj/pytorch-i3d, given the same weights and video.
    assert seen[0, :3].tolist() == pytest.approx([0.0440075, -0.1220542, 0.1816368], abs=1e-5)
    assert seen.square().sum().item() == pytest.approx(4.82563, rel=1e-4)


def test_its_weights_are_those_of_the_file(meta_network):
    assert sum(weight.numel() for weight in meta_network.parameters()) == 12_697_264
    shapes = i3d_shapes()
    assert len(shapes) == 57 * 5 + 2  # a kernel and four of batch normalisation a unit; the logits'
    assert shapes["Mixed_3b.b1b.conv3d.weight"] == (128, 96, 3, 3, 3)
    assert shapes["Mixed_5c.b3b.bn.running_mean"] == (128,)
    assert shapes["logits.conv3d.weight"] == (400, 1024, 1, 1, 1)


def test_the_shapes_inside_worked_out_by_hand(meta_network):
    x, found = torch.empty(2, 3, 16, 224, 224, device="meta"), []
    for name, layer in meta_network.named_children():
        x = layer(x)
        if isinstance(layer, i3d.Unit | i3d.Inception):
            found.append((name, *x.shape[1:]))
    assert x.shape == (2, 400)
    assert found == [
        ("Conv3d_1a_7x7", 64, 8, 112, 112),
        ("Conv3d_2b_1x1", 64, 8, 56, 56),
        ("Conv3d_2c_3x3", 192, 8, 56, 56),
        ("Mixed_3b", 64 + 128 + 32 + 32, 8, 28, 28),
        ("Mixed_3c", 128 + 192 + 96 + 64, 8, 28, 28),
        ("Mixed_4b", 192 + 208 + 48 + 64, 4, 14, 14),
        ("Mixed_4c", 160 + 224 + 64 + 64, 4, 14, 14),
        ("Mixed_4d", 128 + 256 + 64 + 64, 4, 14, 14),
        ("Mixed_4e", 112 + 288 + 64 + 64, 4, 14, 14),
        ("Mixed_4f", 256 + 320 + 128 + 128, 4, 14, 14),
        ("Mixed_5b", 256 + 320 + 128 + 128, 2, 7, 7),
        ("Mixed_5c", 384 + 384 + 128 + 128, 2, 7, 7),
    ]


def test_a_block_is_that_of_torchs_own_modules(weights):
    x = waves(1, 192, 3, 5, 4, speed=0.3).relu()

    def unit(branch):
        kernel = weights[f"Mixed_3b.{branch}.conv3d.weight"]
        norm = nn.BatchNorm3d(len(kernel), eps=1e-3)
        layer = nn.Sequential(nn.Conv3d(*kernel.shape[1::-1], kernel.shape[2], padding="same", bias=False), norm)
        layer[0].weight.data = kernel
        prefix = f"Mixed_3b.{branch}.bn."
        named = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        norm.load_state_dict(named, strict=False)
        return nn.Sequential(layer, nn.ReLU()).eval()

    paths = (("b0",), ("b1a", "b1b"), ("b2a", "b2b"), ("b3b",))
    b0, b1, b2, b3 = (nn.Sequential(*map(unit, path)) for path in paths)
    expected = torch.cat([b0(x), b1(x), b2(x), b3(nn.MaxPool3d(3, stride=1, padding=1)(x))], dim=1)
    network = i3d.i3d_network().eval()
    network.load_state_dict(weights, strict=False)
    assert torch.allclose(network.Mixed_3b(x), expected, atol=1e-5)


def test_padding_puts_the_odd_zero_behind():
    ones = torch.ones(1, 1, 2, 4, 6)
    padded = i3d.pad_same(ones, (2, 3, 7), (2, 2, 2))
    assert padded[0, 0].amax((1, 2)).tolist() == [1, 1]
    assert padded[0, 0].amax((0, 2)).tolist() == [1, 1, 1, 1, 0]
    assert padded[0, 0].amax((0, 1)).tolist() == [0, 0, *[1] * 6, 0, 0, 0]


class _Touch:
    def __reduce__(self):
        return open, ("touched", "w")


def test_missing_and_foreign_files_are_refused_and_nothing_in_them_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=i3d.WEIGHTS) as caught:
        i3d.load_i3d(tmp_path, CPU)
    assert caught.value.code == "missing_weights"
    for foreign in ({"logits.conv3d.weight": torch.zeros(2)}, {"logits.conv3d.weight": _Touch()}):
        torch.save(foreign, tmp_path / i3d.WEIGHTS)
        with pytest.raises(UserError, match="I3D") as caught:
            i3d.load_i3d(tmp_path, CPU)
        assert caught.value.code == "wrong_weights"
    (tmp_path / i3d.WEIGHTS).write_bytes(pickle.dumps(3))
    with pytest.raises(UserError, match="I3D") as caught:
        i3d.load_i3d(tmp_path, CPU)
    assert caught.value.code == "wrong_weights"
    assert not (tmp_path / "touched").exists()
    # Fine-tuned on other classes.
    other = {name: torch.zeros(shape) for name, shape in i3d_shapes().items()}
    torch.save({**other, "logits.conv3d.bias": torch.zeros(157)}, tmp_path / i3d.WEIGHTS)
    with pytest.raises(UserError, match=r"logits\.conv3d\.bias.*\[157\].*\[400\]") as caught:
        i3d.load_i3d(tmp_path, CPU)
    assert caught.value.code == "wrong_weights"


def test_distances_in_closed_form():
    features = waves(30, 6, speed=0.7).double()
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-12)
    shift = torch.tensor([3.0, 0, 0, -4, 0, 0])
    assert frechet_distance(features + shift, features) == pytest.approx(25)
    # Rows ±a e_i: the mean is 0 and the covariance diagonal.
    ours, theirs = torch.tensor([1.0, 2, 3]), torch.tensor([2.0, 2, 5])
    crosses = [torch.cat([scale.diag(), -scale.diag()]) for scale in (ours, theirs)]
    assert frechet_distance(*crosses) == pytest.approx((1 + 0 + 4) * 2 / 5)


def test_the_distance_is_that_of_the_covariances():
    ours, theirs = waves(40, 5, speed=0.7).double(), 2 * waves(33, 5, speed=1.3).double() ** 3
    first, second = ours.T.cov(), theirs.T.cov()
    root = torch.linalg.eigvals(first @ second).sqrt().real.sum()
    expected = (ours.mean(0) - theirs.mean(0)).square().sum() + first.trace() + second.trace() - 2 * root
    assert frechet_distance(ours, theirs) == pytest.approx(expected.item())


def test_fewer_samples_than_features_and_equal_ones_give_numbers():
    ours, theirs = waves(3, 400, speed=0.7), waves(2, 400, speed=1.3)
    assert frechet_distance(ours, ours) == pytest.approx(0, abs=1e-9)
    assert math.isfinite(frechet_distance(ours, theirs))
    assert frechet_distance(torch.zeros(4, 400), torch.ones(5, 400)) == pytest.approx(400)
    assert frechet_distance(ours[:1], theirs) is None


def test_what_is_no_features_is_refused():
    with pytest.raises(ValueError, match="theirs_MD has shape"):
        frechet_distance(torch.zeros(3, 4), torch.zeros(3, 5))
    with pytest.raises(ValueError, match="ours_ND holds nan"):
        frechet_distance(torch.full((3, 4), torch.nan), torch.zeros(3, 4))


def test_windows_are_whole_and_follow_each_other():
    video = torch.linspace(-1, 1, 40)[:, None, None, None].expand(-1, 3, 8, 8)
    seen = fvd_features(video, levels)
    assert seen.shape == (2, 400)
    frames = video[:, 0, 0, 0]
    assert seen[:, :2].flatten().tolist() == pytest.approx(frames[[0, 15, 16, 31]].tolist(), abs=1e-6)
    assert fvd_features(video[:15], levels).shape == (0, 400)
    with pytest.raises(ValueError, match="video_TCHW"):
        fvd_features(3 * video, levels)
