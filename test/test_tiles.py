"""A scan in tiles is the scan as a whole: nothing is lost, doubled or cut where tiles meet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from segvec3d_core import PointCloud, SegVec3D
from segvec3d_core.checkpoint import shipped_path
from segvec3d_core.config import SegmentationConfig
from segvec3d_core.geometry import oriented_box
from segvec3d_core.metrics import adjusted_rand_index, contingency
from segvec3d_core.simulate import first_edition, simulate_scan
from segvec3d_core.tiles import Tiling, process_submit, ray_submit, segment_tiles
from segvec3d_core.types import Kind, Scene, SceneObject


@pytest.fixture(scope="module")
def room() -> tuple[PointCloud, NDArray[np.int32]]:
    with first_edition():
        cloud, labels, _ = simulate_scan(np.random.default_rng(0))
    return cloud, labels


class Blocks:
    """Stands in for the network: parts a cloud by colour, so that what is one thing is known."""

    def segment(self, cloud: PointCloud, config: object = None) -> Scene:
        assert cloud.colors is not None
        objects: list[SceneObject] = []
        labels = np.full(len(cloud), -1, np.int32)
        for value in np.unique(cloud.colors[:, 0]):
            mine = cloud.colors[:, 0] == value
            kind: Kind = "surface" if value == 0 else "object"
            points = cloud.points[mine]
            labels[mine] = len(objects)
            box, embedding = oriented_box(points, cloud.up), np.array([value], np.float32)
            objects.append(SceneObject(kind, value / 255, box, points.mean(0), embedding, None, int(mine.sum())))
        return Scene(labels, tuple(objects))


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> tuple[PointCloud, NDArray[np.uint8]]:
    """A floor of 12 x 12 m and nine boxes on it, some across the borders of tiles and their corners."""
    monkeypatch.setattr("segvec3d_core.tiles._loaded", lambda path, device: Blocks())
    rng = np.random.default_rng(0)
    points, values = [rng.uniform([-6, -6, 0], [6, 6, 0.01], (60_000, 3))], [np.zeros(60_000, np.uint8)]
    for k, (x, y) in enumerate([(0, 0), (3.9, 1), (-4.1, -3.9), (2, 2), (-2, 3), (1, -4), (5, 5), (-5, 0.1), (0.1, 5)]):
        points.append(rng.uniform([x - 0.3, y - 0.2, 0.02], [x + 0.3, y + 0.2, 0.4], (2_000, 3)))
        values.append(np.full(2_000, 20 * (k + 1), np.uint8))
    order = rng.permutation(78_000)
    value = np.concatenate(values)[order]
    cloud = PointCloud(np.concatenate(points)[order].astype(np.float32), np.repeat(value[:, None], 3, 1))
    return cloud, value


def chunks(cloud: PointCloud, count: int) -> list[PointCloud]:
    bounds = np.linspace(0, len(cloud), count + 1).astype(int)
    return [
        PointCloud(cloud.points[a:b], None if cloud.colors is None else cloud.colors[a:b], up=cloud.up)
        for a, b in pairwise(bounds)
    ]


@pytest.mark.parametrize("pieces", [1, 7])
def test_things_across_the_borders_of_tiles_are_one_thing_each(blocks, pieces):
    cloud, value = blocks
    scene = segment_tiles("weights", chunks(cloud, pieces), Tiling(4.0, 0.5))
    assert len(scene) == 10
    assert adjusted_rand_index(scene.labels, value) == 1
    for k, item in enumerate(scene.objects):
        points = cloud.points[scene.labels == k]
        assert item.point_count == len(points)
        assert item.centroid == pytest.approx(points.mean(0), abs=1e-3)
        assert sorted(item.box.size) == pytest.approx(sorted(np.ptp(points, axis=0)), abs=0.05)
        assert item.kind == ("surface" if value[scene.labels == k][0] == 0 else "object")


def test_others_may_do_the_work_and_the_direction_up_is_the_scans(blocks):
    cloud, value = blocks
    turned = PointCloud(cloud.points[:, [1, 2, 0]], cloud.colors, up=np.array([0, 1, 0], np.float32))
    plain = segment_tiles("weights", [cloud], Tiling(4.0, 0.5))
    with ThreadPoolExecutor(2) as others:
        scene = segment_tiles("weights", chunks(turned, 3), Tiling(4.0, 0.5), submit=others.submit, ahead=2)
    assert adjusted_rand_index(scene.labels, value) == 1
    assert scene.up == pytest.approx([0, 1, 0])
    assert sorted(o.point_count for o in scene.objects) == sorted(o.point_count for o in plain.objects)


@pytest.mark.timeout(300)
def test_processes_may_do_the_work(room):
    cloud, _ = room
    here = segment_tiles(shipped_path(), [cloud], device="cpu")
    with process_submit(2) as submit:
        there = segment_tiles(shipped_path(), [cloud], submit=submit, device="cpu")
    np.testing.assert_array_equal(here.labels, there.labels)


def test_a_ray_cluster_may_do_the_work(room):
    pytest.importorskip("ray", reason="ray is missing: pip install ray")
    cloud, _ = room
    here, there = segment_tiles(shipped_path(), [cloud]), segment_tiles(shipped_path(), [cloud], submit=ray_submit())
    np.testing.assert_array_equal(here.labels, there.labels)


def test_points_that_are_none_belong_to_nothing_and_an_empty_scan_is_empty(blocks):
    cloud, _ = blocks
    points = cloud.points.copy()
    points[::50] = np.nan
    scene = segment_tiles("weights", [PointCloud(points, cloud.colors)], Tiling(4.0, 0.5))
    assert (scene.labels[::50] == -1).all()
    assert len(segment_tiles("weights", []).labels) == 0
    nothing = segment_tiles("weights", [PointCloud(np.full((5, 3), np.nan, np.float32))])
    assert len(nothing) == 0
    assert nothing.labels.tolist() == [-1] * 5


def test_limits_hold_for_whole_things_not_for_their_parts(room):
    cloud, _ = room
    model = SegVec3D.load(device="cpu")
    everything = segment_tiles(model, [cloud], Tiling(2.0, 0.5))
    longest = sorted(float(item.box.size.max()) for item in everything.objects if item.kind == "object")
    low, high = longest[2], longest[-2]
    limits = SegmentationConfig(min_object_size=low, max_object_size=high)
    some = segment_tiles(model, [cloud], Tiling(2.0, 0.5), limits)
    kept = sorted(float(item.box.size.max()) for item in some.objects if item.kind == "object")
    assert kept == [size for size in longest if low <= size <= high]


def test_an_empty_chunk_says_nothing(blocks):
    cloud, _ = blocks
    nothing = PointCloud(np.empty((0, 3), np.float32))
    plain = segment_tiles("weights", [cloud], Tiling(4.0, 0.5))
    for order in ([nothing, cloud], [cloud, nothing]):
        np.testing.assert_array_equal(segment_tiles("weights", order, Tiling(4.0, 0.5)).labels, plain.labels)


def test_chunks_that_do_not_belong_together_are_refused(blocks):
    cloud, _ = blocks
    with pytest.raises(ValueError, match="colours in all of them or in none"):
        segment_tiles("weights", [cloud, PointCloud(cloud.points)])
    with pytest.raises(ValueError, match="one direction up"):
        segment_tiles("weights", [cloud, PointCloud(cloud.points, cloud.colors, up=np.array([1, 0, 0], np.float32))])


@pytest.mark.parametrize(("edge", "margin"), [(4.0, 0.0), (4.0, 2.1), (float("inf"), 1.0), (-1.0, 0.1)])
def test_a_tiling_that_cannot_be_is_refused(edge, margin):
    with pytest.raises(ValueError, match="tiles: expected a margin"):
        Tiling(edge, margin)


def test_a_room_in_tiles_has_the_things_of_the_room(room):
    """By the network: what it finds in the room as a whole it finds in four tiles that meet in its middle."""
    cloud, _ = room
    model = SegVec3D.load(device="cpu")
    whole, tiled = model.segment(cloud), segment_tiles(model, chunks(cloud, 3), Tiling(4.0, 0.75))
    assert len(tiled.labels) == len(cloud)
    assert len(tiled) < 1.5 * len(whole)
    names, _, shared = contingency(whole.labels, tiled.labels)
    iou = shared / (shared.sum(1, keepdims=True) + shared.sum(0) - shared)
    found = [iou[i].max() > 0.5 for i, k in enumerate(names) if k >= 0 and whole.objects[k].score > 0.7]
    assert np.mean(found) > 0.75
    assert len(model.name(tiled, ["chair", "table", "floor"])) == len(tiled)
