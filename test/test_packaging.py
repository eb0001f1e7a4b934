"""What is installed is whole: weights, configuration, launch files, messages, and what the code imports."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from llvmlite import binding

import segvec3d_core
from tools import check_system

ROOT = Path(__file__).resolve().parents[1]
MANIFESTS = [ROOT / "package.xml", ROOT / "segvec3d_interfaces" / "package.xml"]

# What a distribution is called where its name is not that of the module.
PYPI_NAMES = {"PIL": "pillow", "sklearn": "scikit-learn", "open3d": "open3d-cpu"}
ROS_NAMES = {"tf2_ros": "tf2_ros_py"}


def _requirements(group: str) -> set[str]:
    """Names of the distributions that setup.py asks for: ``install_requires`` or those of an extra."""
    call = next(
        node
        for node in ast.walk(ast.parse((ROOT / "setup.py").read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "setup"
    )
    arguments = {
        keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords if _is_literal(keyword.value)
    }
    lines = arguments["install_requires"] if group == "install_requires" else arguments["extras_require"][group]
    return {re.split(r"[<>=;\s]", line)[0] for line in lines}


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


def _imports(folder: str) -> Iterator[str]:
    """Top-level names of the modules that a package imports anywhere, its own and the standard library left out."""
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
                names = [str(argument.value) for argument in node.args[:1] if isinstance(argument, ast.Constant)]
            for name in names:
                top = name.partition(".")[0]
                if top and top not in sys.stdlib_module_names and top not in ("segvec3d_core", "segvec3d_ros"):
                    yield top


def _version(manifest: Path) -> str | None:
    return ElementTree.parse(manifest).getroot().findtext("version")


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.parent.name)
def test_the_manifest_is_valid(manifest: Path) -> None:
    catkin_package = pytest.importorskip("catkin_pkg.package", reason="catkin_pkg is not installed")
    warnings: list[str] = []
    package = catkin_package.parse_package(str(manifest), warnings=warnings)
    package.validate(warnings=warnings)
    assert not warnings
    assert package.licenses == ["Apache-2.0"]


def test_versions_agree() -> None:
    versions = {_version(manifest) for manifest in MANIFESTS}
    installed = [name for name in ("segvec3d", "segvec3d-interfaces") if _is_installed(name)]
    versions |= {importlib.metadata.version(name) for name in installed}
    assert versions == {segvec3d_core.__version__}


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def test_what_the_core_imports_is_required() -> None:
    wanted = {PYPI_NAMES.get(name, name.replace("_", "-")) for name in _imports("segvec3d_core")}
    optional = _requirements("hdf5") | _requirements("ray") | _requirements("gpu")
    assert wanted <= _requirements("install_requires") | optional


def test_what_the_ros_layer_imports_is_in_its_manifest() -> None:
    depends = {node.text for node in ElementTree.parse(MANIFESTS[0]).getroot().iter("exec_depend")}
    python = {name.replace("-", "_") for name in _requirements("install_requires")}
    imported = {ROS_NAMES.get(name, name) for folder in ("segvec3d_ros", "launch") for name in _imports(folder)}
    assert imported - python <= depends


def _started(file: Path) -> set[str]:
    """The packages whose programs a launch file starts."""
    calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    return {
        str(ast.literal_eval(keyword.value))
        for call in calls
        if ast.unparse(call.func) == "Node"
        for keyword in call.keywords
        if keyword.arg == "package"
    }


def test_what_the_launch_file_starts_is_in_the_manifest() -> None:
    manifest = ElementTree.parse(MANIFESTS[0]).getroot()
    started = {package for file in (ROOT / "launch").glob("*.launch.py") for package in _started(file)}
    assert {"segvec3d", "rviz2"} <= started
    assert started <= {manifest.findtext("name"), *(node.text for node in manifest.iter("exec_depend"))}


def test_the_manifest_names_no_ros_package_that_nothing_uses() -> None:
    depends = {str(node.text) for node in ElementTree.parse(MANIFESTS[0]).getroot().iter("exec_depend")}
    used = {ROS_NAMES.get(name, name) for folder in ("segvec3d_ros", "launch") for name in _imports(folder)}
    used |= {package for file in (ROOT / "launch").glob("*.launch.py") for package in _started(file)}
    python = {name for name in depends if name.startswith("python3-")}
    assert depends - python - used == set()


def test_messages_of_other_packages_are_in_the_interfaces_manifest() -> None:
    depends = {node.text for node in ElementTree.parse(MANIFESTS[1]).getroot().iter("depend")}
    files = [*(ROOT / "segvec3d_interfaces").rglob("*.msg"), *(ROOT / "segvec3d_interfaces").rglob("*.srv")]
    used = {match for file in files for match in re.findall(r"^(\w+)/\w+", file.read_text(), re.MULTILINE)}
    assert used == depends
    cmake = (ROOT / "segvec3d_interfaces" / "CMakeLists.txt").read_text()
    assert not [file.name for file in files if f"{file.parent.name}/{file.name}" not in cmake]


def test_every_message_field_and_constant_has_a_comment() -> None:
    files = [*(ROOT / "segvec3d_interfaces").rglob("*.msg"), *(ROOT / "segvec3d_interfaces").rglob("*.srv")]
    lines = [(file.name, line) for file in files for line in file.read_text().splitlines() if line.strip(" -")]
    assert not [(name, line) for name, line in lines if "#" not in line]


def test_pip_is_never_asked_for_ros_by_default() -> None:
    """A robot has its own: a wheel beside it would take its place."""
    assert not [name for name in _requirements("install_requires") if name.startswith("ros-")]
    assert "ros-rclpy" in _requirements("ros")


def test_the_robot_recipe_names_every_requirement() -> None:
    recipe = (ROOT / "docs" / "robot.md").read_text()
    assert not [name for name in _requirements("install_requires") if name not in recipe]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that is built from it alone."""
    for module in ("build", "setuptools"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    folder = tmp_path_factory.mktemp("packaging")
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "demo_output")
    shutil.copytree(ROOT, folder / "source", ignore=unwanted)
    command = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--outdir",
        str(folder / "dist"),
        str(folder / "source"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    """The built wheel."""
    return next(dist.glob("*.whl"))


def _shipped(*patterns: str) -> set[str]:
    found = {str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern)}
    assert found, f"the repository has no {' '.join(patterns)}"
    return found


def test_the_wheel_carries_code_weights_and_model_cards(wheel: Path) -> None:
    code = _shipped("segvec3d_core/**/*.py", "segvec3d_ros/**/*.py")
    models = _shipped("segvec3d_core/models/*.safetensors") | _shipped("segvec3d_core/models/*.md")
    assert code | models <= set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_carries_what_ros_looks_for(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    prefix = f"segvec3d-{segvec3d_core.__version__}.data/data/"
    data = {name.removeprefix(prefix): archive.getinfo(name) for name in archive.namelist() if name.startswith(prefix)}
    files = (
        _shipped("config/*.yaml") | _shipped("config/*.xml") | _shipped("launch/*.launch.py") | _shipped("rviz/*.rviz")
    )
    assert {f"share/segvec3d/{file}" for file in files} <= set(data)
    assert {"share/segvec3d/package.xml", "share/ament_index/resource_index/packages/segvec3d"} <= set(data)
    mode = data["lib/segvec3d/segvec3d_node"].external_attr >> 16
    assert mode & 0o111 == 0o111, f"segvec3d_node: expected an executable, got mode {mode:o}"


def test_the_wheel_carries_no_tests_and_no_caches(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if name.startswith(("test/", "benchmark/", "tools/")) or "__pycache__" in name]


def test_the_source_distribution_carries_messages_and_licence(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    messages = _shipped("segvec3d_interfaces/**/*.msg", "segvec3d_interfaces/**/*.srv", "segvec3d_interfaces/cmake/*")
    interfaces = {f"segvec3d_interfaces/{name}" for name in ("package.xml", "CMakeLists.txt", "pyproject.toml")}
    assert messages | interfaces | {"LICENSE", "README.md", "package.xml"} <= names


FIND = """
from segvec3d_ros.share import share_file
import importlib.resources
print(share_file("config/fastdds.xml"))
models = importlib.resources.files("segvec3d_core") / "models"
print(*[path for path in models.iterdir() if path.name.endswith(".safetensors")])
"""


def _find(*, cwd: Path, path: Path | None = None) -> list[Path]:
    """Configuration and weights as a Python started elsewhere finds them."""
    add = f"import sys; sys.path.insert(0, {str(path)!r})\n" if path else ""
    done = subprocess.run([sys.executable, "-P", "-c", add + FIND], capture_output=True, text=True, cwd=cwd, timeout=60)
    assert done.returncode == 0, done.stderr
    return [Path(line.split()[0]) for line in done.stdout.splitlines()]


def test_configuration_and_weights_are_found_from_anywhere(tmp_path: Path) -> None:
    if not _is_installed("segvec3d"):
        pytest.skip("segvec3d is not installed in this environment")
    assert all(path.is_file() for path in _find(cwd=tmp_path))


def test_an_installed_wheel_finds_its_own_configuration_and_weights(wheel: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--ignore-installed", "--no-index"]
    subprocess.run([*command, "--prefix", str(prefix), str(wheel)], check=True, capture_output=True, timeout=100)
    package = next(prefix.rglob("segvec3d_core")).parent
    found = _find(cwd=tmp_path, path=package)
    assert len(found) == 2
    assert all(path.is_file() and path.is_relative_to(prefix) for path in found)


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [
        (set(), []),
        ({"libusb-1.0.so.0"}, ["libusb-1.0-0"]),
        ({"libEGL.so.1", "libGL.so.1"}, ["libgl1", "libegl1"]),
        ({"ensurepip"}, ["python3-venv"]),
        ({"c++"}, ["g++"]),
        ({"Python.h"}, ["python3-dev"]),
    ],
)
def test_missing_system_packages_are_named(lacking: set[str], expected: list[str]) -> None:
    def has(thing: str | Path) -> bool:
        return (thing.name if isinstance(thing, Path) else thing) not in lacking

    assert check_system.missing_packages(loads=has, has_module=has, has_command=has, has_file=has) == expected


@pytest.mark.parametrize(
    ("version", "machine", "reason"),
    [
        ((3, 11), "x86_64", ""),
        ((3, 13), "AMD64", ""),
        ((3, 10), "x86_64", "Python 3.11 or later is needed, this is Python 3.10 on x86_64: name another with PYTHON="),
        (
            (3, 14),
            "x86_64",
            "ROS 2 from PyPI is for Python 3.11 to 3.13, this is Python 3.14 on x86_64: name another with PYTHON=",
        ),
        (
            (3, 12),
            "aarch64",
            "ROS 2 from PyPI is for x86-64 only, this is Python 3.12 on aarch64: use a ROS installation, "
            "see docs/robot.md",
        ),
    ],
)
def test_a_python_or_a_machine_without_ros_wheels_is_refused(
    version: tuple[int, int], machine: str, reason: str
) -> None:
    assert check_system.unsuitable(version, machine) == reason


def test_an_unsuitable_machine_ends_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check_system.platform, "machine", lambda: "riscv64")
    assert check_system.main([]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_sourced_ros_stays_out_of_the_recipes() -> None:
    """What setup.bash of a ROS installation exports would put another Python's rclpy before the environment's."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    build = ["PYTHONPATH", "AMENT_PREFIX_PATH", "COLCON_PREFIX_PATH", "CMAKE_PREFIX_PATH", "LD_LIBRARY_PATH"]
    graph = ["RMW_IMPLEMENTATION", "ROS_DISTRO", "ROS_VERSION", "ROS_DISCOVERY_SERVER", "ROS_STATIC_PEERS"]
    sourced = [*build, *graph]
    done = subprocess.run(
        ["make", "--no-print-directory", "-f", "-", "show"],
        input=f"include {ROOT}/Makefile\nshow:\n\t@env\n",
        env={"PATH": os.environ["PATH"], "KEPT": "yes", **dict.fromkeys(sourced, "/opt/ros/jazzy")},
        capture_output=True, text=True, cwd=ROOT, timeout=60, check=True,
    )  # fmt: skip
    seen = {line.partition("=")[0] for line in done.stdout.splitlines()}
    assert "KEPT" in seen
    assert not seen & set(sourced)


def test_a_missing_system_package_ends_in_one_line_with_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check_system, "missing_packages", lambda: ["libgl1", "g++"])
    assert check_system.main([]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "Missing system packages. Install them with: sudo apt install libgl1 g++"
    ]
    assert check_system.main(["--names"]) == 0
    assert capsys.readouterr().out == "libgl1 g++\n"


def test_kernels_compile_where_neither_the_package_nor_the_home_folder_can_be_written(tmp_path: Path) -> None:
    """Files stand where the folders of the cache would be: that stops root, too."""
    package = tmp_path / "segvec3d_core"
    unwanted = shutil.ignore_patterns("__pycache__", "models")
    shutil.copytree(ROOT / "segvec3d_core", package, ignore=unwanted)
    (package / "kernels" / "__pycache__").touch()
    (tmp_path / "temporary").mkdir()
    program = """
import numpy as np
from segvec3d_core.kernels.components import connected
print(connected(np.zeros((2, 1), np.float32), np.array([[1], [0]]), np.ones(2, bool), 1.0).tolist())
"""
    environment = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "PYTHONPATH")}
    environment |= {"HOME": "/dev/null", "TMPDIR": str(tmp_path / "temporary")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=110)
    assert done.stdout.strip() == "[0, 0]", done.stderr
    assert list((tmp_path / "temporary").rglob("*connected*.nbi"))


KERNEL = """
import os
import numba
import numpy as np
from segvec3d_core.kernels.agglomeration import mutual
def run():
    return mutual(np.zeros((2, 1), np.float32), np.array([[1], [0]]), np.float32(1)).tolist()
run()
print(numba.threading_layer(), os.environ.get("GOMP_SPINCOUNT"), flush=True)
child = os.fork()
if not child:
    print(run(), flush=True)
    os._exit(0)
print("ended by", os.waitpid(child, 0)[1])
"""


@pytest.mark.parametrize(
    ("chosen", "told"),
    [(None, "omp None\nended by 15"), ("workqueue", "workqueue None\n[[0.0], [0.0]]\nended by 0")],
    ids=["openmp", "portable"],
)
def test_what_kernels_share_their_work_over_can_be_chosen(chosen: str | None, told: str) -> None:
    """A process forked from one with OpenMP's threads ends, instead of waiting for ever."""
    if chosen is None and not check_system.loads("libgomp.so.1"):
        pytest.skip("GNU OpenMP (libgomp1) is not installed here")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("OMP_WAIT", "GOMP", "NUMBA_THR"))
    }
    environment |= {} if chosen is None else {"NUMBA_THREADING_LAYER": chosen}
    command = [sys.executable, "-c", KERNEL]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=110)
    assert done.stdout.strip() == told, done.stderr


def test_who_names_this_processor_to_numba_gets_the_same_kernels() -> None:
    """They are kept under the same key, so that constants must be the same."""
    program = "from segvec3d_core.kernels import bfloat16, dense; print(dense.TILE, bfloat16.multipliers())"
    told = []
    for named in ({}, {"NUMBA_CPU_NAME": binding.get_host_cpu_name()}):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_CPU")} | named
        command = [sys.executable, "-c", program]
        told.append(subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=110))
    assert told[0].stdout, told[0].stderr
    assert told[1].stdout == told[0].stdout
