"""Figures of many frames and scans: means and pools of known answers, intervals that cover, scores that are weighed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segvec3d_core.figures import Figure, Row, Tally, reliability, subsets, tabulate
from segvec3d_core.metrics import FrameScore, PrecisionRecall, ScanOverlap, average_precision, scan_overlap

NOTHING_KNOWN = np.zeros((2, 2), np.int64)
GOOD = FrameScore(PrecisionRecall(1, 1), PrecisionRecall(1, 0.5), 1.0, 1, 1, 1, 0.8)
BAD = FrameScore(PrecisionRecall(0, 0), PrecisionRecall(0, 0), 0.0, 1, 3, 0, math.nan)


def overlap(found: bool = True, score: float = 0.5) -> ScanOverlap:
    """One true instance, and one prediction that lies on it, or beside it."""
    true = np.repeat([1, 2], [200, 200])
    predicted = np.repeat([0, -1], [200, 200]) if found else np.repeat([-1, 0, -1], [180, 40, 180])
    return scan_overlap(predicted, [score], np.where(true == 1, 1, 0) if found else np.where(true == 2, 1, 1), 1)


def row(
    masks: FrameScore | None = None,
    instances: ScanOverlap | None = None,
    scores: tuple[float, ...] = (),
    right: tuple[bool, ...] = (),
    surfaces: np.ndarray = NOTHING_KNOWN,
    tags: Mapping[str, Any] | None = None,
) -> Row:
    agreement = math.nan if masks is None else masks.adjusted_rand
    return Row(
        "a",
        instances or overlap(),
        np.array(scores),
        np.array(right, bool),
        agreement,
        surfaces,
        masks,
        0.1,
        tags or {},
    )


def test_masks_are_averaged_over_frames_and_objects_pooled() -> None:
    figures = tabulate([row(GOOD), row(BAD)])
    assert figures["overlap_f"].value == 0.5
    assert figures["boundary_recall"].value == 0.25
    assert figures["detected"].value == 0.5
    assert (figures["iou50_precision"].value, figures["iou50_recall"].value) == (0.5, 0.25)
    assert figures["adjusted_rand"].value == 0.8, "a frame without true objects has none"


def test_scans_have_no_figures_of_masks_and_nothing_at_all_is_an_error() -> None:
    assert not {"overlap_f", "iou50_f"} & tabulate([row()]).keys()
    with pytest.raises(ValueError, match="expected at least one frame or scan, got none"):
        tabulate([])


@pytest.mark.parametrize(
    ("confusion", "accuracy", "miou"),
    [([[6, 0], [0, 4]], 1.0, 1.0), ([[4, 2], [1, 3]], 0.7, (4 / 7 + 3 / 6) / 2), ([[5, 5], [0, 0]], None, None)],
    ids=["all right", "some wrong", "no true surface"],
)
def test_surfaces_are_scored_by_accuracy_and_mean_iou(
    confusion: list[list[int]], accuracy: float | None, miou: float | None
) -> None:
    halves = [row(surfaces=np.array(confusion)), row(surfaces=NOTHING_KNOWN)]
    figures = tabulate(halves)
    if accuracy is None or miou is None:
        assert math.isnan(figures["surface_miou"].value)
    else:
        assert figures["surface_accuracy"].value == pytest.approx(accuracy)
        assert figures["surface_miou"].value == pytest.approx(miou)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.2, 0.5, 0.9]), st.integers(0, 3)), min_size=1, max_size=6))
def test_a_weighted_row_is_the_row_so_many_times(drawn: list[tuple[bool, float, int]]) -> None:
    """What makes the bootstrap cheap: a resample need not be put together to be scored."""
    if not any(count for _, _, count in drawn):
        return
    scans = [overlap(found, score) for found, score, _ in drawn]
    counts = [count for _, _, count in drawn]
    figures = Tally(
        [row(GOOD if found else BAD, scan) for (found, _, _), scan in zip(drawn, scans, strict=True)]
    ).figures(np.array(counts, float))
    repeated = [scan for scan, count in zip(scans, counts, strict=True) for _ in range(count)]
    expected = average_precision(repeated)
    assert (figures["ap"], figures["ap50"]) == pytest.approx((expected.ap, expected.ap50))
    copies = [GOOD if found else BAD for found, _, count in drawn for _ in range(count)]
    assert figures["overlap_f"] == pytest.approx(np.mean([copy.overlap.f for copy in copies]))


def test_an_interval_holds_the_value_and_narrows_with_more_frames() -> None:
    few = tabulate([row(GOOD), row(BAD)] * 10)["overlap_f"]
    many = tabulate([row(GOOD), row(BAD)] * 160)["overlap_f"]
    assert few.low < many.low < 0.5 < many.high < few.high
    half_width = 1.96 * 0.5 / math.sqrt(20)
    assert few.low == pytest.approx(0.5 - half_width, abs=0.03), "near the normal approximation"
    assert few.high == pytest.approx(0.5 + half_width, abs=0.03)
    assert tabulate([row(GOOD), row(BAD)] * 10)["overlap_f"] == few, "a run repeats"


def test_frames_that_are_all_alike_leave_no_doubt_and_two_rooms_tell_no_interval() -> None:
    assert tabulate([row(GOOD)] * 12)["overlap_f"] == Figure(1.0, 1.0, 1.0)
    assert math.isnan(tabulate([row(GOOD), row(BAD)])["overlap_f"].low)
    assert math.isnan(tabulate([row(GOOD), row(BAD)] * 10, resamples=0)["overlap_f"].low)


def test_subsets_are_the_sensors_and_what_is_true_of_some() -> None:
    tags: list[dict[str, Any]] = [
        {"sensor": "stereo", "hard": True}, {"sensor": "kinect", "hard": False, "objects": 5}, {"hard": True}, {},
    ]  # fmt: skip
    rows = [row(tags=tag) for tag in tags]
    found = subsets(rows)
    assert list(found) == ["sensor kinect", "sensor stereo", "hard"]
    assert found["hard"] == [rows[0], rows[2]]
    assert found["sensor stereo"] == [rows[0]]


def test_the_worst_frame_is_told_by_overlap_and_the_worst_scan_by_ap50() -> None:
    assert (row(GOOD).quality, row(BAD).quality) == (1.0, 0.0)
    assert (row(instances=overlap()).quality, row(instances=overlap(found=False)).quality) == (1.0, 0.0)
    empty = scan_overlap(np.full(10, -1), [], np.zeros(10, int))
    assert row(instances=empty).quality == 1.0, "where nothing is, nothing is missed"


def test_a_score_is_worth_what_share_of_it_is_right() -> None:
    rows = [
        row(scores=(0.9, 0.9, 0.9, 0.9), right=(True, True, True, False)),
        row(scores=(0.1, 1.0), right=(False, True)),
    ]
    plot = reliability(rows)
    assert plot.counts.tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0, 5]
    assert plot.shares[9] == pytest.approx(4 / 5)
    assert plot.scores[9] == pytest.approx(4.6 / 5)
    assert plot.error == pytest.approx((1 * 0.1 + 5 * abs(4.6 / 5 - 4 / 5)) / 6)
    assert math.isnan(plot.scores[0])
    assert math.isnan(reliability([row()]).error)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
def test_every_object_is_in_one_bin_and_the_error_is_a_fraction(objects: list[tuple[float, bool]]) -> None:
    plot = reliability([row(scores=tuple(s for s, _ in objects), right=tuple(r for _, r in objects))])
    assert plot.counts.sum() == len(objects)
    assert 0 <= plot.error <= 1
