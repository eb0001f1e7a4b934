"""Calibration, on validation scenes, of text similarities and of instance scores as probabilities."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..alignment import Alignment
from ..instances import ScoreModel
from ..text import TextEncoder
from .captions import Captions, Described, Facts
from .describing import Described3D, collate

log = logging.getLogger(__name__)

REFUSED = 0.85
"""Share of the queries for absent things that the default threshold refuses."""


def fit_score(features: NDArray[np.float64], hits: NDArray[np.bool_]) -> ScoreModel:
    """Fit a logistic model of whether an instance is correct on validation scenes; returns the default model if all
    instances are correct or all are wrong.

    Args:
        features: (S, F) of each object found, NaN where the clustering method does not provide one; hits: (S,) bool,
            whether the object is correct.
    """
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(hits)) < 2:
        return ScoreModel()
    told = ~np.isnan(features)
    typical = np.where(told, features, 0).sum(0) / np.maximum(told.sum(0), 1)
    features = np.where(told, features, typical)
    fitted = LogisticRegression(C=10.0, max_iter=1000).fit(features, hits)
    p = fitted.predict_proba(features)[:, 1]
    for least in (0.1, 0.2, 0.3, 0.4, 0.5):
        kept = p >= least
        log.info(
            "score >= %.1f: %.3f of them right, %.3f of the right ones kept",
            least,
            hits[kept].mean(),
            kept[hits].mean(),
        )
    return ScoreModel(tuple(fitted.coef_[0].tolist()), float(fitted.intercept_[0]), tuple(typical.tolist()))


@dataclass(frozen=True, slots=True)
class Asked:
    """Scores of text queries on validation scenes.

    Attributes:
        scores, fits: (P,) score and whether the text fits, for all pairs of instance and text for which this is known.
        present, absent: best score in the scene for each query that some instance fits, and for each that none fits.
        hits, chance: (Q,) whether the best instance fits, and the probability that a random one would.
    """

    scores: NDArray[np.float64]
    fits: NDArray[np.bool_]
    present: NDArray[np.float64]
    absent: NDArray[np.float64]
    hits: NDArray[np.bool_]
    chance: NDArray[np.float64]


@torch.no_grad()
def ask(alignment: Alignment, text: TextEncoder, rows: list[Described3D], rng: np.random.Generator) -> Asked:
    """Query every scene for each of its instances with one true caption and two near misses, wrong in one claim."""
    truth = [Described.of(row.info) for row in rows]
    captions = Captions(truth, rng)
    facts = Facts(truth, captions.every)
    scene = np.array([row.scene for row in rows])
    asked = np.array(
        [[c := captions.of(thing, rng), captions.near_miss(c, rng), captions.near_miss(c, rng)] for thing in truth]
    )
    t = torch.from_numpy(text.encode([captions.every[c].text for c in asked.ravel()]))
    score = alignment.score(alignment.project_instances(collate(rows)), t).numpy().astype(np.float64)
    scores, fits, hits, chance = [], [], [], []
    best: dict[bool, list[float]] = {True: [], False: []}
    for column, (row, caption) in enumerate((i, c) for i, three in enumerate(asked) for c in three):
        members = np.flatnonzero(scene == scene[row])
        states = np.stack(facts.states(members, np.array([caption])))[..., 0]
        fit, fails, got = (states == 1).all(0), (states == 0).any(0), score[members, column]
        scores.append(got[fit | fails])
        fits.append(fit[fit | fails])
        if fit.any() or fails.all():
            best[bool(fit.any())].append(float(got.max()))
        if fit.any() and not fit.all():
            hits.append(bool(fit[got.argmax()]))
            chance.append(float(fit.mean()))
    return Asked(
        np.concatenate(scores), np.concatenate(fits), np.array(best[True]), np.array(best[False]), np.array(hits),
        np.array(chance),
    )  # fmt: skip


def calibrate(
    alignment: Alignment, text: TextEncoder, rows: list[Described3D], rng: np.random.Generator
) -> tuple[float, dict[str, float]]:
    """Fit similarity = sigmoid(a score + b), the probability that a text fits an instance of its scene, and choose
    the threshold that refuses a share ``REFUSED`` of the queries for absent things, on half of the scenes; measure on
    the other half. a and b are stored in ``alignment.calibration``.

    Returns:
        the threshold of similarity, and figures, 0 to 1: R@1 within scenes, the same by chance, share of present things
        found and share of absent ones refused.
    """
    from sklearn.linear_model import LogisticRegression

    chosen_on = ask(alignment, text, [row for row in rows if not _measures(row.scene)], rng)
    model = LogisticRegression(C=10.0, max_iter=1000)
    model.fit(chosen_on.scores[:, None], chosen_on.fits)
    a, b = float(model.coef_[0, 0]), float(model.intercept_[0])
    alignment.calibration.copy_(torch.tensor([a, b]))
    best = float(np.quantile(chosen_on.absent, REFUSED))

    measured_on = ask(alignment, text, [row for row in rows if _measures(row.scene)], rng)
    figures = {
        "R@1": float(measured_on.hits.mean()),
        "chance": float(measured_on.chance.mean()),
        "present found": float((measured_on.present >= best).mean()),
        "absent refused": float((measured_on.absent < best).mean()),
    }
    log.info("alignment: %s", figures)
    return float(1 / (1 + np.exp(-(a * best + b)))), figures


def _measures(scene: int) -> bool:
    """Whether a validation scene is used for measuring, not for fitting: of any four consecutive scenes, one of each
    simulator edition."""
    return (scene + 1) // 2 % 2 == 1
