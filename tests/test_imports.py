"""The rooms of the code, and the direction of imports between them."""

import ast
import subprocess
import sys
from pathlib import Path

import s2v_ray

PACKAGE = Path(s2v_ray.__file__).parent
# A room may import the rooms before it.
ROOMS = [
    "errors",
    "config",
    "storage",
    "metrics",
    "media",
    "synthetic",
    "dataset",
    "preparation",
    "models",
    "losses",
    "training",
    "generation",
    "evaluation",
    "tuning",
    "recipes",
    "cluster",
    "cli",
]


def imported_modules(file: Path) -> set[str]:
    """The dotted names that a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return names


def room(dotted: str) -> str:
    return dotted.split(".")[1] if dotted.count(".") else ""


def test_a_room_imports_only_rooms_before_it():
    for file in PACKAGE.rglob("*.py"):
        ours = file.relative_to(PACKAGE).with_suffix("").parts[0]
        if ours.startswith("__"):
            continue
        for name in imported_modules(file):
            if name.startswith("s2v_ray."):
                assert ROOMS.index(room(name)) <= ROOMS.index(ours), f"{file} imports {name}"


def test_only_the_cluster_room_imports_ray():
    for file in PACKAGE.rglob("*.py"):
        uses_ray = any(name == "ray" or name.startswith("ray.") for name in imported_modules(file))
        assert not uses_ray or file.relative_to(PACKAGE).parts[0] == "cluster", file


def test_importing_the_package_and_its_commands_leaves_ray_and_torch_alone():
    code = (
        "import sys, s2v_ray; assert 'ray' not in sys.modules; "
        "import s2v_ray.cli; assert not {'ray', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_all_but_the_cluster_imports_without_ray():
    modules = [
        ".".join(("s2v_ray", *file.relative_to(PACKAGE).with_suffix("").parts))
        for file in PACKAGE.rglob("*.py")
        if not file.name.startswith("__") and file.relative_to(PACKAGE).parts[0] != "cluster"
    ]
    code = f"import sys; sys.modules['ray'] = None\nfor name in {modules!r}: __import__(name)"
    subprocess.run([sys.executable, "-c", code], check=True)
