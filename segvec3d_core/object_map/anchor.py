"""Where the map lies: its own coordinates beside the frame in which poses are told."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..types import Float32

MEMORY = 120.0
"""Seconds of poses that the place of the map is the mean of; a localisation that drifts takes the map along, as long as
clouds still fit within ``MapConfig.max_correction``."""

FIRST = 4.0
"""Seconds that the first pose counts in that mean: one cloud that was fitted wrongly does not move the map."""


class Anchor:
    """Keeps objects in coordinates of the map's own, and tells where these lie.

    Clouds are moved onto what the map has, so that it is drawn as the first pose was told, with its error. What every
    later pose is told beside where its cloud came to lie says where the map should be: the mean of these rigid motions
    is where it is said to be. Nothing in the map need be moved.

    Attributes:
        origin: (3,) whole metres in the frame of the poses, near the first; the map's own coordinates begin there.
        T: (4, 4) from the map's own coordinates to that frame, less the origin. seconds: of poses in the mean.
    """

    def __init__(
        self, origin: NDArray[np.float64], T: NDArray[np.float64] | None = None, seconds: float = FIRST
    ) -> None:
        self.origin, self.seconds = origin, seconds
        self.T = np.eye(4) if T is None else T
        self._mean = self.T.copy()

    def near(self, T: NDArray[np.float64]) -> NDArray[np.float64]:
        """(4, 4) a told pose less the origin: where a cloud is fitted from. Were it fitted from ``own``, what is wrong
        with every fit would add up."""
        shifted = T.copy()
        shifted[:3, 3] -= self.origin
        return shifted

    def own(self, T: NDArray[np.float64]) -> NDArray[np.float64]:
        """(4, 4) a told pose in the map's own coordinates, as far as known, where nothing fits."""
        return np.asarray(np.linalg.inv(self.T) @ self.near(T), np.float64)

    def note(self, told: NDArray[np.float64], fitted: NDArray[np.float64], seconds: float) -> None:
        """Take one more pose into the mean.

        Args:
            told: (4, 4) as it was told; fitted: (4, 4) where its cloud lies in the map's own coordinates.
            seconds: since the pose before.
        """
        if seconds <= 0:
            return
        self.seconds = min(self.seconds + seconds, MEMORY)
        motion = self.near(told) @ np.linalg.inv(fitted)
        self._mean += (motion - self._mean) * seconds / self.seconds
        # The mean of rotations is no rotation, but nearly; the place where the camera is stays where the mean has it.
        u, _, v = np.linalg.svd(self._mean[:3, :3])
        at = fitted[:3, 3]
        self.T[:3, :3] = u @ v
        self.T[:3, 3] = self._mean[:3, :3] @ at + self._mean[:3, 3] - self.T[:3, :3] @ at

    def turn(self, vectors: NDArray[np.floating]) -> Float32:
        """(3,) a direction, or (3, k) as columns, from the map's own coordinates to the told frame."""
        return np.asarray(self.T[:3, :3] @ vectors, np.float32)

    def place(self, points: NDArray[np.floating]) -> Float32:
        """(..., 3) points from the map's own coordinates to the told frame."""
        moved = points @ self.T[:3, :3].T.astype(points.dtype)
        return np.asarray(moved + (self.T[:3, 3] + self.origin), np.float32)
