"""An image file, or one frame of a video, as a picture: upright, whole, in sRGB."""

import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError

from s2v_ray.errors import MediaError, UserError
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.image_colour import HEAD_BYTES, srgb_image
from s2v_ray.media.still import displayed_picture
from s2v_ray.storage.files import open_file
from s2v_ray.storage.paths import is_uri

pillow_heif.register_heif_opener()

# Formats of pixels and nothing else. Of Pillow's others, some start a program (EPS: Ghostscript) or open further files.
_FORMATS = ("JPEG", "PNG", "HEIF", "AVIF", "WEBP", "TIFF", "GIF", "BMP", "DIB", "JPEG2000", "PPM", "QOI", "PSD")
# More than any camera's; reading one takes about 1 GB.
MAX_PIXELS = 100_000_000
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit, which warns first


def read_picture(
    path: str | Path, *, image_seconds: float = 0.0, background: str = "white", may_reduce: bool = False
) -> np.ndarray:
    """The whole picture at `path`, upright and in sRGB, as uint8 RGB [H, W, 3].

    It may be an image file (the first image of an animation), or a video, of which the frame displayed `image_seconds`
    after its start is taken; 0 is the first frame. What is transparent is laid over `background`, a CSS colour's name
    or #rrggbb. Colour profiles and high dynamic range become sRGB; a damaged profile is ignored. With `may_reduce`, a
    JPEG of more than MAX_PIXELS is reduced by 2, 4 or 8 while it is read, so that coordinates in its own pixels no
    longer hold; without, it is refused, as others of that size always are.

    Raises UserError `not_found`, `wrong_background`, `image_time_outside` (not within the video, or a file
    that is no video), `too_large`, or `unreadable_image` for a damaged file, one that is neither, and pixels without a
    fixed range; for a video also the codes of its MediaErrors.
    """
    colour = _colour(background)
    if not 0 <= image_seconds < float("inf"):
        raise UserError("image_time_outside", f"--image-time is {image_seconds:g}, but must be 0 or more seconds.")
    if not is_uri(path) and Path(path).exists() and not Path(path).is_file():
        raise UserError("unreadable_image", f"The image '{path}' is a folder or a device; name an image or a video.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of metadata that it leaves out
            return _still_picture(path, image_seconds, colour, may_reduce)
    except FileNotFoundError:
        raise UserError("not_found", f"There is no file '{path}'; check its name.") from None
    except UnidentifiedImageError:
        return _video_frame(path, image_seconds)
    except UserError:
        raise
    except Exception as error:  # a damaged file makes Pillow's readers raise anything
        raise UserError("unreadable_image", f"The image '{path}' can't be read ({error}); choose another.") from None


def flat_picture(image: Image.Image, *, image_seconds: float = 0.0, background: str = "white") -> np.ndarray:
    """A picture that a program has in memory, as `read_picture` would give it, whose UserErrors it raises."""
    colour = _colour(background)
    _check_still(image_seconds, "one in memory")
    if image.width * image.height > MAX_PIXELS:
        problem = f"The image is {image.width} x {image.height}"
        raise UserError("too_large", f"{problem}; at most {MAX_PIXELS // 10**6} megapixels are used; scale it down.")
    try:
        return np.asarray(_flat(_upright(image), "in memory", colour, b"", None))
    except UserError:
        raise
    except Exception as error:  # pixels that are only read now, of a file that is damaged
        raise UserError("unreadable_image", f"The image can't be read ({error}); choose another.") from None


def _check_still(image_seconds: float, name: str) -> None:
    """Raise UserError for a time in what has none."""
    if image_seconds != 0:
        problem = f"but {name} is a still picture; leave it out, or give a video"
        raise UserError("image_time_outside", f"--image-time is {image_seconds:g} s, {problem}.")


def _colour(background: str) -> tuple[int, int, int]:
    try:
        red, green, blue, *alpha = ImageColor.getrgb(background)
    except ValueError:
        red, green, blue, alpha = 0, 0, 0, [0]
    if alpha:
        rule = "must be a CSS colour's name, such as white or navy, or #rrggbb"
        raise UserError("wrong_background", f"--background is '{background}', but {rule}.")
    return red, green, blue


def _still_picture(
    path: str | Path, image_seconds: float, background: tuple[int, int, int], may_reduce: bool
) -> np.ndarray:
    file: Any = open_file(path) if is_uri(path) else Path(path).open("rb")  # noqa: SIM115
    with file:
        head = bytes(file.read(HEAD_BYTES))
        file.seek(0)
        with Image.open(file, formats=_FORMATS) as image:
            _check_still(image_seconds, f"'{path}'")
            if image.info.get("primary") is False:  # HEIF: libheif offers a part where the whole can't be read
                raise UserError("unreadable_image", f"The image '{path}' is damaged; choose another.")
            _limit_pixels(image, path, may_reduce)
            image.load()
            return np.asarray(_flat(_upright(image), path, background, head, image.format))


def _limit_pixels(image: Image.Image, path: str | Path, may_reduce: bool) -> None:
    """Have a JPEG of more than MAX_PIXELS read smaller, where that saves memory; raise UserError `too_large`."""
    if image.width * image.height <= MAX_PIXELS:
        return
    problem = f"The image '{path}' is {image.width} x {image.height}; more than {MAX_PIXELS // 10**6} megapixels"
    if image.format not in ("JPEG", "MPO") or image.info.get("progressive"):
        rule = "are only read from a JPEG that is not progressive"
        raise UserError("too_large", f"{problem} {rule}; scale it down first.")
    if not may_reduce:
        rule = "are reduced while they are read, so that a square in the image's own pixels can't be found"
        raise UserError("too_large", f"{problem} {rule}; scale it down first, or leave out --region.")
    factor = next(factor for factor in (2, 4, 8) if image.width * image.height <= MAX_PIXELS * factor**2)
    image.draft(image.mode, (image.width // factor, image.height // factor))


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a damaged EXIF says nothing
        return image


def _flat(
    image: Image.Image, path: str | Path, background: tuple[int, int, int], head: bytes, file_format: str | None
) -> Image.Image:
    """`image` in sRGB of mode RGB, over `background` where it is transparent."""
    if image.mode.startswith(("I", "F")):  # grey of 16 bits a pixel, which Pillow's own conversion would clip
        values = np.asarray(image)
        if image.mode == "F" or values.min() < 0 or values.max() > 65535:
            problem = f"has pixels of mode {image.mode}, without a fixed range"
            raise UserError("unreadable_image", f"The image '{path}' {problem}; convert it to 8 bits.")
        info, image = image.info, Image.fromarray((values // 257).astype(np.uint8))
        image.info = info
        return srgb_image(image, head, file_format)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        flat = srgb_image(image.convert("RGB"), head, file_format)
        flat.putalpha(image.getchannel("A"))
        return Image.alpha_composite(Image.new("RGBA", image.size, background), flat).convert("RGB")
    return srgb_image(image if image.mode in ("L", "CMYK") else image.convert("RGB"), head, file_format)


def _video_frame(path: str | Path, image_seconds: float) -> np.ndarray:
    try:
        with MediaFile(path) as media:
            return displayed_picture(media, Fraction(image_seconds))
    except MediaError as error:
        if error.code == "unreadable":
            rule = "An image must be a picture (JPEG, PNG, HEIC, AVIF, WebP, TIFF, GIF, BMP ...) or a video."
            raise UserError("unreadable_image", f"{error} {rule}") from None
        raise UserError(error.code, f"{error} Choose an image or a video.") from None
