"""Detects late clouds and jumps in time from the clouds' stamps."""

from __future__ import annotations

import time
from enum import Enum

JUMP = 1.0
"""Seconds. A cloud older than the latest by at most this is late; by more, time was set back."""

AHEAD = 60.0
"""Seconds. A cloud newer than the latest by more than this plus the elapsed real time has jumped ahead."""


class Verdict(Enum):
    """Judgement of a cloud's stamp and frame.

    FOLLOWS: it follows the latest cloud. LATE: slightly older than the latest. ODD: a jump in time or frame that no
    second cloud has confirmed. ELSEWHERE: a jump confirmed by two clouds in a row. RETURNS: it follows the cloud before
    the latest, whose stamp was ahead of both.
    """

    FOLLOWS = 0
    LATE = 1
    ODD = 2
    ELSEWHERE = 3
    RETURNS = 4


class Timeline:
    """Judges stamps. A jump counts only once two clouds in a row confirm it; a single one is a glitch of the driver."""

    def __init__(self) -> None:
        self._arrived = time.monotonic()  # arrival of the latest accepted cloud
        self._odd: tuple[str, int] | None = None  # frame and stamp of the previous cloud, if it was odd
        self._leapt: tuple[int, float] | None = None  # stamp and arrival before the latest cloud, if that leapt ahead

    def forget(self) -> None:
        """Forget earlier odd clouds: the next one counts as the first."""
        self._odd = self._leapt = None

    def judge(self, latest: int | None, stamp: int, frame: str = "", moved: bool = False) -> Verdict:
        """Judge a cloud.

        Args:
            latest: stamp of the latest accepted cloud, nanoseconds, None if there is none.
            stamp, frame: of this cloud.
            moved: whether its frame differs from the previous one.
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
