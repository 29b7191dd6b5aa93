"""Evaluate a model, and read its scores as numbers.

python docs/examples/read_scores.py runs/fireworks clips/fireworks reports/fireworks
"""

import sys

import s2v_ray


def main(checkpoint: str, clips: str, out: str) -> None:
    report = s2v_ray.evaluate(checkpoint, clips, out)
    print(f"{report.counts.clips} clips of {report.counts.sources} sources, {report.held_out}")

    for metric in ("motion_correlation", "motion_explained", "sharpness"):
        score = report.score(metric)  # the model's; None where no source defines it
        if score is not None:
            print(f"{metric}: {score.mean:.2f}, 95 % from {score.low} to {score.high}, {score.count} sources")
    print("with other clips' sound:", report.mean("motion_correlation", "mismatched sound"))

    for source in report.sources:
        print(source.source, source.scores["model"]["motion_correlation"])


if __name__ == "__main__":
    main(*sys.argv[1:])
