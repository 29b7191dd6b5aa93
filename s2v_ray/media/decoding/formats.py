"""Which containers are opened as video or sound."""

from typing import Any

# FFmpeg's names of containers that hold all of their sound and picture themselves. Playlists and descriptions, which
# name other files or addresses (HLS, DASH, concat, SDP, image sequences ...), are not among them, nor are pictures.
_CONTAINERS = (
    *("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "flv", "live_flv", "kux", "mpegts", "mpeg", "asf", "asf_o"),
    *("ogg", "rm", "mxf", "gxf", "nut", "dv", "ivf", "wtv", "nsv", "dhav", "ty", "swf", "amv", "film_cpk", "smjpeg"),
    *("mpegvideo", "h264", "hevc", "vvc", "m4v", "h263", "h261", "vc1", "av1", "obu", "mjpeg", "yuv4mpegpipe", "dirac"),
    *("wav", "w64", "aiff", "au", "caf", "iff", "voc", "sox", "ircam", "nistsphere", "pvf", "avr", "dsf", "xwma"),
    *("flac", "mp3", "aac", "ac3", "eac3", "dts", "dtshd", "truehd", "mlp", "amr", "amrnb", "amrwb", "ape", "wv"),
    *("tta", "tak", "mpc", "mpc8", "shn", "oma", "aea", "qcp", "gsm", "loas", "spdif", "apac", "osq", "qoa", "lc3"),
)
OPEN_OPTIONS = {"format_whitelist": ",".join(_CONTAINERS), "protocol_whitelist": "file"}

_PLAYLISTS = {
    b"#EXTM3U": "HLS or M3U",
    b"ffconcat version": "FFmpeg's concat",
    b"[playlist]": "PLS",
    b"<MPD": "DASH",
    b"<smil": "SMIL",
    b"v=0": "SDP",
}
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"%!PS")
_HEAD_BYTES = 1024


def why_not_listed(file: Any) -> str:
    """What to say of a file, open for reading bytes, that is in none of the containers."""
    file.seek(0)
    head = bytes(file.read(_HEAD_BYTES))
    for mark, name in _PLAYLISTS.items():
        if head.lstrip(b"\xef\xbb\xbf \r\n").startswith(mark) or (mark[:1] == b"<" and mark in head):
            return f"it is a playlist ({name}), and no file may open others; give the files that it names"
    if head.startswith(_PICTURES) or (head[:4], head[8:12]) == (b"RIFF", b"WEBP"):
        return "it is a picture; give a video or a sound"
    return "its format is none that is read; convert it to MP4, MKV or WAV"


def is_picture_item(stream: Any) -> bool:
    """Whether a video stream is a picture, or one tile of it, in a HEIF or AVIF file: it has no times."""
    is_mov = "mov" in stream.container.format.name.split(",")
    return is_mov and stream.time_base == 1 and stream.duration is None and stream.frames <= 1
