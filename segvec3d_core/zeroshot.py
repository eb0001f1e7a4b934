"""Zero-shot classification of single shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .config import SegmentationConfig
from .instances import Segment, alignment_input, describe_segments
from .pipeline import SegVec3D
from .types import PointCloud

NOMINAL = 0.25
"""Longest edge to which a shape of unknown size is scaled, metres; its voxels have a 24th of that."""
SIZES = (0.12, 0.25, 0.5, 1.0, 2.0)
"""Sizes assumed for a shape, metres; each class gets its highest similarity over them."""
TEMPLATES = ("{}", "a {}", "the {}", "a photo of a {}", "there is a {} in the room", "the shape of a {}")
"""Prompt templates that are averaged for a class."""
OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "display": ("display", "monitor", "screen"), "bin": ("bin", "trash can"), "xbox": ("game console",),
    "tv_stand": ("TV stand", "low cabinet"), "night_stand": ("nightstand", "bedside table"), "plant": ("plant",),
    "person": ("person", "human figure"), "glass_box": ("glass box",), "range_hood": ("cooker hood", "range hood"),
    "dresser": ("dresser", "chest of drawers"), "wardrobe": ("wardrobe", "closet"), "cup": ("cup", "mug"),
    "bookshelf": ("bookshelf", "bookcase"), "airplane": ("airplane", "plane"), "tent": ("tent",),
}  # fmt: skip
"""Common names of classes whose published names are unusual words."""


def class_vectors(model: SegVec3D, classes: Sequence[str]) -> NDArray[np.float32]:
    """(C, d_t) sentence vectors of classes: the mean over names and templates."""
    vectors = []
    for name in classes:
        names = OTHER_NAMES.get(name, (name.replace("_", " "),))
        t = model.text.encode([template.format(word) for word in names for template in TEMPLATES])
        vectors.append(t.mean(0) / np.linalg.norm(t.mean(0)))
    return np.array(vectors, np.float32)


def classify(
    model: SegVec3D, points: NDArray[np.float32], up: Sequence[float], classes: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Similarity of one shape with classes -> (C,) float32, 0 to 1.

    Args:
        points: (N, 3) of any scale; up: (3,); classes: (C, d_t) from ``class_vectors``.

    Raises:
        ValueError: fewer than four points, or all in one place.
    """
    low, high = points.min(0), points.max(0)
    extent = float((high - low).max()) if len(points) >= 4 else 0.0
    if not extent > 0:
        raise ValueError(f"shape: expected at least four points with an extent, got {len(points)}")
    scaled = (points - (low + high) / 2) * np.float32(NOMINAL / extent)
    config = SegmentationConfig(voxel_size=NOMINAL / 24, min_points=1, min_score=0)
    embedded = model.embed(PointCloud(scaled, up=np.asarray(up, np.float32)), config)
    grid, voxels = embedded.grid, embedded.voxels
    assert voxels is not None
    whole = Segment("object", np.arange(len(grid)), 1.0, np.zeros(4), len(points))
    described = describe_segments([whole], grid, embedded.up, config)
    x = alignment_input(described, voxels.features, grid, voxels.normals, embedded.up)
    best = np.zeros(len(classes), np.float32)
    for size in SIZES:
        statistics = x.statistics.copy()
        statistics[:, [0, 1, 2, 6]] += np.float32(np.log(size / NOMINAL))
        best = np.maximum(best, model.compare(model.project(replace(x, statistics=statistics)), classes)[0])
    return best
