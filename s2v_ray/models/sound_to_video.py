"""SE and G together: one picture and a sound to the frames that are asked for."""

from torch import Tensor, nn

from s2v_ray.models.sound_encoder import SoundEncoder
from s2v_ray.models.unet import UNet


class SoundToVideo(nn.Module):
    """The sound encoder hears the whole sound; the U-Net makes any of its frames."""

    def __init__(self, sound_encoder: SoundEncoder, unet: UNet) -> None:
        super().__init__()
        self.sound_encoder, self.unet = sound_encoder, unet

    def forward(
        self, image_BCHW: Tensor, wave_BS: Tensor, frame_BF: Tensor | None = None, *, frames_per_chunk: int = 0
    ) -> Tensor:
        """Pictures [B, 3, H, W] and sounds [B, S], both in [-1, 1], to frames [B, F, 3, H, W]: F of them, or all.

        `frames_per_chunk` bounds the memory, as of `UNet`.
        """
        sound_BTD = self.sound_encoder(wave_BS)
        if frame_BF is not None:
            sound_BTD = sound_BTD.take_along_dim(frame_BF.unsqueeze(-1), dim=1)
        return self.unet(image_BCHW, sound_BTD, frames_per_chunk=frames_per_chunk)
