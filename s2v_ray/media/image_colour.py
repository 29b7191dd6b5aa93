"""The colours of an image file, as it names them, made sRGB."""

import re
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from s2v_ray.media.decoding.wide_colour import is_wide, to_srgb

_SRGB = ImageCms.createProfile("sRGB")
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
# What an ICC profile may describe, and the modes of images that it may then belong to.
_MODES = {"RGB": ("RGB", ("RGB", "L")), "GRAY": ("L", ("L",)), "CMYK": ("CMYK", ("CMYK",))}
# Primaries and transfer curve by number: in HEIF and AVIF (ISO/IEC 23008-12) and in PNG.
_NUMBERS = {
    "HEIF": re.compile(rb"colrnclx(..)(..)", re.DOTALL),
    "AVIF": re.compile(rb"colrnclx(..)(..)", re.DOTALL),
    "PNG": re.compile(rb"\0\0\0\x04cICP(.)(.)", re.DOTALL),
}
HEAD_BYTES = 1 << 16  # they stand before the pixels


def srgb_image(image: Image.Image, head: bytes, file_format: str | None) -> Image.Image:
    """`image`, of mode L, RGB or CMYK, as sRGB of mode RGB.

    Its ICC profile counts (relative colorimetric, with black point compensation), or else the primaries and curve that
    `head`, the beginning of its file, gives by number. One that is damaged or belongs to other kinds of pixels is
    ignored, as by browsers and viewers: the image is then taken as sRGB.
    """
    profile = image.info.get("icc_profile")
    if profile:
        return _by_profile(image, profile)
    numbers = _NUMBERS[file_format].search(head) if file_format in _NUMBERS else None
    if numbers:
        primaries, transfer = (int.from_bytes(number) for number in numbers.groups())
        if is_wide(primaries, transfer):
            pixels = np.asarray(image.convert("RGB"), np.uint16) * 257
            return Image.fromarray(to_srgb(pixels, primaries, transfer))
    return image.convert("RGB")


def _by_profile(image: Image.Image, content: bytes) -> Image.Image:
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(content))
        mode, fitting = _MODES.get(profile.profile.xcolor_space.strip(), ("", ()))
        if image.mode not in fitting:
            return image.convert("RGB")
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        made = ImageCms.profileToProfile(
            image.convert(mode), profile, _SRGB, renderingIntent=intent, outputMode="RGB", flags=_FLAGS
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image.convert("RGB")
    return made or image.convert("RGB")
