"""Frame folders: the frames of a depth camera as PNG and JSON.

    color/NAME.png      RGB                                                         optional
    depth/NAME.png      16 bit, times depth_scale metres, 0 = no return, registered to colour
    label/NAME.png      0 background and support, 1..K objects, 255 ignore          optional
    camera.json         width, height, fx, fy, cx, cy, depth_scale (default 0.001)
    camera/NAME.json    the same for one frame that another camera took             optional
    names.json          {NAME: {object id: name}}                                   optional
    up.json             {NAME: [x, y, z]}, against gravity, optical frame           optional
    coarse_names.json   {name: coarse name}, for the retrieval score                optional
    tags.json           {NAME: {"sensor": text, "hard": true, ...}}, for subsets    optional

``segvec3d simulate`` writes this layout; ``eval``, ``train`` and the demo read it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segvec3d_core.files import replacing
from segvec3d_core.types import Camera, Float32, PointCloud

IGNORE = 255
"""Label of pixels that are not evaluated."""

DEPTH_SCALE = 0.001
"""Default metres per unit of a depth image, if camera.json has none."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One depth frame with its annotations.

    Attributes:
        name: unique in its folder; the stem of its files.
        color: (H, W, 3) uint8 RGB, or None.
        depth: (H, W) float32, metres, NaN for pixels without a return.
        label: (H, W) uint16, 0 background and support, 1..K objects, 255 ignore, or None.
        camera: intrinsics of all images.
        names: name of each object id that has one.
        up: (3,) float32 against gravity in the optical frame, or None.
    """

    name: str
    color: NDArray[np.uint8] | None
    depth: Float32
    label: NDArray[np.uint16] | None
    camera: Camera
    names: dict[int, str] = field(default_factory=dict)
    up: Float32 | None = None

    def __post_init__(self) -> None:
        size = (self.camera.height, self.camera.width)
        for what, image in (("depth", self.depth), ("color", self.color), ("label", self.label)):
            wanted = (*size, 3) if what == "color" else size
            if image is not None and image.shape != wanted:
                raise ValueError(f"frame {self.name}: {what}: expected shape {wanted}, got {image.shape}")

    def cloud(self) -> PointCloud:
        """The frame as an organised cloud of H * W points in the optical frame."""
        return PointCloud.from_depth(self.depth, self.camera, self.color, up=self.up)

    def thinned(self, stride: int) -> Frame:
        """The frame subsampled to every ``stride``-th row and column, with adapted intrinsics."""
        camera = Camera(
            -(-self.camera.width // stride), -(-self.camera.height // stride),
            self.camera.fx / stride, self.camera.fy / stride, self.camera.cx / stride, self.camera.cy / stride,
        )  # fmt: skip
        some = np.s_[::stride, ::stride]
        return replace(
            self, camera=camera, depth=np.ascontiguousarray(self.depth[some]),
            color=None if self.color is None else np.ascontiguousarray(self.color[some]),
            label=None if self.label is None else np.ascontiguousarray(self.label[some]),
        )  # fmt: skip

    def without_colors(self) -> Frame:
        """The frame without its colour image."""
        return replace(self, color=None)


class FrameFolder(Sequence[Frame]):
    """The frames of a folder, in natural order of their names, read on access.

    Args:
        path: folder in the layout of this module.

    Attributes:
        path: that folder.
        names: the frames' names.
        coarse_names: coarse name of each object name; empty if the folder has no coarse_names.json.
        tags: contents of tags.json.

    Raises:
        FileNotFoundError: no such folder, or no depth/ or camera.json in it.
        ValueError: no frames, or a JSON file with the wrong contents. Reading a frame raises either for an image that
            is missing, broken or of the wrong size.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise FileNotFoundError(f"{self.path}: no such folder")
        if not (self.path / "depth").is_dir():
            raise FileNotFoundError(f"{self.path}: not a frame folder: it has no depth/")
        self.names = sorted((file.stem for file in (self.path / "depth").glob("*.png")), key=natural_key)
        if not self.names:
            raise ValueError(f"{self.path}: no frames: depth/ holds no .png")
        self._camera = read_camera(self.path / "camera.json")
        self._names = read_json_object(self.path / "names.json")
        self._up = read_json_object(self.path / "up.json")
        self.coarse_names = {str(k): str(v) for k, v in read_json_object(self.path / "coarse_names.json").items()}
        self.tags = read_tags(self.path / "tags.json")

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> list[Frame]: ...
    def __getitem__(self, index: int | slice) -> Frame | list[Frame]:
        if isinstance(index, slice):
            return [self._read(name) for name in self.names[index]]
        return self._read(self.names[index])

    def _read(self, name: str) -> Frame:
        own_camera = self.path / "camera" / f"{name}.json"
        camera, depth_scale = read_camera(own_camera) if own_camera.is_file() else self._camera
        color, label = self.path / "color" / f"{name}.png", self.path / "label" / f"{name}.png"
        return Frame(
            name=name,
            depth=read_depth(self.path / "depth" / f"{name}.png", camera, depth_scale),
            camera=camera,
            color=read_color(color, camera) if color.is_file() else None,
            label=_read_label(label, camera) if label.is_file() else None,
            names=self._object_names(name),
            up=_direction(self.path / "up.json", self._up, name),
        )

    def _object_names(self, name: str) -> dict[int, str]:
        try:
            return {int(key): str(value) for key, value in self._names.get(name, {}).items()}
        except (AttributeError, ValueError):
            raise ValueError(f"{self.path / 'names.json'}: {name}: expected {{object id: name}}") from None


def natural_key(name: str) -> list[Any]:
    """A sort key that orders numbers in names by value: learn2 before learn10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name)]


def read_camera(path: str | Path) -> tuple[Camera, float]:
    """The intrinsics and the depth scale (metres per unit) of a camera.json.

    Raises:
        FileNotFoundError: no such file. ValueError: width, height, fx, fy, cx, cy are not all valid numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file (intrinsics: width, height, fx, fy, cx, cy)")
    values = read_json_object(path)
    missing = [key for key in ("width", "height", "fx", "fy", "cx", "cy") if key not in values]
    if missing:
        raise ValueError(f"{path}: {', '.join(missing)} missing")
    try:
        size = [int(_number(values, key)) for key in ("width", "height")]
        focal = [_number(values, key) for key in ("fx", "fy", "cx", "cy")]
        depth_scale = _number({"depth_scale": DEPTH_SCALE, **values}, "depth_scale")
        if not (np.isfinite([*focal, depth_scale]).all() and depth_scale > 0):
            raise ValueError("expected finite numbers and a positive depth_scale")
        return Camera(*size, *focal), depth_scale
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path}: {error}") from None


def _number(values: dict[str, Any], key: str) -> float:
    try:
        return float(values[key])
    except (TypeError, ValueError):
        raise ValueError(f"{key}: expected a number, got {values[key]!r}") from None


def read_tags(path: str | Path) -> dict[str, dict[str, Any]]:
    """The tags of each frame or scan, by name, from a tags.json; empty if there is no such file.

    Raises:
        ValueError: not of the form {name: {tag: value}}.
    """
    values = read_json_object(Path(path))
    for name, tags in values.items():
        if not isinstance(tags, dict):
            raise ValueError(f"{path}: {name}: expected {{tag: value}}, got {tags!r}")
    return values


def read_up(path: str | Path, name: str) -> Float32 | None:
    """The (3,) float32 up direction of a frame from an up.json, or None if it has none.

    Raises:
        ValueError: not an up.json, or not a direction.
    """
    return _direction(Path(path), read_json_object(Path(path)), name)


def _direction(path: Path, values: dict[str, Any], name: str) -> Float32 | None:
    if name not in values:
        return None
    try:
        up = np.asarray(values[name], np.float32)
    except (TypeError, ValueError):
        up = np.empty(0, np.float32)
    if up.shape != (3,) or not (np.isfinite(up).all() and up.any()):
        raise ValueError(f"{path}: {name}: expected [x, y, z] with a length, got {values[name]!r}")
    return up


def read_depth(path: str | Path, camera: Camera, depth_scale: float = DEPTH_SCALE) -> Float32:
    """Read a 16-bit depth PNG -> (H, W) float32, metres, NaN for pixels without a return."""
    raw = _read_image(Path(path), camera, ("I;16", "I;16B", "I"), "a 16-bit depth image")
    depth = raw.astype(np.float32) * np.float32(depth_scale)
    depth[raw <= 0] = np.nan
    return depth


def read_color(path: str | Path, camera: Camera) -> NDArray[np.uint8]:
    """Read an image file -> (H, W, 3) uint8 RGB."""
    color = _read_image(Path(path), camera, ("RGB", "RGBA", "L", "P", "LA", "1"), "an RGB image")
    return np.asarray(color, np.uint8)


def _read_label(path: Path, camera: Camera) -> NDArray[np.uint16]:
    return _read_image(path, camera, ("L", "P", "I;16", "I;16B", "I"), "an 8- or 16-bit label image").astype(np.uint16)


def _read_image(path: Path, camera: Camera, modes: tuple[str, ...], wanted: str) -> NDArray[Any]:
    """Read an image that has one of these modes and the camera's size; converted to RGB if the modes include it."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with Image.open(path) as image:
            mode, (width, height) = image.mode, image.size
            if mode in modes and (width, height) == (camera.width, camera.height):
                return np.array(image.convert("RGB") if "RGB" in modes else image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = str(error).replace(f" '{path}'", "")
        raise ValueError(f"{path}: not a readable image: {reason}") from None
    if mode not in modes:
        raise ValueError(f"{path}: expected {wanted}, got mode {mode}")
    raise ValueError(
        f"{path}: expected {camera.width} x {camera.height} pixels as the camera has, got {width} x {height}"
    )


def read_json_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if there is no file.

    Raises:
        ValueError: not JSON, or not an object.
    """
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: expected a JSON object, got {type(values).__name__}")
    return values


def write_frame(folder: str | Path, frame: Frame) -> None:
    """Add a frame to a folder in the layout of this module, creating the folder if necessary.

    Only one process may write to a folder at a time: names.json and up.json are read, extended and replaced. Depth is
    rounded to millimetres; depth beyond 65.5 m is written as no return.
    """
    folder = Path(folder)
    for part in ("depth", "color", "label"):
        if part == "depth" or getattr(frame, part) is not None:
            (folder / part).mkdir(parents=True, exist_ok=True)
    _write_camera(folder, frame)
    millimetres = np.nan_to_num(frame.depth / DEPTH_SCALE, nan=0.0, posinf=0.0, neginf=0.0).round()
    millimetres[(millimetres < 0) | (millimetres > 65535)] = 0
    Image.fromarray(millimetres.astype(np.uint16)).save(folder / "depth" / f"{frame.name}.png")
    label = frame.label
    if label is not None:
        label = label.astype(np.uint8 if label.max(initial=0) <= 255 else np.uint16)
    for part, image in (("color", frame.color), ("label", label)):
        path = folder / part / f"{frame.name}.png"
        if image is None:
            path.unlink(missing_ok=True)  # of an earlier frame of that name
        else:
            Image.fromarray(image).save(path)
    names = {str(key): frame.names[key] for key in sorted(frame.names)} if frame.names else None
    _set_json(folder / "names.json", frame.name, names)
    _set_json(folder / "up.json", frame.name, None if frame.up is None else [float(value) for value in frame.up])


def _write_camera(folder: Path, frame: Frame) -> None:
    """Write the intrinsics as the folder's if it has none yet, or as the frame's own if they differ from these."""
    camera = frame.camera
    values = {key: getattr(camera, key) for key in ("width", "height", "fx", "fy", "cx", "cy")}
    values["depth_scale"] = DEPTH_SCALE
    path = folder / "camera.json"
    if path.is_file():
        own = folder / "camera" / f"{frame.name}.json"
        if read_camera(path) == (camera, DEPTH_SCALE):
            own.unlink(missing_ok=True)  # of an earlier frame of that name
            return
        path = own
        path.parent.mkdir(exist_ok=True)
    _replace(path, json.dumps(values, indent=1))


def _set_json(path: Path, key: str, value: Any) -> None:
    """Set a key in a JSON file, or remove it if the value is None."""
    values = read_json_object(path)
    if value is None and key not in values:
        return
    values.pop(key, None)
    if value is not None:
        values[key] = value
    _replace(path, json.dumps(values, indent=1, ensure_ascii=False))


def _replace(path: Path, text: str) -> None:
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
