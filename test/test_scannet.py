"""ScanNet scenes, written here in exactly the format in which ScanNetV2 is published, read as they are meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segvec3d_core.cli import compare, main
from segvec3d_core.config import NetworkConfig
from segvec3d_core.datasets.scannet import LABEL_MAP, read_labelled_points, read_scene, scene_folders
from segvec3d_core.datasets.scans import ScanFolder, find_scans
from segvec3d_core.network import PointAttention
from segvec3d_core.pipeline import SegVec3D
from segvec3d_core.train import run
from segvec3d_core.train.data import Scenes
from segvec3d_core.train.segmentation import example_loss, examples_of
from segvec3d_core.train.weak import Supervision

HEADER = """ply
format binary_little_endian 1.0
comment MLIB generated
element vertex {vertices}
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
property uchar alpha
element face {faces}
property list uchar int vertex_indices
end_header
"""

COLUMNS = (
    "id\traw_category\tcategory\tcount\tnyu40id\teigen13id\tnyuClass\tnyu40class\teigen13class\tModelNet40\tModelNet10\t"
    "ShapeNetCore55\tsynsetoffset\twnsynsetid\twnsynsetkey\tmpcat40\tmpcat40index"
)
ROWS = (
    "1\twall\twall\t8277\t1\t12\twall\twall\tWall\t\t\t\t\tn04546855\twall.n.01\twall\t1",
    "3\tfloor\tfloor\t1553\t2\t5\tfloor\tfloor\tFloor\t\t\t\t\tn03365592\tfloor.n.01\tfloor\t2",
    "2\tchair\tchair\t4646\t5\t4\tchair\tchair\tChair\tchair\tchair\tchair\t03001627\tn03001627\tchair.n.01\tchair\t3",
    "22\toffice chair\toffice chair\t595\t5\t4\tchair\tchair\tChair\tchair\tchair\tchair\t\tn04373704\t\tchair\t3",
    "41\tceiling\tceiling\t263\t22\t3\tceiling\tceiling\tCeiling\t\t\t\t\tn02990373\tceiling.n.01\tceiling\t17",
    "1163\tobject\tobject\t2\t40\t7\t\totherprop\tObjects\t\t\t\t\tn00002684\tphysical_object.n.01\tobjects\t39",
)

SEGMENTS = [9, 9, 9, 4, 4, 31, 31, 31, 2, 2, 70, 70]
"""Segment of each of the twelve vertices; numbers leave gaps, as Felzenszwalb's do."""
GROUPS = [("wall", [9]), ("office chair", [4, 31]), ("object", [2])]
"""Segment 70 is annotated by nobody."""


def write_scene(
    scans: Path,
    name: str = "scene0000_00",
    segments: list[int] = SEGMENTS,
    groups: list[tuple[str, list[int]]] = GROUPS,
    points: np.ndarray | None = None,
) -> Path:
    """Write one scene folder, and the label map beside ``scans``."""
    folder = scans / name
    folder.mkdir(parents=True)
    kind = [("xyz", "<f4", 3), ("rgba", "u1", 4)]
    vertices = np.zeros(len(segments), kind)
    vertices["xyz"] = np.arange(3 * len(segments)).reshape(-1, 3) / 10 if points is None else points
    vertices["rgba"] = np.arange(4 * len(segments)).reshape(-1, 4) % 251
    faces = np.zeros(4, [("count", "u1"), ("corners", "<i4", 3)])
    faces["count"], faces["corners"] = 3, np.arange(12).reshape(4, 3) % len(segments)
    header = HEADER.format(vertices=len(vertices), faces=len(faces)).encode("ascii")
    (folder / f"{name}_vh_clean_2.ply").write_bytes(header + vertices.tobytes() + faces.tobytes())
    parameters = {
        "kThresh": "0.0001", "segMinVerts": "20", "minPoints": "750", "maxPoints": "30000", "thinThresh": "0.05",
        "flatThresh": "0.001", "minLength": "0.02", "maxLength": "1",
    }  # fmt: skip
    _write(folder / f"{name}_vh_clean_2.0.010000.segs.json", params=parameters, sceneId=name, segIndices=segments)
    listed = [
        {"id": k, "objectId": k, "segments": members, "label": label} for k, (label, members) in enumerate(groups)
    ]
    _write(
        folder / f"{name}.aggregation.json", sceneId=f"scannet.{name}", appId="Aggregator.v2", segGroups=listed,
        segmentsFile=f"scannet.{name}_vh_clean_2.0.010000.segs.json",
    )  # fmt: skip
    (scans.parent / LABEL_MAP).write_text("\n".join([COLUMNS, *ROWS]) + "\n")
    return folder


def _write(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(values))


def test_a_scene_is_read_with_points_colours_entities_and_kinds(tmp_path: Path) -> None:
    scene = read_scene(write_scene(tmp_path / "scans"))
    np.testing.assert_allclose(scene.points[:2], [[0, 0.1, 0.2], [0.3, 0.4, 0.5]])
    np.testing.assert_array_equal(scene.colors[:2], [[0, 1, 2], [4, 5, 6]])
    np.testing.assert_array_equal(scene.instance, [0, 0, 0, 1, 1, 1, 1, 1, 2, 2, -1, -1])
    assert scene.names == ("wall", "office chair", "object")
    np.testing.assert_array_equal(scene.nyu40, [1, 5, 40])
    np.testing.assert_array_equal(scene.is_surface, [True, False, False])
    np.testing.assert_array_equal(scene.surface(), [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, -1, -1])


def test_an_entity_is_centred_on_its_points_and_one_without_any_at_the_origin(tmp_path: Path) -> None:
    scene = read_scene(write_scene(tmp_path / "scans", groups=[("wall", [9]), ("chair", [1000]), ("object", [2])]))
    expected = np.array([[0.3, 0.4, 0.5], [0.0, 0.0, 0.0], [2.55, 2.65, 2.75]])
    np.testing.assert_allclose(scene.centres(), expected, rtol=1e-6)


def test_only_what_the_benchmark_counts_is_an_instance_to_measure_on(tmp_path: Path) -> None:
    """Walls and "otherprop" are void, as in the benchmark's 18 instance classes; for training they are entities."""
    scene = read_scene(write_scene(tmp_path / "scans"))
    np.testing.assert_array_equal(scene.benchmark_labels(), [0, 0, 0, 2, 2, 2, 2, 2, 0, 0, 0, 0])


def test_of_a_segment_in_two_groups_the_later_has_it(tmp_path: Path) -> None:
    scene = read_scene(write_scene(tmp_path / "scans", groups=[("chair", [9, 4]), ("floor", [4])]))
    np.testing.assert_array_equal(scene.instance[:5], [0, 0, 0, 1, 1])


@pytest.mark.parametrize("inside", [".", "scans", "scans/scene0000_00"])
def test_scenes_are_found_at_the_release_its_scans_and_a_scene_itself(tmp_path: Path, inside: str) -> None:
    for name in ("scene0010_00", "scene0000_00"):
        write_scene(tmp_path / "scans", name)
    (tmp_path / "scans" / "scene0001_00").mkdir()  # begun, but not downloaded
    names = [folder.name for folder in scene_folders(tmp_path / inside)]
    assert names == (["scene0000_00"] if "scene0000" in inside else ["scene0000_00", "scene0010_00"])
    assert find_scans(tmp_path / inside) == scene_folders(tmp_path / inside)
    scan = ScanFolder(tmp_path / inside)[0]
    assert (scan.name, scan.label.max(), len(scan.cloud())) == ("scene0000_00", 2, 12)


def test_a_scene_is_found_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write_scene(tmp_path / "scans"))
    assert [folder.absolute().name for folder in scene_folders(".")] == ["scene0000_00"]


def test_no_scene_is_found_where_none_is(tmp_path: Path) -> None:
    assert scene_folders(tmp_path) == []
    with pytest.raises(ValueError, match=r"expected \.npz scans or ScanNet scenes, got none"):
        ScanFolder(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (".aggregation.json", None, r"aggregation\.json: no such file"),
        (".aggregation.json", "[]", "expected a JSON object, got list"),
        (".aggregation.json", '{"segGroups": [{"label": "wall"}]}', "expected segGroups with label and segments"),
        (".aggregation.json", '{"segGroups": [{"label": "yeti", "segments": [9]}]}', "the label map has no yeti"),
        ("_vh_clean_2.0.010000.segs.json", None, r"segs\.json: no such file"),
        ("_vh_clean_2.0.010000.segs.json", '{"segIndices": [1, 2]}', "expected 12 segIndices, got 2"),
        ("_vh_clean_2.0.010000.segs.json", "{}", "expected segIndices to be a list of integers"),
        ("_vh_clean_2.0.010000.segs.json", "{", "not valid JSON"),
    ],
)
def test_a_broken_scene_is_told_in_a_line(tmp_path: Path, file: str, content: str | None, message: str) -> None:
    folder = write_scene(tmp_path / "scans")
    path = folder / f"{folder.name}{file}"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_scene(folder)


def test_a_missing_or_foreign_label_map_is_told(tmp_path: Path) -> None:
    folder = write_scene(tmp_path / "scans")
    (tmp_path / LABEL_MAP).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{LABEL_MAP} is missing, here and in the two folders above"):
        read_scene(folder)
    other = tmp_path / "other.tsv"
    other.write_text("a\tb\n1\t2\n")
    with pytest.raises(ValueError, match="expected columns raw_category and nyu40id"):
        read_scene(folder, other)


@pytest.mark.parametrize("points", [np.array([0, 4]), torch.tensor([0, 4]), [0, 4]], ids=["numpy", "torch", "list"])
def test_of_the_limited_annotation_benchmark_only_the_listed_points_are_labelled(tmp_path: Path, points: Any) -> None:
    torch.save({"scene0000_00": points}, tmp_path / "points20")
    listed = read_labelled_points(tmp_path / "points20")
    scene = read_scene(write_scene(tmp_path / "scans")).only(listed["scene0000_00"])
    np.testing.assert_array_equal(scene.instance, [0, -1, -1, -1, 1] + [-1] * 7)
    with pytest.raises(ValueError, match="labelled points: expected 0 to 11, got -1 to 12"):
        scene.only(np.array([3, 12, -1]))


class Trap:
    """What a list must not hold: something that runs when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("sprung"),))


def test_nothing_but_numbers_is_taken_from_a_list_of_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"scene0000_00": Trap()}, "trap")
    with pytest.raises(ValueError, match=r"trap: expected \{scene: vertex numbers\}"):
        read_labelled_points("trap")
    assert not Path("sprung").exists()
    with pytest.raises(FileNotFoundError, match="nowhere: no such file"):
        read_labelled_points("nowhere")


def write_chairs(scans: Path) -> None:
    """Two scenes, each with a floor and two chairs."""
    x, y = np.meshgrid(np.arange(60) / 100, np.arange(40) / 100)
    floor = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1)
    chair = floor[(x.ravel() < 0.2) & (y.ravel() < 0.2)] + np.array([0.05, 0.05, 0.2])
    points = np.concatenate([floor, chair, chair + np.array([0.3, 0, 0])])
    segments = [0] * len(floor) + [1] * len(chair) + [2] * len(chair)
    groups = [("floor", [0]), ("chair", [1]), ("office chair", [2])]
    for name in ("scene0000_00", "scene0001_00"):
        write_scene(scans, name, segments, groups, points)


def test_a_folder_of_scenes_is_trained_on(tmp_path: Path) -> None:
    write_chairs(tmp_path / "scans")
    small = NetworkConfig(channels=(16, 16), layers=(1, 1), features=32)
    example = Scenes(0, 1, 2, small, None, None, frames=tmp_path)[0]
    assert example.is_surface.any()
    assert set(example.labels.tolist()) == {0, 1, 2}
    loss, _ = example_loss(PointAttention(small), example, torch.Generator().manual_seed(0))
    assert torch.isfinite(loss)


def test_training_takes_the_scenes_of_a_split_and_the_labels_of_listed_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A point of the floor and one of the first chair are listed; of large voxels they are one point in many."""
    write_chairs(tmp_path / "scans")
    (tmp_path / "scannetv2_train.txt").write_text("scene0001_00\n")
    torch.save({"scene0001_00": np.array([1234, 2500])}, tmp_path / "points20")
    plans = []

    def stop(plan: Any, *_: Any) -> None:
        plans.append(plan)
        raise ValueError("enough")

    monkeypatch.setitem(run.__globals__, "train_segmentation", stop)
    told = ["--split", "scannetv2_train.txt", "--labelled-points", "points20", "--max-voxels", "600", "--workers", "0"]
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--output", "out", "--frames", ".", *told, "--threads", "1"]) == 2
    small = NetworkConfig(channels=(16, 16), layers=(1, 1), features=32)
    scenes = examples_of(plans[0], small).dataset
    assert isinstance(scenes, Scenes)
    assert [folder.name for folder in scenes.scans] == ["scene0001_00"]
    labels = [set(scenes[step].labels.tolist()) - {-1} for step in range(6)]
    assert {0, 1} in labels, "both are spread"
    assert all(found <= {0, 1} for found in labels)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (None, r"train\.txt: no such file"),
        (b" \n", r"train\.txt: expected the name of a scene a line, got none"),
        (b"\x89PNG", "expected text, the name of a scene a line"),
        (b"scene0000_00\nscene0707_00", "1 of the 2 scenes that it names are not there: scene0707_00$"),
        (b"a\nb\nc\nd\n", r"4 of the 4 scenes that it names are not there: a, b, c, \.\.\.$"),
    ],
)
def test_a_split_that_names_nothing_or_what_is_not_there_is_told(
    tmp_path: Path, split: bytes | None, message: str
) -> None:
    write_scene(tmp_path / "scans")
    path = tmp_path / "train.txt"
    if split is not None:
        path.write_bytes(split)
    for read in (ScanFolder, lambda frames, split: Scenes(0, 1, 2, NetworkConfig(), None, None, 0, frames, 9, split)):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            read(tmp_path, split=path)


def test_labelled_points_of_other_scenes_or_of_no_scenes_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "points20"
    torch.save({"scene0000_00": np.array([0])}, listed)
    for name in ("scene0000_00", "scene0011_00"):
        write_scene(tmp_path / "scans", name)
    points = Supervision("listed")
    with pytest.raises(ValueError, match="points20: no labelled points of 1 of the 2 scenes: scene0011_00"):
        Scenes(0, 1, 2, NetworkConfig(), points, None, frames=tmp_path, labelled_points=listed)
    with pytest.raises(ValueError, match="frames: expected ScanNet scenes for a split or labelled points, got none"):
        Scenes(0, 1, 2, NetworkConfig(), points, None, labelled_points=listed)
    told = ["--output", str(tmp_path), "--labelled-points", str(listed), "--labels", "one-point"]
    assert main(["train", *told]) == 2
    assert "--labelled-points: they are the labels, not one-point" in capsys.readouterr().err


def test_a_split_of_frames_is_refused(frames: Path) -> None:
    with pytest.raises(ValueError, match="--split: names scans, got the frames of"):
        compare._labelled(frames, "scannetv2_val.txt")


def test_a_folder_of_scenes_is_evaluated_by_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A floor and two chairs: two instances count, and surfaces are known."""
    write_chairs(tmp_path / "scans")
    small = NetworkConfig(channels=(16, 16), layers=(1, 1), features=32)
    SegVec3D.untrained(0, small, "cpu").save(tmp_path / "random.safetensors")
    assert main(["eval", str(tmp_path), "--model", str(tmp_path / "random.safetensors"), "--json", "-"]) == 0
    baseline = json.loads(capsys.readouterr().out)["methods"]["plane removal + DBSCAN"]
    assert [scan["name"] for scan in baseline["scans"]] == ["scene0000_00", "scene0001_00"]
    assert [scan["true"] for scan in baseline["scans"]] == [2, 2]
    assert baseline["summary"]["ap50"] == 1, "two chairs above a floor need no network"
    assert baseline["summary"]["surface_miou"] > 0.95


def test_of_a_split_its_scenes_alone_are_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_chairs(tmp_path / "scans")
    split = tmp_path / "scannetv2_val.txt"
    split.write_text("scene0001_00\r\n")
    small = NetworkConfig(channels=(16, 16), layers=(1, 1), features=32)
    SegVec3D.untrained(0, small, "cpu").save(tmp_path / "random.safetensors")
    told = ["--split", str(split), "--model", str(tmp_path / "random.safetensors"), "--model-only"]
    assert main(["eval", str(tmp_path), *told]) == 0
    assert "(scannetv2_val.txt): 1 scans, 2 instances" in capsys.readouterr().out
