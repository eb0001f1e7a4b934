"""Weak grouping signals (section 3.2), which replace full instance labels.

The result is always a (V,) label array with -1 for unlabelled, so that the losses need not distinguish them. From a few
labelled points, ``spread`` propagates the labels over the surface until shape or colours form a barrier: concave
creases, as where two objects touch, sharp turns of the surface, and changes of tint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree
from torch import Tensor

from ..hierarchy import Hierarchy
from ..kernels.colors import color_edges
from ..kernels.components import connected

Labels = NDArray[np.int64]

REACH = 0.3
"""Maximum cost of a path from a labelled point along which its label is spread: the sum of squared barriers, plus
``_STEP`` per voxel edge of length. With squares, many small barriers, as along a round object, cost less than the large
one at its border."""
CREASE = 0.3
"""Where two labels meet across a lower barrier than this, they met by chance, and the voxels there stay unlabelled."""
TINT, LIGHT = 1.0, 0.3
"""Highest contribution to a barrier of a change of tint and of a change of lightness, which may be just a shadow."""
_STEP = 1e-3
"""Cost of a step of one voxel edge without a barrier, so that the nearer label wins."""


@dataclass(frozen=True, slots=True)
class Supervision:
    """The weak signal of a training run.

    Attributes:
        kind: "points": ``count`` labelled points per scene; "one-point": one labelled point per instance; "listed": the
            labelled points of the data, chosen beforehand; the labels of all three are spread. "agreement": one
            labelled point per instance in one frame of a sequence, spread there and carried over to the next frame,
            which is trained on. "oversegmentation": pieces of smooth surface as instances, without manual labels.
        count: labelled points per scene, for "points".
    """

    kind: Literal["points", "one-point", "agreement", "listed", "oversegmentation"]
    count: int = 100

    @classmethod
    def parse(cls, text: str) -> Supervision | None:
        """Parse the command line's full, points:N, one-point, agreement or oversegmentation; None for full labels.

        Raises:
            ValueError: anything else.
        """
        if text == "full":
            return None
        if text.startswith("points:") and text[7:].isdigit() and int(text[7:]) > 0:
            return cls("points", int(text[7:]))
        if text in ("one-point", "agreement", "oversegmentation"):
            return cls(text)  # type: ignore[arg-type]
        raise ValueError(f"labels: expected full, points:N, one-point, agreement or oversegmentation, got {text!r}")


def oversegment(hierarchy: Hierarchy[Tensor], angle: float = 0.12) -> Labels:
    """Over-segment into pieces of smooth surface: connected voxels of which neighbours' unit normals differ by less
    than ``angle`` (length of the difference vector) -> (V,) int64 piece of each voxel."""
    normals = np.ascontiguousarray(hierarchy.normals, np.float32)
    neighbors = hierarchy.levels[0].neighbors.numpy()[:, :9].copy()
    return np.asarray(connected(normals, neighbors, np.ones(len(normals), bool), angle))


def creases(hierarchy: Hierarchy[Tensor]) -> NDArray[np.float32]:
    """Barrier of each edge from the shape -> (V, k) float32, 0 on a plane: concave creases, as where two objects touch,
    and turns of the normal."""
    edges = hierarchy.levels[0].edges.numpy()
    cosine, convexity = edges[:, :, 6], edges[:, :, 7]
    return np.asarray(np.maximum(-convexity, 0) + 1 - np.clip(cosine, -1, 1), np.float32)


def borders(hierarchy: Hierarchy[Tensor], colors: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Barrier of each edge from shape (``creases``) and, if given, from changes of the (V, 3) colours -> (V, k)
    float32."""
    shape = creases(hierarchy)
    if colors is None:
        return shape
    change = color_edges(colors, hierarchy.levels[0].neighbors.numpy())
    return np.asarray(shape + TINT * change[:, :, 3] + LIGHT * change[:, :, 1], np.float32)


def spread(marked: Labels, hierarchy: Hierarchy[Tensor], barriers: NDArray[np.float32]) -> Labels:
    """Spread the labels of a few voxels over the neighbourhood graph.

    Every voxel takes the label of the marked voxel with the cheapest path to it, where a path costs the sum of its
    squared barriers plus a little per length (a watershed from given seeds, as in Meyer, 1994). Voxels beyond ``REACH``
    stay unlabelled, and so do unmarked ones where two labels meet without a barrier, see ``CREASE``.

    Args:
        marked: (V,) label of each marked voxel, -1 for the others; barriers: (V, k) of each edge, not negative.

    Returns:
        (V,) int64 labels, -1 for unlabelled.
    """
    seeds = np.flatnonzero(marked >= 0)
    if len(seeds) == 0:
        return marked.copy()
    level = hierarchy.levels[0]
    neighbors, length = level.neighbors.numpy(), level.edges[:, :, 3].numpy()
    v, k = neighbors.shape
    own = np.repeat(np.arange(v), k)
    cost = (barriers**2 + _STEP * length).reshape(-1) + 1e-6  # csr_matrix reads 0 as no edge
    real = own != neighbors.reshape(-1)
    graph = csr_matrix((cost[real], (own[real], neighbors.reshape(-1)[real])), shape=(v, v))
    graph = graph.maximum(graph.T)  # neighbourhoods need not be mutual
    far, _, source = dijkstra(graph, directed=False, indices=seeds, min_only=True, return_predecessors=True)
    labels = np.where(far <= REACH, marked[np.maximum(source, 0)], -1)
    apart = (labels[:, None] >= 0) & (labels[neighbors] >= 0) & (labels[:, None] != labels[neighbors])
    by_chance = (apart & (barriers < CREASE)).sum(1) > 0.5 * apart.sum(1)
    return np.where(by_chance & (marked < 0), -1, labels)


def across_frames(
    points_a: NDArray[np.float32], points_b: NDArray[np.float32], labels_a: Labels, radius: float | NDArray[np.float32]
) -> Labels:
    """Carry labels over from frame A to frame B of a sequence (agreement between frames).

    Args:
        points_a: (A, 3), points_b: (B, 3) float32, metres, in a common frame.
        labels_a: (A,) instance of each point of A (predictions of the network, or weak labels), -1 for none.
        radius: a point of B takes the label of the nearest point of A if it is within this distance, metres; a scalar
            or (B,).

    Returns:
        (B,) int64, -1 where A has no point near or its label is -1.
    """
    if len(points_a) == 0:
        return np.full(len(points_b), -1, np.int64)
    distance, nearest = cKDTree(points_a).query(points_b)
    return np.where(distance <= radius, labels_a[nearest], -1)


def mark(supervision: Supervision, truth: Labels, rng: np.random.Generator) -> Labels:
    """Choose the voxels that an annotator labels, from (V,) true instances, -1 unknown -> (V,) int64 labels, -1
    elsewhere."""
    shuffled = rng.permutation(np.flatnonzero(truth >= 0))
    if supervision.kind == "points":
        chosen = shuffled[: supervision.count]
    elif supervision.kind == "listed":
        chosen = shuffled
    else:
        chosen = shuffled[np.unique(truth[shuffled], return_index=True)[1]]
    marked = np.full(len(truth), -1, np.int64)
    marked[chosen] = truth[chosen]
    return marked


def weaken(
    supervision: Supervision,
    truth: Labels,
    hierarchy: Hierarchy[Tensor],
    is_surface: NDArray[np.bool_],
    colors: NDArray[np.float32] | None,
    rng: np.random.Generator,
) -> tuple[Labels, NDArray[np.bool_]]:
    """Reduce the true labels to those of a weak supervision.

    Args:
        supervision: the weak signal; truth: (V,) true instances, -1 unknown; is_surface: (V,) bool, true kinds.
        colors: (V, 3) float32, 0 to 1, or None.

    Returns:
        (V,) labels, -1 for unlabelled, and (V,) bool, whether a labelled voxel lies on a surface. A labelled point
        comes with its kind, which is spread with its label; in an over-segmentation, pieces of over a tenth of the
        scene's voxels count as surfaces.
    """
    if supervision.kind == "oversegmentation":
        pieces = oversegment(hierarchy)
        size = np.bincount(pieces)[pieces]
        return np.where(size >= 8, pieces, -1), size > len(pieces) / 10
    marked = mark(supervision, truth, rng)
    labels = spread(marked, hierarchy, borders(hierarchy, colors))
    kinds = np.zeros(int(marked.max(initial=-1)) + 2, bool)  # label -1 reads the last element
    kinds[marked[marked >= 0]] = is_surface[marked >= 0]
    return labels, np.asarray(kinds[labels], bool)
