"""Choice of the clustering constants on simulated validation scenes: coordinate search on embeddings computed once."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from ..clustering import ClusteringConfig, cluster
from ..config import SegmentationConfig
from ..metrics import FrameScore
from ..network import PointAttention
from .examples import Example, prepare
from .samples import load_sample
from .segmentation import VALIDATION_SEED_OFFSET, score_voxels

log = logging.getLogger(__name__)

GRID: dict[str, tuple[float, ...]] = {
    "bond_threshold": (-2.0, -1.5, -1.25, -1.0, -0.75, -0.5, -0.25, 0.0, 0.25),
    "scan_bond_threshold": (-2.0, -1.5, -1.25, -1.0, -0.75, -0.5, -0.25, 0.0, 0.25),
    "surface_threshold": (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6),
    "merge_radius": (0.0, 0.2, 0.35, 0.5, 0.65, 0.8),
    "part_threshold": (-3.0, -2.0, -1.5, -1.0, -0.5),
    "adopt_radius": (0.0, 0.3, 0.5, 1.0, 1.5),
    "min_voxels": (6, 8, 12, 18, 25),
}
"""Values tried for each constant, one constant at a time."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Network output for a validation scene, the input of the clustering, and the ground truth.

    Attributes:
        example: the scene and its truth; is_scan: whether it is a scan fused from many views.
        e: (V, d_e) embeddings; surface: (V,) probability of lying on a surface; bonds: (V, k) logits.
    """

    example: Example
    is_scan: bool
    e: NDArray[np.float32]
    surface: NDArray[np.float32]
    bonds: NDArray[np.float32]

    def objects(self, config: ClusteringConfig) -> NDArray[np.int64]:
        """(V,) object of each voxel or -1, as ``config`` groups them."""
        neighbors = self.example.hierarchy.levels[0].neighbors.numpy()
        return cluster(self.e, self.surface, self.bonds, neighbors, "fast", config)[0]


@torch.no_grad()
def embed_scenes(
    network: PointAttention, seed: int, scenes: int, cache: Path | None, max_voxels: int | None = None
) -> list[Embedded]:
    """Run the network on validation scenes of at most ``max_voxels`` voxels each, by default the pipeline's budgets for
    frames and scans."""
    budget = SegmentationConfig()
    rows = []
    for index in tqdm(range(scenes), desc="validation scenes", unit="scene", mininterval=5):
        sample = load_sample(seed + VALIDATION_SEED_OFFSET, index, cache)
        is_scan = sample.viewpoint is None
        most = max_voxels or (budget.max_scan_voxels if is_scan else budget.max_voxels)
        example = prepare(sample, np.random.default_rng(index), network.config, augment=False, max_voxels=most)
        f, e, logits = network(example.hierarchy)
        bonds = network.judge_edges(f, example.hierarchy.levels[0], example.colors)
        rows.append(Embedded(example, is_scan, e.numpy(), logits.sigmoid().numpy(), bonds.numpy()))
    return rows


def quality(row: Embedded, config: ClusteringConfig) -> float:
    """``overall`` of a scene clustered with the constants ``config``."""
    return overall(score_voxels(row.example, row.objects(config)))


def overall(score: FrameScore) -> float:
    """Mean of a scene's overlap F, share of objects with F > 0.75 and F-measure of objects at IoU > 0.5."""
    return (score.overlap.f + score.detected + score.iou50.f) / 3


def smoothed(scores: list[float]) -> NDArray[np.float64]:
    """Average each score with its neighbours', weights 1, 2, 1, so that the middle of a plateau is preferred to the
    edge of a cliff, beyond which scenes of another sensor might fall."""
    padded = np.pad(np.asarray(scores), 1, mode="edge")
    return np.asarray((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4)


def tune_clustering(
    rows: Sequence[Embedded], rounds: int = 2, start: ClusteringConfig | None = None
) -> tuple[ClusteringConfig, dict[str, float]]:
    """Choose the constants of ``GRID`` on embedded scenes, see ``choose``; all others are taken from ``start``, or are
    the defaults."""

    @functools.cache
    def of_scene(index: int, config: ClusteringConfig) -> float:
        return quality(rows[index], config)

    def reach(config: ClusteringConfig) -> float:
        return float(np.mean([of_scene(k, config.for_cloud(row.is_scan)) for k, row in enumerate(rows)]))

    return choose(start or ClusteringConfig(), GRID, reach, rounds)


def choose(
    best: ClusteringConfig, grid: Mapping[str, Sequence[float]], reach: Callable[[ClusteringConfig], float],
    rounds: int = 2,
) -> tuple[ClusteringConfig, dict[str, float]]:  # fmt: skip
    """Coordinate search starting from ``best``: for each constant of ``grid`` in turn, take the value with the best
    ``smoothed`` quality.

    Args:
        reach: quality of given constants, higher is better; rounds: passes over all constants.

    Returns:
        the best constants found, and the quality before and after.
    """
    before = reach(best)
    for _ in range(rounds):
        for name, values in grid.items():
            tried = [replace(best, **{name: value}) for value in values]  # type: ignore[arg-type]
            best = tried[int(np.argmax(smoothed([reach(config) for config in tried])))]
    reached = reach(best)
    log.info("constants: quality %.3f -> %.3f with %s", before, reached, best)
    return best, {"before": before, "after": reached}
