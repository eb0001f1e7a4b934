"""Which instance of a cloud is which object of the map: by the space that they share, then by their look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..geometry import is_rigid
from ..types import Box, Float32, PointCloud, Scene
from . import fusing, looking
from .entry import Entry, Stack

POINTS = 5_000
"""Points of a cloud that are looked at and fused, which bounds an update's time."""

FEWEST, MOST = 120, 1000
"""Of these, points of each instance: where there are many instances, and where there are few."""

DENSE = 100_000
"""Points of which every one is looked at; of more only each so-manieth."""

LOOKS, FEWEST_LOOKS = 8_000, 100
"""Voxels that are looked for in the depth image, up to twice as many, and of each entry at least; others each time."""

HIDDEN_WEIGHT = 0.5
"""How much a hidden part counts against what is seen of the rest; what an instance covers speaks for itself."""

LEAST_SUPPORT = 5
"""Fewer points in common are chance."""

CUT_LINES = 4
"""Lines of the picture that an instance must reach to the border in to be cut by it."""

TRUSTED_SHARE = 0.15
"""An object of which less is visible tells little of what it is seen as."""

STRANGE = 0.2
"""A cosine below this is another thing, unless it fills the very same space."""

OTHER_KIND = 0.35
"""Least share in common of a surface and an object that are one: a desk is a top in one view, a whole in the next."""

LOOK_WEIGHT = 0.2
"""How much equal looks count beside equal space."""


def checked(scene: Scene, cloud: PointCloud, T: NDArray[np.float64], known: Sequence[Entry]) -> NDArray[np.float64]:
    """A copy of ``T``, with everything in order.

    Raises:
        ValueError: labels of another cloud, embeddings that are not finite or of another model than those of ``known``,
            or no rigid ``T``.
    """
    if len(scene.labels) != len(cloud):
        raise ValueError(f"scene: expected labels for {len(cloud)} points, got {len(scene.labels)}")
    if not np.isfinite([thing.embedding for thing in scene.objects]).all():
        raise ValueError("scene: expected embeddings of finite numbers")
    for entry in known:
        for thing in scene.objects[:1]:
            if len(entry.embedding) != len(thing.embedding):
                expected = f"embeddings of {len(entry.embedding)} numbers, as in the map"
                raise ValueError(f"scene: expected {expected}, got {len(thing.embedding)}: clear the map")
    T = np.array(T, np.float64)
    if T.shape != (4, 4):
        raise ValueError(f"T_map_camera: expected shape (4, 4), got {T.shape}")
    if not is_rigid(T):
        raise ValueError(f"T_map_camera: expected a rotation and a translation, got {T.tolist()}")
    return T


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """The instances of a cloud, in the map's coordinates.

    Attributes:
        scene, cloud: what was seen. T: (4, 4) from the cloud to the map's coordinates.
        bounds: (K + 1,) where the points that stand for each of the K instances begin; owner: (P,) int32 their
            instances; xyz: (P, 3) float32 in the map's coordinates; colors: (P, 3) uint8, (0, 0, 0) where unknown.
        cut: (K,) bool, whether it goes on beyond the picture's border.
    """

    scene: Scene
    cloud: PointCloud
    T: NDArray[np.float64]
    bounds: NDArray[np.int64]
    owner: NDArray[np.int32]
    xyz: Float32
    colors: NDArray[np.uint8]
    cut: NDArray[np.bool_]

    @classmethod
    def of(cls, scene: Scene, cloud: PointCloud, T: NDArray[np.float64]) -> Sight:
        """Pick points of each instance and take them to the map."""
        each = int(np.clip(POINTS // max(len(scene), 1), FEWEST, MOST))
        every = max(1, len(cloud) // DENSE)
        known = np.empty((0, 3), np.uint8) if cloud.colors is None else cloud.colors
        xyz, colors, bounds = looking.pick(cloud.points, known, scene.labels, T, len(scene), each, every)
        owner = np.repeat(np.arange(len(scene), dtype=np.int32), np.diff(bounds))
        cut = np.zeros(len(scene), bool)
        if cloud.camera is not None:
            size = cloud.camera.width, cloud.camera.height
            cut = looking.border(cloud.points, scene.labels, *size, len(scene)) >= CUT_LINES
        return cls(scene, cloud, T, bounds, owner, xyz, colors, cut)

    def of_instance(self, k: int) -> slice:
        """The picked points of an instance."""
        return slice(self.bounds[k], self.bounds[k + 1])


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What a sight says of E objects that it may show.

    Attributes:
        rows: (R,) int64 voxels of the entries' ``Stack`` that were looked for, one object after the other; starts:
            (E + 1,) where each object's begin; stride: (E,) for how many voxels each of them stands.
        seen: (R,) int32 what ``looking.look`` says of them; all outside without a camera.
        state: (E, 4) voxels outside, hidden, looked through, seen. votes: (E, K) voxels seen as each instance.
        covered: (E, K) points of each instance in the object's voxels.
        first, second: (P,) int32 the objects in whose voxels each picked point lies, -1 for none.
        of_visible: (E, K) share of the object's visible part that is the instance.
        of_entry: (E, K) the same, with half of its hidden part counted as something else.
        of_instance: (E, K) share of the instance that lies in the object.
    """

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    stride: Float32
    seen: NDArray[np.int32]
    state: NDArray[np.int32]
    votes: NDArray[np.int32]
    covered: NDArray[np.int32]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    of_visible: NDArray[np.float64]
    of_entry: NDArray[np.float64]
    of_instance: NDArray[np.float64]


def gather(stack: Stack, sight: Sight, turn: int) -> Evidence:
    """Look for each object where it was; which of its voxels are looked for changes with ``turn``."""
    count = len(stack.sizes)
    rows, starts, stride = looking.spread(stack.starts, max(FEWEST_LOOKS, LOOKS // max(count, 1)), turn)
    seen = _look(stack.xyz, rows, sight)
    votes, state = looking.tally(seen, starts, len(sight.scene))
    # In voxels of twice each entry's edge half an edge of error costs little.
    covered, hit, first, second = fusing.cover(
        sight.xyz, sight.owner, len(sight.scene), stack.names, stack.starts, stack.sizes
    )
    if sight.cloud.camera is not None:
        visible = np.maximum(state[:, 3], TRUSTED_SHARE * np.diff(starts))
        of_visible = votes / np.maximum(visible, 1)[:, None]
        # What hides an object touches it in places: a carton set over a mug is not the mug.
        of_entry = votes / np.maximum(visible + HIDDEN_WEIGHT * state[:, 1], 1)[:, None]
    else:
        of_visible = of_entry = hit / np.maximum(np.diff(stack.starts), 1)[:, None]
    of_instance = covered / np.maximum(np.diff(sight.bounds), 1)
    return Evidence(
        rows, starts, stride, seen, state, votes, covered, first, second, of_visible, of_entry, of_instance
    )  # fmt: skip


def _look(xyz: Float32, rows: NDArray[np.int64], sight: Sight) -> NDArray[np.int32]:
    camera = sight.cloud.camera
    if camera is None:  # what is not seen may be anywhere: no evidence
        return np.full(len(rows), looking.OUTSIDE, np.int32)
    intrinsics = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    T = np.linalg.inv(sight.T)
    return np.asarray(
        looking.look(xyz, rows, T, intrinsics, camera.width, camera.height, sight.cloud.points, sight.scene.labels)
    )


def match_by_space(stack: Stack, sight: Sight, evidence: Evidence, least: float) -> dict[int, int]:
    """Instance -> index of its object, one to one, so that the sum of what they share is largest."""
    if not len(stack.ids) or not len(sight.scene):
        return {}
    a, b = evidence.of_entry, evidence.of_instance
    inside = np.maximum(a, b)
    both = 2 * a * b / np.maximum(a + b, 1e-9)
    looks = stack.looks @ np.stack([o.embedding for o in sight.scene.objects]).T
    other_kind = stack.surface[:, None] != np.array([o.kind == "surface" for o in sight.scene.objects])
    allowed = (inside >= least) & (np.maximum(evidence.votes, evidence.covered) >= LEAST_SUPPORT)
    allowed &= (both >= 0.05) & (~other_kind | (both >= OTHER_KIND)) & ((looks >= STRANGE) | (both >= 0.8))
    score = np.where(allowed, 0.4 * inside + 0.6 * both + LOOK_WEIGHT * (1 + looks), 0.0)
    rows, columns = linear_sum_assignment(score, maximize=True)
    return {int(k): int(e) for e, k in zip(rows, columns, strict=True) if allowed[e, k]}


def match_by_look(
    similarity: NDArray[np.floating], boxes: Sequence[Box], other_boxes: Sequence[Box], least: float
) -> list[tuple[int, int]]:
    """Pairs of things that look alike and are of one size, one to one, so that the sum of similarities is largest.

    Args:
        similarity: (A, B) cosines; boxes: of the A things; other_boxes: of the B others; least: cosine of a pair.
    """
    sizes, other_sizes = (np.sort(np.array([box.size for box in group]), 1) for group in (boxes, other_boxes))
    gap = np.abs(sizes[:, None] - other_sizes)
    alike = (gap < 0.03 + 0.35 * np.maximum(sizes[:, None], other_sizes)).all(2)
    score = np.where(alike & (similarity >= least), similarity + 2, 0)
    rows, columns = linear_sum_assignment(score, maximize=True)
    return [(int(a), int(b)) for a, b in zip(rows, columns, strict=True) if score[a, b] > 0]
