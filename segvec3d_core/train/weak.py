"""Weak grouping signals (section 3.2): what stands in for full instance labels.

The answer is always a (V,) label array with -1 for "nobody says", so the losses never know the difference. What
somebody labelled are a few points; ``spread`` carries their labels on over the surface as far as its shape and its
colours let them: up to creases that bend inward, as they are where two things touch, to sharp turns, and to where the
tint changes.
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
"""How much a label may cross on its way from a labelled point: squares of barriers and ``_STEP`` for each voxel edge,
together. By their squares many small barriers, as of a thing that is round, count less than the one where it ends."""
CREASE = 0.3
"""Two labels that meet across less than so much of a barrier met by chance, and the voxels between are nobody's."""
TINT, LIGHT = 1.0, 0.3
"""How much of a barrier a change of tint is at most, and one of lightness, which shadows make, too."""
_STEP = 1e-3
"""What a step of one voxel edge costs where there is no barrier: the nearer label wins."""


@dataclass(frozen=True, slots=True)
class Supervision:
    """Which weak signal a training run sees.

    Attributes:
        kind: "points": ``count`` labelled points a scene; "one-point": one labelled point per instance; the labels of
            both are spread; "listed": the points of the data that have labels, chosen beforehand, spread likewise;
            "agreement": one per instance in one frame of a sequence, spread there and carried to the next frame, which
            is learned from; "oversegmentation": pieces of smooth surface as instances, no label by hand at all.
        count: labelled points of a scene, for "points".
    """

    kind: Literal["points", "one-point", "agreement", "listed", "oversegmentation"]
    count: int = 100

    @classmethod
    def parse(cls, text: str) -> Supervision | None:
        """From the command line: full, points:N, one-point, agreement or oversegmentation; None for full labels."""
        if text == "full":
            return None
        if text.startswith("points:") and text[7:].isdigit() and int(text[7:]) > 0:
            return cls("points", int(text[7:]))
        if text in ("one-point", "agreement", "oversegmentation"):
            return cls(text)  # type: ignore[arg-type]
        raise ValueError(f"labels: expected full, points:N, one-point, agreement or oversegmentation, got {text!r}")


def oversegment(hierarchy: Hierarchy[Tensor], angle: float = 0.12) -> Labels:
    """Pieces of smooth surface: connected voxels whose normals turn by less than ``angle`` (chord) from one to the
    next -> (V,) int64."""
    normals = np.ascontiguousarray(hierarchy.normals, np.float32)
    neighbors = hierarchy.levels[0].neighbors.numpy()[:, :9].copy()
    return np.asarray(connected(normals, neighbors, np.ones(len(normals), bool), angle))


def creases(hierarchy: Hierarchy[Tensor]) -> NDArray[np.float32]:
    """How much the shape speaks against each edge -> (V, k) float32 barriers, 0 on a plane: inward creases, as two
    things that touch make them, and turns of the normal."""
    edges = hierarchy.levels[0].edges.numpy()
    cosine, convexity = edges[:, :, 6], edges[:, :, 7]
    return np.asarray(np.maximum(-convexity, 0) + 1 - np.clip(cosine, -1, 1), np.float32)


def borders(hierarchy: Hierarchy[Tensor], colors: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """How much speaks against each edge, ``creases`` and changes of (V, 3) colours, where there are any -> (V, k)
    float32."""
    shape = creases(hierarchy)
    if colors is None:
        return shape
    change = color_edges(colors, hierarchy.levels[0].neighbors.numpy())
    return np.asarray(shape + TINT * change[:, :, 3] + LIGHT * change[:, :, 1], np.float32)


def spread(marked: Labels, hierarchy: Hierarchy[Tensor], barriers: NDArray[np.float32]) -> Labels:
    """Labels of a few voxels, carried on to all that are nearest to them over the neighbourhood graph.

    Every voxel takes the label of the marked voxel from which the path over the lowest barriers leads, by the sum of
    their squares (a watershed from given seeds, as in Meyer, 1994). Beyond ``REACH`` there is no label, nor where two
    labels met without a barrier.

    Args:
        marked: (V,) label of the marked voxels, -1 of the others; barriers: (V, k) of each edge, not negative.

    Returns:
        (V,) int64, -1 where nobody says.
    """
    seeds = np.flatnonzero(marked >= 0)
    if len(seeds) == 0:
        return marked.copy()
    level = hierarchy.levels[0]
    neighbors, length = level.neighbors.numpy(), level.edges[:, :, 3].numpy()
    v, k = neighbors.shape
    own = np.repeat(np.arange(v), k)
    cost = (barriers**2 + _STEP * length).reshape(-1) + 1e-6  # csr_matrix takes 0 for no edge
    real = own != neighbors.reshape(-1)
    graph = csr_matrix((cost[real], (own[real], neighbors.reshape(-1)[real])), shape=(v, v))
    graph = graph.maximum(graph.T)  # what one voxel finds, the other may not
    far, _, source = dijkstra(graph, directed=False, indices=seeds, min_only=True, return_predecessors=True)
    labels = np.where(far <= REACH, marked[np.maximum(source, 0)], -1)
    apart = (labels[:, None] >= 0) & (labels[neighbors] >= 0) & (labels[:, None] != labels[neighbors])
    by_chance = (apart & (barriers < CREASE)).sum(1) > 0.5 * apart.sum(1)
    return np.where(by_chance & (marked < 0), -1, labels)


def across_frames(
    points_a: NDArray[np.float32], points_b: NDArray[np.float32], labels_a: Labels, radius: float | NDArray[np.float32]
) -> Labels:
    """Agreement between frames of a sequence: labels of frame A carried over to frame B.

    Args:
        points_a: (A, 3) and points_b: (B, 3) float32 metres, in one common frame.
        labels_a: (A,) instance of each point of A (a guess of the network, or weak labels), -1 for none.
        radius: a point of B takes the label of the nearest point of A within this, metres; one for all, or (B,).

    Returns:
        (B,) int64, -1 where A saw nothing near.
    """
    if len(points_a) == 0:
        return np.full(len(points_b), -1, np.int64)
    distance, nearest = cKDTree(points_a).query(points_b)
    return np.where(distance <= radius, labels_a[nearest], -1)


def mark(supervision: Supervision, truth: Labels, rng: np.random.Generator) -> Labels:
    """The few voxels that somebody labels, of (V,) true instances, -1 unknown -> (V,) int64, -1 elsewhere."""
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
    """Reduce the true labels to what a weak annotator gives.

    Args:
        supervision: the signal; truth: (V,) true instances, -1 unknown; is_surface: (V,) bool, true kinds;
        colors: (V, 3) float32, 0 to 1, or None.

    Returns:
        labels (V,), -1 where nobody says; kinds (V,) bool, whether a labelled voxel lies on a surface. Labelled
        points come with their kind, and so does all that their label is spread over; from over-segmentation alone,
        pieces of over a tenth of the scene are surfaces.
    """
    if supervision.kind == "oversegmentation":
        pieces = oversegment(hierarchy)
        size = np.bincount(pieces)[pieces]
        return np.where(size >= 8, pieces, -1), size > len(pieces) / 10
    marked = mark(supervision, truth, rng)
    labels = spread(marked, hierarchy, borders(hierarchy, colors))
    kinds = np.zeros(int(marked.max(initial=-1)) + 2, bool)  # the last is what label -1 reads
    kinds[marked[marked >= 0]] = is_surface[marked >= 0]
    return labels, np.asarray(kinds[labels], bool)
