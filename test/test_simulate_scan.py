"""Simulated scans are fused as real ones are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from segvec3d_core.simulate import SENSORS, first_edition, simulate_scan
from segvec3d_core.simulate.fusing import FEWEST, FLAT, ROUND, flattened
from segvec3d_core.simulate.scan import Fusion

Floats = NDArray[np.float32]


def plain_flattened(
    points: Floats, labels: NDArray[np.int32], seen: Floats, owners: NDArray[np.int32], edge: float
) -> Floats:
    """``flattened`` point by point: a weighted plane through all that is seen within a cell."""
    cells = np.floor(seen / edge) + 0.5
    out = points.astype(np.float64)
    for i in range(len(out)):
        weight = np.prod(np.maximum(1 - np.abs(out[i] / edge - cells), 0), 1) * (owners == labels[i])
        if weight.sum() < FEWEST:
            continue
        mean = weight @ seen / weight.sum()
        values, vectors = np.linalg.eigh((seen - mean).T * weight @ (seen - mean) / weight.sum())
        way = np.clip((ROUND - values[0] / values[1]) / (ROUND - FLAT), 0, 1)
        out[i] += way * ((mean - out[i]) @ vectors[:, 0]) * vectors[:, 0]
    return out.astype(np.float32)


def sheets(rng: np.random.Generator, count: int = 4000) -> Floats:
    """A square metre seen from three places: sheets up to 8 mm apart."""
    height = rng.choice([-0.008, 0.0, 0.006], count) + rng.normal(0, 0.002, count)
    return np.column_stack([rng.uniform(0, 1, (count, 2)), 2 + height]).astype(np.float32)


def test_the_kernel_moves_points_as_the_plain_reference_does() -> None:
    rng = np.random.default_rng(0)
    seen = (rng.normal(0, 0.2, (3000, 3)) * [1, 1, 0.1]).astype(np.float32)
    owners = rng.integers(0, 3, 3000).astype(np.int32)
    points, labels = seen[:200], owners[:200]
    expected = plain_flattened(points, labels, seen, owners, 0.07)
    assert np.abs(expected - points).max() > 0.005
    np.testing.assert_allclose(flattened(points, labels, seen, owners, 0.07), expected, atol=1e-5)


def test_sheets_of_several_views_become_one_surface() -> None:
    seen = sheets(np.random.default_rng(1))
    owners = np.zeros(len(seen), np.int32)
    flat = flattened(seen, owners, seen, owners, 0.06)
    assert flat[:, 2].std() < 0.4 * seen[:, 2].std()
    assert np.abs(flat[:, :2] - seen[:, :2]).max() < 0.01


def test_surfaces_of_two_things_are_not_averaged_into_one() -> None:
    rng = np.random.default_rng(2)
    lower, upper = sheets(rng), sheets(rng) + np.array([0, 0, 0.03], np.float32)
    seen = np.concatenate([lower, upper])
    owners = np.repeat([0, 1], 4000).astype(np.int32)
    flat = flattened(seen, owners, seen, owners, 0.06)
    assert np.median(flat[4000:, 2]) - np.median(flat[:4000, 2]) == pytest.approx(0.03, abs=0.002)


def test_a_thin_leg_stays_round() -> None:
    turn = np.linspace(0, 40 * np.pi, 2000)
    leg = np.column_stack([0.015 * np.cos(turn), 0.015 * np.sin(turn), np.linspace(0, 0.4, 2000)]).astype(np.float32)
    owners = np.zeros(2000, np.int32)
    radius = np.linalg.norm(flattened(leg, owners, leg, owners, 0.05)[:, :2], axis=1)
    assert np.median(radius) > 0.013


def test_a_scan_is_the_same_for_the_same_seed_and_fine_where_its_voxels_are() -> None:
    one, two = (simulate_scan(np.random.default_rng(3), views=5, width=120) for _ in range(2))
    assert np.array_equal(one[0].points, two[0].points)
    assert np.array_equal(one[1], two[1])
    coarse, _, _ = simulate_scan(np.random.default_rng(3), views=5, width=120, voxel=0.05)
    assert len(np.unique(np.floor(coarse.points / 0.05), axis=0)) == len(coarse) < len(one[0]) / 2


def test_maps_differ_in_sensor_voxels_and_fusion_as_little_as_one_in_the_first_edition() -> None:
    drawn = [Fusion.draw(np.random.default_rng(seed), None) for seed in range(60)]
    assert {f.sensor for f in drawn} == set(SENSORS) - {"ideal"}
    assert all(0.006 <= f.voxel <= 0.018 for f in drawn)
    assert np.ptp([f.voxel for f in drawn]) > 0.01
    assert 0.6 < np.mean([f.edge > 0 for f in drawn]) < 0.95
    with first_edition():
        fixed = [Fusion.draw(np.random.default_rng(seed), None) for seed in range(60)]
    assert {f.sensor for f in fixed} == {"kinect", "stereo", "generic"}
    assert {(f.voxel, f.turn, f.shift, f.aligned, f.walls, f.edge) for f in fixed} == {(0.015, 0.2, 0.004, 0, 0, 0)}


@pytest.mark.parametrize(
    ("asked", "message"),
    [({"views": 0}, "views: expected 1 or more, got 0"), ({"voxel": 0.0}, "voxel: expected an edge above 0 m, got 0.0"),
     ({"views": 1, "width": 0}, "expected a positive image size")],
)  # fmt: skip
def test_a_scan_of_nothing_is_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulate_scan(np.random.default_rng(0), **asked)


def test_a_scan_of_one_pixel_is_a_scan() -> None:
    cloud, labels, _ = simulate_scan(np.random.default_rng(0), views=1, width=1)
    assert len(cloud) == len(labels) <= 1
