"""The noise models do to depth what they claim."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from segvec3d_core.simulate import SENSORS
from segvec3d_core.simulate.noise import (
    MODELS,
    Seen,
    _beams,
    _filled_corners,
    _warp,
    ellipses,
    generic,
    ideal,
    kinect,
    lidar,
    smooth_noise,
    stereo,
    tof,
)
from segvec3d_core.types import Camera

SHAPE = (240, 320)
CAMERA = Camera(320, 240, 262.5, 262.5, 159.5, 119.5)


def view(depth: NDArray[np.float32], loss: float = 0.0) -> Seen:
    """A view that looks at everything squarely."""
    one, lost = (np.full(depth.shape, v, np.float32) for v in (1.0, loss))
    checks = np.indices(depth.shape).sum(0)[..., None].repeat(3, 2) % 2 * 255
    return Seen(depth.astype(np.float32), one, lost, checks.astype(np.uint8), CAMERA)


def flat(z: float) -> NDArray[np.float32]:
    return np.full(SHAPE, z, np.float32)


def step() -> NDArray[np.float32]:
    """A wall at 1.5 m with a box at 0.8 m in front of it, columns 120 to 199."""
    depth = flat(1.5)
    depth[60:180, 120:200] = 0.8
    return depth


@pytest.mark.parametrize("sensor", SENSORS)
def test_every_model_says_which_pixel_each_depth_was_read_from(sensor: str) -> None:
    seen = view(step())
    read, source = MODELS[sensor](np.random.default_rng(0), seen)
    assert read.shape == source.shape == SHAPE
    valid = np.isfinite(read)
    assert 0.5 < valid.mean() <= 1
    error = np.abs(read[valid] - seen.depth.ravel()[source[valid]])
    assert np.percentile(error, 95) < 0.04


@pytest.mark.parametrize("sensor", [*SENSORS, "lidar"])
def test_nothing_is_read_where_nothing_is(sensor: str) -> None:
    read, _ = MODELS[sensor](np.random.default_rng(0), view(np.zeros(SHAPE, np.float32)))
    assert not np.isfinite(read).any()


def test_the_ideal_sensor_reads_the_truth() -> None:
    read, source = ideal(np.random.default_rng(0), view(step()))
    assert np.array_equal(read, step())
    assert np.array_equal(source.ravel(), np.arange(SHAPE[0] * SHAPE[1]))


def test_kinect_depth_comes_in_steps_that_grow_with_the_square_of_distance() -> None:
    def spacing(z: float) -> float:
        # The slow drift of scale is of one value per corner: neighbours share it nearly.
        ramp = np.linspace(z, z * 1.02, SHAPE[1], dtype=np.float32)[None].repeat(SHAPE[0], 0)
        read, _ = kinect(np.random.default_rng(0), view(ramp))
        gaps = np.diff(read, axis=1)
        return float(np.nanmedian(np.abs(gaps[np.abs(gaps) > 0.0007 * z * z])))

    assert spacing(2.0) / spacing(1.0) == pytest.approx(4, rel=0.35)
    assert spacing(1.0) == pytest.approx(1 / (8 * 580 * 0.075), rel=0.4)


def test_kinect_casts_a_shadow_beside_near_things() -> None:
    beside = []
    for seed in range(6):
        read, _ = kinect(np.random.default_rng(seed), view(step()))
        left, right = (~np.isfinite(read[80:160, c]) for c in (slice(108, 117), slice(203, 212)))
        beside.append(max(left.mean(), right.mean()))
        assert np.isfinite(read[80:160, 20:60]).mean() > 0.95
    assert min(beside) > 0.5


def test_stereo_error_grows_with_the_square_of_distance() -> None:
    def spread(z: float) -> float:
        reads = [stereo(np.random.default_rng(s), view(flat(z)))[0] for s in range(5)]
        # Without the slow warp, whose share of the distance is the same everywhere.
        return float(np.mean([np.nanstd(r[:, 20:] + r[:, :-20] - 2 * r[:, 10:-10]) for r in reads]))

    assert spread(3.0) / spread(1.0) == pytest.approx(9, rel=0.3)


def test_generic_noise_scales_perturbs_and_drops() -> None:
    read, _ = generic(np.random.default_rng(1), view(flat(1.0)))
    assert 0.85 < np.isfinite(read).mean() < 1
    assert 0 < np.nanstd(read) < 0.01


def wall_by_lidar(seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64], Camera]:
    """What a LiDAR reads of a wall at 2 m, as pixels of a camera that sees 62 degrees."""
    camera = Camera(960, 720, 800.0, 800.0, 479.5, 359.5)
    there = view(np.full((720, 960), 2.0, np.float32))
    return *lidar(np.random.default_rng(seed), replace(there, camera=camera)), camera


def test_a_lidar_reads_single_beams() -> None:
    read, source, _ = wall_by_lidar(3)
    valid = np.isfinite(read)
    assert 0.05 < valid.mean() < 0.4
    assert np.nanmean(read) == pytest.approx(2.0, abs=0.005)
    assert 0.002 < np.nanstd(read) < 0.03
    assert np.abs(np.array(np.unravel_index(source, read.shape)) - np.indices(read.shape)).max() < 12


@pytest.mark.parametrize("seed", range(5))
def test_the_beams_of_a_lidar_are_in_rows_at_equal_angles(seed: int) -> None:
    camera = wall_by_lidar(0)[2]
    beams = _beams(np.random.default_rng(seed), camera)
    rows, columns = np.nonzero(beams >= 0)
    of_row = beams[rows, columns]
    elevation = np.arctan((rows - camera.cy) / camera.fy * np.cos(np.arctan((columns - camera.cx) / camera.fx)))
    middle = np.bincount(of_row, elevation) / np.bincount(of_row)
    pixel = 1 / camera.fy
    assert np.abs(elevation - middle[of_row]).max() < pixel
    assert np.ptp(np.diff(middle)) < pixel
    assert np.deg2rad(0.15) - pixel < np.diff(middle).mean() < np.deg2rad(0.7) + pixel


def test_a_row_of_a_lidar_is_off_as_a_whole() -> None:
    spreads = []
    for seed in range(6):
        means = np.array([np.nanmean(row) for row in wall_by_lidar(seed)[0][340:380] if np.isfinite(row).sum() > 100])
        spreads.append(means.std())
    assert np.median(spreads) > 0.0015, "the mean of a hundred beams is off by a tenth of their error"


def test_materials_that_return_little_leave_holes() -> None:
    for model in (kinect, stereo, generic, tof):
        holes = [
            np.mean(~np.isfinite(model(np.random.default_rng(3), view(flat(1.0), loss))[0])) for loss in (0.0, 0.9)
        ]
        assert holes[1] > holes[0] + 0.2


def test_stereo_leaves_holes_on_what_has_no_texture() -> None:
    plain = np.full((*SHAPE, 3), 128, np.uint8)
    holes = []
    for color in (view(flat(1.0)).color, plain):
        seen = replace(view(flat(1.0)), color=color)
        holes.append(np.mean([~np.isfinite(stereo(np.random.default_rng(s), seen)[0]) for s in range(8)]))
    assert holes[1] > holes[0] + 0.02


def test_time_of_flight_is_noisier_where_little_comes_back_and_ends_where_too_little_does() -> None:
    bright = view(flat(1.2))
    dark = replace(bright, color=np.full_like(bright.color, 8), cosine=np.full(SHAPE, 0.4, np.float32))
    spreads, holes = [], []
    for seen in (bright, dark, replace(dark, depth=flat(3.5))):
        reads = [tof(np.random.default_rng(s), seen)[0] for s in range(8)]
        spreads.append(np.nanmean([np.nanstd(np.diff(read, axis=1)) for read in reads]))
        holes.append(np.mean([~np.isfinite(read) for read in reads]))
    assert spreads[1] > 1.3 * spreads[0]
    assert holes[0] < 0.05
    assert holes[2] > holes[1] + 0.2


def test_time_of_flight_reads_points_between_the_two_sides_of_an_edge() -> None:
    counts = []
    for model in (tof, kinect):
        reads = [model(np.random.default_rng(s), view(step()))[0][60:180] for s in range(6)]
        counts.append(np.mean([((read > 0.85) & (read < 1.4)).sum(1) for read in reads]))
    assert 0.5 < counts[0] < 8
    assert counts[1] < 0.2


def test_time_of_flight_fills_concave_corners_by_some_millimetres_and_leaves_ridges() -> None:
    away = np.abs(np.arange(SHAPE[1]) - 160) / CAMERA.fx
    for depth, low, high in ((1 / (1 + away), 0.003, 0.0101), (1 / (1.3 - away), -0.001, 0.001)):
        seen = view(np.broadcast_to(depth, SHAPE).astype(np.float32))
        cut = [float((seen.depth - _filled_corners(seen, reach))[120, 160]) for reach in (0.006, 0.02)]
        assert low < cut[1] < high
        assert low / 3 <= cut[0] <= high / 3


def test_the_slow_warp_is_smooth_and_of_a_few_tenths_of_a_percent() -> None:
    for seed in range(20):
        error = _warp(np.random.default_rng(seed), SHAPE) - 1
        assert 0.0009 < np.sqrt(np.mean(error**2)) < 0.0061
        assert np.abs(error).max() < 0.04
        assert np.abs(np.diff(error, axis=1)).max() < 0.002


def test_slanted_planes_are_no_edges_and_lose_nothing_there() -> None:
    slope = (1 / np.linspace(0.4, 1.5, SHAPE[0], dtype=np.float32))[:, None].repeat(SHAPE[1], 1)
    read, _ = kinect(np.random.default_rng(0), view(slope.astype(np.float32)))
    assert np.isfinite(read).mean() > 0.97


def test_smooth_noise_has_unit_deviation_and_neighbours_alike() -> None:
    noise = smooth_noise(np.random.default_rng(0), SHAPE, 8.0)
    assert noise.std() == pytest.approx(1, abs=0.2)
    assert np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1] > 0.9


def test_elliptical_holes_lie_in_the_image() -> None:
    mask = ellipses(np.random.default_rng(0), SHAPE, 20)
    assert mask.shape == SHAPE
    assert 0 < mask.mean() < 0.2
    assert not ellipses(np.random.default_rng(0), SHAPE, 0).any()
