"""What the OpenAPI document says of `POST /generate`, which reads its body itself."""

from typing import Any

from s2v_ray.cluster.serving.order import FORM, JSON, Fields
from s2v_ray.cluster.serving.problems import PROBLEM, RETRY_SECONDS, STATUS

_FILE = {"type": "string", "format": "binary"}
_FIELDS = Fields.model_json_schema()
_PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "A fixed word."},
        "detail": {"type": "string", "description": "A sentence for people."},
    },
    "example": {
        "type": "about:blank",
        "status": 422,
        "code": "too_long",
        "detail": "The sound of 'sound' lasts more than 60 s; cut it.",
    },
}


def _refusals() -> dict[int | str, dict[str, Any]]:
    codes: dict[int, list[str]] = {422: ["the image, the sound or an option can't be used"]}
    for code, status in STATUS.items():
        codes.setdefault(status, []).append(code)
    retry = {"headers": {"Retry-After": {"schema": {"type": "integer"}, "example": RETRY_SECONDS}}}
    return {
        status: {
            "description": ", ".join(words),
            "content": {PROBLEM: {"schema": _PROBLEM}},
            **(retry if status == 503 else {}),
        }
        for status, words in sorted(codes.items())
        if status not in (404, 405)
    }


GENERATE_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        FORM: {
            "schema": {**_FIELDS, "properties": {"image": _FILE, "sound": _FILE, **_FIELDS["properties"]}},
            "example": {"image": "night.jpg", "sound": "boom.wav", "strength": 1.5},
        },
        JSON: {
            "schema": {**_FIELDS, "required": ["image_uri", "sound_uri"]},
            "example": {"image_uri": "s3://bucket/uploads/night.jpg", "sound_uri": "s3://bucket/uploads/boom.wav"},
        },
    },
}
GENERATE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The video, with the sound.", "content": {"video/mp4": {"schema": _FILE}}},
    **_refusals(),
}
