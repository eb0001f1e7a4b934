"""SegVec3D with its shipped weights: what the library promises to its users."""

import ctypes
import sys
import threading
import warnings
from copy import deepcopy
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from segvec3d_core import PointCloud, SegVec3D, device, pipeline, voxels
from segvec3d_core.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, shipped_path
from segvec3d_core.config import DEFAULT_VOCABULARY, SegmentationConfig
from segvec3d_core.instances import STRAY_POINTS
from segvec3d_core.kernels.ramps import pixels_beside
from segvec3d_core.metrics import score_frame
from segvec3d_core.network import PointAttention
from segvec3d_core.simulate import simulate_frame
from segvec3d_core.superpoints import EmbeddedVoxels
from segvec3d_core.types import BODY_AXES, OPTICAL_AXES


@pytest.fixture(scope="module")
def model() -> SegVec3D:
    return SegVec3D.load(device="cpu")


@pytest.fixture(scope="module")
def frames():
    """Scenes that training never saw: their seeds are of another family."""
    return [simulate_frame(np.random.default_rng([990, i]), layout="table", width=320, height=240) for i in range(8)]


@pytest.fixture(scope="module")
def scenes(model, frames):
    return [model.segment(frame.cloud()) for frame in frames]


def truth_image(frame) -> np.ndarray:
    """1.. for objects, 0 for surfaces, 65535 for pixels without a return."""
    surface = np.array([e.kind == "surface" for e in frame.entities])
    image = np.where(surface[np.maximum(frame.instance, 0)], 0, frame.instance + 1)
    return np.where(frame.instance >= 0, image, 65535)


def overlap_f(model: SegVec3D, frames) -> float:
    scores = []
    for frame in frames:
        scene = model.segment(frame.cloud())
        is_object = np.array([o.kind == "object" for o in scene.objects] + [False])
        labels = np.where(is_object[scene.labels], scene.labels + 1, 0)
        scores.append(score_frame(labels.reshape(frame.instance.shape), truth_image(frame), ignore=65535).overlap.f)
    return float(np.mean(scores))


def test_learned_embeddings_part_unseen_scenes_far_better_than_untrained_ones(model, frames):
    assert overlap_f(model, frames) > overlap_f(SegVec3D.untrained(device="cpu"), frames) + 0.2


def test_labels_name_objects_and_points_without_a_return_name_none(frames, scenes):
    for frame, scene in zip(frames, scenes, strict=True):
        assert scene.labels.shape == (frame.instance.size,)
        assert (scene.labels[~np.isfinite(frame.depth.reshape(-1))] == -1).all()
        counts = np.bincount(scene.labels[scene.labels >= 0], minlength=len(scene))
        assert counts.tolist() == [o.point_count for o in scene.objects]


def test_what_was_kept_apart_is_more_likely_two_than_one(model, scenes):
    for scene in scenes:
        assert scene.affinity.shape == (len(scene), len(scene))
        assert np.array_equal(scene.affinity, scene.affinity.T)
        objects = [k for k, item in enumerate(scene.objects) if item.kind == "object"]
        among = scene.affinity[np.ix_(objects, objects)]
        assert among.max(initial=0) <= model.clustering.join_threshold + 1e-5
    assert any(scene.affinity.any() for scene in scenes), "some stand close enough to be asked about"


def test_boxes_hold_their_points_and_are_rotations(frames, scenes):
    for frame, scene in zip(frames, scenes, strict=True):
        points = frame.cloud().points
        for k, thing in enumerate(scene.objects):
            r = thing.box.rotation
            assert np.allclose(r.T @ r, np.eye(3), atol=1e-4)
            assert np.linalg.det(r) > 0
            local = (points[scene.labels == k] - thing.box.center) @ r
            inside = (np.abs(local) <= thing.box.size / 2 + 0.03).all(1)
            assert inside.mean() >= 1 - STRAY_POINTS  # flying pixels are left out of boxes
            assert 0 <= thing.score <= 1
            assert np.isclose(np.linalg.norm(thing.embedding), 1, atol=1e-3)


def test_the_same_cloud_gives_the_same_scene(model, frames):
    first, again = (model.segment(frames[0].cloud()) for _ in range(2))
    assert np.array_equal(first.labels, again.labels)
    for a, b in zip(first.objects, again.objects, strict=True):
        assert np.array_equal(a.embedding, b.embedding)
        assert a.score == b.score


def test_threads_take_turns_and_get_the_same_answers(model, frames, scenes):
    found: list[np.ndarray] = []
    work = [threading.Thread(target=lambda: found.append(model.segment(frames[0].cloud()).labels)) for _ in range(3)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert len(found) == 3
    assert all(np.array_equal(labels, scenes[0].labels) for labels in found)


def test_a_text_finds_the_right_object_more_often_than_chance(model, frames, scenes):
    """Category and colour of every true object, asked in its scene; chance is a random true object."""
    hits, chance = [], []
    for frame, scene in zip(frames, scenes, strict=True):
        things = [(k, e.info) for k, e in enumerate(frame.entities) if e.kind == "object" and e.info is not None]
        things = [(k, info) for k, info in things if (frame.instance == k).sum() >= 100]
        for _, info in things:
            named = [k for k, other in things if (other.category, other.color) == (info.category, info.color)]
            if len(named) == len(things):
                continue
            matches = model.find(scene, f"the {info.color} {info.category}", top_k=1, min_similarity=0)
            found = scene.labels.reshape(frame.instance.shape) == matches[0].index if matches else None
            truth = [frame.instance == k for k in named]
            hits.append(found is not None and any((found & t).sum() / max((found | t).sum(), 1) > 0.5 for t in truth))
            chance.append(len(named) / len(things))
    assert len(hits) > 15
    assert np.mean(hits) > np.mean(chance) + 0.1


def test_matches_come_best_first_above_the_threshold_and_no_more_than_asked(model, scenes):
    scene = max(scenes, key=len)
    everything = model.find(scene, "objects", min_similarity=0)
    similarity = [m.similarity for m in everything]
    assert similarity == sorted(similarity, reverse=True)
    assert len(everything) == len(scene)
    assert all(0 <= s <= 1 for s in similarity)
    assert len(model.find(scene, "objects", top_k=2, min_similarity=0)) == 2
    assert len(model.find(scene, "the object", min_similarity=0)) == 1
    many = model.find(scene, "99 objects", min_similarity=0)
    assert many.interpretation.endswith(f"only {len(scene)} of 99 are there")
    assert "are there" not in model.find(scene, "99 objects", top_k=2, min_similarity=0).interpretation
    middle = similarity[len(similarity) // 2]
    above = model.find(scene, "objects", min_similarity=middle)
    assert [m.similarity for m in above] == [s for s in similarity if s >= middle]
    assert all(m.object is scene.objects[m.index] for m in everything)


def test_where_geometry_parts_nothing_a_change_of_colour_counts(model):
    """Two flat things edge to edge on one level, red and blue: the bonds across are weaker than where all is red, or no
    colour is told."""
    x, y = np.meshgrid(np.arange(-0.2, 0.2, 0.003), np.arange(-0.15, 0.15, 0.003))
    points = np.stack([x, y, np.full_like(x, 0.8)], -1).reshape(-1, 3).astype(np.float32)
    red, blue = np.array([200, 30, 30], np.uint8), np.array([30, 30, 200], np.uint8)
    across = {}
    for name, colors in (
        ("two", np.where(points[:, :1] < 0, red, blue)),
        ("one", np.tile(red, (len(points), 1))),
        ("none", None),
    ):
        embedded = model.embed(PointCloud(points, colors, viewpoint=np.zeros(3, np.float32)))
        left = embedded.grid.centroids[:, 0] + embedded.grid.origin[0] < 0
        border = left[:, None] != left[embedded.voxels.neighbors]
        across[name] = embedded.voxels.bonds[border].mean()
    assert across["two"] < across["one"] - 1
    assert across["two"] < across["none"] - 1


def test_every_object_gets_a_name_or_other(model, scenes):
    names = model.name(scenes[0], DEFAULT_VOCABULARY)
    assert len(names) == len(scenes[0])
    assert all(label in (*DEFAULT_VOCABULARY, "other") and 0 <= s <= 1 for label, s in names)
    assert all(label == "other" for label, _ in model.name(scenes[0], []))


def test_a_vocabulary_may_say_several(model, scenes):
    one, several = ("mug", "box", "scissors"), ("mugs", "boxes", "scissors")
    called = dict(zip((*one, "other"), (*several, "other"), strict=True))
    assert model.name(scenes[0], several) == [(called[label], s) for label, s in model.name(scenes[0], one)]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"text": ""}, "text: expected words"),
        ({"text": "x" * 3000}, "at most 2000 characters"),
        ({"text": "mug", "top_k": 0}, "top_k: expected at least 1, got 0"),
        ({"text": "mug", "min_similarity": 2}, "min_similarity: expected 0 to 1, got 2"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(model, scenes, call, words):
    with pytest.raises(ValueError, match=words):
        model.find(scenes[0], **call)


ORDINARY = {
    "empty": np.zeros((0, 3)),
    "one point": np.zeros((1, 3)),
    "NaN only": np.full((100, 3), np.nan),
    "Inf only": np.full((100, 3), -np.inf),
    "all in one place": np.ones((1000, 3)),
    "beyond all measure": np.full((100, 3), 1e30),
    "a line": np.c_[np.linspace(0, 1, 500), np.zeros((500, 2))],
}


@pytest.mark.parametrize("points", ORDINARY.values(), ids=ORDINARY.keys())
@pytest.mark.parametrize("viewpoint", [None, np.zeros(3, np.float32)])
def test_poor_clouds_are_ordinary_input(model, points, viewpoint):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        scene = model.segment(PointCloud(points.astype(np.float32), viewpoint=viewpoint))
    assert len(scene.labels) == len(points)
    assert len(model.find(scene, "the mug")) <= 1
    assert len(model.name(scene, ["mug"])) == len(scene)


def test_far_from_the_origin_a_scene_is_still_a_scene(model, frames):
    """At 1e4 m float32 still resolves a millimetre; at 1e6 m it does not, and the answer is only honest."""
    cloud = frames[0].cloud()
    near = model.segment(PointCloud(cloud.points, cloud.colors, up=frames[0].up, viewpoint=np.zeros(3, np.float32)))
    offset = np.array([1e4, -1e4, 0], np.float32)
    far = model.segment(PointCloud(cloud.points + offset, cloud.colors, up=frames[0].up, viewpoint=offset))
    assert abs(sum(o.kind == "object" for o in far.objects) - sum(o.kind == "object" for o in near.objects)) <= 3
    extreme = PointCloud(cloud.points + np.float32(1e6), viewpoint=np.full(3, 1e6, np.float32))
    assert len(model.segment(extreme).labels) == len(cloud)


def test_a_cameras_cloud_that_is_taken_for_a_scan_is_warned_of_once(frames, caplog):
    model, cloud = SegVec3D.untrained(device="cpu"), frames[0].cloud()
    model.segment(PointCloud(cloud.points, cloud.colors, viewpoint=np.zeros(3, np.float32)))
    model.segment(PointCloud(cloud.points[:, [2, 0, 1]], cloud.colors))
    assert not caplog.text
    for _ in range(2):
        model.segment(PointCloud(cloud.points, cloud.colors))
    assert caplog.text.count("tell its viewpoint") == 1


@pytest.mark.parametrize("axes", [OPTICAL_AXES, BODY_AXES])
def test_up_in_a_picture_is_no_walls_normal(model, axes):
    off = []
    for index in range(4):
        frame = simulate_frame(np.random.default_rng([991, index]), layout="shelf", width=320, height=240)
        cloud = frame.cloud()
        points = cloud.points[np.isfinite(cloud.points).all(1)]  # not organised
        camera = None
        if axes is BODY_AXES:
            points, camera = cloud.points @ axes.T, cloud.camera
        scene = model.segment(PointCloud(points, viewpoint=cloud.viewpoint, body_camera=camera))
        off.append(np.rad2deg(np.arccos(np.clip(scene.up @ (axes @ frame.up), -1, 1))))
        assert scene.camera_axes is axes
    assert np.median(off) < 10


def test_a_colourless_cloud_and_one_of_ten_million_points_go_through_the_same_call(model, frames):
    cloud = frames[0].cloud()
    assert len(model.segment(PointCloud(cloud.points, viewpoint=cloud.viewpoint))) > 0
    tiles = [cloud.points] * (10_000_000 // len(cloud) + 1)
    huge = PointCloud(np.concatenate(tiles)[:10_000_000], viewpoint=cloud.viewpoint)
    scene = model.segment(huge)
    assert len(scene.labels) == 10_000_000
    assert np.array_equal(scene.labels[: len(cloud)], scene.labels[len(cloud) : 2 * len(cloud)])


@pytest.mark.parametrize("method", ["fast", "dbscan", "mean-shift", "fixed-radius"])
def test_every_clustering_finds_objects(model, frames, method):
    cloud = frames[0].cloud()
    assert len(model.segment(cloud, SegmentationConfig(clustering=method, max_voxels=6_000))) > 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"voxel_size": 0.0}, "voxel_size: expected 0.0001 to 1000 m, got 0.0"),
        ({"min_range": 5.0, "max_range": 1.0}, "min_range: expected 0 to max_range, got 5.0 and 1.0"),
        ({"max_object_size": float("nan")}, "min_object_size: expected 0 to max_object_size"),
        ({"crop_min": (0, 0, 2), "crop_max": (1, 1, 1)}, "crop_min: expected no more than crop_max"),
        ({"min_score": 2.0}, "min_score: expected at most 1, got 2.0"),
        ({"voxel_size": float("inf")}, "voxel_size"),
        ({"max_voxels": 7}, "max_voxels: expected at least 100, got 7"),
        ({"crop_min": (1, 2)}, "crop_min: expected x, y, z"),
        ({"clustering": "magic"}, "clustering: expected one of graph, fast, dbscan, mean-shift, fixed-radius, got"),
    ],
)
def test_limits_that_no_cloud_can_keep_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        SegmentationConfig(**values)


def test_limits_of_range_crop_and_size_are_kept(model, frames, scenes):
    cloud = frames[0].cloud()
    near = model.segment(cloud, SegmentationConfig(max_range=1.0))
    distance = np.linalg.norm(cloud.points, axis=1)
    assert (near.labels[distance > 1.0] == -1).all()
    left = model.segment(cloud, SegmentationConfig(crop_max=(0.0, 9.0, 9.0)))
    assert (left.labels[cloud.points[:, 0] > 0] == -1).all()
    small = model.segment(cloud, SegmentationConfig(max_object_size=0.15))
    assert all(o.box.size.max() <= 0.15 for o in small.objects if o.kind == "object")
    sure = model.segment(cloud, SegmentationConfig(min_score=0.9))
    assert all(o.score >= 0.9 for o in sure.objects if o.kind == "object")
    surfaces = [sum(o.kind == "surface" for o in scene.objects) for scene in (sure, scenes[0])]
    assert surfaces[0] == surfaces[1] > 0


def test_saved_weights_answer_like_the_ones_they_were_saved_from(model, frames, tmp_path):
    finer = deepcopy(model.alignment)
    with torch.no_grad():
        for weight in finer.parameters():
            noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
            weight *= 1 + 1e-4 * noise  # the shipped ones are rounded already
    rest = model.clustering, model.score, model.threshold
    model = SegVec3D(model.network, finer, *rest, device="cpu", grouping=model.grouping)
    model.save(tmp_path / "copy.safetensors", {"note": "copy"})
    copy = SegVec3D.load(tmp_path / "copy.safetensors", device="cpu")
    assert copy.info["note"] == "copy"
    scene, same = (weights.segment(frames[1].cloud()) for weights in (model, copy))
    assert np.array_equal(same.labels, scene.labels)
    words = ["a box", "the red can", "something to drink from"]
    assert copy.similarities(same, words) == pytest.approx(model.similarities(scene, words), abs=0.02)


def test_shipped_weights_are_small_and_tell_their_story(model):
    assert shipped_path().stat().st_size <= 10_000_000
    assert {"weights", "parameters", "date", "commit", "segmentation", "alignment"} <= set(model.info)


def bad_weights(tmp_path, kind: str):
    path = tmp_path / "weights.safetensors"
    if kind == "garbage":
        path.write_bytes(b"no weights at all")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        path.write_bytes(shipped_path().read_bytes()[:-1000])
    elif kind == "foreign":
        from safetensors.torch import save_file

        save_file({"x": torch.zeros(3)}, str(path))
    elif kind == "incomplete":
        whole = load_checkpoint(shipped_path())
        save_checkpoint(Checkpoint(dict(list(whole.arrays.items())[5:]), whole.config), path)
    elif kind == "unknown shape":
        whole = load_checkpoint(shipped_path())
        save_checkpoint(Checkpoint(whole.arrays, {**whole.config, "network": {"depth": 3}}), path)
    return path


@pytest.mark.parametrize("kind", ["garbage", "empty", "truncated", "foreign", "incomplete", "unknown shape"])
def test_weights_that_are_none_end_in_one_clear_line(tmp_path, kind):
    with pytest.raises(ValueError, match=r"^weights: .*weights\.safetensors"):
        SegVec3D.load(bad_weights(tmp_path, kind))


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"weights: no file at .*nowhere\.safetensors"):
        SegVec3D.load(tmp_path / "nowhere.safetensors")


def test_after_a_warm_up_questions_do_not_wait_for_the_sentence_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = SegVec3D.untrained(device="cpu")
    with monkeypatch.context() as watch:
        watch.setattr(voxels, "pixels_beside", kernel := Mock(wraps=pixels_beside))
        fresh.warm_up()
    kernel.assert_called_once()  # nor does the first blurred cloud wait
    monkeypatch.setattr("segvec3d_core.text.model_path", lambda: pytest.fail("it is loaded only now"))
    assert fresh.text.encode(["the red mug"]).shape == (1, 384)


def test_an_unknown_device_is_refused():
    with pytest.raises(ValueError, match="device: expected auto, cpu or cuda, got 'tpu'"):
        SegVec3D.load(device="tpu")


@pytest.mark.parametrize(("status", "expected"), [(0, 2), (100, 0)])  # 100: no device is detected
def test_the_driver_says_how_many_gpus_there_are(status, expected, monkeypatch):
    """By a stand-in."""

    def count(told: Any) -> int:
        told._obj.value = 2
        return 0

    driver = SimpleNamespace(cuInit=lambda flags: status, cuDeviceGetCount=count)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    assert device.gpus() == expected


def test_where_there_is_no_driver_torch_is_not_asked(monkeypatch):
    monkeypatch.setattr(device, "DRIVER", "libnowhere.so.1")
    monkeypatch.setitem(sys.modules, "torch", None)  # to import it fails
    assert device.device_of("auto") == "cpu"
    assert device.gpu_name() is None


@pytest.mark.parametrize(
    "error", [ModuleNotFoundError("no torch"), ImportError("no libcudnn"), OSError("no libcublas")]
)
def test_a_gpu_without_a_torch_that_works_is_left_alone_unless_it_was_asked_for(error, monkeypatch, caplog):
    class Broken:
        def find_spec(self, name, path, target=None):
            if name == "torch":
                raise error

    monkeypatch.setattr(device, "gpus", lambda: 1)
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    assert device.device_of("auto") == "cpu"
    assert f"torch cannot be imported: {error}" in caplog.text
    assert device.gpu_name() is None
    with pytest.raises(ValueError, match=f"cuda was asked for, but torch, which runs there, is missing: {error}"):
        device.device_of("cuda")


def test_a_device_may_be_one_of_torch():
    assert device.device_of(torch.device("cpu")) == "cpu"


@pytest.mark.parametrize("fails", ["to move there", "to compute there"])
def test_a_gpu_that_fails_is_left_alone_unless_it_was_asked_for(fails, monkeypatch, caplog):
    """By a stand-in: a GPU that torch believes in."""
    embed, asked = SegVec3D.embed_voxels, "cuda:0"

    def move(network: PointAttention, device: str) -> PointAttention:
        if device != "cpu" and fails == "to move there":
            raise RuntimeError("no memory")
        return network

    def compute(model: SegVec3D, *given: Any) -> EmbeddedVoxels:
        if model.device != "cpu":
            raise RuntimeError("no kernel image")
        return embed(model, *given)

    monkeypatch.setattr(PointAttention, "to", move)
    monkeypatch.setattr(SegVec3D, "embed_voxels", compute)
    monkeypatch.setattr(pipeline, "device_of", lambda name: "cpu" if name == "cpu" else asked)
    model = SegVec3D.load()
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "the GPU is left alone, SegVec3D fails on it: RuntimeError: no" in record.getMessage()
    assert model.device == "cpu"
    model._rehearse()
    with pytest.raises(RuntimeError, match=r"no memory|no kernel image"):
        SegVec3D.load(device="cuda").warm_up()
