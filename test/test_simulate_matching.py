"""Matching over a window rounds, fattens and loses what it claims."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segvec3d_core.simulate import first_edition
from segvec3d_core.simulate.matching import SAME_SURFACE, fattened, filled_from_left, smoothed, without_thin

SHAPE = (40, 60)
OWN = np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE)


def wall(z: float = 1.5) -> NDArray[np.float32]:
    return np.full(SHAPE, z, np.float32)


def plain_mean(inverse: NDArray[np.float32], values: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """Along rows, as ``smoothed`` says it, one pixel at a time."""
    out = np.zeros_like(values)
    for i, j in np.ndindex(*values.shape):
        around = slice(max(0, j - radius), j + radius + 1)
        near = np.abs(inverse[i, around] - inverse[i, j]) <= SAME_SURFACE * inverse[i, j]
        out[i, j] = values[i, around][near].mean()
    return out


def test_smoothing_is_a_mean_along_rows_and_then_columns() -> None:
    rng = np.random.default_rng(0)
    depth = (wall() * rng.uniform(0.96, 1.04, SHAPE)).astype(np.float32)
    depth[rng.random(SHAPE) < 0.1] = 0
    inverse = np.divide(1, depth, out=np.zeros_like(depth), where=depth > 0)
    mean = plain_mean(inverse.T, plain_mean(inverse, inverse, 3).T, 3).T
    expected = np.divide(1, mean, out=np.zeros_like(depth), where=depth > 0)
    np.testing.assert_allclose(smoothed(depth, 3), expected, rtol=1e-5)


def test_smoothing_leaves_planes_and_jumps_and_rounds_creases() -> None:
    plane = (wall(1) / np.linspace(0.6, 0.9, SHAPE[1])).astype(np.float32)
    np.testing.assert_allclose(smoothed(plane, 4)[:, 4:-4], plane[:, 4:-4], rtol=1e-5)
    jump = wall()
    jump[:, 30:] = 1.0
    np.testing.assert_allclose(smoothed(jump, 4), jump, rtol=1e-6)
    ridge = (1 + 0.002 * np.abs(np.arange(SHAPE[1]) - 30.0)).astype(np.float32)[None].repeat(SHAPE[0], 0)
    assert smoothed(ridge, 4)[20, 30] > ridge[20, 30] + 0.003
    assert np.array_equal(smoothed(ridge, 0), ridge)


def test_near_things_grow_in_every_direction() -> None:
    depth = wall()
    depth[15:25, 20:40] = 1.0
    near = depth.ravel()[fattened(depth, OWN, 2)] == 1.0
    assert near[13:27, 18:42].all()
    assert near.sum() == 14 * 24


def test_near_things_grow_out_of_the_image_and_into_its_opposite_border_in_the_first_edition_alone() -> None:
    depth = wall()
    depth[:, -1] = 1.0
    assert np.array_equal(depth.ravel()[fattened(depth, OWN, 2)][0] == 1.0, np.arange(SHAPE[1]) >= SHAPE[1] - 3)
    with first_edition():
        assert (depth.ravel()[fattened(depth, OWN, 2)][:, :2] == 1.0).all()


def test_what_is_thin_reads_what_is_behind_it_and_what_is_not_stays() -> None:
    depth = wall()
    depth[:, 10:14] = 1.0
    depth[10:30, 30:50] = 1.0
    read = depth.ravel()[without_thin(depth, 2)]
    assert (read[:, :30] == 1.5).all()
    assert np.array_equal(read[:, 30:], depth[:, 30:])
    assert np.array_equal(without_thin(depth, 1), OWN)
    assert np.array_equal(without_thin(depth, 0), OWN)


def test_holes_are_filled_from_the_left_with_depth_and_pixel() -> None:
    depth = wall()
    depth[:, 20:24] = np.nan
    depth[:, 0] = np.nan
    depth[5, 19] = 1.0
    read, source = filled_from_left(depth, OWN, 3)
    assert (read[5, 20:23] == 1.0).all()
    assert (source[5, 20:23] == OWN[5, 19]).all()
    assert np.isnan(read[:, [0, 23]]).all()
    assert np.isfinite(np.delete(read, [0, 23], 1)).all()
