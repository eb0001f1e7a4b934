"""Metrics: object masks in images, instances in scans, agreement of clusterings, hit rates.

- ``score_frame``: overlap and boundary F of UOIS-Net (Xie et al., 2021) and UCN (Xiang et al., 2020), and the number of
  objects found at IoU > 0.5.
- ``average_precision``: class-agnostic AP, AP50 and AP25 by ScanNet's protocol.
- ``surface_confusion``: surfaces against objects, point by point.
- ``adjusted_rand_index`` over the points of a frame's or a scan's objects, ``HitRate`` with Wilson's interval.

``figures.py`` aggregates many frames or scans. All results are fractions, 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.optimize import linear_sum_assignment

from segvec3d_core.datasets.frames import IGNORE

BOUNDARY_TOLERANCE = 0.003
"""Distance within which a border pixel counts as a hit, as a share of the image diagonal (rounded up to pixels)."""

DETECTED = 0.75
"""F-measure above which an object counts as detected."""

AP_THRESHOLDS = tuple(np.arange(0.5, 0.95, 0.05).round(2).tolist())
"""IoU thresholds over which AP is averaged, as in ScanNet's evaluation (0.5 to 0.9)."""

Ints = NDArray[Any]


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Precision, recall and their harmonic mean."""

    precision: float
    recall: float

    @property
    def f(self) -> float:
        """F-measure; 0 if precision and recall are both 0."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total > 0 else 0.0

    @classmethod
    def of(cls, hits_predicted: float, predicted: float, hits_true: float, true: float) -> PrecisionRecall:
        """From counts. Precision without predictions and recall without true items are 1."""
        return cls(hits_predicted / predicted if predicted else 1.0, hits_true / true if true else 1.0)


@dataclass(frozen=True, slots=True)
class FrameScore:
    """Scores of one frame's object masks.

    Attributes:
        overlap: of the pixels of all objects, those in the intersection of matched pairs.
        boundary: of the border pixels of all objects, those near the border of their match.
        detected: share of true objects matched with an F-measure above ``DETECTED``.
        predicted, true: number of objects.
        hits: number of pairs with IoU > 0.5.
        adjusted_rand: agreement with the true objects over their pixels; NaN without any.
    """

    overlap: PrecisionRecall
    boundary: PrecisionRecall
    detected: float
    predicted: int
    true: int
    hits: int
    adjusted_rand: float

    @property
    def iou50(self) -> PrecisionRecall:
        """Of the objects, those with a counterpart at IoU > 0.5."""
        return PrecisionRecall.of(self.hits, self.predicted, self.hits, self.true)


def contingency(a: Ints, b: Ints) -> tuple[Ints, Ints, Ints]:
    """Contingency table of two labellings.

    Args:
        a, b: labels of the same N items.

    Returns:
        The labels of ``a`` (A,), those of ``b`` (B,), both ascending, and the (A, B) int64 counts.
    """
    a_labels, a_index = np.unique(a, return_inverse=True)
    b_labels, b_index = np.unique(b, return_inverse=True)
    pairs = a_index.reshape(-1) * len(b_labels) + b_index.reshape(-1)
    counts = np.bincount(pairs, minlength=len(a_labels) * len(b_labels))
    return a_labels, b_labels, counts.reshape(len(a_labels), len(b_labels))


def score_frame(predicted: Ints, true: Ints, ignore: int = IGNORE) -> FrameScore:
    """Score one frame's object masks as UOIS-Net and UCN do.

    Predicted and true objects are matched one to one so that the sum of their F-measures is maximal.

    Args:
        predicted: (H, W) integers, predicted objects; below 1 for none.
        true: (H, W) integers, 0 for background and ``ignore`` for pixels that are not counted.

    Raises:
        ValueError: not two images of one size.
    """
    if predicted.ndim != 2 or predicted.shape != true.shape:
        raise ValueError(f"masks: expected two images of one size, got {predicted.shape} and {true.shape}")
    counted = true != ignore
    predicted = np.where(counted & (predicted > 0), predicted, 0)
    true = np.where(counted & (true > 0), true, 0)
    p_labels, t_labels, counts = contingency(predicted, true)
    p_keep, t_keep = p_labels > 0, t_labels > 0
    p_sizes, t_sizes = counts.sum(1)[p_keep], counts.sum(0)[t_keep]
    p_labels, t_labels, counts = p_labels[p_keep], t_labels[t_keep], counts[p_keep][:, t_keep]
    f = 2 * counts / (p_sizes[:, None] + t_sizes[None, :])
    rows, columns = linear_sum_assignment(-f)
    matched = int(counts[rows, columns].sum())
    iou = counts / (p_sizes[:, None] + t_sizes[None, :] - counts)
    pairs = [(p_labels[row], t_labels[column]) for row, column in zip(rows, columns, strict=True)]
    return FrameScore(
        overlap=PrecisionRecall.of(matched, p_sizes.sum(), matched, t_sizes.sum()),
        boundary=_boundary(predicted, true, pairs, counted),
        detected=float((f[rows, columns] > DETECTED).sum() / len(t_labels))
        if len(t_labels)
        else float(not len(p_labels)),
        predicted=len(p_labels),
        true=len(t_labels),
        hits=int((iou > 0.5).sum()),
        adjusted_rand=adjusted_rand_index(predicted, true),
    )


def _boundary(predicted: Ints, true: Ints, pairs: list[tuple[int, int]], counted: NDArray[np.bool_]) -> PrecisionRecall:
    """Border precision and recall of matched pairs over the borders of all objects."""
    tolerance = math.ceil(BOUNDARY_TOLERANCE * math.hypot(*predicted.shape))
    p_borders, t_borders = _borders(predicted, counted), _borders(true, counted)
    hits_predicted = hits_true = 0
    for p, t in pairs:
        hits_predicted += _near(p_borders[p], t_borders[t], tolerance)
        hits_true += _near(t_borders[t], p_borders[p], tolerance)
    return PrecisionRecall.of(
        hits_predicted, sum(map(len, p_borders.values())), hits_true, sum(map(len, t_borders.values()))
    )


def _borders(labels: Ints, counted: NDArray[np.bool_]) -> dict[int, NDArray[np.int64]]:
    """Border pixels (n, 2) of each label above 0: those that differ from the pixel to the right, below or both.

    This is the border of the DAVIS benchmark, which both papers use: it lies on both sides of an edge, and the image
    border is not included. Pixels that are not ``counted`` are left out.
    """
    borders = {}
    for label in np.unique(labels[labels > 0]):
        rows, columns = np.flatnonzero((labels == label).any(1)), np.flatnonzero((labels == label).any(0))
        top, left = max(rows[0] - 1, 0), max(columns[0] - 1, 0)
        box = np.s_[top : rows[-1] + 2, left : columns[-1] + 2]
        mask = labels[box] == label
        padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")  # no change beyond the image border
        border = (mask != padded[:-1, 1:]) | (mask != padded[1:, :-1]) | (mask != padded[1:, 1:])
        borders[int(label)] = np.argwhere(border & counted[box]) + np.array([top, left])
    return borders


def _near(border: NDArray[np.int64], other: NDArray[np.int64], tolerance: int) -> int:
    """Number of ``border`` pixels with a pixel of ``other`` within ``tolerance``."""
    if not len(border) or not len(other):
        return 0
    low = np.minimum(border.min(0), other.min(0))
    empty = np.ones(np.maximum(border.max(0), other.max(0)) - low + 1, bool)
    empty[tuple((other - low).T)] = False
    distance = distance_transform_edt(empty)
    return int((distance[tuple((border - low).T)] <= tolerance).sum())


@dataclass(frozen=True, slots=True, eq=False)
class ScanOverlap:
    """Overlap of one scan's P predicted instances with its T true ones.

    Attributes:
        intersection: (P, T) number of shared points.
        predicted_sizes, true_sizes: (P,), (T,) number of points.
        void: (P,) number of points that are unlabelled or on instances too small to count.
        scores: (P,) confidence.
    """

    intersection: NDArray[np.int64]
    predicted_sizes: NDArray[np.int64]
    true_sizes: NDArray[np.int64]
    void: NDArray[np.int64]
    scores: NDArray[np.float64]

    @property
    def iou(self) -> NDArray[np.float64]:
        """(P, T) intersection over union."""
        union = self.predicted_sizes[:, None] + self.true_sizes[None, :] - self.intersection
        return np.asarray(self.intersection / union)


def scan_overlap(
    predicted: Ints, scores: Sequence[float] | NDArray[Any], true: Ints, min_points: int = 100
) -> ScanOverlap:
    """Compare a scan's predicted instances with its true ones.

    Args:
        predicted: (N,) integers: k for the instance with ``scores[k]``, below 0 for none.
        scores: confidence of each instance.
        true: (N,) integers, below 1 for void: unlabelled or not an instance.
        min_points: smaller predictions are dropped and smaller true instances are void, as in ScanNet.
    """
    if predicted.shape != true.shape or predicted.ndim != 1:
        raise ValueError(f"labels: expected two arrays of shape (N,), got {predicted.shape} and {true.shape}")
    p_labels, t_labels, counts = contingency(predicted, np.maximum(true, 0))
    t_valid = (t_labels > 0) & (counts.sum(0) >= min_points)
    p_valid = (p_labels >= 0) & (counts.sum(1) >= min_points)
    confidence = np.asarray(scores, np.float64)[p_labels[p_valid]]
    counts_valid = counts[p_valid]
    return ScanOverlap(
        intersection=counts_valid[:, t_valid],
        predicted_sizes=counts_valid.sum(1),
        true_sizes=counts.sum(0)[t_valid],
        void=counts_valid[:, ~t_valid].sum(1),
        scores=confidence,
    )


@dataclass(frozen=True, slots=True)
class AveragePrecision:
    """Class-agnostic average precision.

    Attributes:
        ap: mean over the IoU thresholds 0.50, 0.55, ... 0.90.
        ap50, ap25: at IoU 0.50 and 0.25.
        predicted, true: number of instances compared.
    """

    ap: float
    ap50: float
    ap25: float
    predicted: int
    true: int


def average_precision(scans: Sequence[ScanOverlap]) -> AveragePrecision:
    """AP, AP50 and AP25 over all scans by ScanNet's protocol, without classes.

    An unmatched prediction is a false positive, unless it overlaps no true instance above the IoU threshold and its
    share on void exceeds the threshold: then it is ignored. Without any true instance the figures are NaN.
    """
    return AveragePrecision(
        *areas(rankings(scans), np.ones(len(scans))),
        predicted=sum(len(scan.scores) for scan in scans),
        true=sum(len(scan.true_sizes) for scan in scans),
    )


def rankings(scans: Sequence[ScanOverlap]) -> dict[float, Ranking]:
    """The ranked predictions of all scans for each IoU threshold, from which average precision is computed."""
    return {threshold: Ranking.of(scans, threshold) for threshold in (*AP_THRESHOLDS, 0.25)}


def areas(ranked: dict[float, Ranking], weights: NDArray[Any]) -> tuple[float, float, float]:
    """AP, AP50 and AP25 of ``rankings``, with (S,) weights that tell how often each scan counts."""
    area = {threshold: ranking.area(weights) for threshold, ranking in ranked.items()}
    return float(np.mean([area[threshold] for threshold in AP_THRESHOLDS])), area[0.5], area[0.25]


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The n predictions of S scans that count at one IoU threshold, best score first.

    Attributes:
        scan: (n,) scan of each; correct: (n,) bool, whether it is matched to a true instance.
        last: (n,) bool, the last of each distinct score; true: (S,) number of true instances of each scan.
    """

    scan: NDArray[np.int64]
    correct: NDArray[np.bool_]
    last: NDArray[np.bool_]
    true: NDArray[np.int64]

    @classmethod
    def of(cls, scans: Sequence[ScanOverlap], threshold: float) -> Ranking:
        """Match each scan's predictions at an IoU threshold and rank those of all scans together."""
        matched = [_matched(scan, threshold) for scan in scans]
        correct = np.concatenate([right for right, _ in matched])
        scores = np.concatenate([score for _, score in matched])
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        return cls(
            scan=np.repeat(np.arange(len(scans)), [len(right) for right, _ in matched])[order],
            correct=correct[order],
            last=np.append(ranked[1:] != ranked[:-1], np.ones(min(1, len(ranked)), bool)),
            true=np.array([len(scan.true_sizes) for scan in scans], np.int64),
        )

    def area(self, weights: NDArray[Any]) -> float:
        """Area under the precision-recall curve with ScanNet's centred steps; ties share one point of the curve.

        Args:
            weights: (S,) how often each scan counts.
        """
        total = float(self.true @ weights)
        if total == 0:
            return math.nan
        each = weights[self.scan]
        hits, ranked = np.cumsum(self.correct * each)[self.last], np.cumsum(each)[self.last]
        precision = np.append(1.0, np.divide(hits, ranked, out=np.ones(len(hits)), where=ranked > 0))
        recall = np.append(0.0, hits / total)
        padded = np.concatenate([[0.0], recall, recall[-1:]])
        return float(np.sum(precision * (padded[2:] - padded[:-2]) / 2)) if len(hits) else 0.0


def _matched(scan: ScanOverlap, threshold: float) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether each prediction that counts is matched to a true instance, and its score."""
    overlaps = scan.iou > threshold
    used = np.zeros(len(scan.predicted_sizes), bool)
    for t in range(len(scan.true_sizes)):
        found = np.flatnonzero(overlaps[:, t] & ~used)
        if len(found):
            used[found[np.argmax(scan.scores[found])]] = True
    void = scan.void / scan.predicted_sizes > threshold
    counted = used | overlaps.any(1) | ~void
    return used[counted], scan.scores[counted]


def scored_hits(scan: ScanOverlap) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Data of a reliability plot: the score of each prediction, and whether it is matched at IoU > 0.5.

    Predictions mostly on void are left out, because the truth there is unknown.
    """
    right, scores = _matched(scan, 0.5)
    return scores, right


def surface_confusion(on_object: NDArray[np.bool_], surface: NDArray[Any]) -> NDArray[np.int64]:
    """Confusion matrix of objects and surfaces over points.

    Args:
        on_object: (N,) bool, whether a point was assigned to an object; all others count as surface.
        surface: (N,) integers, 1 for a true surface, 0 for an object, below 0 if unknown.

    Returns:
        (2, 2) counts: rows true object and surface, columns predicted object and surface.
    """
    known = surface >= 0
    pairs = 2 * (surface[known] > 0).astype(np.int64) + ~on_object[known]
    return np.bincount(pairs, minlength=4).reshape(2, 2)


def adjusted_rand_index(predicted: Ints, true: Ints) -> float:
    """Agreement of two clusterings (Hubert and Arabie, 1985): 1 for identical ones, about 0 for chance.

    Args:
        predicted: labels of any shape; all labels below 0 form one cluster.
        true: labels of the same shape. Only items with labels above 0 count; NaN without any.
    """
    known = true > 0
    if not known.any():
        return math.nan
    counts = contingency(np.maximum(predicted[known], -1), true[known])[2].astype(np.float64)
    together, by_predicted, by_true, pairs = (
        float((n * (n - 1) / 2).sum()) for n in (counts, counts.sum(1), counts.sum(0), counts.sum())
    )
    by_chance, at_most = by_predicted * by_true / max(pairs, 1.0), (by_predicted + by_true) / 2
    if at_most == by_chance:  # all in one cluster, or each by itself, in both
        return 1.0
    return (together - by_chance) / (at_most - by_chance)


@dataclass(frozen=True, slots=True)
class HitRate:
    """A success rate.

    Attributes:
        hits, total: number of successes and of trials.
    """

    hits: int
    total: int

    @property
    def rate(self) -> float:
        """hits / total; NaN without trials."""
        return self.hits / self.total if self.total else math.nan

    def interval(self, z: float = 1.959964) -> tuple[float, float]:
        """Wilson's interval of the rate, 95 % by default; 0 to 1 without trials."""
        if not self.total:
            return 0.0, 1.0
        n, p = self.total, self.rate
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, centre - half), min(1.0, centre + half)
