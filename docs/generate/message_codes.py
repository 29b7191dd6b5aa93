"""Every code of a message that a user can get, with its sentences, read from the source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_WORD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# Codes that stand in a variable where their error is made, by file; a new one of these belongs here.
_IN_VARIABLES = {
    "s2v_ray/cli/main.py": ("unusable_file",),
    "s2v_ray/dataset/settings.py": ("wrong_crop", "wrong_stabilize"),
    "s2v_ray/media/decoding/media_file.py": ("undecodable_video", "undecodable_audio", "no_video", "no_audio"),
    "s2v_ray/preparation/plan.py": ("crashed", "hung"),
}
# Where a reject's reason is the first of a pair of word and sentence.
_PAIRS = ("s2v_ray/preparation/quality/measure.py", "s2v_ray/preparation/sources/discovery.py")


def sentences_by_code() -> dict[str, list[str]]:
    """The sentences of each code, in alphabetical order; what differs from time to time is in ‹›."""
    found: dict[str, list[str]] = {}
    for path in sorted([*(_ROOT / "s2v_ray").rglob("*.py"), *(_ROOT / "jobs").rglob("*.py")]):
        name = path.relative_to(_ROOT).as_posix()
        for code in _IN_VARIABLES.get(name, ()):
            found.setdefault(code, [])
        for code, sentence, known in _messages(ast.parse(path.read_text()), {}, pairs=name in _PAIRS):
            sentences = found.setdefault(code, [])
            if (text := _text(sentence, known)) and text not in sentences:
                sentences.append(text)
    return dict(sorted(found.items()))


def code_list(page: str) -> str:
    """Markdown of each code, but for those that `page` explains in a table's first column."""
    explained = explained_codes(page)
    parts = []
    for code, sentences in sentences_by_code().items():
        if code not in explained:
            said = sentences or ["The message itself says what, where and what to do."]
            parts.append(f"`{code}`{{ #{code} }}\n\n" + "\n\n".join(f":   {sentence}" for sentence in said))
    return "\n\n".join(parts)


def explained_codes(page: str) -> set[str]:
    """The codes in the first column of the page's tables."""
    cells = re.findall(r"^\| (`[^|]+`) \|", page, re.MULTILINE)
    return {code for cell in cells for code in re.findall(r"`([a-z0-9_]+)`", cell)}


def _messages(
    node: ast.AST, known: dict[str, ast.expr], *, pairs: bool
) -> Iterator[tuple[str, ast.expr, dict[str, ast.expr]]]:
    """Code and sentence of each message below `node`, and what is assigned to names before it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Assign):
            known = known | {name.id: child.value for name in child.targets if isinstance(name, ast.Name)}
        if message := _message(child, pairs=pairs):
            yield from ((code, message[1], known) for code in _codes(message[0], known))
        yield from _messages(child, known, pairs=pairs)


def _message(node: ast.AST, *, pairs: bool) -> tuple[ast.expr, ast.expr] | None:
    """The code and the sentence of a message, if a piece of syntax is one."""
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in ("UserError", "MediaError", "__init__") and len(node.args) == 2:
            return node.args[0], node.args[1]
        if name == "Reject" and len(node.args) == 4:
            return node.args[2], node.args[3]
    return (node.elts[0], node.elts[1]) if pairs and isinstance(node, ast.Tuple) and len(node.elts) == 2 else None


def _codes(node: ast.expr, known: dict[str, ast.expr]) -> list[str]:
    """The fixed words that an expression may be."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) and _WORD.fullmatch(node.value) else []
    if isinstance(node, ast.Name) and node.id in known:
        return _codes(known[node.id], {name: value for name, value in known.items() if name != node.id})
    return [*_codes(node.body, known), *_codes(node.orelse, known)] if isinstance(node, ast.IfExp) else []


def _text(node: ast.expr, known: dict[str, ast.expr]) -> str:
    """A sentence as Markdown, its expressions in ‹›; empty where it isn't written out."""
    if isinstance(node, ast.Constant):
        return re.sub(r"([*_<>\[\]{}|`])", r"\\\1", node.value) if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, known) or f"‹{_name(part)}›" for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _text(node.value, known)
    if isinstance(node, ast.BinOp):
        return f"{_text(node.left, known)}{_text(node.right, known)}"
    if isinstance(node, ast.Name) and node.id in known:  # `rule` or `problem` of the line above
        return _text(known[node.id], {name: value for name, value in known.items() if name != node.id})
    return _text(node.body, known) if isinstance(node, ast.IfExp) else ""


def _name(part: ast.expr) -> str:
    """What an expression in a sentence is called: its last name, or dots."""
    value = part.value if isinstance(part, ast.FormattedValue) else part
    name = value.id if isinstance(value, ast.Name) else value.attr if isinstance(value, ast.Attribute) else "…"
    return name.strip("_").replace("_", " ").lower()
