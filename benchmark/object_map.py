"""Measure the object map: time of an update with many objects, and memory over many updates.

    python benchmark/object_map.py
    python benchmark/object_map.py --updates 36000

Boxes stand on a floor in rows; a camera moves along them, with pose errors of a centimetre and a degree and perfect
segmentation. The first three rounds, in which the map is built, are not measured. CPU time is that of the calling
thread. Taking a snapshot as a scene, as the node does after every cloud, is measured separately.
"""

from __future__ import annotations

import argparse
import gc
import resource
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from segvec3d_core.cli.common import machine_line, progress
from segvec3d_core.object_map import ObjectMap
from segvec3d_core.simulate import View, look_at, render
from segvec3d_core.simulate.meshes import box
from segvec3d_core.simulate.objects import material_row
from segvec3d_core.simulate.scenes import Builder, SceneModel, surface_model
from segvec3d_core.types import Box, Camera, PointCloud, Scene, SceneObject

CAMERA = Camera(640, 480, 525.0, 525.0, 319.5, 239.5)
SPACING = 0.5
"""Distance between the centres of neighbouring boxes, metres."""


def world(count: int) -> SceneModel:
    """Make a floor with ``count`` boxes in rows of ten."""
    rng, builder = np.random.default_rng(0), Builder()
    paint = material_row(rng, "brown", "beige", "plain", "cardboard", 0.1)[None]
    floor = surface_model("floor", "grey", "wood", box(20, 40, 0.05), paint)
    builder.add(floor, np.eye(3), np.array([0, 0, -0.05]), "surface")
    for k in range(count):
        edges = rng.uniform(0.06, 0.16, 3)
        place = np.array([k % 10 - 4.5, k // 10, 0.0]) * SPACING
        builder.add(surface_model("box", "brown", "cardboard", box(*map(float, edges)), paint), np.eye(3), place)
    return builder.build(np.zeros(3), 1.0, "table")


def looks(scene: SceneModel, count: int, positions: int = 24) -> list[tuple[Scene, PointCloud, View]]:
    """Render ground-truth scenes, clouds and views of a camera that moves along the rows, 1.2 m above the floor."""
    end = count // 10 * SPACING
    result = []
    for y in np.linspace(-0.5, end - 1.0, positions):
        view = look_at(np.array([0.0, y - 0.9, 1.2]), np.array([0.0, y + 0.4, 0.0]), 0.0)
        frame = render(np.random.default_rng(1), scene, view, CAMERA, "kinect")
        cloud = frame.cloud()
        labels, shown = np.full(len(cloud), -1, np.int32), []
        for k in np.unique(frame.instance[frame.instance >= 0]):
            mine = frame.instance.ravel() == k
            if mine.sum() < 60:
                continue
            labels[mine] = len(shown)
            rng = np.random.default_rng(int(k))
            look = rng.normal(size=128).astype(np.float32)
            points = cloud.points[mine]
            low, high = points.min(0), points.max(0)
            bounds = Box((low + high) / 2, np.eye(3, dtype=np.float32), high - low)
            kind = frame.entities[k].kind
            shown.append(
                SceneObject(kind, 0.9, bounds, points.mean(0), look / np.linalg.norm(look), None, int(mine.sum()))
            )
        unsure = np.random.default_rng(2).uniform(0, 0.3, (len(shown), len(shown))).astype(np.float32)
        result.append((Scene(labels, tuple(shown), affinity=np.minimum(unsure, unsure.T)), cloud, view))
    return result


def pose(view: View, rng: np.random.Generator) -> NDArray[np.float64]:
    """(4, 4) T_map_camera with random errors: 1 cm and 1 degree (root mean square)."""
    T = np.eye(4)
    T[:3, :3] = Rotation.from_rotvec(np.deg2rad(rng.normal(0, 1 / 3**0.5, 3))).as_matrix() @ view.rotation
    T[:3, 3] = view.eye + rng.normal(0, 0.01 / 3**0.5, 3)
    return T


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time and memory of the object map.")
    parser.add_argument("--objects", type=int, default=240, help="boxes, in tens (default: 240, 200 of them seen)")
    parser.add_argument("--updates", type=int, default=200, help="measured updates (default: 200)")
    args = parser.parse_args(argv)
    seen = looks(world(args.objects), args.objects)
    objects, rng = ObjectMap(), np.random.default_rng(2)
    wall, processor, told, memory = [], [], [], []
    for step in progress(range(-3 * len(seen), args.updates), "updates"):
        scene, cloud, view = seen[step % len(seen)]
        T = pose(view, rng)
        begun, busy = time.perf_counter(), time.thread_time()
        objects.update(scene, cloud, T, (step + 1000) * 100_000_000)
        if step >= 0:
            wall.append(1e3 * (time.perf_counter() - begun))
            processor.append(1e3 * (time.thread_time() - busy))
            busy = time.thread_time()
            objects.snapshot().scene()
            told.append(1e3 * (time.thread_time() - busy))
        if step >= 0 and step % max(1, args.updates // 10) == 0:
            gc.collect()
            memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(machine_line())
    in_view = np.mean([len(scene) for scene, _, _ in seen])
    print(f"{len(objects)} objects known, {in_view:.0f} in view on the average, {args.updates} updates")
    for name, times in (("processor", processor), ("wall", wall), ("what it tells, processor", told)):
        p50, p95 = np.percentile(times, [50, 95])
        print(f"{name:24} {p50:6.2f} ms p50  {p95:6.2f} ms p95")
    print(f"peak memory {memory[0]:.0f} MB at the start, {memory[-1]:.0f} MB at the end")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
