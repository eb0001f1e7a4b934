"""Objects that persist: identity, life and memory."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from boxes import AWAY, CAMERA, CAN, FRONT, MUG, SECOND, SIDE, Block, Robot, look, pose, see, unorganised
from scipy.spatial.transform import Rotation

from segvec3d_core.object_map import MapConfig, ObjectMap
from segvec3d_core.object_map.anchor import Anchor
from segvec3d_core.object_map.picture import _draw, pictured
from segvec3d_core.relations import Layout
from segvec3d_core.types import Match, Matches, PointCloud, Scene


@pytest.fixture
def robot():
    return Robot()


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


def test_what_is_seen_for_a_moment_is_not_told_of(robot):
    robot.watch([MUG], seconds=0.2)
    assert not robot.objects()
    robot.watch([MUG], seconds=0.6)
    assert len(robot.objects()) == 1


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


def test_an_unorganised_cloud_in_its_sensors_frame_tells_what_is_hidden_and_what_is_gone():
    robot = Robot(organised=False)
    ids = robot.watch([MUG, CAN])
    screen = Block((0.4, 0.15, 0), (0.02, 0.3, 0.5), look=7)
    robot.watch([CAN, screen], seconds=10.0)  # the mug is taken away behind the screen
    assert robot.objects()[ids[1]].state == "remembered"
    robot.watch([CAN], AWAY, 5.0)
    robot.watch([CAN], SIDE, 2.0)
    assert set(robot.objects()) == {ids[2]}


def test_a_picture_holds_the_nearest_points_of_a_cloud_where_they_lie():
    scene, cloud = see([MUG, CAN], FRONT)
    bare_scene, bare = unorganised(scene, cloud)
    seen, image = pictured(bare_scene, bare)
    camera = image.camera
    assert camera is not None
    assert 0.3 * len(bare) < np.isfinite(image.points[:, 2]).sum() <= len(bare)
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    filled = np.isfinite(image.points[:, 2])
    pixels = np.stack([u, v], -1).reshape(-1, 2)[filled]
    assert np.abs(camera.project(image.points)[filled] - pixels).max() < 0.501
    label_of = {tuple(point): label for point, label in zip(bare.points, bare_scene.labels, strict=True)}
    assert all(label_of[tuple(p)] == label for p, label in zip(image.points[filled], seen.labels[filled], strict=True))
    assert pictured(scene, cloud) == (scene, cloud)


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
    _, image = pictured(replace(scene, labels=labels), PointCloud(points, viewpoint=cloud.viewpoint))
    assert np.isfinite(image.points[:, 2]).sum() > 0.3 * len(cloud)


@pytest.mark.parametrize("turn", [np.diag([1, 1, -1]), np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])])
def test_no_picture_is_made_of_a_cloud_in_another_frame_than_an_optical_one(turn):
    scene, cloud = unorganised(*see([MUG, CAN], FRONT))
    other = PointCloud((cloud.points @ turn.T).astype(np.float32), viewpoint=cloud.viewpoint)
    assert pictured(scene, other) == (scene, other)


def test_of_next_to_nothing_no_picture_is_made():
    few = PointCloud(np.ones((3, 3), np.float32), viewpoint=np.zeros(3, np.float32))
    scene = Scene(np.full(3, -1, np.int32), ())
    assert pictured(scene, few) == (scene, few)


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


WALL = Block((-0.3, 0, 0), (0.2, 0.4, 0.3), look=3)


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


def _motion(degrees: float, shift) -> np.ndarray:
    """(4, 4) turned about the vertical, then shifted by metres."""
    T, a = np.eye(4), np.deg2rad(degrees)
    T[:2, :2], T[:3, 3] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]], shift
    return T


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
