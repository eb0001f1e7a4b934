"""A small world of boxes on a floor, seen by a perfect camera: what the tests of the object map look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segvec3d_core.geometry import oriented_box
from segvec3d_core.object_map import MapConfig, MapObject, ObjectMap
from segvec3d_core.types import BODY_AXES, Camera, PointCloud, Scene, SceneObject

CAMERA = Camera(120, 90, 110.0, 110.0, 59.5, 44.5)


@dataclass(frozen=True)
class Block:
    """An upright box: where its bottom's middle is, its edges, and what it looks like."""

    at: tuple[float, float, float]
    size: tuple[float, float, float] = (0.1, 0.1, 0.15)
    look: int = 0


FLOOR = Block((0, 0, -0.02), (6, 6, 0.02), look=99)


def look(number: int) -> NDArray[np.float32]:
    """(16,) embedding of unit length, the same for the same number."""
    v = np.random.default_rng(number).normal(size=16).astype(np.float32)
    return v / np.linalg.norm(v)


def pose(eye: tuple[float, float, float], target: tuple[float, float, float] = (0, 0, 0.05)) -> NDArray[np.float64]:
    """T_map_camera of an optical frame at ``eye`` that looks at ``target``."""
    forward = np.subtract(target, eye) / np.linalg.norm(np.subtract(target, eye))
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = np.stack([right, np.cross(forward, right), forward], 1), eye
    return T


def see(
    blocks: list[Block], T: NDArray[np.float64], groups: list[int] | None = None, camera: Camera = CAMERA,
    affinity: float | None = None,
) -> tuple[Scene, PointCloud]:  # fmt: skip
    """What the camera sees of the floor and the blocks, perfectly segmented.

    Args:
        groups: number of the instance that each block belongs to, -1 for none; each its own unless told.
        affinity: how likely any two of the instances are one; not told unless given.
    """
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], -1).reshape(-1, 3)
    rays = rays @ T[:3, :3].T
    depth, owner = np.full(len(rays), np.inf), np.full(len(rays), -1)
    for k, block in enumerate([FLOOR, *blocks]):
        low = np.array(block.at) - [block.size[0] / 2, block.size[1] / 2, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = (low - T[:3, 3]) / rays, (low + block.size - T[:3, 3]) / rays
        near, far = np.minimum(a, b).max(1), np.maximum(a, b).min(1)
        hit = (near < far) & (near > 0.05) & (near < depth)
        depth[hit], owner[hit] = near[hit], k
    depth[np.isinf(depth)] = np.nan
    cloud = PointCloud.from_depth(
        depth.reshape(camera.height, camera.width).astype(np.float32), camera,
        np.full((camera.height, camera.width, 3), 200, np.uint8), up=T[2, :3].astype(np.float32),
    )  # fmt: skip
    of_block = np.array(
        [0, *(range(1, len(blocks) + 1) if groups is None else [g + 1 if g >= 0 else -1 for g in groups]), -1]
    )
    labels = of_block[owner]
    scene = _scene(labels, cloud, blocks, of_block)
    if affinity is not None:
        objects = np.array([thing.kind == "object" for thing in scene.objects])
        meet = np.outer(objects, objects) & ~np.eye(len(scene), dtype=bool)
        scene = replace(scene, affinity=np.where(meet, affinity, 0).astype(np.float32))
    return scene, cloud


def _scene(labels: NDArray[np.int64], cloud: PointCloud, blocks: list[Block], of_block: NDArray[np.int64]) -> Scene:
    found = np.full(len(cloud), -1, np.int32)
    objects: list[SceneObject] = []
    for label in range(int(labels.max(initial=-1)) + 1):
        mine = labels == label
        if mine.sum() < 12:
            continue
        found[mine] = len(objects)
        first = int(np.flatnonzero(of_block == label)[0])
        points = cloud.points[mine]
        objects.append(
            SceneObject(
                "surface" if label == 0 else "object", 0.9, oriented_box(points, cloud.up), points.mean(0),
                look([FLOOR, *blocks][first].look), np.array([200, 200, 200], np.uint8), int(mine.sum()),
            )
        )  # fmt: skip
    return Scene(found, tuple(objects))


SECOND = 1_000_000_000
FRONT, SIDE, AWAY = pose((1.0, 0, 0.7)), pose((0.6, 0.8, 0.7)), pose((1.0, 0, 0.7), (3, 0, 0.5))
MUG, CAN = Block((0.0, 0.15, 0), look=1), Block((0.0, -0.15, 0), (0.12, 0.08, 0.2), look=2)


def unorganised(scene: Scene, cloud: PointCloud) -> tuple[Scene, PointCloud]:
    """The same from a driver that sends the points that returned and no image."""
    seen = np.isfinite(cloud.points).all(1)
    colors = None if cloud.colors is None else cloud.colors[seen]
    bare = PointCloud(cloud.points[seen], colors, up=cloud.up, viewpoint=cloud.viewpoint)
    return replace(scene, labels=scene.labels[seen]), bare


def along_x(scene: Scene, cloud: PointCloud) -> tuple[Scene, PointCloud]:
    """The same from a driver that sends its image in the frame of a body."""
    up, shown = (None if up is None else BODY_AXES @ up for up in (cloud.up, scene.up))
    turned = PointCloud(cloud.points @ BODY_AXES.T, cloud.colors, up, cloud.viewpoint, body_camera=cloud.camera)
    return replace(scene, up=shown, camera_axes=BODY_AXES), turned


Driver = Callable[[Scene, PointCloud], tuple[Scene, PointCloud]]


class Robot:
    """Shows a map what a robot sees, at a rate: organised clouds, or what a driver makes of them."""

    def __init__(self, config: MapConfig | None = None, rate: float = 5.0, driver: Driver | None = None) -> None:
        self.map, self.rate, self.stamp, self.driver = ObjectMap(config), rate, 10 * SECOND, driver

    def watch(
        self, blocks: list[Block], T: NDArray[np.float64] = FRONT, seconds: float = 1.0, **seeing: Any
    ) -> tuple[int, ...]:
        ids: tuple[int, ...] = ()
        for _ in range(max(1, round(seconds * self.rate))):
            self.stamp += round(SECOND / self.rate)
            scene, cloud = see(blocks, T, **seeing)
            T_map_cloud = T.copy()
            if self.driver is not None:
                scene, cloud = self.driver(scene, cloud)
            if cloud.body_camera is not None:
                T_map_cloud[:3, :3] = T[:3, :3] @ BODY_AXES.T
            ids = self.map.update(scene, cloud, T_map_cloud, self.stamp)
        return ids

    def objects(self) -> dict[int, MapObject]:
        return {thing.id: thing for thing in self.map.snapshot() if thing.object.kind == "object"}

    def at(self, block: Block) -> set[int]:
        """Ids of the objects whose middle lies in a block."""
        return {
            i for i, thing in self.objects().items() if np.all(np.abs(thing.object.box.center - block.at)[:2] < 0.06)
        }
