"""The test sets: from (set, index) to a labelled frame or scan, the same everywhere.

tabletop-v1 and clutter-v1 are frame folders, rooms-v1 is a folder of fused scans with single frames in ``frames/``.
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
"""Scenes of each set."""

WIDTH, HEIGHT = 640, 480
MIN_PIXELS = 50
"""An object seen in fewer pixels is labelled "ignore"."""
MIN_POINTS = 30
"""An object with fewer points of a scan is labelled 0: too little of it was seen."""
VOXEL = 0.018
"""One point of a scan is kept per voxel of this edge, metres."""
VIEWS = 14
"""Views that a scan is fused from, the first four of them across the room."""
FARTHEST = 5.0
"""What a scan's views keep, metres."""
HARD: dict[SetName, float] = {"tabletop-v1": 0.6, "clutter-v1": 0.75, "rooms-v1": 0.6}
"""A frame or scan is hard when at least this share of its objects is difficult; see ``Tags``."""
FEW = 400
"""An object of a scan with fewer points is difficult."""


@dataclass(frozen=True, slots=True)
class Tags:
    """What is known of a scene, for a look at parts of a set.

    The shares are over the counted objects: in a frame those on the table that have a label, in a scan of a room all.
    In a frame, difficult is what is occluded, thin, tiny, or concave and touching something; in a scan, what has few
    points.

    Attributes:
        sensor: noise model.
        hard: whether at least ``HARD`` of the objects are difficult.
        objects: counted objects. others: further labelled objects: furniture and what stands on it.
        touching: share that touches another object (within 8 mm in a frame, 20 mm in a scan).
        occluded: share of which under 80% is seen, because of other things or the image's border; frames only.
        thin, tiny, concave: shares by shape, see ``shapes.Shape``.
        difficult: share that is difficult.
        walls: share of the image or points that lies on walls.
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
        """As JSON holds them."""
        return {key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(self).items()}


def generator(name: SetName, index: int, purpose: int) -> Generator:
    """Randomness of one purpose of a scene: 0 its composition, 1 its views, 2 light and noise; 3 and 4 are views and
    noise of a room's single frame."""
    return np.random.default_rng([zlib.crc32(name.encode()), index, purpose])


@first_edition()
def make_stage(name: SetName, index: int, shapes: list[Shape]) -> Stage:
    """A scene of a set before it is seen."""
    rng, shelf = generator(name, index, 0), Shelfful.of(shapes)
    return room_stage(rng, shelf) if name == "rooms-v1" else table_stage(rng, shelf, name == "clutter-v1")


def has_frame(name: SetName, index: int) -> bool:
    """Whether a scene comes as a single frame: every one of the table sets, 52 of the rooms."""
    return name != "rooms-v1" or index // 4 % 4 == 0


@first_edition()
def make_frame(name: SetName, index: int, stage: Stage) -> tuple[SimulatedFrame, Frame, Tags]:
    """The single frame of a scene: as simulated, as labelled, and what is known of it."""
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
    """The entities that tags speak of: the things on the table, or every object of a room."""
    if stage.support is not None:
        return tuple(p.entity for p in stage.things)
    return tuple(k for k, e in enumerate(stage.scene.entities) if e.kind == "object")


def _exact(
    stage: Stage, view: View, focal: float, center: tuple[float, float]
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float64]]:
    """Without noise: entity and depth of each pixel, and how many pixels each entity would fill if alone and uncut."""
    scene = stage.scene
    local = np.ascontiguousarray((scene.vertices - view.eye) @ view.rotation)
    depth, face = raster.pinhole(local, scene.faces, (HEIGHT, WIDTH), (focal, focal, *center))
    alone = np.zeros(len(scene.entities))
    # A view of twice the width at a quarter of the resolution, so that the border does not cut.
    size, middle = (HEIGHT // 2, WIDTH // 2), (center[0] / 4 + WIDTH / 8, center[1] / 4 + HEIGHT / 8)
    for k in _counted(stage):
        lens = (focal / 4, focal / 4, *middle)
        alone[k] = 16 * (raster.pinhole(local, scene.faces[scene.face_entity == k], size, lens)[0] > 0).sum()
    return np.where(face >= 0, scene.face_entity[face], -1).astype(np.int32), depth, alone


def _with_kinds(stage: Stage, view: View, frame: SimulatedFrame) -> SimulatedFrame:
    """The frame with kinds as the sets define them: the table is a surface where its top alone is seen.

    Seen as a whole means that over a tenth of what is seen of it lies more than 6 cm below its top, and that it covers
    under a fifth of the image's border.
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
    """The frame as labelled, and the entities behind labels 1 to K."""
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
    # What stands on the floor or the table touches that; only contact of objects with objects counts.
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
    """(E, 3) thin, tiny and concave of each entity; furniture and surfaces have none."""
    flags = np.zeros((len(stage.scene.entities), 3), bool)
    for thing in stage.things:
        flags[thing.entity] = thing.shape.thin, thing.shape.tiny, thing.shape.concave
    return flags


def _touching(instance: NDArray[np.int32], points: NDArray[np.float32], count: int) -> NDArray[np.bool_]:
    """(count, count) whether two entities have neighbouring pixels within 8 mm."""
    close = np.zeros((count, count), bool)
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        first, second = instance[a], instance[b]
        differ = (first != second) & (first >= 0) & (second >= 0)
        near = np.linalg.norm(points[a][differ] - points[b][differ], axis=-1) < 0.008
        close[first[differ][near], second[differ][near]] = True
    return close | close.T


@first_edition()
def make_scan(name: SetName, index: int, stage: Stage) -> tuple[PointCloud, NDArray[np.int32], Tags]:
    """The fused scan of a room: a cloud with z up, labels (0 walls, floor and ceiling, 1 to K the objects), tags."""
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
