"""Embeddings to instances (section 3.2).

Voxels are first grown into segments along the bonds that the network predicts between neighbours, and each segment is
classified as surface or object. Objects are then formed by merging segments by their mean embeddings ("fast"), or by
clustering the embeddings of all object voxels with one of the paper's methods: DBSCAN, mean-shift, fixed radius. The
default method, which scores pairs of superpoints by a network, is in ``grouping.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .config import ClusteringMethod
from .kernels.agglomeration import average_linkage, basins, contacts, mutual
from .kernels.grid import mean_by_cell
from .kernels.nearest import nearest_rows

MERGED_SEGMENTS = 2_000
"""Only this many of the largest segments are compared for merging, which bounds time and memory."""
BOND_BOUND = 4.0
"""Bond logits are clipped to this magnitude, so that many edges decide together, not one."""

Labels = NDArray[np.int64]
Embeddings = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ClusteringConfig:
    """Constants of the clustering, all chosen on simulated validation scenes. Lengths are embedding units: 1 is the
    margin of equation (8).

    Attributes:
        surface_threshold: segments with a higher mean surface probability than this are surfaces.
        bond_threshold: touching segments with a higher mean bond logit than this are joined.
        scan_bond_threshold: the same for fused scans, whose voxels are coarser and whose objects are larger.
        part_threshold: touching segments with a lower mean bond logit than this are never merged by their embeddings.
        merge_radius: segments whose mean embeddings are nearer than this are merged into one object.
        adopt_radius: a fragment joins the nearest object within this distance.
        join_threshold: groups of superpoints with a higher mean probability of belonging together are joined.
        kind_threshold: a group of superpoints with a higher surface probability is a surface.
        min_voxels: smaller segments are fragments; this and ``adopt_radius`` suit the grouping of superpoints best.
        min_surface_voxels: smaller surfaces are dropped.
        radius: of mean-shift and fixed-radius; DBSCAN uses half of it, because it chains.
    """

    surface_threshold: float = 0.4
    bond_threshold: float = -0.75
    scan_bond_threshold: float = -0.75
    part_threshold: float = -1.0
    merge_radius: float = 0.35
    adopt_radius: float = 0.5
    join_threshold: float = 0.5
    kind_threshold: float = 0.5
    min_voxels: int = 12
    min_surface_voxels: int = 60
    radius: float = 0.5

    def for_cloud(self, is_scan: bool) -> ClusteringConfig:
        """The constants for a frame or a fused scan: both bond thresholds are set to the one that applies."""
        threshold = self.scan_bond_threshold if is_scan else self.bond_threshold
        return replace(self, bond_threshold=threshold, scan_bond_threshold=threshold)

    @staticmethod
    def of(method: ClusteringMethod) -> tuple[str, ...]:
        """Names of the constants that a method uses."""
        always = ("adopt_radius", "min_voxels", "min_surface_voxels")
        if method == "graph":
            return ("join_threshold", "kind_threshold", *always)
        own = ("part_threshold", "merge_radius") if method == "fast" else ("radius",)
        return ("surface_threshold", "bond_threshold", "scan_bond_threshold", *own, *always)


def cluster(
    e: Embeddings,
    surface: NDArray[np.float32],
    bonds: NDArray[np.float32],
    neighbors: NDArray[np.int64],
    method: ClusteringMethod = "fast",
    config: ClusteringConfig | None = None,
) -> tuple[Labels, Labels]:
    """Group voxels into objects and surfaces.

    Args:
        e: (V, d_e) embeddings; surface: (V,) probability of lying on a surface.
        bonds: (V, k) logits that an edge stays within an instance; neighbors: (V, k) int64.
        method: how object voxels are grouped, any but "graph"; config: constants.

    Returns:
        objects (V,) and surfaces (V,) int64: instance of each voxel, -1 for none; every voxel is in at most one.

    Raises:
        ValueError: unknown method.
    """
    config = config or ClusteringConfig()
    if method != "fast" and method not in _METHODS:
        raise ValueError(f"clustering: expected one of {', '.join(('fast', *_METHODS))}, got {method!r}")
    if len(e) == 0:
        return np.full(0, -1, np.int64), np.full(0, -1, np.int64)
    bonds = mutual(bonds, neighbors, np.float32(BOND_BOUND))
    segments = grow(bonds, neighbors, config.bond_threshold)
    sizes = np.bincount(segments)
    on_surface = (np.bincount(segments, surface) / sizes > config.surface_threshold)[segments]
    surfaces = drop_small(np.where(on_surface, segments, -1), config.min_surface_voxels)
    if on_surface.all():
        return np.full(len(e), -1, np.int64), surfaces
    if method == "fast":
        objects = merge_segments(
            e, np.where(on_surface, -1, segments), _parted(segments, neighbors, bonds, config), config
        )
    else:
        objects = _METHODS[method](e, ~on_surface, config)
    return absorb_fragments(e, objects, ~on_surface, config), surfaces


def grow(bonds: NDArray[np.float32], neighbors: NDArray[np.int64], least: float) -> Labels:
    """Grow segments along bonds: seeds by steepest ascent, then average linkage of touching segments.

    The mean over a whole border decides, so a single stray voxel cannot bridge two objects.

    Args:
        bonds: (V, k) from ``kernels.agglomeration.mutual``; neighbors: (V, k) int64.
        least: touching segments with a higher mean bond logit than this are joined.

    Returns:
        (V,) int64 segment of each voxel, numbered by first voxel.
    """
    seeds, count = basins(bonds, neighbors)
    low, high, sums, counts = contacts(seeds, neighbors, bonds)
    joined = average_linkage(low, high, sums, counts, count, least)
    return drop_small(joined[seeds], 1)


def _parted(
    segments: Labels, neighbors: NDArray[np.int64], bonds: NDArray[np.float32], config: ClusteringConfig
) -> NDArray[np.int64]:
    """Pairs of segments (P, 2) that touch and are clearly separated, see ``part_threshold``."""
    low, high, sums, counts = contacts(segments, neighbors, bonds)
    apart = sums / np.maximum(counts, 1) < config.part_threshold
    return np.stack([low[apart], high[apart]], 1)


def merge_segments(e: Embeddings, labels: Labels, parted: NDArray[np.int64], config: ClusteringConfig) -> Labels:
    """Merge segments by centroid linkage: the two nearest mean embeddings, until none are within ``merge_radius``.

    This rejoins objects that an occluder cut apart.

    Args:
        labels: (V,) segment of each voxel or -1; parted: (P, 2) pairs of segments that must not be merged.
    """
    from scipy.spatial.distance import cdist

    count = int(labels.max(initial=-1)) + 1
    means, sizes = _means(e, labels, count)
    large = np.flatnonzero(sizes >= config.min_voxels)
    large = np.sort(large[np.argsort(-sizes[large], kind="stable")[:MERGED_SEGMENTS]])
    if len(large) < 2:
        return labels
    means, sizes = means[large], sizes[large].astype(np.float64)
    group = np.arange(len(large))
    distance = cdist(means, means)
    np.fill_diagonal(distance, np.inf)
    row = np.full(count, -1)
    row[large] = np.arange(len(large))
    a, b = row[parted[(parted < count).all(1)]].T
    both = (a >= 0) & (b >= 0)
    distance[a[both], b[both]] = distance[b[both], a[both]] = np.inf
    while True:
        a, b = np.unravel_index(np.argmin(distance), distance.shape)
        if distance[a, b] > config.merge_radius:
            break
        means[a] = (means[a] * sizes[a] + means[b] * sizes[b]) / (sizes[a] + sizes[b])
        sizes[a] += sizes[b]
        group[group == b] = a
        free = np.isfinite(distance[a]) & np.isfinite(distance[b])
        distance[b, :] = distance[:, b] = distance[a, :] = distance[:, a] = np.inf
        distance[a, free] = distance[free, a] = np.linalg.norm(means[free] - means[a], axis=1)
    mapping = np.arange(count)
    mapping[large] = large[group]
    return np.where(labels >= 0, mapping[labels], -1)


def dbscan(e: Embeddings, active: NDArray[np.bool_], config: ClusteringConfig) -> Labels:
    """DBSCAN (Ester et al. 1996) in the embedding space."""
    from sklearn.cluster import DBSCAN

    labels = np.full(len(e), -1, np.int64)
    labels[active] = DBSCAN(eps=config.radius / 2, min_samples=4).fit_predict(e[active])
    return labels


def mean_shift(e: Embeddings, active: NDArray[np.bool_], config: ClusteringConfig) -> Labels:
    """Mean-shift (Comaniciu and Meer 2002) in the embedding space, with binned seeds."""
    from sklearn.cluster import MeanShift

    labels = np.full(len(e), -1, np.int64)
    shift = MeanShift(bandwidth=config.radius, bin_seeding=True, min_bin_freq=config.min_voxels, cluster_all=False)
    try:
        labels[active] = shift.fit_predict(e[active])
    except ValueError:  # no bin holds enough voxels to seed a cluster
        return labels
    return labels


def fixed_radius(e: Embeddings, active: NDArray[np.bool_], config: ClusteringConfig) -> Labels:
    """The paper's fixed radius: repeatedly, the densest unlabelled voxel takes all unlabelled ones within ``radius``.

    Density is counted once, over all active voxels.
    """
    from scipy.spatial import cKDTree

    rows = np.flatnonzero(active)
    tree = cKDTree(e[rows])
    crowd = tree.query_ball_point(e[rows], config.radius, return_length=True)
    labels = np.full(len(e), -1, np.int64)
    count = 0
    for seed in np.argsort(-crowd, kind="stable"):
        if labels[rows[seed]] < 0:
            members = rows[tree.query_ball_point(e[rows[seed]], config.radius)]
            labels[members[labels[members] < 0]] = count
            count += 1
    return labels


_METHODS = {"dbscan": dbscan, "mean-shift": mean_shift, "fixed-radius": fixed_radius}


def _means(e: Embeddings, labels: Labels, count: int) -> tuple[Embeddings, NDArray[np.int32]]:
    """Mean embedding (count, d_e) and number of voxels (count,) of each label."""
    return mean_by_cell(e, labels, count)


def drop_small(labels: Labels, least: int) -> Labels:
    """Renumber labels from 0 in their order; those of fewer than ``least`` voxels become -1."""
    sizes = np.bincount(labels[labels >= 0], minlength=1)
    kept = np.flatnonzero(sizes >= least)
    mapping = np.full(len(sizes) + 1, -1, np.int64)
    mapping[kept] = np.arange(len(kept))
    return mapping[labels]


def absorb_fragments(e: Embeddings, labels: Labels, active: NDArray[np.bool_], config: ClusteringConfig) -> Labels:
    """Assign active voxels of fragments or without a segment to the object with the nearest mean embedding.

    Only within ``adopt_radius``; embeddings contain a centre vote, so near in embedding means near in space.
    """
    kept = drop_small(labels, config.min_voxels)
    count = int(kept.max(initial=-1)) + 1
    if count == 0:
        return kept
    means, _ = _means(e, kept, count)
    loose = np.flatnonzero((kept < 0) & active)
    nearest, distance = nearest_rows(e[loose], means, 1)
    near = distance[:, 0] < config.adopt_radius
    kept[loose[near]] = nearest[near, 0]
    return kept
