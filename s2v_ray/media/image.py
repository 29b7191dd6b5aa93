"""An image file, or a video's first frame, as the square image that a model takes."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from s2v_ray.errors import MediaError, UserError
from s2v_ray.media.decoding.media_file import MediaFile, undecodable
from s2v_ray.media.decoding.packets import decode_frames
from s2v_ray.media.decoding.rgb import Crop, SquareScaler, displayed_size


def read_image(path: str | Path, size: int, region: Crop | None = None) -> np.ndarray:
    """The image at `path`, upright, its `region` (by default its central square) scaled to uint8 RGB [size, size, 3].

    It may be anything that Pillow reads (the first image of an animation; what is transparent is laid on white), or a
    video, of which the first frame is taken.

    Raises UserError `not_found`, `region_outside`, or `unreadable_image` for a damaged file, one without an image, and
    pixels without a fixed range; for a video also the codes of its MediaErrors.
    """
    try:
        with Image.open(path) as image:
            upright = _rgb(ImageOps.exif_transpose(image), path)
            if region is None:
                return np.asarray(ImageOps.fit(upright, (size, size)))
            _check_inside(region, upright.width, upright.height, path)
            box = (region.x, region.y, region.x + region.size, region.y + region.size)
            return np.asarray(upright.resize((size, size), Image.Resampling.BICUBIC, box=box))
    except FileNotFoundError:
        raise UserError("not_found", f"There is no file '{path}'; check its name.") from None
    except UnidentifiedImageError:
        return _first_video_frame(path, size, region)
    except (OSError, SyntaxError, ValueError, RuntimeError, Image.DecompressionBombError) as error:
        raise UserError("unreadable_image", f"The image '{path}' can't be read ({error}); choose another.") from None


def _check_inside(region: Crop, width: int, height: int, path: str | Path) -> None:
    if region.x + region.size > width or region.y + region.size > height:
        square = f"{region.x},{region.y},{region.size}"
        rule = f"leaves the image '{path}' of {width} x {height} pixels; give x,y,size of a square inside it"
        raise UserError("region_outside", f"--region {square} {rule}.")


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


def _first_video_frame(path: str | Path, size: int, region: Crop | None) -> np.ndarray:
    try:
        with MediaFile(path) as media:
            track = media.video()
            frame = next(decode_frames(track), None)
            if frame is None:
                raise undecodable(track.container, track.stream)
            aspect = track.stream.sample_aspect_ratio
            if region is not None:
                _check_inside(region, *displayed_size(frame, aspect), path)
            return SquareScaler(size, aspect, region)(frame)
    except MediaError as error:
        raise UserError(error.code, f"{error} Choose an image or a video.") from None
