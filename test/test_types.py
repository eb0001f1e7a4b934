"""The types carry the contract: shapes, types and units are checked where the data is born."""

import numpy as np
import pytest

from segvec3d_core import Box, Camera, Match, Matches, PointCloud, Scene, SceneObject
from segvec3d_core.types import BODY_AXES, OPTICAL_AXES, from_body

POINTS = np.zeros((4, 3), np.float32)
CAMERA = Camera(2, 2, 1.0, 1.0, 0.5, 0.5)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"points": np.zeros((4, 2))}, ValueError, r"points: expected shape \(N, 3\), got \(4, 2\)"),
        ({"points": np.zeros(3)}, ValueError, "points: expected shape"),
        ({"points": [["a", "b", "c"]]}, TypeError, "points: expected numbers"),
        ({"points": [[1, 2, 3], [4, 5]]}, ValueError, "points: not an array"),
        ({"points": POINTS, "colors": np.zeros((3, 3), np.uint8)}, ValueError, "colors: expected shape"),
        ({"points": POINTS, "colors": np.zeros((4, 3))}, TypeError, "colors: expected uint8, got float64"),
        ({"points": POINTS, "up": [0, 0, 0]}, ValueError, "up: expected a finite vector with a length"),
        ({"points": POINTS, "up": [0, 0]}, ValueError, "up: expected shape"),
        ({"points": POINTS, "viewpoint": [np.nan, 0, 0]}, ValueError, "viewpoint: expected finite"),
        ({"points": POINTS, "camera": Camera(3, 2, 1, 1, 0, 0)}, ValueError, "camera: expected 3 x 2 points, got 4"),
    ],
)
def test_a_cloud_that_is_none_is_refused_with_its_name(arguments, error, words):
    with pytest.raises(error, match=words):
        PointCloud(**arguments)


def test_up_is_kept_as_a_direction():
    up = PointCloud(POINTS, up=np.array([0, 0, 5], np.float32)).up
    assert up is not None
    assert np.allclose(up, [0, 0, 1])


def test_a_depth_image_and_its_cloud_project_onto_each_other():
    camera = Camera(8, 6, 7.0, 7.5, 3.4, 2.6)
    depth = np.random.default_rng(0).uniform(0.5, 2, (6, 8)).astype(np.float32)
    depth[2, 3] = np.nan
    cloud = PointCloud.from_depth(depth, camera)
    u, v = np.meshgrid(np.arange(8), np.arange(6))
    seen = np.isfinite(cloud.points[:, 2])
    assert seen.sum() == 47
    assert np.allclose(camera.project(cloud.points)[seen], np.stack([u, v], -1).reshape(-1, 2)[seen], atol=1e-4)


@pytest.mark.parametrize(
    ("points", "viewpoint", "axes"),
    [
        ([[0, 0, 1], [1, -1, 1], [np.nan, 0, 0]], [0, 0, 0], OPTICAL_AXES),
        ([[1, 0, 0], [1, -1, 1], [np.nan, 0, 0]], [0, 0, 0], None),
        ([[0, 0, 1], [1, -1, 1]], [0, 0, 0.1], None),
        ([[0, 0, 1], [1, -1, 1]], None, None),
        ([[0, 0, 1], [0, 0, -1]], [0, 0, 0], None),
        ([[0, 0, 1], [2, 0, 1]], [0, 0, 0], None),
        ([[-1, 0, 0], [-1, 0, 0.5]], [0, 0, 0], None),
        ([[np.nan] * 3], [0, 0, 0], None),
        ([[0, 0, 1], [0, 0, 0], [0, 0, 0]], [0, 0, 0], OPTICAL_AXES),
        ([[0, 0, 0]], [0, 0, 0], None),
    ],
)
def test_a_cameras_axes_are_told_by_the_viewpoint_and_where_the_points_lie(points, viewpoint, axes):
    cloud = PointCloud(np.array(points, np.float32), viewpoint=None if viewpoint is None else np.array(viewpoint))
    assert cloud.camera_axes is axes


def test_a_cloud_has_one_camera_in_one_of_two_frames():
    points, camera = np.ones((4, 3), np.float32), Camera(2, 2, 1, 1, 0, 0)
    assert PointCloud(points, body_camera=camera).camera_axes is BODY_AXES
    assert PointCloud(points, camera=camera).camera_axes is OPTICAL_AXES
    with pytest.raises(ValueError, match="camera: expected one of them"):
        PointCloud(points, camera=camera, body_camera=camera)
    with pytest.raises(ValueError, match="camera: expected 2 x 2 points, got 3"):
        PointCloud(points[:3], body_camera=camera)


def test_axes_are_right_down_and_forward():
    for axes, (right, down, forward) in ((OPTICAL_AXES, ["x", "y", "z"]), (BODY_AXES, ["-y", "-z", "x"])):
        for column, told in zip(axes.T, (right, down, forward), strict=True):
            unit = np.eye(3)["xyz".index(told[-1])] * (-1 if told[0] == "-" else 1)
            np.testing.assert_array_equal(column, unit)
        assert np.linalg.det(axes) == pytest.approx(1)
        assert not axes.flags.writeable
    points = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    np.testing.assert_array_equal(from_body(points), points @ BODY_AXES)


@pytest.mark.parametrize("depth", [np.zeros((5, 5)), np.zeros(4), np.array([["a", "b"], ["c", "d"]])])
def test_a_depth_image_of_another_size_or_type_is_refused(depth):
    with pytest.raises((ValueError, TypeError), match="depth"):
        PointCloud.from_depth(depth, CAMERA)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, bool])
def test_colours_of_another_type_are_refused_wherever_they_come_in(dtype):
    """Colours of 0 to 1 would come out black."""
    for make in (
        lambda: PointCloud(POINTS, np.full((4, 3), 0.9).astype(dtype)),
        lambda: PointCloud.from_depth(np.ones((2, 2)), CAMERA, np.full((2, 2, 3), 0.9).astype(dtype)),
    ):
        with pytest.raises(TypeError, match=f"colors?: expected uint8, got {np.dtype(dtype)}"):
            make()


def test_integer_depth_is_scaled_and_zero_is_no_return():
    cloud = PointCloud.from_depth(np.array([[1000, 0], [2000, 500]], np.uint16), CAMERA)
    assert np.allclose(cloud.points[[0, 2, 3], 2], [1, 2, 0.5])
    assert np.isnan(cloud.points[1]).all()


@pytest.mark.parametrize(
    "arguments",
    [
        (0, 2, 1, 1, 0, 0),
        (2, 2, 0, 1, 0, 0),
        (2, 2, 1, float("nan"), 0, 0),
        (2, 2, 1, float("inf"), 0, 0),
        (2, 2, 1, 1, float("nan"), 0),
    ],
)
def test_a_camera_that_cannot_be_is_refused(arguments):
    with pytest.raises(ValueError, match="camera"):
        Camera(*arguments)


def test_labels_must_name_objects_of_the_scene():
    with pytest.raises(ValueError, match="labels: expected -1 to -1, got 0 to 0"):
        Scene(np.zeros(3, np.int32))


def test_an_affinity_is_of_the_scenes_objects():
    with pytest.raises(ValueError, match=r"affinity: expected shape \(0, 0\), got \(1, 1\)"):
        Scene(np.zeros(0, np.int32), affinity=np.zeros((1, 1), np.float32))
    for odd in (np.nan, -0.1, 1.1):
        with pytest.raises(ValueError, match="affinity: expected 0 to 1"):
            Scene(np.zeros(0, np.int32), (some_object(),), affinity=np.full((1, 1), odd, np.float32))


def test_box_corners_span_its_size():
    box = Box(np.array([1, 2, 3], np.float32), np.eye(3, dtype=np.float32), np.array([0.2, 0.4, 0.6], np.float32))
    assert np.allclose(np.ptp(box.corners(), axis=0), box.size)
    assert np.allclose(box.corners().mean(0), box.center)


def some_object():
    zeros, ones = np.zeros(3, np.float32), np.ones(3, np.float32)
    return SceneObject("object", 0.9, Box(zeros, np.eye(3, dtype=np.float32), ones), zeros, ones, None, 3)


def test_values_that_hold_arrays_are_equal_to_themselves_alone():
    for make in (
        lambda: PointCloud(POINTS),
        some_object,
        lambda: some_object().box,
        lambda: Scene(np.full(3, -1, np.int32)),
    ):
        value, twin = make(), make()
        assert value == value
        assert value != twin
        assert len({value, twin, value}) == 2


def test_a_match_is_found_again_among_the_matches():
    first, second, stranger = (Match(k, some_object(), 0.5) for k in (0, 1, 0))
    matches = Matches((first, second), "two things")
    assert second in matches
    assert stranger not in matches
    assert (matches.index(second), matches.count(second), matches.count(stranger)) == (1, 1, 0)
    assert matches == Matches((first, second), "two things")


@pytest.mark.parametrize(
    "points",
    [
        np.asfortranarray(POINTS),
        np.concatenate([POINTS, POINTS], 1)[:, :3],
        np.frombuffer(POINTS.tobytes(), np.float32),
    ],
    ids=["columns", "a part of a table", "read only"],
)
def test_points_lie_in_memory_as_kernels_are_compiled_for(points: np.ndarray) -> None:
    cloud = PointCloud(points.reshape(-1, 3))
    np.testing.assert_array_equal(cloud.points, POINTS)
    assert cloud.points.flags.c_contiguous
    assert cloud.points.flags.writeable
