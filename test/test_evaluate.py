"""Evaluation: a model that knows the answer scores full marks, one that guesses scores chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segvec3d_core.baselines import PlaneDbscan
from segvec3d_core.config import SegmentationConfig
from segvec3d_core.datasets.frames import Frame, FrameFolder
from segvec3d_core.evaluate import evaluate_frames, evaluate_retrieval, evaluate_scans, object_mask, queries
from segvec3d_core.types import Box, Camera, Match, Matches, PointCloud, Scene, SceneObject

CAMERA = Camera(160, 120, 150.0, 150.0, 79.5, 59.5)
OSD = Path(__file__).resolve().parents[2] / "shared/data/osd"
needs_osd = pytest.mark.skipif(not OSD.is_dir(), reason="the OSD frames are not beside this checkout")


def table_frame(name: str = "a", seed: int = 0) -> Frame:
    """Two boxes of one name and one of another on a table, seen from above at 0.8 m, with noise and holes."""
    rng = np.random.default_rng(seed)
    depth = np.full((120, 160), 0.8, np.float32)
    label = np.zeros((120, 160), np.uint16)
    for k, (row, column) in enumerate([(20, 20), (30, 90), (75, 60)], start=1):
        depth[row : row + 30, column : column + 35] = 0.8 - 0.05 * k
        label[row : row + 30, column : column + 35] = k
    depth += rng.normal(0, 0.0005, depth.shape).astype(np.float32)
    depth[rng.random(depth.shape) < 0.02] = np.nan
    return Frame(name, None, depth, label, CAMERA, {1: "red mug", 2: "blue mug", 3: "bowl"})


class Oracle:
    """A stand-in for the model that knows the frame: it finds every object, and the first one that is so named."""

    def __init__(self, frame: Frame, surface: bool = False, wrong: bool = False, silent: bool = False) -> None:
        self.frame, self.surface, self.wrong, self.silent = frame, surface, wrong, silent

    def segment(self, cloud: PointCloud, config: SegmentationConfig | None = None) -> Scene:
        assert self.frame.label is not None
        labels = self.frame.label.reshape(-1).astype(np.int32) - (0 if self.surface else 1)
        box = Box(np.zeros(3, np.float32), np.eye(3, dtype=np.float32), np.ones(3, np.float32))
        kinds = ["surface"] * self.surface + ["object"] * 3
        return Scene(
            labels,
            tuple(
                SceneObject(kind, 1.0, box, box.center, np.ones(1, np.float32), None, 1)  # type: ignore[arg-type]
                for kind in kinds
            ),
        )

    def find(self, scene: Scene, text: str, top_k: int | None = None, min_similarity: float | None = None) -> Matches:
        if self.silent and min_similarity is None:
            return Matches()
        noun = text.removeprefix("the ")
        hits = [key - 1 for key, name in self.frame.names.items() if (noun in name) != self.wrong]
        index = hits[0] + (1 if self.surface else 0)
        return Matches((Match(index, scene.objects[index], 0.9),))


COARSE = {"red mug": "mug", "blue mug": "mug", "bowl": "bowl"}


@pytest.mark.parametrize("surface", [False, True])
def test_the_truth_scores_full_marks_and_surfaces_are_no_predictions(surface: bool) -> None:
    frame = table_frame()
    report = evaluate_frames(Oracle(frame, surface), [frame])
    assert report.summary.overlap_f == report.summary.boundary_f == report.summary.detected == 1
    assert report.summary.adjusted_rand == 1
    assert (report.summary.predicted, report.summary.true) == (3, 3)
    assert [row.name for row in report.rows] == ["a"]
    assert 0 < report.timing.p50 <= report.timing.p95


def test_frames_without_labels_are_skipped_and_none_with_labels_is_an_error() -> None:
    frame = table_frame()
    bare = Frame("b", None, frame.depth, None, CAMERA)
    assert evaluate_frames(Oracle(frame), [bare, frame]).summary.frames == 1
    with pytest.raises(ValueError, match="at least one with labels"):
        evaluate_frames(Oracle(frame), [bare])


def test_every_name_is_asked_for_once_where_there_are_two() -> None:
    frame = table_frame()
    assert queries(frame, COARSE) == {"mug": [1, 2], "bowl": [3]}
    assert queries(frame) == {"red mug": [1], "blue mug": [2], "bowl": [3]}
    assert queries(frame, dict.fromkeys(COARSE, "thing")) == {}
    assert queries(Frame("b", None, frame.depth, None, CAMERA, frame.names)) == {}


@pytest.mark.parametrize(("wrong", "silent", "found", "answered"), [(0, 0, 2, 2), (1, 0, 0, 0), (0, 1, 2, 0)])
def test_retrieval_counts_hits_of_the_best_answer(wrong: int, silent: int, found: int, answered: int) -> None:
    frame = table_frame()
    report = evaluate_retrieval(Oracle(frame, wrong=bool(wrong), silent=bool(silent)), [frame], COARSE)
    assert (report.found.hits, report.answered.hits, report.found.total) == (found, answered, 2)
    assert report.chance == pytest.approx((2 / 3 + 1 / 3) / 2)


def test_the_baseline_finds_boxes_on_a_table_and_repeats_itself() -> None:
    frame = table_frame()
    report = evaluate_frames(PlaneDbscan(), [frame])
    assert report.summary.overlap_f > 0.9
    assert report.summary.objects.f == 1
    scene, again = PlaneDbscan().segment(frame.cloud()), PlaneDbscan().segment(frame.cloud())
    np.testing.assert_array_equal(scene.labels, again.labels)
    for k, item in enumerate(scene.objects):
        points = frame.cloud().points[scene.labels == k]
        inside = np.abs((points - item.box.center) @ item.box.rotation) <= item.box.size / 2 + 1e-4
        assert inside.all()
        assert item.point_count == len(points)


@pytest.mark.parametrize(
    "points", [np.empty((0, 3)), np.ones((1, 3)), np.full((50, 3), np.nan), np.ones((500, 3))],
    ids=["none", "one", "nan", "all the same"],
)  # fmt: skip
def test_the_baseline_finds_nothing_where_nothing_is(points: np.ndarray) -> None:
    scene = PlaneDbscan().segment(PointCloud(points))
    assert len(scene) == 0
    assert (scene.labels == -1).all()


def test_a_mask_numbers_objects_from_one() -> None:
    frame = table_frame()
    np.testing.assert_array_equal(object_mask(Oracle(frame).segment(frame.cloud()), frame), frame.label)


def test_scans_are_scored_over_objects_with_void_ignored(tmp_path: Path) -> None:
    frame = table_frame()
    assert frame.label is not None
    points = frame.cloud().points
    np.savez(tmp_path / "room.npz", points=points, labels=frame.label.reshape(-1).astype(np.int32))
    report = evaluate_scans(Oracle(frame, surface=True), [tmp_path / "room.npz"])
    assert (report.precision.ap, report.precision.ap50, report.precision.true) == (1, 1, 3)
    assert report.names == ("room",)
    assert report.adjusted_rand == (1.0,)
    np.savez(tmp_path / "bare.npz", points=points)
    with pytest.raises(ValueError, match=r"bare\.npz: no array named labels"):
        evaluate_scans(Oracle(frame), [tmp_path / "bare.npz"])


@needs_osd
def test_the_baseline_reaches_what_is_known_of_it_on_the_first_real_frames() -> None:
    folder = FrameFolder(OSD)
    report = evaluate_frames(PlaneDbscan(), folder[:20])
    assert report.summary.overlap_f > 0.8


@needs_osd
def test_the_real_frames_give_92_queries_by_coarse_name_of_which_a_third_are_hit_by_chance() -> None:
    folder = FrameFolder(OSD)
    asked = [queries(frame, folder.coarse_names) for frame in folder]
    assert sum(map(len, asked)) == 92
    chance = sum(len(ids) / sum(map(len, names.values())) for names in asked for ids in names.values()) / 92
    assert chance == pytest.approx(0.35, abs=0.02)


@needs_osd
def test_the_shipped_weights_reach_on_the_real_frames_what_the_project_asks_of_them() -> None:
    """On all 88 frames: overlap F of 88, 8 points above random weights, and a retrieval surely better than chance."""
    from segvec3d_core import SegVec3D

    folder, model = FrameFolder(OSD), SegVec3D.load(device="cpu")
    reached = evaluate_frames(model, folder).summary
    untrained = SegVec3D.untrained(device="cpu").with_clustering(model.clustering)
    assert reached.overlap_f > 0.88
    assert reached.overlap_f > evaluate_frames(untrained, folder[::8]).summary.overlap_f + 0.08
    assert reached.overlap_f > evaluate_frames(model.with_untrained_embedding(), folder[::4]).summary.overlap_f
    retrieval = evaluate_retrieval(model, folder, folder.coarse_names)
    assert retrieval.found.rate > 0.45
    assert retrieval.found.interval()[0] > retrieval.chance
