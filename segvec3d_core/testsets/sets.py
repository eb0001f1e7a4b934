"""The test sets: makes the labelled frame or scan of a set's scene from its index, the same on every machine.

tabletop-v1 and clutter-v1 are frame folders; rooms-v1 is a folder of fused scans, with single frames in ``frames/``.
"""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..datasets.frames import IGNORE, Frame
from ..kernels.grid import hash_cells
from ..simulate import raster
from ..simulate.edition import first_edition
from ..simulate.noise import SENSORS
from ..simulate.sensor import SimulatedFrame, View, render
from ..types import PointCloud
from .compose import Shelfful
from .scenes import Stage, camera, room_stage, room_view, table_stage, table_view
from .shapes import Shape

SetName = Literal["tabletop-v1", "clutter-v1", "rooms-v1"]
SETS: tuple[SetName, ...] = get_args(SetName)
SCENES = 200
"""Number of scenes in each set."""

WIDTH, HEIGHT = 640, 480
MIN_PIXELS = 50
"""An object visible in fewer pixels is labelled "ignore"."""
MIN_POINTS = 30
"""An object with fewer points in a scan is labelled 0, because too little of it was seen."""
VOXEL = 0.018
"""One point of a scan is kept per voxel of this edge, metres."""
VIEWS = 14
"""Number of views that a scan is fused from; the first four look across the room."""
FARTHEST = 5.0
"""Maximum depth that is kept of a scan's views, metres."""
HARD: dict[SetName, float] = {"tabletop-v1": 0.6, "clutter-v1": 0.75, "rooms-v1": 0.6}
"""A frame or scan is hard if at least this share of its objects is difficult, see ``Tags``."""
FEW = 400
"""An object of a scan with fewer points is difficult."""


@dataclass(frozen=True, slots=True)
class Tags:
    """Properties of a frame or scan, for evaluating parts of a set.

    Shares are of the counted objects, which are labelled: in a frame of a table those on the table, in a room all. An
    object of a frame is difficult if it is occluded, thin, tiny, or concave and touching another; an object of a scan,
    if it has fewer than ``FEW`` points.

    Attributes:
        sensor: noise model.
        hard: whether at least ``HARD`` of the objects are difficult.
        objects: number of counted objects. others: number of further labelled ones: furniture and what stands on it.
        touching: share that touches another object (within 8 mm in a frame, 20 mm in a scan).
        occluded: share of which less than 80% is visible, because of other things or the image border; 0 in scans.
        thin, tiny, concave: shares by shape, see ``shapes.Shape``.
        difficult: share that is difficult.
        walls: share of the image's pixels or the scan's points that lies on walls.
    """

    sensor: str
    hard: bool
    objects: int
    others: int
    touching: float
    occluded: float
    thin: float
    tiny: float
    concave: float
    difficult: float
    walls: float

    def values(self) -> dict[str, object]:
        """The tags for JSON, rounded to three decimals."""
        return {key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(self).items()}


def generator(name: SetName, index: int, purpose: int) -> Generator:
    """Random generator for one purpose of a scene: 0 its composition, 1 its views, 2 light and noise; 3 and 4 the view
    and the noise of a room's single frame."""
    return np.random.default_rng([zlib.crc32(name.encode()), index, purpose])


@first_edition()
def make_stage(name: SetName, index: int, shapes: list[Shape]) -> Stage:
    """Compose a scene of a set, without a camera."""
    rng, shelf = generator(name, index, 0), Shelfful.of(shapes)
    return room_stage(rng, shelf) if name == "rooms-v1" else table_stage(rng, shelf, name == "clutter-v1")


def has_frame(name: SetName, index: int) -> bool:
    """Whether a scene has a single frame: all scenes of the table sets, 52 of the rooms."""
    return name != "rooms-v1" or index // 4 % 4 == 0


@first_edition()
def make_frame(name: SetName, index: int, stage: Stage) -> tuple[SimulatedFrame, Frame, Tags]:
    """Make the single frame of a scene: as simulated, as labelled, and its tags."""
    views, noise = (generator(name, index, purpose) for purpose in ((3, 4) if name == "rooms-v1" else (1, 2)))
    sensor = SENSORS[index % 4]
    for _ in range(20):
        lens = camera(views, WIDTH, HEIGHT)
        if stage.support is None:
            view = room_view(views, stage, bool(views.random() < 0.4))
        else:
            view = table_view(views, stage)
        exact = _exact(stage, view, lens.fx, (lens.cx, lens.cy))
        counted = _counted(stage)
        seen = np.bincount(exact[0][exact[0] >= 0], minlength=len(stage.scene.entities))[list(counted)] >= MIN_PIXELS
        if seen.sum() >= (4 if stage.support is None else 0.6 * len(counted)):
            break
    frame = _with_kinds(stage, view, render(noise, stage.scene, view, lens, sensor))
    labelled, shown = _label(frame, f"{index:03d}")
    return frame, labelled, _tags(name, stage, frame, exact, shown)


def _counted(stage: Stage) -> tuple[int, ...]:
    """The entities that tags count: the things on the table, or every object of a room."""
    if stage.support is not None:
        return tuple(p.entity for p in stage.things)
    return tuple(k for k, e in enumerate(stage.scene.entities) if e.kind == "object")


def _exact(
    stage: Stage, view: View, focal: float, center: tuple[float, float]
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float64]]:
    """Render a view without noise: (HEIGHT, WIDTH) entity, -1 for none, and depth, metres; (E,) number of pixels that
    each counted entity would fill if it were alone and not cut by the border, 0 for others."""
    scene = stage.scene
    local = np.ascontiguousarray((scene.vertices - view.eye) @ view.rotation)
    depth, face = raster.pinhole(local, scene.faces, (HEIGHT, WIDTH), (focal, focal, *center))
    alone = np.zeros(len(scene.entities))
    # An image of twice the width and height at a quarter of the resolution, so that the border does not cut the entity.
    size, middle = (HEIGHT // 2, WIDTH // 2), (center[0] / 4 + WIDTH / 8, center[1] / 4 + HEIGHT / 8)
    for k in _counted(stage):
        lens = (focal / 4, focal / 4, *middle)
        alone[k] = 16 * (raster.pinhole(local, scene.faces[scene.face_entity == k], size, lens)[0] > 0).sum()
    return np.where(face >= 0, scene.face_entity[face], -1).astype(np.int32), depth, alone


def _with_kinds(stage: Stage, view: View, frame: SimulatedFrame) -> SimulatedFrame:
    """The frame with the kinds that the sets define: a table is a surface if only its top is visible.

    It is an object if more than a tenth of its visible pixels lie over 6 cm below its top, and it covers less than a
    fifth of the image border.
    """
    entities = [replace(e, kind=s.kind) for e, s in zip(frame.entities, stage.scene.entities, strict=True)]
    if stage.support is not None:
        seen = frame.instance == stage.support
        vertical = frame.cloud().points.reshape(HEIGHT, WIDTH, 3) @ view.rotation[2].astype(np.float32) + view.eye[2]
        top = stage.scene.vertices[stage.scene.faces[stage.scene.face_entity == stage.support], 2].max()
        low = float((vertical[seen] < top - 0.06).mean()) if seen.any() else 0.0
        border = np.concatenate([seen[0], seen[-1], seen[:, 0], seen[:, -1]]).mean()
        kind: Literal["object", "surface"] = "object" if low > 0.1 and border < 0.2 else "surface"
        entities[stage.support] = replace(entities[stage.support], kind=kind)
    return replace(frame, entities=tuple(entities))


def _label(frame: SimulatedFrame, name: str) -> tuple[Frame, NDArray[np.int64]]:
    """The labelled frame, and (K,) the entities that labels 1 to K refer to."""
    counts = np.bincount(frame.instance[frame.instance >= 0], minlength=len(frame.entities))
    is_object = np.array([e.kind == "object" for e in frame.entities])
    shown = np.flatnonzero(is_object & (counts >= MIN_PIXELS))
    number = np.zeros(len(frame.entities) + 1, np.uint16)
    number[:-1][is_object & (counts < MIN_PIXELS)] = IGNORE
    number[shown] = np.arange(len(shown)) + 1
    names = {k + 1: frame.entities[entity].info.category for k, entity in enumerate(shown)}
    return Frame(name, frame.color, frame.depth, number[frame.instance], frame.camera, names, frame.up), shown


def _tags(
    name: SetName, stage: Stage, frame: SimulatedFrame,
    exact: tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float64]], shown: NDArray[np.int64],
) -> Tags:  # fmt: skip
    instance, depth, alone = exact
    counted = np.intersect1d(shown, _counted(stage))
    pixels = np.bincount(instance[instance >= 0], minlength=len(alone))
    occluded = pixels[counted] < 0.8 * alone[counted]
    close = _touching(instance, PointCloud.from_depth(depth, frame.camera).points.reshape(HEIGHT, WIDTH, 3), len(alone))
    # Everything touches the floor or the table that it stands on; only contact between objects counts.
    close[[k for k, e in enumerate(frame.entities) if e.kind == "surface"]] = False
    if stage.support is not None:
        close[stage.support] = False
    touching = (close[:, counted]).any(0)
    shapes = _flags(stage)
    thin, tiny, concave = (shapes[counted, k] for k in range(3))
    difficult = occluded | thin | tiny | (concave & touching)
    shares = {
        "touching": touching, "occluded": occluded, "thin": thin, "tiny": tiny, "concave": concave,
        "difficult": difficult,
    }  # fmt: skip
    walls = [k for k, e in enumerate(frame.entities) if e.info.category == "wall"]
    return Tags(
        frame.sensor, bool(len(counted) and difficult.mean() >= HARD[name]), len(counted), len(shown) - len(counted),
        **{key: float(flags.mean()) if len(counted) else 0.0 for key, flags in shares.items()},
        walls=float(np.isin(instance, walls).mean()),
    )  # fmt: skip


def _flags(stage: Stage) -> NDArray[np.bool_]:
    """(E, 3) bool, whether each entity is thin, tiny, concave; all false for furniture and surfaces."""
    flags = np.zeros((len(stage.scene.entities), 3), bool)
    for thing in stage.things:
        flags[thing.entity] = thing.shape.thin, thing.shape.tiny, thing.shape.concave
    return flags


def _touching(instance: NDArray[np.int32], points: NDArray[np.float32], count: int) -> NDArray[np.bool_]:
    """(count, count) bool, whether two entities have neighbouring pixels whose points are within 8 mm."""
    close = np.zeros((count, count), bool)
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        first, second = instance[a], instance[b]
        differ = (first != second) & (first >= 0) & (second >= 0)
        near = np.linalg.norm(points[a][differ] - points[b][differ], axis=-1) < 0.008
        close[first[differ][near], second[differ][near]] = True
    return close | close.T


@first_edition()
def make_scan(name: SetName, index: int, stage: Stage) -> tuple[PointCloud, NDArray[np.int32], Tags]:
    """Make the fused scan of a room: a cloud of N points with z up; (N,) int32 labels, 1 to K for objects, 0 for walls,
    floor, ceiling and objects with too few points; tags."""
    views, noise = generator(name, index, 1), generator(name, index, 2)
    sensor = SENSORS[index % 4]
    points, colors, owners = [], [], []
    for number in range(VIEWS):
        view = room_view(views, stage, number < 4)
        frame = render(noise, stage.scene, view, camera(views, WIDTH // 2, HEIGHT // 2), sensor)
        kept = (frame.instance.ravel() >= 0) & (np.nan_to_num(frame.depth.ravel()) < FARTHEST)
        points.append(frame.cloud().points[kept] @ view.rotation.T.astype(np.float32) + view.eye.astype(np.float32))
        colors.append(frame.color.reshape(-1, 3)[kept])
        owners.append(frame.instance.ravel()[kept])
    cloud, owner = np.concatenate(points), np.concatenate(owners)
    _, first, _ = hash_cells(np.floor(cloud / VOXEL).astype(np.int64))
    fused = PointCloud(cloud[first], np.concatenate(colors)[first], up=np.array([0, 0, 1], np.float32))
    owner = owner[first]
    is_object = np.array([e.kind == "object" for e in stage.scene.entities])
    counts = np.bincount(owner, minlength=len(is_object))
    shown = np.flatnonzero(is_object & (counts >= MIN_POINTS))
    number_of = np.zeros(len(is_object), np.int32)
    number_of[shown] = np.arange(len(shown)) + 1
    walls = [k for k, e in enumerate(stage.scene.entities) if e.info.category == "wall"]
    thin, tiny, concave = _flags(stage)[shown].T
    few = counts[shown] < FEW
    tags = Tags(
        sensor, bool(few.mean() >= HARD[name]), len(shown), 0, _touching_share(fused.points, number_of[owner]), 0.0,
        float(thin.mean()), float(tiny.mean()), float(concave.mean()), float(few.mean()),
        float(np.isin(owner, walls).mean()),
    )  # fmt: skip
    return fused, number_of[owner], tags


def _touching_share(points: NDArray[np.float32], labels: NDArray[np.int32]) -> float:
    """Share of a scan's objects that have at least 5 points within 20 mm of another object's."""
    on = np.flatnonzero(labels > 0)
    pairs = cKDTree(points[on]).query_pairs(0.02, output_type="ndarray")
    first, second = labels[on][pairs[:, 0]], labels[on][pairs[:, 1]]
    met = np.bincount(np.concatenate([first[first != second], second[first != second]]), minlength=labels.max() + 1)
    return float((met[np.unique(labels[on])] >= 5).mean())
