"""What a verb prints as a sentence instead of a traceback, each with a short fixed code."""


class UserError(Exception):
    """A user's mistake, or input that can't be used.

    `code` is a fixed word that programs and tests can rely on (such as `unknown_setting`); the message is one sentence
    for the user: what, where, why and what to do next.
    """

    def __init__(self, code: str, message: str = "") -> None:
        # TODO(0.2): the message becomes required once every `raise` has its code.
        self.code, self.message = (code, message) if message else ("invalid", code)
        super().__init__(self.message)

    def __reduce__(self) -> tuple[type["UserError"], tuple[str, ...]]:
        return type(self), (self.code, self.message)


class StoreError(UserError):
    """An object store that does not do what it is asked, after all retries: it may later."""

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

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
