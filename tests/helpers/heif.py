"""HEIC and AVIF files whose picture is cut into tiles, as phones write them."""

import io
import struct
from itertools import accumulate
from pathlib import Path

import av
import numpy as np
import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, *content: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *content)


def coded_tile(tile_HWC: np.ndarray, file_format: str) -> tuple[bytes, bytes]:
    """The decoder's configuration and the coded picture, taken out of a file that holds just this tile."""
    file = io.BytesIO()
    Image.fromarray(tile_HWC).save(file, file_format, quality=90, **({"chroma": 444} if file_format == "HEIF" else {}))
    file.seek(0)
    with av.open(file) as container:
        stream = container.streams.video[0]
        return stream.codec_context.extradata or b"", bytes(next(container.demux(stream)))


def write_tiled(path: Path, picture_HWC: np.ndarray, tile: int, file_format: str) -> None:
    """A `grid` item of ISO/IEC 23008-12 over square tiles, as `file_format` HEIF (HEVC) or AVIF (AV1)."""
    height, width = picture_HWC.shape[:2]
    rows, columns = height // tile, width // tile
    corners = [(y * tile, x * tile) for y in range(rows) for x in range(columns)]
    coded = [coded_tile(picture_HWC[y : y + tile, x : x + tile], file_format) for y, x in corners]
    kind, setup, brand = (b"hvc1", b"hvcC", b"heic") if file_format == "HEIF" else (b"av01", b"av1C", b"avif")
    count = len(coded)
    contents = [data for _, data in coded] + [struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)]
    grid = count + 1  # items are numbered from 1
    infos = [struct.pack(">HH4sx", item, 0, kind if item < grid else b"grid") for item in range(1, grid + 1)]
    sizes = [full_box(b"ispe", struct.pack(">II", *size)) for size in ((tile, tile), (width, height))]
    pixels = full_box(b"pixi", b"\x03\x08\x08\x08")
    properties = [box(setup, coded[0][0]), *sizes, pixels]
    of_items = [struct.pack(">HBBBB", item, 3, 0x81, 2, 4) for item in range(1, grid)]
    of_items.append(struct.pack(">HBBB", grid, 2, 3, 4))

    def file(start: int) -> bytes:
        starts = [start, *accumulate((len(content) for content in contents[:-1]), initial=start)][1:]
        places = [
            struct.pack(">HHHII", item, 0, 1, place, len(content))
            for item, (place, content) in enumerate(zip(starts, contents, strict=True), start=1)
        ]
        meta = full_box(
            b"meta",
            full_box(b"hdlr", struct.pack(">I4s12xx", 0, b"pict")),
            full_box(b"pitm", struct.pack(">H", grid)),
            full_box(b"iloc", struct.pack(">BBH", 0x44, 0, len(places)), *places),
            full_box(
                b"iinf",
                struct.pack(">H", grid),
                *(
                    full_box(b"infe", info, version=2, flags=int(item < grid))
                    for item, info in enumerate(infos, start=1)
                ),
            ),
            full_box(
                b"iref", box(b"dimg", struct.pack(">HH", grid, count), struct.pack(f">{count}H", *range(1, grid)))
            ),
            box(
                b"iprp",
                box(b"ipco", *properties),
                full_box(b"ipma", struct.pack(">I", grid), *of_items),
            ),
        )
        head = box(b"ftyp", brand, bytes(4), b"mif1", brand, b"miaf")
        return head + meta + box(b"mdat", *contents)

    path.write_bytes(file(len(file(0)) - sum(map(len, contents))))
