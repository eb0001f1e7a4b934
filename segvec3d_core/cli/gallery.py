"""Pictures of right and wrong answers of ``segvec3d eval --language``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL.Image import Image

from segvec3d_core.quiz import ABSENT, Known, Outcome, hits
from segvec3d_core.types import Matches, PointCloud, Scene
from segvec3d_core.view import contact_sheet, draw_answer

SHOWN = ("category", "use", "colour + category", "size superlative", "relation", "negation", "absent category",
         "absent attribute")  # fmt: skip
"""Kinds of questions to draw, one picture of each."""
SIZE = (400, 300)
QUALITY = 78


class Gallery:
    """Collects pictures of the first right and the first wrong answer of each kind, at most one of each per scene."""

    def __init__(self) -> None:
        self._right: dict[str, Image] = {}
        self._wrong: dict[str, Image] = {}

    def look(
        self, find: Callable[..., Matches], cloud: PointCloud, scene: Scene, things: Sequence[Known],
        outcomes: Sequence[Outcome],
    ) -> None:  # fmt: skip
        """Draw at most one right and one wrong answer about a scene, of kinds that are still missing."""
        for wall, wanted in ((self._right, True), (self._wrong, False)):
            fresh = [o for o in outcomes if o.question.kind in SHOWN and o.question.kind not in wall]
            fitting = [o for o in fresh if _is_right(o) == wanted]
            if fitting:
                outcome = min(fitting, key=lambda o: SHOWN.index(o.question.kind))
                matches = find(scene, outcome.question.text)
                title = f"{outcome.question.text}: {_verdict(outcome, matches, scene, things)}"
                wall[outcome.question.kind] = draw_answer(cloud, scene, matches, title, SIZE)

    def save(self, folder: Path) -> list[Path]:
        """Write right.jpg and wrong.jpg, each only if it has any picture; returns their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for name, wall in (("right", self._right), ("wrong", self._wrong)):
            if wall:
                written.append(folder / f"{name}.jpg")
                pictures = [wall[kind] for kind in SHOWN if kind in wall]
                contact_sheet(pictures, 2).save(written[-1], quality=QUALITY)
        return written


def _is_right(outcome: Outcome) -> bool:
    return not outcome.answered if outcome.question.kind in ABSENT else outcome.right


def _verdict(outcome: Outcome, matches: Matches, scene: Scene, things: Sequence[Known]) -> str:
    """Short text with the outcome of a question."""
    if not len(matches):
        return "not found" if outcome.question.right else "rightly not found"
    if outcome.right:
        return "right"
    covered = np.flatnonzero(hits(scene, things)[matches[0].index])
    what = f"a {things[covered[0]].color} {things[covered[0]].name}" if len(covered) else "no whole thing"
    return f"wrong, that is {what}"
