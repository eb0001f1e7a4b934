"""How good weights are on scenes as training draws them: what one chooses between weights by, and by nothing else.

Language is asked of the true objects of each scene as the alignment learns them (``describe_scene``): what was missed
by its true mask, and what was found wrongly is no answer. So these shares compare weights, and are higher than those of
``find``, which ``eval --language`` measures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..metrics import FrameScore
from ..pipeline import SegVec3D
from ..text import TextEncoder
from .calibration import ask
from .describing import Described3D, SceneRows, describe_scene
from .grouping import judge_scene
from .samples import simulate_sample
from .segmentation import VALIDATION_SEED_OFFSET
from .tuning import overall

SEED = 77 + VALIDATION_SEED_OFFSET
"""Of the scenes. Runs of ``train --seed 77``, and of 76, whose later stages take the next, choose constants on them: no
run that the model card names is one."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A validation scene, as a model sees it.

    Attributes:
        index: of the scene; every other one is of the first edition, see ``simulate_sample``.
        score: of its objects, over voxels; rows: its instances, as the alignment reads them.
    """

    index: int
    score: FrameScore
    rows: SceneRows


@dataclass(frozen=True, slots=True)
class Figures:
    """What weights reach on some validation scenes, shares from 0 to 1, NaN where there is nothing to count.

    Attributes:
        scenes: so many.
        overlap_f, detected, iou50_f: means over scenes: overlap F, share of objects with F > 0.75, F-measure of the
            objects at IoU > 0.5; overall: their mean, and error: its standard error, within editions: how far other
            scenes would differ, not how far other weights on these must.
        first, chance: how often what a caption tells of comes first in its scene, and how often by chance.
        found: of the questions that something answers, those whose best answer reaches the threshold;
        refused: of those that nothing answers, those whose best answer does not.
    """

    scenes: int
    overlap_f: float
    detected: float
    iou50_f: float
    overall: float
    error: float
    first: float
    chance: float
    found: float
    refused: float


def see_scenes(model: SegVec3D, indices: Iterable[int], colorless: bool = False) -> Iterator[Seen]:
    """Validation scenes by their numbers, one after the other, with their colours or without."""
    for index in indices:
        sample = simulate_sample(SEED, index)
        sample = sample.without_colors() if colorless else sample
        score = judge_scene(model, sample).score(model.clustering)
        yield Seen(index, score, describe_scene(model, sample, index, np.random.default_rng([SEED, 2, index])))


def figures(model: SegVec3D, scenes: list[Seen], text: TextEncoder) -> Figures:
    """What the model reaches on these scenes."""
    scores = [seen.score for seen in scenes]
    means = np.array([overall(score) for score in scores])
    asked = _asked(model, [row for seen in scenes for row in seen.rows.instances], text)
    return Figures(
        len(scenes),
        _mean(np.array([score.overlap.f for score in scores])),
        _mean(np.array([score.detected for score in scores])),
        _mean(np.array([score.iou50.f for score in scores])),
        _mean(means),
        _error(means, np.array([seen.index % 2 for seen in scenes])),
        *asked,
    )


def _asked(model: SegVec3D, rows: list[Described3D], text: TextEncoder) -> tuple[float, float, float, float]:
    """The last four of ``Figures``."""
    if not rows:
        return (float("nan"),) * 4
    asked = ask(model.alignment, text, rows, np.random.default_rng([SEED, 4]))
    found, kept = (
        (model.alignment.probability(torch.from_numpy(best)) >= model.threshold).numpy()
        for best in (asked.present, asked.absent)
    )
    return _mean(asked.hits), _mean(asked.chance), _mean(found), _mean(~kept)


def _error(values: NDArray[np.float64], editions: NDArray[np.int64]) -> float:
    """Standard error of the mean over scenes of one edition or of both, each with scenes enough to tell."""
    parts = [values[editions == edition] for edition in np.unique(editions)]
    if min(map(len, parts)) < 2:
        return float("nan")
    return float(np.sqrt(sum(len(part) * part.var(ddof=1) for part in parts)) / len(values))


def _mean(values: NDArray[np.bool_] | NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")
