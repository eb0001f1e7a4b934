"""Training losses: equation (8) for instances, equation (12) for language, losses of the other heads, and helpers.

Voxel labels are (V,) int64, the voxel's instance or -1 for unlabelled. Every loss ignores unlabelled voxels, so that
full and weak labels go through the same code.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

MARGIN = 1.0
"""Margin m of equation (8), in embedding units."""


def pull(squared: Tensor) -> Tensor:
    """First sum of (8), per pair of one instance: ||e_i - e_j||^2, given as ``squared``.

    Linear beyond the margin, like the Huber loss; otherwise the two ends of a sofa would outweigh every cup.
    """
    return torch.where(squared < MARGIN**2, squared, 2 * MARGIN * squared.clamp_min(1e-12).sqrt() - MARGIN**2)


def push(squared: Tensor, margin: float = MARGIN) -> Tensor:
    """Second sum of (8), per pair of different instances: max(0, m - ||e_i - e_j||)^2, given ||e_i - e_j||^2."""
    return (margin - squared.clamp_min(1e-6).sqrt()).clamp_min(0).square()


def balanced_sample(labels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Sample ``count`` labelled voxels with replacement, every instance equally likely, so that small objects weigh as
    much as large ones -> (M,) int64, M = 0 if none is labelled."""
    known = (labels >= 0).nonzero().squeeze(1)
    if len(known) == 0:
        return known
    rows = torch.bincount(labels[known])
    weights = 1.0 / rows[labels[known]].float()
    return known[torch.multinomial(weights, count, replacement=True, generator=generator)]


def pull_push(
    e: Tensor,
    labels: Tensor,
    is_surface: Tensor,
    neighbors: Tensor,
    position: Tensor,
    generator: torch.Generator,
    samples: int = 768,
    reach: float = 30.0,
) -> Tensor:
    """Equation (8) over two sets of pairs: edges of the neighbourhood graph, and random pairs across the scene.

    Args:
        e: (V, d_e) embeddings, equation (7); labels: (V,) instance or -1; is_surface: (V,) bool.
        neighbors: (V, k) int64; position: (V, 3) in voxel edges.
        generator: source of the random pairs.
        samples: number of voxels of which all pairs are compared; of edges, eight times as many within instances and
            as many between instances are drawn.
        reach: pairs farther apart than this, voxel edges, are not pushed: clustering never joins them.

    Surfaces are pulled together only along edges: a table top is one instance by continuity, without a centre to gather
    at.
    """
    v, k = neighbors.shape
    i = torch.arange(v, device=e.device)[:, None].expand(v, k).reshape(-1)
    j = neighbors.reshape(-1)
    known = (labels[i] >= 0) & (labels[j] >= 0) & (i != j)
    same = labels[i] == labels[j]
    loss = e.new_zeros(())
    near, far = (known & same).nonzero().squeeze(1), (known & ~same).nonzero().squeeze(1)
    if len(near):
        near = near[torch.randint(len(near), (8 * samples,), generator=generator)]
        loss = loss + pull((e[i[near]] - e[j[near]]).square().sum(1)).mean()
    if len(far):
        far = far[torch.randint(len(far), (8 * samples,), generator=generator)]
        loss = loss + push((e[i[far]] - e[j[far]]).square().sum(1)).mean()

    picked = balanced_sample(labels, samples, generator)
    if len(picked) < 2:
        return loss
    ls, squared, distance = labels[picked], squared_distances(e[picked]), squared_distances(position[picked]).sqrt()
    same = ls[:, None] == ls[None]
    gather = (same & ~is_surface[picked][:, None]).fill_diagonal_(False)
    loss = loss + (pull(squared) * gather).sum() / gather.sum().clamp_min(1)
    # The nearer two voxels are in space, the more likely clustering is to join them by mistake.
    weight = (~same & (distance < reach)) / (1 + distance / 5)
    return loss + (push(squared) * weight).sum() / weight.sum().clamp_min(1)


def as_written(e: Tensor, labels: Tensor, generator: torch.Generator, samples: int = 768) -> Tensor:
    """Equation (8) exactly as in the paper, for the ablation: all pairs of ``samples`` labelled voxels, uniformly
    sampled, with a quadratic pull and surfaces treated like objects. Only the sums are means, as they would grow with
    the sample.

    Args:
        e: (V, d_e) embeddings; labels: (V,) instance or -1; generator: source of the sample.
    """
    known = (labels >= 0).nonzero().squeeze(1)
    if len(known) < 2:
        return e.new_zeros(())
    picked = known[torch.randint(len(known), (samples,), generator=generator)]
    squared, same = squared_distances(e[picked]), labels[picked][:, None] == labels[picked][None]
    apart, same = ~same, same.fill_diagonal_(False)
    pulled = (squared * same).sum() / same.sum().clamp_min(1)
    return pulled + (push(squared) * apart).sum() / apart.sum().clamp_min(1)


def squared_distances(rows: Tensor) -> Tensor:
    """(M, C) vectors -> (M, M) squared distances, by a matrix product: the differences of all pairs would be large."""
    rows = rows - rows.mean(0)
    length = rows.square().sum(1)
    return (length[:, None] + length[None] - 2 * rows @ rows.T).clamp_min(0)


def vote(e: Tensor, centres: Tensor, has_centre: Tensor, labels: Tensor) -> Tensor:
    """Smooth L1 loss between each object voxel's centre vote and its target, voxels weighted by the inverse root of
    their object's voxel count.

    Args:
        e: (V, d_e) embeddings, whose first three channels are the vote; centres: (V, 3) targets in embedding units.
        has_centre: (V,) bool, voxels with a target; labels: (V,) instance.
    """
    rows = has_centre.nonzero().squeeze(1)
    if len(rows) == 0:
        return e.new_zeros(())
    weights = 1.0 / torch.bincount(labels[rows])[labels[rows]].float().sqrt()
    error = functional.smooth_l1_loss(e[rows, :3], centres[rows], beta=0.3, reduction="none").sum(1)
    return (error * weights).sum() / weights.sum()


def surface(logits: Tensor, labels: Tensor, is_surface: Tensor) -> Tensor:
    """Binary cross-entropy of surface against object, both kinds weighted equally.

    Args:
        logits: (V,); labels: (V,) instance or -1; is_surface: (V,) bool.
    """
    known = labels >= 0
    if not known.any():
        return logits.new_zeros(())
    target = is_surface[known].float()
    share = target.mean().clamp(0.1, 0.9)
    weight = torch.where(target > 0, 0.5 / share, 0.5 / (1 - share))
    return functional.binary_cross_entropy_with_logits(logits[known], target, weight)


def contested_edges(
    labels: Tensor, is_surface: Tensor, neighbors: Tensor, count: int, generator: torch.Generator
) -> Tensor:
    """Sample edges to train bonds on -> (M,) int64 indices into the flattened (V, k) neighbours, M at most
    ``4 * count``.

    Up to ``count`` are drawn from each of four categories: between two objects; between different instances of which
    at least one is a surface; within an instance, next to such a border; within an object, anywhere. In a uniform
    sample, nine in ten would lie within the table. Within a category, an edge is drawn with probability proportional to
    the inverse root of the number of edges of the rarer of its instances, as an egg beside a carton has few.

    Args:
        labels: (V,) instance or -1; is_surface: (V,) bool; neighbors: (V, k) int64.
        count: edges per category; generator: source of the sample.
    """
    own, other = labels[:, None], labels[neighbors]
    known = (own >= 0) & (other >= 0)
    apart = known & (own != other)
    rim = apart.any(1, keepdim=True)
    things = ~(is_surface[:, None] | is_surface[neighbors])
    itself = torch.arange(len(neighbors), device=neighbors.device)[:, None]
    same = known & (own == other) & (neighbors != itself)
    kinds = (apart & things, apart & ~things, same & (rim | rim[:, 0][neighbors]), same & ~is_surface[:, None])
    picked = []
    for kind in kinds:
        rows = kind.reshape(-1).nonzero().squeeze(1)
        if len(rows):
            ends = torch.stack([labels[rows // neighbors.shape[1]], other.reshape(-1)[rows]])
            share = torch.bincount(ends.flatten())[ends].amin(0).float().rsqrt()
            drawn = torch.multinomial(share, min(count, len(rows)), replacement=True, generator=generator)
            picked.append(rows[drawn])
    return torch.cat(picked) if picked else torch.zeros(0, dtype=torch.int64)


def bond(logits: Tensor, labels: Tensor, neighbors: Tensor, edges: Tensor) -> Tensor:
    """Binary cross-entropy of whether an edge stays within an instance, both answers weighted equally.

    Args:
        logits: (M,) of ``edges``; edges: (M,) int64 from ``contested_edges``.
        labels: (V,) instance; neighbors: (V, k) int64.
    """
    if len(edges) == 0:
        return logits.new_zeros(())
    same = (labels[edges // neighbors.shape[1]] == labels[neighbors.reshape(-1)[edges]]).float()
    share = same.mean().clamp(0.1, 0.9)
    weight = torch.where(same > 0, 0.5 / share, 0.5 / (1 - share))
    return functional.binary_cross_entropy_with_logits(logits, same, weight)


def info_nce(similarity: Tensor, positive: Tensor, temperature: Tensor) -> Tensor:
    """Equation (12) over the batch, symmetric, with label-aware positives.

    Args:
        similarity: (B, T) cosines of B instances and T texts.
        positive: (B, T) bool, whether the text describes the instance; each row and column holds at least one.
        temperature: tau, a scalar tensor.
    """
    logits = similarity / temperature
    hidden = logits.masked_fill(~positive, float("-inf"))
    by_object = logits.logsumexp(1) - hidden.logsumexp(1)
    by_text = logits.logsumexp(0) - hidden.logsumexp(0)
    return 0.5 * (by_object.mean() + by_text.mean())
