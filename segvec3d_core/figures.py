"""Figures over many frames or scans, with confidence intervals, and the calibration of scores.

A ``Row`` holds the contribution of one frame or scan. ``tabulate`` aggregates rows, each figure with a bootstrap
interval over the rows; ``reliability`` compares scores with how often they are right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segvec3d_core.metrics import FrameScore, PrecisionRecall, ScanOverlap, areas, rankings

RESAMPLES = 1000
"""Number of bootstrap resamples."""

FEWEST_RESAMPLED = 10
"""With fewer frames or scans no interval is given: a resample of two rooms says nothing about a third."""

Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """Contribution of one frame or scan to the figures of a method.

    Attributes:
        name: of the frame or scan.
        instances: overlap of predicted instances, including surfaces, with true ones, for average precision.
        scores, right: (n,) score of each predicted object and (n,) bool, whether it has IoU > 0.5 with a true one.
        adjusted_rand: agreement with the true instances over their points; NaN without any.
        surfaces: (2, 2) confusion of objects and surfaces (``metrics.surface_confusion``); zeros if unknown.
        masks: scores of a frame's masks; None for a scan.
        seconds: time of ``segment``.
        tags: properties of the frame or scan, such as its sensor.
    """

    name: str
    instances: ScanOverlap
    scores: NDArray[np.float64]
    right: NDArray[np.bool_]
    adjusted_rand: float
    surfaces: NDArray[np.int64]
    masks: FrameScore | None
    seconds: float
    tags: Mapping[str, Any] = field(default_factory=dict)

    @property
    def quality(self) -> float:
        """Value by which rows are ranked: overlap F of a frame, AP50 of a scan; 1 for a scan without instances."""
        if self.masks is not None:
            return self.masks.overlap.f
        ap50 = areas(rankings([self.instances]), np.ones(1))[1]
        return 1.0 if math.isnan(ap50) else ap50


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a table, a fraction.

    Attributes:
        value: over all rows; NaN if nothing was measured.
        low, high: its 95 % bootstrap interval; NaN for fewer than ``FEWEST_RESAMPLED`` rows.
    """

    value: float
    low: float = math.nan
    high: float = math.nan


_OF_A_FRAME: dict[str, Callable[[FrameScore], float]] = {
    "overlap_precision": lambda score: score.overlap.precision,
    "overlap_recall": lambda score: score.overlap.recall,
    "overlap_f": lambda score: score.overlap.f,
    "boundary_precision": lambda score: score.boundary.precision,
    "boundary_recall": lambda score: score.boundary.recall,
    "boundary_f": lambda score: score.boundary.f,
    "detected": lambda score: score.detected,
}
"""Figures that are means over frames."""


class Tally:
    """Statistics of R rows from which all figures are computed, so that a resample is a weighting of the rows."""

    def __init__(self, rows: Sequence[Row]) -> None:
        masks = [row.masks for row in rows if row.masks is not None]
        whole = bool(masks) and len(masks) == len(rows)
        self.means = {name: np.array([of(score) for score in masks]) for name, of in _OF_A_FRAME.items() if whole}
        self.means["adjusted_rand"] = np.array([row.adjusted_rand for row in rows])
        pooled = [(score.hits, score.predicted, score.true) for score in masks]
        self.pooled = np.array(pooled, np.float64) if whole else None
        self.surfaces = np.array([row.surfaces for row in rows], np.float64)
        self.rankings = rankings([row.instances for row in rows])

    def figures(self, weights: Weights) -> dict[str, float]:
        """All figures, with (R,) weights that tell how often each row counts."""
        values = {name: _weighted_mean(column, weights) for name, column in self.means.items()}
        if self.pooled is not None:
            hits, predicted, true = (float(n) for n in weights @ self.pooled)
            objects = PrecisionRecall.of(hits, predicted, hits, true)
            values |= {"iou50_precision": objects.precision, "iou50_recall": objects.recall, "iou50_f": objects.f}
        values |= zip(("ap", "ap50", "ap25"), areas(self.rankings, weights), strict=True)
        return values | _surface_figures(np.tensordot(weights, self.surfaces, 1))


def _weighted_mean(values: NDArray[np.float64], weights: Weights) -> float:
    """The weighted mean of the values that are not NaN; NaN if there are none."""
    known = ~np.isnan(values)
    total = float(weights[known].sum())
    return float(values[known] @ weights[known]) / total if total else math.nan


def _surface_figures(confusion: NDArray[np.float64]) -> dict[str, float]:
    """Accuracy and mean IoU of surface and object from a pooled confusion; NaN unless both kinds are present."""
    right, total = np.diagonal(confusion), confusion.sum()
    union = confusion.sum(0) + confusion.sum(1) - right
    known = confusion.sum(1) > 0
    if not known.all():  # with only one kind present, the distinction cannot be measured
        return {"surface_accuracy": math.nan, "surface_miou": math.nan}
    return {"surface_accuracy": float(right.sum() / total), "surface_miou": float((right / union).mean())}


def tabulate(rows: Sequence[Row], resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Figure]:
    """All figures of some rows, with 95 % intervals by the percentile bootstrap (Efron, 1979) over rows.

    Frames give ``overlap_*``, ``boundary_*``, ``detected`` (means over frames) and ``iou50_*`` (objects of all frames
    pooled); frames and scans give ``ap``, ``ap50``, ``ap25``, ``adjusted_rand``, ``surface_accuracy`` and
    ``surface_miou``.

    Args:
        rows: at least one; all of frames or all of scans.
        resamples: number of resamples, 0 for no intervals; seed: of the resampling.

    Raises:
        ValueError: no row.
    """
    if not rows:
        raise ValueError("rows: expected at least one frame or scan, got none")
    values = Tally(rows).figures(np.ones(len(rows)))
    drawn = resample(rows, resamples, seed) if len(rows) >= FEWEST_RESAMPLED and resamples else {}
    return {name: Figure(value, *interval(drawn.get(name, ()))) for name, value in values.items()}


def resample(rows: Sequence[Row], resamples: int = RESAMPLES, seed: int = 0) -> dict[str, NDArray[np.float64]]:
    """All figures of ``resamples`` samples of the rows, drawn with replacement.

    The draws depend only on the number of rows and the seed, so those of two methods on the same frames are paired, and
    their differences show how certain it is that one is better.
    """
    tally, count = Tally(rows), len(rows)
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    drawn = [tally.figures(weights.astype(np.float64)) for weights in draws]
    return {name: np.array([values[name] for values in drawn]) for name in drawn[0]}


def interval(values: Sequence[float] | NDArray[np.float64]) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of the values that are not NaN; NaN if there are none."""
    drawn = np.asarray(values, np.float64)
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return math.nan, math.nan
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def subsets(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Group rows by tags: one subset for each sensor, and one for each tag that is true ("hard")."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if isinstance(row.tags.get("sensor"), str):
            found.setdefault(f"sensor {row.tags['sensor']}", []).append(row)
        for key, value in row.tags.items():
            if value is True:
                found.setdefault(key, []).append(row)
    return dict(sorted(found.items(), key=lambda item: (not item[0].startswith("sensor "), item[0])))


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Scores against how often they are right, in bins of equal width (Niculescu-Mizil and Caruana, 2005).

    Attributes:
        edges: (B + 1,) bin edges, 0 to 1; counts: (B,) objects per bin.
        scores, shares: (B,) mean score and share with IoU > 0.5 per bin; NaN for an empty one.
        error: expected calibration error (Guo et al., 2017): mean of their absolute difference, weighted by objects.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    scores: NDArray[np.float64]
    shares: NDArray[np.float64]
    error: float


def reliability(rows: Sequence[Row], bins: int = 10) -> Reliability:
    """Calibration of the scores of all rows' objects; the error is NaN without any object."""
    scores = np.concatenate([row.scores for row in rows]) if rows else np.zeros(0)
    right = np.concatenate([row.right for row in rows]) if rows else np.zeros(0, bool)
    index = np.minimum((scores * bins).astype(np.int64), bins - 1)
    counts = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_score = np.bincount(index, scores, bins) / counts
        share = np.bincount(index, right, bins) / counts
    distance = np.abs(mean_score - share)[counts > 0] @ counts[counts > 0]
    error = float(distance / len(scores)) if len(scores) else math.nan
    return Reliability(np.linspace(0, 1, bins + 1), counts, mean_score, share, error)
