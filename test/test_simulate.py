"""Simulated scenes hold together, and simulated frames say what is true about them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import maximum_filter, minimum_filter

from segvec3d_core.simulate import (
    LAYOUTS,
    SENSORS,
    SceneModel,
    Sensor,
    SimulatedFrame,
    first_edition,
    look_at,
    render,
    sample_scene,
    simulate_frame,
    simulate_scan,
    write_preview,
)
from segvec3d_core.simulate.meshes import Mesh
from segvec3d_core.simulate.placing import HeightMap, make_body, settle, stable_rotation
from segvec3d_core.simulate.raster import plan
from segvec3d_core.simulate.scenes import Workspace
from segvec3d_core.simulate.shapes_food import package
from segvec3d_core.simulate.tables import table_model, table_scene
from segvec3d_core.types import Camera


@pytest.fixture(scope="module")
def frames() -> list[SimulatedFrame]:
    """Some frames of every layout, small."""
    return [simulate_frame(np.random.default_rng(seed), layout, 160, 120) for layout in LAYOUTS for seed in range(4)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_seed_gives_the_same_frame(layout: str) -> None:
    one, two = (simulate_frame(np.random.default_rng(7), layout, 160, 120) for _ in range(2))  # type: ignore[arg-type]
    assert np.array_equal(one.depth, two.depth, equal_nan=True)
    assert np.array_equal(one.color, two.color)
    assert np.array_equal(one.instance, two.instance)
    assert [e.info for e in one.entities] == [e.info for e in two.entities]


def test_another_seed_gives_another_frame() -> None:
    one, two = (simulate_frame(np.random.default_rng(seed), "table", 160, 120) for seed in (1, 2))
    assert not np.array_equal(one.instance, two.instance)


def test_every_pixel_with_depth_belongs_to_an_entity_and_no_other(frames: list[SimulatedFrame]) -> None:
    for frame in frames:
        assert np.array_equal(np.isfinite(frame.depth), frame.instance >= 0)
        assert frame.instance.max() < len(frame.entities)
        assert (frame.depth[np.isfinite(frame.depth)] > 0).all()


def test_points_lie_within_the_extent_of_their_entity(frames: list[SimulatedFrame]) -> None:
    for frame in frames:
        points = frame.cloud().points
        for k, entity in enumerate(frame.entities):
            mine = points[frame.instance.ravel() == k]
            if entity.kind == "object" and len(mine) >= 60:  # of fewer, many are mixed with what is behind
                distance = np.linalg.norm(mine - entity.center, axis=1)
                # The worst sensors' error at this range; the generic one scales all depth by a few percent.
                z = float(np.median(mine[:, 2]))
                slack = 0.02 + 0.012 * z**2 + (0.1 * z if frame.sensor == "generic" else 0)
                assert np.percentile(distance, 80) < np.linalg.norm(entity.size) / 2 + slack, entity.info.name


def test_up_points_from_the_floor_or_table_to_the_camera_side(frames: list[SimulatedFrame]) -> None:
    for frame in frames:
        assert np.linalg.norm(frame.up) == pytest.approx(1, abs=1e-5)
        # The first entity of a scene on a table is what the things stand on.
        floors = [e.center for e in frame.entities if e.info.category == "floor"]
        centers = np.stack([frame.entities[0].center, *floors])
        assert (centers @ frame.up).min() < 0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_frame_shows_objects(layout: str) -> None:
    for seed in range(5):
        frame = simulate_frame(np.random.default_rng(seed), layout, 160, 120)  # type: ignore[arg-type]
        shown = {int(k) for k in np.unique(frame.instance) if k >= 0}
        assert any(frame.entities[k].kind == "object" for k in shown)


def entity_mesh(scene: SceneModel, k: int) -> Mesh:
    """The placed mesh of an entity."""
    faces = scene.faces[scene.face_entity == k]
    used, index = np.unique(faces, return_inverse=True)
    return Mesh(scene.vertices[used], index.reshape(-1, 3).astype(np.int32), np.zeros(len(faces), np.int32))


@pytest.mark.parametrize("seed", range(12))
def test_every_object_on_a_table_rests_on_what_was_there_before(seed: int) -> None:
    scene = table_scene(np.random.default_rng(seed), 12, background=False)
    heights = HeightMap(-1.2, -1.2, 2.4, 2.4, 0.003)
    table = entity_mesh(scene, 0)
    plan(table.vertices, table.faces, heights.x0, heights.y0, heights.cell, heights.height)  # it may have a cover
    rounding = 5  # cells: what touches sideways may share the cells between
    assert len(scene.entities) > 1
    for k in range(1, len(scene.entities)):
        mesh = entity_mesh(scene, k)
        low = mesh.vertices.min(0)
        body = make_body(mesh, np.eye(3), heights.cell)
        column = round((low[0] - heights.x0) / heights.cell) - 1
        row = round((low[1] - heights.y0) / heights.cell) - 1
        window = heights.window(body, row, column)
        assert window is not None
        bottom = body.low + low[2]
        name = scene.entities[k].info.name
        assert (minimum_filter(window, rounding) - bottom).max() < 0.012, f"{name} sinks into what is below"
        assert (maximum_filter(window, rounding) - bottom).max() > -0.008, f"{name} floats"
        assert low[2] > -0.002
        heights.add(body, row, column, float(low[2]))


def test_a_support_has_a_free_flat_top_at_zero_and_is_of_many_kinds() -> None:
    nouns = set()
    for seed in range(40):
        model, (x0, x1, y0, y1) = table_model(np.random.default_rng(seed))
        cell = 0.01
        shape = (int((y1 - y0) / cell) - 1, int((x1 - x0) / cell) - 1)
        value = np.full(shape, -1.0)
        plan(model.mesh.vertices, model.mesh.faces, x0 + cell, y0 + cell, cell, value)
        assert min(shape) > 15
        assert np.abs(value).max() < 0.005, model.info.name
        assert len(model.mesh.faces) < 6000
        nouns.add(model.info.category)
    assert {"table", "coffee table", "desk", "counter"} <= nouns


def test_furniture_stands_on_the_floor_within_the_walls_of_a_room() -> None:
    for seed in range(6):
        scene = sample_scene(np.random.default_rng(seed), "room")
        x0, x1, y0, y1 = np.array(scene.bounds) + np.array([-0.15, 0.15, -0.15, 0.15])
        for k, entity in enumerate(scene.entities):
            if entity.kind == "object":
                vertices = scene.vertices[scene.faces[scene.face_entity == k].ravel()]
                low, high = vertices.min(0), vertices.max(0)
                assert low[2] > -0.01
                assert x0 - 0.01 < low[0] < high[0] < x1 + 0.01
                assert y0 - 0.01 < low[1] < high[1] < y1 + 0.01


def test_objects_stack_and_touch_often_and_stand_alone_too() -> None:
    raised = total = 0
    for seed in range(12):
        scene = table_scene(np.random.default_rng(seed), 10, background=False)
        for k in range(1, len(scene.entities)):
            raised += entity_mesh(scene, k).vertices[:, 2].min() > 0.01
            total += 1
    assert 0.05 < raised / total < 0.6


def test_an_object_dropped_half_over_an_edge_does_not_stay_there() -> None:
    heights = HeightMap(0, 0, 0.4, 0.4, 0.004)
    heights.height[:, :50] = 0.1
    mesh = package(np.random.default_rng(0))
    body = make_body(mesh, np.eye(3), 0.004)
    found = settle(heights, mesh, body, 0.2 + 0.3 * float(mesh.size[0]), 0.2)
    assert found is None or heights.is_stable(*found)


def test_a_stable_pose_is_a_rotation() -> None:
    mesh = package(np.random.default_rng(3))
    for seed in range(5):
        rotation = stable_rotation(np.random.default_rng(seed), mesh)
        assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(rotation) == pytest.approx(1)


def test_perfect_depth_of_a_table_is_the_distance_to_its_plane() -> None:
    with first_edition():
        scene = replace(table_scene(np.random.default_rng(0), 0, background=False), workspace=None)
    camera = Camera(64, 48, 60.0, 60.0, 31.5, 23.5)
    view = look_at(np.array([0.1, 0.05, 0.9]), np.array([0.1, 0.05, 0.0]), 0.0)
    frame = render(np.random.default_rng(0), scene, view, camera, "ideal")
    assert np.allclose(frame.depth[16:32, 24:40], 0.9, atol=1e-4)
    assert np.allclose(frame.up, [0, 0, -1], atol=1e-6)


def lone_table() -> SceneModel:
    """A table with nothing on it, in a room in which nothing stands before it."""
    with first_edition():
        return replace(table_scene(np.random.default_rng(1), 0, background=True), workspace=None)


def test_a_table_is_a_surface_when_only_its_top_is_seen_and_an_object_as_a_whole() -> None:
    scene = lone_table()
    camera = Camera(160, 120, 130.0, 130.0, 79.5, 59.5)
    for eye, target, kind in (([0.0, 0.01, 0.8], [0.0, 0, 0], "surface"), ([0.0, -1.9, 0.6], [0, 0, -0.3], "object")):
        view = look_at(np.array(eye), np.array(target, float), 0.0)
        frame = render(np.random.default_rng(0), scene, view, camera, "ideal")
        assert frame.entities[0].kind == kind


def test_a_table_that_is_all_that_a_robot_keeps_is_what_things_stand_on() -> None:
    """Seen as a whole it is an object; with all cut off that lies around it, it is what bounds the view."""
    scene = lone_table()
    camera = Camera(160, 120, 130.0, 130.0, 79.5, 59.5)
    view = look_at(np.array([0.0, -1.9, 0.6]), np.array([0.0, 0.0, -0.3]), 0.0)
    kinds = []
    for workspace in (None, Workspace((-2.0, -0.9), (2.0, 0.9), -0.5, 3.0)):
        frame = render(np.random.default_rng(0), replace(scene, workspace=workspace), view, camera, "ideal")
        kinds.append(frame.entities[0].kind)
    assert kinds == ["object", "surface"]


def test_a_frame_as_data_set_labels_objects_from_one_and_surfaces_zero(frames: list[SimulatedFrame]) -> None:
    for frame in frames:
        plain = frame.to_frame("x")
        assert plain.label is not None
        assert set(np.unique(plain.label)) - {0} == set(plain.names)
        surface = np.array([e.kind == "surface" for e in frame.entities] + [True])
        assert np.array_equal(plain.label == 0, surface[frame.instance])


def test_a_scan_is_labelled_upright_and_without_doubles() -> None:
    cloud, labels, entities = simulate_scan(np.random.default_rng(0), views=4, voxel=0.015, width=160, height=120)
    assert len(cloud) == len(labels) > 2000
    assert labels.min() >= 0
    assert labels.max() < len(entities)
    assert cloud.up is not None
    assert np.allclose(cloud.up, [0, 0, 1])
    cells = np.floor(cloud.points / 0.015).astype(int)
    assert len(np.unique(cells, axis=0)) == len(cells)
    floor = next(k for k, e in enumerate(entities) if e.info.category == "floor")
    if (labels == floor).sum() > 50:
        assert abs(np.median(cloud.points[labels == floor, 2])) < 0.1


def test_a_scene_of_rooms_has_walls_floor_and_furniture() -> None:
    scene = sample_scene(np.random.default_rng(0), "room")
    kinds = {e.info.category: e.kind for e in scene.entities}
    assert kinds["wall"] == kinds["floor"] == kinds["ceiling"] == "surface"
    assert "object" in kinds.values()


@pytest.mark.parametrize("sensor", [*SENSORS, "lidar"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 40), (33, 7)])
def test_a_frame_may_be_of_any_size(sensor: Sensor, width: int, height: int) -> None:
    frame = simulate_frame(np.random.default_rng(1), "table", width, height, sensor, objects=1)
    assert frame.depth.shape == frame.instance.shape == (height, width)
    assert np.array_equal(np.isfinite(frame.depth), frame.instance >= 0)


def test_an_unknown_layout_or_sensor_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="layout: expected one of table, room, shelf, got 'garden'"):
        sample_scene(np.random.default_rng(0), "garden")  # type: ignore[arg-type]
    sensors = "ideal, kinect, stereo, generic, tof, lidar"
    with pytest.raises(ValueError, match=f"sensor: expected one of {sensors}, got 'eye'"):
        simulate_frame(np.random.default_rng(0), "table", 64, 48, "eye")  # type: ignore[arg-type]


def test_a_preview_shows_every_frame(tmp_path: Path, frames: list[SimulatedFrame]) -> None:
    path = write_preview(tmp_path / "sheet.png", frames[:3], columns=2, width=80)
    with Image.open(path) as picture:
        assert picture.size == (2 * 3 * 80, 2 * 60)
        assert len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0)) > 50
    with pytest.raises(ValueError, match="frames: expected at least one"):
        write_preview(tmp_path / "none.png", [])


def test_a_table_may_be_seen_from_far_enough_away_to_be_an_object() -> None:
    def tables_as_objects(whole: float) -> int:
        with first_edition():
            frames = [
                simulate_frame(np.random.default_rng([5, seed]), "table", 96, 72, "ideal", objects=3, whole=whole)
                for seed in range(48)
            ]
        return sum(frame.entities[0].kind == "object" for frame in frames)

    assert tables_as_objects(1.0) >= 10
    assert tables_as_objects(0.0) <= 2
