"""The packages of the code, and the direction of imports between them and inside them."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import s2v_ray

PACKAGE = Path(s2v_ray.__file__).parent
# A top-level package or module may import those before it.
TOP_LEVEL = [
    "errors",
    "logs",
    "version",
    "config",
    "storage",
    "metrics",
    "media",
    "synthetic",
    "dataset",
    "preparation",
    "models",
    "losses",
    "tracking",
    "training",
    "generation",
    "evaluation",
    "tuning",
    "export",
    "recipes",
    "cluster",
    "app",
    "api",
    "cli",
]
# Inside a package, a file or sub-package may import those before it. Files that are in no list must only not import
# each other in a circle.
PARTS = {
    "config": ["schema", "load"],
    "media": ["clock", "decoding", "encode", "image", "audio_file"],
    "media.decoding": [
        "limits",
        "demux",
        "samples",
        "tracks",
        "parts",
        "media_file",
        "seeking",
        "packets",
        "rgb",
        "mixdown",
        "audio",
        "timeline",
        "probe",
        "windows",
    ],
    "synthetic": ["paint", "sound", "nuisance", "scenes", "write"],
    "dataset": ["schema", "splits", "clip_files", "clip_index", "excluded", "index", "exports", "reader"],
    "preparation": [
        "sources",
        "source_file",
        "windows",
        "quality",
        "stabilise",
        "autocrop",
        "scene",
        "framing",
        "scene_search",
        "clip_format",
        "survey",
        "plan",
        "task_file",
        "shards",
        "fingerprint",
        "prepare",
        "report",
    ],
    "preparation.framing": ["areas", "framing", "apply", "samples", "subject", "camera", "find"],
    "preparation.sources": ["discovery", "source", "packed", "layouts", "manifests", "resolve", "find"],
    "models": ["sound_encoder", "unet", "discriminators", "sound_to_video"],
    "tracking": ["tracker", "entries", "background", "tensorboard", "mlflow_run", "wandb_run", "track"],
    "training": ["data", "networks", "state", "checkpoint", "step", "loop"],
    "training.data": ["order", "augmentation", "loader"],
    "evaluation": ["sound_bands", "retrieval", "controls", "sync_classifier", "scores", "report", "probe"],
    "export": ["facts", "card", "onnx_graph", "onnx_text", "hub"],
    "cluster": [
        "connect",
        "watchdog",
        "tries",
        "preparation",
        "training",
        "streaming",
        "search",
        "trial",
        "sweeps",
        "serving",
    ],
    "cluster.serving": [
        "settings",
        "order",
        "problems",
        "openapi",
        "http",
        "work",
        "replica",
        "service",
        "application",
        "run",
    ],
    "cluster.streaming": ["decode", "batches", "source"],
    "tuning": ["space", "objective", "journal", "trials", "verdict", "report"],
}


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py")) if file.name != "__main__.py"}


def imported_names(file: Path) -> set[str]:
    """The dotted names that a file imports, wherever in the file: `a.b` and `a.b.c` for `from a.b import c`."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return names


def imported_files(module: str) -> set[str]:
    """The package's modules that a module imports: of `a.b` and `a.b.c`, only the latter where it is one."""
    names = imported_names(FILES[module]) & FILES.keys()
    return {name for name in names if not any(longer.startswith(f"{name}.") for longer in names)} - {module}


IMPORTS = {module: imported_files(module) for module in FILES}


def part_of(module: str, package: str) -> str:
    """The file or sub-package of `package` in which `module` lies: `decoding` for `s2v_ray.media.decoding.audio`."""
    return module.removeprefix(f"{package}.").split(".")[0] if module.startswith(f"{package}.") else ""


def against(order: list[str], package: str) -> list[str]:
    """Each import between two parts of `package` that `order` doesn't allow."""
    return [
        f"{module} imports {other}"
        for module, others in IMPORTS.items()
        for other in others
        if {part_of(module, package), part_of(other, package)} <= set(order)
        and order.index(part_of(other, package)) > order.index(part_of(module, package))
    ]


def test_a_package_imports_only_packages_before_it() -> None:
    assert {part_of(module, "s2v_ray") for module in FILES} == {"", *TOP_LEVEL}
    assert against(TOP_LEVEL, "s2v_ray") == []


def test_each_sub_package_is_listed_in_an_order() -> None:
    packages = {module for module, file in FILES.items() if file.name == "__init__.py" and module.count(".") > 1}
    assert packages <= {f"s2v_ray.{package}.{part}" for package, order in PARTS.items() for part in order}


@pytest.mark.parametrize("package", PARTS)
def test_a_part_of_a_package_imports_only_parts_before_it(package: str) -> None:
    assert {f"s2v_ray.{package}.{part}" for part in PARTS[package]} <= FILES.keys()
    assert against(PARTS[package], f"s2v_ray.{package}") == []


def test_no_files_import_each_other_also_through_others() -> None:
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail("imports in a circle: " + " <- ".join(error.args[1]))


def test_only_cluster_imports_ray() -> None:
    users = {module for module, file in FILES.items() if any(n.split(".")[0] == "ray" for n in imported_names(file))}
    assert {part_of(module, "s2v_ray") for module in users} == {"cluster"}, users


def run_python(code: str) -> None:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_importing_the_package_and_its_commands_leaves_ray_and_torch_alone() -> None:
    run_python(
        "import sys, s2v_ray; assert not {'ray', 'torch'} & set(sys.modules); "
        "import s2v_ray.cli; assert not {'ray', 'torch'} & set(sys.modules)"
    )


@pytest.mark.parametrize(
    ("missing", "packages"),
    [
        ("ray", [name for name in TOP_LEVEL if name != "cluster"]),
        ("torch", ["errors", "config", "storage", "media", "synthetic", "dataset", "preparation"]),
    ],
)
def test_packages_import_without(missing: str, packages: list[str]) -> None:
    modules = [module for module in FILES if part_of(module, "s2v_ray") in packages]
    run_python(f"import sys; sys.modules[{missing!r}] = None\nfor name in {modules!r}: __import__(name)")
