"""`s2v app`."""

import importlib.util

from s2v_ray.cli.flags import Location
from s2v_ray.errors import UserError
from s2v_ray.training.device import choose_device


def app(
    *,
    checkpoint: tuple[Location, ...],
    clips: tuple[Location, ...] = (),
    report: tuple[Location, ...] = (),
    host: str = "127.0.0.1",
    port: int = 0,
    device: str = "auto",
) -> None:
    """Open a page that makes videos of pictures and sounds, and shows runs and data sets.

    Args:
        checkpoint: runs (the best checkpoint of each), checkpoints, or what s2v export wrote, to choose from on the
            page.
        clips: data sets to show; sources can be excluded from training there.
        report: reports of s2v evaluate to show; those beside the runs are found.
        host: the address to listen on; 127.0.0.1 is for this machine only, 0.0.0.0 for everybody who can reach it,
            without a password.
        port: the port to listen on; 0 is 7860, or a free one if that is taken.
        device: auto, cpu or cuda.
    """
    check_gradio()
    from s2v_ray.app.local import LocalModels
    from s2v_ray.app.names import short_names
    from s2v_ray.app.run_files import is_run, report_checkpoint, reports_beside
    from s2v_ray.dataset.index import read_dataset

    if not checkpoint:
        raise UserError("missing_flag", "--checkpoint is needed: name a run of s2v train, or several.")
    for location in clips:
        read_dataset(location)
    for location in report:
        if not report_checkpoint(location):
            raise UserError("no_report", f"--report '{location}' holds no report; name what s2v evaluate wrote.")
    models = short_names(checkpoint)
    local = LocalModels(models, choose_device(device))
    local.load()
    runs = [location for location in models.values() if is_run(location)]
    reports = list(dict.fromkeys([*report, *(found for run in runs for found in reports_beside(run))]))
    from s2v_ray.app.page import build_page  # takes seconds, so after all that may be refused
    from s2v_ray.app.server import listen, serve_page, upload_folder

    with listen(host, port) as listening, upload_folder():
        page = build_page(models, make=local.make, locate=local.locate, runs=runs, reports=reports, clips=clips)
        address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
        try:
            serve_page(
                page, listening, host=host, started=lambda: print(f"The page: {address}  (Ctrl-C ends it)", flush=True)
            )
        except KeyboardInterrupt:
            print()
        finally:
            local.closing.set()


def check_gradio() -> None:
    """Raise UserError where it isn't installed."""
    if importlib.util.find_spec("gradio") is None:
        raise UserError("no_gradio", "The page needs gradio; in the folder of s2v_ray: pip install '.[app]'")
