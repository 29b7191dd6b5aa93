"""The networks: one frame per spectrum, and the shared encoder against a naive twin."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from s2v_ray.models.change import Change, apply_change
from s2v_ray.models.discriminators import ImageDiscriminator, VideoDiscriminator
from s2v_ray.models.sound_encoder import SoundEncoder
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.models.unet import Palette, UNet


def encoder(**changes: object) -> SoundEncoder:
    settings = {"spectrogram": "linear", "stft_window_frames": 1, "mel_bands": 16, "hidden": 5} | changes
    return SoundEncoder(sample_rate=3000, samples_per_frame=100, **settings)


@pytest.mark.parametrize("stft_window_frames", [1, 2, 3])
@pytest.mark.parametrize("spectrogram", ["linear", "log_mel"])
def test_there_is_one_feature_vector_per_frame(spectrogram, stft_window_frames):
    features_BTD = encoder(spectrogram=spectrogram, stft_window_frames=stft_window_frames)(torch.rand(2, 1200) - 0.5)
    assert features_BTD.shape == (2, 12, 10)


@pytest.mark.parametrize("stft_window_frames", [1, 3])
def test_the_spectrum_of_a_frame_is_that_of_its_own_samples(stft_window_frames):
    wave_BS = torch.zeros(1, 1200)
    wave_BS[0, 750] = 1.0  # the middle of frame 7
    loudness_T = encoder(stft_window_frames=stft_window_frames).spectra(wave_BS)[0].sum(1)
    assert loudness_T.argmax() == 7
    heard = loudness_T.nonzero().flatten().tolist()
    assert heard == ([7] if stft_window_frames == 1 else [6, 7, 8])


@pytest.mark.parametrize("spectra_per_frame", [2, 4])
def test_the_spectra_of_a_frame_are_joined_in_their_order(spectra_per_frame):
    wave_BS = torch.zeros(1, 1200)
    wave_BS[0, 795] = 1.0  # in the last part of frame 7
    spectra_TF = encoder(spectra_per_frame=spectra_per_frame).spectra(wave_BS)[0]
    bins = 100 // spectra_per_frame // 2 + 1
    assert spectra_TF.shape == (12, spectra_per_frame * bins)
    heard = spectra_TF.unflatten(1, (spectra_per_frame, bins)).sum(2).nonzero().tolist()
    assert heard == [[7, spectra_per_frame - 1]]


def test_convolutions_hear_two_frames_to_each_side_each():
    model = encoder(convolutions=2, convolution_channels=6)
    wave_BS = torch.zeros(1, 1200)
    click = wave_BS.clone()
    click[0, 650] = 1.0  # frame 6
    maps = [model.convolutions(model.spectra(wave).transpose(1, 2))[0].sum(0) for wave in (wave_BS, click)]
    assert (maps[0] != maps[1]).nonzero().flatten().tolist() == list(range(2, 11))
    assert model(wave_BS).shape == (1, 12, 10)


def test_thumbnails_are_predicted_only_where_asked_for():
    sound_BTD = torch.rand(2, 12, 10)
    assert encoder(thumbnails=True).thumbnails(sound_BTD).shape == (2, 12, 256)
    with pytest.raises(ValueError, match="thumbnails is False"):
        encoder().thumbnails(sound_BTD)


def test_a_tone_peaks_in_its_own_bin():
    seconds = torch.arange(1200) / 3000
    wave_BS = torch.sin(2 * torch.pi * 600 * seconds).unsqueeze(0)
    # Bins of a window of 100 samples at 3 kHz are 30 Hz apart.
    assert encoder().spectra(wave_BS)[0].argmax(1).tolist() == [20] * 12


def test_features_depend_on_later_sound():
    model = encoder()
    wave_BS = torch.zeros(1, 1200)
    clap = wave_BS.clone()
    clap[0, 900:950] = 1.0
    changed_T = (model(wave_BS) - model(clap))[0].abs().sum(1)
    assert (changed_T[:9] > 0).all()


def test_a_sound_that_does_not_divide_into_frames_is_refused():
    with pytest.raises(ValueError, match="multiple of 100"):
        encoder()(torch.zeros(1, 1250))


def warped_one_by_one(unet: UNet, image_NCHW: torch.Tensor, half_NCHW: torch.Tensor) -> torch.Tensor:
    """Each image, its pixels looked up at their displaced coordinates."""
    side = image_NCHW.shape[-1]
    raw = unet.to_warp(half_NCHW)
    bounded = torch.cat([unet.warp * side * raw[:, :2].tanh(), raw[:, 2:].sigmoid()], dim=1)
    large = functional.interpolate(bounded, size=(side, side), mode="bilinear")
    down, right = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    frames = []
    for image_CHW, (flow_x, flow_y, mask) in zip(image_NCHW, large, strict=True):
        x = (right + flow_x).clamp(0, side - 1)
        y = (down + flow_y).clamp(0, side - 1)
        left, top = x.detach().floor().long().clamp(max=side - 2), y.detach().floor().long().clamp(max=side - 2)
        across, along = x - left, y - top
        upper = image_CHW[:, top, left] * (1 - across) + image_CHW[:, top, left + 1] * across
        lower = image_CHW[:, top + 1, left] * (1 - across) + image_CHW[:, top + 1, left + 1] * across
        moved = upper * (1 - along) + lower * along
        frames.append(image_CHW * (1 - mask) + moved * mask)
    return torch.stack(frames)


class NaiveUNet(nn.Module):
    """The same function in the usual way: the image encoded for every frame, skips concatenated."""

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, image_BCHW: torch.Tensor, sound_BTD: torch.Tensor) -> torch.Tensor:
        batch, frames = sound_BTD.shape[:2]
        image_NCHW = image_BCHW.repeat_interleave(frames, dim=0)
        sound_ND = sound_BTD.reshape(batch * frames, -1)
        skips = [image_NCHW]
        for block in self.unet.down:
            skips.append(block(skips[-1]))
        x = sound_ND[:, :, None, None] * torch.ones_like(skips[-1][:, :1])
        for number, block in enumerate(self.unet.up):
            x_before = x
            both = torch.cat([x, skips[-1 - number]], dim=1)
            weight = torch.cat([block.over_x.weight, block.over_skip.weight], dim=0)
            x = block.norm(
                functional.conv_transpose2d(both, weight, block.over_x.bias, stride=2, padding=block.over_x.padding)
            )
            if block.film is not None:
                scale, shift = block.film(sound_ND).chunk(2, dim=1)
                x = x * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
            half, x = x_before, x if block.last else functional.leaky_relu(x, 0.2)
        base_NCHW = image_NCHW if self.unet.to_warp is None else warped_one_by_one(self.unet, image_NCHW, half)
        decoded = base_NCHW + x[:, :3] if self.unet.residual else torch.tanh(x)
        if self.unet.palette is not None:
            attention = self.unet.palette.places(skips[1])
            small = functional.interpolate(image_NCHW, scale_factor=0.5, mode="area")
            for number in range(attention.shape[1]):
                share = attention[:, number].flatten(1).softmax(1).unflatten(1, small.shape[2:]).unsqueeze(1)
                colour = (share * small).sum((2, 3), keepdim=True)
                decoded = decoded + x[:, 3 + number, None] * (colour - base_NCHW)
        return decoded.reshape(batch, frames, *decoded.shape[1:])


@pytest.mark.parametrize(
    ("channels", "settings"),
    [
        ((8, 16, 32, 32), {"film_levels": 3, "output": "residual"}),
        ((8, 16, 32, 32), {"film_levels": 3, "output": "residual", "palette": 5}),
        ((8, 16, 32, 32), {"film_levels": 3, "output": "residual", "palette": 2, "warp": 0.2}),
        ((8, 16, 32, 32, 32, 32), {"film_levels": 0, "output": "tanh"}),
    ],
)
def test_the_shared_encoder_equals_encoding_every_frame(channels, settings):
    torch.manual_seed(0)
    unet = UNet(resolution=64, channels=channels, sound_features=6, **settings)
    for parameter in unet.parameters():
        nn.init.normal_(parameter, std=0.1)
    naive = NaiveUNet(unet)
    target = torch.rand(2, 5, 3, 64, 64)
    outputs, gradients = [], []
    for model in (unet, naive):
        torch.manual_seed(1)
        image = (torch.rand(2, 3, 64, 64) * 2 - 1).requires_grad_()
        sound = torch.randn(2, 5, 6).requires_grad_()
        video = model(image, sound)
        unet.zero_grad()
        functional.mse_loss(video, target).backward()
        outputs.append(video.detach())
        gradients.append([image.grad, sound.grad, *(parameter.grad.clone() for parameter in unet.parameters())])
    assert (outputs[0] - outputs[1]).abs().max() < 1e-5
    for ours, theirs in zip(*gradients, strict=True):
        assert (ours - theirs).abs().max() < 1e-5
    assert any(gradient.abs().max() > 1e-4 for gradient in gradients[0])


def test_what_a_palette_mixes_follows_the_colours_of_the_image():
    torch.manual_seed(0)
    palette = Palette(channels=8, colours=3)
    image, features, weights = torch.rand(2, 3, 16, 16), torch.randn(2, 8, 8, 8), torch.randn(2, 4, 3, 16, 16)

    def mixed(image: torch.Tensor) -> torch.Tensor:
        change = Change(torch.zeros(2, 4, 3, 16, 16), weight_BTKHW=weights, colour_BCK=palette(image, features))
        return apply_change(image, change) - image.unsqueeze(1)

    assert mixed(image).abs().mean() > 0.1
    # Green, blue and red instead of red, green and blue; at half the brightness.
    assert torch.allclose(mixed(0.5 * image[:, [1, 2, 0]]), 0.5 * mixed(image)[:, :, [1, 2, 0]], atol=1e-5)


def test_a_warp_moves_what_is_in_the_image():
    image = torch.rand(1, 3, 8, 8)
    # Half a side is 4 pixels: a flow of a quarter takes each pixel's colour from the one to the right of it.
    flow = torch.tensor([0.25, 0.0]).reshape(1, 1, 2, 1, 1).expand(1, 2, 2, 8, 8)
    mask = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1, 1).expand(1, 2, 1, 8, 8)
    moved, still = apply_change(image, Change(torch.zeros(1, 2, 3, 8, 8), flow_BT2HW=flow, mask_BT1HW=mask))[0]
    assert torch.allclose(moved[:, :, :7], image[0, :, :, 1:], atol=1e-5)
    assert torch.allclose(moved[:, :, 7], image[0, :, :, 7], atol=1e-5)  # the edge extends outwards
    assert torch.equal(still, image[0])


def test_each_logit_of_stacked_frames_sees_all_of_them():
    torch.manual_seed(0)
    discriminator = VideoDiscriminator(channels=(8, 16), frames=5, stacked=True)
    video = torch.rand(2, 5, 3, 32, 32)
    assert discriminator(video).shape == (2, 8 * 8)
    later = video.clone()
    later[:, 4] = 0
    assert (discriminator(later) - discriminator(video)).abs().min() > 0  # the last frame counts in every logit


def test_requested_frames_equal_those_of_the_whole_video():
    torch.manual_seed(0)
    unet = UNet(resolution=32, channels=(4, 8, 8), sound_features=10, film_levels=2, output="residual")
    nn.init.normal_(unet.up[-1].over_x.weight, std=0.3)
    model = SoundToVideo(encoder(), unet)
    image_BCHW, wave_BS = torch.rand(2, 3, 32, 32), torch.rand(2, 1200) - 0.5
    frame_BF = torch.tensor([[3, 0, 11], [5, 6, 7]])
    whole, some = model(image_BCHW, wave_BS), model(image_BCHW, wave_BS, frame_BF)
    assert whole.shape == (2, 12, 3, 32, 32)
    assert (whole[0, 3] - whole[0, 11]).abs().max() > 1e-4
    for clip in range(2):
        assert torch.allclose(some[clip], whole[clip, frame_BF[clip]], atol=1e-6)


@pytest.mark.parametrize(("channels", "film_levels", "output"), [((8, 8, 8, 8, 8, 8), 0, "tanh"), ((8, 8), 1, "tanh")])
def test_the_strength_of_the_sound_reaches_the_output(channels, film_levels, output):
    # Norms on tiny maps would normalise it away.
    torch.manual_seed(0)
    model = UNet(resolution=64, channels=channels, sound_features=4, film_levels=film_levels, output=output)
    sound = torch.randn(1, 1, 4)
    image = torch.rand(1, 3, 64, 64)
    quiet, loud = model(image, sound), model(image, 3 * sound)
    assert (quiet - loud).abs().mean() > 1e-3 * quiet.abs().mean()


def test_no_network_couples_the_samples_of_a_batch():
    torch.manual_seed(0)
    video = torch.rand(3, 4, 3, 32, 32)
    for discriminator, clips in (
        (ImageDiscriminator(channels=(8, 16)), video[:, 0]),
        (VideoDiscriminator(channels=(8, 16), frames=5), video),
    ):
        assert torch.allclose(discriminator(clips)[:1], discriminator(clips[:1]), atol=1e-6)
        assert discriminator(clips).shape[0] == 3
    model = UNet(resolution=32, channels=(8, 16), sound_features=4, film_levels=1, output="tanh")
    sound = torch.randn(3, 5, 4)
    assert torch.allclose(model(video[:, 0], sound)[:1], model(video[:1, 0], sound[:1]), atol=1e-6)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="multiple of 16"):
        UNet(resolution=40, channels=(4, 4, 4, 4), sound_features=4, film_levels=0, output="tanh")
    with pytest.raises(ValueError, match=r"\[N, 3, H, W\]"):
        ImageDiscriminator(channels=(4,))(torch.zeros(1, 2, 3, 8, 8))
    with pytest.raises(ValueError, match=r"\[B, T, 3, H, W\]"):
        VideoDiscriminator(channels=(4,), frames=3)(torch.zeros(1, 3, 4, 8, 8))
    with pytest.raises(ValueError, match="must be 0"):
        UNet(resolution=32, channels=(4, 4), sound_features=4, film_levels=0, output="tanh", palette=2)
