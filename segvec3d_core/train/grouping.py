"""Training of the grouping network, which predicts which superpoints belong together, on a frozen backbone, and choice
of the grouping's constants. Of finished weights, the pairs or the kinds alone can be trained further, with all else
unchanged. Kinds are surface and object."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from ..checkpoint import load_checkpoint
from ..clustering import ClusteringConfig
from ..config import GroupingConfig, SegmentationConfig
from ..grouping import Ties, group_superpoints, join
from ..grouping_network import SuperpointNetwork
from ..inference.grouping import Judged
from ..metrics import FrameScore, score_frame
from ..pipeline import SegVec3D
from ..superpoints import Superpoints, find_superpoints
from ..threads import single_thread
from ..voxels import Fovea, voxelize, voxels_of
from .examples import augmented, majority
from .pool import Look, look_at_scenes
from .samples import Sample, load_sample
from .segmentation import VALIDATION_SEED_OFFSET, origin
from .tuning import choose, overall

GRID: dict[str, tuple[float, ...]] = {
    "join_threshold": (0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8),
    "kind_threshold": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "adopt_radius": (0.0, 0.3, 0.5, 1.0, 1.5),
    "min_voxels": (6, 8, 12, 18, 25),
}
"""Values tried for each constant, one constant after the other."""
WEIGHTIEST = 900.0
"""A pair is weighted by the root of its smaller superpoint's number of voxels; this number is clipped to this value."""
CROPS = 0.1
"""Share of the scenes that are cropped; low, since what counts as a surface depends on the whole view."""
LOOKS = 2
"""Number of differently augmented versions of each scene: in slightly larger voxels, the same table is split into
other superpoints."""
LOST, TAKEN = 0.1, 0.05
"""Kinds are learned from the true groups and from a copy with errors, since the joining of superpoints errs, too: in
it, each superpoint is removed from its group with probability ``LOST``, and the groups of each pair of superpoints are
merged with probability ``TAKEN``."""
BESIDE = 0.1
"""Weight of both losses for kinds while finished weights are trained further on pairs: enough to keep the kinds in
step, too little to memorise the training scenes."""


@dataclass(frozen=True, slots=True)
class GroupingTraining:
    """One run of this stage.

    Attributes:
        cache: folder for simulated scenes, or None; seed: of all randomness and of the scenes; differs from the
            backbone's, see docs/method.md.
        scenes: number of training scenes; validation_scenes: number of scenes on which the constants are chosen.
        steps: optimiser steps; batch: scenes in each; learning_rate: peak of a one-cycle schedule.
        workers: processes that run the backbone, see ``look_at_scenes``.
        start: weight file whose grouping network to start from, None for random initialisation; in either case, inputs
            are standardised by their means and scales on this run's scenes.
    """

    cache: Path | None = None
    seed: int = 0
    scenes: int = 6_000
    validation_scenes: int = 100
    steps: int = 6_000
    batch: int = 16
    learning_rate: float = 2e-3
    workers: int = 1
    start: Path | str | None = None


@dataclass(frozen=True, slots=True)
class JudgedScene:
    """Training data from one scene: its superpoints and their true instances and kinds.

    Attributes:
        nodes: (S, ``node_features``), edges: (P, 16) float16; pairs: (P, 2) int64; sizes: (S,) int64 voxels; see
            ``Superpoints``.
        instance: (S,) int64, the most frequent label among a superpoint's voxels, -1 for unlabelled; share: (S,)
            float32, its share of the voxels.
        is_surface: (S,) bool, whether that instance is a surface.
        groups: (N, S) int64 group of each superpoint in N groupings: the true one, one with errors and, if asked for,
            that of the model; numbered consecutively over all groupings, 0 to G - 1.
        wholes: (G, 15) float32 features of each group, see ``Superpoints.wholes``.
    """

    nodes: Tensor
    pairs: Tensor
    edges: Tensor
    sizes: Tensor
    instance: Tensor
    share: Tensor
    is_surface: Tensor
    groups: Tensor
    wholes: Tensor


def judged_scene(
    sample: Sample, superpoints: Superpoints, truth: NDArray[np.int64], rng: np.random.Generator,
    *further: NDArray[np.int64],
) -> JudgedScene:  # fmt: skip
    """Combine superpoints with the true instances of their voxels.

    Args:
        truth: (V,) true instance of each voxel, -1 unknown; rng: draws the grouping with errors.
        further: (S,) additional groupings whose groups' kinds are learned.
    """
    count, entities = len(superpoints.sizes), len(sample.is_surface)
    inside = superpoints.of_voxel >= 0
    key = superpoints.of_voxel[inside] * (entities + 1) + truth[inside] + 1
    votes = np.bincount(key, minlength=count * (entities + 1)).reshape(count, entities + 1)
    instance = votes.argmax(1) - 1
    share = (votes.max(1) / superpoints.sizes).astype(np.float32)
    is_surface = (instance >= 0) & np.append(sample.is_surface, False)[instance]
    true = np.where(instance >= 0, instance, entities + np.arange(count))
    groups = [
        np.unique(group, return_inverse=True)[1].astype(np.int64)
        for group in (true, _with_errors(true, superpoints.pairs, rng), *further)
    ]
    wholes = [superpoints.wholes(group) for group in groups]
    first = np.cumsum([0, *map(len, wholes[:-1])])
    return JudgedScene(
        torch.from_numpy(superpoints.nodes).half(), torch.from_numpy(superpoints.pairs),
        torch.from_numpy(superpoints.edges).half(), torch.from_numpy(superpoints.sizes),
        torch.from_numpy(instance), torch.from_numpy(share), torch.from_numpy(is_surface),
        torch.from_numpy(np.stack(groups) + first[:, None]), torch.from_numpy(np.concatenate(wholes)),
    )  # fmt: skip


def _with_errors(group: NDArray[np.int64], pairs: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """(S,) copy of a grouping with some superpoints split off and some groups merged, see ``LOST`` and ``TAKEN``."""
    lost = rng.random(len(group)) < LOST
    group = np.where(lost, group.max(initial=0) + 1 + np.arange(len(group)), group)
    for low, high in pairs[rng.random(len(pairs)) < TAKEN]:
        group[group == group[high]] = group[low]
    return group


def _superpoints(model: SegVec3D, sample: Sample, scene: int, rng: np.random.Generator) -> Any:
    """Training data from ``LOOKS`` versions of a scene, see ``_look``."""
    return [_look(model, sample, rng, joined=False) for _ in range(LOOKS)]


def _joined_superpoints(model: SegVec3D, sample: Sample, scene: int, rng: np.random.Generator) -> Any:
    """As ``_superpoints``, with the groups that the model joins as a further grouping."""
    return [_look(model, sample, rng, joined=True) for _ in range(LOOKS)]


def _look(model: SegVec3D, sample: Sample, rng: np.random.Generator, joined: bool) -> Any:
    """A ``JudgedScene`` of an augmented version of a scene in voxels of random size, as a plain tuple; None if it has
    fewer than 500 points or no superpoint."""
    sample = augmented(sample, rng, CROPS)
    if len(sample.points) < 500:
        return None
    budget = SegmentationConfig()
    most = budget.max_voxels if sample.viewpoint is not None else budget.max_scan_voxels
    base = float(np.exp(rng.uniform(np.log(0.008), np.log(0.013))))
    fovea = None if sample.viewpoint is None else Fovea(sample.viewpoint, rng.uniform(1.2, 1.9))
    grid = voxelize(sample.points, base, sample.colors, max_voxels=int(most * rng.uniform(0.5, 1.0)), fovea=fovea)
    voxels = model.embed_voxels(grid, sample.viewpoint, sample.up)
    superpoints = find_superpoints(voxels, grid, sample.viewpoint, sample.up)
    if len(superpoints.sizes) == 0:
        return None
    truth = majority(grid.inverse, sample.instance, len(grid), len(sample.is_surface))
    further = []
    if joined:
        ties = Ties.of(superpoints, model.judge(superpoints))
        further.append(join(ties, len(superpoints.sizes), model.clustering.join_threshold))
    row = judged_scene(sample, superpoints, truth, rng, *further)
    return tuple(getattr(row, part.name) for part in fields(row))


def collate(rows: list[JudgedScene]) -> tuple[JudgedScene, Tensor]:
    """Batch scenes into one, with their instances kept distinct, and return it with the (S,) scene index of each
    superpoint."""
    counts = torch.tensor([len(row.nodes) for row in rows])
    first = torch.cumsum(counts, 0) - counts
    scene = torch.repeat_interleave(torch.arange(len(rows)), counts)
    instance = torch.cat([row.instance for row in rows])
    wholes = torch.tensor([len(row.wholes) for row in rows]).cumsum(0)
    earlier = [0, *wholes.tolist()[:-1]]
    together = JudgedScene(
        torch.cat([row.nodes for row in rows]).float(),
        torch.cat([row.pairs + start for row, start in zip(rows, first.tolist(), strict=True)]),
        torch.cat([row.edges for row in rows]).float(),
        torch.cat([row.sizes for row in rows]),
        torch.where(instance >= 0, instance + (scene << 32), -1),
        torch.cat([row.share for row in rows]),
        torch.cat([row.is_surface for row in rows]),
        torch.cat([row.groups + start for row, start in zip(rows, earlier, strict=True)], 1),
        torch.cat([row.wholes for row in rows]),
    )
    return together, scene


def losses(network: SuperpointNetwork, truth: JudgedScene, scene: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cross-entropies of pairs, of superpoints' kinds and of groups' kinds, each a scalar.

    Superpoints and groups are weighted by the root of their size, and less the more they mix several instances or, for
    groups, both kinds.

    Args:
        truth, scene: from ``collate``.
    """
    scenes = int(scene.max()) + 1
    same, on_surface, x = network(truth.nodes, truth.pairs, truth.edges, scene, scenes)
    i, j = truth.pairs.T
    sizes, known = truth.sizes.float(), (truth.instance >= 0) * truth.share
    weight = torch.minimum(sizes[i], sizes[j]).clamp_max(WEIGHTIEST).sqrt() * torch.minimum(known[i], known[j])
    pair = _entropy(same, (truth.instance[i] == truth.instance[j]).float(), weight)
    kind = _entropy(on_surface, truth.is_surface.float(), sizes.sqrt() * known)
    groups = truth.groups.flatten()

    def in_each(values: Tensor) -> Tensor:
        return torch.cat([values] * len(truth.groups))

    judged = network.kinds(in_each(on_surface), in_each(x), in_each(sizes), groups, truth.wholes)
    total, sure, surface = (
        sizes.new_zeros(len(truth.wholes)).index_add(0, groups, in_each(values))
        for values in (sizes, sizes * known, sizes * known * truth.is_surface)
    )
    share = surface / sure.clamp_min(1)
    purity = sure / total.clamp_min(1) * (2 * share - 1).abs()
    return pair, kind, _entropy(judged, (share > 0.5).float(), total.sqrt() * purity)


def _entropy(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    entropy = functional.binary_cross_entropy_with_logits(logits, target, weight, reduction="sum")
    return entropy / weight.sum().clamp_min(1)


def learn(rows: list[JudgedScene], config: GroupingConfig, plan: GroupingTraining) -> SuperpointNetwork:
    """Train a new network on judged scenes, from ``plan.start`` if given.

    Raises:
        ValueError: ``plan.start`` has weights of another shape.
    """
    torch.manual_seed(plan.seed)
    network = SuperpointNetwork(config)
    if plan.start is not None:
        load_checkpoint(Path(plan.start)).fill("grouping", network)
    some = [rows[k] for k in np.random.default_rng([plan.seed, 5]).permutation(len(rows))[:1_000]]
    nodes, edges, wholes = ([getattr(row, name) for row in some] for name in ("nodes", "edges", "wholes"))
    network.standardise(*(torch.cat(values).float() for values in (nodes, edges, wholes)))
    return _learn(network, list(network.parameters()), rows, plan)


def learn_kinds(rows: list[JudgedScene], network: SuperpointNetwork, plan: GroupingTraining) -> SuperpointNetwork:
    """Train the parts of ``network`` that predict kinds, in place, on judged scenes; its output for pairs stays
    unchanged."""
    torch.manual_seed(plan.seed)
    network.requires_grad_(False)
    parts = network.surface, network.enter_whole, network.kind
    for part in parts:
        part.requires_grad_()
    return _learn(network, [p for part in parts for p in part.parameters()], rows, plan)


def learn_pairs(rows: list[JudgedScene], network: SuperpointNetwork, plan: GroupingTraining) -> SuperpointNetwork:
    """Train ``network`` further, in place, on judged scenes, mainly on their pairs; the means and scales by which it
    standardises its inputs stay unchanged."""
    torch.manual_seed(plan.seed)
    network.requires_grad_()
    return _learn(network, list(network.parameters()), rows, plan, (1.0, BESIDE, BESIDE))


def _learn(
    network: SuperpointNetwork, learned: list[nn.Parameter], rows: list[JudgedScene], plan: GroupingTraining,
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> SuperpointNetwork:  # fmt: skip
    rng = np.random.default_rng([plan.seed, 6])
    optimizer = torch.optim.AdamW(learned, plan.learning_rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.learning_rate, plan.steps, pct_start=0.1)
    progress = tqdm(range(plan.steps), desc="superpoints", unit="step", mininterval=5)
    mean = np.zeros(3)
    network.train()
    with single_thread():  # a few hundred rows a step
        for step in progress:
            batch, scene = collate([rows[k] for k in rng.integers(0, len(rows), plan.batch)])
            loss = torch.stack(losses(network, batch, scene))
            optimizer.zero_grad(set_to_none=True)
            (loss @ torch.tensor(weights)).backward()
            torch.nn.utils.clip_grad_norm_(learned, 1.0)
            optimizer.step()
            schedule.step()
            mean += (loss.detach().numpy() - mean) / min(step + 1, 100)
            progress.set_postfix(pair=f"{mean[0]:.3f}", kind=f"{mean[1]:.3f}", whole=f"{mean[2]:.3f}", refresh=False)
    return network.eval()


@dataclass(frozen=True, slots=True, eq=False)
class JudgedVoxels:
    """Network output for a validation scene, the input of the grouping, and the ground truth.

    Attributes:
        superpoints, judged, e, surface: see ``group_superpoints``.
        truth: (V,) int64, true object of each voxel from 1 up, 0 for surfaces, -1 unknown.
    """

    superpoints: Superpoints
    judged: Judged
    e: NDArray[np.float32]
    surface: NDArray[np.float32]
    truth: NDArray[np.int64]

    def score(self, config: ClusteringConfig) -> FrameScore:
        """Group with the constants ``config`` and score the objects over voxels, as over the pixels of an image."""
        found = group_superpoints(self.superpoints, self.judged, self.e, self.surface, config)
        return score_frame(found.objects[None] + 1, self.truth[None], ignore=-1)


def judge_scene(model: SegVec3D, sample: Sample) -> JudgedVoxels:
    """Run the network on a scene as the pipeline would: frames without ``up``, default voxel budgets."""
    viewpoint, up = sample.viewpoint, None if sample.viewpoint is not None else sample.up
    grid = voxels_of(sample.points, sample.colors, viewpoint, SegmentationConfig())
    voxels = model.embed_voxels(grid, viewpoint, up)
    superpoints = find_superpoints(voxels, grid, viewpoint, up)
    truth = majority(grid.inverse, sample.instance, len(grid), len(sample.is_surface))
    on_object = np.where(truth < 0, -1, np.where(np.append(sample.is_surface, False)[truth], 0, truth + 1))
    return JudgedVoxels(superpoints, model.judge(superpoints), voxels.embeddings, voxels.surface, on_object)


def judge_scenes(model: SegVec3D, seed: int, scenes: int, cache: Path | None) -> Iterator[JudgedVoxels]:
    """Validation scenes of a run, one after the other."""
    for index in tqdm(range(scenes), desc="validation scenes", unit="scene", mininterval=5):
        yield judge_scene(model, load_sample(seed + VALIDATION_SEED_OFFSET, index, cache))


def train_grouping(plan: GroupingTraining, weights: Path) -> tuple[SegVec3D, dict[str, Any]]:
    """Train the network that judges superpoints on a frozen backbone, then choose the constants of ``GRID``.

    Args:
        weights: checkpoint of the segmentation stage.

    Returns:
        the model with its trained network and constants, and a record for the model card.

    Raises:
        ValueError: bonds so weak that no scene has a superpoint; ``plan.start`` has weights of another shape.
    """
    started = time.perf_counter()
    model = SegVec3D.load(weights, device="cpu")
    rows = _gather(_superpoints, plan, weights)
    model.grouping = learn(rows, model.grouping.config, plan)
    validation = list(judge_scenes(model, plan.seed, plan.validation_scenes, plan.cache))

    @functools.cache
    def reach(config: ClusteringConfig) -> float:
        return float(np.mean([overall(row.score(config)) for row in validation]))

    constants, figures = choose(model.clustering, GRID, reach)
    record = {**_story(rows, plan, started), **origin(plan.start, "grouping"), **figures}
    return model.with_clustering(constants), record


def train_again(
    what: Literal["pairs", "kinds"], plan: GroupingTraining, weights: Path
) -> tuple[SegVec3D, dict[str, Any]]:
    """Train the grouping network of finished weights further on superpoints of other scenes; all else stays unchanged,
    so that the alignment remains valid. Instance scores read the probability that an instance is no surface: they shift
    with it, but stay in [0, 1], and can be refitted (``alignment.recalibrate``).

    Args:
        what: "pairs" to train which superpoints belong together, "kinds" to train only which superpoints and groups are
            surfaces. Either learns kinds on the groups that the weights themselves join, too.
        weights: checkpoint of all stages.

    Returns:
        the model, and a record for the model card.

    Raises:
        ValueError: bonds so weak that no scene has a superpoint.
    """
    started = time.perf_counter()
    model = SegVec3D.load(weights, device="cpu")
    rows = _gather(_joined_superpoints, plan, weights)
    {"pairs": learn_pairs, "kinds": learn_kinds}[what](rows, model.grouping, plan)
    return model, _story(rows, plan, started)


def _gather(look: Look, plan: GroupingTraining, weights: Path) -> list[JudgedScene]:
    """Collect the training data of all scenes.

    Raises:
        ValueError: no scene has a superpoint.
    """
    seen = look_at_scenes(
        look, weights, plan.seed, range(plan.scenes), plan.cache, plan.workers, "superpoints of scenes"
    )
    rows = [JudgedScene(*one) for scene in seen for one in scene if one is not None]
    if not rows:
        raise ValueError(
            f"grouping: no superpoint in {plan.scenes} scenes: train the backbone for longer, see {weights}"
        )
    return rows


def _story(rows: list[JudgedScene], plan: GroupingTraining, started: float) -> dict[str, Any]:
    """Amount of training data, steps and time, for the model card."""
    superpoints, seconds = sum(len(row.nodes) for row in rows), round(time.perf_counter() - started)
    return {"scenes": plan.scenes, "superpoints": superpoints, "steps": plan.steps, "seconds": seconds}
