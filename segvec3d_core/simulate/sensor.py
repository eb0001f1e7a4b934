"""The depth camera: its pose, its view of a scene, and the frame that it delivers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..types import Camera, PointCloud
from . import raster
from .edition import is_first_edition
from .noise import MODELS, SENSORS, Seen, Sensor
from .paint import Light, paint
from .scenes import Entity, Layout, SceneModel, sample_scene

if TYPE_CHECKING:
    from ..datasets.frames import Frame


FURNITURE_SIZE = 0.6
"""Entities longer than this are treated as furniture, metres."""

TOP = 0.06
"""Points more than this below the highest point of a piece of furniture do not belong to its top, metres."""

TABLES = ("table", "coffee table", "desk")
"""Furniture that is assumed to carry objects, see ``_kinds``."""

NEAREST: dict[Sensor, float] = {
    "ideal": 0.25, "kinect": 0.45, "stereo": 0.3, "generic": 0.28, "tof": 0.3, "lidar": 0.4,
}  # fmt: skip
"""Smallest distance that each sensor measures, metres."""

ARM = (0.28, 0.7)
"""Range of the distances of close views, from the camera to the middle of the objects, metres."""

WHOLE = 0.4
"""Share of the uncropped table views that are far enough away to show more of the table than its top, so that it may be
an object rather than a surface, see ``_kinds``."""

SHELL = ("wall", "floor", "ceiling")
"""Categories that are always surfaces."""

SHARES: dict[Sensor, float] = {"ideal": 0.05, "kinect": 0.3, "stereo": 0.25, "generic": 0.2, "tof": 0.2}
"""Probability with which each sensor is drawn."""

FIRST_SHARES: dict[Sensor, float] = {"ideal": 0.06, "kinect": 0.38, "stereo": 0.3, "generic": 0.26, "tof": 0.0}
"""The same in the first edition."""

LIDAR_SHARE = 0.2
"""A LiDAR measures about this share of the pixels that a camera would."""

WEAK = 0.3
"""Of the materials with a depth loss above this, every third never returns anything, except on furniture."""

MATT = 0.1
"""Materials with less gloss than this do not reflect specularly."""


@dataclass(frozen=True, slots=True)
class View:
    """Pose of a camera.

    Attributes:
        rotation: (3, 3), columns are the optical frame's axes in the scene: p_scene = rotation @ p_camera + eye.
        eye: (3,) metres.
    """

    rotation: NDArray[np.float64]
    eye: NDArray[np.float64]

    @property
    def up(self) -> NDArray[np.float32]:
        """(3,) unit vector against gravity in the optical frame."""
        return self.rotation[2].astype(np.float32)


@dataclass(frozen=True, slots=True)
class SimulatedFrame:
    """A frame of a simulated depth camera, with its ground truth.

    Attributes:
        color: (H, W, 3) uint8 RGB.
        depth: (H, W) float32 metres along z, NaN without return.
        instance: (H, W) int32, index into ``entities``, -1 without return.
        surface: (H, W, 3) float32 metres, the surface point that each pixel shows, without noise, in the scene's frame;
            NaN without return.
        entities: the entities of the scene, including those out of view; centres in the optical frame.
        camera: intrinsics.
        up: (3,) float32 unit vector against gravity in the optical frame.
        sensor: the noise model.
    """

    color: NDArray[np.uint8]
    depth: NDArray[np.float32]
    instance: NDArray[np.int32]
    surface: NDArray[np.float32]
    entities: tuple[Entity, ...]
    camera: Camera
    up: NDArray[np.float32]
    sensor: Sensor

    def cloud(self) -> PointCloud:
        """The organised cloud of the frame, in the optical frame."""
        return PointCloud.from_depth(self.depth, self.camera, self.color, up=self.up)

    def to_frame(self, name: str, min_pixels: int = 1) -> Frame:
        """Convert to a frame of a data set: label 0 for surfaces and missing depth, 1 to K for the K objects in view.

        Args:
            name: name of the frame.
            min_pixels: objects seen in fewer pixels are labelled 0.
        """
        from ..datasets.frames import Frame

        counts = np.bincount(self.instance[self.instance >= 0], minlength=len(self.entities))
        number = np.zeros(len(self.entities) + 1, np.uint16)
        names: dict[int, str] = {}
        for k, entity in enumerate(self.entities):
            if entity.kind == "object" and counts[k] >= min_pixels:
                number[k] = len(names) + 1
                names[len(names) + 1] = entity.info.category
        return Frame(name, self.color, self.depth, number[self.instance], self.camera, names, self.up)


def sample_camera(rng: Generator, width: int, height: int) -> Camera:
    """Random pinhole intrinsics: about a third have the focal length of a Kinect, the others a horizontal field of view
    of 49 to 90 degrees, in the first edition to 67."""
    widest = 0.75 if is_first_edition() else 0.5
    focal = 525 / 640 * width if rng.random() < 0.35 else rng.uniform(widest, 1.1) * width
    return Camera(
        width, height, float(focal), float(focal),
        (width - 1) / 2 + float(rng.normal(0, 0.01 * width)), (height - 1) / 2 + float(rng.normal(0, 0.01 * height)),
    )  # fmt: skip


def look_at(eye: NDArray[np.float64], target: NDArray[np.float64], roll: float) -> View:
    """A view from ``eye`` to ``target``, rolled by ``roll`` degrees."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    sideways = np.cross(forward, [0, 0, 1.0])
    if np.linalg.norm(sideways) < 1e-3:
        sideways = np.array([1.0, 0, 0])
    sideways /= np.linalg.norm(sideways)
    down = np.cross(forward, sideways)
    c, s = np.cos(np.deg2rad(roll)), np.sin(np.deg2rad(roll))
    return View(np.stack([c * sideways + s * down, c * down - s * sideways, forward], 1), eye)


def draw_sensor(rng: Generator) -> Sensor:
    """Draw one of the depth cameras, seldom an ideal one."""
    shares = FIRST_SHARES if is_first_edition() else SHARES
    return SENSORS[int(rng.choice(len(SENSORS), p=[shares[s] for s in SENSORS]))]


def sample_view(rng: Generator, scene: SceneModel, whole: float = WHOLE, sensor: Sensor | None = None) -> View:
    """Draw a camera pose that suits the layout of a scene.

    Args:
        rng: source of randomness.
        scene: the scene.
        whole: share of the uncropped table views that show more than the table's top, see ``WHOLE``.
        sensor: determines how near the camera may come; None keeps the distance that suits every sensor.
    """
    roll = rng.normal(0, 2.5)
    if is_first_edition():
        for _ in range(8):
            view = (_table_view(rng, scene, roll, whole, 0.45) if scene.layout == "table" else
                    _room_view(rng, scene, roll))  # fmt: skip
            if np.linalg.norm(scene.vertices - view.eye, axis=1).min() > 0.42:
                break
        return view
    nearest = NEAREST[sensor] if sensor in NEAREST else max(NEAREST.values())
    places = _places(scene)
    for _ in range(8):
        if scene.layout == "room":
            view = _room_view(rng, scene, roll)
        elif scene.layout == "shelf":
            view = _shelf_view(rng, scene, roll, nearest)
        elif scene.close:
            view = _close_view(rng, scene, roll, nearest)
        else:
            view = _table_view(rng, scene, roll, whole, nearest)
        if np.linalg.norm(places - view.eye.astype(np.float32), axis=1).min() > nearest:
            break
    return view


def _places(scene: SceneModel) -> NDArray[np.float32]:
    """(P, 3) points from which a camera must keep its distance: all vertices, and the middles of large faces and of
    their edges."""
    corners = scene.vertices[scene.faces]
    corners = corners[np.abs(corners - corners[:, [1, 2, 0]]).max((1, 2)) > 0.15]
    edges = (corners + corners[:, [1, 2, 0]]) / 2
    return np.concatenate([scene.vertices, edges.reshape(-1, 3), corners.mean(1)])


def _close_view(rng: Generator, scene: SceneModel, roll: float, nearest: float) -> View:
    """Look down at a few objects from about an arm's length or less."""
    pitch, turn = np.deg2rad(rng.uniform(15, 85)), rng.uniform(0, 2 * np.pi)
    distance = rng.uniform(max(ARM[0], nearest), max(ARM[1], nearest + 0.25))
    target = scene.focus + np.append(rng.normal(0, 0.2, 2) * scene.spread, rng.uniform(-0.02, 0.03))
    eye = target + distance * np.array([np.cos(turn) * np.cos(pitch), np.sin(turn) * np.cos(pitch), np.sin(pitch)])
    return look_at(eye, target, roll)


def _shelf_view(rng: Generator, scene: SceneModel, roll: float, nearest: float) -> View:
    """Look at the boards of a shelf, the scene's first entity, from 0.5 to 1.3 m away and no higher than its top."""
    x0, x1, y0, y1 = scene.bounds or (-2, 2, -2, 2)
    for _ in range(12):
        turn, pitch = np.deg2rad(rng.uniform(-40, 40)), np.deg2rad(rng.uniform(-10, 35))
        target = scene.focus + rng.normal(0, 0.08, 3)
        away = rng.uniform(max(0.5, nearest), 1.3)
        ray = np.array([np.sin(turn) * np.cos(pitch), -np.cos(turn) * np.cos(pitch), np.sin(pitch)])
        eye = target + away * ray
        if x0 < eye[0] < x1 and y0 < eye[1] < y1 and 0.15 < eye[2] < scene.entities[0].size[2]:
            break
    return look_at(eye, target, roll)


def _table_view(rng: Generator, scene: SceneModel, roll: float, whole: float, nearest: float) -> View:
    """Look down at the objects on a table, from 10 to 90 degrees above the horizon; a share ``whole`` of the views that
    are not cropped is from far enough away to show parts of the table below its top."""
    pitch = np.deg2rad(rng.choice([rng.uniform(22, 60), rng.uniform(10, 90)], p=[0.7, 0.3]))
    distance = np.clip(scene.spread * rng.uniform(0.9, 2.2) + rng.uniform(0.1, 0.45), nearest, 2.0)
    turn = rng.uniform(0, 2 * np.pi)
    target = scene.focus + np.append(rng.normal(0, 0.12, 2) * scene.spread, rng.uniform(0, 0.08))
    if scene.workspace is None and whole > 0 and rng.random() < whole:
        pitch = np.deg2rad(rng.uniform(12, 50))
        half = float(np.hypot(*scene.entities[0].size[:2])) / 2
        distance = np.clip(half * rng.uniform(1.0, 2.0) + rng.uniform(0.2, 0.8), 0.6, 3.5)
        target[2] -= rng.uniform(0, 0.35)
    ray = np.array([np.cos(turn) * np.cos(pitch), np.sin(turn) * np.cos(pitch), np.sin(pitch)])
    eye = target + distance * ray
    if scene.bounds is not None:  # not behind a wall
        eye[:2] = np.clip(eye[:2], scene.bounds[::2], scene.bounds[1::2])
    return look_at(eye, target, roll)


def _room_view(rng: Generator, scene: SceneModel, roll: float) -> View:
    """Look at the scene's focus from a point within the room, 0.7 to 1.9 m above the floor."""
    x0, x1, y0, y1 = scene.bounds or (-2, 2, -2, 2)
    target = scene.focus + rng.normal(0, 0.15, 3)
    for _ in range(12):
        eye = np.array([rng.uniform(x0, x1), rng.uniform(y0, y1), rng.uniform(0.7, 1.9)])
        if 0.8 < np.linalg.norm(eye - target) < 4.0 and not _inside_something(scene, eye):
            break
    return look_at(eye, target, roll)


def _inside_something(scene: SceneModel, eye: NDArray[np.float64]) -> bool:
    """Whether the camera is in the cube around an object's centre that reaches 30 cm beyond its horizontal extents."""
    for entity in scene.entities:
        if entity.kind == "object" and np.all(np.abs(eye - entity.center) < np.max(entity.size[:2]) / 2 + 0.3):
            return True
    return False


def render(
    rng: Generator, scene: SceneModel, view: View, camera: Camera, sensor: Sensor | None = None,
    light: Light | None = None,
) -> SimulatedFrame:  # fmt: skip
    """The frame that a camera measures of a scene.

    Args:
        rng: draws light and noise.
        scene: the scene.
        view: pose of the camera.
        camera: intrinsics.
        sensor: "ideal", "kinect", "stereo", "generic", "tof" or "lidar"; None draws a camera.
        light: how the scene is lit; None draws it.

    Raises:
        ValueError: an unknown sensor.
    """
    if sensor is None:
        sensor = draw_sensor(rng)
    if sensor not in MODELS:
        raise ValueError(f"sensor: expected one of {', '.join(MODELS)}, got {sensor!r}")
    local = np.ascontiguousarray((scene.vertices - view.eye) @ view.rotation)
    shape = (camera.height, camera.width)
    depth, face = raster.pinhole(local, scene.faces, shape, (camera.fx, camera.fy, camera.cx, camera.cy))
    points, normals = np.empty((*shape, 3), np.float32), np.empty((*shape, 3), np.float32)
    cosine = np.empty(shape, np.float32)
    raster.surfaces(
        depth, face, local, scene.faces, camera.fx, camera.fy, camera.cx, camera.cy,
        np.ascontiguousarray(view.rotation), view.eye, points, normals, cosine,
    )  # fmt: skip
    color = paint(rng, scene, points, normals, face, view.eye, light)
    seen = Seen(depth, cosine, _loss(rng, scene, face, cosine), color, camera)
    read, source = MODELS[sensor](rng, seen)
    instance = np.where(face >= 0, scene.face_entity[face], -1).ravel()[source]
    if scene.workspace is not None:
        read = np.where(_in_workspace(scene, points, view.eye).ravel()[source], read, np.float32(np.nan))
    instance = np.where(np.isfinite(read), instance, -1).astype(np.int32)
    read = np.where(instance >= 0, read, np.float32(np.nan))
    surface = np.where((instance >= 0)[..., None], points.reshape(-1, 3)[source], np.float32(np.nan))
    kinds = _kinds(scene, instance, points, source)
    entities = tuple(
        replace(e, kind=kind, center=((e.center - view.eye) @ view.rotation).astype(np.float32))
        for e, kind in zip(scene.entities, kinds, strict=True)
    )
    return SimulatedFrame(color, read, instance, surface, entities, camera, view.up, sensor)


def _loss(
    rng: Generator, scene: SceneModel, face: NDArray[np.int32], cosine: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(H, W) chance that the surface of a pixel returns nothing, see ``Seen.loss``.

    Some objects of glass, or dark in infrared, never return anything in any view. Glossy surfaces reflect too much
    light into a camera that faces them squarely, and lose less elsewhere.
    """
    of_material = scene.materials[:, 10]
    if is_first_edition():
        return np.where(face >= 0, of_material[scene.face_material[face]], 0).astype(np.float32)
    small = np.array([e.size.max() <= FURNITURE_SIZE for e in scene.entities])
    gone = (of_material > WEAK) & (scene.materials[:, 8] % 3 == 0)  # by the pattern's seed: the same in every view
    of_face = np.where(gone[scene.face_material] & small[scene.face_entity], 2.0, of_material[scene.face_material])
    shine = np.maximum(scene.materials[scene.face_material, 9] - MATT, 0)[face]
    squarely = np.exp(-(((1 - cosine) / (1 - np.cos(np.deg2rad(rng.uniform(3, 20))))) ** 2))
    loss = of_face[face] * np.where(of_face[face] < 2, 1 - rng.uniform(0, 1) * shine, 1)
    return np.where(face >= 0, loss + rng.uniform(0, 1) * shine * squarely, 0).astype(np.float32)


def _kinds(
    scene: SceneModel, instance: NDArray[np.int32], points: NDArray[np.float32], source: NDArray[np.int64]
) -> list[Literal["object", "surface"]]:
    """Kind of each entity in this view: walls, floors, ceilings and bare table tops are surfaces, all else objects.

    A table, or the shelf that a scene is about (``Entity.carries``), is a surface if at most a tenth of its visible
    pixels lies below its top, or if it makes up at least a fifth of the rim of the view, see ``_rim``; any other piece
    of furniture only if both hold.
    """
    kinds: list[Literal["object", "surface"]] = [e.kind for e in scene.entities]
    rim = _rim(instance)
    height = points[..., 2].ravel()[source]
    for k, entity in enumerate(scene.entities):
        if entity.info.category in SHELL or entity.size.max() <= FURNITURE_SIZE:
            continue
        seen = instance == k
        # The support of a table scene has its top at 0, though it may have a raised shelf above.
        of_scene = entity.kind == "surface" and scene.layout == "table"
        top = 0.0 if of_scene else scene.vertices[scene.faces[scene.face_entity == k].ravel(), 2].max()
        top_alone = not seen.any() or bool((height[seen] < top - TOP).mean() <= 0.1)
        cut = bool((rim == k).mean() >= 0.2) if len(rim) else False
        support = entity.kind == "surface" or entity.carries or entity.info.category in TABLES
        kinds[k] = "surface" if (top_alone or cut if support else top_alone and cut) else "object"
    return kinds


def _rim(instance: NDArray[np.int32]) -> NDArray[np.int32]:
    """(M,) entities at the rim of the view: at the first and the last pixel with depth of each row and column. The rim
    is the image border, or the outline of what a robot kept when it cropped the frame."""
    ends = []
    for lines in (instance, instance.T):
        returned = lines >= 0
        lines, returned = lines[returned.any(1)], returned[returned.any(1)]
        rows = np.arange(len(lines))
        ends += [lines[rows, returned.argmax(1)], lines[rows, -1 - returned[:, ::-1].argmax(1)]]
    return np.concatenate(ends)


def _in_workspace(scene: SceneModel, points: NDArray[np.float32], eye: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(H, W) whether a pixel lies in the scene's workspace."""
    space = scene.workspace
    assert space is not None  # the caller asks only where there is one
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    inside = (x > space.low[0]) & (x < space.high[0]) & (y > space.low[1]) & (y < space.high[1]) & (z > space.floor)
    return np.asarray(inside & (np.linalg.norm(points - eye.astype(np.float32), axis=-1) < space.reach))


def simulate_frame(
    rng: Generator, layout: Layout | None = None, width: int = 640, height: int = 480, sensor: Sensor | None = None,
    objects: int | None = None, whole: float = WHOLE,
) -> SimulatedFrame:  # fmt: skip
    """Draw a scene and a camera, and return the frame that it measures.

    Views in which hardly anything is visible are drawn again, up to five times, so that frames show an object.

    Args:
        rng: source of randomness; the same state gives the same frame.
        layout: "table", "room" or "shelf"; None draws one.
        width, height: image size, pixels, 1 or more.
        sensor: "ideal", "kinect", "stereo", "generic", "tof" or "lidar"; None draws a camera.
        objects: how many objects to try to place on a table; None draws it.
        whole: share of the uncropped table views that show more than the table's top, see ``WHOLE``.

    Raises:
        ValueError: an unknown layout or sensor.
    """
    scene = sample_scene(rng, layout, objects)
    if sensor is None and not is_first_edition():
        sensor = draw_sensor(rng)
    share = LIDAR_SHARE if sensor == "lidar" else 1.0
    for _ in range(6):
        frame = render(rng, scene, sample_view(rng, scene, whole, sensor), sample_camera(rng, width, height), sensor)
        visible = frame.instance >= 0
        is_object = np.array([e.kind == "object" for e in frame.entities])
        if visible.mean() > 0.1 * share and is_object[frame.instance[visible]].sum() > 150 * share * width / 640:
            return frame
    return frame
