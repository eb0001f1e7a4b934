"""The demo does the main job live, and does not call it done when a part of it failed."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segvec3d_core.datasets.frames import Frame, write_frame
from segvec3d_core.types import Camera, PointCloud
from segvec3d_ros import demo, share
from segvec3d_ros.processes import PartFailed, Parts
from segvec3d_ros.share import FASTDDS_VARIABLES

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "segvec3d_core" / "models" / "segvec3d.safetensors"
MISSING = [name for name in ("rclpy", "segvec3d_interfaces") if importlib.util.find_spec(name) is None]
needs_ros = pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} not installed: make setup installs them")
needs_weights = pytest.mark.skipif(not WEIGHTS.is_file(), reason=f"no weights at {WEIGHTS.relative_to(ROOT)}")

pytestmark = pytest.mark.timeout(250)  # a demo takes half a minute, and more on a busy machine

SLEEP = ("timeit", "-n", "1", "-r", "1", "import time; time.sleep(60)")
SUCCEED = ("timeit", "-n", "1", "-r", "1", "pass")
FAIL = ("timeit", "-n", "1", "-r", "1", "raise ValueError('no such thing')")


class Running:
    """A demo in a process of its own, whose lines are read as they come."""

    def __init__(self, *arguments: str | Path) -> None:
        command = [sys.executable, "-m", "segvec3d_ros.demo", *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, start_new_session=True
        )
        self.lines: list[str] = []

    def read_until(self, pattern: str) -> str:
        """Read lines up to one that matches; its first group."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            found = re.search(pattern, line)
            if found:
                return found[1]
        raise AssertionError(f"no line with {pattern!r} in:\n{''.join(self.lines)}")

    def finish(self, seconds: float = 200.0) -> tuple[int, str]:
        """Its exit code and all that it printed."""
        rest, _ = self.process.communicate(timeout=seconds)
        return self.process.returncode, "".join(self.lines) + rest


@pytest.fixture
def start() -> Iterator[Any]:
    """Starts demos; ends those that a failed test leaves behind."""
    running: list[Running] = []

    def begin(*arguments: str | Path) -> Running:
        running.append(Running(*arguments))
        return running[-1]

    yield begin
    for item in running:
        if item.process.poll() is None:
            item.process.terminate()
            item.process.wait(30)


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """A folder with one frame: a box before a wall."""
    camera = Camera(64, 48, 60.0, 60.0, 31.5, 23.5)
    depth = np.full((48, 64), 1.5, np.float32)
    depth[20:30, 25:40] = 1.0
    frame = Frame(name="a", depth=depth, camera=camera, color=np.full((48, 64, 3), 120, np.uint8), label=None)
    write_frame(tmp_path / "frames", frame)
    return tmp_path / "frames"


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights: enough where only the processes matter."""
    from segvec3d_core.pipeline import SegVec3D

    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    SegVec3D.untrained(device="cpu").save(path)
    return path


@pytest.fixture(scope="module")
def generous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights with a threshold that lets everything pass: each text finds something."""
    from segvec3d_core.pipeline import SegVec3D

    path = tmp_path_factory.mktemp("weights") / "generous.safetensors"
    model = SegVec3D.untrained(device="cpu")
    model.threshold = 0.0
    model.save(path)
    return path


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights with a threshold that lets nothing pass."""
    from segvec3d_core.pipeline import SegVec3D

    path = tmp_path_factory.mktemp("weights") / "strict.safetensors"
    model = SegVec3D.untrained(device="cpu")
    model.threshold = 1.0
    model.save(path)
    return path


def _scene(width: int, height: int) -> tuple[np.ndarray, Camera]:
    """Depth of a box before a wall."""
    depth = np.full((height, width), 1.5, np.float32)
    depth[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3] = 1.0
    return depth, Camera(width, height, 1.2 * width, 1.2 * width, (width - 1) / 2, (height - 1) / 2)


def _record(path: Path, cloud: PointCloud, camera: Camera) -> None:
    """A bag of one organised x y z cloud."""
    from rosbags.rosbag2 import Writer
    from rosbags.typesys import Stores, get_typestore

    store, kind = get_typestore(Stores.LATEST), "sensor_msgs/msg/PointCloud2"
    field = store.types["sensor_msgs/msg/PointField"]
    time = store.types["builtin_interfaces/msg/Time"](sec=0, nanosec=0)
    message = store.types[kind](
        header=store.types["std_msgs/msg/Header"](stamp=time, frame_id="camera"),
        height=camera.height, width=camera.width, is_bigendian=False, point_step=12, row_step=12 * camera.width,
        fields=[field(name=axis, offset=4 * i, datatype=7, count=1) for i, axis in enumerate("xyz")],
        data=np.frombuffer(cloud.points.tobytes(), np.uint8), is_dense=False,
    )  # fmt: skip
    with Writer(path, version=9) as writer:
        writer.write(writer.add_connection("/points", kind, typestore=store), 0, store.serialize_cdr(message, kind))


def _input(kind: str, folder: Path) -> Path:
    """An input of the demo: a frame folder, a bag or a scan."""
    depth, camera = _scene(64, 48)
    if kind == "folder":
        for name in "ab":
            frame = Frame(name, np.full((48, 64, 3), 120, np.uint8), depth, None, camera, {})
            write_frame(folder / "frames", frame)
        return folder / "frames"
    if kind == "bag":
        _record(folder / "bag", PointCloud.from_depth(depth, camera), camera)
        return folder / "bag"
    points = PointCloud.from_depth(depth, camera).points
    rows = "\n".join(f"{x} {z} {-y}" for x, y, z in points)
    properties = "".join(f"property float {axis}\n" for axis in "xyz")
    header = f"ply\nformat ascii 1.0\nelement vertex {len(points)}\n{properties}end_header\n"
    (folder / "scan.ply").write_text(header + rows + "\n")
    return folder / "scan.ply"


def _lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@needs_ros
@needs_weights
def test_the_demo_finds_things_and_draws_them(start: Any, tmp_path: Path) -> None:
    running = start("--output", tmp_path, "--count", "15")
    node = int(running.read_until(r"node: process (\d+)"))
    camera = int(running.read_until(r"camera: process (\d+)"))
    code, output = running.finish()
    assert code == 0, output
    assert "15 published, 15 received, " in output, "none with the middleware's default settings"
    assert re.search(rf"^{demo.ABSENT} ", output, re.MULTILINE), output
    picture = Path(re.findall(r"picture: (.*)", output)[0])
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert not _lives(node)
    assert not _lives(camera)


@needs_ros
@pytest.mark.parametrize("kind", ["folder", "bag", "scan"])
def test_the_demo_plays_what_it_is_given(kind: str, start: Any, generous: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    running = start(_input(kind, tmp_path), "--model", generous, "--output", output, "--count", "6")
    code, said = running.finish()
    assert code == 0, said
    assert "clouds at 5 Hz: 6 published, 6 received, " in said
    assert " 0 lost in transport" in said
    assert "5 of 5 texts found something" in said
    assert (output / "demo.png").read_bytes().startswith(b"\x89PNG")


@needs_ros
def test_the_demo_fails_when_nothing_of_what_is_in_view_is_found(start: Any, strict: Path, tmp_path: Path) -> None:
    depth, camera = _scene(64, 48)
    label = (depth < 1.2).astype(np.uint16)
    write_frame(tmp_path / "frames", Frame("a", None, depth, label, camera, {1: "box"}))
    options = ("--model", strict, "--output", tmp_path / "output", "--count", "6")
    code, said = start(tmp_path / "frames", *options).finish()
    assert code == 1, said
    assert "demo: FAILED: node: none of the things in view was found: the box" in said
    assert re.search(r"^the box .* wrong: it is there$", said, re.MULTILINE), said
    assert "1 of 2 answers right" in said
    assert "picture: " in said


@needs_ros
@pytest.mark.parametrize("victim", ["node", "camera"])
def test_the_demo_fails_when_a_process_dies(victim: str, start: Any, frames: Path, tmp_path: Path) -> None:
    running = start(frames, "--output", tmp_path)
    pids = {name: int(running.read_until(rf"{name}: process (\d+)")) for name in ("node", "camera")}
    os.kill(pids[victim], signal.SIGKILL)
    code, output = running.finish()
    assert code == 1, output
    assert f"demo: FAILED: {victim}: was ended by SIGKILL" in output
    assert not [name for name, pid in pids.items() if _lives(pid)]


@needs_ros
def test_the_demo_says_why_the_camera_gave_up(start: Any, frames: Path, untrained: Path, tmp_path: Path) -> None:
    shutil.copytree(frames, tmp_path / "damaged")
    for file in [*(tmp_path / "damaged").glob("*/*")]:
        shutil.copy(file, file.with_stem("later"))
    last = tmp_path / "damaged" / "depth" / "later.png"
    last.write_text("no picture any more")
    code, output = start(tmp_path / "damaged", "--model", untrained, "--output", tmp_path).finish()
    assert code == 1, output
    assert "demo: FAILED: camera: ended with exit code 2" in output
    assert last.name in output.partition("FAILED")[2]


@needs_ros
def test_the_demo_says_why_the_node_is_not_ready(start: Any, frames: Path, tmp_path: Path) -> None:
    code, output = start(frames, "--model", tmp_path / "missing.safetensors", "--output", tmp_path).finish()
    assert code == 1, output
    assert "demo: FAILED: node: stays inactive" in output
    assert "missing.safetensors" in output.partition("FAILED")[2]


@needs_ros
def test_a_terminated_demo_takes_its_processes_along(start: Any, frames: Path, tmp_path: Path) -> None:
    running = start(frames, "--output", tmp_path)
    pids = [int(running.read_until(rf"{name}: process (\d+)")) for name in ("node", "camera")]
    running.process.terminate()
    code, output = running.finish()
    assert code == 130, output
    assert not [pid for pid in pids if _lives(pid)]


def test_a_missing_input_ends_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main([str(tmp_path / "nothing")]) == 2
    assert capsys.readouterr().err == f"demo: {tmp_path / 'nothing'}: no such file or folder\n"
    (tmp_path / "notes.png").write_text("no picture")
    assert demo.main([str(tmp_path / "notes.png")]) == 2
    assert capsys.readouterr().err.startswith("demo: ")


def test_without_ros_the_demo_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert demo.main([]) == 2
    assert capsys.readouterr().err.startswith("demo: rclpy and segvec3d_interfaces not installed")


# --- the parts that it is made of, without ROS -------------------------------------------------------------------


def test_parts_are_stopped_whatever_happens(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    part = parts.start("sleeper", *SLEEP)
    with pytest.raises(PartFailed, match="the moon"), parts:
        parts.wait(lambda: not _lives(part.pid), 0.1, "the moon")
    assert not _lives(part.pid)


def test_a_part_that_ends_with_an_error_is_noticed_with_its_last_words(tmp_path: Path) -> None:
    with Parts(tmp_path) as parts:
        parts.start("broken", *FAIL, ends=True)
        with pytest.raises(PartFailed, match=r"(?s)broken: ended with exit code 1.*no such thing"):
            parts.wait(lambda: False, 30.0, "nothing")


@pytest.mark.parametrize("ends", [True, False])
def test_only_a_part_that_may_end_may_end(ends: bool, tmp_path: Path) -> None:
    with Parts(tmp_path) as parts:
        part = parts.start("quick", *SUCCEED, ends=ends)
        part.process.wait(30)
        if ends:
            parts.check()
        else:
            with pytest.raises(PartFailed, match="quick: ended with exit code 0"):
                parts.check()


def test_waiting_ends_when_its_time_is_over(tmp_path: Path) -> None:
    with Parts(tmp_path) as parts:
        begun = time.monotonic()
        with pytest.raises(PartFailed, match=r"the moon: not within 0\.1 s"):
            parts.wait(lambda: False, 0.1, "the moon")
        assert not parts.wait_briefly(lambda: False, 0.1)
        assert time.monotonic() - begun < 5.0


def test_the_demo_stays_in_a_graph_of_its_own_whatever_the_shell_has_sourced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROS_DISTRO", raising=False)
    for name in demo.SOURCED:
        monkeypatch.setenv(name, "rmw_nowhere_cpp")
    monkeypatch.setattr(share, "_free_shared_memory", lambda: 1e9)
    for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", *FASTDDS_VARIABLES, share.TRANSPORTS):
        monkeypatch.setenv(name, "/my/own")
    demo.isolate(7)
    assert not [name for name in demo.SOURCED if name in os.environ]
    assert {"RMW_IMPLEMENTATION", "ROS_DISCOVERY_SERVER", "ROS_STATIC_PEERS"} <= set(demo.SOURCED)
    assert (os.environ["ROS_DOMAIN_ID"], os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"]) == ("7", "LOCALHOST")
    assert os.environ[FASTDDS_VARIABLES[0]] == str(ROOT / "config" / "fastdds.xml")
    assert share.TRANSPORTS not in os.environ
    assert FASTDDS_VARIABLES[1] not in os.environ, "its warning is for Jazzy alone"
