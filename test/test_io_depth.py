"""Depth images as clouds: their camera, colour and up are found beside them, or what is wrong there is named."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segvec3d_core.datasets.frames import Frame, write_frame
from segvec3d_core.io import read_cloud
from segvec3d_core.types import Camera

CAMERA = Camera(8, 6, 10.0, 11.0, 3.5, 2.5)


def depth_folder(folder: Path) -> Frame:
    rng = np.random.default_rng(1)
    depth = (rng.integers(500, 2000, (6, 8)) / 1000).astype(np.float32)
    depth[0, 0] = np.nan
    frame = Frame("a", rng.integers(0, 256, (6, 8, 3), np.uint8), depth, None, CAMERA)
    write_frame(folder, frame)
    return frame


def test_a_depth_image_of_a_frame_folder_finds_its_camera_and_colour(tmp_path: Path) -> None:
    frame = depth_folder(tmp_path)
    cloud = read_cloud(tmp_path / "depth" / "a.png")
    np.testing.assert_allclose(cloud.points, frame.cloud().points, rtol=1e-6)
    np.testing.assert_array_equal(cloud.colors, frame.cloud().colors)
    assert cloud.camera == CAMERA
    np.testing.assert_array_equal(read_cloud(tmp_path, index=0).points, cloud.points)


def test_a_depth_image_anywhere_needs_its_camera(tmp_path: Path) -> None:
    frame = depth_folder(tmp_path / "frames")
    (tmp_path / "depth.png").write_bytes((tmp_path / "frames/depth/a.png").read_bytes())
    with pytest.raises(FileNotFoundError, match="intrinsics: give --camera"):
        read_cloud(tmp_path / "depth.png")
    camera = tmp_path / "frames/camera.json"
    assert read_cloud(tmp_path / "depth.png", camera=camera).colors is None
    cloud = read_cloud(tmp_path / "depth.png", color=tmp_path / "frames/color/a.png", camera=camera)
    np.testing.assert_array_equal(cloud.colors, frame.cloud().colors)


def test_a_depth_image_in_millimetres_that_is_taken_for_metres_is_asked_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    depth_folder(tmp_path)
    told = json.loads((tmp_path / "camera.json").read_text())
    read_cloud(tmp_path / "depth" / "a.png")
    assert not caplog.records
    (tmp_path / "camera.json").write_text(json.dumps(told | {"depth_scale": 1.0}))
    read_cloud(tmp_path / "depth" / "a.png")
    assert "are these millimetres, or other units?" in caplog.text
    assert "its camera.json tells depth_scale" in caplog.text


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_depth_image_of_a_frame_folder_gives_the_cloud_of_its_frame(tmp_path: Path, name: str) -> None:
    """Up, colour and the frame's own camera included, for the folder's camera and for another one (b)."""
    frame = depth_folder(tmp_path)
    write_frame(tmp_path, dataclasses.replace(frame, up=np.array([0, -0.6, -0.8], np.float32)))
    write_frame(
        tmp_path, dataclasses.replace(frame, name="b", camera=Camera(8, 6, 9, 9, 3, 2), up=np.array([0, -1, 0]))
    )
    wanted = read_cloud(tmp_path, index="ab".index(name))
    own = tmp_path / ("camera.json" if name == "a" else "camera/b.json")
    for camera in (None, own):
        cloud = read_cloud(tmp_path / f"depth/{name}.png", camera=camera)
        for part in ("points", "colors", "up", "viewpoint"):
            assert getattr(wanted, part) is not None
            np.testing.assert_array_equal(getattr(cloud, part), getattr(wanted, part))
        assert cloud.camera == wanted.camera
    other = tmp_path / "other.png"
    Image.new("RGB", (8, 6), (1, 2, 3)).save(other)
    colors = read_cloud(tmp_path / f"depth/{name}.png", color=other).colors
    np.testing.assert_array_equal(colors, np.tile([1, 2, 3], (48, 1)))


def test_a_depth_image_may_be_named_from_within_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = depth_folder(tmp_path)
    monkeypatch.chdir(tmp_path / "depth")
    np.testing.assert_array_equal(read_cloud("a.png").colors, frame.cloud().colors)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [("color/a.png", "no image", "not a readable image"), ("up.json", '{"a": [0, 0, 0]}', "with a length")],
)
def test_what_is_wrong_beside_a_depth_image_is_named(tmp_path: Path, file: str, content: str, message: str) -> None:
    depth_folder(tmp_path)
    (tmp_path / file).write_text(content)
    for path in (tmp_path, tmp_path / "depth/a.png"):
        with pytest.raises(ValueError, match=message) as caught:
            read_cloud(path)
        assert str(caught.value).startswith(str(tmp_path / file))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("cut", "not a readable image"),
        ("rgb", "expected a 16-bit depth image, got mode RGB"),
        ("size", "expected 8 x 6 pixels as the camera has, got 4 x 3"),
    ],
)
def test_a_faulty_depth_image_ends_in_one_clear_line(tmp_path: Path, fault: str, message: str) -> None:
    depth_folder(tmp_path)
    path = tmp_path / "depth/a.png"
    if fault == "cut":
        path.write_bytes(path.read_bytes()[:60])
    elif fault == "rgb":
        Image.new("RGB", (8, 6)).save(path)
    else:
        Image.fromarray(np.zeros((3, 4), np.uint16)).save(path)
    with pytest.raises(ValueError, match=message):
        read_cloud(path)
