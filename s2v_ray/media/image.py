"""A picture file, or a video's first frame, as the square picture that a model sees."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from s2v_ray.errors import MediaError, UserError
from s2v_ray.media.decoding.container import open_container, undecodable, video_stream
from s2v_ray.media.decoding.packets import decode_video
from s2v_ray.media.decoding.rgb import SquareScaler


def read_picture(path: str | Path, size: int) -> np.ndarray:
    """The picture `path`, upright, its central square scaled to uint8 RGB [size, size, 3].

    It may be anything that Pillow reads (of an animation the first picture; what is transparent lies on white),
    or a video, of which the first frame is taken.

    Raises UserError for a missing or damaged file, for one without a picture, and for pixels without a fixed range.
    """
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            return np.asarray(_scaled_square(_rgb(upright, path), size))
    except FileNotFoundError:
        raise UserError(f"There is no file '{path}'; check its name.") from None
    except UnidentifiedImageError:
        return _first_video_frame(path, size)
    except (OSError, SyntaxError, ValueError, RuntimeError, Image.DecompressionBombError) as error:
        raise UserError(f"The picture '{path}' can't be read ({error}); give another.") from None


def _rgb(image: Image.Image, path: str | Path) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _from_deep_gray(image, path)
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return image.convert("RGB")


def _from_deep_gray(image: Image.Image, path: str | Path) -> Image.Image:
    """A gray picture of 16 bits a pixel, as 8; Pillow's own conversion would clip it."""
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise UserError(f"The picture '{path}' has pixels of mode {image.mode}, without a fixed range; make it 8-bit.")
    return Image.fromarray((values // 257).astype(np.uint8)).convert("RGB")


def _scaled_square(image: Image.Image, size: int) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    return image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))


def _first_video_frame(path: str | Path, size: int) -> np.ndarray:
    try:
        with open_container(path) as container:
            stream = video_stream(container)
            frame = next(decode_video(container, stream), None)
            if frame is None:
                raise undecodable(container, stream)
            return SquareScaler(size, stream.sample_aspect_ratio)(frame)
    except MediaError as error:
        raise UserError(f"{error} Give a picture or a video.") from None
