"""Retrain the bond heads of finished weights, which predict whether neighbouring voxels belong to one instance.

The rest of the network stays unchanged, so that everything that reads its features, the alignment in particular,
stays valid. The grouping network reads the bonds and should be trained further afterwards (stage pairs).
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from ..network import PointAttention
from ..pipeline import SegVec3D
from . import losses
from .segmentation import BOND_EDGES, Average, SegmentationTraining, bond_loss, examples_of


def with_late_color(network: PointAttention) -> PointAttention:
    """A copy of the network with a colour bond head; a newly added one does not affect the bonds until trained."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        other = PointAttention(replace(network.config, late_color=True))
    other.load_state_dict(other.state_dict() | network.state_dict())
    return other.eval()


def learn_bonds(network: PointAttention, plan: SegmentationTraining) -> float:
    """Train both bond heads of ``network`` in place by cross-entropy; they end as moving averages over the last steps.

    Returns:
        mean cross-entropy over about the last hundred scenes.
    """
    assert network.color_bonds is not None
    network.requires_grad_(False)
    heads = nn.ModuleList([network.bonds, network.color_bonds]).requires_grad_()
    learned, average = list(heads.parameters()), Average(heads)
    updates = max(2, plan.steps // plan.accumulate)
    optimizer = torch.optim.AdamW(learned, plan.learning_rate, weight_decay=0.01, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, plan.learning_rate, updates + 1, pct_start=0.08, div_factor=10, final_div_factor=100,
        cycle_momentum=False,
    )  # fmt: skip
    mean = 0.0
    bar = tqdm(examples_of(plan, network.config), total=plan.steps, desc="bonds", unit="scene", mininterval=5)
    for step, example in enumerate(bar, 1):
        generator = torch.Generator().manual_seed(plan.seed * 1_000_003 + step)
        level = example.hierarchy.levels[0]
        edges = losses.contested_edges(example.labels, example.is_surface, level.neighbors, BOND_EDGES, generator)
        with torch.no_grad():
            f = network(example.hierarchy)[0]
        loss = bond_loss(network, f, example, edges, generator)
        if len(edges) > 0:
            (loss / plan.accumulate).backward()
        mean += (loss.item() - mean) / min(step, 100)
        bar.set_postfix(bond=f"{mean:.3f}", refresh=False)
        if step % plan.accumulate == 0:
            nn.utils.clip_grad_norm_(learned, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            schedule.step()
            average.update(heads)
    heads.load_state_dict(average.values)
    return mean


def train_bonds(plan: SegmentationTraining, weights: Path) -> tuple[SegVec3D, dict[str, Any]]:
    """Retrain the bond heads of finished weights.

    Args:
        plan: of it, the scenes, steps, learning rate, voxel limit and seed are used; weights: checkpoint of all stages.

    Returns:
        the model, and a record for the model card.
    """
    started = time.perf_counter()
    model = SegVec3D.load(weights, device="cpu")
    model.network = with_late_color(model.network)
    entropy = learn_bonds(model.network, plan)
    seconds = round(time.perf_counter() - started)
    return model, {"scenes": plan.scenes, "steps": plan.steps, "cross-entropy": entropy, "seconds": seconds}
