"""What a client asks for: a model, an image, a sound and options, from a form or JSON."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from s2v_ray.cluster.serving.settings import ServiceSettings
from s2v_ray.errors import UserError
from s2v_ray.generation.video import Options
from s2v_ray.storage.paths import is_uri, refuse_password

FORM, JSON = "multipart/form-data", "application/json"
_FILES = ("image", "sound")


@dataclass(frozen=True)
class Order:
    """One video to make. `image` and `sound` are a file's content, or the URI of one that was allowed."""

    model: str
    image: bytes | str
    sound: bytes | str
    options: Options


class Fields(BaseModel):
    """What stands beside the files in a form, or alone in JSON."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="One of `GET /models`; needed where there are several.")
    image_uri: str | None = Field(None, description="Instead of `image`: in a store that the service allows.")
    sound_uri: str | None = Field(None, description="Instead of `sound`: in a store that the service allows.")
    size: Literal["whole", "model"] = Field(
        "whole", description="All of the image, or the region that moves alone, at the model's size."
    )
    max_side: int | None = Field(None, description="The most pixels of the longer side; a larger image is reduced.")
    region: str = Field("auto", description="The square that moves: auto, centre, or x,y,size in pixels.")
    strength: float = Field(1.0, description="How much the sound does, from 0 to 4.")
    background: str = Field("white", description="The colour behind what is transparent: a CSS name or #rrggbb.")
    image_time: float = Field(0.0, description="If the image is a video: its frame at this time, in seconds.")
    audio_track: int = Field(0, ge=0, description="Of a sound with several tracks: counted from 1; 0 is the first.")


async def read_order(request: Request, settings: ServiceSettings) -> Order:
    """What a request orders. Raises UserError with a code that `problems.STATUS` knows, or another for its content."""
    bounded = _Bounded(request.scope, request.receive)
    bounded.limit = settings.max_upload_bytes
    stated = request.headers.get("content-length", "0")
    if stated.isdecimal() and int(stated) > bounded.limit:
        raise too_large(bounded.limit)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == JSON:
            return _order(await bounded.json(), {}, settings)
        if kind == FORM:
            async with bounded.form(max_files=2, max_fields=len(Fields.model_fields)) as form:
                files = {name: await part.read() for name, part in _parts(form) if isinstance(part, UploadFile)}
                fields = {name: part for name, part in _parts(form) if not isinstance(part, UploadFile)}
            return _order(fields, files, settings)
    except (ValueError, HTTPException) as error:  # no JSON; no form, or one of too many parts
        detail = error.detail if isinstance(error, HTTPException) else str(error)
        raise UserError("unreadable_request", f"The request's body can't be read as {kind}: {detail}.") from None
    raise UserError("unsupported_content_type", f"The request's content is '{kind}', but must be {FORM} or {JSON}.")


class _Bounded(Request):
    """A request whose body ends at a limit, whatever it says of its length."""

    limit: int

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The body's pieces. Raises UserError `upload_too_large`."""
        got = 0
        async for piece in super().stream():
            got += len(piece)
            if got > self.limit:
                raise too_large(self.limit)
            yield piece


def _parts(form: FormData) -> list[tuple[str, UploadFile | str]]:
    parts = form.multi_items()
    names = [name for name, _ in parts]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise UserError("wrong_field", f"The form has '{min(doubled)}' more than once; give it once.")
    return parts


def _order(values: Any, files: dict[str, bytes], settings: ServiceSettings) -> Order:
    if strange := files.keys() - set(_FILES):
        raise UserError("wrong_field", f"'{min(strange)}' is a file, but only image and sound are.")
    try:
        fields = Fields.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "the body"
        hint = "; a file needs a name in its part's header" if name in _FILES else ""
        raise UserError("wrong_field", f"'{name}' is wrong: {first['msg']}{hint}.") from None
    most = settings.max_side
    if fields.max_side is not None and fields.max_side > most:
        raise UserError("out_of_range", f"max_side is {fields.max_side}, but must be up to {most} here.")
    model = fields.model
    if model is None and len(settings.checkpoints) == 1:
        (model,) = settings.checkpoints
    if model is None or model not in settings.checkpoints:
        names = ", ".join(settings.checkpoints)
        told = "No model is named" if model is None else f"There is no model '{model}'"
        raise UserError("unknown_model", f"{told}; there are {names}.")
    options = Options(
        fields.size,
        most if fields.max_side is None else fields.max_side,
        fields.region,
        fields.strength,
        fields.background,
        fields.image_time,
        fields.audio_track,
    )
    image, sound = (
        _source(name, files.get(name), getattr(fields, f"{name}_uri"), settings.allow_uri) for name in _FILES
    )
    return Order(model, image, sound, options)


def _source(name: str, content: bytes | None, uri: str | None, allowed: tuple[str, ...]) -> bytes | str:
    if (content is None) == (uri is None):
        raise UserError("wrong_field", f"Give either the file '{name}' or '{name}_uri'.")
    if uri is None:
        assert content is not None
        return content
    refuse_password(uri)
    # Nothing that a store or a library may read as another place: no way up, no escapes, no options.
    plain = is_uri(uri) and not set("%?#\\\0@") & set(uri) and not {"..", "."} & set(uri.split("/"))
    if not plain or not any(uri.startswith(prefix.rstrip("/") + "/") for prefix in allowed):
        where = f"below {' or '.join(allowed)}" if allowed else "uploaded: this service reads no URIs"
        raise UserError("uri_not_allowed", f"{name}_uri is '{uri}', but files must be {where}.")
    return uri


def too_large(limit: int) -> UserError:
    """What a request gets whose image and sound have more bytes than that."""
    return UserError(
        "upload_too_large", f"The request has more than {limit / 1e6:g} MB; reduce the image or the sound."
    )
