"""The docs site: it builds without a warning, needs no other host, and lists every verb, setting and message code."""

import ast
import inspect
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest

from s2v_ray.cli.main import VERBS
from s2v_ray.config import Config

ROOT = Path(__file__).parents[2]
SOURCES = [*(ROOT / "s2v_ray").rglob("*.py"), *(ROOT / "jobs").rglob("*.py")]
# What a browser fetches by itself to show a page; a link that a reader clicks is none.
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}


class Page(HTMLParser):
    """Addresses that a page fetches, its text in <code>, and the text of the cells of each row of its tables."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.code: list[str] = []
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in FETCHED and given.get("rel") not in ("canonical", "next", "prev"):
            self.fetched.append(given.get(FETCHED[tag]) or "")
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "code":
            self.code.append("")
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:  # tags that are never closed, such as <img>
            pass

    def handle_data(self, data):
        if "code" in self._open:
            self.code[-1] += data
        if "td" in self._open:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    return out


def test_no_page_needs_another_host(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    for path in pages:
        outside = [address for address in Page(path).fetched if re.match(r"(https?:)?//", address)]
        assert not outside, f"{path} fetches {outside}"
        assert 'class="mermaid"' not in path.read_text()  # the theme would fetch what draws it
    for style in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", style.read_text()), style


def test_each_verb_has_a_page_with_all_of_its_flags(site):
    overview = Page(site / "verbs" / "index.html").code
    for name, verb in VERBS.items():
        assert name in overview
        shown = " ".join(Page(site / "verbs" / name / "index.html").code)
        for parameter in inspect.signature(verb, eval_str=True).parameters.values():
            kind = next(iter(get_args(parameter.annotation)), None)
            if not is_dataclass(kind) and parameter.kind is not parameter.POSITIONAL_ONLY:
                flag = f"--{parameter.name.replace('_', '-')}"
                assert re.search(rf"{flag}\b", shown), f"{name} lacks {flag}"
    prepare = Page(site / "verbs" / "prepare" / "index.html")
    assert {"--clip-seconds FLOAT|{auto}", "--min-motion FLOAT"} <= set(prepare.code)
    assert any(row[:1] == ["--clips-per-source INT"] and "(default: 4)" in row[1] for row in prepare.rows)


def test_each_setting_is_listed_with_what_the_presets_say(site):
    rows = {row[0]: row[1:] for row in Page(site / "settings" / "index.html").rows if row}
    names = [setting.name for section in fields(Config) for setting in fields(section.type)]
    assert set(names) <= set(rows)
    assert rows["generator_lr"][1:] == ["0.0002", "0.0005", "0.001", "0.001", "0.0005"]
    assert rows["reconstruction"][1:] == ["l1", "l2", "l2", "l2", "l2"]
    meaning = "height and width of the generated video, in pixels; from 2 to 1024"
    assert rows["resolution"] == [meaning, "64", "64", "64", "128", "256"]


def test_each_message_code_is_explained_and_none_that_does_not_exist(site):
    raised, words = set(), set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words.add(node.value)
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("UserError", "MediaError"):
                code = node.args[0] if node.args else None
                if isinstance(code, ast.Constant):
                    raised.add(code.value)
    page = (site / "troubleshooting" / "index.html").read_text()
    listed = set(re.findall(r"<code id=\"(\w+)\">\1</code>", page))
    cells = " ".join(re.findall(r"<tr>\s*<td>(.*?)</td>", page))
    listed |= set(re.findall(r"<code>(\w+)</code>", cells))
    assert len(raised) > 130
    assert raised <= listed
    # Words that are put together, f"no_{kind}" of a track and f"no_{name}" of a tracker, or in the midst of a text.
    assert listed <= words | {"no_audio", "no_video", "no_wandb", "no_mlflow", "unusable_file", "wrong_python"}
    reasons = {"silent", "still_picture", "camera_moves", "scene_cut", "lag", "duplicate", "missing", "crashed", "hung"}
    assert reasons <= listed


def test_the_readme_is_short_and_its_links_lead_somewhere():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 120
    links = re.findall(r"\]\(([^)#:]+)(?:#([^)]+))?\)", text)
    assert len(links) > 15
    for target, anchor in links:
        assert (ROOT / target).exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", (ROOT / target).read_text(), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]
