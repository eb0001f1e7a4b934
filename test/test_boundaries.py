"""The boundaries that keep the house in order: the core knows nothing of ROS, inference nothing of training."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "segvec3d_core"
CORE_FILES = sorted(CORE.rglob("*.py"))
INFERENCE_FILES = [
    file for file in CORE_FILES if file.relative_to(CORE).parts[0] not in ("train", "simulate", "testsets")
]

ROS = {
    "ament_index_python", "builtin_interfaces", "diagnostic_msgs", "diagnostic_updater", "geometry_msgs", "launch",
    "launch_ros", "lifecycle_msgs", "message_filters", "rcl_interfaces", "rclpy", "rosidl_runtime_py",
    "segvec3d_interfaces", "segvec3d_ros", "sensor_msgs", "sensor_msgs_py", "std_msgs", "std_srvs", "tf2_msgs",
    "tf2_ros", "vision_msgs", "visualization_msgs",
}  # fmt: skip
WORKSHOPS = ("segvec3d_core.train", "segvec3d_core.simulate", "segvec3d_core.testsets")


def _package_of(file: Path) -> list[str]:
    """Dotted package that a file's relative imports start from, as a list of names."""
    return list(file.relative_to(ROOT).parent.parts)


def _imported(node: ast.stmt, package: list[str]) -> list[str]:
    """Absolute dotted names that an import statement may load; none for any other statement."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        parents = package[: len(package) - node.level + 1] if node.level else []
        base = ".".join([*parents, *([node.module] if node.module else [])])
        return [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return []


def _runs_on_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported: not those in functions, nor under ``if TYPE_CHECKING``."""
    for node in body:
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _runs_on_import(node.orelse)
            continue
        for _, value in ast.iter_fields(node):
            if isinstance(value, list):
                inner = [part for part in value if isinstance(part, ast.stmt)]
                handlers = [s for part in value if isinstance(part, ast.ExceptHandler) for s in part.body]
                yield from _runs_on_import(inner + handlers)


def _everywhere(tree: ast.Module) -> Iterator[ast.stmt]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.stmt))


def _is_workshop(name: str) -> bool:
    return any(name == workshop or name.startswith(workshop + ".") for workshop in WORKSHOPS)


@pytest.mark.parametrize(
    ("source", "at_import", "anywhere"),
    [
        ("import rclpy.node", ["rclpy.node"], ["rclpy.node"]),
        ("from ..x import y", ["segvec3d_core.x", "segvec3d_core.x.y"], ["segvec3d_core.x", "segvec3d_core.x.y"]),
        ("def f():\n import rclpy", [], ["rclpy"]),
        ("if TYPE_CHECKING:\n import rclpy", [], ["rclpy"]),
        ("try:\n import a\nexcept E:\n import b\nelse:\n import c", ["a", "b", "c"], ["a", "b", "c"]),
        ("class C:\n import a", ["a"], ["a"]),
    ],
)
def test_the_scan_sees_what_is_imported_and_when(source: str, at_import: list[str], anywhere: list[str]) -> None:
    package, tree = ["segvec3d_core", "datasets"], ast.parse(source)
    assert sorted(name for node in _runs_on_import(tree.body) for name in _imported(node, package)) == at_import
    assert sorted(name for node in _everywhere(tree) for name in _imported(node, package)) == anywhere


@pytest.mark.parametrize("file", CORE_FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_core_names_no_ros_package(file: Path) -> None:
    tree = ast.parse(file.read_text())
    names = {name for node in _everywhere(tree) for name in _imported(node, _package_of(file))}
    assert not {name for name in names if name.partition(".")[0] in ROS}


@pytest.mark.parametrize("file", INFERENCE_FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_inference_names_neither_training_nor_simulation(file: Path) -> None:
    """Only the command line may name them, and only inside its functions: its subcommands start there."""
    tree = ast.parse(file.read_text())
    is_cli = file.relative_to(CORE).parts[0].startswith("cli")
    statements = _runs_on_import(tree.body) if is_cli else _everywhere(tree)
    assert not [name for node in statements for name in _imported(node, _package_of(file)) if _is_workshop(name)]


def _run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=110)


def test_every_core_module_loads_where_no_ros_is_installed() -> None:
    program = f"""
import importlib, pkgutil, sys
BLOCKED = {sorted(ROS)!r}
class NoRos:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"the core asked for {{name}}", name=name)
sys.meta_path.insert(0, NoRos())
import segvec3d_core
names = [m.name for m in pkgutil.walk_packages(segvec3d_core.__path__, "segvec3d_core.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""
    done = _run(program)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def test_the_pipeline_loads_without_training_and_simulation() -> None:
    done = _run("import sys, segvec3d_core.pipeline; print('\\n'.join(sys.modules))")
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.split()
    assert "segvec3d_core.inference.backbone" in loaded
    assert not [name for name in loaded if _is_workshop(name)]


def test_objects_are_found_on_the_cpu_without_loading_torch() -> None:
    """It takes as long to import as everything else up to the first answer."""
    done = _run(
        """
import sys
sys.modules["torch"] = None
import numpy as np
from segvec3d_core import Camera, PointCloud, SegVec3D
model = SegVec3D.load(device="cpu")
depth = np.full((120, 160), 1.0, np.float32)
depth[40:80, 60:100] = 0.8
scene = model.segment(PointCloud.from_depth(depth, Camera(160, 120, 150.0, 150.0, 79.5, 59.5)))
print(len(scene), len(model.find(scene, "the wall", min_similarity=0.0)), len(model.name(scene, ["box", "wall"])))
"""
    )
    assert done.returncode == 0, done.stderr
    objects, matches, names = map(int, done.stdout.split())
    assert objects == names >= 2
    assert matches == 1


def test_help_answers_without_loading_torch() -> None:
    program = """
import sys
from segvec3d_core.cli import main
try:
    main(["--help"])
except SystemExit as end:
    assert not end.code, end.code
print("loaded:", *sys.modules)
"""
    done = _run(program)
    assert done.returncode == 0, done.stderr
    usage, _, loaded = done.stdout.rpartition("loaded:")
    assert "segment" in usage
    assert not {"torch", "open3d", "sklearn", "numba", "tokenizers"} & set(loaded.split())
