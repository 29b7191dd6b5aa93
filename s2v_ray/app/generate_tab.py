"""The tab to generate: a picture, a sound, where it moves, and the video."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from threading import Event
from typing import Any

import gradio as gr

from s2v_ray.app.cached import new_file
from s2v_ray.app.square import Placed, draw, move_to, place, resize_to
from s2v_ray.app.work import Cancelled, Locate, Make, in_words, message
from s2v_ray.dataset.settings import AUTO
from s2v_ray.generation.video import MAX_STRENGTH, Options
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.probe import probe

_INTRODUCTION = (
    "A picture and a sound become a video of the picture that moves with the sound, on this page's own machine."
)


def generate_tab(
    page: gr.Blocks,
    models: Mapping[str, str],
    *,
    make: Make,
    locate: Locate,
    examples: Sequence[tuple[str, str]],
    at_once: int,
) -> None:
    """The components of the tab, in the page that is being built, and what they do."""
    ending: dict[str, Event] = {}  # of each session that waits or works; set, to end that

    def find(image: str | None, model: str) -> tuple[Placed | None, Any, Any, str]:
        if not image:
            return None, None, gr.skip(), ""
        try:
            return _shown(place(*locate(model, image, AUTO)))
        except Exception as error:
            return None, None, gr.skip(), message(in_words(error, [image]), alert=True)

    def move(placed: Placed | None, event: gr.SelectData) -> tuple[Placed | None, Any, Any, str]:
        return _shown(move_to(placed, *event.index)) if placed else (None, None, gr.skip(), "")

    def resize(placed: Placed | None, percent: float) -> tuple[Placed | None, Any, str]:
        if placed is None:
            return None, None, ""
        placed, drawn, _, text = _shown(resize_to(placed, percent / 100))
        return placed, drawn, text

    def start(request: gr.Request) -> tuple[Any, Any, str, None]:
        ending[str(request.session_hash)] = Event()
        shown = gr.update(value="Cancel", interactive=True, visible=True)
        return gr.update(visible=False), shown, message("Waiting for the model …"), None

    def generate(
        image: str | None,
        sound: str | None,
        model: str,
        placed: Placed | None,
        strength: float,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how gradio hands it over
    ) -> tuple[str | None, str]:
        session = str(request.session_hash)
        end = ending.setdefault(session, Event())

        def show(done: float, text: str) -> None:
            if end.is_set():
                raise Cancelled
            progress(done, desc=text)

        try:
            if not image or not sound:
                missing = " and ".join(name for name, given in (("a picture", image), ("a sound", sound)) if not given)
                return None, message(f"Give {missing} first.", alert=True)
            out = new_file(video.GRADIO_CACHE, f"{PurePath(image).stem[:60]} {PurePath(sound).stem[:60]}.mp4")
            options = Options(region=placed.region if placed else AUTO, strength=strength)
            make(model, image, sound, str(out), options, show)
            made = probe(MediaFile(out))
            size = f"{made.width} × {made.height} pixels, {float(made.picture_end):.1f} s"
            return str(out), message(f"Done: {size}.")
        except Cancelled:
            return None, message("Cancelled.")
        except Exception as error:
            return None, message(in_words(error, filter(None, [image, sound])), alert=True)
        finally:
            ending.pop(session, None)

    def stop_work(request: gr.Request) -> None:
        if end := ending.get(str(request.session_hash)):
            end.set()

    def cancel(request: gr.Request) -> Any:
        stop_work(request)
        return gr.update(value="Cancelling …", interactive=False)

    gr.HTML(f'<p class="s2v-note">{_INTRODUCTION}</p>')
    placed = gr.State(None)
    with gr.Row():
        with gr.Column(min_width=280):
            image = gr.Image(
                label="Picture", sources=["upload", "webcam", "clipboard"], type="filepath", height=280,
                elem_id="picture", buttons=[],
            )  # fmt: skip
        with gr.Column(min_width=280):
            sound = gr.Audio(
                label="Sound", sources=["upload", "microphone"], type="filepath", elem_id="sound", buttons=[]
            )
            model = gr.Dropdown(
                list(models), value=next(iter(models)), label="Model", interactive=len(models) > 1, elem_id="model"
            )
    if examples:
        image.keep_in_cache.update(path for example in examples for path in example)  # when old uploads are removed
        names = [PurePath(picture).stem.replace("_", " ") for picture, _ in examples]
        gr.Examples(
            [list(each) for each in examples], [image, sound], label="Examples", example_labels=names,
            cache_examples=False,
        )  # fmt: skip
    with gr.Row():
        with gr.Column(min_width=280):
            preview = gr.Image(
                label="Where it moves: click to move the square", interactive=False, format="webp", buttons=[],
                elem_id="preview", height=320,
            )  # fmt: skip
            why = gr.HTML(elem_id="why")
            percent = gr.Slider(5, 100, 100, step=1, label="Size of the square, % of the shorter side", elem_id="size")
            again = gr.Button("Find the square again", size="sm")
        with gr.Column(min_width=280):
            video = gr.Video(
                label="Video", interactive=False, autoplay=False, buttons=["download"], elem_id="video", height=320
            )
            status = gr.HTML(message(""), elem_id="status")
            strength = gr.Slider(
                0, MAX_STRENGTH, 1.0, step=0.1, label="Strength of the sound (1 is the model's own)", elem_id="strength"
            )
            go = gr.Button("Make the video", variant="primary", elem_id="go")
            stop = gr.Button("Cancel", variant="stop", visible=False, elem_id="stop")
    _take_as_uploaded(image)
    square = [placed, preview, percent, why]
    for event in (image.change, model.change, again.click):
        event(find, [image, model], square, show_progress_on=preview, concurrency_limit=at_once)
    preview.select(move, placed, square, show_progress="hidden")
    percent.input(resize, [placed, percent], [placed, preview, why], show_progress="hidden", trigger_mode="always_last")
    started = go.click(start, None, [go, stop, status, video], queue=False, show_progress="hidden")
    made = started.then(
        generate, [image, sound, model, placed, strength], [video, status], show_progress_on=video,
        concurrency_limit=at_once,
    )  # fmt: skip
    made.then(lambda: (gr.update(visible=True), gr.update(visible=False)), None, [go, stop], show_progress="hidden")
    stop.click(cancel, None, stop, queue=False, show_progress="hidden")
    page.unload(stop_work)


def _shown(placed: Placed) -> tuple[Placed | None, Any, Any, str]:
    square = placed.square
    text = f"The square of {square.size} pixels at {square.x}, {square.y}: {placed.reason}."
    return placed, draw(placed), round(100 * placed.part), message(text)


def _take_as_uploaded(picture: Any) -> None:
    """Have a gr.Image pass the file on: s2v reads more formats than gradio, and says in words what is wrong."""
    picture.preprocess = lambda payload: payload and payload.path
