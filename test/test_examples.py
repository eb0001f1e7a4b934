"""The examples run."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_objects_over_time_tells_what_it_has_seen(capsys: Any, tmp_path: Path) -> None:
    saved = tmp_path / "objects.npz"
    assert example("objects_over_time").main(["--seconds", "2", "--save", str(saved)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(bool(re.match(r" *\d+ [a-z ]+\d\.\d\d  at \[.*\] m  (visible|remembered)", line)) for line in lines) >= 3
    assert any(line.startswith("the box: ") for line in lines)
    assert saved.exists()


def test_a_planner_finds_waits_and_transforms(capsys: Any) -> None:
    pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]'")
    import numpy as np
    from ros_stand_ins import FRAME, StandInTransforms, active_robot

    planner = example("planner_client")
    transforms = StandInTransforms()
    transforms.table["base_link", FRAME] = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0.5], [0, 0, 0, 1.0]])
    with active_robot(transforms=transforms, overrides={"object_map": True, "confirm_seconds": 0.0}) as robot:
        robot.show(5_000_000_000)
        context = robot.peer.context
        assert planner.main(["the mug", "--frame", "base_link", "--now", "5"], context) == 0
        out = capsys.readouterr().out
        assert "found 1 of 3 instances" in out
        assert re.search(r"\d+ mug similarity 0\.90, in base_link at 1\.000 .*, visible", out)
        assert planner.main(["the bicycle", "--now", "5"], context) == 1
        assert planner.main(["the mug", "--now", "9", "--wait", "0.1"], context) == 2
        assert "older than not_before" in capsys.readouterr().err
        assert planner.main(["the mug", "--frame", "moon", "--now", "5"], context) == 2


def test_a_collision_object_has_the_box_and_an_id_that_stays() -> None:
    pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]'")
    from geometry_msgs.msg import Pose, Vector3
    from std_msgs.msg import Header

    from segvec3d_interfaces.msg import Instance, ObjectMatch

    class SolidPrimitive(SimpleNamespace):
        BOX = 1

    class CollisionObject(SimpleNamespace):
        ADD = b"\x00"

    thing = Instance(id=7, pose=Pose(), size=Vector3(x=0.1, y=0.2, z=0.3))
    thing.pose.position.x = 1.5
    made = example("planner_client").collision_object(
        ObjectMatch(instance=thing), Header(frame_id="map"),
        SimpleNamespace(CollisionObject=CollisionObject), SimpleNamespace(SolidPrimitive=SolidPrimitive),
    )  # fmt: skip
    assert (made.id, made.header.frame_id, made.pose.position.x) == ("segvec3d_7", "map", 1.5)
    assert made.primitives[0].dimensions == [0.1, 0.2, 0.3]
    assert made.operation == CollisionObject.ADD
