"""The Muon optimiser (Jordan et al., 2024) for weight matrices: momentum steps made orthogonal, so that all their
singular values are about equal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic polynomial that moves singular values towards one, from the authors."""


class Muon(Optimizer):
    """Muon for matrices, in single precision.

    PyTorch's own implementation works in bfloat16, which takes a CPU longer than computing the network's gradients;
    here matrices of equal shape are orthogonalised in one batch. Steps are scaled to the length of Adam's (Liu et al.,
    2025), so that both optimisers can use the same learning rate.

    Args:
        params: matrices; lr: learning rate; momentum: Nesterov momentum; weight_decay: decoupled weight decay.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.05) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take one step; ``closure`` is ignored."""
        for group in self.param_groups:
            alike: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = {}
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                mean = state.setdefault("momentum", torch.zeros_like(weight))
                mean.lerp_(weight.grad, 1 - group["momentum"])
                ahead = weight.grad.lerp(mean, group["momentum"])
                alike.setdefault(tuple(weight.shape), []).append((weight, ahead))
            for shape, pairs in alike.items():
                steps = orthogonal(torch.stack([ahead for _, ahead in pairs]))
                for (weight, _), step in zip(pairs, steps, strict=True):
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.add_(step, alpha=-group["lr"] * 0.2 * max(shape) ** 0.5)


def orthogonal(matrices: Tensor) -> Tensor:
    """(B, M, N) matrices -> matrices with the same singular vectors and singular values of 0.7 to 1.2, by
    Newton-Schulz iteration."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = _NEWTON_SCHULZ
    for _ in range(5):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x


def parted(network: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Split a network's parameters into matrices, for Muon, and all others."""
    weights: list[Tensor] = list(network.parameters())
    is_matrix = [weight.ndim == 2 and min(weight.shape) > 1 for weight in weights]
    matrices = [weight for weight, yes in zip(weights, is_matrix, strict=True) if yes]
    return matrices, [weight for weight, yes in zip(weights, is_matrix, strict=True) if not yes]
