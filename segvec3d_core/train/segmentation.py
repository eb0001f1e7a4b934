"""First stage: the network learns to part instances, equations (1) to (8)."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from ..clustering import ClusteringConfig, cluster
from ..metrics import FrameScore, score_frame
from ..network import NetworkConfig, PointAttention
from . import losses
from .data import Example, Scenes, load_sample, prepare, use_one_thread
from .weak import Supervision

log = logging.getLogger(__name__)

VALIDATION_SEED_OFFSET = 1_000_003
"""Validation scenes come from another seed than training scenes, whatever the seed of the run."""


@dataclass(frozen=True, slots=True)
class SegmentationTraining:
    """One run of the first stage.

    Attributes:
        output: folder of checkpoints and logs; cache: folder for scenes kept for further epochs, or None.
        steps: scenes seen; scenes: different ones among them; seed: of everything random.
        learning_rate: peak of a one-cycle schedule; accumulate: scenes per optimiser step.
        frames: labelled frame folder to train on instead of simulated scenes, or None.
        workers: processes that make scenes; supervision: weak signal, None for full labels.
        checkpoint_every, validate_every: steps between; validation_scenes: how many to measure on.
    """

    output: Path
    cache: Path | None = None
    steps: int = 8_000
    scenes: int = 3_200
    seed: int = 0
    learning_rate: float = 2e-3
    accumulate: int = 2
    frames: Path | None = None
    workers: int = 1
    supervision: Supervision | None = None
    checkpoint_every: int = 250
    validate_every: int = 1_000
    validation_scenes: int = 24


def example_loss(
    network: PointAttention, example: Example, generator: torch.Generator
) -> tuple[Tensor, dict[str, float]]:
    """Loss of one scene, and its parts for the log."""
    level = example.hierarchy.levels[0]
    _, e, logits = network(example.hierarchy)
    instance = losses.pull_push(e, example.labels, example.is_surface, level.neighbors, level.position, generator)
    surface = losses.surface(logits, example.labels, example.is_surface)
    total = instance + surface
    parts = {"instance": instance.item(), "surface": surface.item()}
    if network.config.centre_vote:
        vote = losses.vote(e, example.centres, example.has_centre, example.labels)
        total = total + 0.5 * vote
        parts["vote"] = vote.item()
    return total, parts


class Average:
    """Exponential moving average of weights, which segments better than the last step's."""

    def __init__(self, network: PointAttention, decay: float = 0.998) -> None:
        self.decay = decay
        self.values = {k: v.detach().clone() for k, v in network.state_dict().items()}

    def update(self, network: PointAttention) -> None:
        for key, value in network.state_dict().items():
            self.values[key].lerp_(value.detach(), 1 - self.decay)


def score_voxels(example: Example, objects: NDArray[np.int64]) -> FrameScore:
    """Score (V,) object labels of a scene's voxels as the masks of an image are scored."""
    truth, surface = example.truth.numpy(), example.is_surface.numpy()
    return score_frame(objects[None] + 1, np.where(truth < 0, -1, np.where(surface, 0, truth + 1))[None], ignore=-1)


@torch.no_grad()
def validate(network: PointAttention, seed: int, scenes: int, cache: Path | None) -> dict[str, float]:
    """Mean figures over the voxels of simulated scenes that training never sees.

    Returns:
        surface accuracy, overlap F and the share of objects with F > 0.75, each 0 to 1.
    """
    rows = []
    for index in range(scenes):
        sample = load_sample(seed + VALIDATION_SEED_OFFSET, index, cache)
        example = prepare(sample, np.random.default_rng(index), network.config, augment=False, max_voxels=16_000)
        _, e, logits = network(example.hierarchy)
        p = logits.sigmoid().numpy()
        objects, _ = cluster(e.numpy(), p, example.hierarchy.levels[0].neighbors.numpy(), "fast", ClusteringConfig())
        score = score_voxels(example, objects)
        known = example.truth.numpy() >= 0
        right = ((p > 0.5) == example.is_surface.numpy())[known]
        rows.append((float(right.mean()) if len(right) else 1.0, score.overlap.f, score.detected))
    return dict(zip(("surface accuracy", "overlap F", "detected"), np.mean(rows, 0).tolist(), strict=True))


def _save(path: Path, values: dict[str, Any]) -> None:
    partial = path.with_suffix(".part")
    torch.save(values, partial)
    partial.replace(path)


def train_segmentation(
    plan: SegmentationTraining, config: NetworkConfig, resume: bool
) -> tuple[PointAttention, dict[str, Any]]:
    """Train, or go on with, the first stage.

    Returns:
        the network with averaged weights, and a record of the run for the model card.
    """
    torch.manual_seed(plan.seed)
    network = PointAttention(config)
    optimizer = torch.optim.AdamW(network.parameters(), lr=plan.learning_rate, weight_decay=0.01, betas=(0.9, 0.98))
    updates = max(2, plan.steps // plan.accumulate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, plan.learning_rate, updates + 1, pct_start=0.08, div_factor=10, final_div_factor=100
    )
    average = Average(network)
    first, seconds, history = 0, 0.0, []
    state_path = plan.output / "segmentation.state"
    if resume and state_path.exists():
        state = torch.load(state_path, weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        average.values, first, seconds = state["average"], state["step"], state["seconds"]
        history = state["history"]
        log.info("segmentation: resumed at step %d of %d", first, plan.steps)
    scenes = Scenes(plan.seed, plan.scenes, plan.steps, config, plan.supervision, plan.cache, first, plan.frames)
    loader: DataLoader[Example] = DataLoader(
        scenes,
        batch_size=None,
        num_workers=plan.workers,
        multiprocessing_context="spawn" if plan.workers else None,
        worker_init_fn=use_one_thread,
        prefetch_factor=4 if plan.workers else None,
    )
    plan.output.mkdir(parents=True, exist_ok=True)
    journal = (plan.output / "segmentation.jsonl").open("a" if first else "w")
    started = time.perf_counter() - seconds
    means: dict[str, float] = {}
    bar = tqdm(loader, initial=first, total=plan.steps, desc="segmentation", unit="scene", mininterval=5)
    for step, example in enumerate(bar, start=first + 1):
        generator = torch.Generator().manual_seed(plan.seed * 1_000_003 + step)
        loss, parts = example_loss(network, example, generator)
        if torch.isfinite(loss):
            (loss / plan.accumulate).backward()
        for key, value in parts.items():
            means[key] = 0.99 * means.get(key, value) + 0.01 * value
        if step % plan.accumulate == 0:
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            schedule.step()
            average.update(network)
        if step % 20 == 0:
            bar.set_postfix({k: f"{v:.3f}" for k, v in means.items()})
        last = step == plan.steps
        if step % plan.validate_every == 0 or last:
            figures = validate(averaged(network, average), plan.seed, plan.validation_scenes, plan.cache)
            history.append({"step": step, **means, **figures})
            journal.write(json.dumps(history[-1]) + "\n")
            journal.flush()
            log.info("step %d: %s", step, history[-1])
        if step % plan.checkpoint_every == 0 or last:
            seconds = time.perf_counter() - started
            _save(
                state_path,
                {
                    "network": network.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "schedule": schedule.state_dict(),
                    "average": average.values,
                    "step": step,
                    "seconds": seconds,
                    "history": history,
                },
            )
    journal.close()
    record = {"steps": plan.steps, "scenes": plan.scenes, "seed": plan.seed, "seconds": round(seconds)}
    return averaged(network, average), {**record, "history": history}


def averaged(network: PointAttention, average: Average) -> PointAttention:
    """A copy of the network with averaged weights, for measuring and for shipping."""
    copy = PointAttention(network.config)
    copy.load_state_dict(average.values)
    return copy.eval()
