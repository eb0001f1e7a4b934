"""Configuration of an object map: times in seconds, lengths in metres."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class MapConfig:
    """Parameters of an ``ObjectMap``.

    Attributes:
        voxel_size: finest voxel edge of an object's cloud, metres; it doubles when an object exceeds ``max_voxels``.
        max_voxels: maximum number of voxels of one object.
        max_objects: maximum number of objects; beyond it those unseen for longest are forgotten, tentative ones first.
        min_overlap: minimum share of an object's visible part, or of an instance, that must coincide to match them.
        confirm_seconds: how long a new object must have been seen before it is reported.
        split_seconds: the same for one that appears inside another; 0.3 of it for an object that appears on a surface.
        merge_seconds: how long two objects must have been seen as one, and longer than as two, to be merged. Half of
            the time for which the lesser one has been seen suffices, but not less than ``confirm_seconds``.
        gone_seconds: for how long the camera must have looked through an object's place before the object is gone.
        doubt_seconds: for how long an object's place may be seen without an instance there before the object is
            dropped; half of the time for which it has been seen, 5 s at most, is added.
        remember_seconds: how long an unseen object is kept, counted while clouds arrive: a night with the robot off
            counts next to nothing.
        reidentify_seconds: for how long, after it was found gone, an object can return under its id; counted likewise.
        reidentify_similarity: minimum cosine of the embeddings for that, -1 to 1. On sequences with other seeds than
            those measured, 12 correct re-identifications had 0.89 and more, 14 wrong ones 0.6 to 0.84.
        correct_pose: whether each cloud is first aligned with the map, by at most ``max_correction``.
        max_correction: largest pose correction, metres; a larger error is not corrected.

    Raises:
        ValueError: a value out of range, by its name.
    """

    voxel_size: float = 0.01
    max_voxels: int = 3000
    max_objects: int = 2000
    min_overlap: float = 0.35
    confirm_seconds: float = 0.4
    split_seconds: float = 5.0
    merge_seconds: float = 1.5
    gone_seconds: float = 0.8
    doubt_seconds: float = 2.0
    remember_seconds: float = math.inf
    reidentify_seconds: float = 300.0
    reidentify_similarity: float = 0.85
    correct_pose: bool = True
    max_correction: float = 0.08

    def __post_init__(self) -> None:
        if not 0.001 <= self.voxel_size <= 1:
            raise ValueError(f"voxel_size: expected 0.001 to 1 m, got {self.voxel_size}")
        for name, least in (("max_voxels", 64), ("max_objects", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_seconds") and not value >= 0:
                raise ValueError(f"{field.name}: expected at least 0 s, got {value}")
        if not 0 < self.min_overlap <= 1:
            raise ValueError(f"min_overlap: expected above 0 and at most 1, got {self.min_overlap}")
        if not -1 <= self.reidentify_similarity <= 1:
            raise ValueError(f"reidentify_similarity: expected -1 to 1, got {self.reidentify_similarity}")
        if not self.max_correction >= 0:
            raise ValueError(f"max_correction: expected at least 0 m, got {self.max_correction}")
