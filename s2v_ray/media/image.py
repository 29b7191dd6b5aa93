"""An image file, or a video's first frame, as the square image that a model takes."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from s2v_ray.errors import MediaError, UserError
from s2v_ray.media.decoding.media_file import MediaFile, undecodable
from s2v_ray.media.decoding.packets import decode_frames
from s2v_ray.media.decoding.rgb import SquareScaler


def read_image(path: str | Path, size: int) -> np.ndarray:
    """The image at `path`, upright, its central square scaled to uint8 RGB [size, size, 3].

    It may be anything that Pillow reads (the first image of an animation; what is transparent is laid on white), or a
    video, of which the first frame is taken.

    Raises UserError `not_found`, or `unreadable_image` for a damaged file, one without an image, and pixels without a
    fixed range; for a video also the codes of its MediaErrors.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(ImageOps.fit(_rgb(ImageOps.exif_transpose(image), path), (size, size)))
    except FileNotFoundError:
        raise UserError("not_found", f"There is no file '{path}'; check its name.") from None
    except UnidentifiedImageError:
        return _first_video_frame(path, size)
    except (OSError, SyntaxError, ValueError, RuntimeError, Image.DecompressionBombError) as error:
        raise UserError("unreadable_image", f"The image '{path}' can't be read ({error}); choose another.") from None


def _rgb(image: Image.Image, path: str | Path) -> Image.Image:
    if image.mode.startswith(("I", "F")):  # grey of 16 bits a pixel, which Pillow's own conversion would clip
        values = np.asarray(image)
        if image.mode == "F" or values.min() < 0 or values.max() > 65535:
            problem = f"has pixels of mode {image.mode}, without a fixed range"
            raise UserError("unreadable_image", f"The image '{path}' {problem}; convert it to 8 bits.")
        return Image.fromarray((values // 257).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _first_video_frame(path: str | Path, size: int) -> np.ndarray:
    try:
        with MediaFile(path) as media:
            track = media.video()
            frame = next(decode_frames(track), None)
            if frame is None:
                raise undecodable(track.container, track.stream)
            return SquareScaler(size, track.stream.sample_aspect_ratio)(frame)
    except MediaError as error:
        raise UserError(error.code, f"{error} Choose an image or a video.") from None
