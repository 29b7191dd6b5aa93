"""What mkdocs makes while it builds the site: pages of verbs, settings, codes, and of Markdown from elsewhere.

Nothing of these is written by hand a second time.
"""

import os.path
import re
from pathlib import Path
from typing import Any

from message_codes import code_list
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from setting_tables import setting_tables
from verb_pages import verb_pages

ROOT = Path(__file__).parents[2]
# Pages of the site that are files elsewhere in the repository.
INCLUDED = {
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "jobs.md": "jobs/README.md",
    "presets.md": "s2v_ray/config/presets/README.md",
}
_SITE_PAGES = {source: page for page, source in INCLUDED.items()} | {"README.md": "index.md"}
_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s:#]+)(#[^)\s]*)?\)")
_SETTINGS, _CODES = "<!-- settings -->", "<!-- codes -->"
_log = get_plugin_logger(__name__)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the part `Verbs` of the navigation, so that a new verb needs no line there."""
    for part in config.nav or []:
        if isinstance(part, dict) and "Reference" in part:
            for entry in part["Reference"]:
                if isinstance(entry, dict) and "Verbs" in entry:
                    entry["Verbs"] = ["verbs/index.md", *({name: f"verbs/{name}.md"} for name in verb_pages())]
                    return config
    raise PluginError("mkdocs.yml has no part `Reference: - Verbs`.")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are no files in docs/."""
    pages = {f"verbs/{name}.md": text for name, text in verb_pages().items()}
    pages |= {page: (ROOT / source).read_text() for page, source in INCLUDED.items()}
    for uri, text in pages.items():
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Put generated lists in place of their markers, and let links lead to pages of the site."""
    if _SETTINGS in markdown:
        markdown = markdown.replace(_SETTINGS, setting_tables())
    if _CODES in markdown:
        markdown = markdown.replace(_CODES, code_list(markdown))
    uri = page.file.src_uri
    source = INCLUDED.get(uri, f"docs/{uri}")

    def of_site(link: re.Match[str]) -> str:
        text, target, anchor = link.group(1), link.group(2), link.group(3) or ""
        path = os.path.normpath(os.path.join(os.path.dirname(source), target))  # noqa: PTH118,PTH120 - of URIs
        if path in _SITE_PAGES:
            path = _SITE_PAGES[path]
        elif path.startswith("docs/"):
            path = path.removeprefix("docs/")  # mkdocs itself says where that is no page
        elif (ROOT / path).exists():
            return text  # code, which is not on the site
        else:
            _log.warning(f"{source} links to '{target}', which is not in the repository.")
            return link.group(0)
        return f"[{text}]({os.path.relpath(path, os.path.dirname(uri) or '.')}{anchor})"  # noqa: PTH120 - of URIs

    return _LINK.sub(of_site, markdown)
