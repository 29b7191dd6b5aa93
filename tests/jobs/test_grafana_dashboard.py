"""The Grafana dashboard asks for nothing but metrics that the code, or Ray Serve, emits."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "jobs" / "grafana_dashboard.json").read_text())
_SUFFIXES = {"Counter": ["_total"], "Gauge": [""], "Histogram": ["_bucket", "_sum", "_count"]}
_METRIC = re.compile(r"\b(ray_\w+)\s*[{\[),]")


def emitted() -> set[str]:
    """The name of each metric of ours in the endpoint, from the code."""
    found = set[str]()
    for path in (ROOT / "s2v_ray" / "cluster").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in _SUFFIXES
                and node.args
            ):
                name = node.args[0]
                if isinstance(name, ast.Constant) and str(name.value).startswith("s2v_"):
                    found |= {f"ray_{name.value}{suffix}" for suffix in _SUFFIXES[node.func.id]}
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> Iterator[str]:
    for panel in panels():
        yield from (target["expr"] for target in panel["targets"])


def test_every_metric_that_it_asks_for_is_emitted():
    serve = "".join(path.read_text() for path in (Path(ray.__file__).parent / "serve" / "_private").glob("*.py"))
    known = emitted()
    for query in queries():
        names = _METRIC.findall(query)
        assert names, query
        for name in names:
            assert name in known or f'"{name.removeprefix("ray_")}"' in serve, name


def test_every_metric_of_ours_is_on_it():
    asked = {name for query in queries() for name in _METRIC.findall(query)}
    histograms = ("_sum", "_count")
    assert {name for name in emitted() if not name.endswith(histograms)} <= asked


def test_its_structure_is_what_grafana_imports():
    assert DASHBOARD["uid"]
    assert DASHBOARD["title"] == "s2v_ray"
    variables = {variable["name"]: variable["type"] for variable in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource": "datasource", "run": "query"}
    identifiers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identifiers)) == len(identifiers)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells
    for panel in panels():
        assert panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters) > 0
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
