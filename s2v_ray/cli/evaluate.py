"""`s2v evaluate`."""

from typing import Any


def evaluate(
    *,
    checkpoint: str,
    clips: str,
    out: str,
    split: str = "test",
    resampled: str | None = None,
    weights_dir: str | None = None,
    device: str = "auto",
    seed: int = 0,
) -> dict[str, Any]:
    """Score a model on held-out videos, beside the real video, the frozen image and the mismatched sound.

    Args:
        checkpoint: a run (its best checkpoint) or one checkpoint.
        clips: what s2v prepare wrote.
        out: the folder for report.html, report.json, figures and videos.
        split: test, val or train.
        resampled: the same made-up videos by s2v synth --redraw 1, prepared: how well chance itself would do.
        weights_dir: a folder with torchvision's alexnet-owt-7be5be79.pth, to measure LPIPS, too, or pytorch-i3d's
            rgb_imagenet.pt, to measure FVD (half a minute a clip on a CPU), or both. Nothing is downloaded.
        device: auto, cpu or cuda.
        seed: of the mismatched sounds and of the bootstrap.
    """
    from rich.console import Console

    from s2v_ray.cli.device import choose_device
    from s2v_ray.cli.progress import ProgressBar
    from s2v_ray.evaluation.report import evaluate as evaluate_checkpoint
    from s2v_ray.evaluation.table import notes, table
    from s2v_ray.storage.paths import absolute

    with ProgressBar("evaluating") as show:
        report = evaluate_checkpoint(
            checkpoint,
            clips,
            absolute(out),
            choose_device(device),
            seed=seed,
            split=split,
            resampled=resampled,
            weights_dir=weights_dir,
            show=lambda done, total: show(done / total, f"{done} of {total} clips"),
        )
    Console(width=None if Console().is_terminal else 120).print(table(report))
    print(*notes(report), sep="\n")
    print(f"Look at {out}/report.html; the figures and videos on it, and report.json, lie beside it.")
    print(f"Next: s2v generate --checkpoint {checkpoint} --image PICTURE --sound SOUND --out video.mp4")
    return report
