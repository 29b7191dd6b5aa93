"""The tab of a data set: its clips to play, its card, contact sheets and rejects, and sources to exclude."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import PurePath
from typing import Any

import gradio as gr

from s2v_ray.app.cached import copied, new_file
from s2v_ray.app.dataset_files import (
    card_text,
    clip_indices,
    contact_sheets,
    rejects_by_reason,
    rejects_page,
    write_clip,
)
from s2v_ray.app.work import in_words, message
from s2v_ray.dataset.excluded import read_excluded
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.dataset.splits import SPLITS
from s2v_ray.recipes.exclude import exclude
from s2v_ray.storage.files import exists
from s2v_ray.storage.paths import join

_MOST_SHEETS = 60
_NO_SHEETS = "No contact sheets: <code>s2v prepare --preview</code> draws them."


def dataset_tab(datasets: Mapping[str, str], tab: gr.Tab) -> None:
    """The components of the tab, and what they do: `datasets` are folders by name."""

    def show(name: str, split: str) -> list[Any]:
        _reader.cache_clear()
        clips = datasets[name]
        try:
            picture = join(clips, "card.png")
            sheets = [
                (copied(each, card.GRADIO_CACHE), PurePath(each).stem) for each in contact_sheets(clips)[:_MOST_SHEETS]
            ]
            return [
                *choose(name, split),
                card_text(clips),
                copied(picture, card.GRADIO_CACHE) if exists(picture) else None,
                gr.update(value=sheets, visible=bool(sheets)),
                "" if sheets else f'<p class="s2v-note">{_NO_SHEETS}</p>',
                rejects_page(rejects_by_reason(clips)),
            ]
        except Exception as error:
            return [*[gr.skip()] * 4, message(in_words(error), alert=True), *[gr.skip()] * 5]

    def choose(name: str, split: str, kept: str | None = None) -> list[Any]:
        """The sources of a split, and the first clip of one."""
        try:
            excluded = read_excluded(datasets[name])
            sources = clip_indices(_reader(datasets[name], split))
        except Exception as error:
            return [*[gr.skip()] * 4, message(in_words(error), alert=True)]
        choices = [(f"{source} (excluded)" if source in excluded else source, source) for source in sources]
        source = kept if kept in sources else next(iter(sources), None)
        return [gr.update(choices=choices, value=source), *play(name, split, source)]

    def play(name: str, split: str, source: str | None, number: float = 1) -> list[Any]:
        try:
            if source is None:
                return [gr.update(visible=False), None, gr.update(visible=False), message(f"No clips in {split}.")]
            reader = _reader(datasets[name], split)
            own = clip_indices(reader)[source]
            number = min(int(number), len(own))
            out = new_file(player.GRADIO_CACHE, f"{PurePath(source).stem[:60]} {number}.mp4")
            start = write_clip(reader, own[number - 1], out)
            is_excluded = source in read_excluded(datasets[name])
            text = f"Clip {number} of {len(own)} from {source}, at {start:.2f} s."
            return [
                gr.update(maximum=max(2, len(own)), value=number, visible=len(own) > 1),
                str(out),
                gr.update(value="Include it again" if is_excluded else "Exclude from training", visible=True),
                message(f"{text} Excluded: nothing is trained, validated or evaluated on it." if is_excluded else text),
            ]
        except Exception as error:
            return [*[gr.skip()] * 3, message(in_words(error), alert=True)]

    def toggle(name: str, split: str, source: str | None) -> list[Any]:
        if source is None:
            return [gr.skip()] * 6
        try:
            clips = datasets[name]
            exclude(clips, source, excluded=source not in read_excluded(clips))
        except Exception as error:
            return [*[gr.skip()] * 4, message(in_words(error), alert=True), gr.skip()]
        return [*choose(name, split, source), card_text(clips)]

    name = gr.Dropdown(list(datasets), value=next(iter(datasets)), label="Data set", visible=len(datasets) > 1)
    with gr.Row():
        with gr.Column(min_width=280):
            split = gr.Radio(list(SPLITS), value=SPLITS[0], label="Split", elem_id="split")
            source = gr.Dropdown([], label="Source", filterable=True, elem_id="source")
            number = gr.Slider(1, 2, 1, step=1, label="Clip", visible=False)
            status = gr.HTML(message(""), elem_id="clip-status")
            button = gr.Button("Exclude from training", visible=False, elem_id="exclude")
        with gr.Column(min_width=280):
            player = gr.Video(label="Clip", interactive=False, autoplay=False, buttons=[], height=320, elem_id="clip")
    card = gr.Image(show_label=False, interactive=False, buttons=["fullscreen"], elem_id="card")
    with gr.Accordion("The card in words", open=False):
        text = gr.Markdown(elem_id="card-text")
    with gr.Accordion("Left out, by reason", open=False):
        rejects = gr.HTML(elem_id="rejects")
    with gr.Accordion("Contact sheets", open=False):
        no_sheets = gr.HTML()
        sheets = gr.Gallery(show_label=False, columns=2, interactive=False, visible=False, buttons=["fullscreen"])
    clip = [number, player, button, status]
    for event in (tab.select, name.input):
        event(show, [name, split], [source, *clip, text, card, sheets, no_sheets, rejects])
    split.input(choose, [name, split], [source, *clip])
    source.input(play, [name, split, source], clip)
    number.input(play, [name, split, source, number], clip, trigger_mode="always_last")
    button.click(toggle, [name, split, source], [source, *clip, text])


@lru_cache(maxsize=8)
def _reader(clips: str, split: str) -> ClipReader:
    """All of a split's clips, also excluded ones; opened once, since it takes a look at each file."""
    return ClipReader(clips, split, with_excluded=True)
