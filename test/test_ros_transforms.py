"""TF conventions, and every condition of tf2 on a stand-in that raises the same exceptions."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ros_stand_ins import StandInTransforms
from scipy.spatial.transform import Rotation

from segvec3d_core.types import Box
from segvec3d_ros.transforms import (
    Condition,
    NoTransforms,
    Tf2Transforms,
    TransformError,
    make_transforms,
    matrix,
    transform_box,
    transform_points,
    up_in,
)

LEVEL = ["map", "odom"]


def message(rotation: Rotation, translation: tuple[float, float, float]) -> Any:
    """A geometry_msgs/Transform as far as it is read."""
    q = rotation.as_quat()
    return SimpleNamespace(
        rotation=SimpleNamespace(x=q[0], y=q[1], z=q[2], w=q[3]),
        translation=SimpleNamespace(x=translation[0], y=translation[1], z=translation[2]),
    )


@pytest.fixture
def tf2(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A tf2_ros with its exceptions, whose buffer raises or returns what ``outcome`` says."""
    module: Any = ModuleType("tf2_ros")
    base = type("TransformException", (Exception,), {})
    names = ("Lookup", "Connectivity", "Extrapolation", "InvalidArgument", "Timeout")
    for name in names:
        setattr(module, f"{name}Exception", type(f"{name}Exception", (base,), {}))
    module.outcome = None
    module.asked = []

    def lookup(buffer: Any, target: str, source: str, time: Any) -> Any:
        module.asked.append((target, source, time.nanoseconds))
        if isinstance(module.outcome, Exception):
            raise module.outcome
        stamp = SimpleNamespace(sec=7, nanosec=5)
        return SimpleNamespace(transform=module.outcome, header=SimpleNamespace(stamp=stamp))

    module.cleared = []
    module.Buffer = type(
        "Buffer", (), {"lookup_transform": lookup, "clear": lambda buffer: module.cleared.append(buffer)}
    )
    module.TransformListener = lambda buffer, node: module.heard_by.append(node)
    module.heard_by = []
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    side = "segvec3d_ros.transforms.SideNode"
    monkeypatch.setattr(side, lambda owner, purpose, topics: SimpleNamespace(node=(purpose, topics)))
    return module


@pytest.mark.parametrize(
    ("exception", "condition"),
    [
        ("LookupException", "lookup"),
        ("InvalidArgumentException", "lookup"),
        ("ConnectivityException", "connectivity"),
        ("ExtrapolationException", "extrapolation"),
        ("TimeoutException", "timeout"),
    ],
)
def test_each_tf2_exception_becomes_its_condition(tf2: Any, exception: str, condition: Condition) -> None:
    tf2.outcome = getattr(tf2, exception)("why")
    with pytest.raises(TransformError, match="why") as caught:
        Tf2Transforms(object()).lookup("map", "camera", 5)
    assert caught.value.condition == condition
    assert caught.value.may_pass


def test_tf2_is_asked_at_the_stamp_and_answers_with_a_matrix(tf2: Any) -> None:
    tf2.outcome = message(Rotation.from_euler("z", 90, degrees=True), (1, 2, 3))
    T = make_transforms(object()).lookup("map", "camera", 123)
    np.testing.assert_allclose(T @ [1, 0, 0, 1], [1, 3, 3, 1], atol=1e-12)
    make_transforms(object()).lookup("map", "camera", None)
    latest, at = make_transforms(object()).latest("map", "camera")
    np.testing.assert_array_equal(latest, T)
    assert at == 7_000_000_005
    assert tf2.asked == [("map", "camera", 123), ("map", "camera", 0), ("map", "camera", 0)]


def test_transforms_are_heard_beside_the_node_that_services_may_hold_up(tf2: Any) -> None:
    transforms = make_transforms(object())
    assert tf2.heard_by == [("tf", ("/tf", "/tf_static"))]
    transforms.clear()
    assert len(tf2.cleared) == 1


def test_without_tf2_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    transforms = make_transforms(object())
    assert isinstance(transforms, NoTransforms)
    with pytest.raises(TransformError, match="apt install"):
        transforms.latest("map", "camera")
    with pytest.raises(TransformError, match="apt install") as caught:
        transforms.lookup("map", "camera", None)
    assert caught.value.condition == "unavailable"
    assert not caught.value.may_pass


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_box_moves_with_its_corners(seed: int) -> None:
    rng = np.random.default_rng(seed)
    T = matrix(message(Rotation.random(rng=rng), tuple(rng.normal(size=3))))
    rotation = Rotation.random(rng=rng).as_matrix().astype(np.float32)
    box = Box(rng.normal(size=3).astype(np.float32), rotation, rng.uniform(0.1, 1, 3).astype(np.float32))
    np.testing.assert_allclose(transform_box(T, box).corners(), transform_points(T, box.corners()), atol=1e-5)


def test_up_comes_from_the_first_level_frame_that_is_connected() -> None:
    transforms = StandInTransforms()
    transforms.table["camera", "odom"] = np.eye(4)
    transforms.table["camera", "odom"][:3, 2] = [0, -1, 0]
    up = up_in("camera", 7, LEVEL, transforms)
    assert up is not None
    assert up.tolist() == [0, -1, 0]
    assert transforms.asked == [("camera", "map", 7), ("camera", "map", None), ("camera", "odom", 7)]


def test_a_level_frame_needs_no_lookup() -> None:
    transforms = StandInTransforms()
    up = up_in("odom", 7, LEVEL, transforms)
    assert up is not None
    assert up.tolist() == [0, 0, 1]
    assert transforms.asked == []


@pytest.mark.parametrize("condition", ["unavailable", "lookup", "connectivity", "extrapolation", "timeout"])
def test_up_is_unknown_when_no_level_frame_can_be_reached(condition: Condition) -> None:
    transforms = StandInTransforms()
    transforms.failure = condition
    assert up_in("camera", 7, LEVEL, transforms) is None
