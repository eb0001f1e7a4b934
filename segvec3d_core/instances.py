"""Voxel clusters to instances: score, box, colour, input of the alignment, and labels of the points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clustering import BOND_BOUND
from .config import SegmentationConfig
from .geometry import oriented_boxes
from .inference.alignment import InstanceInput, instance_statistics
from .kernels.agglomeration import bond_means
from .kernels.grid import group_rows, mean_by_cell
from .kernels.instances import middles, solid_voxels
from .kernels.labels import point_labels
from .kernels.nearest import nearest_rows
from .kernels.superpoints import deviations
from .superpoints import EmbeddedVoxels
from .types import Box, Kind, SceneObject
from .voxels import VoxelGrid

SCORE_FEATURES = (
    "certainty", "tightness", "separation", "log_voxels", "log_radius", "cohesion", "contrast", "joined", "parted",
)  # fmt: skip
FAR = 2.0
"""Distances between mean embeddings are clipped to this."""
STRAY = 0.2
"""A voxel with fewer points than this share of the point-weighted mean over its object's voxels may be stray."""
STRAY_POINTS = 0.1
"""At most this share of an object's points is treated as stray."""
FACING_UP = 0.35
"""Cosine to the image's up direction from which a surface counts as a support rather than a wall."""
DESCRIBED_VOXELS = 64
"""An instance is described by at most this many of its voxels, evenly sampled, which suffice to recognise it."""


@dataclass(frozen=True, slots=True)
class ScoreModel:
    """Logistic model of the probability that an instance overlaps a true one with IoU > 0.5, fitted on simulated
    validation scenes.

    Attributes:
        weights: one for each of ``SCORE_FEATURES``; bias: offset.
        typical: value used for a feature that is NaN: clustering by embeddings does not provide the last two.

    Raises:
        ValueError: a wrong number of weights or typical values.
    """

    weights: tuple[float, ...] | list[float] = (2.0, 1.0, 1.0, 0.3, 0.0, 0.5, 0.5, 0.0, 0.0)
    bias: float = -2.0
    typical: tuple[float, ...] | list[float] = (0.0,) * len(SCORE_FEATURES)

    def __post_init__(self) -> None:
        for numbers in (self.weights, self.typical):
            if len(numbers) != len(SCORE_FEATURES):
                raise ValueError(
                    f"score: expected one number for each of {', '.join(SCORE_FEATURES)}, got {len(numbers)}"
                )

    def __call__(self, features: NDArray[np.float64]) -> float:
        known = np.where(np.isnan(features), self.typical, features)
        return float(1 / (1 + np.exp(-(np.dot(self.weights, known) + self.bias))))


@dataclass(frozen=True, slots=True)
class Segment:
    """A cluster of voxels on its way to becoming a ``SceneObject``.

    Attributes:
        kind: object or surface; voxels: (M,) int64; score: 0 to 1; features: (9,) float64, see ``SCORE_FEATURES``.
        point_count: points in the voxels, before points at the border are reassigned by ``label_points``.
        box, centroid, color: see ``SceneObject``; None until ``describe_segments``.
        solid: voxels without stray ones, edge: mean edge of all voxels, metres; None until ``describe_segments``.
    """

    kind: Kind
    voxels: NDArray[np.int64]
    score: float
    features: NDArray[np.float64]
    point_count: int
    box: Box | None = None
    centroid: NDArray[np.float32] | None = None
    color: NDArray[np.uint8] | None = None
    solid: NDArray[np.int64] | None = None
    edge: float | None = None

    def to_object(self, embedding: NDArray[np.float32], points: int) -> SceneObject:
        """Convert a described segment to a ``SceneObject`` with its (d_v,) embedding and number of labelled points."""
        assert self.box is not None
        assert self.centroid is not None
        return SceneObject(self.kind, self.score, self.box, self.centroid, embedding, self.color, points)


def _members(labels: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Voxel indices of each label from 0 up, ascending."""
    order, starts = group_rows(labels, int(labels.max(initial=-1)) + 1)
    return np.split(order, starts[1:-1]) if len(starts) > 1 else []


def find_segments(
    objects: NDArray[np.int64],
    surfaces: NDArray[np.int64],
    e: NDArray[np.float32],
    surface: NDArray[np.float32],
    bonds: NDArray[np.float32],
    neighbors: NDArray[np.int64],
    grid: VoxelGrid,
    score: ScoreModel,
    judged: NDArray[np.float32] | None = None,
) -> list[Segment]:
    """Gather the voxels of each cluster, objects first, larger first within each kind.

    Args:
        objects, surfaces: (V,) int64 instance of each voxel or -1, see ``clustering.cluster``.
        e: (V, d_e) embeddings; surface: (V,) probability; bonds: (V, k) logits; neighbors: (V, k) int64.
        grid: the voxels; score: model of the objects' scores.
        judged: (V, 2) ``Grouped.doubts`` if the clusters come from ``group_superpoints``, else None.
    """
    count = int(objects.max(initial=-1)) + 1
    group = np.where(objects >= 0, objects, np.where(surfaces >= 0, surfaces + count, -1))
    members = _members(group)
    if not members:
        return []
    inside, across = bond_means(objects, neighbors, bonds, np.float32(BOND_BOUND), count)
    judged = np.full((len(e), 2), np.nan, np.float32) if judged is None else judged
    means, _ = mean_by_cell(np.concatenate([e, grid.centroids, surface[:, None], judged], 1), group, len(members))
    center, place, on_surface, joined, across_groups = np.split(means, np.cumsum([e.shape[1], 3, 1, 1]), 1)
    deviation = deviations(e, grid.centroids, group, center, place)
    gaps = np.full(count, FAR)
    if count > 1:
        gaps = np.minimum(nearest_rows(center[:count], center[:count], 2)[1][:, 1], FAR)
    points = np.bincount(group + 1, grid.counts, len(members) + 1)[1:].astype(np.int64)
    found: dict[Kind, list[Segment]] = {"object": [], "surface": []}
    for k, voxels in enumerate(members):
        kind: Kind = "object" if k < count else "surface"
        certainty = float(on_surface[k, 0] if kind == "surface" else 1 - on_surface[k, 0])
        spread, gap, cohesion, contrast = 0.0, FAR, 0.0, 0.0
        if kind == "object":
            spread, gap, cohesion, contrast = deviation[k, 0], gaps[k], inside[k], -across[k]
        # Size is a feature, because embeddings of large objects spread more without being worse.
        size = np.log(len(voxels)), np.log(np.sqrt(deviation[k, 1]) + 1e-3)
        parted = -across_groups[k, 0]
        features = np.array([certainty, -spread, gap, *size, cohesion, contrast, joined[k, 0], parted], np.float64)
        sure = score(features) if kind == "object" else certainty
        found[kind].append(Segment(kind, voxels, sure, features, int(points[k])))
    return [segment for some in found.values() for segment in sorted(some, key=lambda s: -s.point_count)]


def vertical_of(
    segments: list[Segment],
    normals: NDArray[np.float32],
    up: NDArray[np.float32] | None,
    in_picture: NDArray[np.float32] | None,
) -> NDArray[np.float32] | None:
    """Vertical direction of the boxes: ``up`` if known, else the normal of the largest surface, else None.

    Args:
        in_picture: (3,) up direction in the camera's image, or None. Cameras are assumed to be held upright: the
            largest surface facing up in the image is preferred to walls, and ceilings are ignored.
    """
    if up is not None:
        return up
    surfaces = [_normal(s, normals) for s in segments if s.kind == "surface"]
    if in_picture is not None:  # no ceiling
        surfaces = [normal for normal in surfaces if normal @ in_picture > -FACING_UP]
        surfaces.sort(key=lambda normal: bool(normal @ in_picture < FACING_UP))
    return surfaces[0] if surfaces else None


def _normal(surface: Segment, normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3,) mean unit normal of a surface, towards the side from which it is seen."""
    values = normals[surface.voxels].T.astype(np.float64, order="C")
    direction = np.linalg.eigh(values @ values.T)[1][:, 2]
    direction *= np.sign(direction @ values.sum(1)) or 1.0
    return direction.astype(np.float32)


def describe_segments(
    segments: list[Segment], grid: VoxelGrid, vertical: NDArray[np.float32] | None, config: SegmentationConfig
) -> list[Segment]:
    """Add box (upright along ``vertical``), centroid and colour to each segment; drop those outside the configured
    limits."""
    segments = [s for s in segments if s.point_count >= config.min_points]
    segments = [s for s in segments if s.kind == "surface" or s.score >= config.min_score]
    solid = _without_strays(segments, grid)
    boxes = oriented_boxes(grid.centroids, *_one_after_the_other(solid), vertical)
    colors = np.zeros((0, 3), np.float32) if grid.colors is None else grid.colors
    rows, starts = _one_after_the_other([segment.voxels for segment in segments])
    centers, edges, typical, colored = middles(grid.centroids, grid.counts, grid.scale.edges, colors, rows, starts)
    described = []
    for k, (segment, box) in enumerate(zip(segments, boxes, strict=True)):
        # Voxel centroids lie on average inside the extent of the points that they represent.
        size = box.size + np.float32(edges[k] / 2)
        box = Box(box.center + grid.origin.astype(np.float32), box.rotation, size)
        longest = float(size.max())
        if segment.kind == "object" and not config.min_object_size <= longest <= config.max_object_size:
            continue
        centroid = (centers[k] + grid.origin).astype(np.float32)
        color = typical[k] if colored[k] else None
        seen = replace(segment, box=box, centroid=centroid, color=color, solid=solid[k], edge=float(edges[k]))
        described.append(seen)
    return described


def _without_strays(segments: list[Segment], grid: VoxelGrid) -> list[NDArray[np.int64]]:
    """The voxels of each segment, those of objects without stray ones.

    Depth cameras produce flying pixels between an object's edge and the background. They are few but far out, and would
    make the box half as long again; they are recognised by voxels with few points.
    """
    objects = [segment.voxels for segment in segments if segment.kind == "object"]
    rows, starts = _one_after_the_other(objects)
    kept = np.split(solid_voxels(grid.counts, rows, starts, STRAY, STRAY_POINTS), starts[1:-1])
    solid = iter(voxels[some] for voxels, some in zip(objects, kept, strict=False))
    return [next(solid) if segment.kind == "object" else segment.voxels for segment in segments]


def _unseen(rgb: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(M,) bool, which of (M, 3) colours are unknown: drivers report (0, 0, 0) there."""
    return np.asarray((rgb == 0).all(1))


def _one_after_the_other(sets: list[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Concatenate K index sets -> (M,) indices and (K + 1,) offsets."""
    starts = np.cumsum([0, *(len(some) for some in sets)])
    return np.concatenate([np.zeros(0, np.int64), *sets]), starts


def alignment_input(
    segments: list[Segment],
    features: NDArray[np.float32],
    grid: VoxelGrid,
    normals: NDArray[np.float32],
    up: NDArray[np.float32] | None,
) -> InstanceInput[NDArray[Any]]:
    """Input of the alignment for K > 0 described segments.

    Args:
        features: (V, d_f) F of all voxels; grid: the voxels; normals: (V, 3) in the cloud's frame; up: (3,) or None.
    """
    boxes, solid = [s.box for s in segments if s.box is not None], [s.solid for s in segments if s.solid is not None]
    assert len(boxes) == len(solid) == len(segments)
    voxels, starts = _one_after_the_other([own[:: max(1, -(-len(own) // DESCRIBED_VOXELS))] for own in solid])
    owner = np.repeat(np.arange(len(segments)), np.diff(starts))
    edges = np.array([segment.edge for segment in segments])
    size, rotation = np.stack([box.size for box in boxes]), np.stack([box.rotation for box in boxes])[owner]
    half = np.maximum(size.max(1) / 2, edges).astype(np.float32)[owner, None]
    away = grid.centroids[voxels] + (grid.origin.astype(np.float32) - np.stack([box.center for box in boxes]))[owner]
    place = (away[:, None] @ rotation)[:, 0] / half
    turned = (normals[voxels][:, None] @ rotation)[:, 0]
    rgb = np.zeros((len(voxels), 3), np.float32) if grid.colors is None else grid.colors[voxels]
    unseen = _unseen(rgb)
    lightness = np.where(unseen, 0, rgb.mean(1) - 0.5)
    radius = np.linalg.norm(place[:, :2], axis=1)
    geometry = np.concatenate([place, radius[:, None], turned, lightness[:, None]], 1)
    statistics = instance_statistics(size, None if grid.colors is None else rgb, starts, up is not None, edges)
    color = np.where(unseen[:, None], np.float32(np.nan), rgb)
    return InstanceInput(features[voxels], geometry.astype(np.float32), owner, statistics, color)


def label_points(
    segments: list[Segment],
    points: NDArray[np.float32],
    grid: VoxelGrid,
    voxels: EmbeddedVoxels,
    least: int,
    beside: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Label each point with its segment -> (N,) int32, -1 for none, and (K,) int64 number of points of each segment.

    Where voxels of several segments meet, neighbouring voxels vote for each point (``kernels.labels``). A segment that
    would keep less than half of its points, or fewer than ``least``, keeps all points of its voxels instead: an object
    no wider than a voxel consists of border only.

    Args:
        beside: (N,) int64, index of the point whose label each point takes; None for its own.
    """
    of_voxel = np.full(len(grid), -1, np.int32)
    for k, segment in enumerate(segments):
        of_voxel[segment.voxels] = k
    graph = voxels.neighbors, grid.centroids, voxels.normals, grid.scale.edges
    labels, kept = point_labels(points, grid.inverse, of_voxel, len(segments), *graph, grid.origin)
    thin = [k for k, segment in enumerate(segments) if kept[k] < max(segment.point_count / 2, least)]
    if thin:
        plain = np.append(of_voxel, np.int32(-1))[grid.inverse]
        labels = np.where(np.isin(plain, thin), plain, labels)
    if beside is not None:
        labels = labels[beside]
    if thin or beside is not None:
        kept = np.bincount(labels + 1, minlength=len(segments) + 1)[1:]
    return labels, kept
