"""Where up is in the map: gravity tells at once and for good, a surface once it has said so for a while."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..types import Float32

SAME_UP = np.cos(np.deg2rad(10))
"""Cosine of the angle beyond which another direction is up; less is the error of a pose."""

UP_CLOUDS = 100
"""Clouds that the map's up is the mean of: were it the latest one's, every box would be drawn anew at every cloud."""

UP_SECONDS = 2.0
"""For so long surfaces must say that up is elsewhere, where gravity does not tell."""


class Up:
    """The direction against gravity in the frame of the poses, in which it stays the same.

    Attributes:
        direction: (3,) of unit length; z before any cloud has told.
    """

    def __init__(self) -> None:
        self.direction = np.array([0.0, 0.0, 1.0])
        self._clouds, self._by_gravity = 0, False
        self._other, self._doubted = np.zeros(3), 0.0

    @classmethod
    def told(cls, direction: NDArray[np.float64]) -> Self:
        """As if gravity had told it in many clouds."""
        up = cls()
        up.direction, up._clouds, up._by_gravity = direction, UP_CLOUDS, True
        return up

    @property
    def known(self) -> bool:
        """Whether any cloud has told it."""
        return self._clouds > 0

    def note(self, of_scene: Float32 | None, of_cloud: Float32 | None, T: NDArray[np.float64], seconds: float) -> None:
        """What one cloud tells.

        Args:
            of_scene: (3,) as its surfaces say, one of which is a wall now and then. of_cloud: (3,) as gravity says.
            T: (4, 4) T_map_camera, as it was told.
            seconds: since the cloud before.
        """
        shown = of_scene if of_cloud is None else of_cloud
        if shown is None or (of_cloud is None and self._by_gravity):
            return
        up = T[:3, :3] @ shown
        up = up / np.linalg.norm(up)
        same = self.known and up @ self.direction >= SAME_UP
        if of_cloud is not None:
            same, self._by_gravity = same and self._by_gravity, True
        elif not same and self.known:
            self._doubted = (self._doubted + seconds) if up @ self._other >= SAME_UP else 0.0
            self._other = up
            if self._doubted < UP_SECONDS:
                return
        self._other, self._doubted = np.zeros(3), 0.0
        self._clouds = min(self._clouds + 1, UP_CLOUDS) if same else 1
        self.direction = self.direction + (up - self.direction) / self._clouds
        self.direction /= np.linalg.norm(self.direction)
