"""The structure of MP4, Matroska, MPEG transport streams, Ogg and WAV."""

import itertools

from robustness.structure import Element, Field, Layout

_BOXES_OF_BOXES = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"udta", b"mvex", b"moof", b"traf"}
_MASTERS = {
    *(0x1A45DFA3, 0x18538067, 0x114D9B74, 0x4DBB, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0, 0xE1, 0x1F43B675, 0xA0),
    *(0x1C53BB6B, 0xBB, 0xB7, 0x1254C367, 0x7373, 0x63C0, 0x67C8),
}
_TS_PACKET = 188


def mp4(content: bytes) -> Layout:
    """Boxes; every 32 bits of the small ones are a field: edit lists, time scales, sample tables, codecs' settings."""
    layout = Layout()

    def boxes(start: int, end: int, around: tuple[Field, ...]) -> None:
        while start + 8 <= end:
            size, kind = int.from_bytes(content[start : start + 4]), content[start + 4 : start + 8]
            name = kind.decode("latin-1")
            length = Field(f"{name} size", start, 4)
            layout.fields.extend([length, Field(f"{name} type", start + 4, 4)])
            layout.elements.append(Element(name, start, start + size, (*around, length)))
            if kind in _BOXES_OF_BOXES:
                boxes(start + 8, start + size, (*around, length))
            else:
                layout.words(name, start + 8, start + size, 4)
            start += size

    boxes(0, len(content), ())
    return layout


def matroska(content: bytes) -> Layout:
    """Elements: their identifiers, lengths and numbers."""
    layout = Layout()

    def varint(at: int) -> tuple[int, int]:
        size = 9 - content[at].bit_length()
        return size, int.from_bytes(content[at : at + size])

    def elements(start: int, end: int, around: tuple[Field, ...]) -> None:
        while start < end:
            id_size, kind = varint(start)
            length_size, marked = varint(start + id_size)
            body = start + id_size + length_size
            size = marked & (1 << 7 * length_size) - 1
            size = min(size, end - body)  # a live stream's is unknown
            name, length = f"{kind:x}", Field(f"{kind:x} size", start + id_size, length_size)
            layout.fields.extend([Field(f"{name} id", start, id_size), length])
            layout.elements.append(Element(name, start, body + size, (*around, length)))
            if kind in _MASTERS:
                elements(body, body + size, (*around, length))
            elif 0 < size <= 8:
                layout.fields.append(Field(name, body, size))
            else:
                layout.words(name, body, body + min(size, 32), 2)
            start = body + size

    elements(0, len(content), ())
    return layout


def transport_stream(content: bytes) -> Layout:
    """Packets of 188 bytes: their headers, clocks, tables, and the headers of what they carry."""
    layout = Layout()
    for start in range(0, len(content), _TS_PACKET):
        layout.elements.append(Element("packet", start, start + _TS_PACKET))
        layout.words("sync", start, start + 1, 1)
        layout.words("identifier", start + 1, start + 3, 2)
        layout.words("control", start + 3, start + 4, 1)
        payload = start + 4
        if content[start + 3] & 0x20:
            layout.words("adaptation", payload, payload + 2, 1)
            if content[payload] >= 7:
                layout.words("clock", payload + 2, payload + 8, 2)
            payload += 1 + content[payload]
        if content[start + 1] & 0x40:  # something begins here
            is_stream = content[payload : payload + 3] == b"\0\0\1"
            layout.words("stream header" if is_stream else "table", payload, payload + (20 if is_stream else 48), 1)
    return layout


def mended_transport_stream(content: bytes) -> bytes:
    """With the right checksums of the tables that fit into a packet."""
    mended = bytearray(content)
    for start in range(0, len(content) - _TS_PACKET + 1, _TS_PACKET):
        payload = start + 4 + (1 + content[start + 4] if content[start + 3] & 0x20 else 0)
        if not content[start + 1] & 0x40 or payload + 4 > start + _TS_PACKET:
            continue
        section = payload + 1 + content[payload]
        end = section + 3 + (int.from_bytes(content[section + 1 : section + 3]) & 0xFFF)
        if content[payload : payload + 3] != b"\0\0\1" and section + 7 < end <= start + _TS_PACKET:
            mended[end - 4 : end] = _crc(mended[section : end - 4], 0xFFFFFFFF).to_bytes(4)
    return bytes(mended)


def ogg(content: bytes) -> Layout:
    """Pages: their headers and lacing, and the codec's own headers in the first of them."""
    layout, start = Layout(), 0
    for number in itertools.count():
        if content[start : start + 4] != b"OggS":
            return layout
        count = content[start + 26]
        body = start + 27 + count
        end = body + sum(content[start + 27 : body])
        layout.words("version and flags", start + 4, start + 6, 1)
        layout.words("granule", start + 6, start + 14, 8, "little")
        layout.words("serial and sequence", start + 14, start + 22, 4, "little")
        layout.words("segments", start + 26, start + 27, 1)
        layout.words("lacing", start + 27, body, 1)
        layout.words("codec header" if number < 2 else "coded", body, min(end, body + 64), 2, "little")
        layout.elements.append(Element("page", start, end))
        start = end
    raise AssertionError


def mended_ogg(content: bytes) -> bytes:
    """With the right checksum of each page."""
    mended, start = bytearray(content), content.find(b"OggS")
    while start >= 0 and start + 27 < len(content):
        end = start + 27 + content[start + 26]
        end = min(len(content), end + sum(content[start + 27 : end]))
        mended[start + 22 : start + 26] = bytes(4)
        mended[start + 22 : start + 26] = _crc(mended[start:end], 0).to_bytes(4, "little")
        start = content.find(b"OggS", max(end, start + 4))
    return bytes(mended)


def wav(content: bytes) -> Layout:
    """Chunks; the format's fields are pairs of bytes, in which all others are whole numbers of words."""
    whole = Field("RIFF size", 4, 4, "little")
    layout, start = Layout([whole, Field("RIFF type", 8, 4)]), 12
    while start + 8 <= len(content):
        name = content[start : start + 4].decode("latin-1")
        end = start + 8 + int.from_bytes(content[start + 4 : start + 8], "little")
        length = Field(f"{name} size", start + 4, 4, "little")
        layout.fields.extend([Field(f"{name} type", start, 4), length])
        layout.words(name, start + 8, min(end, len(content)), 2, "little")
        layout.elements.append(Element(name, start, end, (whole, length)))
        start = end
    return layout


def _table() -> list[int]:
    remainders = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
        remainders.append(value)
    return remainders


_CRC = _table()


def _crc(content: bytes | bytearray, start: int) -> int:
    value = start
    for byte in content:
        value = (value << 8 & 0xFFFFFFFF) ^ _CRC[value >> 24 ^ byte]
    return value
