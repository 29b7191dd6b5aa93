"""A clip as one Arrow row that any Parquet reader reads: plain bytes, with their shape in the schema's metadata."""

import hashlib
from dataclasses import asdict, fields
from fractions import Fraction

import numpy as np
import pyarrow as pa

from s2v_ray.dataset.measures import Measures
from s2v_ray.dataset.settings import ClipSettings

SCHEMA_VERSION = 2
READABLE_VERSIONS = (1, 2)  # 1 is without the square and the transforms
MEASURES = tuple(field.name for field in fields(Measures))


def clip_schema(settings: ClipSettings) -> pa.Schema:
    """The columns of a clip, its measures among them, with the shapes and types of the bytes."""
    metadata = {
        "schema_version": str(SCHEMA_VERSION),
        "frames_shape": f"{settings.frames},{settings.stored_size},{settings.stored_size},3",
        "frames_type": "uint8",
        "frame_rate": settings.frame_rate,
        "waveform_shape": str(settings.frames * settings.samples_per_frame),
        "waveform_type": "int16",
        "sample_rate": str(settings.sample_rate),
        "transforms_shape": f"{settings.frames},2,3",
        "transforms_type": "float32",
    }
    columns = {
        **dict.fromkeys(("clip_id", "source", "domain"), pa.string()),
        "start_seconds": pa.float64(),
        **dict.fromkeys(("frames", "waveform"), pa.large_binary()),
        **dict.fromkeys(MEASURES, pa.float32()),
        **dict.fromkeys(("crop_x", "crop_y", "crop_size"), pa.int32()),
        "transforms": pa.large_binary(),
    }
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns.items()], metadata=metadata)


def clip_id(source: str, start: Fraction, settings: ClipSettings) -> str:
    """A stable hash of a clip's source, start and settings."""
    return hashlib.sha256(f"{source}\n{start}\n{settings.fingerprint}".encode()).hexdigest()[:20]


def clip_row(
    source: str,
    domain: str,
    start: Fraction,
    frames_THWC: np.ndarray,
    wave: np.ndarray,
    measures: Measures,
    settings: ClipSettings,
    *,
    square: tuple[int, int, int],
    transforms_T23: np.ndarray,
) -> pa.RecordBatch:
    """One clip: `frames_THWC` uint8 RGB, `wave` int16 mono. Raises ValueError unless their sizes fit `settings`.

    `square` is x, y and size, in pixels of the upright source, of what the frames are cut from. `transforms_T23`,
    float32, says how they were stabilised: the pixel (x, y) of frame t shows what stands at M · (x, y, 1) of the
    square, in stored pixels.
    """
    expected = (settings.frames, settings.stored_size, settings.stored_size, 3)
    if frames_THWC.shape != expected or frames_THWC.dtype != np.uint8:
        raise ValueError(f"frames are {frames_THWC.dtype} {frames_THWC.shape}, but must be uint8 {expected}.")
    samples = settings.frames * settings.samples_per_frame
    if wave.shape != (samples,) or wave.dtype != np.int16:
        raise ValueError(f"wave is {wave.dtype} {wave.shape}, but must be int16 ({samples},).")
    if transforms_T23.shape != (settings.frames, 2, 3):
        raise ValueError(f"transforms are {transforms_T23.shape}, but must be {(settings.frames, 2, 3)}.")
    schema = clip_schema(settings)
    values = {
        "clip_id": clip_id(source, start, settings),
        "source": source,
        "domain": domain,
        "start_seconds": float(start),
        "frames": pa.py_buffer(np.ascontiguousarray(frames_THWC)),
        "waveform": pa.py_buffer(np.ascontiguousarray(wave.astype("<i2", copy=False))),
        **asdict(measures),
        **dict(zip(("crop_x", "crop_y", "crop_size"), square, strict=True)),
        "transforms": pa.py_buffer(np.ascontiguousarray(transforms_T23, dtype="<f4")),
    }
    arrays = [
        _binary(values[field.name]) if field.type == pa.large_binary() else pa.array([values[field.name]], field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _binary(content: pa.Buffer) -> pa.Array:
    """An array of one value around `content`, without a copy."""
    offsets = pa.py_buffer(np.array([0, content.size], dtype=np.int64))
    return pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, content])
