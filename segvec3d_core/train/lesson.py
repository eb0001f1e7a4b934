"""Training loop of the alignment: batches of described instances and captions, and equation (12) on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from ..alignment import Alignment
from ..checkpoint import load_checkpoint
from ..config import AlignmentConfig
from ..inference.alignment import InstanceInput
from ..text import TextEncoder
from . import losses
from .captions import Captions, Described, Facts
from .describing import Described3D, seen_colors

if TYPE_CHECKING:
    from .alignment import AlignmentTraining

MOST_VOXELS = 48
"""At most this many voxels of an instance are used in one step."""
BLOCK_WEIGHTS = (1.0, 0.5, 0.25, 0.25)
"""Weights of the loss of equation (12) within each of ``config.BLOCKS``."""


class Bank:
    """Described instances with their voxels concatenated, so that a batch is gathered by one indexing operation.

    Args:
        rows: R instances.

    Attributes:
        sizes: (R,) int64, number of voxels of each.
    """

    def __init__(self, rows: list[Described3D]) -> None:
        self.sizes = np.array([len(row.features) for row in rows])
        self._starts = np.cumsum(self.sizes) - self.sizes
        self._features = torch.cat([row.features for row in rows])
        self._geometry = torch.cat([row.geometry for row in rows])
        self._color = torch.cat([row.color for row in rows])
        self._statistics = torch.stack([row.statistics for row in rows])

    def draw(self, chosen: NDArray[np.int64], rng: Generator) -> InstanceInput[Tensor]:
        """Gather a batch of instances, each with a random 50 to 100 % of its voxels or of ``MOST_VOXELS``, whichever is
        fewer, evenly spread over the instance.

        Args:
            chosen: (B,) int64 indices of the instances.
        """
        sizes = self.sizes[chosen]
        share = rng.uniform(0.5, 1.0, len(chosen))
        counts = np.maximum(1, (np.minimum(sizes, MOST_VOXELS) * share).astype(np.int64))
        owner = np.repeat(np.arange(len(chosen)), counts)
        place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        at = ((place + rng.random(len(place))) * (sizes / counts)[owner]).astype(np.int64)
        index = torch.from_numpy(self._starts[chosen][owner] + at)
        return InstanceInput(
            self._features[index].float(), self._geometry[index].float(), torch.from_numpy(owner),
            self._statistics[torch.from_numpy(chosen)], seen_colors(self._color[index]),
        )  # fmt: skip


def augment(x: InstanceInput[Tensor], rng: np.random.Generator) -> InstanceInput[Tensor]:
    """Augment instances: remove colours with probability 0.15, vary white balance and exposure, put a part in shadow,
    and jitter sizes."""
    k = len(x.statistics)
    gain = torch.from_numpy(np.exp(rng.normal(0, 0.08, (k, 3)) + rng.normal(0, 0.1, (k, 1)))).float()
    shadow = torch.from_numpy(rng.uniform(0.45, 1.0, (k, 1))).float()
    direction = nn.functional.normalize(torch.from_numpy(rng.normal(0, 1, (k, 3))).float(), dim=1)
    edge = torch.from_numpy(rng.uniform(-0.8, 1.6, k)).float()  # mostly beyond an instance's extent: no shadow
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


class Lesson:
    """Training of the alignment on described instances and captions.

    Args:
        rows: described instances; text: encoder of the captions; plan: steps, batch, seed, form and start of the
            alignment.

    Raises:
        ValueError: ``plan.start`` has weights of another form.
    """

    def __init__(self, rows: list[Described3D], text: TextEncoder, plan: AlignmentTraining) -> None:
        self.plan, self.bank = plan, Bank(rows)
        self.truth = [Described.of(row.info) for row in rows]
        self.rng = np.random.default_rng([plan.seed, 3])
        self.captions = Captions(self.truth, self.rng, plan.without_pairs)

        def similarity(nouns: list[str]) -> NDArray[np.float32]:
            t = text.encode(nouns)
            return t @ t.T

        self.facts = Facts(self.truth, self.captions.every, similarity)
        self.vectors = torch.from_numpy(text.encode([caption.text for caption in self.captions.every]))
        torch.manual_seed(plan.seed)
        features = rows[0].features.shape[1]
        self.alignment = Alignment(AlignmentConfig(features=features, looks=plan.looks, paper=plan.paper))
        if plan.start is not None:
            load_checkpoint(Path(plan.start)).fill("alignment", self.alignment)
        self.begun = {name: value.clone() for name, value in self.alignment.state_dict().items()}
        # A category is sampled in proportion to the root of its frequency, so that rare ones are seen more often.
        kind_of = np.unique([row.info["category"] for row in rows], return_inverse=True)[1]
        weight = 1 / np.sqrt(np.bincount(kind_of))[kind_of]
        self.weight = weight / weight.sum()

    def learn(self) -> list[dict[str, float]]:
        """Take all training steps, then interpolate towards the initial weights by ``plan.keep``; returns the running
        mean of the loss every 500 steps."""
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
        if plan.keep:
            learned = self.alignment.state_dict()
            self.alignment.load_state_dict({n: torch.lerp(v, self.begun[n], plan.keep) for n, v in learned.items()})
        return history

    def loss(self) -> Tensor:
        """Loss of one batch of instances and their captions, each caption with a near miss: ``block_loss``, or
        ``contrast`` if the alignment has one projection for all claims, as in the paper."""
        chosen = self.rng.choice(len(self.truth), self.plan.batch, p=self.weight)
        own = [self.captions.of(self.truth[i], self.rng) for i in chosen]
        asked = np.array(own + [self.captions.near_miss(c, self.rng) for c in own])
        states = self.facts.states(chosen, asked)
        x = augment(self.bank.draw(chosen, self.rng), self.rng)
        if self.alignment.looks is not None:  # claims about colour are unknown for instances without colour
            unseen = torch.zeros(len(chosen), dtype=torch.bool)
            unseen[x.owner[x.color.isnan().any(1)]] = True
            states[1][np.ix_(unseen.numpy(), self.facts.claimed(asked)[:, 1])] = -1
        v = self.alignment.project_instances(x)
        t = self.vectors[torch.from_numpy(asked)]
        temperature = self.alignment.log_temperature.exp().clamp(0.02, 0.5)
        if self.alignment.looks is None:
            positive = torch.from_numpy(np.all([state == 1 for state in states], axis=0))
            return contrast(v @ self.alignment.project_texts(t).T, positive, positive.any(0), temperature)
        return block_loss(self.alignment, v, t, states, self.facts.claimed(asked), temperature)


def block_loss(
    alignment: Alignment, v: Tensor, t: Tensor, states: list[NDArray[np.int8]], claimed: NDArray[np.bool_],
    temperature: Tensor,
) -> Tensor:  # fmt: skip
    """Equation (12) within each block, over the texts that make a claim there, plus the cross-entropy of the total
    score, with fitting and unfitting pairs weighted equally, plus that of predicting which blocks a text makes claims
    in.

    Args:
        v: (B, d_v) instances; t: (T, d_t) sentence vectors.
        states: for each block (B, T), 1 true, 0 false, -1 unknown; claimed: (T, blocks) bool.
        temperature: tau, a scalar tensor.
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
    """Equation (12) with unknown pairs, which count neither as positives nor as negatives.

    Args:
        cosine: (B, T); state: (B, T) int8, 1 fits, 0 does not fit, -1 unknown. Rows and columns without a fitting pair
            serve as negatives only.
    """
    logits = (cosine / temperature).masked_fill(state < 0, -1e4)
    own = logits.masked_fill(state != 1, -1e4)
    rows, columns = (state == 1).any(1), (state == 1).any(0)
    if not rows.any():
        return cosine.new_zeros(())
    by_instance = (logits.logsumexp(1) - own.logsumexp(1))[rows].mean()
    return 0.5 * (by_instance + (logits.logsumexp(0) - own.logsumexp(0))[columns].mean())


def contrast(cosine: Tensor, positive: Tensor, used: Tensor, temperature: Tensor) -> Tensor:
    """Equation (12) with texts that fit no instance of the batch, which serve as negatives only.

    Args:
        cosine, positive: (B, T); used: (T,) bool, texts that fit at least one instance.
    """
    rest = cosine[:, ~used] / temperature
    symmetric = losses.info_nce(cosine[:, used], positive[:, used], temperature)
    if rest.shape[1] == 0:
        return symmetric
    # An instance should score its own texts above the near misses, too.
    own = (cosine[:, used] / temperature).masked_fill(~positive[:, used], float("-inf"))
    everything = torch.cat([cosine[:, used] / temperature, rest], 1).logsumexp(1)
    return 0.5 * symmetric + 0.5 * (everything - own.logsumexp(1)).mean()
