"""`import s2v_ray` costs next to nothing, and still offers every name."""

import inspect
import subprocess
import sys

import pytest

import s2v_ray
from s2v_ray.dataset.settings import clip_settings

HEAVY = {"torch", "ray", "numpy", "pyarrow", "av", "cv2", "tqdm", "typing"}


def loaded_after(code: str) -> set[str]:
    """The top-level modules in a new process after `code`, beyond those that Python itself has at start."""
    report = "print(*{name.partition('.')[0] for name in sys.modules if name not in before})"
    script = f"import sys; before = set(sys.modules)\n{code}\n{report}"
    printed = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True)
    return set(printed.stdout.split())


def test_the_import_loads_nothing_heavy_and_listing_the_names_neither() -> None:
    path = [entry for entry in sys.path if entry]
    assert not HEAVY & loaded_after(f"sys.path += {path!r}; import s2v_ray; dir(s2v_ray)")


def test_every_name_is_offered_to_completion_and_found_where_it_is_said_to_be() -> None:
    listed = [name for names in s2v_ray._FILES.values() for name in names]
    assert sorted(listed) == sorted([*s2v_ray.__all__, "__version__"])  # which `import *` leaves alone
    assert set(listed) <= set(dir(s2v_ray))
    for file, names in s2v_ray._FILES.items():
        for name in names:
            assert getattr(s2v_ray, name) is getattr(sys.modules[file], name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'generat'"):
        _ = s2v_ray.generat


def test_prepare_has_the_settings_of_the_command_with_the_same_defaults() -> None:
    ours, theirs = (inspect.signature(each).parameters for each in (s2v_ray.prepare, clip_settings))
    assert {name: ours[name].default for name in theirs} == {name: each.default for name, each in theirs.items()}


@pytest.mark.parametrize("name", ["prepare", "train", "evaluate", "probe", "tune"])
def test_a_function_takes_what_its_verb_does(name: str) -> None:
    from s2v_ray.cli.main import VERBS

    # What belongs to a terminal or to many machines stays with the command.
    only_commands = {
        "prepare": {"preview", "shard", "settings"},  # the settings are arguments of their own
        "train": {"videos", "audio_track", "video_track", "dry_run"},
    }
    ours, theirs = (set(inspect.signature(each).parameters) for each in (getattr(s2v_ray, name), VERBS[name]))
    assert theirs - ours == only_commands.get(name, set())
