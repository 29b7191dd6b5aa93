"""The codes of errors, over the whole package."""

import ast
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import s2v_ray
from s2v_ray.errors import MediaError, StoreError, UserError


def codes() -> Iterator[tuple[str, str]]:
    """The file and the code of each error that is made with both a code and a sentence."""
    for file in Path(s2v_ray.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 2):
                continue
            if node.func.id in ("UserError", "MediaError") and isinstance(node.args[0], ast.Constant):
                yield file.name, node.args[0].value


def test_codes_are_one_to_four_words_in_snake_case():
    found = list(codes())
    assert len(found) > 20
    for file, code in found:
        assert re.fullmatch("[a-z0-9]+(_[a-z0-9]+){0,3}", code), f"{file}: {code}"


@pytest.mark.parametrize(
    "error",
    [UserError("not_found", "Gone."), MediaError("no_audio", "Silent."), StoreError("s3://bucket/x", "no answer")],
)
def test_errors_come_whole_from_another_process(error):
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.code, str(copy)) == (type(error), error.code, str(error))
