"""Depth that a filter or a sensor mixed of a thing and of what lies behind it belongs to neither."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from segvec3d_core.config import SegmentationConfig
from segvec3d_core.kernels.ramps import LONGEST, REACH, STEEP, find_ramps, pixels_beside
from segvec3d_core.pipeline import SegVec3D
from segvec3d_core.types import Camera, PointCloud, from_body

CAMERA = Camera(160, 120, 150.0, 150.0, 79.5, 59.5)


def block_before_wall(sigma: float) -> np.ndarray:
    """(H, W) float32 depth of a block at 1.0 m before a wall at 1.6 m, blurred over ``sigma`` pixels."""
    depth = np.full((120, 160), 1.6, np.float32)
    depth[40:80, 50:110] = 1.0
    return gaussian_filter(depth, sigma) if sigma else depth


def ramps_of(cloud: PointCloud) -> np.ndarray:
    return np.asarray(find_ramps(cloud.points, 2, 160, 120, 150.0, 150.0)[0]).reshape(120, 160)


def test_a_blurred_edge_is_a_ramp_and_a_sharp_one_is_none():
    assert not ramps_of(PointCloud.from_depth(block_before_wall(0), CAMERA)).any()
    depth = block_before_wall(1.5)
    on = ramps_of(PointCloud.from_depth(depth, CAMERA))
    assert np.array_equal(on[60], (depth[60] > 1.05) & (depth[60] < 1.5))
    assert not on[(depth < 1.001) | (depth > 1.599)].any()


def test_a_floor_seen_at_a_grazing_angle_is_no_ramp():
    rows = np.arange(61, 120) - 59.5
    depth = np.full((120, 160), np.nan, np.float32)
    depth[61:] = (0.15 * 150 / rows)[:, None]  # from 15 cm above it, up to 15 m away
    assert not ramps_of(PointCloud.from_depth(depth, CAMERA)).any()


def plain_ramps(depth: np.ndarray, fx: float, fy: float) -> tuple[np.ndarray, int, int]:
    """Row by row and column by column, there and back: runs of steep steps."""
    on, ramps, sharp = np.zeros(depth.shape, bool), 0, 0
    for lines, marks, focal in ((depth, on, fx), (depth.T, on.T, fy)):
        for line, mark in zip(lines, marks, strict=True):
            for values, marked in ((line, mark), (line[::-1], mark[::-1])):
                seen = (values > 0) & np.isfinite(values)
                steep = seen[1:] & seen[:-1] & (values[1:] > np.float32(1 + STEEP / focal) * values[:-1])
                edges = np.flatnonzero(np.diff(np.concatenate([[0], steep, [0]])))
                for low, high in zip(edges[::2], edges[1::2], strict=True):
                    marked[low + 1 : high] |= high - low <= LONGEST
                    ramps += 1 < high - low <= LONGEST
                    sharp += high - low == 1 and 0 < low < len(seen) - 2 and seen[low - 1] and seen[low + 2]
    return on, ramps, sharp


def plain_beside(depth: np.ndarray, on: np.ndarray, left: np.ndarray) -> np.ndarray:
    height, width = depth.shape
    beside = np.arange(depth.size).reshape(depth.shape)
    for row, column in np.argwhere(on):
        others = [
            (step, abs(depth[r, c] - depth[row, column]), r * width + c)
            for step in range(1, REACH + 1)
            for r, c in ((row + step, column), (row - step, column), (row, column + step), (row, column - step))
            if 0 <= r < height and 0 <= c < width and left[r, c] and np.isfinite(depth[r, c])
        ]
        beside[row, column] = min(others)[2] if others else beside[row, column]
    return beside


@pytest.mark.parametrize("forward", [0, 2])
def test_ramps_and_whose_label_they_take_are_as_written_down(forward):
    rng = np.random.default_rng(3)
    depth = gaussian_filter(rng.uniform(0.5, 3.0, (40, 50)), 1.5).astype(np.float32) * 3
    depth[rng.random(depth.shape) < 0.1] = np.nan
    depth[20, 10:30] = np.inf
    depth[25, ::7] = 0
    depth[30] = np.linspace(1.0, 9.0, 50)
    points = rng.normal(size=(depth.size, 3)).astype(np.float32)
    points[:, forward] = depth.reshape(-1)
    on, ramps, edges = find_ramps(points, forward, 50, 40, 200.0, 150.0)
    with np.errstate(invalid="ignore"):
        expected, *counts = plain_ramps(depth, 200.0, 150.0)
    assert np.array_equal(on.reshape(depth.shape), expected)
    assert [ramps, edges] == counts
    assert min(counts) > 10
    assert 50 < on.sum() < depth.size / 2
    left = ~on & (rng.random(depth.size) < 0.3)
    beside = pixels_beside(points, forward, 50, 40, on, left)
    assert np.array_equal(beside.reshape(depth.shape), plain_beside(depth, expected, left.reshape(depth.shape)))


@pytest.mark.parametrize(
    ("line", "inside", "ramps", "edges"),
    [
        ([1, 1, 1.4, 2, 2], [2], 1, 0),
        ([2, 2, 1.4, 1, 1], [2], 1, 0),
        ([1, 1, 2, 2, 1, 1], [], 0, 2),
        ([1, 1, 1, 2, np.inf, np.inf], [], 0, 0),
        ([0, 0, 1, 2, 2, 2], [], 0, 0),
        ([np.nan, 1, 2, np.nan], [], 0, 0),
        ([1, 2, 2], [], 0, 0),
        ([-9, -6, -4, -2, -1], [], 0, 0),
    ],
)
def test_a_step_from_or_to_what_was_not_seen_tells_nothing(line, inside, ramps, edges):
    points = np.zeros((len(line), 3), np.float32)
    points[:, 2] = line
    for width, height in ((len(line), 1), (1, len(line))):
        on, *counts = find_ramps(points, 2, width, height, 50.0, 50.0)
        assert np.flatnonzero(on).tolist() == inside
        assert counts == [ramps, edges]


@pytest.fixture(scope="module")
def model() -> SegVec3D:
    return SegVec3D.load(device="cpu")


@pytest.fixture(scope="module")
def veiled() -> PointCloud:
    """A block before a wall, with the veil between them that blur leaves."""
    return PointCloud.from_depth(block_before_wall(1.5), CAMERA)


def test_what_is_between_two_surfaces_is_in_no_voxel_but_has_the_label_beside_it(model, veiled):
    embedded = model.embed(veiled)
    scene, beside = model.group(embedded), embedded.beside
    on = ramps_of(veiled).reshape(-1)
    assert on.sum() > 300
    assert (embedded.grid.inverse[on] == -1).all()
    assert np.array_equal(scene.labels[on], scene.labels[beside[on]])
    assert (scene.labels[on] >= 0).mean() > 0.9
    counts = np.bincount(scene.labels[scene.labels >= 0], minlength=len(scene))
    assert [item.point_count for item in scene.objects] == counts.tolist()


def low_board(rows: int) -> np.ndarray:
    """(H, W) depth of a board whose top a camera 6 cm above it sees in so many rows, nearly edge on, before a wall."""
    depth = np.full((120, 160), 2.5, np.float32)
    front = 0.06 * 150 / np.arange(1, 121)  # of a top that goes on for ever, by rows below the middle
    first = int(0.06 * 150 / 0.9)
    for down in range(first - rows, first):
        depth[60 + down, 40:120] = front[down - 1]
    depth[60 + first : 60 + first + 20, 40:120] = front[first - 2]
    return depth


def test_a_face_seen_edge_on_by_a_sharp_camera_is_left_as_it_is(model):
    cloud = PointCloud.from_depth(low_board(4), CAMERA)
    assert ramps_of(cloud).any(), "along its columns it is as steep as a ramp"
    assert model.embed(cloud).beside is None


def test_a_body_s_frame_has_the_ramps_of_the_optical_one(model, veiled):
    x, y, z = veiled.points.T
    body = PointCloud(np.stack([z, -x, -y], 1), viewpoint=np.zeros(3, np.float32), body_camera=CAMERA)
    assert np.array_equal(from_body(body.points), veiled.points)
    beside = model.embed(veiled).beside
    assert beside is not None
    assert np.array_equal(model.embed(body).beside, beside)


def test_out_of_range_stays_out_of_range(model, veiled):
    scene = model.segment(veiled, SegmentationConfig(max_range=1.2))
    far = np.linalg.norm(veiled.points, axis=1) > 1.2
    assert (scene.labels[far] == -1).all()
    assert (scene.labels[~far] >= 0).any()
