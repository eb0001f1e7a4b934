"""The network that groups superpoints, equivalent to ``grouping_network.SuperpointNetwork`` without gradients.

S superpoints, P pairs, G groups, D width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..config import GroupingConfig
from ..kernels.pairs import hear
from ..superpoints import Superpoints
from .layers import Array, Weights, gelu

JUDGED = 8.0
"""Logits are clipped to this magnitude."""
OUTLIER = 6.0
"""Standardised features are clipped to this many standard deviations."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The network's output for the superpoints of one cloud.

    Attributes:
        same: (P,) float32 logits that a pair belongs to one instance.
        kinds: function of (S,) int64 group indices, 0 to G - 1 -> (G,) float32 logits that a group is a surface.
    """

    same: Array
    kinds: Callable[[NDArray[np.int64]], Array]


class FusedGrouping:
    """Predicts which pairs of superpoints belong to one instance and which groups of superpoints are surfaces."""

    def __init__(self, weights: Weights, config: GroupingConfig) -> None:
        self._weights, self._heads = weights, config.heads
        self._layers = [weights.part(f"layers.{i}") for i in range(config.layers)]

    def __call__(self, superpoints: Superpoints) -> Judged:
        """Judge the superpoints of one scene."""
        w, pairs = self._weights, superpoints.pairs
        x = w.mlp("enter", self._standard("standard_node", superpoints.nodes))
        pair = w.mlp("enter_pair", self._standard("standard_edge", superpoints.edges))
        for layer in self._layers:
            x = self._attend(layer, x, pairs, pair)
        x = w.norm("norm", x)
        a, b = x[pairs[:, 0]], x[pairs[:, 1]]
        same = w.mlp("same", np.concatenate([a + b, np.abs(a - b), a * b, pair], 1))[:, 0]
        surface = np.clip(w.mlp("surface", x)[:, 0], -JUDGED, JUDGED)

        def kinds(group: NDArray[np.int64]) -> Array:
            return self._kinds(superpoints, x, surface, group)

        return Judged(same, kinds)

    def _standard(self, name: str, rows: Array) -> Array:
        """Inputs standardised as those of the training scenes, without outliers, NaN as the mean."""
        w = self._weights
        scaled = np.clip((rows - w[f"{name}.mean"]) * w[f"{name}.scale"], -OUTLIER, OUTLIER)
        return np.nan_to_num(scaled, copy=False, nan=0.0)

    def _attend(self, layer: Weights, x: Array, pairs: NDArray[np.int64], pair: Array) -> Array:
        """A layer: attention over the superpoints that each is paired with, plus the scene's mean."""
        known = layer.norm("norm", x)
        told = layer.linear("pair_score", pair), layer.linear("pair_value", pair)
        heard = hear(layer.linear("ask", known), pairs, *told, self._heads)
        around = known.sum(0, keepdims=True) / max(len(x), 1)
        x = x + layer.linear("out", heard) + layer.linear("context", around)
        return x + layer.linear("mlp.3", gelu(layer.linear("mlp.1", layer.norm("mlp.0", x))))

    def _kinds(self, superpoints: Superpoints, x: Array, surface: Array, group: NDArray[np.int64]) -> Array:
        w, wholes = self._weights, superpoints.wholes(group)
        total = np.bincount(group, superpoints.sizes, len(wholes))
        share = superpoints.sizes / total[group]
        mean = np.zeros((len(wholes), x.shape[1]), np.float32)
        np.add.at(mean, group, x * share[:, None].astype(np.float32))
        votes = np.bincount(group, surface * share, len(wholes)).astype(np.float32)
        whole = w.mlp("enter_whole", self._standard("standard_whole", wholes))
        return votes + w.mlp("kind", np.concatenate([mean, whole], 1))[:, 0]
