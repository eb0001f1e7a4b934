"""Weights as arrays, and the layers that read them, by the names that torch gives a module's weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..kernels import dense
from ..kernels.vectors import PANEL

if TYPE_CHECKING:
    from torch import nn

Array = NDArray[np.float32]
FEW_ROWS = 64
"""Up to this many rows the weights are the left matrix: OpenBLAS copies the right one first, which then takes longer
than the product."""


class Weights:
    """The weights of a network, or of a part of one, as float32 arrays.

    Args:
        arrays: by name, as in ``torch.nn.Module.state_dict``; other number formats are converted.
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.floating]]) -> None:
        self.arrays = {name: np.asarray(value, np.float32) for name, value in arrays.items()}

    @classmethod
    def of(cls, module: nn.Module) -> Weights:
        """Those of a torch module on the CPU, whose memory they share."""
        return cls({name: value.detach().numpy() for name, value in module.state_dict().items()})

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    def part(self, name: str) -> Weights:
        """Those below ``name``, named without it."""
        return Weights({k[len(name) + 1 :]: v for k, v in self.arrays.items() if k.startswith(name + ".")})

    def has(self, name: str) -> bool:
        """Whether there are any below ``name``."""
        return any(key.startswith(name + ".") for key in self.arrays)

    def linear(self, name: str, x: Array) -> Array:
        """``nn.Linear``: (..., K) -> (..., M)."""
        weight, rows = self[f"{name}.weight"], x.reshape(-1, x.shape[-1])
        y = np.ascontiguousarray((weight @ rows.T).T) if len(rows) <= FEW_ROWS else rows @ weight.T
        if f"{name}.bias" in self.arrays:
            y += self[f"{name}.bias"]
        return y.reshape(*x.shape[:-1], len(weight))

    def norm(self, name: str, x: Array, eps: float = 1e-5) -> Array:
        """``nn.LayerNorm`` of the last dimension."""
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt(np.square(x).mean(-1, keepdims=True) + np.float32(eps))
        return np.asarray(x * self[f"{name}.weight"] + self[f"{name}.bias"])

    def mlp(self, name: str, x: Array) -> Array:
        """``nn.Sequential`` of linear maps with GELU between them: (N, K) -> (N, M)."""
        at = 0
        while f"{name}.{at + 2}.weight" in self.arrays:
            x = gelu(self.linear(f"{name}.{at}", x))
            at += 2
        return self.linear(f"{name}.{at}", x)

    def packed(self, name: str) -> dense.Packed:
        """A linear map as the kernels read it."""
        weight = self[f"{name}.weight"]
        return dense.pack(weight, self.arrays.get(f"{name}.bias", np.zeros(len(weight), np.float32)))

    def folded(self, norm: str, linear: str) -> tuple[Array, Array]:
        """Weight and bias of ``linear`` with the affine part of ``norm`` before it, to apply after ``standardize``."""
        weight, bias = self[f"{linear}.weight"], self.arrays.get(f"{linear}.bias", np.float32(0))
        return weight * self[f"{norm}.weight"], weight @ self[f"{norm}.bias"] + bias


def gelu(x: Array) -> Array:
    """x Phi(x), elementwise, accurate to 1e-6."""
    flat = np.zeros((1, -(-x.size // PANEL) * PANEL), np.float32)
    flat[0, : x.size] = x.ravel()
    dense.gelu(flat)
    return flat[0, : x.size].reshape(x.shape)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), elementwise."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)), np.float32)


def unit(x: Array) -> Array:
    """Rows of (N, C) divided by their length; rows of zeros stay zero."""
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12), np.float32)
