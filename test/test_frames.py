"""Frame folders: what was written is read back, and every fault names the file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from segvec3d_core.datasets.frames import Frame, FrameFolder, natural_key, write_frame
from segvec3d_core.types import Camera

CAMERA = Camera(8, 6, 10.0, 11.0, 3.5, 2.5)


def some_frame(name: str = "a", seed: int = 0, ids: int = 3) -> Frame:
    rng = np.random.default_rng(seed)
    depth = (rng.integers(0, 3000, (6, 8)) / 1000).astype(np.float32)
    depth[depth == 0] = np.nan
    return Frame(
        name=name,
        depth=depth,
        camera=CAMERA,
        color=rng.integers(0, 256, (6, 8, 3), np.uint8),
        label=rng.choice([0, ids, 255], (6, 8)).astype(np.uint16),
        names={1: "red mug", ids: "Schüssel"},
        up=np.array([0, -1, 0], np.float32),
    )


@pytest.mark.parametrize("ids", [3, 254, 300])
def test_a_written_frame_is_read_back_the_same(tmp_path: Path, ids: int) -> None:
    frame = some_frame(ids=ids)
    write_frame(tmp_path, frame)
    back = FrameFolder(tmp_path)[0]
    np.testing.assert_allclose(back.depth, frame.depth, rtol=1e-6)
    for part in ("color", "label", "up"):
        np.testing.assert_array_equal(getattr(back, part), getattr(frame, part))
    assert (back.name, back.camera, back.names) == (frame.name, frame.camera, frame.names)


def test_colour_labels_names_and_up_may_be_missing(tmp_path: Path) -> None:
    write_frame(tmp_path, Frame("a", None, some_frame().depth, None, CAMERA))
    frame = FrameFolder(tmp_path)[0]
    assert frame.color is None
    assert frame.label is None
    assert frame.up is None
    assert frame.names == {}
    assert frame.cloud().colors is None


def test_a_frame_becomes_an_organised_cloud_with_its_camera_colours_and_up() -> None:
    frame = some_frame()
    cloud = frame.cloud()
    assert cloud.camera == CAMERA
    assert frame.color is not None
    np.testing.assert_array_equal(cloud.up, [0, -1, 0])
    np.testing.assert_array_equal(cloud.colors, frame.color.reshape(-1, 3))
    np.testing.assert_array_equal(np.isnan(cloud.points[:, 2]), np.isnan(frame.depth.reshape(-1)))


def test_a_thinned_frame_has_the_points_of_a_smaller_camera() -> None:
    frame = some_frame()
    thin = frame.thinned(3)
    assert (thin.camera.width, thin.camera.height) == (3, 2)
    some = frame.cloud().points.reshape(6, 8, 3)[::3, ::3].reshape(-1, 3)
    np.testing.assert_allclose(thin.cloud().points, some, rtol=1e-5)
    assert frame.label is not None
    np.testing.assert_array_equal(thin.label, frame.label[::3, ::3])
    assert Frame("a", None, frame.depth, None, CAMERA).thinned(2).label is None


def test_a_folder_is_a_sequence_in_natural_order(tmp_path: Path) -> None:
    for name in ("x10", "x9", "x1"):
        write_frame(tmp_path, some_frame(name))
    folder = FrameFolder(tmp_path)
    assert [frame.name for frame in folder] == ["x1", "x9", "x10"]
    assert [frame.name for frame in folder[1:]] == ["x9", "x10"]
    assert folder[-1].name == "x10"
    with pytest.raises(IndexError):
        folder[3]


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**6), unique=True))
def test_natural_order_is_the_order_of_the_numbers(numbers: list[int]) -> None:
    names = [f"frame{number}.x" for number in numbers]
    assert sorted(names, key=natural_key) == [f"frame{number}.x" for number in sorted(numbers)]


def test_a_frame_of_another_camera_keeps_its_own_intrinsics(tmp_path: Path) -> None:
    other = dataclasses.replace(CAMERA, fx=20.0)
    write_frame(tmp_path, some_frame("a"))
    write_frame(tmp_path, dataclasses.replace(some_frame("b"), camera=other))
    assert [frame.camera for frame in FrameFolder(tmp_path)] == [CAMERA, other]


def test_nothing_of_an_earlier_frame_of_that_name_is_left(tmp_path: Path) -> None:
    write_frame(tmp_path, some_frame("b"))
    write_frame(tmp_path, dataclasses.replace(some_frame("a"), camera=dataclasses.replace(CAMERA, fx=20.0)))
    write_frame(tmp_path, Frame("a", None, some_frame().depth, None, CAMERA))
    frame = FrameFolder(tmp_path)[0]
    assert (frame.name, frame.camera, frame.names) == ("a", CAMERA, {})
    assert frame.color is frame.label is frame.up is None
    assert FrameFolder(tmp_path)[1].names == some_frame().names


def test_depth_beyond_sixteen_bits_is_no_return(tmp_path: Path) -> None:
    depth = np.full((6, 8), np.inf, np.float32)
    depth[0, :3] = [65.535, 70.0, -1.0]
    write_frame(tmp_path, Frame("a", None, depth, None, CAMERA))
    back = FrameFolder(tmp_path)[0].depth
    assert back[0, 0] == pytest.approx(65.535)
    assert np.isnan(back.reshape(-1)[1:]).all()


@pytest.mark.parametrize("part", ["depth", "color", "label"])
def test_an_image_of_the_wrong_shape_is_refused(part: str) -> None:
    changes: dict[str, Any] = {part: np.zeros((5, 8), np.uint8)}
    with pytest.raises(ValueError, match=rf"frame a: {part}: expected shape \(6, 8"):
        dataclasses.replace(some_frame(), **changes)


def test_a_missing_folder_or_part_of_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere: no such folder"):
        FrameFolder(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="not a frame folder: it has no depth/"):
        FrameFolder(tmp_path)
    (tmp_path / "depth").mkdir()
    with pytest.raises(ValueError, match="no frames"):
        FrameFolder(tmp_path)
    Image.fromarray(np.zeros((6, 8), np.uint16)).save(tmp_path / "depth/a.png")
    with pytest.raises(FileNotFoundError, match=r"camera\.json: no such file"):
        FrameFolder(tmp_path)


JSON_FAULTS = [
    ("camera.json", "{", "not valid JSON"),
    ("camera.json", "[1]", "expected a JSON object, got list"),
    ("camera.json", '{"width": 8, "height": 6, "fx": 1}', "fy, cx, cy missing"),
    ("camera.json", '{"width": 8, "height": 6, "fx": "wide", "fy": 1, "cx": 1, "cy": 1}', "fx: expected a number"),
    ("camera.json", '{"width": 1e999, "height": 6, "fx": 1, "fy": 1, "cx": 1, "cy": 1}', "infinity"),
    ("camera.json", '{"width": null, "height": 6, "fx": 1, "fy": 1, "cx": 1, "cy": 1}', "width: .* got None"),
    ("camera.json", '{"width": 8, "height": 6, "fx": -1, "fy": 1, "cx": 1, "cy": 1}', "positive focal lengths"),
    ("camera.json", '{"width": 8, "height": 6, "fx": 1, "fy": 1, "cx": 1, "cy": 1, "depth_scale": 0}', "depth_scale"),
    ("names.json", '{"a": ["mug"]}', "expected {object id: name}"),
    ("names.json", '{"a": {"one": "mug"}}', "expected {object id: name}"),
    ("up.json", "[1]", "expected a JSON object, got list"),
    ("up.json", '{"a": [0, 1]}', r"expected \[x, y, z\] with a length, got \[0, 1\]"),
    ("up.json", '{"a": "up"}', r"expected \[x, y, z\] with a length, got 'up'"),
    ("up.json", '{"a": [0, 0, 0]}', r"expected \[x, y, z\] with a length, got \[0, 0, 0\]"),
    ("up.json", '{"a": [0, NaN, 1]}', r"expected \[x, y, z\] with a length"),
]


@pytest.mark.parametrize(("file", "text", "message"), JSON_FAULTS)
def test_a_broken_json_file_is_named(tmp_path: Path, file: str, text: str, message: str) -> None:
    write_frame(tmp_path, some_frame())
    (tmp_path / file).write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        FrameFolder(tmp_path)[0]
    assert file in str(caught.value)


@pytest.mark.parametrize("part", ["depth", "color", "label"])
@pytest.mark.parametrize("fault", ["cut", "size", "noise"])
def test_a_broken_image_is_named(tmp_path: Path, part: str, fault: str) -> None:
    write_frame(tmp_path, some_frame())
    path = tmp_path / part / "a.png"
    if fault == "size":
        Image.open(path).resize((4, 3), Image.Resampling.NEAREST).save(path)
    else:
        path.write_bytes(path.read_bytes()[:50] if fault == "cut" else b"no image")
    with pytest.raises(ValueError, match="4 x 3" if fault == "size" else "not a readable image") as caught:
        FrameFolder(tmp_path)[0]
    assert str(path) in str(caught.value)


def test_coarse_names_are_read_where_there_are_any(tmp_path: Path) -> None:
    write_frame(tmp_path, some_frame())
    assert FrameFolder(tmp_path).coarse_names == {}
    (tmp_path / "coarse_names.json").write_text(json.dumps({"red mug": "mug"}))
    assert FrameFolder(tmp_path).coarse_names == {"red mug": "mug"}
