"""Objects that persist: identity, life and memory."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from boxes import AWAY, CAMERA, CAN, FRONT, MUG, SECOND, SIDE, Block, Robot, look, pose, see

from segvec3d_core.object_map import MapConfig, ObjectMap
from segvec3d_core.types import Match, Matches, PointCloud, Scene


def test_a_thing_keeps_its_id_while_the_camera_moves(robot):
    first = robot.watch([MUG, CAN])
    for turn in np.linspace(0, 2 * np.pi, 16):
        robot.watch([MUG, CAN], pose((np.cos(turn), np.sin(turn), 0.7)), 0.4)
    assert set(robot.objects()) == set(first[1:])
    assert robot.at(MUG) == {first[1]}


def test_a_box_seen_from_all_sides_has_its_true_size(robot):
    for turn in np.linspace(0, 2 * np.pi, 16):
        robot.watch([CAN], pose((np.cos(turn), np.sin(turn), 0.7), (0, -0.15, 0.1)), 0.4)
    (thing,) = robot.objects().values()
    assert np.sort(thing.object.box.size) == pytest.approx(np.sort(CAN.size), abs=0.012)
    assert thing.object.box.center == pytest.approx([0, -0.15, 0.1], abs=0.01)


@pytest.mark.parametrize(("period", "is_object"), [(3, True), (12, False)])
def test_what_seems_a_surface_from_near_by_is_an_object_once_it_was_seen_as_a_whole(period, is_object):
    seen = 0

    def driver(scene: Scene, cloud: PointCloud) -> tuple[Scene, PointCloud]:
        """Every so often the can is told from the floor; else it is a surface, too."""
        nonlocal seen
        seen += 1
        floor, can = scene.objects
        told = replace(can, kind="object" if seen % period == 0 else "surface")
        return replace(scene, objects=(floor, told)), cloud

    robot = Robot(driver=driver)
    robot.watch([CAN], seconds=4.8)
    assert len(robot.objects()) == is_object


def test_what_is_seen_for_a_moment_is_not_told_of(robot):
    robot.watch([MUG], seconds=0.2)
    assert not robot.objects()
    robot.watch([MUG], seconds=0.6)
    assert len(robot.objects()) == 1


def test_what_is_put_on_a_table_is_told_of_before_what_seems_a_part_of_a_thing(robot):
    coaster = Block((0.1, 0.3, 0), (0.1, 0.1, 0.01), look=5)
    lid = Block((0, -0.15, 0.2), (0.06, 0.06, 0.012), look=6)
    for turn in np.linspace(0, 0.3, 60):
        robot.watch([CAN], pose((np.cos(turn), np.sin(turn), 0.7)), 0.2)
    robot.watch([CAN, coaster, lid], seconds=1.2)
    assert not robot.at(coaster)
    robot.watch([CAN, coaster, lid], seconds=1.0)
    assert robot.at(coaster)
    assert len(robot.objects()) == 2
    robot.watch([CAN, coaster, lid], seconds=4.0)
    assert len(robot.objects()) == 3


@pytest.mark.parametrize("rate", [2.0, 10.0, 30.0])
def test_times_are_seconds_whatever_the_rate(rate):
    robot = Robot(MapConfig(confirm_seconds=1.0, gone_seconds=1.0), rate)
    robot.watch([MUG], seconds=0.9)
    assert not robot.objects()
    robot.watch([MUG], seconds=1.0)
    assert len(robot.objects()) == 1
    robot.watch([], seconds=0.9)
    assert len(robot.objects()) == 1
    robot.watch([], seconds=1.2)
    assert not robot.objects()


def test_what_leaves_the_view_is_remembered(robot):
    ids = robot.watch([MUG, CAN])
    robot.watch([MUG, CAN], AWAY, 20.0)
    assert set(robot.objects()) == set(ids[1:])
    assert {thing.state for thing in robot.objects().values()} == {"remembered"}
    assert (robot.stamp - robot.objects()[ids[1]].last_seen) / SECOND == pytest.approx(20.0)
    assert robot.watch([MUG, CAN])[1:] == ids[1:]
    assert {thing.state for thing in robot.objects().values()} == {"visible"}


def test_a_night_without_clouds_is_not_a_night_unseen():
    robot = Robot(MapConfig(remember_seconds=60.0))
    ids = robot.watch([MUG, CAN])
    robot.stamp += 36_000 * SECOND
    robot.watch([MUG, CAN], AWAY)
    assert set(robot.objects()) == set(ids[1:])
    robot.watch([MUG, CAN], AWAY, 61.0)
    assert not robot.objects()


def test_what_is_hidden_is_remembered(robot):
    ids = robot.watch([MUG, CAN])
    screen = Block((0.4, 0.15, 0), (0.02, 0.3, 0.5), look=7)
    robot.watch([MUG, CAN, screen], seconds=10.0)
    assert robot.at(MUG) == {ids[1]}
    assert robot.objects()[ids[1]].state == "remembered"


def test_what_a_carton_covers_is_not_the_carton(robot):
    ids = robot.watch([MUG, CAN])
    carton = Block(MUG.at, (0.17, 0.17, 0.21), look=8)
    covered = robot.watch([CAN, carton], seconds=5.0)
    assert covered[2] != ids[1]
    assert robot.watch([MUG, CAN], seconds=3.0)[1] == ids[1]
    assert set(robot.objects()) == set(ids[1:])


def test_what_is_taken_away_is_forgotten_once_its_place_is_seen(robot):
    ids = robot.watch([MUG, CAN])
    robot.watch([CAN], AWAY, 5.0)
    assert set(robot.objects()) == set(ids[1:])
    robot.watch([CAN], SIDE, 2.0)
    assert set(robot.objects()) == {ids[2]}


def test_a_thin_thing_that_is_taken_away_is_no_part_of_what_it_lay_on(robot):
    pen = Block((0, 0.15, 0), (0.15, 0.03, 0.012), look=1)
    ids = robot.watch([pen, CAN], seconds=3.0)
    robot.watch([CAN], seconds=10.0)
    assert set(robot.objects()) == {ids[2]}


def test_without_camera_and_viewpoint_a_miss_is_no_evidence(robot):
    robot.watch([MUG, CAN])
    scene, cloud = see([CAN], FRONT)
    for _ in range(30):
        robot.stamp += SECOND // 5
        robot.map.update(scene, PointCloud(cloud.points, cloud.colors, up=cloud.up), FRONT, robot.stamp)
    assert len(robot.objects()) == 2


def test_things_are_matched_without_a_camera_too():
    robot, ids = Robot(), set()
    for T in (FRONT, SIDE, FRONT, SIDE):
        scene, cloud = see([MUG, CAN], T)
        robot.stamp += SECOND // 2
        ids.add(robot.map.update(scene, PointCloud(cloud.points, up=cloud.up), T, robot.stamp)[1:])
    assert len(ids) == 1


def test_what_moves_is_recognised(robot):
    ids = robot.watch([MUG, CAN])
    moved = replace(MUG, at=(-0.4, 0.3, 0))
    after = robot.watch([moved, CAN], seconds=3.0)
    assert after == ids
    assert robot.at(moved) == {ids[1]}
    assert len(robot.objects()) == 2


def test_what_is_pushed_keeps_its_id_and_leaves_nothing_behind(robot):
    ids = robot.watch([MUG])
    for step in range(10):
        robot.watch([replace(MUG, at=(0.0, 0.15 - 0.03 * step, 0))], seconds=0.4)
    assert robot.watch([replace(MUG, at=(0.0, -0.12, 0))], seconds=2.0) == ids
    (thing,) = robot.objects().values()
    assert thing.object.box.size.max() < 0.2


def test_what_comes_back_after_a_while_is_recognised(robot):
    ids = robot.watch([MUG, CAN])
    robot.watch([CAN], seconds=20.0)
    assert set(robot.objects()) == {ids[2]}
    robot.watch([replace(MUG, at=(0.2, 0.3, 0)), CAN], seconds=2.0)
    assert set(robot.objects()) == set(ids[1:])
    assert robot.objects()[ids[1]].first_seen < 12 * SECOND


def test_a_thing_can_come_back_for_as_long_as_it_is_known_to_be_gone():
    robot = Robot(MapConfig(reidentify_seconds=10.0), rate=2.0)
    ids = robot.watch([MUG, CAN], seconds=3.0)
    robot.watch([CAN], AWAY, 30.0)
    assert robot.watch([replace(MUG, at=(-0.4, 0.3, 0)), CAN], seconds=4.0) == ids
    robot.watch([CAN], seconds=30.0)
    assert robot.watch([MUG, CAN], seconds=4.0)[1] != ids[1]


def test_a_pause_on_the_way_is_no_thing_of_its_own_to_come_back(robot):
    ids = robot.watch([MUG, CAN], seconds=3.0)
    robot.watch([replace(MUG, at=(0.3, -0.3, 0)), CAN], seconds=0.4)
    assert robot.watch([replace(MUG, at=(-0.4, 0.3, 0)), CAN], seconds=4.0) == ids


def test_what_is_gone_is_recognised_though_the_clock_was_wrong(robot):
    ids = robot.watch([MUG, CAN])
    robot.watch([CAN], seconds=4.0)
    assert set(robot.objects()) == {ids[2]}
    robot.map.forget_time()
    robot.stamp -= 10 * SECOND
    assert robot.watch([replace(MUG, at=(0.2, 0.3, 0)), CAN], seconds=2.0) == ids


def test_two_equal_cans_are_two_cans(robot):
    cans = [replace(CAN, at=(0, y, 0)) for y in (-0.2, 0.0, 0.2)]
    ids = robot.watch(cans)
    assert len(set(ids)) == 4
    robot.watch(cans, SIDE, 2.0)
    assert set(robot.objects()) == set(ids[1:])
    robot.watch([cans[0], cans[2]], seconds=3.0)
    assert set(robot.objects()) == {ids[1], ids[3]}
    robot.watch([*cans, replace(CAN, at=(0.3, 0, 0))], seconds=3.0)
    assert len(robot.objects()) == 4


def test_another_thing_in_the_same_place_is_another(robot):
    (_, mug) = robot.watch([MUG])
    (_, other) = robot.watch([Block(MUG.at, (0.25, 0.2, 0.05), look=5)], seconds=3.0)
    assert other != mug
    assert set(robot.objects()) == {other}


def test_what_the_border_cuts_waits_longer():
    beside = pose((1.0, 0, 0.7), (0, 0.84, 0.05))
    cut, free = Robot(), Robot()
    cut.watch([MUG], beside, 0.8)
    free.watch([MUG], seconds=0.8)
    assert (len(cut.objects()), len(free.objects())) == (0, 1)
    cut.watch([MUG], beside, 1.2)
    assert len(cut.objects()) == 1


def test_ids_are_never_used_again(robot):
    before = robot.watch([MUG, CAN])
    robot.map.clear()
    assert not robot.map.snapshot()
    after = robot.watch([MUG, CAN])
    assert not set(before) & set(after)


def test_memory_is_bounded():
    robot = Robot(MapConfig(max_voxels=200, max_objects=8))
    rng = np.random.default_rng(0)
    for step in range(60):
        blocks = [Block((float(x), float(y), 0), look=step) for x, y in rng.uniform(-0.5, 0.5, (4, 2))]
        robot.watch(blocks, pose((1.2, float(rng.uniform(-1, 1)), 0.9)), 0.6)
    assert len(robot.map._entries) <= 8
    assert all(len(entry.voxels) <= 200 for entry in robot.map._entries)
    assert all(len(entry.voxels) == 0 for entry in robot.map._lost.entries)
    alive = {entry.id for entry in robot.map._entries}
    pairs = robot.map._pairs
    assert all(set(pair) <= alive for pair in pairs._seconds)
    tracemalloc.start()
    for _ in range(50):
        robot.watch([MUG, CAN], seconds=0.2)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 2e6


def test_an_empty_scene_and_an_empty_cloud_are_ordinary(robot):
    robot.watch([MUG])
    robot.stamp += SECOND
    assert (
        robot.map.update(Scene(np.full(CAMERA.width * CAMERA.height, -1)), see([], FRONT)[1], FRONT, robot.stamp) == ()
    )
    assert (
        robot.map.update(Scene(np.empty(0, np.int32)), PointCloud(np.empty((0, 3), np.float32)), FRONT, robot.stamp + 1)
        == ()
    )
    assert len(ObjectMap().snapshot().cloud()) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"T": np.eye(3)}, r"T_map_camera: expected shape \(4, 4\), got \(3, 3\)"),
        ({"T": 2 * np.eye(4)}, "T_map_camera: expected a rotation and a translation"),
        ({"T": np.full((4, 4), np.nan)}, "T_map_camera: expected a rotation and a translation"),
        ({"embedding": np.full(8, np.nan, np.float32)}, "scene: expected embeddings of finite numbers"),
        ({"stamp": 1}, "stamp_ns: expected 10200000000 or later, got 1"),
        ({"cloud": PointCloud(np.zeros((5, 3), np.float32))}, "scene: expected labels for 5 points, got 10800"),
    ],
)
def test_a_bad_update_is_refused_and_changes_nothing(robot, change, message):
    robot.watch([MUG], seconds=0.2)
    scene, cloud = see([MUG], FRONT)
    if "embedding" in change:
        scene = replace(scene, objects=tuple(replace(o, embedding=change["embedding"]) for o in scene.objects))
    with pytest.raises(ValueError, match=message):
        robot.map.update(scene, change.get("cloud", cloud), change.get("T", FRONT), change.get("stamp", robot.stamp))
    assert robot.map.stamp_ns == robot.stamp


@pytest.mark.parametrize("name", ["voxel_size", "max_voxels", "gone_seconds", "min_overlap", "reidentify_similarity"])
def test_a_configuration_that_no_map_can_work_with_is_refused(name: str):
    with pytest.raises(ValueError, match=f"{name}: expected"):
        MapConfig(**{name: -2})  # type: ignore[arg-type]  # any of its numbers


def test_a_snapshot_stays_as_it_was(robot):
    robot.watch([MUG])
    before = robot.map.snapshot()
    points = before.cloud().points.copy()
    robot.watch([], seconds=5.0)
    assert len(before) == 2
    assert np.array_equal(before.cloud().points, points)
    assert len(before.scene().labels) == len(points)


def test_centre_and_colour_follow_what_is_seen(robot):
    ids = robot.watch([MUG])
    robot.map.snapshot()
    scene, cloud = see([MUG], SIDE)
    red = replace(cloud, colors=np.full((len(cloud), 3), (200, 0, 0), np.uint8))
    for _ in range(20):
        robot.stamp += SECOND
        robot.map.update(scene, red, SIDE, robot.stamp)
    (thing,) = robot.objects().values()
    (k,) = (k for k, known in enumerate(robot.map.snapshot()) if known.id == thing.id)
    points, colors = robot.map.snapshot().points_of(k)
    assert thing.object.centroid == pytest.approx(points.mean(0), abs=1e-5)
    assert thing.object.color == pytest.approx(np.median(colors, 0), abs=1)
    assert thing.object.color[1] < 100
    assert robot.map.first_seen()[ids[1]] == thing.first_seen < robot.stamp - 20 * SECOND


@pytest.mark.parametrize("unseen", [0.7, 1.0])
def test_what_the_colour_camera_does_not_see_has_no_colour(robot, unseen):
    """It sees another part of the things at each step, or nothing."""
    scene, cloud = see([MUG], SIDE)
    rng = np.random.default_rng(0)
    for _ in range(20):
        robot.stamp += SECOND
        colors = np.where(rng.random((len(cloud), 1)) < unseen, 0, (200, 60, 60)).astype(np.uint8)
        robot.map.update(scene, replace(cloud, colors=colors), SIDE, robot.stamp)
    (thing,) = robot.objects().values()
    (k,) = (k for k, known in enumerate(robot.map.snapshot()) if known.id == thing.id)
    shown = robot.map.snapshot().points_of(k)[1]
    if unseen == 1:
        assert thing.object.color is None
        assert (shown == 128).all(), "grey, to be looked at"
    else:
        assert thing.object.color == pytest.approx((200, 60, 60), abs=1)


def test_a_query_searches_what_is_remembered_too(robot):
    class Searcher:
        def find(self, scene, text, top_k=None, min_similarity=None):
            similarity = [float(o.embedding @ look(int(text))) for o in scene.objects]
            k = int(np.argmax(similarity))
            return Matches((Match(k, scene.objects[k], similarity[k]),))

    ids = robot.watch([MUG, CAN])
    robot.watch([], AWAY, 2.0)
    matches, snapshot = robot.map.query(Searcher(), "2")
    assert snapshot[matches[0].index].id == ids[2]
    assert snapshot[matches[0].index].state == "remembered"


def test_an_object_that_was_seen_without_colours_has_none(robot, tmp_path):
    scene, cloud = see([MUG], FRONT)
    for stamp in (1, 2):
        robot.map.update(scene, replace(cloud, colors=None), FRONT, stamp * SECOND)
    robot.map.save(tmp_path / "map.npz")
    other = ObjectMap()
    other.load(tmp_path / "map.npz")
    assert [thing.object.color for objects in (robot.map, other) for thing in objects.snapshot()] == [None] * 4
    robot.map.update(scene, cloud, FRONT, 3 * SECOND)
    assert all(thing.object.color is not None for thing in robot.map.snapshot())


def test_a_scene_of_another_model_is_refused(robot):
    robot.watch([MUG])
    scene, cloud = see([MUG], FRONT)
    other = replace(scene, objects=tuple(replace(o, embedding=np.ones(3, np.float32)) for o in scene.objects))
    with pytest.raises(ValueError, match="expected embeddings of 16 numbers, as in the map, got 3: clear the map"):
        robot.map.update(other, cloud, FRONT, robot.stamp + SECOND)
