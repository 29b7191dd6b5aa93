"""The page as a whole: a tab to generate, one that shows the runs, one that shows data sets."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import gradio as gr

from s2v_ray.app.dataset_tab import dataset_tab
from s2v_ray.app.examples import find_examples
from s2v_ray.app.generate_tab import generate_tab
from s2v_ray.app.names import short_names
from s2v_ray.app.run_tab import run_tab
from s2v_ray.app.work import Locate, Make

_KEPT_SECONDS = 3600  # so long uploads and videos stay, unless the page ends before
_TITLE = "s2v"


def build_page(
    models: Mapping[str, str],
    *,
    make: Make,
    locate: Locate,
    runs: Sequence[str] = (),
    reports: Sequence[str] = (),
    clips: Sequence[str] = (),
    at_once: int = 1,
) -> gr.Blocks:
    """The page for `models`, checkpoints by name. `mount_page` or `serve_page` (server.py) put it on a server.

    `make` and `locate` do the work, at most `at_once` of each at a time; further visitors wait in a queue. `runs` are
    folders of s2v train, `reports` of s2v evaluate, and `clips` data sets, which the page shows in tabs of their own if
    there are any; of `clips` visitors may exclude sources, so give none on a page for strangers.
    """
    page = gr.Blocks(title=_TITLE, analytics_enabled=False, delete_cache=(60, _KEPT_SECONDS))
    with page:
        examples = find_examples(runs, clips, Path(page.GRADIO_CACHE) / "examples")
        with gr.Tab("Generate"):
            generate_tab(page, models, make=make, locate=locate, examples=examples, at_once=at_once)
        if runs:
            with gr.Tab("Runs") as tab:
                run_tab(short_names(runs), reports, tab)
        if clips:
            with gr.Tab("Data") as tab:
                dataset_tab(short_names(clips), tab)
    return page
