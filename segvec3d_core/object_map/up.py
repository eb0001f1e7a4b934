"""Estimates the map's up direction: gravity is accepted at once and for good; surfaces change it only after a while."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..types import Float32

SAME_UP = np.cos(np.deg2rad(10))
"""Cosine of the angle, 10 degrees, beyond which a direction is another one; a smaller angle is a pose error."""

UP_CLOUDS = 100
"""Number of clouds over which up is averaged: with the latest cloud's alone every box would be refitted at every
cloud."""

UP_SECONDS = 2.0
"""Seconds for which surfaces must report another direction before it replaces up, if gravity is unknown."""


class Up:
    """The direction against gravity in the frame of the poses, where it is constant.

    Attributes:
        direction: (3,) unit vector; z before any cloud has given one.
    """

    def __init__(self) -> None:
        self.direction = np.array([0.0, 0.0, 1.0])
        self._clouds, self._by_gravity = 0, False
        self._other, self._doubted = np.zeros(3), 0.0

    @classmethod
    def told(cls, direction: NDArray[np.float64]) -> Self:
        """An ``Up`` with this direction, (3,), as if gravity had given it in many clouds."""
        up = cls()
        up.direction, up._clouds, up._by_gravity = direction, UP_CLOUDS, True
        return up

    @property
    def known(self) -> bool:
        """Whether any cloud has given a direction."""
        return self._clouds > 0

    def note(self, of_scene: Float32 | None, of_cloud: Float32 | None, T: NDArray[np.float64], seconds: float) -> None:
        """Add the direction of one cloud.

        Args:
            of_scene: (3,) up according to its surfaces, or None; now and then it is a wall's normal.
            of_cloud: (3,) up according to gravity, or None.
            T: (4, 4) T_map_camera, as given.
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
