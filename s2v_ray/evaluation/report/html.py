"""HTML reports: each one file that opens from disk and needs no network.

Names in them come from strangers' files, so templates escape every value, and a page may load only what it embeds.
"""

import base64

from jinja2 import Environment, PackageLoader, StrictUndefined

from s2v_ray.storage.files import exists, read_bytes
from s2v_ray.storage.paths import Location, join


def data_uri(kind: str, location: Location) -> str:
    """A file of the media type `kind`, such as "image/png", as a URI that embeds it."""
    return f"data:{kind};base64,{base64.b64encode(read_bytes(location)).decode()}"


# Templates have paths from the package's root, such as tuning/templates/sweep.html.j2.
_TEMPLATES = Environment(
    loader=PackageLoader("s2v_ray", ""),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals |= {"data_uri": data_uri, "exists": exists, "join": join, "read_bytes": read_bytes}


def render(template: str, **values: object) -> str:
    """A page of a template that extends `evaluation/report/templates/base.html.j2`."""
    return _TEMPLATES.get_template(template).render(values)
