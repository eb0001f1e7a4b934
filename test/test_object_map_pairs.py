"""Which two things of the map are one, and which one is two."""

import pytest
from boxes import FRONT, SECOND, Block, Robot, see

from segvec3d_core.object_map import MapConfig
from segvec3d_core.types import PointCloud


def test_two_halves_become_one_when_they_are_seen_as_one(robot):
    halves = [Block((0, -0.1, 0), (0.1, 0.2, 0.1), look=3), Block((0, 0.1, 0), (0.1, 0.2, 0.1), look=3)]
    robot.watch(halves[:1], groups=[0])
    robot.watch(halves, groups=[-1, 1])
    assert len(robot.objects()) >= 1
    robot.watch(halves, groups=[0, 0], seconds=5.0)
    assert len(robot.objects()) == 1
    (thing,) = robot.objects().values()
    assert thing.object.box.size.max() == pytest.approx(0.4, abs=0.03)


def test_what_two_have_become_was_seen_when_either_was(robot):
    halves = [Block((0, -0.1, 0), (0.1, 0.16, 0.1), look=3), Block((0, 0.1, 0), (0.1, 0.24, 0.1), look=3)]
    robot.watch(halves[:1], seconds=1.2)
    robot.watch(halves, seconds=0.8)
    while len(robot.objects()) == 2:
        (_, one) = robot.watch(halves, groups=[0, 0], seconds=0.2)[:2]
    assert robot.objects()[one].last_seen == robot.stamp


def test_two_become_one_without_a_camera_too():
    robot = Robot()
    halves = [Block((0, -0.1, 0), (0.1, 0.2, 0.1), look=3), Block((0, 0.1, 0), (0.1, 0.2, 0.1), look=3)]
    for groups, count in ((None, 2), ([0, 0], 1)):
        for _ in range(30):
            robot.stamp += SECOND // 5
            scene, cloud = see(halves, FRONT, groups)
            robot.map.update(scene, PointCloud(cloud.points, up=cloud.up), FRONT, robot.stamp)
        assert len(robot.objects()) == count


def test_one_becomes_two_when_they_are_seen_as_two(robot):
    pair = [Block((0, -0.1, 0), (0.1, 0.18, 0.1), look=3), Block((0, 0.1, 0), (0.1, 0.18, 0.1), look=4)]
    robot.watch(pair, groups=[0, 0])
    assert len(robot.objects()) == 1
    robot.watch(pair, seconds=8.0)
    assert len(robot.objects()) == 2
    assert all(len(robot.at(half)) == 1 for half in pair)


def test_a_flicker_of_the_segmentation_neither_splits_nor_merges(robot):
    pair = [Block((0, -0.1, 0), (0.1, 0.18, 0.1), look=3), Block((0, 0.1, 0), (0.1, 0.18, 0.1), look=4)]
    ids = robot.watch(pair, seconds=3.0)
    for _ in range(5):
        robot.watch(pair, groups=[0, 0], seconds=0.2)
        assert robot.watch(pair, seconds=0.6) == ids
    assert set(robot.objects()) == set(ids[1:])


@pytest.mark.parametrize("told_at_once", [True, False])
def test_who_asks_for_longer_before_two_become_one_waits_as_long(told_at_once):
    robot = Robot(MapConfig(merge_seconds=20.0) if told_at_once else None)
    robot.map.config = MapConfig(merge_seconds=20.0)
    halves = [Block((0, -0.1, 0), (0.1, 0.2, 0.1), look=3), Block((0, 0.1, 0), (0.1, 0.2, 0.1), look=3)]
    robot.watch(halves, seconds=60.0)
    robot.watch(halves, groups=[0, 0], seconds=19.0)
    assert len(robot.objects()) == 2
    robot.watch(halves, groups=[0, 0], seconds=41.0)
    assert len(robot.objects()) == 1


def test_a_fragment_that_was_seen_for_a_moment_becomes_part_of_the_whole_as_soon(robot):
    parts = [Block((0, -0.1, 0), (0.1, 0.2, 0.1), look=3), Block((0, 0.05, 0), (0.1, 0.1, 0.1), look=3)]
    (_, whole) = robot.watch(parts[:1], seconds=3.0)[:2]
    robot.watch(parts, groups=[-1, 1], seconds=0.8)
    assert len(robot.objects()) == 2
    robot.watch(parts, groups=[0, 0], seconds=1.0)
    assert set(robot.objects()) == {whole}


@pytest.mark.parametrize("first", [0, 1])
def test_the_larger_of_two_parts_keeps_its_id_whichever_was_seen_first(robot, first):
    parts = [Block((0, -0.1, 0), (0.1, 0.2, 0.1), look=3), Block((0, 0.05, 0), (0.1, 0.1, 0.1), look=3)]
    robot.watch([parts[first]], seconds=0.6)
    (_, larger, smaller) = robot.watch(parts, seconds=0.8)
    assert (larger < smaller) == (first == 0)
    robot.watch(parts, groups=[0, 0], seconds=1.6)
    assert set(robot.objects()) == {larger}


@pytest.mark.parametrize(("affinity", "things"), [(None, 2), (0.05, 2), (0.4, 1)])
def test_two_that_are_parted_only_just_become_one_where_every_third_view_shows_them_as_one(robot, affinity, things):
    halves = [Block((0, -0.1, 0), (0.1, 0.2, 0.1), look=3), Block((0, 0.1, 0), (0.1, 0.2, 0.1), look=3)]
    for _ in range(8):
        robot.watch(halves, groups=[0, 0], seconds=0.4)
        robot.watch(halves, affinity=affinity, seconds=0.8)
    assert len(robot.objects()) == things


def test_two_that_are_parted_only_just_in_every_view_stay_two(robot):
    halves = [Block((0, -0.1, 0), (0.1, 0.2, 0.1), look=3), Block((0, 0.1, 0), (0.1, 0.2, 0.1), look=3)]
    robot.watch(halves, affinity=0.45, seconds=60.0)
    assert len(robot.objects()) == 2
