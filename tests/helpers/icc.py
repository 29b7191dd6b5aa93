"""ICC profiles written by hand (ICC.1:2001)."""

import struct

# Colorants in XYZ, adapted to D50, as the profiles of Apple and Adobe hold them.
DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
ADOBE_RGB = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
_D50 = (0.9642, 1.0, 0.8249)


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def _curve(values: list[float]) -> bytes:
    if len(values) == 1:  # a power
        return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(values[0] * 256)) + bytes(2)
    return b"curv\0\0\0\0" + struct.pack(f">I{len(values)}H", len(values), *(round(v * 65535) for v in values))


def _profile(kind: bytes, space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78), b"wtpt": _xyz(_D50), **tags}
    table, data, start = b"", b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += struct.pack(">4sII", name, start + len(data), len(content))
        data += padded
    header = struct.pack(">I4sI4s4s4s12x4s28x", start + len(data), b"lcms", 0x02400000, kind, space, pcs, b"acsp")
    header += struct.pack(">3i", *(round(value * 65536) for value in _D50)) + bytes(48)
    return header + struct.pack(">I", len(tags)) + table + data


def rgb_profile(colorants: tuple[tuple[float, float, float], ...], power: float = 0) -> bytes:
    """A display's profile with a power curve, or by default sRGB's curve."""
    steps = [i / 1023 for i in range(1024)]
    srgb = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in steps]
    curve = _curve([power] if power else srgb)
    names = (b"r", b"g", b"b")
    xyz = {name + b"XYZ": _xyz(values) for name, values in zip(names, colorants, strict=True)}
    return _profile(b"mntr", b"RGB ", b"XYZ ", xyz | {name + b"TRC": curve for name in names})


def grey_profile(power: float) -> bytes:
    """A grey scale with a power curve."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _curve([power])})


def cmyk_profile(cyan_lightness: float) -> bytes:
    """A printer whose paper is white, whose cyan is a grey of this L*, and whose other inks are black."""
    white, cyan, black = (round(lightness * 2.55) for lightness in (100, cyan_lightness, 0))
    straight = bytes(range(256))
    corners = [white if i == 0 else cyan if i == 8 else black for i in range(16)]  # C varies slowest
    clut = b"".join(bytes([lightness, 128, 128]) for lightness in corners)
    unit = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + unit + straight * 4 + clut + straight * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut, b"A2B1": lut})
