"""First training stage: the network learns to separate instances, equations (1) to (8)."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from ..checkpoint import load_checkpoint
from ..clustering import ClusteringConfig, cluster
from ..config import NetworkConfig, SegmentationConfig
from ..metrics import FrameScore, score_frame
from ..network import PointAttention
from ..threads import use_one_thread
from . import losses
from .data import Scenes
from .examples import EXAMPLE_VOXELS, Example, prepare
from .muon import Muon, parted
from .samples import load_sample, simulator_version
from .weak import Supervision

log = logging.getLogger(__name__)

BOND_EDGES = 4_096
"""Edges drawn per scene from each of the four categories of ``losses.contested_edges`` to train the bond heads."""
COLORLESS = 0.2
"""Share of the scenes in which bonds are predicted without colours."""
VALIDATION_SEED_OFFSET = 1_000_003
"""Added to the seed of a run for its validation scenes, so that they differ from its training scenes."""


@dataclass(frozen=True, slots=True)
class SegmentationTraining:
    """One run of the first stage.

    Attributes:
        output: folder of checkpoints and logs; cache: folder for simulated scenes, reused in further epochs, or None.
        start: weight file to start from, None for random initialisation.
        steps: training steps, one scene each; scenes: number of distinct ones among them; seed: of all randomness.
        learning_rate: peak of a one-cycle schedule; accumulate: scenes per optimiser step.
        max_voxels: voxel limit of an example; frames: folder of labelled frames or of ScanNet scenes to train on
            instead of simulated scenes, or None; split: file that names the ScanNet scenes to use, None for all;
            labelled_points: file that names their labelled points, None for all.
        workers: processes that make examples; supervision: weak labels, None for full labels.
        as_written: use equation (8) exactly as in the paper, for the ablation.
        checkpoint_every, validate_every: steps between checkpoints and validations; validation_scenes: number of
            scenes to validate on.
    """

    output: Path
    cache: Path | None = None
    start: Path | None = None
    steps: int = 16_000
    scenes: int = 8_000
    seed: int = 0
    learning_rate: float = 2e-3
    accumulate: int = 2
    max_voxels: int = EXAMPLE_VOXELS
    frames: Path | None = None
    split: Path | None = None
    labelled_points: Path | None = None
    workers: int = 1
    supervision: Supervision | None = None
    as_written: bool = False
    checkpoint_every: int = 250
    validate_every: int = 1_000
    validation_scenes: int = 24

    def terms(self) -> dict[str, Any]:
        """Settings that a resumed run must share with the run that it continues."""
        data = [path.name for path in (self.frames, self.split, self.labelled_points) if path is not None]
        return {
            "steps": self.steps, "scenes": self.scenes, "seed": self.seed, "labels": str(self.supervision),
            "start": None if self.start is None else self.start.name, "frames": " ".join(data) or None,
            "max_voxels": self.max_voxels, "learning_rate": self.learning_rate, "accumulate": self.accumulate,
            "as_written": self.as_written, "optimizer": "Muon", "simulator": simulator_version(),
        }  # fmt: skip


def bond_loss(
    network: PointAttention, f: Tensor, example: Example, edges: Tensor, generator: torch.Generator
) -> Tensor:
    """Bond loss of (M,) edges, predicted from F and colours, or from F alone in a share ``COLORLESS`` of the scenes, as
    a robot's cloud may have no colours."""
    colorless = float(torch.rand((), generator=generator)) < COLORLESS
    level, colors = example.hierarchy.levels[0], None if colorless else example.colors
    return losses.bond(network.judge_some_edges(f, level, colors, edges), example.labels, level.neighbors, edges)


def example_loss(
    network: PointAttention, example: Example, generator: torch.Generator, as_written: bool = False
) -> tuple[Tensor, dict[str, float]]:
    """Total loss of one scene and its parts for the log; with ``as_written``, equation (8) exactly as in the paper."""
    level = example.hierarchy.levels[0]
    f, e, logits = network(example.hierarchy)
    if as_written:
        instance = losses.as_written(e, example.labels, generator)
    else:
        instance = losses.pull_push(e, example.labels, example.is_surface, level.neighbors, level.position, generator)
    surface = losses.surface(logits, example.labels, example.is_surface)
    edges = losses.contested_edges(example.labels, example.is_surface, level.neighbors, BOND_EDGES, generator)
    bond = bond_loss(network, f, example, edges, generator)
    total = instance + surface + bond
    parts = {"instance": instance.item(), "surface": surface.item(), "bond": bond.item()}
    if network.config.centre_vote:
        vote = losses.vote(e, example.centres, example.has_centre, example.labels)
        total = total + 0.5 * vote
        parts["vote"] = vote.item()
    return total, parts


class Average:
    """Exponential moving average of weights, which segments better than the weights of the last step."""

    def __init__(self, network: nn.Module, decay: float = 0.998) -> None:
        self.decay = decay
        self.values = {k: v.detach().clone() for k, v in network.state_dict().items()}

    def update(self, network: nn.Module) -> None:
        for key, value in network.state_dict().items():
            self.values[key].lerp_(value.detach(), 1 - self.decay)


def score_voxels(example: Example, objects: NDArray[np.int64]) -> FrameScore:
    """Score (V,) object labels of a scene's voxels, -1 for none, by the metrics for image masks."""
    truth, surface = example.truth.numpy(), example.is_surface.numpy()
    return score_frame(objects[None] + 1, np.where(truth < 0, -1, np.where(surface, 0, truth + 1))[None], ignore=-1)


@torch.no_grad()
def validate(network: PointAttention, seed: int, scenes: int, cache: Path | None) -> dict[str, float]:
    """Validate on simulated scenes not used for training.

    Returns:
        means over scenes of surface accuracy, overlap F and the share of objects with F > 0.75, over voxels, 0 to 1.
    """
    rows, most = [], SegmentationConfig().max_voxels
    for index in range(scenes):
        sample = load_sample(seed + VALIDATION_SEED_OFFSET, index, cache)
        example = prepare(sample, np.random.default_rng(index), network.config, augment=False, max_voxels=most)
        level = example.hierarchy.levels[0]
        f, e, logits = network(example.hierarchy)
        p, bonds = logits.sigmoid().numpy(), network.judge_edges(f, level, example.colors).numpy()
        objects, _ = cluster(e.numpy(), p, bonds, level.neighbors.numpy(), "fast", ClusteringConfig())
        score = score_voxels(example, objects)
        known = example.truth.numpy() >= 0
        right = ((p > 0.5) == example.is_surface.numpy())[known]
        rows.append((float(right.mean()) if len(right) else 1.0, score.overlap.f, score.detected))
    return dict(zip(("surface accuracy", "overlap F", "detected"), np.mean(rows, 0).tolist(), strict=True))


class Run:
    """A training run in progress: all state that a checkpoint must restore."""

    def __init__(self, plan: SegmentationTraining, config: NetworkConfig) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.network = PointAttention(config)
        if plan.start is not None:
            begin_with(self.network, plan.start)
        matrices, others = parted(self.network)
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "matrices": Muon(matrices, plan.learning_rate),
            "others": torch.optim.AdamW(others, plan.learning_rate, weight_decay=0.0, betas=(0.9, 0.98)),
        }
        updates = max(2, plan.steps // plan.accumulate)
        self.schedules = {
            name: torch.optim.lr_scheduler.OneCycleLR(
                optimizer, plan.learning_rate, updates + 1, pct_start=0.08, div_factor=10, final_div_factor=100,
                cycle_momentum=False,
            )
            for name, optimizer in self.optimizers.items()
        }  # fmt: skip
        self.average = Average(self.network)
        self.means: dict[str, float] = {}
        self.history: list[dict[str, float]] = []
        self.step, self.seconds = 0, 0.0

    def learn(self, example: Example) -> None:
        """Add one scene's gradients, and take an optimiser step every ``accumulate`` scenes; a scene without labels
        adds none."""
        self.step += 1
        generator = torch.Generator().manual_seed(self.plan.seed * 1_000_003 + self.step)
        loss, parts = example_loss(self.network, example, generator, self.plan.as_written)
        if loss.requires_grad and torch.isfinite(loss):
            (loss / self.plan.accumulate).backward()
            for key, value in parts.items():
                self.means[key] = 0.99 * self.means.get(key, value) + 0.01 * value
        if self.step % self.plan.accumulate == 0:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            for name, optimizer in self.optimizers.items():
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                self.schedules[name].step()
            self.average.update(self.network)

    def averaged(self) -> PointAttention:
        """A copy of the network with averaged weights, for validation and as the final result."""
        copy = PointAttention(self.network.config)
        copy.load_state_dict(self.average.values)
        return copy.eval()

    def measure(self) -> dict[str, float]:
        """Validate the averaged network; current losses and validation figures are returned and added to the
        history."""
        figures = validate(self.averaged(), self.plan.seed, self.plan.validation_scenes, self.plan.cache)
        self.history.append({"step": self.step, **self.means, **figures})
        return self.history[-1]

    def save(self, path: Path) -> None:
        """Write a checkpoint atomically: a crash while writing leaves the previous one intact."""
        values = {
            "terms": self.plan.terms(),
            "network": self.network.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "schedules": {name: schedule.state_dict() for name, schedule in self.schedules.items()},
            "average": self.average.values,
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
        }
        partial = path.with_suffix(".part")
        torch.save(values, partial)
        partial.replace(path)

    def restore(self, path: Path) -> None:
        """Continue from a checkpoint.

        Raises:
            ValueError: it belongs to a run with other settings.
        """
        state, terms = torch.load(path, weights_only=True), self.plan.terms()
        if state["terms"] != terms:
            raise ValueError(f"resume: {path} belongs to a run of {state['terms']}, got {terms}")
        self.network.load_state_dict(state["network"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
            self.schedules[name].load_state_dict(state["schedules"][name])
        self.average.values, self.history = state["average"], state["history"]
        self.step, self.seconds = state["step"], state["seconds"]
        log.info("segmentation: resumed at step %d of %d", self.step, self.plan.steps)


def train_segmentation(
    plan: SegmentationTraining, config: NetworkConfig, resume: bool
) -> tuple[PointAttention, dict[str, Any]]:
    """Train the first stage, or resume its training.

    Returns:
        the network with averaged weights, and a record of the run for the model card.

    Raises:
        ValueError: the checkpoint to resume from belongs to a run with other settings; ``plan.start`` holds another
            network.
    """
    run, state = Run(plan, config), plan.output / "segmentation.state"
    if resume and state.exists():
        run.restore(state)
    plan.output.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter() - run.seconds
    with (plan.output / "segmentation.jsonl").open("a" if run.step else "w") as journal:
        bar = tqdm(
            examples_of(plan, config, run.step), initial=run.step, total=plan.steps, desc="segmentation", unit="scene",
            mininterval=5,
        )  # fmt: skip
        for example in bar:
            run.learn(example)
            last = run.step == plan.steps
            if run.step % 20 == 0:
                bar.set_postfix({k: f"{v:.3f}" for k, v in run.means.items()})
            if run.step % plan.validate_every == 0 or last:
                journal.write(json.dumps(run.measure()) + "\n")
                journal.flush()
            if run.step % plan.checkpoint_every == 0 or last:
                run.seconds = time.perf_counter() - started
                run.save(state)
    record = {"steps": plan.steps, "scenes": plan.scenes, "seed": plan.seed, "max_voxels": plan.max_voxels}
    told = {
        "terms": plan.terms(),
        "seconds": round(run.seconds),
        **origin(plan.start, "segmentation"),
        "history": run.history,
    }
    return run.averaged(), {**record, **told}


def begin_with(network: PointAttention, start: Path) -> None:
    """Load initial weights; bond heads or coarser levels that they lack keep their random initialisation.

    The outputs of such levels are set to zero, so that the network initially behaves like that of ``start``.

    Raises:
        ValueError: ``start`` holds a network of another shape.
    """
    given = {name: torch.from_numpy(value) for name, value in load_checkpoint(start).part("network").items()}
    own = network.state_dict()
    levels = sum(key.startswith("stems.") and key.endswith(".weight") for key in given)
    foreign = [k for k, v in given.items() if k not in own or own[k].shape != v.shape]
    lacking = {
        k for k in own if k not in given and not k.startswith(("bonds.", "color_bonds.")) and _level_of(k) < levels
    }
    if foreign or lacking:
        raise ValueError(f"start: {start} holds another network: {', '.join(foreign or sorted(lacking))}")
    network.load_state_dict(own | given)
    added = [network.mix[i] for i in range(levels, len(network.mix))]
    added += [network.place[i - 1] for i in range(levels, len(network.mix))]
    added += [cast(nn.Sequential, network.refine[i])[2] for i in range(levels, len(network.mix))]
    for linear in cast("list[nn.Linear]", added):
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)


def _level_of(key: str) -> int:
    """The level that a weight of the network belongs to, -1 if it belongs to none."""
    part, number = key.split(".")[:2]
    offset = {"stems": 0, "layers": 0, "mix": 0, "refine": 0, "place": 1}.get(part)
    return -1 if offset is None else int(number) + offset


def origin(start: Path | str | None, stage: str) -> dict[str, Any]:
    """Commit, steps and scenes of the weights that a stage started from, as the entry ``start`` of its record; empty
    without such weights."""
    if start is None:
        return {}
    record = load_checkpoint(Path(start)).record
    story = record.get(stage, {})
    commit = story.get("commit", record.get("commit", "unknown"))
    return {"start": {"commit": commit, "steps": story.get("steps"), "scenes": story.get("scenes")}}


def examples_of(plan: SegmentationTraining, config: NetworkConfig, first: int = 0) -> DataLoader[Example]:
    """Loader of the training examples from step ``first`` on, made by worker processes."""
    scenes = Scenes(
        plan.seed, plan.scenes, plan.steps, config, plan.supervision, plan.cache, first, plan.frames, plan.max_voxels,
        plan.split, plan.labelled_points,
    )  # fmt: skip
    return DataLoader(
        scenes,
        batch_size=None,
        num_workers=plan.workers,
        multiprocessing_context="spawn" if plan.workers else None,
        worker_init_fn=use_one_thread,
        prefetch_factor=4 if plan.workers else None,
    )
