"""Training examples: samples, augmented, voxelised and with the labels that the supervision provides."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..config import BASE_VOXEL, NetworkConfig, SegmentationConfig
from ..hierarchy import Hierarchy, build_hierarchy, canonical_rotation
from ..network import VOTE_SCALE
from ..voxels import Fovea, VoxelGrid, voxelize
from .samples import Sample
from .weak import Supervision, across_frames, weaken

EXAMPLE_VOXELS = 12_000
"""Default limit on the voxels of an example."""


@dataclass(frozen=True, slots=True)
class Example:
    """A sample as input of network and losses.

    Attributes:
        hierarchy: input of the network.
        labels: (V,) int64 instance of each voxel, -1 where the supervision provides no label.
        truth: (V,) int64 true instance, for measuring.
        is_surface: (V,) bool, whether the voxel lies on a surface, by the supervision's labels.
        centres: (V, 3) float32 target centre votes in embedding units: true centres under full supervision, else those
            of ``seen_centres``; has_centre: (V,) bool, whether the voxel has a target.
        grid: the voxels; instance: (N,) int64 true instance of each point.
    """

    hierarchy: Hierarchy[Tensor]
    labels: Tensor
    truth: Tensor
    is_surface: Tensor
    centres: Tensor
    has_centre: Tensor
    grid: VoxelGrid
    instance: NDArray[np.int64]

    @property
    def colors(self) -> Tensor | None:
        """(V, 3) float32 mean RGB of the voxels, 0 to 1; None if the cloud has no colours."""
        return None if self.grid.colors is None else torch.from_numpy(self.grid.colors)


def seen_centres(
    hierarchy: Hierarchy[Tensor], labels: NDArray[np.int64], is_surface: NDArray[np.bool_]
) -> tuple[Tensor, Tensor]:
    """Centroids of each instance's labelled voxels, as targets of the centre votes if the true centres are unknown
    -> (V, 3) votes in embedding units, and (V,) bool, whether the voxel lies on a labelled object."""
    position = hierarchy.levels[0].position.numpy()
    known = labels >= 0
    count = np.bincount(labels[known], minlength=1)
    total = np.stack([np.bincount(labels[known], weights=column) for column in position[known].T], 1)
    centres = total / np.maximum(count, 1)[:, None] * VOTE_SCALE if len(total) else np.zeros((1, 3))
    votes = centres[np.maximum(labels, 0)].astype(np.float32)
    return torch.from_numpy(votes), torch.from_numpy(known & ~is_surface)


def majority(inverse: NDArray[np.int64], instance: NDArray[np.int64], voxels: int, entities: int) -> NDArray[np.int64]:
    """Most frequent instance among the points of each voxel -> (V,) int64; -1 counts as an instance of its own."""
    rows = inverse >= 0
    key = inverse[rows] * (entities + 1) + instance[rows] + 1
    counts = np.bincount(key, minlength=voxels * (entities + 1)).reshape(voxels, entities + 1)
    return counts.argmax(1) - 1


def turn_about_z(angle: float, mirror: bool) -> NDArray[np.float32]:
    """(3, 3) rotation about z, after a reflection of x if asked."""
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)
    return turn @ np.diag([-1, 1, 1]).astype(np.float32) if mirror else turn


def crop(sample: Sample, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(N,) bool, points in a ball of 0.35 to 1.5 m radius around a random object, as a robot's workspace may be
    cropped; the smaller extent also keeps voxels small. All points if the ball holds no more than 500."""
    objects = np.flatnonzero(~sample.is_surface)
    if len(objects) == 0:
        return np.ones(len(sample.points), bool)
    seen = sample.points[sample.instance == rng.choice(objects)]
    centre = seen.mean(0) if len(seen) else sample.points.mean(0)
    inside = np.linalg.norm(sample.points - centre, axis=1) < np.exp(rng.uniform(np.log(0.35), np.log(1.5)))
    return np.asarray(inside if inside.sum() > 500 else np.ones(len(inside), bool))


def cropped(sample: Sample, inside: NDArray[np.bool_]) -> Sample:
    """A sample reduced to the points ``inside``, (N,) bool; a table that loses over a fifth of its points is relabelled
    as a surface, since little more than its top remains."""
    from ..simulate.sensor import TABLES

    known, entities = sample.instance >= 0, len(sample.is_surface)
    before = np.bincount(sample.instance[known], minlength=entities)
    after = np.bincount(sample.instance[known & inside], minlength=entities)
    is_table = np.array([info is not None and info["category"] in TABLES for info in sample.infos], bool)
    is_surface = sample.is_surface | (is_table & (after < 0.8 * before))
    return replace(
        sample, points=sample.points[inside], colors=None if sample.colors is None else sample.colors[inside],
        instance=sample.instance[inside], is_surface=is_surface,
    )  # fmt: skip


def prepare(
    sample: Sample,
    rng: np.random.Generator,
    config: NetworkConfig,
    supervision: Supervision | None = None,
    augment: bool = True,
    max_voxels: int = EXAMPLE_VOXELS,
) -> Example:
    """Turn a sample into an example: voxelise and, for training, augment voxel size and limit, fovea, rotation about z,
    mirroring, scale, known or unknown up and viewpoint, and workspace.

    Scans are voxelised like frames, not with the larger voxels of ``voxels_of``: the augmented size varies around the
    frames' size, and figures and constants of earlier runs were obtained with it.
    """
    base, reach, turn = BASE_VOXEL, SegmentationConfig().fovea, None
    if augment:
        sample = augmented(sample, rng)
        base = float(np.exp(rng.uniform(np.log(0.008), np.log(0.014))))
        reach = float(np.exp(rng.uniform(np.log(1.0), np.log(2.2))))
        max_voxels = int(rng.uniform(0.5, 1.0) * max_voxels)
        turn = turn_about_z(rng.uniform(0, 2 * np.pi), bool(rng.random() < 0.5))
    elif sample.viewpoint is not None:
        sample = replace(sample, up=None)
    viewpoint, up = sample.viewpoint, sample.up
    fovea = None if viewpoint is None else Fovea(viewpoint, reach)
    grid = voxelize(sample.points, base, sample.colors, max_voxels=max_voxels, fovea=fovea)
    hierarchy = build_hierarchy(grid, viewpoint, up, config, turn).tensors()

    told = grid.inverse
    if supervision is not None and supervision.kind == "listed":  # unlabelled points do not vote on a voxel's label
        told = np.where(sample.instance >= 0, told, -1)
    truth = majority(told, sample.instance, len(grid), len(sample.is_surface))
    known = np.maximum(truth, 0)
    labels, is_surface = truth, (truth >= 0) & sample.is_surface[known]
    if supervision is not None and sample.earlier is not None:
        labels = _carried(sample.earlier, grid, supervision, config, rng)
        is_surface = sample.is_surface[np.maximum(labels, 0)] & (labels >= 0)
    elif supervision is not None:
        labels, is_surface = weaken(supervision, truth, hierarchy, is_surface, grid.colors, rng)
    if supervision is None:
        votes = _true_centres(sample, grid, turn)[known]
        centres, has_centre = torch.from_numpy(votes), torch.from_numpy((labels >= 0) & ~is_surface)
    else:
        centres, has_centre = seen_centres(hierarchy, labels, is_surface)
    return Example(
        hierarchy,
        torch.from_numpy(labels),
        torch.from_numpy(truth),
        torch.from_numpy(is_surface),
        centres,
        has_centre,
        grid,
        sample.instance,
    )


def _true_centres(sample: Sample, grid: VoxelGrid, turn: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """(E, 3) true centres of all entities, in the network's frame and the units of its centre votes; ``turn`` is the
    (3, 3) rotation of the augmentation, or None."""
    seen_from = None if sample.viewpoint is None else (sample.viewpoint - grid.origin).astype(np.float32)
    rotation = canonical_rotation(grid.centroids, seen_from, sample.up)
    rotation = rotation if turn is None else turn @ rotation
    places = sample.centres if grid.fovea is None else grid.fovea.compress(sample.centres)
    return (places - grid.origin).astype(np.float32) @ rotation.T / np.float32(grid.size) * np.float32(VOTE_SCALE)


def augmented(sample: Sample, rng: np.random.Generator, crops: float = 0.45) -> Sample:
    """Augment a sample as if recorded by another robot: cropped, scaled, without viewpoint, without up or with a tilted
    up.

    Args:
        crops: probability that the sample is cropped.
    """
    if rng.random() < crops:
        sample = cropped(sample, crop(sample, rng))
    sample = _scaled(sample, np.float32(rng.uniform(0.85, 1.2)))
    viewpoint, up = sample.viewpoint, sample.up
    if viewpoint is not None and up is not None and rng.random() < 0.12:
        viewpoint = None  # as in an unorganised scan, for which up is always known
    if up is not None:
        tilt = up + rng.normal(0, 0.03, 3).astype(np.float32)
        told = viewpoint is None or rng.random() < 0.5
        up = (tilt / np.linalg.norm(tilt)).astype(np.float32) if told else None
    return replace(sample, viewpoint=viewpoint, up=up)


def _scaled(sample: Sample, scale: np.float32) -> Sample:
    """The sample with all lengths multiplied by ``scale``."""
    return replace(
        sample,
        points=sample.points * scale,
        centres=sample.centres * scale,
        viewpoint=None if sample.viewpoint is None else sample.viewpoint * scale,
        earlier=None if sample.earlier is None else _scaled(sample.earlier, scale),
    )


def _carried(
    earlier: Sample, grid: VoxelGrid, supervision: Supervision, config: NetworkConfig, rng: np.random.Generator
) -> NDArray[np.int64]:
    """(V,) int64 labels for the voxels of ``grid``, carried over from an earlier frame, the only one with labelled
    points; -1 for none."""
    fovea = _fovea_at(earlier, grid)
    before = voxelize(earlier.points, grid.size, earlier.colors, max_voxels=len(grid) * 2, fovea=fovea)
    hierarchy = build_hierarchy(before, earlier.viewpoint, None, config).tensors()
    truth = majority(before.inverse, earlier.instance, len(before), len(earlier.is_surface))
    kinds = (truth >= 0) & earlier.is_surface[np.maximum(truth, 0)]
    labels, _ = weaken(supervision, truth, hierarchy, kinds, before.colors, rng)
    there = (before.centroids + before.origin).astype(np.float32)
    return across_frames(there, (grid.centroids + grid.origin).astype(np.float32), labels, 1.5 * grid.scale.edges)


def _fovea_at(sample: Sample, grid: VoxelGrid) -> Fovea | None:
    """The fovea of ``grid`` moved to the viewpoint of ``sample``, None if either is missing."""
    if grid.fovea is None or sample.viewpoint is None:
        return None
    return replace(grid.fovea, eye=sample.viewpoint)
