"""Training data of the alignment: instances of simulated scenes in the form that the alignment reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..config import SegmentationConfig
from ..inference.alignment import InstanceInput
from ..instances import SCORE_FEATURES, Segment, alignment_input, describe_segments, vertical_of
from ..pipeline import SegVec3D
from ..types import OPTICAL_AXES
from ..voxels import Fovea, voxelize
from .examples import majority
from .pool import look_at_scenes
from .samples import Sample

KEPT_VOXELS = 192
"""At most this many voxels of an instance are kept; a training step uses up to a quarter as many."""


@dataclass(frozen=True, slots=True)
class Described3D:
    """One instance of a simulated scene as input of the alignment, and its true description.

    Attributes:
        features: (M, d_f), geometry: (M, 8) float16; statistics: (32,) float32; color: (M, 3) uint8, (0, 0, 0) for
            voxels without colour; see ``InstanceInput``.
        info: true category, colour and so on, see ``Sample.infos``; scene: index of the scene.
    """

    features: Tensor
    geometry: Tensor
    statistics: Tensor
    color: Tensor
    info: dict[str, Any]
    scene: int


@dataclass(frozen=True, slots=True)
class SceneRows:
    """Training data from one scene, for the alignment and for the score model.

    Attributes:
        instances: the described instances.
        score_features: (S, F) of each object found by segmentation, see ``ScoreModel``; score_hits: (S,) bool, whether
            it overlaps a true object with IoU > 0.5.
    """

    instances: list[Described3D]
    score_features: NDArray[np.float64]
    score_hits: NDArray[np.bool_]


def describe_scene(model: SegVec3D, sample: Sample, scene: int, rng: np.random.Generator) -> SceneRows:
    """Segment a simulated scene and describe each true object of at least 8 voxels: from the found instance with the
    highest IoU if that exceeds 0.5, else from its true mask, so that hard shapes are not left out."""
    base = float(np.exp(rng.uniform(np.log(0.009), np.log(0.012))))
    fovea = None if sample.viewpoint is None else Fovea(sample.viewpoint, rng.uniform(1.2, 1.8))
    grid = voxelize(sample.points, base, sample.colors, max_voxels=14_000, fovea=fovea)
    up = sample.up if sample.viewpoint is None or rng.random() < 0.5 else None
    seen = model.embed_voxels(grid, sample.viewpoint, up)
    found, _ = model.part(seen, grid, sample.viewpoint, up, SegmentationConfig().clustering)
    features, normals = seen.features, seen.normals
    truth = majority(grid.inverse, sample.instance, len(grid), len(sample.is_surface))
    masks = [truth == entity for entity in range(len(sample.is_surface))]
    things = [s for s in found if s.kind == "object"]
    hits = hits_of(things, truth, sample.is_surface)
    chosen: list[tuple[Segment, int]] = []
    for entity, mask in enumerate(masks):
        if mask.sum() < 8 or sample.infos[entity] is None:
            continue
        best = max(found, key=lambda s: _iou(s.voxels, mask), default=None)
        if best is None or _iou(best.voxels, mask) <= 0.5:
            voxels = np.flatnonzero(mask)
            best = Segment("object", voxels, 1.0, np.zeros(len(SCORE_FEATURES)), int(grid.counts[voxels].sum()))
        chosen.append((best, entity))
    vertical = vertical_of(found, normals, up, None if sample.viewpoint is None else -OPTICAL_AXES[:, 1])
    described = describe_segments([s for s, _ in chosen], grid, vertical, SegmentationConfig(min_points=1, min_score=0))
    rows = []
    for segment, (_, entity) in zip(described, chosen, strict=True):
        x = alignment_input([segment], features, grid, normals, up).tensors()
        info = sample.infos[entity]
        assert info is not None
        some = slice(None, None, -(-x.features.shape[0] // KEPT_VOXELS))
        color = (x.color[some].nan_to_num() * 255).round().byte()
        features_seen, place = x.features[some].half(), x.geometry[some].half()
        rows.append(Described3D(features_seen, place, x.statistics[0], color, info, scene))
    return SceneRows(rows, np.array([s.features for s in things]).reshape(-1, len(SCORE_FEATURES)), hits)


def hits_of(things: list[Segment], truth: NDArray[np.int64], is_surface: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each of S segments overlaps a true object with IoU > 0.5 -> (S,) bool.

    Args:
        truth: (V,) true entity of each voxel, -1 unknown; is_surface: (E,) bool, whether an entity is a surface.
    """
    masks = [truth == entity for entity in np.flatnonzero(~is_surface)]
    return np.array([any(_iou(s.voxels, mask) > 0.5 for mask in masks) for s in things], bool)


def _iou(voxels: NDArray[np.int64], mask: NDArray[np.bool_]) -> float:
    hits = int(mask[voxels].sum())
    return hits / (len(voxels) + int(mask.sum()) - hits)


def _described(model: SegVec3D, sample: Sample, scene: int, rng: np.random.Generator) -> Any:
    """``describe_scene`` as plain tensors and lists, which worker processes can return and cache."""
    rows = describe_scene(model, sample, scene, rng)
    plain = [(r.features, r.geometry, r.statistics, r.color, r.info, r.scene) for r in rows.instances]
    return plain, rows.score_features.tolist(), rows.score_hits.tolist()


def describe_scenes(
    weights: Path, seed: int, indices: range, cache: Path | None, workers: int, title: str
) -> Iterator[SceneRows]:
    """Describe many scenes, in order; ``cache`` also keeps the results, for a second run with the same weights."""
    for plain, features, hits in look_at_scenes(_described, weights, seed, indices, cache, workers, title):
        rows = [Described3D(*row) for row in plain]
        yield SceneRows(rows, np.array(features).reshape(-1, len(SCORE_FEATURES)), np.array(hits, bool))


def collate(rows: list[Described3D]) -> InstanceInput[Tensor]:
    """Batch single instances into one ``InstanceInput``."""
    sizes = torch.tensor([len(r.features) for r in rows])
    return InstanceInput(
        torch.cat([r.features for r in rows]).float(),
        torch.cat([r.geometry for r in rows]).float(),
        torch.repeat_interleave(torch.arange(len(rows)), sizes),
        torch.stack([r.statistics for r in rows]),
        seen_colors(torch.cat([r.color for r in rows])),
    )


def seen_colors(color: Tensor) -> Tensor:
    """(N, 3) uint8 colours -> float32, 0 to 1, as the alignment reads them; NaN where unknown, i.e. (0, 0, 0)."""
    return torch.where((color != 0).any(1, keepdim=True), color.float() / 255, torch.nan)
