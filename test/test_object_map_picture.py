"""Clouds that are not organised: the picture that is made of them, and what the map learns from it."""

from dataclasses import replace

import numpy as np
import pytest
from boxes import AWAY, CAN, FRONT, MUG, SIDE, Block, Robot, along_x, see, unorganised

from segvec3d_core.object_map.picture import _draw, pictured
from segvec3d_core.pointcloud2 import with_camera
from segvec3d_core.types import BODY_AXES, OPTICAL_AXES, PointCloud, Scene


def test_a_picture_holds_the_nearest_points_of_a_cloud_where_they_lie():
    scene, cloud = see([MUG, CAN], FRONT)
    bare_scene, bare = unorganised(scene, cloud)
    seen, image, axes = pictured(bare_scene, bare)
    assert axes is OPTICAL_AXES
    camera = image.camera
    assert camera is not None
    assert 0.3 * len(bare) < np.isfinite(image.points[:, 2]).sum() <= len(bare)
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    filled = np.isfinite(image.points[:, 2])
    pixels = np.stack([u, v], -1).reshape(-1, 2)[filled]
    assert np.abs(camera.project(image.points)[filled] - pixels).max() < 0.501
    label_of = {tuple(point): label for point, label in zip(bare.points, bare_scene.labels, strict=True)}
    assert all(label_of[tuple(p)] == label for p, label in zip(image.points[filled], seen.labels[filled], strict=True))
    assert pictured(scene, cloud)[:2] == (scene, cloud)


def test_the_kernel_draws_the_nearest_point_of_each_pixel_as_written_down():
    rng = np.random.default_rng(3)
    points = rng.normal((0, 0, 1), (0.4, 0.3, 0.4), (2_000, 3)).astype(np.float32)
    points[::50] = np.nan
    colors, labels = rng.integers(0, 255, (2_000, 3)).astype(np.uint8), np.arange(2_000, dtype=np.int32)
    width, height, focal, cx, cy = 20, 15, 18.0, 9.3, 7.1
    seen, shades, owner = _draw(points, colors, labels, focal, cx, cy, width, height)
    best = np.full(width * height, -1)
    for i in np.flatnonzero(points[:, 2] > 0):
        x, y, z = points[i].astype(np.float64)
        column, row = int(np.floor(focal * x / z + cx + 0.5)), int(np.floor(focal * y / z + cy + 0.5))
        pixel = row * width + column
        if 0 <= column < width and 0 <= row < height and (best[pixel] < 0 or z < points[best[pixel], 2]):
            best[pixel] = i
    assert (best >= 0).sum() > 100
    np.testing.assert_array_equal(owner, best)
    np.testing.assert_array_equal(seen, np.where(best[:, None] < 0, np.float32(np.nan), points[best]))
    np.testing.assert_array_equal(shades, np.where(best[:, None] < 0, 0, colors[best]))
    assert _draw(points, colors[:0], labels, focal, cx, cy, width, height)[1].shape == (0, 3)


def test_stray_points_before_the_lens_do_not_spoil_the_picture():
    scene, cloud = unorganised(*see([MUG, CAN], FRONT))
    stray = np.tile(np.array([[0.003, 0, 0.001]], np.float32), (len(cloud) // 200, 1))
    points = np.concatenate([stray, cloud.points])
    labels = np.concatenate([np.full(len(stray), -1, np.int32), scene.labels])
    _, image, _ = pictured(replace(scene, labels=labels), PointCloud(points, viewpoint=cloud.viewpoint))
    assert np.isfinite(image.points[:, 2]).sum() > 0.3 * len(cloud)


def test_an_image_along_x_is_the_one_along_z_turned():
    """As drivers and simulators send it that know but the frames of bodies (REP-103)."""
    scene, cloud = see([MUG, CAN], FRONT)
    up = np.array([0, -0.8, -0.6], np.float32)
    scene, cloud = replace(scene, up=up), replace(cloud, up=up)
    seen, image, turn = pictured(*along_x(scene, cloud))
    assert turn is BODY_AXES
    assert image.camera == cloud.camera
    np.testing.assert_array_equal(image.points, cloud.points)
    assert image.up == pytest.approx(up)
    assert seen.up == pytest.approx(up)
    assert seen.camera_axes is OPTICAL_AXES


def test_an_organised_cloud_along_x_gets_its_camera_and_one_of_a_robots_frame_none():
    """What a camera on a mast saw, in a frame at the robot's foot, lies along x, too, and its rays begin elsewhere."""
    _, cloud = see([MUG, CAN], FRONT)
    camera = cloud.camera
    assert camera is not None
    body = PointCloud(cloud.points @ BODY_AXES.T, viewpoint=cloud.viewpoint)
    told = with_camera(body, camera.width, camera.height)
    assert told.camera is None
    assert told.body_camera is not None
    assert (told.body_camera.fx, told.body_camera.cy) == pytest.approx((camera.fx, camera.cy), rel=1e-3)
    elsewhere = replace(body, points=body.points + np.array([0.5, 0.2, -0.2], np.float32))
    assert with_camera(elsewhere, camera.width, camera.height) is elsewhere
    assert elsewhere.camera_axes is None


def test_no_picture_is_made_of_a_cloud_behind_its_frame():
    scene, cloud = unorganised(*see([MUG, CAN], FRONT))
    other = PointCloud(cloud.points * np.array([1, 1, -1], np.float32), viewpoint=cloud.viewpoint)
    assert pictured(scene, other)[:2] == (scene, other)


def test_of_next_to_nothing_no_picture_is_made():
    few = PointCloud(np.ones((3, 3), np.float32), viewpoint=np.zeros(3, np.float32))
    scene = Scene(np.full(3, -1, np.int32), ())
    assert pictured(scene, few)[:2] == (scene, few)


@pytest.mark.parametrize("driver", [unorganised, along_x])
def test_whatever_its_driver_sends_a_cloud_tells_what_is_hidden_and_what_is_gone(driver):
    robot = Robot(driver=driver)
    ids = robot.watch([MUG, CAN])
    screen = Block((0.4, 0.15, 0), (0.02, 0.3, 0.5), look=7)
    robot.watch([CAN, screen], seconds=10.0)  # the mug is taken away behind the screen
    assert robot.objects()[ids[1]].state == "remembered"
    robot.watch([CAN], AWAY, 5.0)
    robot.watch([CAN], SIDE, 2.0)
    assert set(robot.objects()) == {ids[2]}


def test_whoever_asks_stands_where_the_camera_stood_however_its_frame_is_turned():
    for driver in (None, unorganised, along_x):
        robot = Robot(driver=driver)
        robot.watch([MUG, CAN], SIDE)
        scene = robot.map.snapshot().scene()
        assert scene.camera_axes == pytest.approx(SIDE[:3, :3], abs=1e-5)
        assert scene.up == pytest.approx([0, 0, 1], abs=1e-5)
