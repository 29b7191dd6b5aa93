"""Speed and quality against honest baselines, measured in one run: python jobs/benchmark.py WHAT --json FILE."""

import argparse
import json
import sys
from dataclasses import asdict

import needs  # noqa: F401  # says what this Python lacks
from benchmarks import device, evaluate, generate, prepare, quality, scale, serve, stream, train, tune

from s2v_ray.cli.job import local_path
from s2v_ray.errors import UserError

BENCHMARKS = {
    "prepare": prepare,
    "train": train,
    "device": device,
    "stream": stream,
    "generate": generate,
    "evaluate": evaluate,
    "tune": tune,
    "quality": quality,
    "scale": scale,
    "serve": serve,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="what", required=True)
    for name, benchmark in BENCHMARKS.items():
        verb = verbs.add_parser(name, description=benchmark.__doc__)
        verb.add_argument("--json", type=local_path, required=True, help="where to write the ratios")
        verb.add_argument("--repeats", type=int, default=3)
        benchmark.add_flags(verb)
    flags = parser.parse_args()
    results = []
    try:
        for result in BENCHMARKS[flags.what].measure(flags):
            results.append({**asdict(result), "ratio": result.ratio})
            print(f"{result.name}: {result.ours:.4g} / {result.baseline:.4g} = {result.ratio:.3f}", flush=True)
    except UserError as error:
        sys.exit(f"benchmark.py {flags.what}: {error} [{error.code}]")
    finally:
        flags.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
