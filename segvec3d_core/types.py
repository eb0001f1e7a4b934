"""The data types of SegVec3D: frozen, shape-checked, in SI units.

N is the number of points of a cloud, K the number of instances in a scene, d_v the dimension of the space that
instances share with text. Points are in metres in the cloud's own frame. Types that hold arrays compare by identity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Kind = Literal["object", "surface"]


def _array(name: str, value: Any, dtype: type, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """Return ``value`` as an array of ``dtype``, checking its shape; None in ``shape`` means any length.

    The result is C-contiguous and writeable, copied if necessary: kernels would be compiled again for every other
    memory layout, which takes longer than a hundred frames.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name}: not an array: {error}") from None
    if array.ndim != len(shape) or any(n is not None and n != m for n, m in zip(shape, array.shape, strict=True)):
        wanted = "(" + ", ".join("N" if n is None else str(n) for n in shape) + ("," if len(shape) == 1 else "") + ")"
        raise ValueError(f"{name}: expected shape {wanted}, got {array.shape}")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected numbers, got {array.dtype}")
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.writeable:
        return array  # fast path: every box of every cloud is checked here
    return np.require(array, dtype, ["C", "W"])


def _rgb(name: str, value: Any, shape: tuple[int | None, ...]) -> NDArray[np.uint8]:
    """Return ``value`` as RGB colours. Only uint8 is accepted: floats from 0 to 1 would be cast to black."""
    array = np.asarray(value)
    if array.dtype != np.uint8:
        raise TypeError(f"{name}: expected uint8, got {array.dtype}")
    return _array(name, array, np.uint8, shape)


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera without distortion. Its optical frame: x right, y down, z forward.

    Attributes:
        width, height: image size, pixels.
        fx, fy: focal lengths, pixels.
        cx, cy: principal point, pixels.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"camera: expected a positive image size, got {self.width} x {self.height}")
        if not (0 < self.fx < np.inf and 0 < self.fy < np.inf):
            raise ValueError(f"camera: expected positive focal lengths, got fx={self.fx}, fy={self.fy}")
        if not np.isfinite([self.cx, self.cy]).all():
            raise ValueError(f"camera: expected a finite principal point, got cx={self.cx}, cy={self.cy}")

    def project(self, points: Float32) -> Float32:
        """Project (N, 3) points of the optical frame to (N, 2) pixels; NaN for points not in front."""
        points = np.asarray(points, np.float64)
        z = np.where(points[:, 2] > 1e-6, points[:, 2], np.nan)
        return np.stack([points[:, 0] / z * self.fx + self.cx, points[:, 1] / z * self.fy + self.cy], 1)


OPTICAL_AXES: Float32 = np.eye(3, dtype=np.float32)
BODY_AXES: Float32 = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], np.float32)
"""A camera's right, down and forward as columns, in its optical frame and in a body frame (REP-103: x forward, y left,
z up), in which some drivers and simulators publish a camera's cloud."""
OPTICAL_AXES.flags.writeable = BODY_AXES.flags.writeable = False
FARTHEST = 1e7
"""Coordinates beyond this, metres, are treated as noise: float32 cannot resolve geometry there."""
WIDEST = 1.8
"""Tangent of the largest half field of view of a depth camera."""


def from_body(points: Float32) -> Float32:
    """Convert (N, 3) points from a body frame to the optical frame of the camera, see ``BODY_AXES``."""
    return np.stack([-points[:, 1], -points[:, 2], points[:, 0]], 1)


@dataclass(frozen=True, slots=True, eq=False)
class PointCloud:
    """Points of one frame or scan. NaN rows are allowed and mean "no return".

    Attributes:
        points: (N, 3) float32, metres.
        colors: (N, 3) uint8 RGB, or None.
        up: (3,) float32 unit vector against gravity, or None if unknown.
        viewpoint: (3,) float32 sensor position, metres, or None if unknown or moving.
        camera: intrinsics if the points are an organised image, row by row, in the optical frame.
        body_camera: the same for an image in a body frame, whose x axis points along the camera's view.

    Raises:
        ValueError, TypeError: an array of the wrong shape or type, ``up`` of zero length, a camera whose image does not
            have N pixels, or both cameras.
    """

    points: Float32
    colors: NDArray[np.uint8] | None = None
    up: Float32 | None = None
    viewpoint: Float32 | None = None
    camera: Camera | None = None
    body_camera: Camera | None = None

    def __post_init__(self) -> None:
        points = _array("points", self.points, np.float32, (None, 3))
        object.__setattr__(self, "points", points)
        if self.colors is not None:
            object.__setattr__(self, "colors", _rgb("colors", self.colors, (len(points), 3)))
        if self.up is not None:
            up = _array("up", self.up, np.float64, (3,))
            length = float(np.linalg.norm(up))
            if not (np.isfinite(length) and length > 0):
                raise ValueError(f"up: expected a finite vector with a length, got {up}")
            object.__setattr__(self, "up", (up / length).astype(np.float32))
        if self.viewpoint is not None:
            viewpoint = _array("viewpoint", self.viewpoint, np.float32, (3,))
            if not np.isfinite(viewpoint).all():
                raise ValueError(f"viewpoint: expected finite coordinates, got {viewpoint}")
            object.__setattr__(self, "viewpoint", viewpoint)
        for camera in (self.camera, self.body_camera):
            if camera is not None and camera.width * camera.height != len(points):
                raise ValueError(f"camera: expected {camera.width} x {camera.height} points, got {len(points)}")
        if self.camera is not None and self.body_camera is not None:
            raise ValueError("camera: expected one of them, got one in the optical frame and one in that of a body")

    def __len__(self) -> int:
        return len(self.points)

    @property
    def any_camera(self) -> Camera | None:
        """Intrinsics of an image in either frame, or None if the points are not an image."""
        return self.camera or self.body_camera

    @property
    def camera_axes(self) -> Float32 | None:
        """(3, 3) right, down and forward of the sensor as columns, or None if unknown.

        Without a camera they are those of an optical frame if the viewpoint is the origin and the points lie ahead.
        """
        if self.body_camera is not None:
            return BODY_AXES
        if self.camera is None and (self.viewpoint is None or self.viewpoint.any() or not self.lies_ahead):
            return None
        return OPTICAL_AXES

    @property
    def lies_ahead(self) -> bool:
        """Whether at least 99 % of the points lie within about 60 degrees of the z axis, seen from the origin."""
        some = self.points[:: max(1, len(self) // 5_000)]
        x, y, z = some[np.isfinite(some).all(1) & some.any(1)].T  # some drivers send zeros where nothing returned
        ahead = (z > 0) & (np.maximum(np.abs(x), np.abs(y)) < WIDEST * z)
        return bool(len(z) and ahead.mean() >= 0.99)

    @classmethod
    def from_depth(
        cls,
        depth: NDArray[Any],
        camera: Camera,
        color: NDArray[np.uint8] | None = None,
        depth_scale: float = 0.001,
        up: Float32 | None = None,
    ) -> PointCloud:
        """Back-project a depth image, organised row by row, into the camera's optical frame.

        Args:
            depth: (H, W) integers in units of ``depth_scale``, or floating-point metres; pixels that are not positive
                and finite have no return.
            camera: intrinsics of an H x W image.
            color: (H, W, 3) uint8 RGB registered to the depth, or None.
            depth_scale: metres per unit of an integer depth image.
            up: (3,) direction against gravity in the optical frame, or None.

        Raises:
            ValueError, TypeError: an image of the wrong size or type, or ``up`` of zero length.
        """
        if not 0 < depth_scale < np.inf:
            raise ValueError(f"depth_scale: expected a positive number of metres, got {depth_scale}")
        depth = _array("depth", depth, np.asarray(depth).dtype.type, (camera.height, camera.width))
        z = depth.astype(np.float32) * (np.float32(depth_scale) if depth.dtype.kind in "iu" else np.float32(1))
        z = np.where(np.isfinite(z) & (z > 0), z, np.float32(np.nan))
        u = (np.arange(camera.width, dtype=np.float32) - np.float32(camera.cx)) / np.float32(camera.fx)
        v = (np.arange(camera.height, dtype=np.float32) - np.float32(camera.cy)) / np.float32(camera.fy)
        points = np.stack([z * u[None, :], z * v[:, None], z], -1).reshape(-1, 3)
        if color is not None:
            color = _rgb("color", color, (camera.height, camera.width, 3)).reshape(-1, 3)
        return cls(points, color, up=up, viewpoint=np.zeros(3, np.float32), camera=camera)


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """An oriented box, defined as in vision_msgs/BoundingBox3D.

    Attributes:
        center: (3,) float32, metres.
        rotation: (3, 3) float32, right-handed; its columns are the box's axes: p_cloud = rotation @ p_box + center.
        size: (3,) float32, full edge lengths along the axes, metres.
    """

    center: Float32
    rotation: Float32
    size: Float32

    def __post_init__(self) -> None:
        object.__setattr__(self, "center", _array("center", self.center, np.float32, (3,)))
        object.__setattr__(self, "rotation", _array("rotation", self.rotation, np.float32, (3, 3)))
        object.__setattr__(self, "size", _array("size", self.size, np.float32, (3,)))

    def corners(self) -> Float32:
        """The (8, 3) corners in the cloud's frame, in binary order of the axes' signs (z fastest)."""
        signs = np.stack(np.meshgrid([-0.5, 0.5], [-0.5, 0.5], [-0.5, 0.5], indexing="ij"), -1).reshape(8, 3)
        return ((signs * self.size) @ self.rotation.T + self.center).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class SceneObject:
    """One instance of a scene.

    Attributes:
        kind: "object", or "surface" for a wall, floor, ceiling or the top of furniture that is not seen as a whole.
        score: 0 to 1; for an object the calibrated probability of overlapping a true one with IoU > 0.5, for a surface
            the network's confidence.
        box: oriented bounding box.
        centroid: (3,) float32, mean of the instance's points, metres.
        embedding: (d_v,) float32 of unit length, equation (10); empty for a model without alignment.
        color: (3,) uint8 median RGB of the instance, or None if no colour was seen.
        point_count: number of points labelled with this instance.
    """

    kind: Kind
    score: float
    box: Box
    centroid: Float32
    embedding: Float32 = field(repr=False)
    color: NDArray[np.uint8] | None
    point_count: int


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Scene:
    """The result of ``SegVec3D.segment``.

    Attributes:
        labels: (N,) int32, instance of each point: k means ``objects[k]``, -1 none.
        objects: the K instances.
        timings: seconds per stage, in the order in which they ran.
        viewpoint: (3,) float32 sensor position, metres, or None: "left of" then cannot be decided.
        up: (3,) float32 unit vector against gravity: given, or estimated from the largest surface or the camera's
            axes; None if unknown.
        camera_axes: (3, 3) float32, the camera's right, down and forward as columns, or None if unknown: "left of" is
            then seen along the direction from the viewpoint to the objects.
        affinity: (K, K) float32, 0 to 1: probability that two instances are parts of one, 0 for those that share no
            pair of superpoints; None for other clustering methods than "graph", for tiles and for a map.
    """

    labels: NDArray[np.int32]
    objects: tuple[SceneObject, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)
    viewpoint: Float32 | None = None
    up: Float32 | None = None
    camera_axes: Float32 | None = None
    affinity: Float32 | None = None

    def __post_init__(self) -> None:
        labels = _array("labels", self.labels, np.int32, (None,))
        if len(labels) and not (-1 <= int(labels.min()) and int(labels.max()) < len(self.objects)):
            raise ValueError(f"labels: expected -1 to {len(self.objects) - 1}, got {labels.min()} to {labels.max()}")
        object.__setattr__(self, "labels", labels)
        if self.affinity is not None:
            shape = len(self.objects), len(self.objects)
            object.__setattr__(self, "affinity", _array("affinity", self.affinity, np.float32, shape))
            if not ((self.affinity >= 0) & (self.affinity <= 1)).all():
                raise ValueError("affinity: expected 0 to 1 throughout")

    def __len__(self) -> int:
        return len(self.objects)


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """An object that matches a query.

    Attributes:
        index: position in ``scene.objects``.
        object: ``scene.objects[index]``.
        similarity: calibrated probability, 0 to 1, that the text describes the object.
    """

    index: int
    object: SceneObject
    similarity: float


@dataclass(frozen=True, slots=True)
class Matches(Sequence[Match]):
    """The answer to a query, best match first; empty if nothing fits.

    Attributes:
        matches: the matches in order.
        interpretation: how the query was understood, as text for the user.
    """

    matches: tuple[Match, ...] = ()
    interpretation: str = ""

    def __len__(self) -> int:
        return len(self.matches)

    @overload
    def __getitem__(self, index: int) -> Match: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Match, ...]: ...
    def __getitem__(self, index: int | slice) -> Match | tuple[Match, ...]:
        return self.matches[index]

    def __iter__(self) -> Iterator[Match]:
        return iter(self.matches)
