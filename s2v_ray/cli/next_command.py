"""The command to give next, as a line that a shell takes."""

import shlex


def command(verb: str, **flags: str) -> str:
    """`s2v VERB --flag value ...` with what needs quotes quoted."""
    words = [word for name, value in flags.items() for word in (f"--{name}", value)]
    return shlex.join(["s2v", verb, *words])
