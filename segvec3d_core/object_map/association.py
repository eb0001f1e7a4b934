"""Associates the instances of a cloud with objects of the map, by the space that they share and by their embeddings."""

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
"""Target number of points of a cloud that are associated and fused, which bounds an update's time."""

FEWEST, MOST = 120, 1000
"""Bounds on the number of points sampled per instance, which is ``POINTS`` divided by the number of instances."""

DENSE = 100_000
"""A larger cloud of N points is read with a stride of N // ``DENSE``."""

LOOKS, FEWEST_LOOKS = 8_000, 100
"""Target number of voxels that are looked up in the depth image at each update, and the least of each entry. Rounding
of the sampling stride gives up to twice as many; a different sample is taken each time."""

HIDDEN_WEIGHT = 0.5
"""Weight of an object's hidden voxels, relative to its visible ones, in the denominator of ``Evidence.of_entry``;
``Evidence.of_instance`` is not affected."""

LEAST_SUPPORT = 5
"""Minimum number of shared voxels or points of a match; fewer are taken for chance."""

CUT_LINES = 4
"""An instance counts as cut by the image border if at least this many image rows and columns begin or end in it."""

TRUSTED_SHARE = 0.15
"""Lower bound on an object's visible share in the denominator of its overlaps: if less is visible, what it is seen as
is unreliable."""

STRANGE = 0.2
"""Pairs whose embeddings have a lower cosine are not matched, unless they fill nearly the same space."""

OTHER_KIND = 0.35
"""Minimum overlap (harmonic mean of both shares) to match a surface with an object: of a desk one view shows only the
top, the next the whole."""

LOOK_WEIGHT = 0.2
"""Weight of the embeddings' cosine in the matching score, where the shared space has weight 1."""


def checked(scene: Scene, cloud: PointCloud, T: NDArray[np.float64], known: Sequence[Entry]) -> NDArray[np.float64]:
    """Validate the inputs of an update, and return a (4, 4) float64 copy of ``T``.

    Args:
        known: entries of the map whose embedding length the scene's must match.

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
    """The K instances of a cloud, with P points sampled from them, in the map's own coordinates.

    Attributes:
        scene, cloud: what was seen. T: (4, 4) from the cloud to the map's coordinates.
        bounds: (K + 1,) int64 start of each instance's sampled points; owner: (P,) int32 instance of each point.
        xyz: (P, 3) float32 sampled points, metres; colors: (P, 3) uint8, (0, 0, 0) where unknown.
        cut: (K,) bool, whether the instance continues beyond the image border; false without a camera.
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
        """Sample points of each instance and transform them to the map's coordinates."""
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
        """Slice of the sampled points that belong to instance ``k``."""
        return slice(self.bounds[k], self.bounds[k + 1])


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What a ``Sight`` shows of E candidate objects.

    Attributes:
        rows: (R,) int64 indices in the ``Stack`` of the voxels that were looked up, grouped by object; starts: (E + 1,)
            start of each object's; stride: (E,) number of voxels that each of them represents.
        seen: (R,) int32 result of ``looking.look`` for each row; all ``OUTSIDE`` without a camera.
        state: (E, 4) number of rows outside, hidden, looked through, seen. votes: (E, K) rows seen as each instance.
        covered: (E, K) number of the instance's sampled points that lie in the object's voxels.
        first, second: (P,) int32 the first two objects whose voxels hold each sampled point, -1 for none.
        of_visible: (E, K) share of the object's visible voxels that are seen as the instance. Without a camera, this
            and ``of_entry`` are the share of the object's voxels that hold points of the instance.
        of_entry: (E, K) the same, but with half of the hidden voxels added to the visible ones.
        of_instance: (E, K) share of the instance's sampled points that lie in the object's voxels.
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
    """Look for each object where it was, and measure its overlaps with the instances; ``turn``, a counter, selects
    which of its voxels are looked up this time."""
    count = len(stack.sizes)
    rows, starts, stride = looking.spread(stack.starts, max(FEWEST_LOOKS, LOOKS // max(count, 1)), turn)
    seen = _look(stack.xyz, rows, sight)
    votes, state = looking.tally(seen, starts, len(sight.scene))
    # ``cover`` tests voxels of twice each entry's edge, where an error of half an edge costs little.
    covered, hit, first, second = fusing.cover(
        sight.xyz, sight.owner, len(sight.scene), stack.names, stack.starts, stack.sizes
    )
    if sight.cloud.camera is not None:
        visible = np.maximum(state[:, 3], TRUSTED_SHARE * np.diff(starts))
        of_visible = votes / np.maximum(visible, 1)[:, None]
        # An occluder touches the hidden object in places: a carton set over a mug must not be matched to the mug.
        of_entry = votes / np.maximum(visible + HIDDEN_WEIGHT * state[:, 1], 1)[:, None]
    else:
        of_visible = of_entry = hit / np.maximum(np.diff(stack.starts), 1)[:, None]
    of_instance = covered / np.maximum(np.diff(sight.bounds), 1)
    return Evidence(
        rows, starts, stride, seen, state, votes, covered, first, second, of_visible, of_entry, of_instance
    )  # fmt: skip


def _look(xyz: Float32, rows: NDArray[np.int64], sight: Sight) -> NDArray[np.int32]:
    camera = sight.cloud.camera
    if camera is None:  # no rays that could show where an object is not: no evidence
        return np.full(len(rows), looking.OUTSIDE, np.int32)
    intrinsics = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    T = np.linalg.inv(sight.T)
    return np.asarray(
        looking.look(xyz, rows, T, intrinsics, camera.width, camera.height, sight.cloud.points, sight.scene.labels)
    )


def match_by_space(stack: Stack, sight: Sight, evidence: Evidence, least: float) -> dict[int, int]:
    """Match instances to objects one to one, so that the sum of scores is largest (Hungarian method).

    Args:
        least: minimum of the larger of both shares in common, of the object and of the instance, 0 to 1.

    Returns:
        the index of its object for each instance that has one.
    """
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
    """Match things of similar embedding and size one to one, so that the sum of similarities is largest.

    Args:
        similarity: (A, B) cosines; boxes: of the A things; other_boxes: of the B others; least: minimum cosine.

    Returns:
        pairs of indices, 0 to A - 1 and 0 to B - 1.
    """
    sizes, other_sizes = (np.sort(np.array([box.size for box in group]), 1) for group in (boxes, other_boxes))
    gap = np.abs(sizes[:, None] - other_sizes)
    alike = (gap < 0.03 + 0.35 * np.maximum(sizes[:, None], other_sizes)).all(2)
    score = np.where(alike & (similarity >= least), similarity + 2, 0)
    rows, columns = linear_sum_assignment(score, maximize=True)
    return [(int(a), int(b)) for a, b in zip(rows, columns, strict=True) if score[a, b] > 0]
