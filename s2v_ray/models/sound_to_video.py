"""SE and G together: an image and a sound to the requested frames."""

from torch import Tensor, nn

from s2v_ray.models.sound_encoder import SoundEncoder
from s2v_ray.models.unet import UNet


class SoundToVideo(nn.Module):
    """The sound encoder reads the whole sound; the U-Net then makes any of its frames."""

    def __init__(self, sound_encoder: SoundEncoder, unet: UNet) -> None:
        super().__init__()
        self.sound_encoder, self.unet = sound_encoder, unet

    def forward(
        self,
        image_BCHW: Tensor,
        wave_BS: Tensor,
        frame_BF: Tensor | None = None,
        *,
        frames_per_chunk: int = 0,
        with_thumbnails: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Images [B, 3, H, W] and sounds [B, S], both in [-1, 1], to frames [B, F, 3, H, W].

        `frame_BF` holds the indices of the frames to make, all frames by default. `frames_per_chunk` bounds the
        memory, see `UNet.forward`. `with_thumbnails` adds `SoundEncoder.thumbnails` of all frames.
        """
        all_BTD = sound_BTD = self.sound_encoder(wave_BS)
        if frame_BF is not None:
            sound_BTD = sound_BTD.take_along_dim(frame_BF.unsqueeze(-1), dim=1)
        video_BTCHW: Tensor = self.unet(image_BCHW, sound_BTD, frames_per_chunk=frames_per_chunk)
        return (video_BTCHW, self.sound_encoder.thumbnails(all_BTD)) if with_thumbnails else video_BTCHW
