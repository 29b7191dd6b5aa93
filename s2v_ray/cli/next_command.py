"""The command to give next, as a line that a shell takes."""

import shlex


def command(verb: str, **flags: str | tuple[str, ...]) -> str:
    """`s2v VERB --flag value ...` with what needs quotes quoted."""
    given = {name: (value,) if isinstance(value, str) else value for name, value in flags.items()}
    words = [word for name, values in given.items() for word in (f"--{name}", *values)]
    return shlex.join(["s2v", verb, *words])
