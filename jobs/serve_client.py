"""Ask a service for one video, patiently: python jobs/serve_client.py ADDRESS IMAGE SOUND OUT [NAME=VALUE ...].

NAME=VALUE are fields of the request, such as model=mouth or strength=1.5. The token comes from S2V_TOKEN.
It needs nothing of s2v: pip install httpx
"""

import os
import sys
import time
from pathlib import Path

import httpx

TRIES = 20


def generate(address: str, image: Path, sound: Path, fields: dict[str, str]) -> bytes:
    """The MP4. Repeats where nothing is lost by it: after 503, and where the connection broke."""
    token = os.environ.get("S2V_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    files = {"image": ("image", image.read_bytes()), "sound": ("sound", sound.read_bytes())}
    for attempt in range(1, TRIES + 1):
        pause = 5.0
        try:
            answer = httpx.post(f"{address}/generate", headers=headers, files=files, data=fields, timeout=660)
        except httpx.TransportError as error:
            problem = str(error)
        else:
            if answer.status_code == 200:
                return answer.content
            problem = answer.text
            pause = float(answer.headers.get("retry-after", 0))
        if not pause or attempt == TRIES:
            break
        time.sleep(pause)
    raise SystemExit(f"No video: {problem}")


if __name__ == "__main__":
    address, image, sound, out, *more = sys.argv[1:]
    Path(out).write_bytes(generate(address, Path(image), Path(sound), dict(each.split("=", 1) for each in more)))
