"""Every code of a message that a user can get, with its sentences, read from the source."""

import ast
import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_WORD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_RAISED = ("UserError", "MediaError")
# Codes that stand in a variable where their error is made, by file; a new one of these belongs here.
_IN_VARIABLES = {
    "s2v_ray/cli/main.py": ("unusable_file",),
    "s2v_ray/cluster/serving/http.py": ("wrong_method", "no_such_page", "internal_error"),
    "s2v_ray/dataset/settings.py": ("wrong_crop", "wrong_stabilize"),
    "s2v_ray/media/decoding/media_file.py": ("undecodable_video", "undecodable_audio", "no_video", "no_audio"),
    "s2v_ray/preparation/plan.py": ("crashed", "hung"),
    "s2v_ray/training/checkpoint_files.py": ("damaged_checkpoint",),
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
        for node in ast.walk(ast.parse(path.read_text())):
            code, sentence = _message(node, pairs=name in _PAIRS)
            if code is None:
                continue
            sentences = found.setdefault(code, [])
            if (text := _text(sentence)) and text not in sentences:
                sentences.append(text)
    return dict(sorted(found.items()))


def code_list(page: str) -> str:
    """Markdown of each code, but for those that `page` explains in a table's first column."""
    parts = []
    explained = explained_codes(page)
    for code, sentences in sentences_by_code().items():
        if code not in explained and sentences:
            parts.append(f"`{code}`{{ #{code} }}\n" + "\n".join(f":   {sentence}\n" for sentence in sentences))
    return "\n".join(parts)


def explained_codes(page: str) -> set[str]:
    """The codes in the first column of the page's tables."""
    cells = re.findall(r"^\| (`[^|]+`) \|", page, re.MULTILINE)
    return {code for cell in cells for code in re.findall(r"`([a-z0-9_]+)`", cell)}


def _message(node: ast.AST, *, pairs: bool) -> tuple[str | None, ast.expr | None]:
    """The code and the sentence that a piece of syntax holds; None where it holds none."""
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in (*_RAISED, "__init__") and len(node.args) == 2:
            return _code(node.args[0]), node.args[1]
        if name == "Reject" and len(node.args) == 4:
            return _code(node.args[2]), node.args[3]
    if pairs and isinstance(node, ast.Tuple) and len(node.elts) == 2:
        return _code(node.elts[0]), node.elts[1]
    return None, None


def _code(node: ast.expr) -> str | None:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def _text(node: ast.expr | None) -> str:
    """A sentence as Markdown, its expressions named in ‹›; empty where it isn't written out."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _escaped(node.value)
    if not isinstance(node, ast.JoinedStr):
        return ""
    parts = [
        _escaped(part.value) if isinstance(part, ast.Constant) else f"‹{_name(part)}›"
        for part in node.values
    ]
    return "".join(parts)


def _name(part: ast.expr) -> str:
    """What an expression in a sentence is called: its last name, or dots."""
    value = part.value if isinstance(part, ast.FormattedValue) else part
    if isinstance(value, ast.Name):
        return value.id.replace("_", " ")
    return value.attr.replace("_", " ") if isinstance(value, ast.Attribute) else "…"


def _escaped(text: str) -> str:
    return re.sub(r"([*_<>\[\]{}|`])", r"\\\1", text)
