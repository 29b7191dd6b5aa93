"""Every verb under every kind of trouble: one sentence with a code, nothing damaged, and the next try completes."""

import os
import shutil
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.child import Outcome, in_child
from helpers.small import QUICK, SMALL_CLIPS, SMALL_MODEL
from PIL import Image
from robustness import trouble
from robustness.matrix import VERBS, Input, Verb, command
from robustness.trouble import Ended, run, snapshot

from s2v_ray.synthetic.write import synthesize

INPUTS = [
    pytest.param(verb, given, id=f"{verb.name} {given.flag or given.good}") for verb in VERBS for given in verb.inputs
]
GOOD_INPUTS = [case for case in INPUTS if not case.values[0].ray and case.values[1].good != "weights"]
WRITERS = [pytest.param(verb, id=verb.name) for verb in VERBS if verb.out]
TAKES_SECONDS = ("prepare", "probe", "evaluate")  # of which fewer cases are not long
RUN_WRITERS = [case for case in WRITERS if not case.values[0].ray]


@pytest.fixture(scope="session")
def world() -> Iterator[Path]:
    """The right input for all verbs, in a folder that any user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="s2v-matrix-"))
    folder.chmod(0o755)
    synthesize("sea", folder / "videos", sources=3, seed=5, seconds=0.88, size=48)
    (folder / "small.toml").write_text(SMALL_MODEL)
    (folder / "space.toml").write_text("[optim]\ngenerator_lr = { low = 1e-4, high = 1e-2, log = true }\n")
    (folder / "pairs.csv").write_text(f"image,sound,name\n{folder}/picture.png,{folder}/sound.wav,one\n")
    (folder / "list.csv").write_text(f"path,start,end\n{folder}/videos/sea_0000.mp4,0,0.8\n")
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(folder / "picture.png")
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(np.random.default_rng(0).integers(-9000, 9000, 4000).astype("<i2").tobytes())
    for good in ("weights", "sweep"):
        (folder / good).mkdir()
    prepare = ["--domain=sea", "--clips-per-source=1", "--split-by=source", "--local", *SMALL_CLIPS, *QUICK]
    assert run(["prepare", f"--videos={folder / 'videos'}", f"--out={folder / 'clips'}", *prepare]).status == 0
    train = [f"--config={folder / 'small.toml'}", "--steps=2", "--training.batch-size=1"]
    assert run(["train", f"--clips={folder / 'clips'}", f"--out={folder / 'run'}", *train]).status == 0
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def room(world: Path) -> Iterator[Path]:
    """A folder for one case, beside the world's, of which nothing has changed at its end."""
    before = snapshot(world)
    folder = Path(tempfile.mkdtemp(prefix="s2v-case-"))
    folder.chmod(0o777)
    yield folder
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)
    assert snapshot(world) == before


def refused(ended: Ended) -> None:
    assert ended.is_refused, (ended.status, ended.error[-2000:], ended.printed[-500:])


def in_own_process(outcome: Outcome) -> Ended:
    assert not outcome.fault, outcome.fault
    assert isinstance(outcome.result, Ended)
    return outcome.result


@pytest.mark.parametrize("kind", trouble.REFUSED)
@pytest.mark.parametrize(("verb", "given"), INPUTS)
def test_bad_input_is_refused(verb: Verb, given: Input, kind: str, world: Path, room: Path) -> None:
    bad = room / given.good
    trouble.REFUSED[kind](world / given.good, bad)
    before = snapshot(room)
    refused(run(command(verb, world, room / "out" / verb.out, given, str(bad))))
    after = snapshot(room)
    # Why none of the videos gave a clip stands where the clips would be.
    written = after.keys() - before.keys()
    assert not written or f"out/{verb.out}/rejects.jsonl" in written
    assert {name: after[name] for name in after.keys() - written} == before


@pytest.mark.parametrize(("verb", "given"), GOOD_INPUTS)
def test_half_an_input_is_refused_or_used(verb: Verb, given: Input, world: Path, room: Path) -> None:
    trouble.half(world / given.good, room / given.good)
    ended = run(command(verb, world, room / "out" / verb.out, given, str(room / given.good)))
    assert ended.status == 0 or ended.is_refused, ended


@pytest.mark.parametrize(("verb", "given"), INPUTS)
def test_unreadable_input_is_refused(verb: Verb, given: Input, world: Path, room: Path) -> None:
    trouble.unreadable(world / given.good, room / given.good)
    (room / "out").mkdir(mode=0o777)
    (room / "out").chmod(0o777)
    if os.geteuid() == 0:
        os.chown(room / given.good, 0, 0)
    arguments = command(verb, world, room / "out" / verb.out, given, str(room / given.good))
    refused(in_own_process(in_child(trouble.run_as_anybody, arguments)))


def named(verb: Verb, given: Input, characters: str, world: Path, room: Path) -> Ended:
    """The command on the right input under another name."""
    other = room / (f"{characters}{Path(given.good).suffix}" if "." in given.good else characters)
    trouble.copy(world / given.good, other)
    return run(command(verb, world, room / "out" / verb.out, given, str(other)))


@pytest.mark.parametrize(("verb", "given"), GOOD_INPUTS)
def test_input_may_have_any_name(verb: Verb, given: Input, world: Path, room: Path) -> None:
    ended = named(verb, given, trouble.ALL_CHARACTERS, world, room)
    assert ended.status == 0, ended.error


@pytest.mark.parametrize(("verb", "given"), GOOD_INPUTS)
def test_input_whose_name_is_not_utf8_is_refused_or_used(verb: Verb, given: Input, world: Path, room: Path) -> None:
    ended = named(verb, given, trouble.NOT_UTF8, world, room)
    assert ended.status == 0 or ended.is_refused, ended


@pytest.mark.long
@pytest.mark.parametrize("characters", trouble.CHARACTERS, ids=ascii)
@pytest.mark.parametrize(("verb", "given"), GOOD_INPUTS)
def test_input_may_hold_each_character(verb: Verb, given: Input, characters: str, world: Path, room: Path) -> None:
    ended = named(verb, given, f"a{characters}b", world, room)
    assert ended.status == 0, ended.error


@pytest.mark.parametrize("verb", RUN_WRITERS)
def test_output_may_have_any_name(verb: Verb, world: Path, room: Path) -> None:
    out = room / trouble.ALL_CHARACTERS / verb.out
    ended = run(command(verb, world, out))
    assert ended.status == 0, ended.error
    assert out.exists()
    assert [path.name for path in room.iterdir()] == [trouble.ALL_CHARACTERS]


@pytest.mark.parametrize("verb", RUN_WRITERS)
def test_output_whose_name_is_not_utf8_is_refused_or_written(verb: Verb, world: Path, room: Path) -> None:
    ended = run(command(verb, world, room / trouble.NOT_UTF8 / verb.out))
    assert ended.status == 0 or ended.is_refused, ended


@pytest.mark.parametrize("verb", WRITERS)
def test_output_below_a_file_is_refused(verb: Verb, world: Path, room: Path) -> None:
    (room / "file").write_text("mine")
    refused(run(command(verb, world, room / "file" / verb.out)))
    assert (room / "file").read_text() == "mine"


@pytest.mark.parametrize("verb", WRITERS)
def test_output_of_the_other_kind_is_refused(verb: Verb, world: Path, room: Path) -> None:
    out = room / verb.out
    out.mkdir() if "." in verb.out else out.write_text("mine")
    refused(run(command(verb, world, out)))
    assert list(out.iterdir()) == [] if out.is_dir() else out.read_text() == "mine"


@pytest.mark.parametrize("verb", WRITERS)
def test_a_read_only_folder_is_refused(verb: Verb, world: Path, room: Path) -> None:
    room.chmod(0o555)
    refused(in_own_process(in_child(trouble.run_as_anybody, command(verb, world, room / verb.out))))
    assert not list(room.iterdir())


def made_by(verb: Verb, world: Path, room: Path) -> dict[str, int]:
    """The files that the undisturbed command makes, with their sizes; hidden ones and those named by the time aside."""
    assert run(command(verb, world, room / "undisturbed" / verb.out)).status == 0
    return made_in(room / "undisturbed")


def made_in(folder: Path) -> dict[str, int]:
    names = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {
        str(name): path.stat().st_size
        for name, path in sorted(names.items())
        if not name.name.startswith(".") and "tfevents" not in name.name
    }


def full_disk(verb: Verb, world: Path, room: Path, *, most: int | None) -> None:
    made = made_by(verb, world, room)
    sizes = sorted({size for size in made.values() if size})
    limits = [size - 1 for size in (sizes if most is None else spread(sizes, most))]
    limits = limits if most == 1 else [0, *limits]
    for limit in limits:
        folder = room / f"limit {limit}"
        arguments = command(verb, world, folder / verb.out)
        ended = in_own_process(in_child(trouble.run_on_small_disk, arguments, limit))
        refused(ended)
        assert all(size <= limit for size in made_in(folder).values())
        again = run(arguments)
        assert again.status == 0, (limit, again.error)
        assert made_in(folder).keys() == made.keys(), limit


def spread(items: list[int], most: int) -> list[int]:
    """Up to `most` of them, from first to last; the one in the middle, if it is one."""
    places = [0.5] if most == 1 else [index / (most - 1) for index in range(most)]
    return sorted({items[round(place * (len(items) - 1))] for place in places})


@pytest.mark.parametrize("verb", RUN_WRITERS)
def test_a_full_disk_is_told_and_the_next_try_completes(verb: Verb, world: Path, room: Path) -> None:
    full_disk(verb, world, room, most=1 if verb.name in TAKES_SECONDS else 2)


@pytest.mark.long
@pytest.mark.parametrize("verb", RUN_WRITERS)
def test_a_disk_full_at_each_file_is_told_and_the_next_try_completes(verb: Verb, world: Path, room: Path) -> None:
    full_disk(verb, world, room, most=None)


@pytest.mark.parametrize("limit", [0, 500])
def test_a_full_disk_leaves_the_earlier_video_as_it_was(limit: int, world: Path, room: Path) -> None:
    (generate,) = (verb for verb in VERBS if verb.out == "made.mp4")
    out = room / generate.out
    out.write_text("an earlier one")
    refused(in_own_process(in_child(trouble.run_on_small_disk, command(generate, world, out), limit)))
    assert [path.name for path in room.iterdir()] == [generate.out]
    assert out.read_text() == "an earlier one"


def killed(verb: Verb, world: Path, room: Path, *, most: int | None) -> None:
    made = made_by(verb, world, room)
    arguments = command(verb, world, room / "counted" / verb.out)
    writes = in_own_process(in_child(trouble.run_killed, arguments, room, 0)).writes
    assert writes
    every = list(range(1, writes + 1))
    for write in every if most is None else spread(every, most):
        folder = room / f"killed {write}"
        arguments = command(verb, world, folder / verb.out)
        assert in_child(trouble.run_killed, arguments, room, write).fault == "signal 9", write
        again = run(arguments)
        assert again.status == 0, (write, again.error)
        assert made_in(folder).keys() == made.keys(), write


@pytest.mark.parametrize("verb", RUN_WRITERS)
def test_what_was_killed_completes_by_the_same_command(verb: Verb, world: Path, room: Path) -> None:
    killed(verb, world, room, most=1 if verb.name in TAKES_SECONDS else 3)


@pytest.mark.long
@pytest.mark.parametrize("verb", RUN_WRITERS)
def test_what_was_killed_at_each_write_completes_by_the_same_command(verb: Verb, world: Path, room: Path) -> None:
    killed(verb, world, room, most=None)
