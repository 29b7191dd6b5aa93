"""An image file, or one frame of a video, as a picture: upright, whole, in sRGB."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError

from s2v_ray.errors import MediaError, UserError
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.rgb import Crop
from s2v_ray.media.still import displayed_picture
from s2v_ray.storage.files import open_file
from s2v_ray.storage.paths import is_uri

pillow_heif.register_heif_opener()

# Formats of pixels and nothing else. Of Pillow's others, some start a program (EPS: Ghostscript) or open further files.
_FORMATS = ("JPEG", "PNG", "HEIF", "AVIF", "WEBP", "TIFF", "GIF", "BMP", "DIB", "JPEG2000", "PPM", "QOI", "PSD")


def read_picture(path: str | Path, *, image_seconds: float = 0.0, background: str = "white") -> np.ndarray:
    """The whole picture at `path`, upright and in sRGB, as uint8 RGB [H, W, 3].

    It may be an image file (the first image of an animation), or a video, of which the frame displayed `image_seconds`
    after its start is taken; 0 is the first frame. What is transparent is laid over `background`, a CSS colour's name
    or #rrggbb.

    Raises UserError `not_found`, `wrong_background`, `image_time_outside` (not within the video, or a file
    that is no video), or `unreadable_image` for a damaged file, one that is neither, and pixels without a fixed range;
    for a video also the codes of its MediaErrors.
    """
    colour = _colour(background)
    if not image_seconds >= 0:
        raise UserError("image_time_outside", f"--image-time is {image_seconds:g}, but must be 0 or more seconds.")
    try:
        with _opened(path) as image:
            if image_seconds > 0:
                problem = f"but '{path}' is a still picture; leave it out, or give a video"
                raise UserError("image_time_outside", f"--image-time is {image_seconds:g} s, {problem}.")
            return np.asarray(_rgb(ImageOps.exif_transpose(image), path, colour))
    except FileNotFoundError:
        raise UserError("not_found", f"There is no file '{path}'; check its name.") from None
    except UnidentifiedImageError:
        return _video_frame(path, image_seconds)
    except (OSError, SyntaxError, ValueError, RuntimeError, EOFError, Image.DecompressionBombError) as error:
        raise UserError("unreadable_image", f"The image '{path}' can't be read ({error}); choose another.") from None


def read_image(path: str | Path, size: int, region: Crop | None = None) -> np.ndarray:
    """The `region` (by default the central square) of the picture at `path`, scaled to uint8 RGB [size, size, 3].

    Raises UserError `region_outside`, and those of `read_picture`.
    """
    picture = Image.fromarray(read_picture(path))
    if region is None:
        return np.asarray(ImageOps.fit(picture, (size, size)))
    if region.x + region.size > picture.width or region.y + region.size > picture.height:
        square = f"{region.x},{region.y},{region.size}"
        rule = f"leaves the image '{path}' of {picture.width} x {picture.height} pixels"
        raise UserError("region_outside", f"--region {square} {rule}; give x,y,size of a square inside it.")
    box = (region.x, region.y, region.x + region.size, region.y + region.size)
    return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC, box=box))


def _colour(background: str) -> tuple[int, int, int]:
    try:
        red, green, blue = ImageColor.getrgb(background)
    except ValueError:
        rule = "must be a CSS colour's name, such as white or navy, or #rrggbb"
        raise UserError("wrong_background", f"--background is '{background}', but {rule}.") from None
    return red, green, blue


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    file: Any = open_file(path) if is_uri(path) else Path(path).open("rb")  # noqa: SIM115
    with file, Image.open(file, formats=_FORMATS) as image:
        yield image


def _rgb(image: Image.Image, path: str | Path, background: tuple[int, int, int]) -> Image.Image:
    if image.mode.startswith(("I", "F")):  # grey of 16 bits a pixel, which Pillow's own conversion would clip
        values = np.asarray(image)
        if image.mode == "F" or values.min() < 0 or values.max() > 65535:
            problem = f"has pixels of mode {image.mode}, without a fixed range"
            raise UserError("unreadable_image", f"The image '{path}' {problem}; convert it to 8 bits.")
        return Image.fromarray((values // 257).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, background), image).convert("RGB")
    return image.convert("RGB")


def _video_frame(path: str | Path, image_seconds: float) -> np.ndarray:
    try:
        with MediaFile(path) as media:
            return displayed_picture(media, Fraction(image_seconds))
    except MediaError as error:
        if error.code in ("unreadable", "not_found"):
            rule = "it is neither a picture (JPEG, PNG, HEIC, AVIF, WebP, TIFF ...) nor a video that can be read"
            raise UserError(
                "unreadable_image", f"The image '{path}' can't be read: {rule}; convert it first."
            ) from None
        raise UserError(error.code, f"{error} Choose an image or a video.") from None
