"""Says which Python runs a script of this folder, and what it lacks, where that is not the one with s2v_ray in it.

Import it before all else but the standard library, which is all that it needs.
"""

import os
import sys
from types import TracebackType


def explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a sentence in place of the traceback of a module that is not there."""
    if isinstance(error, ModuleNotFoundError):
        print(
            missing_module(error.name or str(error), in_job="RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ),
            end="",
            file=sys.stderr,
        )
    else:
        sys.__excepthook__(kind, error, trace)


def missing_module(name: str, *, in_job: bool) -> str:
    """What to do where this Python has no module of this name."""
    version = ".".join(map(str, sys.version_info[:3]))
    what = f"{sys.argv[0]}: {sys.executable} (Python {version}) runs this script, but has no module '{name}'"
    if not in_job:
        return f"{what}. Run it by the Python that s2v_ray is installed in: .venv/bin/python. [wrong_python]\n"
    return (
        f"{what}. A job runs in the Python that Ray was started from. Either start Ray from the one that s2v_ray is "
        "installed in, on each node:\n"
        "    source .venv/bin/activate && ray stop && ray start --head\n"
        "or have Ray build the environment:\n"
        "    ray job submit --runtime-env jobs/runtime_env_uv.yaml -- python ...\n"
        "[wrong_python]\n"
    )


sys.excepthook = explain
