"""The structure of PNG and JPEG."""

import zlib

from robustness.structure import Element, Field, Layout

_SIGNATURE = 8


def png(content: bytes) -> Layout:
    """Chunks: lengths, types, and the numbers in each; the header's last five are single bytes."""
    layout, start = Layout(), _SIGNATURE
    while start + 12 <= len(content):
        name = content[start + 4 : start + 8].decode("latin-1")
        end = start + 12 + int.from_bytes(content[start : start + 4])
        length = Field(f"{name} size", start, 4)
        layout.fields.extend([length, Field(f"{name} type", start + 4, 4)])
        if name == "IHDR":
            layout.words("width, height", start + 8, start + 16, 4)
            layout.words("kind of pixels", start + 16, start + 21, 1)
        else:
            layout.words(name, start + 8, end - 4, 2)
        layout.elements.append(Element(name, start, end, (length,)))
        start = end
    return layout


def mended_png(content: bytes) -> bytes:
    """With the right checksum of each chunk."""
    mended, start = bytearray(content), _SIGNATURE
    while start + 12 <= len(content):
        end = start + 12 + int.from_bytes(content[start : start + 4])
        if end > len(content):
            break
        mended[end - 4 : end] = zlib.crc32(mended[start + 4 : end - 4]).to_bytes(4)
        start = end
    return bytes(mended)


def jpeg(content: bytes) -> Layout:
    """Segments: lengths, and single bytes of the headers: sizes, sampling, tables; and the first of the scan."""
    layout, start = Layout(), 2
    while content[start] == 0xFF:
        marker = content[start + 1]
        end = start + 2 + int.from_bytes(content[start + 2 : start + 4])
        name, length = f"{marker:x}", Field(f"{marker:x} size", start + 2, 2)
        layout.fields.extend([Field(f"{name} marker", start + 1, 1), length])
        layout.words(name, start + 4, end, 1)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            layout.words("height, width", start + 5, start + 9, 2)
        layout.elements.append(Element(name, start, end, (length,)))
        start = end
        if marker == 0xDA:
            layout.words("scan", start, len(content), 1)
            break
    return layout
