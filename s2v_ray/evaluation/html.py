"""What our pages have in common: one file each, which opens from disk and needs no network.

Names on them come from strangers' files, so every text is to be escaped, and a page may load nothing but what it
carries.
"""

import base64
from html import escape
from string import Template

from s2v_ray.storage.files import read_bytes
from s2v_ray.storage.paths import Location

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'">
<title>$title</title>
<style>
:root { color-scheme: light dark; --line: #8884; --faint: #888; --ours: #f28c1b; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
img { max-width: 100%; height: auto; background: white; border-radius: 4px; }
figure { margin: 1rem 0; } figcaption { color: var(--faint); font-size: .85rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; margin: 1rem 0; }
td, th { padding: .2rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
td:first-child, th:first-child { text-align: left; }
$style</style>
</head>
<body>
<h1>$title</h1>
$body
</body>
</html>
""")


def page(title: str, body: str, *, style: str) -> str:
    """A page of a title, which is escaped here, and a body of HTML, with rules of CSS of its own."""
    return _PAGE.substitute(title=escape(title), body=body, style=style)


def data_uri(kind: str, location: Location) -> str:
    """A file, such as of the kind "image/png", as a URI that holds it."""
    return f"data:{kind};base64,{base64.b64encode(read_bytes(location)).decode()}"
