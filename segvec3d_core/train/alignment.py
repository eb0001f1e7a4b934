"""Last training stage: align instances and texts in a shared space, equations (9) to (12), on a frozen backbone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..alignment import Alignment
from ..checkpoint import load_checkpoint
from ..config import AlignmentConfig
from ..pipeline import SegVec3D
from ..quiz import held_out_pair
from ..text import TextEncoder
from .calibration import calibrate, fit_score
from .captions import Described
from .describing import Described3D, describe_scenes
from .lesson import Lesson
from .segmentation import VALIDATION_SEED_OFFSET, origin


@dataclass(frozen=True, slots=True)
class AlignmentTraining:
    """One run of this stage.

    Attributes:
        output: output folder; cache: folder for simulated scenes, or None.
        seed: of all randomness and of the scenes; differs from the backbone's, see docs/method.md.
        scenes: number of training scenes whose instances are described; validation_scenes: number of scenes for
            calibration, none of them used to tune the clustering.
        steps: optimiser steps; batch: instances B of equation (12); learning_rate: peak of a one-cycle schedule.
        workers: processes that run the backbone, see ``look_at_scenes``.
        looks, paper: form of the alignment, see ``AlignmentConfig``.
        without: categories left out of training, to measure how weights name categories that they never saw.
        without_pairs: leave out instances and captions of every ``held_out_pair`` of a colour and a kind, to measure
            how weights find combinations that they never saw.
        start: weight file whose alignment to start from, None for random initialisation.
        keep: interpolation weight, 0 to 1, of ``start`` in the final weights: the new scenes are learned while less of
            the earlier ones is forgotten (Wortsman et al., Robust fine-tuning of zero-shot models, 2022).
    """

    output: Path
    cache: Path | None = None
    seed: int = 0
    scenes: int = 2_400
    validation_scenes: int = 100
    steps: int = 2_500
    batch: int = 160
    learning_rate: float = 1e-3
    workers: int = 1
    looks: int = AlignmentConfig().looks
    paper: bool = False
    without: tuple[str, ...] = ()
    without_pairs: bool = False
    start: Path | str | None = None
    keep: float = 0.0


def _left_out(row: Described3D, plan: AlignmentTraining) -> bool:
    """Whether an instance is left out: one of ``plan.without`` is true of it (leaving out "clock" leaves out alarm
    clocks, too), or it is a held-out pair."""
    thing = Described.of(row.info)
    pair = plan.without_pairs and held_out_pair(thing.color, thing.own[0])
    return pair or not thing.truths[0].isdisjoint(plan.without)


def train_alignment(plan: AlignmentTraining, weights: Path) -> tuple[SegVec3D, dict[str, Any]]:
    """Train the projections on a frozen backbone, then calibrate similarities on validation scenes.

    Args:
        weights: checkpoint of the earlier stages.

    Returns:
        the model with its trained alignment, and a record for the model card.

    Raises:
        ValueError: ``plan.start`` has weights of another shape.
    """
    started = time.perf_counter()
    model = SegVec3D.load(weights, device="cpu")
    scenes = describe_scenes(weights, plan.seed, range(plan.scenes), plan.cache, plan.workers, "describing scenes")
    rows = [row for scene in scenes for row in scene.instances if not _left_out(row, plan)]
    text = TextEncoder(remembered=200_000)  # room for all captions: each is encoded once
    lesson = Lesson(rows, text, plan)
    history = lesson.learn()
    model.alignment = lesson.alignment.eval()
    figures = _calibrate(model, plan, weights, text)
    record = {
        "scenes": plan.scenes,
        "instances": len(rows),
        "without": list(plan.without),
        "without_pairs": plan.without_pairs,
        "kinds": len({row.info["category"] for row in rows}),
        "captions": len(lesson.captions.every),
        "steps": plan.steps,
        "seconds": round(time.perf_counter() - started),
        **origin(plan.start, "alignment"),
        "kept": plan.keep,
        "history": history,
        "validation": figures,
    }
    return model, record


def recalibrate(plan: AlignmentTraining, weights: Path, aligned: Path) -> tuple[SegVec3D, dict[str, float]]:
    """Reuse an alignment after earlier stages were retrained, but not the network whose features it reads, and refit
    the calibration of similarities and the score model.

    Args:
        weights: checkpoint of the earlier stages; aligned: checkpoint with the alignment.

    Returns:
        the model, and the figures of the calibration.

    Raises:
        ValueError: the alignment reads the features of another network.
    """
    model, other = SegVec3D.load(weights, device="cpu"), load_checkpoint(aligned)
    ours, theirs = load_checkpoint(weights).part("network"), other.part("network")
    if ours.keys() != theirs.keys() or not all(np.array_equal(ours[name], theirs[name]) for name in ours):
        raise ValueError(f"calibration: {aligned} reads the features of another network than {weights} has")
    model.alignment = Alignment(AlignmentConfig.from_dict(other.config["alignment"])).eval()
    other.fill("alignment", model.alignment)
    return model, _calibrate(model, plan, weights, TextEncoder(remembered=200_000))


def _calibrate(model: SegVec3D, plan: AlignmentTraining, weights: Path, text: TextEncoder) -> dict[str, float]:
    """Fit threshold and score model on validation scenes described with ``weights``; returns the calibration's
    figures."""
    first = plan.validation_scenes
    seed, indices = plan.seed + VALIDATION_SEED_OFFSET, range(first, 2 * first)
    held_out = list(describe_scenes(weights, seed, indices, plan.cache, plan.workers, "validation scenes"))
    instances = [row for scene in held_out for row in scene.instances]
    model.threshold, figures = calibrate(model.alignment, text, instances, np.random.default_rng([plan.seed, 4]))
    features, hits = zip(*((scene.score_features, scene.score_hits) for scene in held_out), strict=True)
    model.score = fit_score(np.concatenate(features), np.concatenate(hits))
    return figures
