"""Evaluation: a model that knows the answer scores full marks, one that guesses scores chance."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from segvec3d_core.baselines import PlaneDbscan
from segvec3d_core.clustering import ClusteringConfig
from segvec3d_core.config import ClusteringMethod, NetworkConfig, SegmentationConfig
from segvec3d_core.datasets.frames import Frame, FrameFolder
from segvec3d_core.datasets.scans import Scan, ScanFolder
from segvec3d_core.evaluate import evaluate, evaluate_retrieval, object_mask, queries, score, spread, variations
from segvec3d_core.pipeline import SegVec3D
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
        return Scene(labels, tuple(map(instance, ["surface"] * self.surface + ["object"] * 3)))

    def find(self, scene: Scene, text: str, top_k: int | None = None, min_similarity: float | None = None) -> Matches:
        if self.silent and min_similarity is None:
            return Matches()
        noun = text.removeprefix("the ")
        hits = [key - 1 for key, name in self.frame.names.items() if (noun in name) != self.wrong]
        index = hits[0] + (1 if self.surface else 0)
        return Matches((Match(index, scene.objects[index], 0.9),))


COARSE = {"red mug": "mug", "blue mug": "mug", "bowl": "bowl"}


def instance(kind: str = "object", score: float = 1.0) -> SceneObject:
    box = Box(np.zeros(3, np.float32), np.eye(3, dtype=np.float32), np.ones(3, np.float32))
    return SceneObject(kind, score, box, box.center, np.ones(1, np.float32), None, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("surface", [False, True])
def test_the_truth_scores_full_marks_and_surfaces_are_no_predictions(surface: bool) -> None:
    frame = table_frame()
    report = evaluate(Oracle(frame, surface), [frame])
    for name, figure in report.figures.items():
        assert figure.value == 1, name
    (row,) = report.rows
    assert row.masks is not None
    assert (row.name, row.masks.predicted, row.masks.true) == ("a", 3, 3)
    assert 0 < report.timing.p50 <= report.timing.p95


def test_frames_without_labels_are_skipped_and_none_with_labels_is_an_error() -> None:
    frame = table_frame()
    bare = Frame("b", None, frame.depth, None, CAMERA)
    assert len(evaluate(Oracle(frame), [bare, frame]).rows) == 1
    with pytest.raises(ValueError, match="at least one with labels"):
        evaluate(Oracle(frame), [bare])
    with pytest.raises(ValueError, match="frame b: no labels"):
        score(bare, Scene(np.full(160 * 120, -1, np.int32)), 0.0)


def test_tags_give_figures_for_each_sensor_and_for_the_hard_ones() -> None:
    frames = [table_frame(name, seed) for seed, name in enumerate("abc")]
    tags: dict[str, dict[str, Any]] = {
        "a": {"sensor": "stereo", "hard": True},
        "b": {"sensor": "stereo"},
        "c": {"sensor": "kinect"},
    }
    report = evaluate(Oracle(frames[0]), frames, tags=tags)
    assert {name: subset.count for name, subset in report.subsets.items()} == {
        "sensor kinect": 1, "sensor stereo": 2, "hard": 1
    }  # fmt: skip
    assert report.subsets["hard"].figures["overlap_f"].value == 1


def test_pixels_that_nobody_labelled_count_in_no_figure() -> None:
    """Whatever is found on the ignored half, and wherever it ends there, the figures are those of the other half."""
    frame = table_frame()
    assert frame.label is not None
    label = frame.label.copy()
    label[60:] = 255
    half = Frame("a", None, frame.depth, label, CAMERA)
    found = np.where(frame.label > 0, frame.label, 4).reshape(-1).astype(np.int32) - 1
    rng = np.random.default_rng(0)
    found[60 * 160 :] = rng.integers(-1, 4, 60 * 160)  # the fourth instance is the table, a surface
    kinds = [instance(), instance(), instance(), instance("surface")]
    row, clean = (
        score(half, Scene(labels, tuple(kinds)), 0.0) for labels in (found, np.where(label.ravel() == 255, -1, found))
    )
    assert row.masks == clean.masks
    assert row.instances.iou.tolist() == clean.instances.iou.tolist()
    assert row.surfaces.tolist() == clean.surfaces.tolist() == [[row.surfaces[0, 0], 0], [0, row.surfaces[1, 1]]]
    assert row.right.tolist() == clean.right.tolist()
    assert row.adjusted_rand == clean.adjusted_rand


def test_an_object_found_on_the_background_of_a_frame_is_a_wrong_one_with_a_score() -> None:
    frame = table_frame()
    labels = np.full((120, 160), -1, np.int32)
    labels[:15] = 0
    row = score(frame, Scene(labels.reshape(-1), (instance(score=0.7),)), 0.0)
    assert (row.scores.tolist(), row.right.tolist()) == ([0.7], [False])
    assert len(row.instances.scores) == 1
    assert row.masks is not None
    assert row.masks.overlap.precision == 0


@pytest.mark.parametrize("kind", ["object", "surface"])
def test_a_desk_counts_as_found_in_a_room_whatever_its_kind_and_a_wall_as_neither_found_nor_wrong(kind: str) -> None:
    label = np.repeat([0, 1], [600, 400]).astype(np.int32)
    found = np.where(label == 1, 0, 1).astype(np.int32)
    cloud = PointCloud(np.random.default_rng(0).random((1000, 3), np.float32))
    room = Scan("room", cloud, label, (label == 0).astype(np.int8))
    report = evaluate(FoundBefore(Scene(found, (instance(kind, 0.6), instance("surface", 0.9)))), [room])
    assert report.figures["ap"].value == 1
    assert report.rows[0].scores.tolist() == ([0.6] if kind == "object" else [])
    assert report.figures["surface_miou"].value == (1 if kind == "object" else pytest.approx(0.3))


class FoundBefore:
    """A stand-in for a model that answers with one scene."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def segment(self, cloud: PointCloud, config: SegmentationConfig | None = None) -> Scene:
        return self.scene


# How much hangs on the constants ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> SegVec3D:
    """Random weights, and a threshold at which they take half of the voxels for objects."""
    small = NetworkConfig(channels=(16, 16), layers=(1, 1), features=32)
    untrained = SegVec3D.untrained(1, small, "cpu")
    voxels = untrained.embed(table_frame().cloud()).voxels
    assert voxels is not None
    return untrained.with_clustering(ClusteringConfig(surface_threshold=float(np.median(voxels.surface))))


FAST = SegmentationConfig(clustering="fast")


@pytest.mark.parametrize("method", get_args(ClusteringMethod))
def test_every_constant_that_is_read_is_varied_both_ways_one_at_a_time(method: ClusteringMethod) -> None:
    base, limits = ClusteringConfig(), SegmentationConfig(clustering=method)
    tried = list(variations(base, limits))
    assert {name for name, *_ in tried} == {*ClusteringConfig.of(method), "min_points", "min_score"}
    for name, value, clustering, config in tried:
        changed = {key for key in ClusteringConfig.__slots__ if getattr(clustering, key) != getattr(base, key)}
        changed |= {key for key in SegmentationConfig.__slots__ if getattr(config, key) != getattr(limits, key)}
        assert changed == {name}
        before = getattr(base, name, None) or getattr(limits, name)
        assert type(value) is type(before)
        assert 0.6 < value / before < 0.8 or 1.2 < value / before < 1.4


def test_a_threshold_of_a_probability_stays_one() -> None:
    high = ClusteringConfig(surface_threshold=0.9, kind_threshold=0.9)
    for name, config in (("surface_threshold", FAST), ("kind_threshold", SegmentationConfig())):
        assert max(value for constant, value, *_ in variations(high, config) if constant == name) < 1
    sure = [
        value for constant, value, *_ in variations(high, SegmentationConfig(min_score=0.8)) if constant == "min_score"
    ]
    assert sure == pytest.approx([0.56, 0.99])


def test_the_spread_is_what_each_constant_gives_by_itself_and_the_network_runs_once(
    model: SegVec3D, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = table_frame()
    runs, embed = [], SegVec3D.embed_voxels

    def counted(model: SegVec3D, *given: Any) -> object:
        runs.append(given)
        return embed(model, *given)

    with monkeypatch.context() as patch:
        patch.setattr(SegVec3D, "embed_voxels", counted)
        tried = spread(model, [frame], FAST)
    assert len(runs) == 1
    by_themselves = list(zip(tried, variations(model.clustering, FAST), strict=True))
    for variation, (_, _, clustering, config) in by_themselves[::7]:
        alone = evaluate(model.with_clustering(clustering), [frame], config)
        assert variation.figures == pytest.approx(
            {name: figure.value for name, figure in alone.figures.items()}, nan_ok=True
        ), variation.constant
    assert len({variation.figures["surface_accuracy"] for variation in tried}) > 1, "something hangs on a constant"


def test_a_constant_that_changes_the_kind_of_an_instance_and_no_label_changes_the_figures() -> None:
    """The only thing in view becomes a surface: its points keep their label, and are no object any more."""

    class OneThing:
        clustering = ClusteringConfig(kind_threshold=0.5)

        def embed(self, cloud: PointCloud, config: SegmentationConfig) -> PointCloud:
            return cloud

        def group(
            self, cloud: PointCloud, config: SegmentationConfig, clustering: ClusteringConfig = clustering
        ) -> Scene:
            kind = "surface" if clustering.kind_threshold < 0.5 else "object"
            return Scene(np.where(thing, 0, -1).astype(np.int32), (instance(kind),))

    frame = table_frame()
    assert frame.label is not None
    thing = frame.label.reshape(-1) == 1
    tried = spread(OneThing(), [frame])  # type: ignore[arg-type]
    found = {v.value: v.figures["iou50_recall"] for v in tried if v.constant == "kind_threshold"}
    assert found == {0.35: 0, 0.65: pytest.approx(1 / 3)}


# Words ------------------------------------------------------------------------------------------------------------


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


def test_a_name_that_is_no_phrase_is_not_found() -> None:
    class Refusing(Oracle):
        def find(
            self, scene: Scene, text: str, top_k: int | None = None, min_similarity: float | None = None
        ) -> Matches:
            raise ValueError(f"text: expected a whole phrase, got {text!r}")

    report = evaluate_retrieval(Refusing(frame := table_frame()), [frame], COARSE)
    assert (report.found.hits, report.answered.hits, report.found.total) == (0, 0, 2)


def test_the_baseline_finds_boxes_on_a_table_and_repeats_itself() -> None:
    frame = table_frame()
    report = evaluate(PlaneDbscan(), [frame])
    assert report.figures["overlap_f"].value > 0.9
    assert report.figures["iou50_f"].value == 1
    scene, again = PlaneDbscan().segment(frame.cloud()), PlaneDbscan().segment(frame.cloud())
    np.testing.assert_array_equal(scene.labels, again.labels)
    for k, item in enumerate(scene.objects):
        points = frame.cloud().points[scene.labels == k]
        inside = np.abs((points - item.box.center) @ item.box.rotation) <= item.box.size / 2 + 1e-4
        assert inside.all()
        assert item.point_count == len(points)


@pytest.mark.parametrize("spacing", [0.004, 0.02, 0.05])
def test_the_baseline_keeps_things_of_a_scan_whole_however_sparse_it_is(spacing: float) -> None:
    steps = np.arange(40) * spacing
    floor = np.stack([*np.meshgrid(steps, steps), np.zeros((40, 40))], -1).reshape(-1, 3)
    things = [floor[floor[:, 0] < 18 * spacing] + [shift, 0, 0.5] for shift in (0, 24 * spacing)]
    points = np.concatenate([floor, *things]).astype(np.float32)
    scan = Scan(
        "room", PointCloud(points), np.repeat([0, 1, 2], [1600, len(things[0]), len(things[1])]).astype(np.int32)
    )
    assert evaluate(PlaneDbscan(), [scan]).figures["ap"].value == 1


@pytest.mark.parametrize(
    "points", [np.empty((0, 3)), np.ones((1, 3)), np.full((50, 3), np.nan), np.ones((500, 3))],
    ids=["none", "one", "nan", "all the same"],
)  # fmt: skip
def test_the_baseline_finds_nothing_where_nothing_is(points: np.ndarray) -> None:
    scene = PlaneDbscan().segment(PointCloud(points))
    assert len(scene) == 0
    assert (scene.labels == -1).all()


@pytest.mark.parametrize("far", [-1e5, 1e8, 1e30])
def test_a_stray_point_changes_nothing_of_the_baseline(far: float) -> None:
    cloud = table_frame().cloud()
    labels = PlaneDbscan().labels(cloud)
    assert labels.max() >= 0
    stray = np.array([[far, 0, 1]], np.float32)
    with_it = PlaneDbscan().labels(PointCloud(np.concatenate([cloud.points, stray]), viewpoint=cloud.viewpoint))
    assert np.array_equal(with_it[:-1], labels)
    assert with_it[-1] == -1


def test_a_mask_numbers_objects_from_one() -> None:
    frame = table_frame()
    np.testing.assert_array_equal(object_mask(Oracle(frame).segment(frame.cloud()), frame), frame.label)


def test_scans_are_scored_over_objects_with_void_ignored(tmp_path: Path) -> None:
    frame = table_frame()
    assert frame.label is not None
    points = frame.cloud().points
    np.savez(tmp_path / "room.npz", points=points, labels=frame.label.reshape(-1).astype(np.int32))
    report = evaluate(Oracle(frame, surface=True), ScanFolder(tmp_path / "room.npz"))
    assert (report.figures["ap"].value, report.figures["ap50"].value) == (1, 1)
    assert [(row.name, len(row.instances.true_sizes), row.adjusted_rand) for row in report.rows] == [("room", 3, 1.0)]
    assert np.isnan(report.figures["surface_miou"].value), "nobody said where the surfaces are"


def test_a_scan_may_say_where_its_surfaces_are_and_bad_arrays_are_told(tmp_path: Path) -> None:
    points, labels = np.zeros((4, 3), np.float32), np.array([0, 0, 1, 1])
    np.savez(tmp_path / "a.npz", points=points, labels=labels, surface=np.array([1, -1, 0, 0]))
    np.savez(tmp_path / "b.npz", points=points, labels=labels, surface=np.zeros(3, int))
    np.savez(tmp_path / "c.npz", points=points)
    scans = ScanFolder(tmp_path)
    surface = scans[0].surface
    assert surface is not None
    assert surface.tolist() == [1, -1, 0, 0]
    with pytest.raises(ValueError, match=r"b\.npz: surface: expected \(4,\) integers, got \(3,\)"):
        scans[1]
    with pytest.raises(ValueError, match=r"c\.npz: no array named labels"):
        scans[2]


@needs_osd
def test_the_baseline_reaches_what_is_known_of_it_on_the_first_real_frames() -> None:
    folder = FrameFolder(OSD)
    report = evaluate(PlaneDbscan(), folder[:20])
    assert report.figures["overlap_f"].value > 0.8


@needs_osd
def test_the_real_frames_give_92_queries_by_coarse_name_of_which_a_third_are_hit_by_chance() -> None:
    folder = FrameFolder(OSD)
    asked = [queries(frame, folder.coarse_names) for frame in folder]
    assert sum(map(len, asked)) == 92
    chance = sum(len(ids) / sum(map(len, names.values())) for names in asked for ids in names.values()) / 92
    assert chance == pytest.approx(0.35, abs=0.02)


@needs_osd
@pytest.mark.timeout(400)  # a minute where nothing else runs
def test_the_shipped_weights_reach_on_the_real_frames_what_the_project_asks_of_them() -> None:
    """On all 88 frames: overlap F of 88, 8 points above random weights, and a retrieval surely better than chance."""
    folder, model = FrameFolder(OSD), SegVec3D.load(device="cpu")
    untrained = SegVec3D.untrained(device="cpu").with_clustering(model.clustering)

    def overlap_f(model: SegVec3D, step: int = 1, config: SegmentationConfig | None = None) -> float:
        return evaluate(model, folder[::step], config).figures["overlap_f"].value

    reached, fast = overlap_f(model), SegmentationConfig(clustering="fast")
    assert reached > 0.88
    assert reached > overlap_f(untrained, 8, fast) + 0.08
    assert reached > overlap_f(model.with_untrained_heads(), 4, fast)
    retrieval = evaluate_retrieval(model, folder, folder.coarse_names)
    assert retrieval.found.rate > 0.45
    assert retrieval.found.interval()[0] > retrieval.chance
