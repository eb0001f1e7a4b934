"""Whether clouds follow one another in time: what came late, and what is of another time."""

from __future__ import annotations

import time
from enum import Enum

JUMP = 1.0
"""A cloud that is older than the latest by less than this, seconds, came late; by more, time was set back."""

AHEAD = 60.0
"""A cloud that is newer than the latest by this and the time that has passed, seconds, is of another time."""


class Verdict(Enum):
    """What a cloud's stamp says: it follows the latest, came late, is of another time or frame but alone in that, is
    the second in a row that says so, or follows the one before the latest, which was alone in being ahead."""

    FOLLOWS = 0
    LATE = 1
    ODD = 2
    ELSEWHERE = 3
    RETURNS = 4


class Timeline:
    """Judges stamps. Of another time two clouds in a row are believed: one alone is a driver's glitch."""

    def __init__(self) -> None:
        self._arrived = time.monotonic()  # the latest cloud that was believed
        self._odd: tuple[str, int] | None = None  # frame and stamp of the cloud before, where they were odd
        self._leapt: tuple[int, float] | None = None  # stamp and arrival of the one before the latest, if that leapt

    def forget(self) -> None:
        """A second cloud of another time is then the first."""
        self._odd = self._leapt = None

    def judge(self, latest: int | None, stamp: int, frame: str = "", moved: bool = False) -> Verdict:
        """Judge a cloud.

        Args:
            latest: stamp of the latest cloud that was believed, nanoseconds, None where there is none.
            stamp, frame: of this one. moved: whether the frame is another one than it was.
        """
        now = time.monotonic()
        ahead = 0.0 if latest is None else (stamp - latest) / 1e9
        if not moved and -JUMP <= ahead < 0:
            return Verdict.LATE
        if not moved and ahead < 0 and self._leapt is not None:
            since, waited = (stamp - self._leapt[0]) / 1e9, now - self._leapt[1]
            if 0 <= since <= AHEAD + waited:
                self._odd, self._leapt, self._arrived = None, None, now
                return Verdict.RETURNS
        odd = moved or ahead < 0 or ahead > AHEAD + now - self._arrived
        before, self._odd = self._odd, (frame, stamp) if odd else None
        if odd and (before is None or before[0] != frame or stamp < before[1]):
            return Verdict.ODD
        leapt = latest is not None and not odd and ahead > JUMP + now - self._arrived
        self._leapt = (latest, self._arrived) if latest is not None and leapt else None
        self._odd, self._arrived = None, now
        return Verdict.ELSEWHERE if odd else Verdict.FOLLOWS
