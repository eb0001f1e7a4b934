"""The compiled loops of the object map do what plain ones do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from segvec3d_core.object_map import fusing, looking
from segvec3d_core.object_map.alignment import rotation

SIZE = 0.01


def cloud(rng, count, reach=0.05):
    return rng.uniform(-reach, reach, (count, 3)).astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_point_is_covered_by_the_entries_that_have_its_wide_voxel(seed):
    rng = np.random.default_rng(seed)
    points, owner = cloud(rng, 200), rng.integers(0, 3, 200).astype(np.int32)
    sizes = np.array([SIZE, 2 * SIZE, SIZE])
    parts = [np.unique(fusing.cells(cloud(rng, n), edge)) for n, edge in zip((80, 40, 5), sizes, strict=True)]
    starts = np.cumsum([0, *map(len, parts)])
    covered, hit, first, second = fusing.cover(points, owner, 3, np.concatenate(parts), starts, sizes)
    wide = [fusing.cells(points, 2 * edge).tolist() for edge in sizes]
    held = [fusing.coarser(part).tolist() for part in parts]
    inside = np.array([[name in set(held[e]) for name in wide[e]] for e in range(3)])
    for e in range(3):
        assert covered[e].tolist() == [int(inside[e, owner == k].sum()) for k in range(3)]
        assert hit[e].sum() == sum(name in set(wide[e]) for name in held[e])
    # Entries of fine voxels come first.
    order = [[*(e for e in (0, 2, 1) if column[e]), -1, -1] for column in inside.T]
    assert first.tolist() == [o[0] for o in order]
    assert second.tolist() == [o[1] for o in order]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_what_is_looked_through_or_seen_as_another_is_worn_and_points_in_another_are_not_pure(seed):
    rng = np.random.default_rng(seed)
    bounds, rows = np.array([0, 30, 50]), rng.permutation(80)[:50]
    seen = rng.integers(looking.OUTSIDE, 3, 50).astype(np.int32)
    stride = np.array([1.0, 2.0], np.float32)
    home, confirmed = np.array([0, 1, -1, -1]), np.array([True, rng.random() < 0.5, False])
    worn = looking.wear(seen, rows, bounds, stride, home, confirmed, 80)
    expected = np.zeros(80)
    for i, row in enumerate(rows):
        e, other = int(i >= 30), home[seen[i]] if seen[i] >= 0 else -1
        expected[row] = stride[e] * (1.0 if seen[i] == looking.THROUGH else 0.5 * (confirmed[other] and other != e))
    assert np.array_equal(worn, expected)
    first, second = (rng.integers(-1, 2, 40).astype(np.int32) for _ in range(2))
    owner = rng.integers(0, 3, 40).astype(np.int32)
    mine = home[owner]
    own = (mine >= 0) & ((first == mine) | (second == mine))
    pure = looking.pure(first, second, owner, home, confirmed)
    assert np.array_equal(pure, own | ~(confirmed[first] | confirmed[second]))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_many_entries_absorb_what_each_would_by_itself(seed):
    rng = np.random.default_rng(seed)
    names, xyz, weights, shades = empty()
    old = [
        fusing.fuse(names, xyz, weights, shades, fusing.cells(x, SIZE), x, paint(rng, len(x)), 6.0)
        for x in (cloud(rng, 60), cloud(rng, 60))
    ]
    stack = [np.concatenate(parts) for parts in zip(*old, strict=True)]
    starts = np.cumsum([0, *(len(part[0]) for part in old)])
    wear = rng.choice([0.0, 0.5, np.inf], starts[-1]).astype(np.float32)
    points, colors, bounds = cloud(rng, 90), paint(rng, 90), np.array([0, 50, 90])
    taken = rng.random(90) < 0.5
    taken[50:] = False  # none of the second instance: all of it is taken
    pairs = np.array([[1, 0], [0, 1]])
    *found, ends, corners = fusing.absorb(
        stack[0], stack[1], stack[2], stack[3], starts, wear, np.full(2, SIZE), pairs,
        points, colors, bounds, taken, 6.0
    )  # fmt: skip
    for f, (e, mine) in enumerate([(1, np.flatnonzero(taken)), (0, np.arange(50, 90))]):
        names, xyz, weights, shades = old[e]
        worn = weights - wear[starts[e] : starts[e + 1]]
        x, c = points[mine], colors[mine]
        expected = fusing.fuse(names, xyz, worn, shades, fusing.cells(x, SIZE), x, c, 6.0)
        for a, b in zip(found, expected, strict=True):
            assert np.array_equal(a[ends[f] : ends[f + 1]], b)
        assert corners[f] == pytest.approx(np.stack([expected[1].min(0), expected[1].max(0)]))
        assert set(expected[0]) == set(names[worn > 0]) | set(fusing.cells(x, SIZE))


def empty():
    return np.empty(0, np.int64), np.empty((0, 3), np.float32), np.empty(0, np.float32), np.empty((0, 3), np.uint8)


def paint(rng, count):
    return rng.integers(0, 255, (count, 3)).astype(np.uint8)


def test_every_voxel_has_its_turn():
    starts = np.array([0, 7, 7, 1000])
    seen = [looking.spread(starts, 100, turn) for turn in range(9)]
    assert set(np.concatenate([rows for rows, _, _ in seen])) == set(range(1000))
    for rows, begins, stride in seen:
        assert (np.diff(begins)[:2] == [7, 0]).all()
        assert np.diff(begins)[2] == pytest.approx(993 / stride[2], abs=1)
        assert len(rows) < 130


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("limit", [120, 251])
@pytest.mark.parametrize("width", [1, 3, 7, 11, 40])
def test_points_are_picked_evenly_from_top_to_bottom(width, limit, every):
    labels = np.full((480, 640), -1, np.int32)
    labels[100:400, 50 : 50 + width], labels[10:20, 300:310] = 1, 0
    row, column = np.indices(labels.shape)
    points = np.stack([column, row, np.ones(labels.shape)], -1).reshape(-1, 3).astype(np.float32)
    points[150 * 640 + 50] = np.nan
    colors, T = np.nan_to_num(points % 200).astype(np.uint8), np.eye(4)
    T[:3, 3] = 0.5
    xyz, shades, starts = looking.pick(points, colors, labels.ravel(), T, 2, limit, every)
    mine = xyz[starts[1] :]
    assert (np.diff(starts) <= limit).all()
    assert len(mine) >= min(limit / 2, 300 * width / every) - 2
    assert np.isfinite(mine).all()
    assert mine[:, 1].min() < 110
    assert mine[:, 1].max() > 390
    halves = (mine[:, 1] < 250).mean()
    assert halves == pytest.approx(0.5, abs=0.05)
    assert np.array_equal(shades, ((xyz - 0.5) % 200).astype(np.uint8))
    assert not looking.pick(points, colors[:0], labels.ravel(), T, 2, limit, every)[1].any()


def test_what_has_no_colour_leaves_colours_as_they_are():
    red, blue, none = (200, 0, 0), (0, 0, 100), (0, 0, 0)
    old = [red, none, none, red, red, red]
    new = [(0, none), (1, blue), (2, none), (3, none), (3, blue), (4, blue), (5, none)]
    names, at = np.arange(6), np.array([name for name, _ in new])
    x, weights = np.zeros((6, 3), np.float32), np.array([1, 1, 1, 1, 1, -1], np.float32)
    *_, colors = fusing.fuse(
        names, x, weights, np.array(old, np.uint8), at, np.zeros((7, 3), np.float32),
        np.array([color for _, color in new], np.uint8), 6.0,
    )  # fmt: skip
    assert colors[:5].tolist() == [[200, 0, 0], [0, 0, 100], [0, 0, 0], [100, 0, 50], [100, 0, 50]]
    assert colors[5].tolist() == [0, 0, 0], "what was there is worn out"


def test_what_the_border_cuts_is_told_from_what_stands_free():
    points, labels = np.ones((20 * 30, 3), np.float32), np.full((20, 30), -1, np.int32)
    labels[5:15, 0:8], labels[5:15, 12:18], labels[12:20, 24:27] = 0, 1, 2
    points.reshape(20, 30, 3)[:, 0] = np.nan  # no return in the first column, as beside a depth camera's shadow
    assert looking.border(points, labels.ravel(), 30, 20, 3).tolist() == [10, 0, 3]


def test_rotation_vectors_are_those_of_everybody():
    for vector in np.random.default_rng(0).normal(size=(20, 3)) * np.logspace(-8, 0, 20)[:, None]:
        assert rotation(vector) == pytest.approx(Rotation.from_rotvec(vector).as_matrix(), abs=1e-7)
