"""Train for a minute, and go on from there.

python docs/examples/train_and_continue.py clips/fireworks runs/fireworks
"""

import sys

import s2v_ray


def main(clips: str, out: str, config: str = "tiny", minutes: str = "1") -> None:
    # The same call resumes if it is stopped before the minute is over.
    first = s2v_ray.train(clips, out, config=config, minutes=float(minutes), settings={"optim.generator_lr": 1e-3})
    print(f"{first.step} steps in {first.seconds:.0f} s, best validation score {first.best_score}")

    # Its learning rates have fallen by now, so that more training is a new run, which starts from these weights.
    more = s2v_ray.train(clips, f"{out}-more", config=config, minutes=float(minutes), init_from=first.run)
    print(f"{more.step} steps more, best validation score {more.best_score}: {more.checkpoint}")


if __name__ == "__main__":
    main(*sys.argv[1:])
