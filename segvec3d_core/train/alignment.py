"""Second stage: instances and texts meet in one space, equations (9) to (12), on a frozen backbone."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from ..alignment import Alignment, AlignmentConfig, InstanceInput
from ..instances import ScoreModel
from ..pipeline import SegVec3D
from ..text import TextEncoder
from . import losses
from .captions import Captions, Described, Facts
from .describing import Described3D, SceneRows, collate, describe_scenes
from .segmentation import VALIDATION_SEED_OFFSET

log = logging.getLogger(__name__)

MOST_VOXELS = 64
"""So many voxels of an instance at most are seen in one step."""
BLOCK_WEIGHTS = (1.0, 0.5, 0.25, 0.25)
"""Of equation (12) within each of ``BLOCKS``."""


@dataclass(frozen=True, slots=True)
class AlignmentTraining:
    """One run of the second stage.

    Attributes:
        output: folder; cache: folder of scenes; seed: of everything random.
        scenes: training scenes whose instances are described; validation_scenes: as many others for calibration,
            and none of those on which the clustering was tuned.
        steps: optimiser steps; batch: instances B of equation (12); learning_rate: peak.
        workers: processes that run the backbone.
        looks, paper: form of the alignment, see ``AlignmentConfig``.
        without: categories that are left out, to see how they are named by weights that never saw one.
    """

    output: Path
    cache: Path | None = None
    seed: int = 0
    scenes: int = 2_400
    validation_scenes: int = 100
    steps: int = 3_500
    batch: int = 160
    learning_rate: float = 1e-3
    workers: int = 1
    looks: int = AlignmentConfig().looks
    paper: bool = False
    without: tuple[str, ...] = ()


def thin(row: Described3D, rng: np.random.Generator) -> Described3D:
    """A random half or more of an instance's voxels, of a large one at most 64."""
    rows = len(row.features)
    count = max(1, int(min(rows, MOST_VOXELS) * rng.uniform(0.5, 1.0)))
    keep = torch.from_numpy(np.sort(rng.choice(rows, count, replace=False)))
    return replace(row, features=row.features[keep], geometry=row.geometry[keep], color=row.color[keep])


def augment(x: InstanceInput, rng: np.random.Generator) -> InstanceInput:
    """Forget colour now and then; see it under other white balance and exposure and with a part in shadow; jitter
    sizes."""
    k = x.count
    gain = torch.from_numpy(np.exp(rng.normal(0, 0.08, (k, 3)) + rng.normal(0, 0.1, (k, 1)))).float()
    shadow = torch.from_numpy(rng.uniform(0.45, 1.0, (k, 1))).float()
    direction = nn.functional.normalize(torch.from_numpy(rng.normal(0, 1, (k, 3))).float(), dim=1)
    edge = torch.from_numpy(rng.uniform(-0.8, 1.6, k)).float()  # beyond an instance's extent most often: no shadow
    dark = ((x.geometry[:, :3] * direction[x.owner]).sum(1) > edge[x.owner])[:, None]
    color = (x.color * gain[x.owner] * torch.where(dark, shadow[x.owner], 1.0)).clamp(0, 1)
    gone = torch.from_numpy(rng.random(k) < 0.15)
    color[gone[x.owner]] = torch.nan
    geometry, statistics = x.geometry.clone(), x.statistics.clone()
    geometry[:, 7] = (color.mean(1) - 0.5).nan_to_num(0.0)
    statistics[:, :3] += torch.from_numpy(rng.normal(0, 0.04, (k, 3))).float()
    statistics[gone, 8:] = 0
    for block in (9, 12):
        statistics[:, block : block + 3] = (statistics[:, block : block + 3] * gain).clamp(0, 1)
    return InstanceInput(x.features, geometry, x.owner, statistics, color)


def train_alignment(plan: AlignmentTraining, weights: Path) -> tuple[SegVec3D, dict[str, Any]]:
    """Train the projections on a frozen backbone, then calibrate similarities on validation scenes.

    Args:
        weights: checkpoint of the first stage.

    Returns:
        the model with its trained alignment, and a record for the model card.
    """
    started = time.perf_counter()
    model = SegVec3D.load(weights, device="cpu")
    scenes = describe_scenes(weights, plan.seed, range(plan.scenes), plan.cache, plan.workers, "describing scenes")
    rows = [row for scene in scenes for row in scene.instances if row.info["category"] not in plan.without]
    text = TextEncoder(remembered=200_000)  # all captions there are: each is encoded once
    lesson = Lesson(rows, text, plan)
    history = lesson.learn()
    first = plan.validation_scenes
    seed, indices = plan.seed + VALIDATION_SEED_OFFSET, range(first, 2 * first)
    held_out = list(describe_scenes(weights, seed, indices, plan.cache, plan.workers, "validation scenes"))
    model.alignment = lesson.alignment.eval()
    instances = [row for scene in held_out for row in scene.instances]
    model.threshold, figures = calibrate(model.alignment, text, instances, np.random.default_rng([plan.seed, 4]))
    model.score = fit_score(held_out)
    record = {
        "scenes": plan.scenes,
        "instances": len(rows),
        "without": list(plan.without),
        "kinds": len({row.info["category"] for row in rows}),
        "captions": len(lesson.captions.every),
        "steps": plan.steps,
        "seconds": round(time.perf_counter() - started),
        "history": history,
        "validation": figures,
    }
    return model, record


class Lesson:
    """Described instances, captions, and the projections that learn to bring them together.

    Args:
        rows: described instances; text: encoder; plan: steps, batch, seed, form of the alignment.
    """

    def __init__(self, rows: list[Described3D], text: TextEncoder, plan: AlignmentTraining) -> None:
        self.rows, self.text, self.plan = rows, text, plan
        self.truth = [Described.of(row.info) for row in rows]
        self.rng = np.random.default_rng([plan.seed, 3])
        self.captions = Captions(self.truth, self.rng)

        def similarity(nouns: list[str]) -> NDArray[np.float32]:
            t = text.encode(nouns)
            return t @ t.T

        self.facts = Facts(self.truth, self.captions.every, similarity)
        torch.manual_seed(plan.seed)
        features = rows[0].features.shape[1]
        self.alignment = Alignment(AlignmentConfig(features=features, looks=plan.looks, paper=plan.paper))
        # Rare kinds are seen as often as half-common ones: sample by the root of the frequency.
        kind_of = np.unique([row.info["category"] for row in rows], return_inverse=True)[1]
        weight = 1 / np.sqrt(np.bincount(kind_of))[kind_of]
        self.weight = weight / weight.sum()

    def learn(self) -> list[dict[str, float]]:
        """Take all steps; returns the running mean of the loss every 500 steps."""
        plan, history, mean = self.plan, [], None
        optimizer = torch.optim.AdamW(self.alignment.parameters(), lr=plan.learning_rate, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.learning_rate, plan.steps, pct_start=0.1)
        plan.output.mkdir(parents=True, exist_ok=True)
        with (plan.output / "alignment.jsonl").open("w") as journal:
            for step in tqdm(range(plan.steps), desc="alignment", unit="step", mininterval=5):
                loss = self.loss()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
                mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
                if (step + 1) % 500 == 0 or step + 1 == plan.steps:
                    history.append({"step": step + 1, "align": round(mean, 4)})
                    journal.write(json.dumps(history[-1]) + "\n")
        return history

    def loss(self) -> Tensor:
        """Of one batch: (12) within each block, and whether all that a text claims is true."""
        chosen = self.rng.choice(len(self.rows), self.plan.batch, p=self.weight)
        own = [self.captions.of(self.truth[i], self.rng) for i in chosen]
        asked = np.array(own + [self.captions.near_miss(c, self.rng) for c in own])
        states = self.facts.states(chosen, asked)
        x = augment(collate([thin(self.rows[i], self.rng) for i in chosen]), self.rng)
        if self.alignment.looks is not None:  # nobody can say what colour it is
            unseen = torch.zeros(len(chosen), dtype=torch.bool)
            unseen[x.owner[x.color.isnan().any(1)]] = True
            states[1][np.ix_(unseen.numpy(), self.facts.claimed(asked)[:, 1])] = -1
        v = self.alignment.project_instances(x)
        t = torch.from_numpy(self.text.encode([self.captions.every[c].text for c in asked]))
        temperature = self.alignment.log_temperature.exp().clamp(0.02, 0.5)
        if self.alignment.looks is None:
            positive = torch.from_numpy(np.all([state == 1 for state in states], axis=0))
            return contrast(v @ self.alignment.project_texts(t).T, positive, positive.any(0), temperature)
        return block_loss(self.alignment, v, t, states, self.facts.claimed(asked), temperature)


def block_loss(
    alignment: Alignment, v: Tensor, t: Tensor, states: list[NDArray[np.int8]], claimed: NDArray[np.bool_],
    temperature: Tensor,
) -> Tensor:  # fmt: skip
    """Equation (12) within each block over the texts that claim something there, and the cross-entropy of all claims
    together, fitting and unfitting pairs alike.

    Args:
        v: (B, d_v) instances; t: (T, d_t) sentence vectors; states: for each block (B, T), true 1, false 0, open -1;
        claimed: (T, blocks).
    """
    assert alignment.looks is not None
    v_text = alignment.project_texts(t)
    loss = v.new_zeros(())
    for k, (a, b) in enumerate(zip(alignment.parts(v), alignment.parts(v_text), strict=True)):
        texts = torch.from_numpy(np.flatnonzero(claimed[:, k]))
        if len(texts):
            state = torch.from_numpy(states[k])[:, texts]
            loss = loss + BLOCK_WEIGHTS[k] * open_info_nce(a @ b[texts].T, state, temperature)
    every = np.stack(states)
    score = alignment.score(v, t)
    fits = torch.from_numpy((every == 1).all(0))
    fails = torch.from_numpy((every == 0).any(0))
    loss = loss - nn.functional.logsigmoid(score[fits]).mean() - nn.functional.logsigmoid(-score[fails]).mean()
    claims = alignment.looks.claims(nn.functional.normalize(t, dim=1))
    return loss + nn.functional.binary_cross_entropy_with_logits(claims, torch.from_numpy(claimed).float())


def open_info_nce(cosine: Tensor, state: Tensor, temperature: Tensor) -> Tensor:
    """Equation (12) where some pairs are open: they count neither as fitting nor as unfitting.

    Args:
        cosine: (B, T); state: (B, T) int8, 1 fits, 0 does not, -1 nobody can say. Rows and columns in which nothing
            fits are negatives of the others.
    """
    logits = (cosine / temperature).masked_fill(state < 0, -1e4)
    own = logits.masked_fill(state != 1, -1e4)
    rows, columns = (state == 1).any(1), (state == 1).any(0)
    if not rows.any():
        return cosine.new_zeros(())
    by_instance = (logits.logsumexp(1) - own.logsumexp(1))[rows].mean()
    return 0.5 * (by_instance + (logits.logsumexp(0) - own.logsumexp(0))[columns].mean())


def contrast(cosine: Tensor, positive: Tensor, used: Tensor, temperature: Tensor) -> Tensor:
    """Equation (12) where texts that fit no instance of the batch serve as negatives only.

    Args:
        cosine, positive: (B, T); used: (T,) bool, texts that fit at least one instance.
    """
    rest = cosine[:, ~used] / temperature
    symmetric = losses.info_nce(cosine[:, used], positive[:, used], temperature)
    if rest.shape[1] == 0:
        return symmetric
    # An instance should find its own texts before the near misses, too.
    own = (cosine[:, used] / temperature).masked_fill(~positive[:, used], float("-inf"))
    everything = torch.cat([cosine[:, used] / temperature, rest], 1).logsumexp(1)
    return 0.5 * symmetric + 0.5 * (everything - own.logsumexp(1)).mean()


def fit_score(scenes: list[SceneRows]) -> ScoreModel:
    """Logistic model of an instance being right, fitted on validation scenes; the default one when they hold only
    right or only wrong instances."""
    from sklearn.linear_model import LogisticRegression

    features = np.concatenate([s.score_features for s in scenes])
    hits = np.concatenate([s.score_hits for s in scenes])
    if len(np.unique(hits)) < 2:
        return ScoreModel()
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
    return ScoreModel(tuple(fitted.coef_[0].tolist()), float(fitted.intercept_[0]))


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
    the threshold that best tells scenes that hold a thing from scenes that do not, on every other scene; measure on
    the rest.

    Returns:
        the threshold of similarity, and figures: R@1 by scene, chance, present found and absent refused.
    """
    from sklearn.linear_model import LogisticRegression

    chosen_on = ask(alignment, text, [row for row in rows if row.scene % 2 == 0], rng)
    model = LogisticRegression(C=10.0, max_iter=1000)
    model.fit(chosen_on.scores[:, None], chosen_on.fits)
    a, b = float(model.coef_[0, 0]), float(model.intercept_[0])
    alignment.calibration.copy_(torch.tensor([a, b]))
    candidates = np.quantile(np.concatenate([chosen_on.present, chosen_on.absent]), np.linspace(0, 1, 400))
    gain = [float((chosen_on.present >= c).mean() + (chosen_on.absent < c).mean()) for c in candidates]
    best = float(candidates[int(np.argmax(gain))])

    measured_on = ask(alignment, text, [row for row in rows if row.scene % 2 == 1], rng)
    figures = {
        "R@1": float(measured_on.hits.mean()),
        "chance": float(measured_on.chance.mean()),
        "present found": float((measured_on.present >= best).mean()),
        "absent refused": float((measured_on.absent < best).mean()),
    }
    log.info("alignment: %s", figures)
    return float(1 / (1 + np.exp(-(a * best + b)))), figures
