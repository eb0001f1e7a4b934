"""What a similarity means: calibrated on validation scenes, as the scores of instances are."""

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
"""Share of the questions about what is not there that the default threshold refuses."""


def fit_score(features: NDArray[np.float64], hits: NDArray[np.bool_]) -> ScoreModel:
    """Logistic model of an instance being right, fitted on validation scenes; the default one when they hold only
    right or only wrong instances.

    Args:
        features: (S, F) of each object that was found, nan where the clustering does not tell; hits: (S,) whether it is
            right.
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
    """What came of asking validation scenes for things.

    Attributes:
        scores, fits: of every instance and text that met and of which it is known whether they fit, (P,).
        present, absent: (S,) best score of queries that something fits, and of those that nothing fits.
        hits, chance: (Q,) whether the best instance fits, and how often a random one would.
    """

    scores: NDArray[np.float64]
    fits: NDArray[np.bool_]
    present: NDArray[np.float64]
    absent: NDArray[np.float64]
    hits: NDArray[np.bool_]
    chance: NDArray[np.float64]


@torch.no_grad()
def ask(alignment: Alignment, text: TextEncoder, rows: list[Described3D], rng: np.random.Generator) -> Asked:
    """Ask every scene for each of its instances by a true caption, and by two that miss it by one claim."""
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
    the threshold that refuses ``REFUSED`` of what is not there, on half of the scenes; measure on the rest.

    Returns:
        the threshold of similarity, and figures: R@1 by scene, chance, present found and absent refused.
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
    """Whether a validation scene is measured on, and nothing chosen on it: of any four in a row one of each edition."""
    return (scene + 1) // 2 % 2 == 1
