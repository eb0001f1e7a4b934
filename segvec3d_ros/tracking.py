"""Tracking of instances from one cloud to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix

from segvec3d_core.types import PointCloud, Scene

VOXEL = 0.03
"""Edge of the voxels for computing overlap, metres: larger than a depth camera's noise, smaller than a mug."""

MIN_OVERLAP = 0.2
"""Smallest intersection over union with which an instance is matched to a previous one."""

MAX_POINTS = 60_000
"""Largest number of labelled points used; more would only cost time."""


@dataclass(frozen=True, slots=True)
class Track:
    """The identity of one instance over time.

    Attributes:
        id: from 1 upwards, never reused.
        first_seen, last_seen: stamps of the first and the latest cloud that showed it, nanoseconds.
        visible: whether the latest cloud showed it; otherwise it is remembered.
    """

    id: int
    first_seen: int
    last_seen: int
    visible: bool = True


class Tracker(Protocol):
    """Gives instances an identity: from cloud to cloud (``FrameTracker``) or in a map (``mapping.MapTracker``).

    Attributes:
        next_id: id of the next new instance, at which a tracker that replaces this one continues.
    """

    @property
    def next_id(self) -> int: ...

    def update(self, scene: Scene, cloud: PointCloud, stamp: int, frame: str) -> tuple[Track, ...]:
        """One track per object of ``scene``, in the same order; ``stamp`` in nanoseconds, ``frame`` the cloud's."""
        ...

    def reset(self) -> None:
        """Forget all instances; ids continue, so that none is reused."""
        ...


class FrameTracker:
    """Matches the instances of a cloud to those of the previous cloud by their overlap in space.

    The matching is one to one and maximises the sum of overlaps. Another frame, or a stamp that goes back (as when a
    bag is replayed), resets the tracker.

    Args:
        next_id: id of the first new instance.
    """

    def __init__(self, next_id: int = 1) -> None:
        self.next_id = next_id
        self.reset()

    def reset(self) -> None:
        """Forget all instances; ids continue, so that none is reused."""
        self._tracks: tuple[Track, ...] = ()
        self._voxels = np.empty(0, np.int64)
        self._owners = np.empty(0, np.int32)
        self._frame: str | None = None
        self._stamp = 0

    def update(self, scene: Scene, cloud: PointCloud, stamp: int, frame: str) -> tuple[Track, ...]:
        """One track per object of ``scene``, in the same order; ``stamp`` in nanoseconds, ``frame`` the cloud's."""
        if frame != self._frame or stamp < self._stamp:
            self.reset()
        voxels, owners = _occupancy(scene, cloud)
        overlap = _overlap(self._voxels, self._owners, len(self._tracks), voxels, owners, len(scene))
        predecessors = _match(overlap)
        tracks = []
        for k in range(len(scene)):
            if k in predecessors:
                old = self._tracks[predecessors[k]]
                tracks.append(Track(old.id, old.first_seen, stamp))
            else:
                tracks.append(Track(self.next_id, stamp, stamp))
                self.next_id += 1
        self._tracks, self._voxels, self._owners = tuple(tracks), voxels, owners
        self._frame, self._stamp = frame, stamp
        return self._tracks


def _occupancy(scene: Scene, cloud: PointCloud) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Distinct pairs of a voxel's hash, (P,) int64, and an instance with points in that voxel, (P,) int32."""
    index = np.flatnonzero(scene.labels >= 0)
    index = index[:: max(1, -(-len(index) // MAX_POINTS))]
    coords = np.floor(cloud.points[index].astype(np.float64) / VOXEL).astype(np.int64)
    hashes = coords[:, 0] * 73856093 ^ coords[:, 1] * 19349663 ^ coords[:, 2] * 83492791
    order = np.lexsort((scene.labels[index], hashes))
    hashes, owners = hashes[order], scene.labels[index][order]
    new = np.ones(len(hashes), bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    return hashes[new], owners[new]


def _overlap(
    voxels_a: NDArray[np.int64],
    owners_a: NDArray[np.int32],
    count_a: int,
    voxels_b: NDArray[np.int64],
    owners_b: NDArray[np.int32],
    count_b: int,
) -> NDArray[np.float64]:
    """(A, B) intersection over union of every pair of instances, counted in voxels."""
    if count_a == 0 or count_b == 0:
        return np.zeros((count_a, count_b))
    _, column = np.unique(np.concatenate([voxels_a, voxels_b]), return_inverse=True)
    columns = int(column.max(initial=0)) + 1
    a = csr_matrix((np.ones(len(voxels_a)), (owners_a, column[: len(voxels_a)])), (count_a, columns))
    b = csr_matrix((np.ones(len(voxels_b)), (owners_b, column[len(voxels_a) :])), (count_b, columns))
    shared = (a @ b.T).toarray()
    union = np.asarray(a.sum(1)).reshape(-1, 1) + np.asarray(b.sum(1)).reshape(1, -1) - shared
    return shared / np.maximum(union, 1)


def _match(overlap: NDArray[np.float64]) -> dict[int, int]:
    """Best one-to-one assignment, as column -> row; pairs with an overlap below ``MIN_OVERLAP`` are left out."""
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    return {int(b): int(a) for a, b in zip(rows, columns, strict=True) if overlap[a, b] >= MIN_OVERLAP}
