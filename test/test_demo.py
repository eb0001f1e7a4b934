"""The demo does the main job live, and does not call it done when a part of it failed."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from segvec3d_core.datasets.frames import Frame, write_frame
from segvec3d_core.types import Camera
from segvec3d_ros import demo
from segvec3d_ros.processes import PartFailed, Parts

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "segvec3d_core" / "models" / "segvec3d.safetensors"
MISSING = [name for name in ("rclpy", "segvec3d_interfaces") if importlib.util.find_spec(name) is None]
needs_ros = pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} not installed: make setup installs them")
needs_weights = pytest.mark.skipif(not WEIGHTS.is_file(), reason=f"no weights at {WEIGHTS.relative_to(ROOT)}")

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

    def finish(self, seconds: float = 100.0) -> tuple[int, str]:
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
    counts = re.search(r"15 published, (\d+) received, (\d+) processed", output)
    assert counts, output
    # All of them on a machine with nothing else to do; none with the middleware's default settings.
    assert int(counts[1]) >= 10, output
    assert int(counts[2]) >= 1, output
    assert re.search(rf"^{demo.ABSENT} ", output, re.MULTILINE), output
    picture = Path(re.findall(r"picture: (.*)", output)[0])
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert not _lives(node)
    assert not _lives(camera)


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
def test_the_demo_says_why_the_camera_gave_up(start: Any, untrained: Path, tmp_path: Path) -> None:
    (tmp_path / "scan.ply").write_text("not a scan")
    code, output = start(tmp_path / "scan.ply", "--model", untrained, "--output", tmp_path).finish()
    assert code == 1, output
    assert "demo: FAILED: camera: ended with exit code 2" in output
    assert "scan.ply" in output.partition("FAILED")[2]


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


FRAME = Frame(
    name="a",
    depth=np.ones((1, 6), np.float32),
    camera=Camera(6, 1, 6.0, 6.0, 3.0, 0.0),
    color=None,
    label=np.array([[0, 1, 2, 2, 2, 255]], np.uint16),
    names={1: "mug", 2: "box"},
)


def test_larger_things_are_asked_for_first() -> None:
    assert demo._largest_first(FRAME) == ["box", "mug"]


@pytest.mark.parametrize(
    ("text", "found", "expected"),
    [
        ("the mug", None, "it is there"),
        ("the bicycle", None, "right"),
        ("the mug", 7, "mug"),
        ("the mug", 8, "box"),
        ("the mug", 9, "no object"),
    ],
)
def test_the_truth_is_that_of_most_of_the_points_found(text: str, found: int | None, expected: str) -> None:
    if found is not None and MISSING:
        pytest.skip(f"{' and '.join(MISSING)} not installed: make setup installs them")
    ids = np.array([9, 7, 7, 8, 8, 0], "<u4")
    field = SimpleNamespace(name="label", offset=0)
    cloud = SimpleNamespace(width=6, height=1, fields=[field], point_step=4, data=ids.tobytes())
    matches = [] if found is None else [SimpleNamespace(instance=SimpleNamespace(id=found))]
    # Of instance 7 one point is the mug's and one the box's: the lower number wins a tie.
    assert demo._truth(text, SimpleNamespace(matches=matches), cloud, FRAME) == expected


@needs_ros
def test_a_scene_comes_back_from_the_messages_as_it_was() -> None:
    from std_msgs.msg import Header

    from segvec3d_core.types import Box, PointCloud, Scene, SceneObject
    from segvec3d_ros.conversions import Result, instance_array, labelled_cloud
    from segvec3d_ros.picture import scene_of
    from segvec3d_ros.tracking import Track

    rng = np.random.default_rng(0)
    cloud = PointCloud(rng.normal(size=(5, 3)).astype(np.float32), rng.integers(0, 255, (5, 3), np.uint8))
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    box = Box(np.ones(3, np.float32), turn, np.array([1, 2, 3], np.float32))
    center, length = np.zeros(3, np.float32), np.zeros(0, np.float32)
    things = tuple(SceneObject(kind, 0.5, box, center, length, None, 2) for kind in ("object", "surface"))
    scene = Scene(np.array([0, 1, -1, 1, 0], np.int32), things)
    tracks = (Track(11, 0, 0), Track(4, 0, 0))
    result = Result(Header(), 5, 1, cloud, scene, (("mug", 0.75), ("", 0.0)), tracks)

    again, seen, names, order = scene_of(labelled_cloud(result), instance_array(result))
    assert np.array_equal(again.points, cloud.points)
    assert again.colors is not None
    assert cloud.colors is not None
    assert np.array_equal(again.colors, cloud.colors)
    assert np.array_equal(seen.labels, scene.labels)
    assert [thing.kind for thing in seen.objects] == ["object", "surface"]
    assert np.allclose(seen.objects[0].box.corners(), box.corners(), atol=1e-5)
    assert names == [("mug", 0.75), ("other", 0.0)]
    assert order == {11: 0, 4: 1}
