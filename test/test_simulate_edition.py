"""The first edition stays what it was, whatever the simulator learns."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from segvec3d_core.simulate import (
    FAMILIES,
    FIRST_EDITION,
    SENSORS,
    Layout,
    Sensor,
    families,
    first_edition,
    is_first_edition,
    render,
    sample_camera,
    sample_scene,
    sample_view,
    simulate_frame,
    simulate_scan,
)
from segvec3d_core.simulate.edition import has_first_shapes
from segvec3d_core.simulate.sensor import SHARES, WEAK, _loss
from segvec3d_core.testsets.sequences import SEQUENCES, frames
from segvec3d_core.train import samples
from segvec3d_core.train.samples import _size

FIXED: dict[tuple[Layout, Sensor], tuple[int, float, float, float]] = {
    ("table", "ideal"): (1369, 1098.6, 546.8, 1930.7),
    ("table", "kinect"): (1263, 1015.5, 507.2, 1709.5),
    ("table", "stereo"): (1345, 1077.0, 537.8, 1866.8),
    ("table", "generic"): (1247, 975.2, 485.4, 1731.1),
    ("room", "ideal"): (4800, 8839.3, 4406.0, 10843.7),
    ("room", "kinect"): (4657, 8583.4, 4282.3, 10314.1),
    ("room", "stereo"): (4796, 8832.5, 4403.4, 10832.5),
    ("room", "generic"): (4468, 7796.5, 3874.6, 9661.7),
    ("shelf", "ideal"): (4800, 13974.4, 6971.5, 6661.1),
    ("shelf", "kinect"): (4617, 13523.6, 6744.3, 6466.1),
    ("shelf", "stereo"): (4798, 13763.9, 6864.5, 6610.7),
    ("shelf", "generic"): (4645, 13318.9, 6630.3, 6452.1),
}
"""Of one small frame: pixels that returned anything, the sum of depth, that of depth and of instances with weights."""


@pytest.mark.parametrize(("layout", "sensor"), FIXED)
def test_a_frame_of_the_first_edition_is_what_it_was(layout: Layout, sensor: Sensor) -> None:
    with first_edition():
        frame = simulate_frame(np.random.default_rng(3), layout, 80, 60, sensor)
    depth = np.nan_to_num(frame.depth).astype(np.float64)
    weight = np.random.default_rng(0).random(depth.shape)
    made = (depth > 0).sum(), depth.sum(), (depth * weight).sum(), ((frame.instance + 1) * weight).sum()
    # The last bit of a sine differs between processors: a pixel or two may change.
    np.testing.assert_allclose(made, FIXED[layout, sensor], rtol=0.002)


SCAN = (18958, 29665.16, 35836)
"""Of a small scan: how many points, the sums of their distances from the origin and of labels."""


def test_a_scan_of_the_first_edition_is_what_it_was() -> None:
    with first_edition():
        cloud, labels, _ = simulate_scan(np.random.default_rng(11), views=3, width=96, height=72)
    drawn = float(len(cloud)), float(np.linalg.norm(cloud.points, axis=1).sum()), float(labels.sum())
    assert drawn == pytest.approx(SCAN, rel=2e-3)


def test_a_sequence_is_made_within_the_first_edition_and_leaves_its_reader_out_of_it() -> None:
    next(frames(SEQUENCES[0]))
    assert not is_first_edition()
    with first_edition():
        assert is_first_edition()
    assert not is_first_edition()


def test_every_sensor_is_drawn_today_and_time_of_flight_never_in_the_first_edition() -> None:
    assert sum(SHARES.values()) == pytest.approx(1)
    rng = np.random.default_rng(0)
    scene = sample_scene(rng, "table", 2)
    view, camera = sample_view(rng, scene), sample_camera(rng, 32, 24)
    drawn = Counter(render(rng, scene, view, camera).sensor for _ in range(60))
    assert set(drawn) == set(SENSORS)
    with first_edition():
        assert "tof" not in {render(rng, scene, view, camera).sensor for _ in range(60)}


def test_lenses_are_wider_than_those_of_the_first_edition() -> None:
    def widest() -> float:
        return min(sample_camera(np.random.default_rng(seed), 640, 480).fx for seed in range(200)) / 640

    assert 0.5 <= widest() < 0.55
    with first_edition():
        assert 0.75 <= widest() < 0.8


def test_every_third_training_frame_is_sixteen_by_nine_and_none_in_the_first_edition() -> None:
    def wide() -> float:
        rng = np.random.default_rng(0)
        return float(np.mean([width * 9 // 16 == height for width, height in (_size(rng) for _ in range(300))]))

    assert 0.25 < wide() < 0.42
    with first_edition():
        assert wide() == 0


def test_some_small_things_that_return_little_return_nothing_in_any_view() -> None:
    rng = np.random.default_rng(0)
    scene = sample_scene(rng, "table", 12)
    scene.materials[:, 9] = 0
    scene.materials[:, 10] = WEAK + 0.1
    scene.materials[:, 8] = np.arange(len(scene.materials))
    face = np.arange(len(scene.faces), dtype=np.int32)[None]
    views = [_loss(rng, scene, face, np.full(face.shape, c, np.float32)) for c in (0.2, 1.0)]
    assert np.array_equal(views[0], views[1])
    of_thing = np.array([e.size.max() <= 0.6 for e in scene.entities])[scene.face_entity]
    gone = views[0][0] > 1
    assert np.array_equal(gone, of_thing & (scene.face_material % 3 == 0))
    assert 0 < gone.sum() < len(gone)
    with first_edition():
        assert _loss(rng, scene, face, np.ones(face.shape, np.float32)).max() < 1


def test_what_shines_is_lost_where_it_is_faced_squarely() -> None:
    rng = np.random.default_rng(0)
    scene = sample_scene(rng, "table", 2)
    scene.materials[:, 9], scene.materials[:, 10] = 0.8, 0.15
    face, cosine = np.zeros((1, 2), np.int32), np.array([[1.0, 0.7]], np.float32)
    squarely, aside = np.mean([_loss(rng, scene, face, cosine)[0] for _ in range(100)], axis=0)
    assert squarely > aside + 0.2
    assert aside < 0.15


def test_without_its_shapes_the_first_edition_sets_todays_things_down() -> None:
    with first_edition(shapes=False):
        assert is_first_edition()
        assert families() == FAMILIES
    with first_edition():
        assert families() == FIRST_EDITION


def test_every_other_training_scene_is_of_the_first_edition(monkeypatch: pytest.MonkeyPatch) -> None:
    def edition(_: np.random.Generator) -> tuple[bool, bool]:
        return is_first_edition(), has_first_shapes()

    for drawn, simulate in (("_drawn", samples.simulate_sample), ("_pair", samples.simulate_pair)):
        monkeypatch.setattr(samples, drawn, edition)
        assert [simulate(0, k) for k in range(4)] == [(False, False), (True, False)] * 2
