"""The one exception that a verb prints as a sentence instead of a traceback."""


class UserError(Exception):
    """A user's mistake, or input that can't be used.

    The message is one sentence for the user: what, where, why and what to do next.
    """


class StoreError(UserError):
    """An object store that does not do what it is asked, after all tries: it may later."""

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(
            f"'{uri}' can't be read or written: {reason.rstrip('.')}; when its store answers again (or its name and "
            "your rights are mended), give the same command."
        )
        self.uri, self.reason = uri, reason

    def __reduce__(self) -> tuple[type["StoreError"], tuple[str, str]]:
        return StoreError, (self.uri, self.reason)


class MediaError(UserError):
    """A media file that can't be used.

    `reason` is a fixed word for `rejects.jsonl` (such as `no_audio`); the message is the sentence.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type["MediaError"], tuple[str, str]]:
        return MediaError, (self.reason, str(self))
