"""Frames that say how they are to be turned or mirrored, beside other things that FFmpeg tells of them."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageCms

from s2v_ray.media.image import read_picture

# EXIF's orientations: what was done to the upright picture to store it.
STORED = {
    1: lambda picture_HWC: picture_HWC,
    2: lambda picture_HWC: picture_HWC[:, ::-1],
    3: lambda picture_HWC: picture_HWC[::-1, ::-1],
    4: lambda picture_HWC: picture_HWC[::-1],
    5: lambda picture_HWC: picture_HWC.transpose(1, 0, 2),
    6: lambda picture_HWC: picture_HWC.transpose(1, 0, 2)[::-1],
    7: lambda picture_HWC: picture_HWC.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda picture_HWC: picture_HWC.transpose(1, 0, 2)[:, ::-1],
}


def video_of_png(path: Path, picture_HWC: np.ndarray, orientation: int) -> None:
    """A QuickTime video of two equal PNGs, each with EXIF and a named colour profile."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(picture_HWC).save(path.with_suffix(".png"), exif=exif, icc_profile=profile)
    with av.open(path.with_suffix(".png")) as image, av.open(path, "w") as video:
        stream = video.add_stream_from_template(image.streams.video[0])
        content = b"".join(bytes(packet) for packet in image.demux())
        for time in (0, 1):
            packet = av.Packet(content)
            packet.stream, packet.time_base, packet.pts, packet.dts = stream, stream.time_base, time, time
            packet.is_keyframe = True
            video.mux(packet)


@pytest.mark.parametrize("orientation", STORED)
def test_exif_in_a_video_turns_and_mirrors_its_frames(tmp_path: Path, orientation: int) -> None:
    upright_HWC = np.random.default_rng(0).integers(0, 255, (6, 10, 3), np.uint8)
    path = tmp_path / "video.mov"
    video_of_png(path, np.ascontiguousarray(STORED[orientation](upright_HWC)), orientation)
    # Twice, since what was freed twice ends the process later.
    for _ in range(2):
        np.testing.assert_array_equal(read_picture(path), upright_HWC)
