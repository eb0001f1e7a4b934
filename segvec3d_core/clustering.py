"""Embeddings to instances (section 3.2).

Four ways to group the object voxels, all on the same embeddings: DBSCAN, mean-shift and the fixed radius of the
paper, and the fast default, which follows the neighbourhood graph. Surfaces are parted from objects first, by the
network's surface head, and grouped by continuity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from .config import ClusteringMethod
from .kernels.components import connected, shift_step

MERGED_SEGMENTS = 2_000
"""Only so many of the largest segments are compared for merging, which keeps time and memory bounded."""

Labels = NDArray[np.int64]
Embeddings = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ClusteringConfig:
    """Constants of the clustering, all chosen on simulated validation scenes. Lengths are embedding units: 1 is the
    margin of equation (8).

    Attributes:
        surface_threshold: voxels more likely a surface than this are one.
        shift_radius, shift_steps: kernel and number of the mean-shift steps on the graph.
        link_radius: edges shorter than this join two voxels.
        merge_radius: segments whose mean embeddings are nearer than this are one object.
        adopt_radius: a fragment joins the nearest object within this.
        min_voxels: smaller segments are fragments.
        surface_radius: edges shorter than this join two surface voxels.
        min_surface_voxels: smaller surfaces are dropped.
        radius: of mean-shift and fixed-radius; DBSCAN, which chains, links within half of it.
    """

    surface_threshold: float = 0.5
    shift_radius: float = 0.5
    shift_steps: int = 4
    link_radius: float = 0.3
    merge_radius: float = 0.5
    adopt_radius: float = 1.0
    min_voxels: int = 8
    surface_radius: float = 0.5
    min_surface_voxels: int = 60
    radius: float = 0.5


def cluster(
    e: Embeddings,
    surface: NDArray[np.float32],
    neighbors: NDArray[np.int64],
    method: ClusteringMethod = "fast",
    config: ClusteringConfig | None = None,
) -> tuple[Labels, Labels]:
    """Group voxels into objects and surfaces.

    Args:
        e: (V, d_e) embeddings; surface: (V,) probability of lying on a surface; neighbors: (V, k) int64.
        method: how object voxels are grouped; config: constants.

    Returns:
        objects (V,) and surfaces (V,) int64: instance of each voxel, -1 for none; every voxel is in at most one.

    Raises:
        ValueError: unknown method.
    """
    config = config or ClusteringConfig()
    if method not in _METHODS:
        raise ValueError(f"clustering: expected one of {', '.join(_METHODS)}, got {method!r}")
    on_surface = surface > config.surface_threshold
    objects = np.full(len(e), -1, np.int64)
    rows = np.flatnonzero(~on_surface)
    if len(rows):
        objects = _METHODS[method](e, neighbors, ~on_surface, config)
        objects = absorb_fragments(e, objects, ~on_surface, config)
    smooth = shift_step(e, neighbors, on_surface, config.surface_radius)
    surfaces = connected(smooth, neighbors, on_surface, config.surface_radius)
    return objects, drop_small(surfaces, config.min_surface_voxels)


def fast(e: Embeddings, neighbors: NDArray[np.int64], active: NDArray[np.bool_], config: ClusteringConfig) -> Labels:
    """The default: mean-shift steps among spatial neighbours, union-find on the graph, then a merge of segments.

    Smoothing before linking keeps one stray voxel from bridging two objects; merging by mean embedding joins what
    an occluder has cut apart.
    """
    for _ in range(config.shift_steps):
        e = shift_step(e, neighbors, active, config.shift_radius)
    return merge_segments(e, connected(e, neighbors, active, config.link_radius), config)


def merge_segments(e: Embeddings, labels: Labels, config: ClusteringConfig) -> Labels:
    """Join the nearest two segments' means until none are nearer than ``merge_radius`` (centroid linkage)."""
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
    while True:
        a, b = np.unravel_index(np.argmin(distance), distance.shape)
        if distance[a, b] > config.merge_radius:
            break
        means[a] = (means[a] * sizes[a] + means[b] * sizes[b]) / (sizes[a] + sizes[b])
        sizes[a] += sizes[b]
        group[group == b] = a
        distance[b, :] = distance[:, b] = np.inf
        alive = np.isfinite(distance[a])
        distance[a, alive] = distance[alive, a] = np.linalg.norm(means[alive] - means[a], axis=1)
    mapping = np.arange(count)
    mapping[large] = large[group]
    return np.where(labels >= 0, mapping[labels], -1)


def dbscan(e: Embeddings, neighbors: NDArray[np.int64], active: NDArray[np.bool_], config: ClusteringConfig) -> Labels:
    """DBSCAN (Ester et al. 1996) in the embedding space; ``neighbors`` is not used."""
    from sklearn.cluster import DBSCAN

    labels = np.full(len(e), -1, np.int64)
    labels[active] = DBSCAN(eps=config.radius / 2, min_samples=4).fit_predict(e[active])
    return labels


def mean_shift(
    e: Embeddings, neighbors: NDArray[np.int64], active: NDArray[np.bool_], config: ClusteringConfig
) -> Labels:
    """Mean-shift (Comaniciu and Meer 2002) in the embedding space from binned seeds; ``neighbors`` is not used."""
    from sklearn.cluster import MeanShift

    labels = np.full(len(e), -1, np.int64)
    shift = MeanShift(bandwidth=config.radius, bin_seeding=True, min_bin_freq=config.min_voxels, cluster_all=False)
    try:
        labels[active] = shift.fit_predict(e[active])
    except ValueError:  # no bin holds enough voxels to seed a cluster: nothing dense enough to be an object
        return labels
    return labels


def fixed_radius(
    e: Embeddings, neighbors: NDArray[np.int64], active: NDArray[np.bool_], config: ClusteringConfig
) -> Labels:
    """The paper's fixed radius: the densest voxel left gathers all within ``radius`` of it, until none are left."""
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


_METHODS = {"fast": fast, "dbscan": dbscan, "mean-shift": mean_shift, "fixed-radius": fixed_radius}


def _means(e: Embeddings, labels: Labels, count: int) -> tuple[Embeddings, NDArray[np.int64]]:
    """Mean embedding (count, d_e) and number of voxels (count,) of each label."""
    rows = labels >= 0
    sizes = np.bincount(labels[rows], minlength=count)
    totals = np.stack([np.bincount(labels[rows], e[rows, c], minlength=count) for c in range(e.shape[1])], 1)
    return (totals / np.maximum(sizes, 1)[:, None]).astype(np.float32), sizes


def drop_small(labels: Labels, least: int) -> Labels:
    """Renumber labels from 0 by first voxel, without those of fewer than ``least`` voxels, which become -1."""
    sizes = np.bincount(labels[labels >= 0], minlength=1)
    kept = np.flatnonzero(sizes >= least)
    mapping = np.full(len(sizes) + 1, -1, np.int64)
    mapping[kept] = np.arange(len(kept))
    return mapping[labels]


def absorb_fragments(e: Embeddings, labels: Labels, active: NDArray[np.bool_], config: ClusteringConfig) -> Labels:
    """Give voxels of fragments, and active voxels without a segment, to the object with the nearest mean embedding.

    Only within ``adopt_radius``; the embedding holds a centre vote, so near in it is near in space.
    """
    kept = drop_small(labels, config.min_voxels)
    count = int(kept.max(initial=-1)) + 1
    if count == 0:
        return kept
    means, _ = _means(e, kept, count)
    loose = np.flatnonzero((kept < 0) & active)
    distance, nearest = cKDTree(means).query(e[loose], distance_upper_bound=config.adopt_radius)
    near = np.isfinite(distance)
    kept[loose[near]] = nearest[near]
    return kept
