"""What tests of the grouping share: simulated scenes in superpoints, and such as are written down."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from segvec3d_core.config import NetworkConfig
from segvec3d_core.grouping import Judged
from segvec3d_core.pipeline import SegVec3D
from segvec3d_core.superpoints import Cloud, EmbeddedVoxels, Superpoints, find_superpoints
from segvec3d_core.train.examples import majority
from segvec3d_core.train.grouping import JudgedScene, judged_scene
from segvec3d_core.train.samples import Sample, simulate_sample
from segvec3d_core.voxels import Fovea, VoxelGrid, voxelize

SMALL = NetworkConfig(channels=(16, 16), layers=(1, 1), features=32)


def seen(index: int, most: int = 6_000) -> tuple[Sample, VoxelGrid, EmbeddedVoxels, NDArray[np.int64]]:
    """A simulated scene as a random network sees it, but for bonds, which are true; and the truth of its voxels."""
    sample = simulate_sample(21, index)
    fovea = None if sample.viewpoint is None else Fovea(sample.viewpoint, 1.5)
    grid = voxelize(sample.points, 0.01, sample.colors, max_voxels=most, fovea=fovea)
    voxels = SegVec3D.untrained(0, SMALL, "cpu").embed_voxels(grid, sample.viewpoint, None)
    truth = majority(grid.inverse, sample.instance, len(grid), len(sample.is_surface))
    bonds = np.where(truth[voxels.neighbors] == truth[:, None], 4, -4).astype(np.float32)
    return sample, grid, replace(voxels, bonds=bonds), truth


@functools.cache
def a_scene() -> tuple[Sample, VoxelGrid, EmbeddedVoxels, NDArray[np.int64], Superpoints]:
    """The first of them, and its superpoints."""
    sample, grid, voxels, truth = seen(0)
    return sample, grid, voxels, truth, find_superpoints(voxels, grid, sample.viewpoint, None)


@functools.cache
def four_lessons() -> list[JudgedScene]:
    """What four of them teach."""
    rows = []
    for index in range(4):
        sample, grid, voxels, truth = seen(index)
        superpoints = find_superpoints(voxels, grid, sample.viewpoint, None)
        rows.append(judged_scene(sample, superpoints, truth, np.random.default_rng(index)))
    return rows


def made(sizes: list[int], pairs: list[tuple[int, int]]) -> Superpoints:
    """Superpoints one after the other, of so many voxels each; the last voxel belongs to none."""
    of_voxel = np.append(np.repeat(np.arange(len(sizes)), sizes), -1)
    count = len(sizes)
    places = np.zeros((count, 3), np.float32)
    cloud = Cloud(
        np.zeros((len(of_voxel), 3), np.float32), np.ones(len(of_voxel), np.int32), places, places,
        np.zeros(count, np.float32), True, True,
    )  # fmt: skip
    return Superpoints(
        of_voxel, np.array(sizes), np.zeros((count, 1), np.float32), np.array(pairs).reshape(-1, 2),
        np.zeros((len(pairs), 1), np.float32), cloud,
    )  # fmt: skip


def judged(superpoints: Superpoints, same: list[float], on_surface: list[float]) -> Judged:
    """What a network might say that takes a group for what its superpoints are, the larger ones counting more."""
    votes, sizes = np.array(on_surface, np.float64), superpoints.sizes

    def kinds(group: NDArray[np.int64]) -> NDArray[np.float32]:
        return (np.bincount(group, votes * sizes) / np.bincount(group, sizes)).astype(np.float32)

    return Judged(np.array(same, np.float32), kinds)
