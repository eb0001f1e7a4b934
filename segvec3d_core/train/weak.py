"""Weak grouping signals (section 3.2): what stands in for full instance labels.

The answer is always a (V,) label array with -1 for "nobody says", so the losses never know the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..kernels.components import connected
from ..network import Hierarchy

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Supervision:
    """Which weak signal a training run sees.

    Attributes:
        kind: "points": ``count`` labelled points a scene; "one-point": one labelled point per instance, spread over
            its over-segment; "agreement": the same, in one frame of a sequence, and carried to the next, which is
            learned from; "oversegmentation": pieces of smooth surface as instances, no label by hand at all.
        count: labelled points of a scene, for "points".
    """

    kind: Literal["points", "one-point", "agreement", "oversegmentation"]
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


def oversegment(hierarchy: Hierarchy, angle: float = 0.12) -> Labels:
    """Pieces of smooth surface: connected voxels whose normals turn by less than ``angle`` (chord) from one to the
    next -> (V,) int64."""
    normals = np.ascontiguousarray(hierarchy.normals, np.float32)
    neighbors = hierarchy.levels[0].neighbors.numpy()[:, :9].copy()
    return np.asarray(connected(normals, neighbors, np.ones(len(normals), bool), angle))


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
    from scipy.spatial import cKDTree

    if len(points_a) == 0:
        return np.full(len(points_b), -1, np.int64)
    distance, nearest = cKDTree(points_a).query(points_b)
    return np.where(distance <= radius, labels_a[nearest], -1)


def weaken(
    supervision: Supervision,
    truth: Labels,
    hierarchy: Hierarchy,
    is_surface: NDArray[np.bool_],
    rng: np.random.Generator,
) -> tuple[Labels, NDArray[np.bool_]]:
    """Reduce the true labels to what a weak annotator gives.

    Args:
        supervision: the signal; truth: (V,) true instances, -1 unknown; is_surface: (V,) bool, true kinds.

    Returns:
        labels (V,), -1 where nobody says; kinds (V,) bool, whether a labelled voxel lies on a surface. Labelled
        points come with their kind, and a piece takes that of its point; from over-segmentation alone, pieces of over
        a tenth of the scene are surfaces.
    """
    labelled = np.flatnonzero(truth >= 0)
    labels = np.full(len(truth), -1, np.int64)
    if supervision.kind == "points":
        chosen = rng.permutation(labelled)[: supervision.count]
        labels[chosen] = truth[chosen]
        return labels, is_surface
    pieces = oversegment(hierarchy)
    if supervision.kind == "oversegmentation":
        size = np.bincount(pieces)[pieces]
        return np.where(size >= 8, pieces, -1), size > len(pieces) / 10
    shuffled = rng.permutation(labelled)
    _, first = np.unique(truth[shuffled], return_index=True)
    kinds = np.zeros(len(truth), bool)
    for seed in shuffled[first]:
        piece = pieces == pieces[seed]
        labels[piece], kinds[piece] = truth[seed], is_surface[seed]
    return labels, kinds
