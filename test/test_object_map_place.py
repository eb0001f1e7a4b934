"""Where the map and its boxes lie: poses with errors, where up is, and whose left and right is meant."""

from dataclasses import replace

import numpy as np
import pytest
from boxes import CAN, FRONT, MUG, SECOND, Block, Robot, pose, see
from scipy.spatial.transform import Rotation

from segvec3d_core.object_map.anchor import Anchor
from segvec3d_core.relations import Layout
from segvec3d_core.types import PointCloud, Scene

WALL = Block((-0.3, 0, 0), (0.2, 0.4, 0.3), look=3)


def _motion(degrees: float, shift) -> np.ndarray:
    """(4, 4) turned about the vertical, then shifted by metres."""
    T, a = np.eye(4), np.deg2rad(degrees)
    T[:2, :2], T[:3, 3] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]], shift
    return T


def test_an_error_of_the_pose_does_not_inflate_boxes():
    robot, rng = Robot(), np.random.default_rng(0)
    for _ in range(40):
        scene, cloud = see([MUG, CAN, WALL], FRONT)
        T = FRONT.copy()
        T[:3, 3] += rng.normal(0, 0.01 / 3**0.5, 3)
        robot.stamp += SECOND // 5
        robot.map.update(scene, cloud, T, robot.stamp)
    sizes = [thing.object.box.size.max() for thing in robot.objects().values()]
    assert len(sizes) == 3
    assert max(sizes) < 0.44


def test_the_map_lies_where_poses_are_told_on_the_average_and_not_where_the_first_was():
    rng, first = np.random.default_rng(0), _motion(2.0, (0.03, -0.02, 0.01))
    anchor = Anchor(np.array([40.0, -7.0, 0.0]))
    for _ in range(400):  # drawn as the first pose was told, seen by later ones that are right on the average
        true = pose(tuple(rng.normal((1.0, 0.0, 0.7), 0.3)))
        told = _motion(rng.normal(0, 0.5), rng.normal(0, 0.005, 3)) @ true
        told[:3, 3] += anchor.origin
        anchor.note(told, first @ true, 0.5)
    points = rng.uniform(-1, 1, (50, 3)).astype(np.float32)
    drawn = (points @ first[:3, :3].T + first[:3, 3]).astype(np.float32)
    assert np.linalg.norm(drawn - points, axis=1).max() > 0.04
    assert np.linalg.norm(anchor.place(drawn) - anchor.origin - points, axis=1).max() < 0.005
    assert np.allclose(anchor.turn(first[:3, :3]), np.eye(3), atol=0.003)


def test_clouds_that_fit_badly_do_not_move_the_map(robot):
    robot.watch([MUG, CAN])
    robot.watch([CAN, Block(MUG.at, (0.17, 0.17, 0.21), look=8)], seconds=5.0)
    assert 0 < np.linalg.norm(robot.map._anchor.T[:3, 3]) < 0.002


def test_boxes_and_clouds_lie_in_the_same_place_wherever_the_map_lies():
    robot, rng = Robot(), np.random.default_rng(0)
    for _ in range(20):
        T = _motion(rng.normal(0, 1), rng.normal(0, 0.01, 3)) @ FRONT
        robot.stamp += SECOND // 5
        robot.map.update(*see([MUG, CAN, WALL], FRONT), T, robot.stamp)
    snapshot = robot.map.snapshot()
    assert not np.allclose(robot.map._anchor.T, np.eye(4), atol=1e-4)
    assert np.allclose(snapshot.up, [0, 0, 1], atol=1e-3)
    for k, thing in enumerate(snapshot):
        points, _ = snapshot.points_of(k)
        assert np.allclose(points.mean(0), thing.object.centroid, atol=1e-4)
        assert np.allclose(thing.object.box.rotation[:, 2], snapshot.up, atol=1e-3)
        local = np.abs((points - thing.object.box.center) @ thing.object.box.rotation)
        assert (local < thing.object.box.size / 2 + 0.02).mean() > 0.95


def test_without_gravity_up_is_the_scenes_and_none_where_nothing_tells_it():
    robot = Robot()
    scene, cloud = see([MUG, CAN], FRONT)
    blind, sideways = replace(cloud, up=None), Rotation.from_euler("y", 90, degrees=True).as_matrix()
    lying = [replace(thing, box=replace(thing.box, rotation=sideways.astype(np.float32))) for thing in scene.objects]
    scene = replace(scene, objects=tuple(lying), up=None)
    for _ in range(10):
        robot.stamp += SECOND // 5
        robot.map.update(scene, blind, FRONT, robot.stamp)
    snapshot = robot.map.snapshot()
    assert len(snapshot)
    assert snapshot.up is snapshot.scene().up is snapshot.cloud().up is None
    robot.map.update(replace(scene, up=np.array([0, -1, 0], np.float32)), blind, FRONT, robot.stamp + SECOND)
    assert np.allclose(robot.map.snapshot().up, FRONT[:3, :3] @ [0, -1, 0], atol=1e-6)


def test_gravity_tells_up_at_once_and_a_file_keeps_it(robot, tmp_path):
    scene, cloud = see([MUG, CAN], FRONT)
    blind, wall = replace(cloud, up=None), replace(scene, up=np.array([0, 0, -1], np.float32))
    tilted = Rotation.from_euler("x", 8, degrees=True).as_matrix() @ cloud.up
    for shown, seen in [(replace(scene, up=tilted.astype(np.float32)), blind)] * 20 + [(scene, cloud)]:
        robot.stamp += SECOND // 2
        robot.map.update(shown, seen, FRONT, robot.stamp)
    assert np.allclose(robot.map.snapshot().up, [0, 0, 1], atol=1e-5)
    robot.map.save(tmp_path / "map.npz")
    robot.map.load(tmp_path / "map.npz")
    for _ in range(10):
        robot.stamp += SECOND // 2
        robot.map.update(wall, blind, FRONT, robot.stamp)
    assert np.allclose(robot.map.snapshot().up, [0, 0, 1], atol=1e-5)


@pytest.mark.parametrize(("told", "turns"), [(False, True), (True, False)], ids=["by a surface", "by gravity"])
def test_another_up_holds_once_surfaces_have_told_it_for_a_while_and_never_against_gravity(robot, told, turns):
    scene, cloud = see([MUG, CAN], FRONT)
    wall, table = (replace(scene, up=np.array(up, np.float32)) for up in ([0, 0, -1], cloud.up))
    blind = replace(cloud, up=None)

    def ups(scenes: list[Scene], seen: PointCloud) -> np.ndarray:
        for shown in scenes:
            robot.stamp += SECOND // 2
            robot.map.update(shown, seen, FRONT, robot.stamp)
        return robot.map.snapshot().up

    first = ups([table, table], cloud if told else blind)
    assert np.allclose(first, [0, 0, 1], atol=1e-5)
    assert np.allclose(ups([wall, wall, table, wall, wall, wall, wall, table], blind), first, atol=1e-5)
    assert np.allclose(ups([wall] * 6, blind), -FRONT[:3, 2] if turns else first, atol=1e-5)


def test_directions_in_the_map_are_those_of_the_latest_view(robot):
    robot.watch([MUG, CAN])
    for T, leftmost in [(FRONT, CAN), (pose((-1.0, 0, 0.7)), MUG)]:
        robot.watch([MUG, CAN], T, 0.4)
        snapshot = robot.map.snapshot()
        scene = snapshot.scene()
        assert scene.viewpoint == pytest.approx(T[:3, 3], abs=1e-5)
        assert scene.up == pytest.approx([0, 0, 1], abs=1e-5)
        mug, can = ([thing.id for thing in snapshot].index(*robot.at(block)) for block in (MUG, CAN))
        x, _ = Layout(scene).lateral_depth("left of")
        assert (x[can, mug] > 0) == (leftmost is CAN)
        assert scene.camera_axes == pytest.approx(T[:3, :3], abs=1e-5)
