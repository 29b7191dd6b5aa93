"""Names of files and folders: local paths, and URIs of object stores such as s3://bucket/clips."""

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote, unquote_to_bytes

from s2v_ray.errors import UserError

Location = str | Path

# s3://KEY:SECRET@bucket, whatever the secret holds, but not hdfs://host:9000/name@x
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PASSWORD = re.compile(r"://[^/@\s]*:(?!\d+/)[^@\s]*@")


def user_location(text: Location, flag: str) -> str:
    """What a user typed after `flag`, as a name that means the same in every process.

    Local paths, those of file:// URIs too, become absolute, with `~` and `~user` expanded and without `.` and `..`;
    links stay. URIs lose a slash at their end.

    Raises UserError `empty_location`, `password_in_uri`, `wrong_uri`, `wrong_path` or `unknown_home`.
    """
    location = str(text)
    if not location:
        raise UserError("empty_location", f"{flag} is empty, as from a shell variable that is not set; name a path.")
    refuse_password(location)
    if location[:7].lower() == "file://":
        host, slash, path = location[7:].partition("/")
        if host not in ("", "localhost") or not slash:
            raise UserError("wrong_uri", f"{flag} is '{location}', but must have three slashes: file:///folder/name.")
        location = os.fsdecode(unquote_to_bytes(os.fsencode(f"/{path}")))
    if "\0" in location:
        raise UserError("wrong_path", f"{flag} is {location!r}, but no name holds a zero byte; correct it.")
    if not is_uri(location):
        return absolute_path(location, flag)
    base, query = _split(location)
    scheme, _, path = base.partition("://")
    return f"{scheme}://{path.rstrip('/')}{query}"


def absolute_path(path: Location, flag: str) -> str:
    """A local path, absolute, with `~` and `~user` expanded and without `.` and `..`; links stay.

    Raises UserError `unknown_home` if there is no such user.
    """
    try:
        parts = Path(path).expanduser().absolute().parts
    except RuntimeError:
        name = Path(path).parts[0]
        rule = f"but nobody's home folder is '{name}'; for a folder of that name, give ./{path}"
        raise UserError("unknown_home", f"{flag} is '{path}', {rule}.") from None
    found = parts[0]
    for part in parts[1:]:
        if part != "..":
            found = os.path.join(found, part)  # noqa: PTH118 - a Path would collapse nothing, but cost more
            continue
        # What is above a link is above what it leads to, as for every other program.
        found = os.path.dirname(os.path.realpath(found) if os.path.islink(found) else found)  # noqa: PTH114, PTH120
    return found


def readable(text: str) -> str:
    r"""`text` as valid Unicode: bytes of a name that are not UTF-8 become `\xff`."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


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
    return bool(_URI.match(str(location)))


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
