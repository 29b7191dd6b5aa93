"""Checkpoints and settings by strangers: they load, or a named error says why not."""

import hashlib
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import tomli_w
import torch
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from robustness.fuzzing import EXAMPLES, MANY_EXAMPLES, fuzz
from robustness.structure import Layout, variants
from robustness.trees import broken_trees

from s2v_ray.config import Config, load_config
from s2v_ray.dataset.index import read_dataset
from s2v_ray.errors import UserError
from s2v_ray.training.checkpoint import load_model, load_state, load_weights
from s2v_ray.training.checkpoint_files import find_checkpoint
from s2v_ray.training.run import config_for_clips
from s2v_ray.training.state import new_state

WEIGHTS = "weights.safetensors"


def _ended(call: Any) -> str:
    try:
        call()
    except UserError as error:
        return error.code
    return "result"


def toml_door(content: bytes, folder: Path) -> str:
    """Settings, as every verb reads them."""
    (folder / "broken.toml").write_bytes(content)
    return _ended(lambda: load_config(str(folder / "broken.toml")))


def checkpoint_door(files: dict[str, bytes], folder: Path) -> str:
    """A run with one checkpoint of these files, as `generate`, `train --init-from` and a resuming `train` read it."""
    checkpoint = folder / "checkpoints" / "step_00000008"
    checkpoint.mkdir(parents=True, exist_ok=True)
    for pointer in ("best", "last"):
        (folder / "checkpoints" / pointer).write_bytes(files.get(pointer, b"step_00000008"))
    listed = {name: content for name, content in files.items() if name not in ("best", "last")}
    for name, content in listed.items():
        (checkpoint / name).write_bytes(content)
    if "manifest.json" not in files:
        manifest = {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in listed.items()
        }
        (checkpoint / "manifest.json").write_text(json.dumps(manifest))

    def read() -> None:
        found = find_checkpoint(str(folder))
        _, config, description = load_model(found)
        state = new_state(config, torch.device("cpu"))
        load_weights(state, found)
        state.clips = description["clips"]
        load_state(state, found)

    return _ended(read)


@pytest.fixture(scope="module")
def checkpoint(small_run: Path) -> dict[str, bytes]:
    found = Path(find_checkpoint(str(small_run)))
    return {path.name: path.read_bytes() for path in found.iterdir() if path.name != "manifest.json"}


@pytest.fixture(scope="module")
def small_settings(small_clips: Path, small_model: Path) -> Config:
    return config_for_clips(load_config(str(small_model)), read_dataset(small_clips).settings)


def broken_toml(config: Config) -> SearchStrategy[bytes]:
    """Settings with wrong values, and texts that are no TOML."""

    def text(tree: dict[str, Any]) -> bytes:
        return tomli_w.dumps(_without_none(tree)).encode(errors="surrogatepass")

    whole = tomli_w.dumps(asdict(config)).encode()
    layout = Layout()
    layout.words("text", 0, len(whole), 1)
    trees = broken_trees({"preset": "tiny", **asdict(config)}).map(text)
    return trees | variants(whole, layout).map(lambda variant: variant.content)


def _without_none(tree: Any) -> Any:
    """What TOML can hold: no null, and whole numbers of 64 bits."""
    if isinstance(tree, dict):
        return {key: _without_none(value) for key, value in tree.items() if value is not None}
    if isinstance(tree, list | tuple):
        return [_without_none(value) for value in tree if value is not None]
    return tree


def broken_state(files: dict[str, bytes]) -> SearchStrategy[dict[str, bytes]]:
    """`state.json` with wrong values, such as networks of any size."""
    trees = broken_trees(json.loads(files["state.json"]))
    return trees.map(lambda tree: {**files, "state.json": json.dumps(tree).encode()})


def broken_manifest(files: dict[str, bytes]) -> SearchStrategy[dict[str, bytes]]:
    """A manifest and pointers that name other files."""
    listed = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()
    }
    manifests = broken_trees(listed).map(lambda tree: {"manifest.json": json.dumps(tree).encode()})
    names = ["..", "../..", "/etc", "step_00000009", "", "a\0b", "\xff", "step_00000008/../../x", "x" * 300]
    pointers = st.sampled_from(names).map(lambda name: {"best": name.encode("latin-1"), "last": name.encode("latin-1")})
    return st.one_of(manifests, pointers, st.tuples(manifests, pointers).map(lambda both: both[0] | both[1])).map(
        lambda changed: files | changed
    )


def broken_tensors(files: dict[str, bytes]) -> SearchStrategy[dict[str, bytes]]:
    """Tensors whose header lies: lengths, offsets, shapes and types."""
    whole = files[WEIGHTS]
    size = int.from_bytes(whole[:8], "little")
    header, data = json.loads(whole[8 : 8 + size]), whole[8 + size :]
    first = dict(sorted(header.items())[:6])  # of many alike

    def packed(tree: dict[str, Any]) -> bytes:
        text = json.dumps({**header, **tree}).encode()
        return len(text).to_bytes(8, "little") + text + data

    layout = Layout()
    layout.words("length", 0, 8, 8, "little")
    layout.words("header", 8, 8 + size, 1)
    types = st.sampled_from(["F64", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "C64", "F4"]).map(
        lambda kind: packed({name: {**entry, "dtype": kind} for name, entry in first.items()})
    )
    values = st.sampled_from([math.nan, math.inf, 0.0]).map(
        lambda value: safetensors.torch.save(
            {name: torch.full_like(each, value) for name, each in safetensors.torch.load(whole).items()}
        )
    )
    broken = broken_trees(first).map(packed) | types | values | variants(whole, layout).map(lambda v: v.content)
    return broken.map(lambda content: {**files, WEIGHTS: content})


KINDS = {"state.json": broken_state, "manifest.json": broken_manifest, "safetensors": broken_tensors}


def _fuzz_checkpoints(kind: str, files: dict[str, bytes], folder: Path, examples: int) -> None:
    counts = fuzz(kind, KINDS[kind](files), checkpoint_door, folder, examples)
    assert counts["all"] >= min(examples, 9)


def test_a_whole_checkpoint_loads(checkpoint: dict[str, bytes], tmp_path: Path) -> None:
    assert checkpoint_door(checkpoint, tmp_path) == "result"


@pytest.mark.parametrize("kind", KINDS)
def test_checkpoints_broken_by_structure(kind: str, checkpoint: dict[str, bytes], tmp_path: Path) -> None:
    _fuzz_checkpoints(kind, checkpoint, tmp_path, EXAMPLES)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_many_checkpoints_broken_by_structure(kind: str, checkpoint: dict[str, bytes], tmp_path: Path) -> None:
    _fuzz_checkpoints(kind, checkpoint, tmp_path, MANY_EXAMPLES)


def test_settings_broken_by_structure(small_settings: Config, tmp_path: Path) -> None:
    fuzz("toml", broken_toml(small_settings), toml_door, tmp_path, EXAMPLES)


@pytest.mark.long
def test_many_settings_broken_by_structure(small_settings: Config, tmp_path: Path) -> None:
    fuzz("toml", broken_toml(small_settings), toml_door, tmp_path, MANY_EXAMPLES)
