"""Where the map lies: the transform from its own coordinates to the frame of the given poses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..types import Float32

MEMORY = 120.0
"""Seconds of poses over which the map's position is averaged. A localisation that drifts takes the map along, as long
as clouds can still be aligned within ``MapConfig.max_correction``."""

FIRST = 4.0
"""Seconds that the first pose counts in that mean, so that one badly aligned cloud does not move the map."""


class Anchor:
    """Transform from the map's own coordinates, in which objects are stored, to the frame of the given poses.

    Clouds are aligned with the map, so the map carries the error of the first pose. Each later cloud gives an estimate
    of where the map should lie: the rigid motion from its aligned to its given pose. The mean of these motions is used,
    so that no object in the map has to be moved.

    Attributes:
        origin: (3,) whole metres in the frame of the poses, near the first pose: origin of the map's own coordinates.
        T: (4, 4) from the map's own coordinates to the frame of the poses, without adding ``origin``.
        seconds: seconds of poses in the mean, at most ``MEMORY``.
    """

    def __init__(
        self, origin: NDArray[np.float64], T: NDArray[np.float64] | None = None, seconds: float = FIRST
    ) -> None:
        self.origin, self.seconds = origin, seconds
        self.T = np.eye(4) if T is None else T
        self._mean = self.T.copy()

    def near(self, T: NDArray[np.float64]) -> NDArray[np.float64]:
        """(4, 4) a given pose relative to ``origin``, from which alignment starts: starting from ``own`` would
        accumulate the errors of all alignments."""
        shifted = T.copy()
        shifted[:3, 3] -= self.origin
        return shifted

    def own(self, T: NDArray[np.float64]) -> NDArray[np.float64]:
        """(4, 4) a given pose in the map's own coordinates according to ``T``, for clouds that cannot be aligned."""
        return np.asarray(np.linalg.inv(self.T) @ self.near(T), np.float64)

    def note(self, told: NDArray[np.float64], fitted: NDArray[np.float64], seconds: float) -> None:
        """Add one pose to the mean.

        Args:
            told: (4, 4) given pose; fitted: (4, 4) aligned pose of its cloud in the map's own coordinates.
            seconds: since the pose before.
        """
        if seconds <= 0:
            return
        self.seconds = min(self.seconds + seconds, MEMORY)
        motion = self.near(told) @ np.linalg.inv(fitted)
        self._mean += (motion - self._mean) * seconds / self.seconds
        # The mean of rotation matrices is not quite a rotation: take the nearest one, and keep the camera's position as
        # the mean has it.
        u, _, v = np.linalg.svd(self._mean[:3, :3])
        at = fitted[:3, 3]
        self.T[:3, :3] = u @ v
        self.T[:3, 3] = self._mean[:3, :3] @ at + self._mean[:3, 3] - self.T[:3, :3] @ at

    def turn(self, vectors: NDArray[np.floating]) -> Float32:
        """Rotate a direction (3,), or k as columns (3, k), from the map's own coordinates to the frame of the poses."""
        return np.asarray(self.T[:3, :3] @ vectors, np.float32)

    def place(self, points: NDArray[np.floating]) -> Float32:
        """Transform (..., 3) points from the map's own coordinates to the frame of the poses."""
        moved = points @ self.T[:3, :3].T.astype(points.dtype)
        return np.asarray(moved + (self.T[:3, 3] + self.origin), np.float32)
