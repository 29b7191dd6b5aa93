"""Connections to object stores, and how often a request is retried.

Credentials come from the environment, where the stores' own programs look for them (AWS_ACCESS_KEY_ID, a profile or a
role; GOOGLE_APPLICATION_CREDENTIALS; HF_TOKEN), and never from a URI, since URIs are printed and written to files.
"""

import os
from functools import lru_cache
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import pyarrow as pa
from pyarrow import fs

from s2v_ray.errors import StoreError, UserError
from s2v_ray.storage.paths import Location, refuse_password

# The pauses between tries double from 25 ms: a store may fail for a minute and a half.
_TRIES = 13
_CONNECT_SECONDS, _SILENT_SECONDS = 10.0, 30.0
_S3_OPTIONS = ("endpoint_override", "region", "scheme")


def connect_store(uri: str) -> tuple[fs.FileSystem, str]:
    """The file system of a URI such as s3://bucket/clips, and the path there ("bucket/clips").

    Raises UserError for a URI that can't be used, and StoreError where its store does not answer.
    """
    refuse_password(uri)
    try:
        parts = urlsplit(uri)
        if parts.scheme in ("s3", "hf"):
            filesystem = _s3(parts) if parts.scheme == "s3" else _hub(os.environ.get("HF_ENDPOINT"))
            return filesystem, unquote(parts.netloc + parts.path).rstrip("/")
        # One connection for each bucket, used again and again.
        return _connect(uri[: uri.index("://")], parts.netloc, parts.query), fs.FileSystem.from_uri(uri)[1]
    except (pa.ArrowInvalid, ValueError) as error:
        raise UserError("wrong_uri", f"'{uri}' is neither a path nor a URI that can be opened: {error}.") from None
    except OSError as error:
        raise StoreError(uri, str(error)) from error


@lru_cache
def _connect(scheme: str, authority: str, query: str) -> fs.FileSystem:
    filesystem, _ = fs.FileSystem.from_uri(f"{scheme}://{authority}/" + (f"?{query}" if query else ""))
    return filesystem


@lru_cache
def _hub(endpoint: str | None) -> fs.FileSystem:
    """The Hugging Face hub, or another with its protocol: hf://USER/MODEL, hf://USER/MODEL@REVISION."""
    try:
        from huggingface_hub import HfFileSystem
    except ImportError:
        extra = "in the folder of s2v_ray: pip install '.[hub]'"
        raise UserError("no_hub", f"hf:// needs huggingface_hub; {extra}") from None
    return fs.PyFileSystem(fs.FSSpecHandler(HfFileSystem(endpoint=endpoint)))


def network_errors(location: Location) -> tuple[type[Exception], ...]:
    """What else than OSErrors a store raises where no network leads to it."""
    if not str(location).startswith("hf://"):
        return ()
    from huggingface_hub.errors import HfHubHTTPError

    return (HfHubHTTPError.__bases__[0],)  # of httpx or httpx2, whichever this huggingface_hub has


def _s3(parts: SplitResult) -> fs.S3FileSystem:
    """S3, or another store with its protocol, at `?endpoint_override=` or where the environment says."""
    options = dict(parse_qsl(parts.query))
    if unknown := options.keys() - set(_S3_OPTIONS):
        known = ", ".join(_S3_OPTIONS)
        raise UserError("unknown_setting", f"'{parts.geturl()}' has the option '{min(unknown)}'; there are {known}.")
    default = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    scheme, _, endpoint = options.get("endpoint_override", default).rpartition("://")
    tries = os.environ.get("AWS_MAX_ATTEMPTS", str(_TRIES))
    if not tries.isdecimal():
        raise UserError("out_of_range", f"AWS_MAX_ATTEMPTS is '{tries}', but must be a whole number such as {_TRIES}.")
    scheme = options.get("scheme", scheme)
    return _connect_s3(parts.netloc, scheme, endpoint.rstrip("/"), options.get("region", ""), int(tries))


@lru_cache
def _connect_s3(bucket: str, scheme: str, endpoint: str, region: str, tries: int) -> fs.S3FileSystem:
    # pyarrow's own reading of a URI would do the same, but give up after a second.
    if not region and not endpoint:
        region = fs.resolve_s3_region(bucket)
    return fs.S3FileSystem(
        scheme=scheme or None,
        endpoint_override=endpoint or None,
        region=region or None,
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_SILENT_SECONDS,
        # The AWS SDK's "standard" strategy has a small budget of retries, which many readers use up in seconds.
        retry_strategy=fs.AwsDefaultS3RetryStrategy(max_attempts=tries),
        allow_delayed_open=True,  # a small file is one request
    )
