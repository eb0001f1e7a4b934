"""Training examples: simulated scenes, made on the fly or kept on disk for further epochs, or frames of a folder."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.utils.data import Dataset

from ..config import NetworkConfig
from ..datasets.frames import IGNORE, Frame, FrameFolder
from ..datasets.scannet import ScanNetScene, read_scene, scene_folders
from ..hierarchy import Hierarchy, build_hierarchy, canonical_rotation
from ..network import VOTE_SCALE
from ..voxels import Fovea, VoxelGrid, voxelize
from .weak import Supervision, across_frames, weaken

if TYPE_CHECKING:
    from ..simulate import Entity, Layout, SimulatedFrame


@dataclass(frozen=True, slots=True)
class Sample:
    """One cloud with its truth.

    Attributes:
        points: (N, 3) float32 metres; colors: (N, 3) uint8; instance: (N,) int64, entity of each point or -1.
        viewpoint: (3,) float32, or None for a fused scan; up: (3,) float32, or None where nobody knows.
        is_surface: (E,) bool; centres: (E, 3) float32 true centre of each entity, in the cloud's frame.
        infos: what each entity is (name, colour, ...), None for surfaces.
        earlier: the same scene from another place a moment before, in this one's frame, or None.
    """

    points: NDArray[np.float32]
    colors: NDArray[np.uint8]
    instance: NDArray[np.int64]
    viewpoint: NDArray[np.float32] | None
    up: NDArray[np.float32] | None
    is_surface: NDArray[np.bool_]
    centres: NDArray[np.float32]
    infos: list[dict[str, Any] | None]
    earlier: Sample | None = None


def simulate_sample(seed: int, index: int) -> Sample:
    """Scene number ``index`` of the training set that ``seed`` names: tables, shelves and rooms, frames and scans."""
    from .. import simulate

    rng = np.random.default_rng([seed, index])
    kind = rng.choice(["table", "room", "shelf", "scan"], p=[0.6, 0.2, 0.1, 0.1])
    if kind != "scan":
        width, layout = _width(rng), cast("Layout", str(kind))
        return _simulated(simulate.simulate_frame(rng, layout=layout, width=width, height=width * 3 // 4))
    cloud, instance, entities = simulate.simulate_scan(rng)
    assert cloud.colors is not None
    return Sample(
        cloud.points, cloud.colors, instance.astype(np.int64), None, np.array([0, 0, 1], np.float32),
        *_entities(entities),
    )  # fmt: skip


def simulate_pair(seed: int, index: int) -> Sample:
    """Two frames of a sequence: a scene as ``simulate_sample`` draws it, and ``earlier`` from up to half a metre away
    by the same sensor.

    The later one's frame is that of both, as a robot knows how it has moved.
    """
    from .. import simulate

    rng = np.random.default_rng([seed, 2, index])
    scene = simulate.sample_scene(rng)
    width = _width(rng)
    camera = simulate.sample_camera(rng, width, width * 3 // 4)
    view = simulate.sample_view(rng, scene)
    step = rng.normal(0, 0.15, 3).clip(-0.3, 0.3)
    before = simulate.look_at(view.eye + step, view.eye + view.rotation[:, 2] * 1.2, rng.normal(0, 2.5))
    frame = simulate.render(rng, scene, view, camera)
    later = _simulated(frame)
    earlier = _simulated(simulate.render(rng, scene, before, camera, frame.sensor))
    turn = (view.rotation.T @ before.rotation).astype(np.float32)
    shift = (view.rotation.T @ (before.eye - view.eye)).astype(np.float32)
    moved = replace(earlier, points=earlier.points @ turn.T + shift, viewpoint=shift, up=later.up)
    return replace(later, earlier=moved)


def _width(rng: np.random.Generator) -> int:
    """Image width of a training frame, pixels."""
    return int(rng.choice([320, 400, 480, 640], p=[0.2, 0.3, 0.3, 0.2]))


def _entities(
    entities: tuple[Entity, ...],
) -> tuple[NDArray[np.bool_], NDArray[np.float32], list[dict[str, Any] | None]]:
    """Kinds, centres and infos of a sample's entities."""
    return (
        np.array([e.kind == "surface" for e in entities], bool),
        np.array([e.center for e in entities], np.float32).reshape(-1, 3),
        [None if e.info is None else asdict(e.info) for e in entities],
    )


def _simulated(frame: SimulatedFrame) -> Sample:
    """A simulated frame's points that returned anything."""
    cloud = frame.cloud()
    keep = np.isfinite(cloud.points).all(1)
    return Sample(
        np.ascontiguousarray(cloud.points[keep], np.float32), np.ascontiguousarray(frame.color.reshape(-1, 3)[keep]),
        frame.instance.reshape(-1)[keep].astype(np.int64), np.zeros(3, np.float32), np.asarray(frame.up, np.float32),
        *_entities(frame.entities),
    )  # fmt: skip


def frame_sample(frame: Frame) -> Sample:
    """A labelled frame of a folder: background and support are one surface, an object's centre is that of its points.

    Raises:
        ValueError: a frame without labels.
    """
    if frame.label is None:
        raise ValueError(f"frame {frame.name}: training needs its labels, label/{frame.name}.png")
    cloud = frame.cloud()
    keep = np.isfinite(cloud.points).all(1)
    points, label = cloud.points[keep], frame.label.reshape(-1)[keep]
    ids, instance = np.unique(label[(label > 0) & (label != IGNORE)], return_inverse=True)
    entity = np.where(label == IGNORE, -1, 0).astype(np.int64)
    entity[(label > 0) & (label != IGNORE)] = instance + 1
    centres = [np.zeros(3), *((points[label == k].min(0) + points[label == k].max(0)) / 2 for k in ids)]
    colors = np.zeros((len(points), 3), np.uint8) if cloud.colors is None else cloud.colors[keep]
    return Sample(
        points, colors, entity, np.zeros(3, np.float32), frame.up, np.arange(len(ids) + 1) == 0,
        np.array(centres, np.float32), [None] * (len(ids) + 1),
    )  # fmt: skip


def scannet_sample(scene: ScanNetScene) -> Sample:
    """An annotated scan: walls, floors and ceilings are surfaces, what nobody annotated is left out of the losses."""
    return Sample(
        scene.points, scene.colors, scene.instance, None, np.array([0, 0, 1], np.float32), scene.is_surface,
        scene.centres(), [None] * len(scene.names),
    )  # fmt: skip


def _to_jsonable(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"not JSON: {type(value)}")


@functools.cache
def simulator_version() -> str:
    """A fingerprint of the simulator's sources: scenes that another version made are not taken for its own."""
    from .. import simulate

    files = sorted(Path(simulate.__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def load_sample(seed: int, index: int, cache: Path | None) -> Sample:
    """``simulate_sample``, kept as a file below ``cache`` when one is given."""
    if cache is None:
        return simulate_sample(seed, index)
    path = cache / f"{simulator_version()}-{seed}-{index}.npz"
    if not path.exists():
        sample = simulate_sample(seed, index)
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.part.npz")
        np.savez(
            partial,
            points=sample.points,
            colors=sample.colors,
            instance=sample.instance.astype(np.int16),
            viewpoint=np.zeros(0, np.float32) if sample.viewpoint is None else sample.viewpoint,
            up=np.zeros(0, np.float32) if sample.up is None else sample.up,
            is_surface=sample.is_surface,
            centres=sample.centres,
            infos=json.dumps(sample.infos, default=_to_jsonable),
        )
        partial.replace(path)
        return sample
    with np.load(path) as file:
        return Sample(
            file["points"],
            file["colors"],
            file["instance"].astype(np.int64),
            file["viewpoint"] if len(file["viewpoint"]) else None,
            file["up"] if len(file["up"]) else None,
            file["is_surface"],
            file["centres"],
            json.loads(str(file["infos"])),
        )


@dataclass(frozen=True, slots=True)
class Example:
    """A sample as the losses read it.

    Attributes:
        hierarchy: what the network reads.
        labels: (V,) int64 instance of each voxel that the supervision names, else -1.
        truth: (V,) int64 true instance, for measuring.
        is_surface: (V,) bool, as far as the supervision says.
        centres: (V, 3) float32 centre votes in embedding units, true ones or those of what is seen and labelled;
        has_centre: (V,) bool.
        grid: the voxels; instance: (N,) int64 true instance of each point.
    """

    hierarchy: Hierarchy
    labels: Tensor
    truth: Tensor
    is_surface: Tensor
    centres: Tensor
    has_centre: Tensor
    grid: VoxelGrid
    instance: NDArray[np.int64]


def seen_centres(
    hierarchy: Hierarchy, labels: NDArray[np.int64], is_surface: NDArray[np.bool_]
) -> tuple[Tensor, Tensor]:
    """Centres of what is seen and labelled, where nobody says where the true ones are -> (V, 3) votes in embedding
    units, and (V,) bool: on labelled objects."""
    position = hierarchy.levels[0].position.numpy()
    known = labels >= 0
    count = np.bincount(labels[known], minlength=1)
    total = np.stack([np.bincount(labels[known], weights=column) for column in position[known].T], 1)
    centres = total / np.maximum(count, 1)[:, None] * VOTE_SCALE if len(total) else np.zeros((1, 3))
    votes = centres[np.maximum(labels, 0)].astype(np.float32)
    return torch.from_numpy(votes), torch.from_numpy(known & ~is_surface)


def majority(inverse: NDArray[np.int64], instance: NDArray[np.int64], voxels: int, entities: int) -> NDArray[np.int64]:
    """Most frequent instance among the points of each voxel -> (V,) int64; -1 counts as an instance of its own."""
    rows = inverse >= 0
    key = inverse[rows] * (entities + 1) + instance[rows] + 1
    counts = np.bincount(key, minlength=voxels * (entities + 1)).reshape(voxels, entities + 1)
    return counts.argmax(1) - 1


def turn_about_z(angle: float, mirror: bool) -> NDArray[np.float32]:
    """(3, 3) rotation about z, after a reflection of x if asked."""
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)
    return turn @ np.diag([-1, 1, 1]).astype(np.float32) if mirror else turn


def crop(sample: Sample, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(N,) bool: a ball around a random object, as a robot's workspace is cropped; it also keeps voxels small."""
    objects = np.flatnonzero(~sample.is_surface)
    if len(objects) == 0:
        return np.ones(len(sample.points), bool)
    seen = sample.points[sample.instance == rng.choice(objects)]
    centre = seen.mean(0) if len(seen) else sample.points.mean(0)
    inside = np.linalg.norm(sample.points - centre, axis=1) < np.exp(rng.uniform(np.log(0.35), np.log(1.5)))
    return np.asarray(inside if inside.sum() > 500 else np.ones(len(inside), bool))


def cropped(sample: Sample, inside: NDArray[np.bool_]) -> Sample:
    """A sample's points ``inside`` alone, (N,) bool; a table that has lost over a fifth of its points is a bare top."""
    from ..simulate.sensor import TABLES

    known, entities = sample.instance >= 0, len(sample.is_surface)
    before = np.bincount(sample.instance[known], minlength=entities)
    after = np.bincount(sample.instance[known & inside], minlength=entities)
    is_table = np.array([info is not None and info["category"] in TABLES for info in sample.infos], bool)
    is_surface = sample.is_surface | (is_table & (after < 0.8 * before))
    return replace(
        sample, points=sample.points[inside], colors=sample.colors[inside], instance=sample.instance[inside],
        is_surface=is_surface,
    )  # fmt: skip


def prepare(
    sample: Sample,
    rng: np.random.Generator,
    config: NetworkConfig,
    supervision: Supervision | None = None,
    augment: bool = True,
    max_voxels: int = 12_000,
) -> Example:
    """Voxelise and, for training, augment: voxel size, fovea, turn about z, mirror, scale, unknown up, unknown
    viewpoint, workspace."""
    base, reach, turn = 0.01, 1.5, None
    if augment:
        sample = augmented(sample, rng)
        base = float(np.exp(rng.uniform(np.log(0.008), np.log(0.014))))
        reach = float(np.exp(rng.uniform(np.log(1.0), np.log(2.2))))
        max_voxels = int(rng.uniform(0.5, 1.0) * max_voxels)
        turn = turn_about_z(rng.uniform(0, 2 * np.pi), bool(rng.random() < 0.5))
    elif sample.viewpoint is not None:
        sample = replace(sample, up=None)
    viewpoint, up = sample.viewpoint, sample.up
    fovea = None if viewpoint is None else Fovea(viewpoint, reach)
    grid = voxelize(sample.points, base, sample.colors, max_voxels=max_voxels, fovea=fovea)
    hierarchy = build_hierarchy(grid, viewpoint, up, config, turn)

    truth = majority(grid.inverse, sample.instance, len(grid), len(sample.is_surface))
    known = np.maximum(truth, 0)
    labels, is_surface = truth, (truth >= 0) & sample.is_surface[known]
    if supervision is not None and sample.earlier is not None:
        labels = _carried(sample.earlier, grid, supervision, config, rng)
        is_surface = sample.is_surface[np.maximum(labels, 0)] & (labels >= 0)
    elif supervision is not None:
        labels, is_surface = weaken(supervision, truth, hierarchy, is_surface, rng)
    seen_from = None if viewpoint is None else (viewpoint - grid.origin).astype(np.float32)
    rotation = canonical_rotation(grid.centroids, seen_from, up)
    rotation = rotation if turn is None else turn @ rotation
    votes = sample.centres if fovea is None else fovea.compress(sample.centres)
    votes = (votes - grid.origin).astype(np.float32) @ rotation.T / np.float32(grid.size) * np.float32(VOTE_SCALE)
    centres, has_centre = torch.from_numpy(votes[known]), torch.from_numpy((labels >= 0) & ~is_surface)
    if supervision is not None:
        centres, has_centre = seen_centres(hierarchy, labels, is_surface)
    return Example(
        hierarchy,
        torch.from_numpy(labels),
        torch.from_numpy(truth),
        torch.from_numpy(is_surface),
        centres,
        has_centre,
        grid,
        sample.instance,
    )


def augmented(sample: Sample, rng: np.random.Generator, crops: float = 0.45) -> Sample:
    """A sample as another robot might have met it: cropped, scaled, without viewpoint, without up or with a tilted
    one.

    Args:
        crops: share of the samples that are cropped.
    """
    if rng.random() < crops:
        sample = cropped(sample, crop(sample, rng))
    sample = _scaled(sample, np.float32(rng.uniform(0.85, 1.2)))
    viewpoint, up = sample.viewpoint, sample.up
    if viewpoint is not None and up is not None and rng.random() < 0.12:
        viewpoint = None  # an unorganised scan: up is then always known
    if up is not None:
        tilt = up + rng.normal(0, 0.03, 3).astype(np.float32)
        told = viewpoint is None or rng.random() < 0.5
        up = (tilt / np.linalg.norm(tilt)).astype(np.float32) if told else None
    return replace(sample, viewpoint=viewpoint, up=up)


def _scaled(sample: Sample, scale: np.float32) -> Sample:
    """A sample in which every length is ``scale`` times as long."""
    return replace(
        sample,
        points=sample.points * scale,
        centres=sample.centres * scale,
        viewpoint=None if sample.viewpoint is None else sample.viewpoint * scale,
        earlier=None if sample.earlier is None else _scaled(sample.earlier, scale),
    )


def _carried(
    earlier: Sample, grid: VoxelGrid, supervision: Supervision, config: NetworkConfig, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Labels of a grid's voxels by agreement with an earlier frame, in which alone somebody labelled points."""
    before = voxelize(earlier.points, grid.size, max_voxels=len(grid) * 2, fovea=_fovea_at(earlier, grid))
    hierarchy = build_hierarchy(before, earlier.viewpoint, None, config)
    truth = majority(before.inverse, earlier.instance, len(before), len(earlier.is_surface))
    kinds = (truth >= 0) & earlier.is_surface[np.maximum(truth, 0)]
    labels, _ = weaken(supervision, truth, hierarchy, kinds, rng)
    there = (before.centroids + before.origin).astype(np.float32)
    return across_frames(there, (grid.centroids + grid.origin).astype(np.float32), labels, 1.5 * grid.scale.edges)


def _fovea_at(sample: Sample, grid: VoxelGrid) -> Fovea | None:
    """The fovea of ``grid`` with its eye where ``sample`` was seen from."""
    if grid.fovea is None or sample.viewpoint is None:
        return None
    return replace(grid.fovea, eye=sample.viewpoint)


def use_threads(count: int) -> None:
    """Let this process use ``count`` threads; more than there are free cores makes kernels wait for each other."""
    torch.set_num_threads(count)
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    threadpool_limits(count)


def use_one_thread(worker: int) -> None:
    """What each worker process begins with."""
    use_threads(1)


class Scenes(Dataset[Example]):
    """Training steps as a map from step number to example, so that a resumed run goes on exactly where it stopped.

    ``scenes`` different simulated scenes, or the frames of a folder, or its ScanNet scenes, are visited in turn; every
    visit is augmented anew. ``max_voxels`` bounds an example.
    """

    def __init__(
        self,
        seed: int,
        scenes: int,
        steps: int,
        config: NetworkConfig,
        supervision: Supervision | None,
        cache: Path | None,
        first: int = 0,
        frames: Path | None = None,
        max_voxels: int = 12_000,
    ) -> None:
        if frames is not None and supervision is not None and supervision.kind == "agreement":
            raise ValueError(f"labels: agreement needs frames of one sequence, which {frames} does not tell")
        self.scans = [] if frames is None else scene_folders(frames)
        self.frames = None if frames is None or self.scans else FrameFolder(frames)
        self.max_voxels = max_voxels
        self.seed, self.scenes, self.steps, self.first = seed, scenes, steps, first
        self.config, self.supervision, self.cache = config, supervision, cache

    def __len__(self) -> int:
        return self.steps - self.first

    def __getitem__(self, item: int) -> Example:
        step = item + self.first
        if step >= self.steps:
            raise IndexError(step)
        rng = np.random.default_rng([self.seed, 1, step])
        for attempt in range(10):  # a scene with next to nothing in view teaches nothing
            turn = step + attempt * 7919
            if self.scans:
                sample = scannet_sample(read_scene(self.scans[turn % len(self.scans)]))
            elif self.frames is not None:
                sample = frame_sample(self.frames[turn % len(self.frames)])
            elif self.supervision is not None and self.supervision.kind == "agreement":
                sample = simulate_pair(self.seed, turn % self.scenes)
            else:
                sample = load_sample(self.seed, turn % self.scenes, self.cache)
            if len(sample.points) > 500 and (sample.instance >= 0).any():
                return prepare(sample, rng, self.config, self.supervision, max_voxels=self.max_voxels)
        raise RuntimeError(f"training scenes: ten empty scenes in a row from {step}")
