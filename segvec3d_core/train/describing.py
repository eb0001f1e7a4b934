"""What the second stage learns from: instances of simulated scenes, as the alignment reads them."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from ..alignment import InstanceInput
from ..clustering import cluster
from ..config import SegmentationConfig
from ..hierarchy import build_hierarchy
from ..instances import SCORE_FEATURES, Segment, alignment_input, describe_segments, find_segments
from ..pipeline import SegVec3D
from ..voxels import Fovea, voxelize
from .data import Sample, load_sample, majority, use_one_thread

KEPT_VOXELS = 192
"""So many voxels of an instance at most are kept; a step sees a quarter of them."""


@dataclass(frozen=True, slots=True)
class Described3D:
    """One instance of a simulated scene as the alignment reads it, and what is true of it.

    Attributes:
        features (M, d_f), geometry (M, 8) float16; statistics (32,) float32; color (M, 3) uint8; info: what it is;
        scene: its number.
    """

    features: Tensor
    geometry: Tensor
    statistics: Tensor
    color: Tensor
    info: dict[str, Any]
    scene: int


@dataclass(frozen=True, slots=True)
class SceneRows:
    """What one scene teaches the second stage.

    Attributes:
        instances: its described instances.
        score_features: (S, F) of each object that segmentation found, see ``ScoreModel``; score_hits: (S,) bool,
            whether it overlaps a true object with IoU > 0.5.
    """

    instances: list[Described3D]
    score_features: NDArray[np.float64]
    score_hits: NDArray[np.bool_]


@torch.inference_mode()
def describe_scene(model: SegVec3D, sample: Sample, scene: int, rng: np.random.Generator) -> SceneRows:
    """Segment a simulated scene and describe every instance that covers a true object with IoU > 0.5; true objects
    that segmentation missed are described from their true mask, so that hard shapes are not left out."""
    base = float(np.exp(rng.uniform(np.log(0.009), np.log(0.012))))
    fovea = None if sample.viewpoint is None else Fovea(sample.viewpoint, rng.uniform(1.2, 1.8))
    grid = voxelize(sample.points, base, sample.colors, max_voxels=14_000, fovea=fovea)
    up = sample.up if sample.viewpoint is None or rng.random() < 0.5 else None
    hierarchy = build_hierarchy(grid, sample.viewpoint, up, model.network.config)
    features, e, logits = model.network(hierarchy)
    truth = majority(grid.inverse, sample.instance, len(grid), len(sample.is_surface))
    neighbors = hierarchy.levels[0].neighbors.numpy()
    surface, bonds = logits.sigmoid().numpy(), model.network.bonds(features, hierarchy.levels[0]).numpy()
    constants = model.clustering.for_cloud(sample.viewpoint is None)
    objects, surfaces = cluster(e.numpy(), surface, bonds, neighbors, "fast", constants)
    found = find_segments(objects, surfaces, e.numpy(), surface, bonds, neighbors, grid, model.score)
    masks = [truth == entity for entity in range(len(sample.is_surface))]
    things = [s for s in found if s.kind == "object"]
    hits = [
        any(_iou(s.voxels, m) > 0.5 for m, top in zip(masks, sample.is_surface, strict=True) if not top) for s in things
    ]
    chosen: list[tuple[Segment, int]] = []
    for entity, mask in enumerate(masks):
        if mask.sum() < 8 or sample.infos[entity] is None:
            continue
        best = max(found, key=lambda s: _iou(s.voxels, mask), default=None)
        if best is None or _iou(best.voxels, mask) <= 0.5:
            voxels = np.flatnonzero(mask)
            best = Segment("object", voxels, 1.0, np.zeros(len(SCORE_FEATURES)), int(grid.counts[voxels].sum()))
        chosen.append((best, entity))
    surfaces_only = [s for s in found if s.kind == "surface"]
    everything = SegmentationConfig(min_points=1, min_score=0)
    described = describe_segments([s for s, _ in chosen] + surfaces_only, grid, hierarchy.normals, up, everything)
    described = described[: len(chosen)]
    rows = []
    for segment, (_, entity) in zip(described, chosen, strict=True):
        x = alignment_input([segment], features, grid, hierarchy.normals, up)
        info = sample.infos[entity]
        assert info is not None
        some = slice(None, None, -(-x.features.shape[0] // KEPT_VOXELS))
        color = (x.color[some].nan_to_num() * 255).round().byte()
        seen, place = x.features[some].half(), x.geometry[some].half()
        rows.append(Described3D(seen, place, x.statistics[0], color, info, scene))
    return SceneRows(
        rows, np.array([s.features for s in things]).reshape(-1, len(SCORE_FEATURES)), np.array(hits, bool)
    )


def _iou(voxels: NDArray[np.int64], mask: NDArray[np.bool_]) -> float:
    hits = int(mask[voxels].sum())
    return hits / (len(voxels) + int(mask.sum()) - hits)


_worker_model: SegVec3D | None = None


def _start_worker(weights: str) -> None:
    global _worker_model
    use_one_thread(0)
    _worker_model = SegVec3D.load(weights, device="cpu")


def _fingerprint(weights: Path) -> str:
    """What a description depends on: the weights and the package's sources."""
    package = Path(__file__).parents[1]
    files = [weights, *sorted(package.rglob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _work(task: tuple[int, int, str | None, str]) -> bytes:
    """Describe one scene in a worker; the answer travels as bytes, which need no shared memory."""
    seed, index, cache, maker = task
    kept = None if cache is None else Path(cache) / f"described-{maker}-{seed}-{index}.pt"
    if kept is not None and kept.exists():
        return kept.read_bytes()
    assert _worker_model is not None
    rng = np.random.default_rng([seed, 2, index])
    sample = load_sample(seed, index, None if cache is None else Path(cache))
    rows = describe_scene(_worker_model, sample, index, rng)
    plain = [(r.features, r.geometry, r.statistics, r.color, r.info, r.scene) for r in rows.instances]
    buffer = io.BytesIO()
    torch.save((plain, rows.score_features.tolist(), rows.score_hits.tolist()), buffer)
    if kept is not None:
        partial = kept.with_suffix(f".{os.getpid()}.part")
        partial.write_bytes(buffer.getvalue())
        partial.replace(kept)
    return buffer.getvalue()


def describe_scenes(
    weights: Path, seed: int, indices: range, cache: Path | None, workers: int, title: str
) -> Iterator[SceneRows]:
    """Many scenes, in order; ``cache`` keeps what is said of them, too, for a second run over the same weights."""
    maker = _fingerprint(weights)
    tasks = [(seed, index, None if cache is None else str(cache), maker) for index in indices]
    with ProcessPoolExecutor(
        max(1, workers), get_context("spawn"), initializer=_start_worker, initargs=(str(weights),)
    ) as pool:
        for blob in tqdm(
            pool.map(_work, tasks, chunksize=4), total=len(tasks), desc=title, unit="scene", mininterval=5
        ):
            plain, features, hits = torch.load(io.BytesIO(blob), weights_only=True)
            rows = [Described3D(*row) for row in plain]
            yield SceneRows(rows, np.array(features).reshape(-1, len(SCORE_FEATURES)), np.array(hits, bool))


def collate(rows: list[Described3D]) -> InstanceInput:
    """Bring single instances together."""
    sizes = torch.tensor([len(r.features) for r in rows])
    return InstanceInput(
        torch.cat([r.features for r in rows]).float(),
        torch.cat([r.geometry for r in rows]).float(),
        torch.repeat_interleave(torch.arange(len(rows)), sizes),
        torch.stack([r.statistics for r in rows]),
        torch.cat([r.color for r in rows]).float() / 255,
    )
