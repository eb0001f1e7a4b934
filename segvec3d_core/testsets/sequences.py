"""Sequences for evaluating an object map: a camera moves through a changing scene with known ground truth.

Each of the ``SEQUENCES`` lasts 60 s at two frames per second. The camera follows a seeded path around a table or
through a room under constant light. Objects are put down, moved, removed, taken away and brought back, or covered by a
carton for a while, from one frame to the next (no hand is seen). The pose given to the map has errors of 1 cm and 1
degree (root mean square of the error's length) that drift within seconds, as those of a robot's localisation do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..simulate import (
    Entity,
    Light,
    SceneModel,
    Sensor,
    View,
    first_edition,
    look_at,
    raster,
    render,
    sample_camera,
    sample_light,
    sample_scene,
)
from ..simulate.meshes import Mesh, box
from ..simulate.objects import material_row
from ..simulate.placing import EMPTY, HeightMap, make_body, settle, yaw
from ..simulate.scenes import surface_model
from ..simulate.sensor import FURNITURE_SIZE, TABLES
from ..types import Box, Camera, Float32, Kind, PointCloud

SECONDS = 60.0
RATE = 2.0
"""Length of a sequence, seconds, and frames per second."""

POSE_NOISE = (0.01, np.deg2rad(1.0))
"""Root mean square length of the errors in position, metres, and in orientation, radians."""

POSE_MEMORY = 2.0
"""Correlation time of the pose error, seconds: its autocorrelation falls to 1/e."""

LAID = 6
"""Minimum number of things on a table; fewer only if ``SequenceSpec.objects`` is smaller."""

CARTON_MARGIN = 0.06
"""How much longer a carton is along each edge than the thing that it covers, metres."""

CAMERAS: tuple[Sensor, ...] = ("kinect", "stereo")
"""Noise models of real cameras. "generic" is excluded, because it draws another scale for every frame, which no real
camera does."""

EventKind = Literal["put", "remove", "move", "away", "hide"]


@dataclass(frozen=True, slots=True)
class SequenceSpec:
    """Specification of a sequence, which determines it.

    Attributes:
        seed: of all randomness; layout: "table" or "room"; objects: number of objects on a table, None to draw it.
        seconds: length; the same seed gives the same first seconds. rate: frames per second.
        width, height: of the image, pixels.
    """

    seed: int
    layout: Literal["table", "room"]
    objects: int | None = None
    seconds: float = SECONDS
    rate: float = RATE
    width: int = 640
    height: int = 480

    @property
    def name(self) -> str:
        return f"{self.layout} {self.seed}"


SEQUENCES: tuple[SequenceSpec, ...] = (
    *(SequenceSpec(seed, "table", 6 + seed) for seed in range(14)),
    *(SequenceSpec(seed, "room") for seed in range(100, 110)),
)
"""14 tabletops with 6 to 19 objects and 10 rooms."""


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """Ground truth of one thing at one time.

    Attributes:
        identity: its index, constant throughout the sequence.
        kind, name, category: see ``Entity`` and ``ObjectInfo``.
        present: whether it is in the scene.
        box: its full extent in the map's frame, where it is or was last.
    """

    identity: int
    kind: Kind
    name: str
    category: str
    present: bool
    box: Box

    @property
    def counted(self) -> bool:
        """Whether it is an object in every view; a table may be a surface in some."""
        return self.kind == "object" and self.category not in TABLES


@dataclass(frozen=True, slots=True, eq=False)
class SequenceFrame:
    """One frame of a sequence.

    Attributes:
        stamp_ns: nanoseconds since the start of the sequence plus one second, because a stamp of 0 means none.
        cloud: N points, organised, in the optical frame, with colours, camera, and ``up`` according to the given pose.
        T_map_camera: (4, 4) pose given to the map, with noise; T_true: (4, 4) without.
        instance: (N,) int32 identity of the thing at each pixel, -1 for none.
        surface: (N, 3) float32 point that each pixel shows, in the map's frame, without noise; NaN for none.
        things: ground truth of all things, by identity.
    """

    stamp_ns: int
    cloud: PointCloud
    T_map_camera: NDArray[np.float64]
    T_true: NDArray[np.float64]
    instance: NDArray[np.int32]
    surface: NDArray[np.float32]
    things: tuple[Thing, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens to a thing at a time, seconds; ``undo`` ends an "away" or "hide"."""

    time: float
    kind: EventKind
    identity: int
    undo: bool = False


def _laid(rng: Generator, spec: SequenceSpec) -> SceneModel:
    """Sample a scene as specified, again if its table was too small for ``LAID`` things."""
    while True:
        scene = sample_scene(rng, spec.layout, spec.objects)
        things = [e for e in scene.entities if e.kind == "object" and e.size.max() <= FURNITURE_SIZE]
        if spec.objects is None or len(things) >= min(spec.objects, LAID):
            return scene


def frames(spec: SequenceSpec) -> Iterator[SequenceFrame]:
    """Generate the frames of a sequence in order of time; the same specification gives the same frames."""
    rng = np.random.default_rng([7, spec.seed])
    with first_edition():
        world = _World(replace(_laid(rng, spec), workspace=None))
        camera = sample_camera(rng, spec.width, spec.height)
        sensor = CAMERAS[int(rng.integers(len(CAMERAS)))]
        events = world.plan_events(rng)
        path = _Path(rng, world)
        light = sample_light(np.random.default_rng(int(rng.integers(2**31))))
    noise = _PoseNoise(np.random.default_rng([8, spec.seed]), 1 / spec.rate)
    for index in range(round(spec.seconds * spec.rate)):
        time = index / spec.rate
        with first_edition():
            while events and events[0].time <= time:
                world.apply(events.pop(0), np.random.default_rng([9, spec.seed, index]))
            frame = _frame(spec, index, world, path.view(time), camera, sensor, light, noise.step())
        yield frame


def _frame(
    spec: SequenceSpec, index: int, world: _World, view: View, camera: Camera, sensor: Sensor, light: Light,
    error: NDArray[np.float64],
) -> SequenceFrame:  # fmt: skip
    rng = np.random.default_rng([10, spec.seed, index])
    seen = render(rng, world.scene(), view, camera, sensor, light)
    T_true = np.eye(4)
    T_true[:3, :3], T_true[:3, 3] = view.rotation, view.eye
    T = T_true.copy()
    T[:3, 3] += error[:3]
    T[:3, :3] = Rotation.from_rotvec(error[3:]).as_matrix() @ view.rotation
    cloud = PointCloud.from_depth(seen.depth, camera, seen.color, up=T[2, :3].astype(np.float32))
    stamp = 1_000_000_000 + round(index / spec.rate * 1e9)
    return SequenceFrame(stamp, cloud, T, T_true, seen.instance.ravel(), seen.surface.reshape(-1, 3), world.things())


class _PoseNoise:
    """Simulated localisation error, which drifts (an Ornstein-Uhlenbeck process) instead of jumping."""

    def __init__(self, rng: Generator, interval: float) -> None:
        self._rng = rng
        self._keep = float(np.exp(-interval / POSE_MEMORY))
        self._scale = np.repeat(POSE_NOISE, 3) / np.sqrt(3)
        self._state = self._scale * rng.normal(size=6)

    def step(self) -> NDArray[np.float64]:
        """Advance by one frame; returns (6,) error of position, metres, and rotation vector, radians, in the map's
        frame."""
        fresh = np.sqrt(1 - self._keep**2) * self._scale * self._rng.normal(size=6)
        self._state = self._keep * self._state + fresh
        return self._state.copy()


class _World:
    """A scene whose things appear, disappear and move."""

    def __init__(self, scene: SceneModel) -> None:
        self.base = scene
        self.entities: list[Entity] = list(scene.entities)
        self.vertices = scene.vertices.copy()
        self.poses = scene.poses.astype(np.float64)
        self.owner = np.zeros(len(scene.vertices), np.int64)
        self.owner[scene.faces.ravel()] = np.repeat(scene.face_entity, 3)
        self.present = np.ones(len(self.entities), bool)
        self._cartons: dict[int, int] = {}

    def scene(self) -> SceneModel:
        """The scene as it is now, without absent things."""
        keep = self.present[self.base.face_entity]
        return replace(
            self.base,
            vertices=self.vertices,
            poses=self.poses.astype(np.float32),
            faces=self.base.faces[keep],
            face_entity=self.base.face_entity[keep],
            face_material=self.base.face_material[keep],
            entities=tuple(self.entities),
        )

    def things(self) -> tuple[Thing, ...]:
        """Ground truth now, of all things, present or absent, by identity."""
        return tuple(
            Thing(
                k, entity.kind, entity.info.name, entity.info.category, bool(self.present[k]),
                Box(entity.center, self.poses[k, :9].reshape(3, 3).astype(np.float32), entity.size),
            )
            for k, entity in enumerate(self.entities)
        )  # fmt: skip

    def extent(self, k: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(3,) lower and (3,) upper corner of thing ``k`` along the map's axes, metres."""
        mine = self.vertices[self.owner == k]
        return mine.min(0), mine.max(0)

    # What happens -------------------------------------------------------------------------------------------------

    def plan_events(self, rng: Generator) -> list[Event]:
        """Draw events for half of the movable things, at least three, in order of time. Things that are put down later
        are made absent, and the cartons that will cover things are added."""
        movable = [k for k in range(len(self.entities)) if self._movable(k)]
        actors = rng.permutation(movable)[: max(3, round(0.5 * len(movable)))]
        events: list[Event] = []
        kinds = cast(list[EventKind], rng.permutation(get_args(EventKind)).tolist())
        for number, k in enumerate(actors.tolist()):
            kind = kinds[number % len(kinds)]
            start = float(rng.uniform(8, 38))
            events.append(Event(start, kind, k))
            if kind in ("away", "hide"):
                events.append(Event(start + float(rng.uniform(8, 16)), kind, k, undo=True))
            if kind == "put":
                self.present[k] = False
            if kind == "hide":
                self._cartons[k] = self._add_carton(rng, k)
        return sorted(events, key=lambda event: event.time)

    def apply(self, event: Event, rng: Generator) -> None:
        """Apply an event to the scene."""
        k = event.identity
        if event.kind == "hide":
            self.present[self._cartons[k]] = not event.undo
        elif event.kind == "move" or event.undo:
            self.present[k] = True
            self._put_elsewhere(rng, k)
        else:
            self.present[k] = event.kind == "put"

    def _movable(self, k: int) -> bool:
        """Whether a hand could take thing ``k``: an object of at most 45 cm with nothing on or in it."""
        entity = self.entities[k]
        low, high = self.extent(k)
        if entity.kind != "object" or (high - low).max() > 0.45:
            return False
        for other in range(len(self.entities)):
            if other == k or self.entities[other].kind != "object":
                continue
            low_other, high_other = self.extent(other)
            near = (low_other < high + 0.01).all() and (high_other > low - 0.01).all()
            if near and self.entities[other].center[2] > entity.center[2]:
                return False
        return True

    def _put_elsewhere(self, rng: Generator, k: int) -> None:
        """Put a thing down 15 cm or more from where it was, by at most 40 cm along x and y; if no place is free, only
        rotate it."""
        mine = self.owner == k
        there = self.present[self.base.face_entity] & (self.base.face_entity != k)
        there &= np.array([e.info.category != "ceiling" for e in self.entities])[self.base.face_entity]
        center, cell, reach = self.entities[k].center.astype(np.float64), 0.005, 0.4
        corner = center[:2] - reach
        heights = HeightMap(corner[0], corner[1], 2 * reach, 2 * reach, cell, EMPTY)
        raster.plan(self.vertices, self.base.faces[there], corner[0], corner[1], cell, heights.height)
        faces = self.base.faces[self.base.face_entity == k]
        local = (np.cumsum(mine) - 1)[faces].astype(np.int32)
        mesh = Mesh(self.vertices[mine], local, np.zeros(len(faces), np.int32))
        bottom = float(self.vertices[mine][:, 2].min())
        for _ in range(60):
            body = make_body(mesh, yaw(float(rng.uniform(0, 360))), cell)
            x, y = center[:2] + rng.uniform(-reach, reach, 2)
            found = settle(heights, mesh, body, x, y, bottom + 0.1)
            if found is None or abs(found[3] - bottom) > 0.1 or np.hypot(x - center[0], y - center[1]) < 0.15:
                continue
            body, row, column, z = found
            self._move(k, body.rotation, body.shift + heights.add(body, row, column, z))
            return
        turn = yaw(float(rng.uniform(60, 300)))
        self._move(k, turn, center - turn @ center)

    def _move(self, k: int, R: NDArray[np.float64], t: NDArray[np.float64]) -> None:
        mine = self.owner == k
        self.vertices[mine] = (self.vertices[mine] @ R.T + t).astype(np.float32)
        self.poses[k, :9] = (R @ self.poses[k, :9].reshape(3, 3)).ravel()
        self.poses[k, 9:] = R @ self.poses[k, 9:] + t
        entity = self.entities[k]
        self.entities[k] = replace(entity, center=(R @ entity.center + t).astype(np.float32))

    def _add_carton(self, rng: Generator, k: int) -> int:
        """Add a carton that will cover thing ``k``, absent for now; returns the carton's identity."""
        low, high = self.extent(k)
        size = (high - low).astype(np.float64) + CARTON_MARGIN
        row = material_row(rng, "brown", "beige", "plain", "cardboard", float(size.max()))
        model = surface_model("box", "brown", "cardboard", box(*(float(edge) for edge in size)), row[None])
        offset = np.array([*(low[:2] + high[:2]) / 2, low[2]])
        base, index = self.base, len(self.entities)
        placed = (model.mesh.vertices + offset).astype(np.float32)
        self.base = replace(
            base,
            faces=np.concatenate([base.faces, model.mesh.faces + np.int32(len(self.vertices))]),
            face_entity=np.concatenate([base.face_entity, np.full(len(model.mesh.faces), index, np.int32)]),
            face_material=np.concatenate(
                [base.face_material, np.full(len(model.mesh.faces), len(base.materials), np.int32)]
            ),
            materials=np.concatenate([base.materials, row[None]]),
        )
        self.vertices = np.concatenate([self.vertices, placed])
        self.owner = np.concatenate([self.owner, np.full(len(placed), index)])
        self.poses = np.concatenate([self.poses, [[*np.eye(3).ravel(), *offset]]])
        self.present = np.append(self.present, False)
        center = ((placed.min(0) + placed.max(0)) / 2).astype(np.float32)
        self.entities.append(Entity("object", model.info, center, model.mesh.size.astype(np.float32)))
        return index


class _Path:
    """Path of the camera: from station to station, slowing down at each, while its target moves likewise."""

    def __init__(self, rng: Generator, world: _World) -> None:
        self._rng, self._world = rng, world
        self._low, self._high = (np.array(c) for c in zip(*map(world.extent, range(len(world.entities))), strict=True))
        station = self._table_station if world.base.layout == "table" else self._room_station
        self._turn = 0.0
        stations = [station(None)]
        self._times = [0.0]
        while self._times[-1] < SECONDS:
            self._times.append(self._times[-1] + float(rng.uniform(4, 8)))
            stations.append(station(stations[-1]))
        self._stations = stations

    def view(self, time: float) -> View:
        """The camera's view at a time, seconds."""
        index = int(np.searchsorted(self._times, time, side="right")) - 1
        share = (time - self._times[index]) / (self._times[index + 1] - self._times[index])
        return look_at(*self._between(self._stations[index], self._stations[index + 1], share), 0.0)

    @staticmethod
    def _between(a: NDArray[Any], b: NDArray[Any], share: float) -> tuple[NDArray[Any], NDArray[Any]]:
        """(3,) eye and (3,) target at a share, 0 to 1, of the way between two stations (2, 3), eased by smoothstep."""
        smooth = share * share * (3 - 2 * share)
        eye, target = a + (b - a) * smooth
        return eye, target

    def _table_station(self, before: NDArray[Any] | None) -> NDArray[np.float64]:
        """Draw a station up to 50 degrees farther around the table, either way, looking at a part of what is on it."""
        rng, scene = self._rng, self._world.base
        station = np.zeros((2, 3))
        for _ in range(60):
            turn = float(rng.uniform(0, 2 * np.pi)) if before is None else self._turn + float(rng.uniform(-0.9, 0.9))
            pitch, distance = np.deg2rad(rng.uniform(22, 55)), float(rng.uniform(0.55, 0.75 + scene.spread))
            target = scene.focus + np.append(rng.uniform(-0.7, 0.7, 2) * scene.spread, 0.03)
            ray = np.array([np.cos(turn) * np.cos(pitch), np.sin(turn) * np.cos(pitch), np.sin(pitch)])
            station = np.stack([target + distance * ray, target])
            if self._passable(before, station, 0.15):
                self._turn = turn
                return station
        return station if before is None else np.stack([before[0], station[1]])

    def _room_station(self, before: NDArray[Any] | None) -> NDArray[np.float64]:
        """Draw a station in the room, within 1.5 m of the station before, looking at an object."""
        rng, world = self._rng, self._world
        objects = [e.center.astype(np.float64) for e in world.entities if e.kind == "object"]
        x0, x1, y0, y1 = world.base.bounds or (-2.0, 2.0, -2.0, 2.0)
        station = np.zeros((2, 3))
        for _ in range(400):
            eye = np.array([rng.uniform(x0, x1), rng.uniform(y0, y1), rng.uniform(1.0, 1.7)])
            target = objects[int(rng.integers(len(objects)))] + rng.normal(0, 0.1, 3)
            station = np.stack([eye, target])
            near = before is None or np.linalg.norm(eye - before[0]) < 1.5
            if near and 0.8 < np.linalg.norm(eye - target) < 3.5 and self._passable(before, station, 0.25):
                return station
        return station if before is None else np.stack([before[0], station[1]])

    def _passable(self, before: NDArray[Any] | None, station: NDArray[Any], margin: float) -> bool:
        """Whether the way to a station stays in the room, keeps ``margin`` metres from every thing, and always has its
        target at least 40 cm away and not straight below, so that the camera never turns abruptly."""
        start = station if before is None else before
        ways = [np.stack(self._between(start, station, share)) for share in np.linspace(0, 1, 9)]
        eyes: Float32 = np.array([way[0] for way in ways])
        rays = np.array([way[1] - way[0] for way in ways])
        if (np.linalg.norm(rays, axis=1) < 0.4).any() or (np.linalg.norm(rays[:, :2], axis=1) < 0.1).any():
            return False
        if self._world.base.bounds is not None:  # not behind a wall
            x0, x1, y0, y1 = self._world.base.bounds
            if ((eyes[:, :2] < (x0, y0)) | (eyes[:, :2] > (x1, y1))).any():
                return False
        inside = (eyes[:, None] > self._low - margin).all(2) & (eyes[:, None] < self._high + margin).all(2)
        return not inside.any()
