"""The tab of the runs: losses, validation, samples with sound, reports."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import gradio as gr

from s2v_ray.app.cached import copied
from s2v_ray.app.run_figure import run_figures
from s2v_ray.app.run_files import read_curves, report_checkpoint, sample_videos
from s2v_ray.app.work import in_words, message
from s2v_ray.storage.files import read_bytes
from s2v_ray.storage.paths import join


def run_tab(runs: Mapping[str, str], reports: Sequence[str], tab: gr.Tab) -> None:
    """The components of the tab, and what they do: `runs` are folders by name, `reports` folders."""

    def show(run: str) -> list[Any]:
        try:
            figures = run_figures(read_curves(runs[run]))
            steps = list(sample_videos(runs[run]))
            own = [folder for folder in reports if f"{report_checkpoint(folder)}/".startswith(f"{runs[run]}/")]
            others = [folder for folder in reports if folder not in own]
            shown = own[0] if own else None
            return [
                *figures,
                gr.update(choices=steps, value=steps[0] if steps else None, visible=bool(steps)),
                sample_of(run, steps[0] if steps else None),
                gr.update(choices=[*own, *others], value=shown, visible=bool(reports)),
                report_of(shown),
                message(""),
            ]
        except Exception as error:
            return [*[gr.skip()] * 7, message(in_words(error), alert=True)]

    def sample_of(run: str, step: str | None) -> Any:
        if step is None:
            return gr.update(value=None, visible=False)
        return gr.update(value=copied(sample_videos(runs[run])[step], sample.GRADIO_CACHE), visible=True)

    name = gr.Dropdown(list(runs), value=next(iter(runs)), label="Run", visible=len(runs) > 1)
    with gr.Row():
        plots = []
        for _ in range(3):
            with gr.Column(min_width=280):
                plots.append(gr.Plot(show_label=False))
    with gr.Row():
        with gr.Column(min_width=280):
            step = gr.Dropdown([], label="Sample: generated on the left, real on the right")
        with gr.Column(min_width=280):
            sample = gr.Video(label="Sample", interactive=False, buttons=["download"], height=260, elem_id="sample")
    report = gr.Dropdown([], label="Report of s2v evaluate")
    page = gr.HTML(elem_id="report")
    status = gr.HTML(message(""))
    all_of_it = [*plots, step, sample, report, page, status]
    for event in (tab.select, name.input):
        event(show, name, all_of_it)
    step.input(sample_of, [name, step], sample)
    report.input(report_of, report, page)


def report_of(folder: str | None) -> str:
    """A report's page, whole, as HTML that runs nothing."""
    if folder is None:
        return message("No report on this run: s2v evaluate writes one.")
    page = read_bytes(join(folder, "report.html")).decode(errors="replace")
    return f'<iframe class="s2v-report" sandbox title="The report" srcdoc="{escape(page)}"></iframe>'
