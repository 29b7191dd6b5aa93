"""Errors as clients get them: problem details in JSON (RFC 9457) with a fixed word and a sentence."""

import re

from starlette.responses import JSONResponse, Response

from s2v_ray.errors import UserError, in_names

PROBLEM = "application/problem+json"
RETRY_SECONDS = 5
# Of any other code: the image, the sound or an option can't be used.
_UNPROCESSABLE = 422
STATUS = {
    "unreadable_request": 400,
    "wrong_token": 401,
    "other_site": 403,
    "uri_not_allowed": 403,
    "no_such_page": 404,
    "wrong_method": 405,
    "upload_too_large": 413,
    "unsupported_content_type": 415,
    "internal_error": 500,
    "busy": 503,
    "draining": 503,
    "model_unavailable": 503,
    "replica_lost": 503,
    "store_unavailable": 503,
    "took_too_long": 504,
}


def problem(error: UserError) -> Response:
    """The answer to a request that failed."""
    status = STATUS.get(error.code, _UNPROCESSABLE)
    headers = {}
    if status == 503:
        headers["Retry-After"] = str(RETRY_SECONDS)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    content = {"type": "about:blank", "status": status, "code": error.code, "detail": error.message}
    return JSONResponse(content, status, headers, media_type=PROBLEM)


def draining_error() -> UserError:
    """What a request gets that comes while the service stops."""
    return UserError("draining", "The service is stopping; try again when it has started.")


def in_client_words(error: UserError, files: dict[str, str]) -> UserError:
    """The error without what only this machine knows: `files` maps paths to the client's names, flags become fields."""
    text = error.message
    for path, name in files.items():
        text = text.replace(path, name)
    text = re.sub(r",? or allow more with --[\w-]+", "", text)
    return UserError(error.code, in_names(text))
