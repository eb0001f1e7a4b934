"""Instances are as large as the things, whatever a depth camera sees at their edges."""

import numpy as np
import pytest
import torch

from segvec3d_core.config import SegmentationConfig
from segvec3d_core.instances import Segment, alignment_input, describe_segments
from segvec3d_core.types import Box
from segvec3d_core.voxels import VoxelGrid, voxelize

UP = np.array([0, 0, 1], np.float32)
EVERYTHING = SegmentationConfig(min_points=1, min_score=0)


def cube(n: int = 4_000) -> np.ndarray:
    """(n, 3) points on the faces of a cube with edges of 10 cm."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.05, 0.05, (n, 3)).astype(np.float32)
    points[np.arange(n), rng.integers(3, size=n)] = rng.choice([-0.05, 0.05], n)
    return points


def whole(points: np.ndarray, kind: str = "object") -> tuple[Segment, VoxelGrid]:
    """All points as one segment."""
    grid = voxelize(points, 0.01)
    return Segment(kind, np.arange(len(grid)), 1.0, np.zeros(4), len(points)), grid  # type: ignore[arg-type]


def box_of(points: np.ndarray, kind: str = "object") -> Box:
    segment, grid = whole(points, kind)
    (described,) = describe_segments([segment], grid, np.tile(UP, (len(grid), 1)), UP, EVERYTHING)
    assert described.box is not None
    return described.box


def test_flying_pixels_do_not_stretch_the_box():
    behind = np.linspace([0, 0.06, 0.05], [0, 0.6, 0.05], 40).astype(np.float32)
    clean, seen = box_of(cube()), box_of(np.concatenate([cube(), behind]))
    assert seen.size == pytest.approx(clean.size, abs=0.012)
    assert seen.center == pytest.approx(clean.center, abs=0.01)


def test_what_is_thin_but_well_seen_belongs_to_the_thing():
    handle = np.linspace([0, 0.05, 0], [0, 0.15, 0], 600).astype(np.float32)
    assert box_of(np.concatenate([cube(), handle])).size.max() > 0.19


def test_a_surface_and_a_sparse_cloud_keep_all_their_voxels():
    sparse = np.linspace([0, 0, 0], [1, 0, 0], 40).astype(np.float32)
    assert box_of(sparse).size.max() > 0.98
    tail = np.linspace([0, 0.06, 0.05], [0, 0.6, 0.05], 40).astype(np.float32)
    assert box_of(np.concatenate([cube(), tail]), "surface").size.max() > 0.6


def test_the_alignment_reads_no_flying_pixels():
    behind = np.linspace([0, 0.06, 0.05], [0, 0.6, 0.05], 40).astype(np.float32)
    segment, grid = whole(np.concatenate([cube(), behind]))
    normals = np.tile(UP, (len(grid), 1))
    described = describe_segments([segment], grid, normals, UP, EVERYTHING)
    x = alignment_input(described, torch.zeros(len(grid), 4), grid, normals, UP)
    assert x.geometry[:, :3].abs().max() < 1.5
