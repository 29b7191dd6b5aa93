"""Names of files and folders: local paths, and URIs of object stores such as s3://bucket/clips."""

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from s2v_ray.errors import UserError

Location = str | Path

# s3://KEY:SECRET@bucket, whatever the secret holds, but not hdfs://host:9000/name@x
_PASSWORD = re.compile(r"://[^/@\s]*:(?!\d+/)[^@\s]*@")


def user_location(text: Location, flag: str) -> str:
    """What a user typed after `flag`, as a name that means the same in every process.

    Local paths, those of file:// URIs too, become absolute, with `~` expanded; URIs lose a slash at their end.

    Raises UserError `empty_location`, `password_in_uri` or `wrong_uri`.
    """
    location = str(text)
    if not location:
        raise UserError("empty_location", f"{flag} is empty, as from a shell variable that is not set; name a path.")
    refuse_password(location)
    if location.startswith("file://"):
        host, path = urlsplit(location)[1:3]
        if host not in ("", "localhost") or not path:
            raise UserError("wrong_uri", f"{flag} is '{location}', but must have three slashes: file:///folder/name.")
        location = unquote(path)
    if not is_uri(location):
        return os.path.normpath(Path(location).expanduser().absolute())
    base, query = _split(location)
    scheme, _, path = base.partition("://")
    return f"{scheme}://{path.rstrip('/')}{query}"


def refuse_password(uri: str) -> None:
    """Raise UserError `password_in_uri` if there is a password in `uri`, without repeating it."""
    if _PASSWORD.search(uri):
        raise UserError(
            "password_in_uri",
            f"A URI of {uri.partition('://')[0]}:// holds a password, which would end up in files and logs; set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or what the store's own programs read) instead.",
        )


def is_uri(location: Location) -> bool:
    """Whether `location` is a URI such as s3://bucket/clips, rather than a local path."""
    return "://" in str(location)


def join(location: Location, *parts: str) -> str:
    """`location/part/part`."""
    if not is_uri(location):
        return "/".join([str(location).rstrip("/"), *parts])
    base, query = _split(location)
    return "/".join([base.rstrip("/"), *(quote(part, safe="/=@,+:") for part in parts)]) + query


def parent(location: Location) -> str:
    """The folder that holds `location`."""
    if not is_uri(location):
        return str(Path(location).parent)
    base, query = _split(location)
    return base.rstrip("/").rpartition("/")[0] + query


def base_name(location: Location) -> str:
    """The last part of a path or URI."""
    if not is_uri(location):
        return Path(location).name
    return unquote(_split(location)[0].rstrip("/").rpartition("/")[2])


def _split(uri: Location) -> tuple[str, str]:
    """A URI without its query, and the query with its question mark."""
    base, mark, query = str(uri).partition("?")
    return base, mark + query
