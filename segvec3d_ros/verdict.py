"""Evaluation of the demo: compares its answers with the ground truth and counts clouds. Independent of ROS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from segvec3d_core.datasets.frames import Frame


@dataclass(frozen=True, slots=True)
class Tally:
    """What happened to the camera's clouds.

    Attributes:
        published: by the camera.
        received: by the node.
        processed: their instances were published.
        overtaken: dropped by the node for a newer one.
        failed: ended in an error.
    """

    published: int
    received: int
    processed: int
    overtaken: int
    failed: int

    @property
    def lost(self) -> int:
        """Number of clouds that the middleware lost between camera and node."""
        return self.published - self.received

    def __str__(self) -> str:
        return (
            f"{self.published} published, {self.received} received, {self.processed} processed; {self.lost} lost in "
            f"transport, {self.overtaken} overtaken by a newer one, {self.failed} failed"
        )

    def problem(self) -> str:
        """Why the demo failed, "" if it did not: on a slow machine clouds may be overtaken, but none may be lost."""
        if self.lost > 0:
            return f"{self.lost} of {self.published} clouds lost in transport"
        if self.failed > 0:
            return f"{self.failed} of {self.published} clouds failed"
        return "" if self.processed > 0 else "no cloud was processed"


@dataclass(frozen=True, slots=True)
class Judgement:
    """An answer compared with the ground truth.

    Attributes:
        asked: the query.
        found: whether the node found something.
        present: whether the queried object is in view; None if unknown.
        right: whether the answer is right; None if unknown.
        words: the result as text, "" if unknown.
    """

    asked: str
    found: bool
    present: bool | None = None
    right: bool | None = None
    words: str = ""


def judge(asked: str, found: int | None, ids: NDArray[np.uint32] | None, frame: Frame | None) -> Judgement:
    """Compare an answer with the labels of a frame.

    Args:
        asked: the query, such as "the mug".
        found: id of the best match, None if there is none.
        ids: (N,) instance id of each point of the cloud; None if the cloud was missed.
        frame: the frame that the camera published; None for an input without ground truth.
    """
    if frame is None or not frame.names:
        return Judgement(asked, found is not None)
    name = asked.removeprefix("the ")
    present = name in frame.names.values()
    if found is None:
        return Judgement(asked, False, present, not present, "wrong: it is there" if present else "right")
    if frame.label is None or ids is None or ids.size != frame.label.size:
        return Judgement(asked, True, present, *((None, "") if present else (False, "wrong: it is not there")))
    mine = frame.label.ravel()[ids == found]
    really = frame.names.get(int(np.bincount(mine).argmax()), "no object") if len(mine) else "no object"
    right = really == name
    return Judgement(asked, True, present, right, "right" if right else f"wrong: {really}")


def summary(judgements: Sequence[Judgement]) -> str:
    """Text with the number of right answers, as far as there is ground truth."""
    known = [j for j in judgements if j.right is not None]
    if not known:
        return (
            f"{sum(j.found for j in judgements)} of {len(judgements)} texts found something; what is right nobody knows"
        )
    return f"{sum(j.right is True for j in known)} of {len(known)} answers right"


def problem(judgements: Sequence[Judgement]) -> str:
    """Why the demo failed, "" if it did not: at least one of the queried objects in view must be found.

    Finding an absent object is wrong, but no failure: any threshold lets one pass occasionally.
    """
    present = [j for j in judgements if j.present]
    if not present or any(j.found and j.right is not False for j in present):
        return ""
    return f"none of the things in view was found: {', '.join(j.asked for j in present)}"
