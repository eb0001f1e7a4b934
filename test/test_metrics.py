"""Metrics: known answers, and what must hold for any masks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import adjusted_rand_score

from segvec3d_core.metrics import (
    HitRate,
    PrecisionRecall,
    adjusted_rand_index,
    average_precision,
    contingency,
    scan_overlap,
    score_frame,
)

LABELS = arrays(np.int64, (12, 16), elements=st.sampled_from([0, 0, 1, 2, 3, 255]))


def squares(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (100, 100)) -> np.ndarray:
    """An image in which box k (top, left, bottom, right) has label k + 1."""
    image = np.zeros(size, np.int32)
    for k, (top, left, bottom, right) in enumerate(boxes):
        image[top:bottom, left:right] = k + 1
    return image


def test_half_an_object_found() -> None:
    score = score_frame(squares((10, 10, 30, 20)), squares((10, 10, 30, 30)))
    assert score.overlap == PrecisionRecall(1.0, 0.5)
    assert score.overlap.f == pytest.approx(2 / 3)
    assert score.detected == 0.0  # F = 2/3
    assert (score.predicted, score.true, score.hits) == (1, 1, 0)  # IoU is 0.5, not above


def test_unmatched_objects_cost_precision_and_recall() -> None:
    true = squares((0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10))
    found = squares((0, 0, 10, 10), (20, 0, 30, 10), (60, 0, 70, 40))
    score = score_frame(found, true)
    assert score.adjusted_rand == pytest.approx(1), "the third object's pixels are nothing, and by themselves"
    assert score.overlap == PrecisionRecall(200 / 600, 200 / 300)
    assert score.detected == pytest.approx(2 / 3)
    assert (score.predicted, score.true, score.hits) == (3, 3, 2)


def test_matching_is_one_to_one_and_best_overall() -> None:
    true = squares((0, 0, 10, 20))
    split = squares((0, 0, 10, 10), (0, 10, 10, 20))
    assert score_frame(split, true).overlap == PrecisionRecall(0.5, 0.5)
    merged = score_frame(true, split)
    assert merged.overlap == PrecisionRecall(0.5, 0.5)
    assert merged.detected == 0.0
    assert merged.adjusted_rand == score_frame(split, true).adjusted_rand == 0.0


def test_ignored_pixels_count_nowhere() -> None:
    true = squares((10, 10, 30, 30))
    true[:, 20:40] = 255
    found = squares((10, 10, 30, 30), (50, 22, 60, 38))
    score = score_frame(found, true)
    assert score.overlap == PrecisionRecall(1.0, 1.0)
    assert score.boundary == PrecisionRecall(1.0, 1.0)
    assert (score.predicted, score.hits) == (1, 1)
    assert score.adjusted_rand == 1


@pytest.mark.parametrize(("shift", "boundary"), [(0, 1.0), (1, 1.0), (3, None)])
def test_a_border_is_hit_within_the_tolerance(shift: int, boundary: float | None) -> None:
    """At 100 x 100 the tolerance is one pixel: a shift by one is free, one by three loses two sides of four."""
    score = score_frame(squares((20, 20 + shift, 60, 60 + shift)), squares((20, 20, 60, 60)))
    if boundary is None:
        assert 0.45 < score.boundary.f < 0.6
    else:
        assert score.boundary.f == pytest.approx(boundary)


@pytest.mark.parametrize(
    ("found", "true", "precision", "recall", "detected"),
    [(0, 0, 1, 1, 1), (0, 1, 1, 0, 0), (1, 0, 0, 1, 0)],
)
def test_nothing_predicted_and_nothing_there(
    found: int, true: int, precision: float, recall: float, detected: float
) -> None:
    box = (10, 10, 30, 30)
    score = score_frame(squares(*[box] * found), squares(*[box] * true))
    for part in (score.overlap, score.boundary):
        assert part == PrecisionRecall(precision, recall)
    assert score.detected == detected


@settings(deadline=None)
@given(LABELS)
def test_the_truth_scores_full_marks(true: np.ndarray) -> None:
    score = score_frame(np.where(true == 255, 7, true), true)
    assert score.overlap == PrecisionRecall(1, 1)
    assert score.boundary == PrecisionRecall(1, 1)
    assert score.detected == 1
    assert score.adjusted_rand == 1 or (score.true == 0 and math.isnan(score.adjusted_rand))
    assert score.hits == score.true == score.predicted


@settings(deadline=None)
@given(LABELS, LABELS)
def test_scores_lie_between_0_and_1_and_do_not_depend_on_the_numbering(found: np.ndarray, true: np.ndarray) -> None:
    score = score_frame(found, true)
    for part in (score.overlap, score.boundary):
        assert 0 <= part.precision <= 1
        assert 0 <= part.recall <= 1
    assert 0 <= score.detected <= 1
    assert score.hits <= min(score.true, score.predicted)
    renumbered = np.array([0, 30, 10, 20])[np.where(found == 255, 0, found)]
    renumbered[found == 255] = 40
    again = score_frame(renumbered, true)
    assert again.overlap.f == pytest.approx(score.overlap.f)
    assert (again.true, again.predicted, again.hits) == (score.true, score.predicted, score.hits)


@settings(deadline=None)
@given(LABELS, LABELS)
def test_precision_and_recall_swap_with_the_roles(a: np.ndarray, b: np.ndarray) -> None:
    a, b = np.where(a == 255, 0, a), np.where(b == 255, 0, b)
    if a.any() and b.any():
        forward, backward = score_frame(a, b), score_frame(b, a)
        assert forward.overlap.f == pytest.approx(backward.overlap.f)
        assert forward.hits == backward.hits


def test_images_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"masks: expected two images of one size, got \(4, 5\) and \(5, 4\)"):
        score_frame(np.zeros((4, 5), int), np.zeros((5, 4), int))


def instances(*sizes: int) -> np.ndarray:
    """Labels 0, 1, 2, ... of which label k occurs sizes[k] times."""
    return np.repeat(np.arange(len(sizes)), sizes)


def test_perfect_instances_have_an_ap_of_one() -> None:
    true = instances(500, 200, 300)
    result = average_precision([scan_overlap(true - 1, [0.5, 0.5], true)])
    assert (result.ap, result.ap50, result.ap25) == (1.0, 1.0, 1.0)
    assert (result.predicted, result.true) == (2, 2)


def test_ap_falls_with_the_overlap_threshold() -> None:
    """One of one instance at IoU 0.6: found at 0.25 and 0.50 and 0.55, lost from 0.60 on."""
    true = instances(0, 1000)
    found = np.where(np.arange(1000) < 600, 0, -1)
    result = average_precision([scan_overlap(found, [1.0], true)])
    assert (result.ap50, result.ap25) == (1.0, 1.0)
    assert result.ap == pytest.approx(2 / 9)


def test_ap_of_a_known_ranking() -> None:
    """A right, a wrong and a right prediction for three instances, integrated with ScanNet's centred steps."""
    true = np.repeat([1, 2, 3], [200, 200, 1000])
    found = np.repeat([0, 2, 1, -1], [200, 200, 150, 850])
    result = average_precision([scan_overlap(found, [0.9, 0.6, 0.3], true)])
    precision, recall = [1, 1, 1 / 2, 2 / 3], [0, 1 / 3, 1 / 3, 2 / 3]
    padded = [0, *recall, recall[-1]]
    expected = sum(p * (padded[i + 2] - padded[i]) / 2 for i, p in enumerate(precision))
    assert result.ap50 == pytest.approx(expected)


def test_a_prediction_mostly_on_void_is_ignored_and_one_on_nothing_costs() -> None:
    true = instances(1000, 300)
    on_void = np.where(np.arange(1300) >= 1000, 0, np.where(np.arange(1300) < 400, 1, -1))
    assert average_precision([scan_overlap(on_void, [0.5, 0.9], true)]).ap50 == 1.0
    beside = np.concatenate([true, np.full(400, 2)])
    found = np.concatenate([np.where(true == 1, 0, -1), np.where(np.arange(400) < 150, 1, -1)])
    assert average_precision([scan_overlap(found, [0.5, 0.9], beside)]).ap50 < 0.5


def test_small_instances_neither_count_nor_cost() -> None:
    true = instances(0, 300, 60)
    result = average_precision([scan_overlap(true - 1, [0.5, 0.9], true)])
    assert (result.ap50, result.predicted, result.true) == (1.0, 1, 1)


def test_of_two_predictions_on_one_instance_the_surer_counts() -> None:
    true = instances(0, 1000)
    halves = np.where(np.arange(1000) < 600, 0, 1)
    result = average_precision([scan_overlap(halves, [0.2, 0.8], true)])
    assert result.ap25 == pytest.approx(1.0)  # the false one ranks below, at full recall
    assert average_precision([scan_overlap(halves, [0.2, 0.8], true)]).ap50 < 1.0


def test_ap_without_any_true_instance_is_not_a_number() -> None:
    assert math.isnan(average_precision([scan_overlap(np.zeros(200, int), [1.0], np.zeros(200, int))]).ap50)


@settings(max_examples=50, deadline=None)
@given(arrays(np.int64, 400, elements=st.integers(-1, 3)), arrays(np.int64, 400, elements=st.integers(0, 3)))
def test_ap_lies_between_0_and_1_and_falls_with_the_threshold(found: np.ndarray, true: np.ndarray) -> None:
    result = average_precision([scan_overlap(found, [0.1, 0.2, 0.3, 0.4], true, min_points=1)])
    if result.true:
        assert 0 <= result.ap <= result.ap50 + 1e-9
        assert 0 <= result.ap25 <= 1


@settings(deadline=None)
@given(arrays(np.int64, 60, elements=st.integers(-2, 4)), arrays(np.int64, 60, elements=st.integers(0, 3)))
def test_contingency_counts_every_pair(a: np.ndarray, b: np.ndarray) -> None:
    a_labels, b_labels, counts = contingency(a, b)
    for i, x in enumerate(a_labels):
        for j, y in enumerate(b_labels):
            assert counts[i, j] == ((a == x) & (b == y)).sum()


@settings(deadline=None)
@given(arrays(np.int64, 40, elements=st.integers(-2, 3)), arrays(np.int64, 40, elements=st.integers(0, 3)))
def test_adjusted_rand_index_is_that_of_scikit_learn(found: np.ndarray, true: np.ndarray) -> None:
    known = true > 0
    if known.any():
        expected = adjusted_rand_score(true[known], np.maximum(found, -1)[known])
        assert adjusted_rand_index(found, true) == pytest.approx(expected, abs=1e-12)


def test_adjusted_rand_index_ignores_what_has_no_label() -> None:
    true = instances(500, 100, 100)
    assert adjusted_rand_index(true + 5, true) == 1.0
    noisy = true.copy()
    noisy[:500] = np.arange(500)
    assert adjusted_rand_index(noisy, true) == 1.0
    assert math.isnan(adjusted_rand_index(true, np.zeros_like(true)))


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (45, 92, 0.3895, 0.5896), (0, 0, 0, 1)],
)
def test_wilson_interval(hits: int, total: int, low: float, high: float) -> None:
    """Against values of statsmodels.stats.proportion.proportion_confint(method="wilson")."""
    assert HitRate(hits, total).interval() == pytest.approx((low, high), abs=1e-3)
