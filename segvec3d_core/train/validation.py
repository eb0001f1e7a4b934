"""Quality of weights on scenes drawn as for training: the only basis for choosing between weights.

Language is measured on the true objects of each scene, described as for training the alignment (``describe_scene``):
missed objects by their true mask, while wrongly found ones cannot be answers. These figures therefore serve to compare
weights, and are higher than those of ``find``, which ``eval --language`` measures.
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
"""Seed of the scenes. Runs of ``train`` with seed 77, or with 76, whose later stages use the next seed, choose their
constants on the same scenes; none of the runs named in the model card is one of these."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A model's output for a validation scene.

    Attributes:
        index: index of the scene; odd ones are of the simulator's first edition, see ``simulate_sample``.
        score: score of the objects found, over voxels; rows: the instances as input of the alignment.
    """

    index: int
    score: FrameScore
    rows: SceneRows


@dataclass(frozen=True, slots=True)
class Figures:
    """Quality of weights on validation scenes, shares from 0 to 1, NaN if there is nothing to count.

    Attributes:
        scenes: number of scenes.
        overlap_f, detected, iou50_f: means over scenes of overlap F, share of objects with F > 0.75, and F-measure of
            the objects at IoU > 0.5; overall: mean of the three.
        error: standard error of ``overall`` within editions: the uncertainty due to the choice of scenes, not the
            difference that two sets of weights must show on the same scenes.
        first, chance: share of captions for which the best-scoring instance of the scene fits, and the same by chance.
        found: share of the queries with an answer in the scene whose best instance reaches the threshold;
        refused: share of the queries without an answer whose best instance stays below it.
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
    """Run the model on the validation scenes with the given indices, with or without their colours."""
    for index in indices:
        sample = simulate_sample(SEED, index)
        sample = sample.without_colors() if colorless else sample
        score = judge_scene(model, sample).score(model.clustering)
        yield Seen(index, score, describe_scene(model, sample, index, np.random.default_rng([SEED, 2, index])))


def figures(model: SegVec3D, scenes: list[Seen], text: TextEncoder) -> Figures:
    """Summarise the model's quality on these scenes."""
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
    """``first``, ``chance``, ``found`` and ``refused`` of ``Figures``."""
    if not rows:
        return (float("nan"),) * 4
    asked = ask(model.alignment, text, rows, np.random.default_rng([SEED, 4]))
    found, kept = (
        (model.alignment.probability(torch.from_numpy(best)) >= model.threshold).numpy()
        for best in (asked.present, asked.absent)
    )
    return _mean(asked.hits), _mean(asked.chance), _mean(found), _mean(~kept)


def _error(values: NDArray[np.float64], editions: NDArray[np.int64]) -> float:
    """Standard error of the mean over scenes, from the variances within each edition; NaN if an edition has fewer than
    two scenes."""
    parts = [values[editions == edition] for edition in np.unique(editions)]
    if min(map(len, parts)) < 2:
        return float("nan")
    return float(np.sqrt(sum(len(part) * part.var(ddof=1) for part in parts)) / len(values))


def _mean(values: NDArray[np.bool_] | NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")
