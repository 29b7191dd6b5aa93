"""Small valid files, from which broken ones are made."""

import io
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageCms

from s2v_ray.media.encode import write_video

_SAMPLE_RATE = 8000


def _noise(samples: int) -> np.ndarray:
    return np.random.default_rng(0).integers(-9000, 9000, samples).astype(np.int16)


def mp4_file(folder: Path) -> bytes:
    """Half a second of H.264 and AAC, 32 x 32 pixels, with edit lists."""
    frames = np.random.default_rng(0).integers(0, 255, (12, 4, 4, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    path = folder / "seed.mp4"
    write_video(path, iter(frames), _noise(4000), frame_rate=Fraction(25), sample_rate=_SAMPLE_RATE, crf=40)
    return path.read_bytes()


def remuxed(mp4: bytes, container: str, **options: str) -> bytes:
    """The same streams in another container."""
    to = io.BytesIO()
    with (
        av.open(io.BytesIO(mp4)) as source,
        av.open(to, "w", format=container, options=options) as target,
    ):
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    return to.getvalue()


def ogg_file() -> bytes:
    """Half a second of Vorbis or Opus in Ogg."""
    to = io.BytesIO()
    with av.open(to, "w", format="ogg") as target:
        stream = target.add_stream("libopus", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(_noise(24000)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
        target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return to.getvalue()


def wav_file() -> bytes:
    """A tenth of a second of PCM."""
    to = io.BytesIO()
    with wave.open(to, "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(_SAMPLE_RATE)
        sound.writeframes(_noise(1600).tobytes())
    return to.getvalue()


def picture_file(kind: str) -> bytes:
    """A picture of 40 x 30 pixels with a colour profile and EXIF."""
    pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 4 if kind == "PNG" else 3), dtype=np.uint8)
    exif, to = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6  # a quarter turn
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(pixels).save(to, kind, exif=exif, icc_profile=profile)
    return to.getvalue()
