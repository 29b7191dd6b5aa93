"""What a service is started with: its models, its size, and what one request may cost."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from s2v_ray.dataset.typed import typed
from s2v_ray.errors import UserError
from s2v_ray.storage.paths import base_name, is_uri, user_location

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class ServiceSettings:
    """A service's models by name, and their replicas and limits; the fields are the flags of `s2v serve`.

    Raises UserError `out_of_range`, `no_model`, `wrong_name` or `not_a_store`.
    """

    checkpoints: Mapping[str, str]
    replicas: tuple[int, int] = (1, 1)
    """the least and the most: Serve adds one when each has `requests_per_replica` under way, and others wait"""
    requests_per_replica: int = 1
    cpus_per_replica: float = 1.0
    gpus_per_replica: float = 0.0
    models_per_replica: int = 3
    queue: int = 32
    timeout_seconds: float = 600.0
    max_upload_mb: float = 50.0
    max_seconds: float = 60.0
    """of sound"""
    max_side: int = 1280
    allow_uri: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.checkpoints:
            raise UserError("no_model", "There is no checkpoint to serve; give NAME=RUN.")
        for name in self.checkpoints:
            if not re.fullmatch(r"[\w.-]{1,64}", name):
                rule = "must be up to 64 letters, digits, dots, dashes and underscores"
                raise UserError("wrong_name", f"A model is called '{name}', but its name {rule}.")
        least, most = self.replicas
        if not 1 <= least <= most:
            raise _out_of_range("replicas", f"{least}:{most}", "a number or a range such as 1 or 1:4")
        for number in fields(self):
            value = getattr(self, number.name)
            least_value = 0 if number.name in ("gpus_per_replica", "queue") else None
            if number.type in (int, float) and (value < 0 if least_value == 0 else not value > 0):
                raise _out_of_range(number.name, f"{value:g}", "0 or more" if least_value == 0 else "above 0")
        for prefix in self.allow_uri:
            if not is_uri(prefix) or prefix.lower().startswith("file:"):
                rule = "must be where uploads may come from in an object store, such as s3://bucket/uploads"
                raise UserError("not_a_store", f"--allow-uri is '{prefix}', but {rule}.")

    @property
    def max_upload_bytes(self) -> int:
        """Of a request's whole body."""
        return round(self.max_upload_mb * _MEGABYTE)


def settings_from_dict(values: Mapping[str, Any]) -> ServiceSettings:
    """Settings as a YAML file has them; `replicas` is 2 or "1:4". Raises UserError `wrong_settings` and as above."""
    given = dict(values)
    if "replicas" in given:
        given["replicas"] = replica_range(str(given["replicas"]))
    try:
        settings: ServiceSettings = typed(given, ServiceSettings)
    except (TypeError, KeyError) as error:
        names = ", ".join(field.name for field in fields(ServiceSettings))
        raise UserError("wrong_settings", f"The service's args are wrong: {error}; there are {names}.") from None
    return settings


def named_checkpoints(given: tuple[str, ...]) -> dict[str, str]:
    """The models that `NAME=RUN`, or `RUN`, which is then called as its folder, name. Raises UserError."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, run = text.partition("=")
        run = user_location(run if equals else text, "--checkpoint")
        name = name if equals else base_name(run)
        if name in found:
            raise UserError("wrong_name", f"Two models are called '{name}'; give --checkpoint NAME=RUN.")
        found[name] = run
    return found


def replica_range(text: str) -> tuple[int, int]:
    """The least and the most of "2" or "1:4". Raises UserError `out_of_range`."""
    if not re.fullmatch(r"\d+(:\d+)?", text):
        raise _out_of_range("replicas", text, "a number or a range such as 1 or 1:4")
    numbers = [int(number) for number in text.split(":")]
    return numbers[0], numbers[-1]


def _out_of_range(name: str, value: str, rule: str) -> UserError:
    return UserError("out_of_range", f"--{name.replace('_', '-')} is {value}, but must be {rule}.")
