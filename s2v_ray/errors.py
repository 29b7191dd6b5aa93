"""The errors that a verb prints as a sentence instead of a traceback, each with a short fixed code."""

import re


class UserError(Exception):
    """A user's mistake, or input that can't be used.

    `code` is fixed, such as `unknown_setting`, for programs and tests to rely on; the message is one sentence for the
    user: what, where, why and what to do next.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message

    def __reduce__(self) -> tuple[type["UserError"], tuple[str, ...]]:
        return type(self), (self.code, self.message)


class StoreError(UserError):
    """An object store that refuses a request after all retries; a later one may succeed."""

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(
            "store_unavailable",
            f"'{uri}' can't be read or written: {reason.rstrip('.')}; when its store answers again (or its name and "
            "your credentials are corrected), give the same command.",
        )
        self.uri, self.reason = uri, reason

    def __reduce__(self) -> tuple[type["StoreError"], tuple[str, str]]:
        return StoreError, (self.uri, self.reason)


class MediaError(UserError):
    """A media file that can't be used; its `code` is the reason in `rejects.jsonl`, such as `no_audio`."""


def in_names(message: str) -> str:
    """A message for whoever gives names in place of flags: `--max-side` is `max_side`."""
    return re.sub(r"--([a-z][a-z.-]*[a-z])", lambda flag: flag[1].replace("-", "_"), message)
