"""High dynamic range, wide primaries and colour profiles become sRGB. Inputs are made by the published formulas."""

import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from helpers.icc import ADOBE_RGB, DISPLAY_P3, cmyk_profile, grey_profile, rgb_profile
from PIL import Image

from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.packets import decode_frames
from s2v_ray.media.decoding.rgb import SquareScaler, whole_frame
from s2v_ray.media.image import read_picture

# sRGB quarters of 200 and, in their middle, white.
COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0), (255, 255, 255)]
# To other primaries from linear sRGB, as published: BT.2087, table 2; Display P3 as in CSS Color 4.
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
TO_P3 = np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]])


def srgb_light(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb_value(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def pq(light: np.ndarray) -> np.ndarray:
    """BT.2100's inverse EOTF; reference white is 203 nits."""
    power = (light * 203 / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(light: np.ndarray) -> np.ndarray:
    """BT.2100's OETF, of scene light whose power of 1.2 is displayed; reference white is 0.265 of the peak."""
    scene = 0.26496 * light ** (1 / 1.2)
    return np.where(
        scene <= 1 / 12, np.sqrt(3 * scene), 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 0.1)) + 0.55991073
    )


def linear(light: np.ndarray) -> np.ndarray:
    return light


CODINGS = {
    "HLG": (TO_BT2020, hlg, 9, 18),
    "PQ": (TO_BT2020, pq, 9, 16),
    "PQ, primaries not named": (TO_BT2020, pq, 2, 16),
    "PQ in P3": (TO_P3, pq, 12, 16),
    "BT.2020, no HDR": (TO_BT2020, srgb_value, 9, 14),
    "Display P3": (TO_P3, srgb_value, 12, 13),
    "linear": (np.eye(3), linear, 1, 8),
}


def picture() -> np.ndarray:
    """The colours, float [64, 64, 3] from 0 to 1."""
    values_HWC = np.zeros((64, 64, 3))
    values_HWC[:32, :32], values_HWC[:32, 32:], values_HWC[32:, :32], values_HWC[32:, 32:], _ = np.array(COLOURS) / 255
    values_HWC[24:40, 24:40] = 1
    return values_HWC


def found(picture_HWC: np.ndarray) -> np.ndarray:
    height, width = picture_HWC.shape[:2]
    places = [
        (height // 8, width // 8),
        (height // 8, -width // 8),
        (-height // 8, width // 8),
        (-height // 8, -width // 8),
    ]
    return np.array([picture_HWC[place] for place in [*places, (height // 2, width // 2)]])


def write_coded(path: Path, coding: str, gain: float = 1) -> None:
    """The picture as sixteen bits of Y'CbCr (BT.2020's matrix, limited range), losslessly."""
    matrix, curve, primaries, transfer = CODINGS[coding]
    red, green, blue = np.moveaxis(curve(np.maximum(gain * srgb_light(picture()) @ matrix.T, 0)), 2, 0)
    luma = 0.2627 * red + 0.6780 * green + 0.0593 * blue
    planes = 876 * luma + 64, 896 * (blue - luma) / 1.8814 + 512, 896 * (red - luma) / 1.4746 + 512
    frame = VideoFrame.from_ndarray(np.rint(64 * np.stack(planes, axis=2)).astype(np.uint16), format="yuv444p16le")
    frame.pts, frame.time_base, frame.colorspace, frame.color_range = 0, Fraction(1, 25), 9, 1
    frame.color_primaries, frame.color_trc = primaries, transfer
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25, width=64, height=64, pix_fmt="yuv444p16le")
        context = stream.codec_context
        context.colorspace, context.color_range, context.color_primaries, context.color_trc = 9, 1, primaries, transfer
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("coding", CODINGS)
def test_colours_of_videos_become_srgb(tmp_path: Path, coding: str) -> None:
    path = tmp_path / "video.mkv"
    write_coded(path, coding)
    np.testing.assert_allclose(found(read_picture(path)), COLOURS, atol=6)
    with MediaFile(path) as media:  # what clips and contact sheets are made with
        track = media.video()
        frame = next(decode_frames(track))
        np.testing.assert_allclose(found(SquareScaler(64, None)(frame)), COLOURS, atol=6)
        np.testing.assert_allclose(found(whole_frame(frame, 64, None, VideoReformatter())), COLOURS, atol=6)


def test_brighter_than_white_is_clipped(tmp_path: Path) -> None:
    write_coded(tmp_path / "video.mkv", "PQ", gain=4)
    picture_HWC = read_picture(tmp_path / "video.mkv")
    np.testing.assert_allclose(found(picture_HWC)[[3, 4]], [(255, 255, 0), (255, 255, 255)], atol=6)


@pytest.mark.parametrize(
    ("mode", "stored", "profile", "expected"),
    [
        # (200, 0, 0) of sRGB has the light 0.5776; the first columns of TO_P3 and of sRGB's matrix to Adobe RGB
        # (0.7152, 0, 0) and, for green, (0.2848, 1, 0.0412) give these values.
        ("RGB", (183, 38, 25), rgb_profile(DISPLAY_P3), (200, 0, 0)),
        ("RGB", (171, 0, 0), rgb_profile(ADOBE_RGB, 563 / 256), (200, 0, 0)),
        ("RGB", (112, 199, 47), rgb_profile(ADOBE_RGB, 563 / 256), (0, 200, 0)),
        ("RGB", (255, 255, 255), rgb_profile(DISPLAY_P3), (255, 255, 255)),
        ("L", 128, grey_profile(1.8), (146, 146, 146)),  # (128 / 255) ** 1.8 is a light of 0.289
        ("L", 128, rgb_profile(DISPLAY_P3), (128, 128, 128)),
        ("CMYK", (255, 0, 0, 0), cmyk_profile(50), (119, 119, 119)),  # L* 50 is a light of 0.184
        ("CMYK", (0, 0, 0, 0), cmyk_profile(50), (255, 255, 255)),
        # Profiles that are damaged, or of other kinds of pixels, are ignored.
        ("RGB", (183, 38, 25), b"no profile", (183, 38, 25)),
        ("RGB", (183, 38, 25), rgb_profile(DISPLAY_P3)[:300], (183, 38, 25)),
        ("RGB", (183, 38, 25), cmyk_profile(50), (183, 38, 25)),
        ("L", 128, cmyk_profile(50), (128, 128, 128)),
    ],
)
@pytest.mark.parametrize("name", ["a.tiff", "a.jpg"])
def test_profiles_of_pictures_become_srgb(
    tmp_path: Path, name: str, mode: str, stored: object, profile: bytes, expected: tuple[int, int, int]
) -> None:
    options = {"quality": 100, "subsampling": 0} if name == "a.jpg" else {}
    Image.new(mode, (16, 16), stored).save(tmp_path / name, icc_profile=profile, **options)
    np.testing.assert_allclose(read_picture(tmp_path / name)[8, 8], expected, atol=10 if name == "a.jpg" else 3)


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.avif", "a.heic"])
def test_other_formats_and_transparent_pictures_have_profiles_too(tmp_path: Path, name: str) -> None:
    options = {"lossless": True} if name == "a.webp" else {"quality": 100} if name in ("a.avif", "a.heic") else {}
    image = Image.new("RGBA", (32, 32), (183, 38, 25, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.save(tmp_path / name, icc_profile=rgb_profile(DISPLAY_P3), **options)
    np.testing.assert_allclose(read_picture(tmp_path / name)[16, 16], (200, 0, 0), atol=8)


def test_sixteen_bits_of_grey_with_a_profile(tmp_path: Path) -> None:
    grey = Image.fromarray(np.full((16, 16), 128 * 257, np.uint16))
    grey.save(tmp_path / "a.tiff", icc_profile=grey_profile(1.8))
    np.testing.assert_allclose(read_picture(tmp_path / "a.tiff")[8, 8], 146, atol=2)


def test_colours_given_by_number_in_pictures(tmp_path: Path) -> None:
    stored = np.rint(255 * pq(srgb_light(np.array([[[200, 0, 0]]]) / 255) @ TO_BT2020.T)).astype(np.uint8)
    image = Image.fromarray(stored.repeat(32, 0).repeat(32, 1))
    image.save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    end_of_header = 8 + 25
    chunk = bytes([0, 0, 0, 4]) + b"cICP" + bytes([9, 16, 0, 1])
    crc = zlib.crc32(chunk[4:]).to_bytes(4)
    (tmp_path / "a.png").write_bytes(content[:end_of_header] + chunk + crc + content[end_of_header:])
    np.testing.assert_allclose(read_picture(tmp_path / "a.png")[16, 16], (200, 0, 0), atol=8)
