"""Instances and texts in a shared space, equivalent to ``alignment.Alignment`` without gradients.

K instances of M voxels in all, T texts.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..config import BLOCKS, AlignmentConfig
from ..kernels import colors
from ..kernels.dense import Packed
from ..kernels.forward import blocks, padded, three_layers
from ..kernels.superpoints import mean_and_largest
from ..kernels.vectors import PANEL
from .layers import Array, Weights, gelu, sigmoid, unit

if TYPE_CHECKING:
    from torch import Tensor

INSTANCE_STATISTICS = 32
VOXEL_GEOMETRY = 8
COLOR_BINS = colors.BINS
SIZE_STATISTICS = 8
"""The first 8 of the ``INSTANCE_STATISTICS`` describe size, the others colour."""

Values = TypeVar("Values")
"""Numpy arrays for inference, torch tensors for training."""


@dataclass(frozen=True, slots=True)
class InstanceInput(Generic[Values]):
    """Input of the alignment for K instances, their M voxels concatenated.

    Attributes:
        features: (M, d_f) F of the voxels.
        geometry: (M, 8) in the frame of the instance's box: position relative to half its longest edge, distance from
            the box's third axis, normal, and lightness less 0.5.
        owner: (M,) int64 instance of each voxel, 0 to K - 1, ascending, each at least once.
        statistics: (K, 32) size and colour of each instance, see ``instance_statistics``.
        color: (M, 3) colour of the voxels, 0 to 1; NaN where unknown.
    """

    features: Values
    geometry: Values
    owner: Values
    statistics: Values
    color: Values

    def tensors(self) -> InstanceInput[Tensor]:
        """The same as tensors, which share the memory of the arrays."""
        import torch

        return InstanceInput(*(torch.from_numpy(getattr(self, part.name)) for part in fields(self)))


def instance_statistics(
    sizes: NDArray[np.float32], rgb: NDArray[np.float32] | None, starts: NDArray[np.int64], upright: bool,
    edges: NDArray[np.float64],
) -> NDArray[np.float32]:  # fmt: skip
    """(K, 32) float32: log sizes and proportions, then colour; unknown colour is zero and flagged.

    Args:
        sizes: (K, 3) box edges, metres, the third along up.
        rgb: (M, 3) colours, 0 to 1, concatenated by instance, or None; starts: (K + 1,) offsets, no instance empty.
        upright: whether up is known.
        edges: (K,) voxel edges, metres.
    """
    out = np.zeros((len(sizes), INSTANCE_STATISTICS), np.float32)
    longest = np.maximum(np.sort(sizes, 1)[:, ::-1], edges[:, None])
    out[:, 0:3] = np.log(longest / 0.1)
    out[:, 3:5] = longest[:, 1:] / longest[:, :1]
    out[:, 5] = float(upright)
    out[:, 6] = np.log(np.maximum(sizes[:, 2], edges) / 0.1) if upright else 0.0
    out[:, 7] = np.log(edges / 0.01)
    if rgb is not None:
        out[:, 8] = 1.0
        told = colors.statistics(rgb, starts)
        out[:, 9:18], out[:, 30:] = told[:, :9], told[:, 9:]
        out[:, 18 : 18 + COLOR_BINS] = colors.histograms(rgb, starts)
    return out


class FusedAlignment:
    """Projects instances and texts into the shared space and scores how well they match."""

    def __init__(self, weights: Weights, config: AlignmentConfig) -> None:
        self._weights, self._config, self._looks = weights, config, weights.part("looks")
        names = ("describe", "again", "looks.tint")
        self._maps = {name: _three_maps(weights, name) for name in names if weights.has(name)}

    def project_instances(self, x: InstanceInput[NDArray[Any]]) -> Array:
        """Equations (9) and (10): v_X = W_3D u_X -> (K, d_v) of unit length, K > 0; all parts have equal norm."""
        if len(self._config.parts) == 1:
            return unit(self._weights.linear("w_3d", self._pool(x, None)))
        paint = self._paint(x)
        u = self._pool(x, paint)
        looks = self._looks
        rest = looks.mlp("color", paint), looks.linear("material", u), looks.linear("shape", u)
        return _join([self._weights.linear("w_3d", u), *rest])

    def similarity(self, v: Array, t: Array) -> Array:
        """Calibrated similarity of instances (K, d_v) and sentence vectors (T, d_t) -> (K, T), 0 to 1."""
        a, b = self._weights["calibration"]
        return sigmoid(a * self._score(v, unit(t)) + b)

    def _pool(self, x: InstanceInput[NDArray[Any]], paint: Array | None) -> Array:
        """Equation (9), see ``Alignment.pool`` -> (K, d_u)."""
        owned = x.owner, len(x.statistics)
        mean, _ = mean_and_largest(x.features, *owned)
        if self._config.paper:
            return unit(mean)
        d = self._three_layers("describe", np.concatenate([x.features, x.geometry], 1))
        u = [mean, *mean_and_largest(d, *owned)]
        if "again" in self._maps:
            whole = np.concatenate(u[1:], 1)
            d = self._three_layers("again", np.concatenate([d, whole[x.owner]], 1))
            u += mean_and_largest(d, *owned)
        w = self._weights
        if paint is None:
            u.append(w.mlp("summarise", x.statistics))
        else:
            u += [w.mlp("summarise", x.statistics[:, :SIZE_STATISTICS]), paint]
        return unit(gelu(w.linear("mix.1", w.norm("mix.0", np.concatenate(u, 1)))))

    def _paint(self, x: InstanceInput[NDArray[Any]]) -> Array:
        """Colour descriptions, see ``Looks.paint`` -> (K, ``AlignmentConfig.paint``)."""
        known = ~np.isnan(x.color).any(1, keepdims=True)
        rgb = np.nan_to_num(x.color, nan=0.5)
        grey = rgb.mean(1, keepdims=True)
        c = self._three_layers(
            "looks.tint", np.concatenate([2 * rgb - 1, 4 * (rgb - grey), known], 1, dtype=np.float32)
        )
        return np.concatenate(mean_and_largest(c, x.owner, len(x.statistics)), 1)

    def _three_layers(self, name: str, x: Array) -> Array:
        """A network of three linear maps with GELU between them, of (M, .) rows."""
        first, second, third, width = self._maps[name]
        rows, out = padded(*x.shape), padded(len(x), -(-width // PANEL) * PANEL)
        rows[: len(x)] = x
        three_layers(blocks(len(x)), rows, first, second, third, out)
        return np.ascontiguousarray(out[: len(x), :width])

    def _parts(self, v: Array) -> list[Array]:
        """Split (N, d_v) vectors of either projection into their parts, each of unit length."""
        parts = self._config.parts
        return np.split(v * np.float32(len(parts) ** 0.5), np.cumsum(parts)[:-1], 1)

    def _score(self, v: Array, t: Array) -> Array:
        """See ``Alignment.score``; t of unit length -> (K, T)."""
        w = self._weights
        if len(self._config.parts) == 1:
            return np.asarray(v @ unit(w.linear("w_txt", t)).T)
        looks = self._looks
        v_text = [w.linear("w_txt", t), *(looks.linear(f"w_txt.{k}", t) for k in range(len(BLOCKS) - 1))]
        claimed, shift = sigmoid(looks.linear("claims", t)), looks.linear("shift", t)
        log_p = np.zeros((len(v), len(t)), np.float32)
        for k, (mine, theirs) in enumerate(zip(self._parts(v), v_text, strict=True)):
            true = sigmoid(looks["scale"][k] * (mine @ unit(theirs).T) + looks["bias"][k] + shift[:, k])
            log_p += np.log(np.maximum(1 - claimed[:, k] * (1 - true), np.float32(1e-7)))
        return np.asarray(log_p - np.log(-np.expm1(np.minimum(log_p, np.float32(-1e-6)))))


def _three_maps(weights: Weights, name: str) -> tuple[Packed, Packed, Packed, int]:
    """The maps of a network of three layers, and the width of its output."""
    first, second, third = (weights.packed(f"{name}.{at}") for at in (0, 2, 4))
    return first, second, third, len(weights[f"{name}.4.weight"])


def _join(parts: list[Array]) -> Array:
    """Normalise the parts of a vector to equal norm and concatenate them to unit length."""
    return np.asarray(np.concatenate([unit(part) for part in parts], 1) / np.float32(len(parts) ** 0.5))
