"""A page for each verb, made of what `s2v VERB --help` prints."""

import contextlib
import functools
import io
import os
import re

from s2v_ray.cli.flags import parse
from s2v_ray.cli.main import VERBS

_WIDTH = "110"  # one column of boxes
_BOX_TITLE = re.compile(r"^╭─ (.*?) ─+╮$")


@functools.cache
def verb_pages() -> dict[str, str]:
    """Markdown by verb, in the order of `s2v --help`."""
    return {name: _page(name) for name in VERBS}


def help_text(verb: str) -> str:
    """What `s2v VERB --help` prints, without colours."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = _WIDTH
    try:
        printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            parse(verb, VERBS[verb], ["--help"])
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    printed.seek(0)
    return re.sub(r"\x1b\[[0-9;]*m", "", printed.read())


def _page(verb: str) -> str:
    lines = help_text(verb).splitlines()
    first = next(index for index, line in enumerate(lines) if _BOX_TITLE.match(line))
    about = "\n".join(lines[1:first]).strip()
    parts = [f"# s2v {verb}\n\n{about}"]
    settings = False
    for title, rows in _boxes(lines[first:]):
        if any(row.startswith("--") and "." in row.split()[0] for row in rows):
            settings = True
            continue
        if table := _table(rows):
            parts.append(f"## {title[:1].upper()}{title[1:]}\n\n{table}")
    if settings:
        parts.append(
            "## Settings\n\nEach is a flag, too, such as `--optim.generator-lr 5e-4`: [all settings](../settings.md)."
        )
    return "\n\n".join(parts) + "\n"


def _boxes(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Title and rows of each box."""
    boxes: list[tuple[str, list[str]]] = []
    for line in lines:
        if title := _BOX_TITLE.match(line):
            boxes.append((title.group(1), []))
        elif boxes and line[:1] == "│":
            row = line[1:].rstrip("│ ").removeprefix(" ")
            if row and not row.startswith("──"):
                boxes[-1][1].append(row)
    return boxes


def _table(rows: list[str]) -> str:
    """A table of flags: a row that begins at the margin is a flag, those below it go on with its meaning."""
    flags: list[tuple[str, list[str]]] = []
    intro: list[str] = []
    for row in rows:
        if row.startswith("-") or (row[0] != " " and "  " in row):
            flag, _, meaning = row.partition("  ")
            flags.append((flag, [meaning]))
        elif flags:
            flags[-1][1].append(row)
        else:
            intro.append(row)
    lines = [f"| {_code(flag)} | {_text(text)} |" for flag, text in flags if flag != "-h, --help"]
    table = ["\n".join(["| flag | meaning |", "|---|---|", *lines])] if lines else []
    return "\n\n".join(filter(None, [_text(intro), *table]))


def _code(flag: str) -> str:
    return f"`{flag.strip()}`"


def _text(rows: list[str]) -> str:
    joined = " ".join(row.strip() for row in rows if row.strip())
    return joined.replace("|", r"\|").replace("*", r"\*").replace("<", "&lt;")
