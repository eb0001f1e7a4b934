"""Scans of any size: segmented tile by tile in bounded memory, instances merged where tiles overlap.

A scan is cut into square tiles of the horizontal plane. Each tile is segmented with a margin around it, so that objects
on a border are seen by both sides; instances that two tiles find at the same points are merged. A point is labelled by
the tile in whose square it lies. Points are kept on disk, tile by tile: memory holds a chunk of the scan, one or two
tiles, and one label per point.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .config import SegmentationConfig
from .geometry import oriented_box
from .metrics import contingency
from .pipeline import SegVec3D
from .threads import use_threads
from .types import Box, Float32, PointCloud, Scene, SceneObject
from .voxels import usable

RECORD = np.dtype([("point", "<f4", 3), ("color", "u1", 3), ("index", "<i8")])
"""Record of a point on disk."""
SHARED = 0.5
"""Instances of two tiles are merged if their IoU over the points that both tiles see exceeds this."""
SHARED_POINTS = 20
"""Minimum number of points that merged instances share."""
DIRECTIONS = 32
"""Number of horizontal directions in which an instance's outermost points are kept for the box around all its parts."""

MARGIN = 0.75
"""Default width of the margin around a tile, metres."""

Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a scan is cut.

    Attributes:
        edge: of a tile, metres. The voxel budget applies to each tile, so smaller tiles get finer voxels.
        margin: width of the margin around a tile, metres.

    Raises:
        ValueError: a margin that is not positive, or more than half the edge: tiles would overlap non-neighbours.
    """

    edge: float = 4.0
    margin: float = MARGIN

    def __post_init__(self) -> None:
        if not 0 < 2 * self.margin <= self.edge < float("inf"):
            raise ValueError(
                f"tiles: expected a margin of more than 0 and at most half the edge, "
                f"got an edge of {self.edge} m and a margin of {self.margin} m"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The part of an instance that one tile sees.

    Attributes:
        object: from ``SegVec3D.segment``.
        outermost: (M, 3) float32, its outermost points, metres.
        own: number of its points in the tile itself, without the margin; total: (3,) float64, their sum, metres.
    """

    object: SceneObject
    outermost: Float32
    own: int
    total: NDArray[np.float64]


class Result(Protocol):
    """A submitted task, such as a ``concurrent.futures.Future`` or the result of Ray's ``ObjectRef.future()``."""

    def result(self) -> Any: ...


Submit = Callable[..., Result]
"""``submit(function, argument)`` runs a function elsewhere, as ``concurrent.futures.Executor.submit`` does."""


def segment_tiles(
    model: SegVec3D | str | Path,
    chunks: Iterable[PointCloud],
    tiling: Tiling | None = None,
    config: SegmentationConfig | None = None,
    scratch: str | Path | None = None,
    submit: Submit | None = None,
    ahead: int = 4,
    watch: Callable[[Iterable[Any], str, int], Iterable[Any]] | None = None,
    device: str = "auto",
) -> Scene:
    """Segment a scan of any size into instances.

    Args:
        model: the model; or a weight file, which each worker process loads itself.
        chunks: the scan, N points in all, in pieces that each fit in memory. All have the same ``up`` (z if None), and
            either all or none have colours. The viewpoint is not used.
        tiling: how to cut the scan; config: limits as for ``SegVec3D.segment``.
        scratch: folder for temporary files, about 45 bytes per point; None for the system's.
        submit: runs tiles elsewhere, ``ahead`` at a time (``process_submit``, ``ray_submit``, or an executor's
            ``submit``); None runs them here, one after the other.
        watch: wraps the iteration over tiles to show progress; called with it, "tiles" and their number.
        device: for the network of a weight file, as in ``SegVec3D.load``.

    Returns:
        a scene with one label per point, in the order of the chunks. An instance of several parts has the embedding,
        colour and score of its largest part; its box contains all parts.

    Raises:
        ValueError: chunks that do not belong together.
    """
    tiling, config = tiling or Tiling(), config or SegmentationConfig()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="segvec3d-tiles-", dir=scratch) as folder:
        cut = _Cut(Path(folder), tiling)
        for chunk in chunks:
            cut.add(chunk)
        done_cutting = time.perf_counter()
        loaded = model if isinstance(model, SegVec3D) else (str(model), device)
        work = partial(_segment_tile, loaded, config, tiling, cut.up, bool(cut.colored))
        keys = sorted(cut.keys)
        tasks = ((key, cut.records(key)) for key in keys)
        results = map(work, tasks) if submit is None else _in_order(partial(submit, work), tasks, ahead)
        parts: dict[Key, list[Part]] = {}
        for key, labels, found in results if watch is None else watch(results, "tiles", len(keys)):
            np.save(cut.label_file(key), labels)
            parts[key] = found
        done_segmenting = time.perf_counter()
        scene = _stitched(cut, parts, config)
    times = {
        "cutting": done_cutting - started,
        "tiles": done_segmenting - done_cutting,
        "stitching": time.perf_counter() - done_segmenting,
    }
    return replace(scene, timings=times)


@contextmanager
def process_submit(workers: int) -> Iterator[Submit]:
    """Run tiles in ``workers`` processes of this machine, which share its cores; each loads the weights."""
    threads = max(1, (os.cpu_count() or 1) // workers)
    # Spawned: a fork would inherit the threads of torch and of the kernels in an undefined state.
    with ProcessPoolExecutor(workers, get_context("spawn"), use_threads, (threads,)) as pool:
        yield pool.submit


def ray_submit(address: str | None = None) -> Submit:
    """Run tiles on the workers of a Ray cluster, with two cores each; they need SegVec3D installed.

    Args:
        address: of the cluster, "auto" for the one that this machine belongs to; None starts one here.

    Raises:
        ModuleNotFoundError: Ray is not installed (``pip install ray``).
    """
    import ray

    ray.init(address=address, ignore_reinit_error=True, log_to_driver=False)
    run: Any = ray.remote(num_cpus=2)(lambda function, argument: function(argument))
    return lambda function, argument: run.remote(function, argument).future()


def _in_order(submit: Callable[[Any], Result], tasks: Iterable[Any], ahead: int) -> Iterator[Any]:
    """Results in the order of the tasks, of which at most ``ahead`` are pending at a time."""
    waiting: deque[Result] = deque()
    for task in tasks:
        waiting.append(submit(task))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


# Cutting -----------------------------------------------------------------------------------------------------------


def _level(up: Float32) -> Float32:
    """(2, 3) two unit vectors perpendicular to ``up``: x and y if up is z."""
    level = np.empty((2, 3), np.float32)
    level[0] = np.cross([0.0, 1.0, 0.0] if abs(up[1]) < 0.9 else [0.0, 0.0, 1.0], up)
    level[0] /= np.linalg.norm(level[0])
    level[1] = np.cross(up, level[0])
    return level


def _places(points: Float32, tiling: Tiling, up: Float32) -> Float32:
    """(N, 2) horizontal coordinates of (N, 3) points, in units of the tile edge.

    Not a matrix product, whose rounding may vary: a point must always fall into the same tile.
    """
    x, y, z = points.T
    across = [x * a + y * b + z * c for a, b, c in _level(up)]
    return np.asarray(np.stack(across, 1) / np.float32(tiling.edge), np.float32)


class _Cut:
    """The points of a scan on disk, tile by tile."""

    def __init__(self, folder: Path, tiling: Tiling) -> None:
        self.folder, self.tiling = folder, tiling
        self.count, self.keys = 0, set[Key]()
        self.up = np.array([0, 0, 1], np.float32)
        self.colored: bool | None = None

    def add(self, chunk: PointCloud) -> None:
        """Append the points of a chunk to the tiles that see them."""
        if not len(chunk):  # an empty chunk may lack colours
            return
        if chunk.up is None and chunk.viewpoint is not None:
            raise ValueError("chunks: a cloud with a viewpoint need not lie z-up: expected its up")
        up = np.array([0, 0, 1], np.float32) if chunk.up is None else chunk.up
        if self.colored is None:
            self.up, self.colored = up, chunk.colors is not None
        elif self.colored is not (chunk.colors is not None) or not np.allclose(up, self.up, atol=1e-3):
            raise ValueError("chunks: expected colours in all of them or in none, and one direction up")
        records = np.zeros(len(chunk), RECORD)
        records["point"], records["index"] = chunk.points, np.arange(self.count, self.count + len(chunk))
        if chunk.colors is not None:
            records["color"] = chunk.colors
        self.count += len(chunk)
        records = records[usable(chunk.points)]
        places = _places(records["point"], self.tiling, self.up)
        squares = np.floor(places).astype(np.int64)
        within, margin = places - squares, self.tiling.margin / self.tiling.edge
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                seen = np.ones(len(records), bool)
                for axis, step in enumerate((dx, dy)):
                    if step:
                        seen &= within[:, axis] < margin if step < 0 else within[:, axis] >= 1 - margin
                self._append(squares[seen] + (dx, dy), records[seen], inside=dx == dy == 0)

    def _append(self, keys: NDArray[np.int64], records: NDArray[Any], inside: bool) -> None:
        distinct, owner = np.unique(keys, axis=0, return_inverse=True)
        order = np.argsort(owner.reshape(-1), kind="stable")
        bounds = np.searchsorted(owner.reshape(-1)[order], np.arange(len(distinct) + 1))
        for k, key in enumerate(map(tuple, distinct.tolist())):
            mine = records[order[bounds[k] : bounds[k + 1]]]
            with self._file(key).open("ab") as file:
                mine.tofile(file)
            if inside:  # a square with points in its margin alone is no tile
                self.keys.add(key)

    def records(self, key: Key) -> NDArray[Any]:
        """Records of the points that a tile sees, ascending by index."""
        found = np.fromfile(self._file(key), RECORD)
        return found[np.argsort(found["index"], kind="stable")]

    def label_file(self, key: Key) -> Path:
        return self.folder / f"{key[0]}_{key[1]}.npy"

    def _file(self, key: Key) -> Path:
        return self.folder / f"{key[0]}_{key[1]}.points"


# A tile ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _loaded(path: str, device: str) -> SegVec3D:
    return SegVec3D.load(path, device)


def _segment_tile(
    model: SegVec3D | tuple[str, str], config: SegmentationConfig, tiling: Tiling, up: Float32, colored: bool,
    task: tuple[Key, NDArray[Any]],
) -> tuple[Key, NDArray[np.int32], list[Part]]:  # fmt: skip
    """Segment a tile -> its key, (M,) labels of its points, and its instances."""
    key, records = task
    if isinstance(model, tuple):
        model = _loaded(*model)
    points = np.ascontiguousarray(records["point"])
    colors = np.ascontiguousarray(records["color"]) if colored else None
    # Size limits apply to whole instances, after their parts are merged.
    any_size = replace(config, min_object_size=0.0, max_object_size=float("inf"))
    scene = model.segment(PointCloud(points, colors, up=up), any_size)
    inside = _inside(points, key, tiling, up)
    angles = np.pi * np.arange(DIRECTIONS) / (DIRECTIONS / 2)
    directions = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32) @ _level(up)
    directions = np.concatenate([directions, up[None], -up[None]])
    order = np.argsort(scene.labels, kind="stable")
    bounds = np.searchsorted(scene.labels[order], np.arange(len(scene) + 1))
    parts = []
    for k, item in enumerate(scene.objects):
        rows = order[bounds[k] : bounds[k + 1]]
        mine = points[rows]
        held = mine[_within(item.box, mine)]
        outermost = held[np.unique((held @ directions.T).argmax(0))] if len(held) else item.box.corners()
        own = mine[inside[rows]]
        parts.append(Part(item, outermost, len(own), own.sum(0, dtype=np.float64)))
    return key, scene.labels, parts


def _inside(points: Float32, key: Key, tiling: Tiling, up: Float32) -> NDArray[np.bool_]:
    """(N,) bool, points of the tile itself, without its margin."""
    return np.asarray((np.floor(_places(points, tiling, up)).astype(np.int64) == key).all(1))


def _within(box: Box, points: Float32) -> NDArray[np.bool_]:
    """(N,) bool, points in a box. Points outside were treated as stray when the box was made."""
    return np.asarray((np.abs((points - box.center) @ box.rotation) <= box.size / 2 + np.float32(1e-4)).all(1))


# Stitching ---------------------------------------------------------------------------------------------------------


def _stitched(cut: _Cut, parts: dict[Key, list[Part]], config: SegmentationConfig) -> Scene:
    """Merge the tiles' instances and labels into one scene."""
    first: dict[Key, int] = {}
    everything: list[Part] = []
    for key, found in parts.items():
        first[key] = len(everything)
        everything += found
    group = _groups(cut, parts, first, len(everything))
    members: dict[int, list[Part]] = {}
    for part, at in zip(everything, group, strict=True):
        members.setdefault(int(at), []).append(part)
    whole = {at: _joined(some, cut.up) for at, some in members.items()}
    kept = [at for at, item in whole.items() if item.point_count >= config.min_points and _fits(item, config)]
    kept.sort(key=lambda at: (whole[at].kind != "object", -whole[at].point_count, at))
    number = np.full(len(everything) + 1, -1, np.int32)
    number[kept] = np.arange(len(kept))
    of_part = number[np.append(group, len(everything))]
    labels = np.full(cut.count, -1, np.int32)
    for key in parts:
        records, local = cut.records(key), np.load(cut.label_file(key))
        inside = _inside(records["point"], key, cut.tiling, cut.up)
        at = np.where(local >= 0, first[key] + local, len(everything))
        labels[records["index"][inside]] = of_part[at[inside]]
    return Scene(labels, tuple(whole[at] for at in kept), up=cut.up)


def _fits(item: SceneObject, config: SegmentationConfig) -> bool:
    """Whether an instance is within the size limits for objects; surfaces always are."""
    return item.kind != "object" or config.min_object_size <= item.box.size.max() <= config.max_object_size


def _groups(cut: _Cut, parts: dict[Key, list[Part]], first: dict[Key, int], count: int) -> NDArray[np.int64]:
    """Which of ``count`` parts form one instance -> (count,) int64, the lowest part of each instance."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    joined: list[tuple[int, int]] = []
    for key, found in parts.items():
        for step in ((1, -1), (1, 0), (1, 1), (0, 1)):
            other = (key[0] + step[0], key[1] + step[1])
            if other not in parts:
                continue
            for a, b in _same(cut, key, other):
                if found[a].object.kind == parts[other][b].object.kind:
                    joined.append((first[key] + a, first[other] + b))
    ends = np.array(joined, np.int64).reshape(-1, 2).T
    graph = coo_matrix((np.ones(len(joined), bool), (ends[0], ends[1])), (count, count))
    component = connected_components(graph, directed=False)[1]
    return np.unique(component, return_index=True)[1][component]


def _same(cut: _Cut, one: Key, other: Key) -> Iterator[tuple[int, int]]:
    """Pairs of instances of two tiles that agree on the points that both tiles see."""
    a, b = (cut.records(key)["index"] for key in (one, other))
    _, rows_a, rows_b = np.intersect1d(a, b, assume_unique=True, return_indices=True)
    if len(rows_a) == 0:
        return
    labels_a, labels_b = np.load(cut.label_file(one))[rows_a], np.load(cut.label_file(other))[rows_b]
    names_a, names_b, shared = contingency(labels_a, labels_b)
    iou = shared / (shared.sum(1, keepdims=True) + shared.sum(0) - shared)
    for i, j in zip(*np.nonzero((iou > SHARED) & (shared >= SHARED_POINTS)), strict=True):
        if names_a[i] >= 0 and names_b[j] >= 0:
            yield int(names_a[i]), int(names_b[j])


def _joined(parts: Sequence[Part], up: Float32) -> SceneObject:
    """Merge the parts of one instance."""
    count = sum(part.own for part in parts)
    largest = max(parts, key=lambda part: part.own).object
    total = np.sum([part.total for part in parts], 0)
    center = (total / count).astype(np.float32) if count else largest.centroid
    box = largest.box
    if len(parts) > 1:
        box = oriented_box(np.concatenate([part.outermost for part in parts]), up)
    return replace(largest, box=box, centroid=center, point_count=count)
