"""Instances and language in one space: equations (9) to (11), and similarities that mean something."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

INSTANCE_STATISTICS = 32
VOXEL_GEOMETRY = 8
COLOR_BINS = 12


@dataclass(frozen=True, slots=True)
class AlignmentConfig:
    """Shape of the alignment.

    Attributes:
        features: d_f of the backbone; text: d_t of the sentence encoder; shared: d_v.
        hidden: width of the per-voxel descriptor that is pooled with F.
        paper: use the paper's own u_X, mean-pooled F alone.
    """

    features: int = 96
    text: int = 384
    shared: int = 128
    hidden: int = 128
    paper: bool = False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class InstanceInput:
    """What the alignment reads of K instances, their voxels one after the other.

    Attributes:
        features: (M, d_f) F of the voxels; geometry: (M, 8) place, normal and colour in the instance's own frame.
        owner: (M,) int64 instance of each voxel, 0 to K - 1, ascending, each at least once.
        statistics: (K, 32) size and colour of each instance.
    """

    features: Tensor
    geometry: Tensor
    owner: Tensor
    statistics: Tensor

    @property
    def count(self) -> int:
        return len(self.statistics)

    def sizes(self) -> list[int]:
        """Voxels of each instance."""
        sizes: list[int] = torch.bincount(self.owner, minlength=self.count).tolist()
        return sizes


def hue_histogram(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share of (N, 3) colours, 0 to 1, in each of 12 bins -> (12,) float32: 8 hues, brown, black, grey, white.

    Names of colours are regions of hue and lightness, not means: the mean of a red label on white is a pink that
    nobody sees.
    """
    high, low = rgb.max(1), rgb.min(1)
    chroma = high - low
    r, g, b = rgb.T
    safe = np.maximum(chroma, 1e-6)
    hue = np.where(high == r, ((g - b) / safe) % 6, np.where(high == g, (b - r) / safe + 2, (r - g) / safe + 4)) / 6
    saturation = chroma / np.maximum(high, 1e-6)
    bins = (np.floor(hue * 8 + 0.5) % 8).astype(np.int64)
    warm = (hue < 0.12) | (hue > 0.96)
    bins = np.where(warm & (high < 0.55) & (saturation > 0.25) & (high > 0.15), 8, bins)
    bins = np.where(saturation < 0.22, np.where(high > 0.7, 11, 10), bins)
    bins = np.where(high < 0.18, 9, bins)
    return (np.bincount(bins, minlength=COLOR_BINS) / max(len(rgb), 1)).astype(np.float32)


def instance_statistics(
    size: NDArray[np.float32], rgb: NDArray[np.float32] | None, upright: bool, edge: float
) -> NDArray[np.float32]:
    """(32,) float32: log sizes and proportions, then colour; unknown colour is zero and flagged.

    Args:
        size: (3,) box edges, metres, the third along up; rgb: (M, 3) colours 0 to 1, or None.
        upright: whether up is known rather than guessed.
        edge: voxel edge, metres.
    """
    out = np.zeros(INSTANCE_STATISTICS, np.float32)
    edges = np.maximum(np.sort(size)[::-1], edge)
    out[0:3] = np.log(edges / 0.1)
    out[3], out[4] = edges[1] / edges[0], edges[2] / edges[0]
    out[5] = float(upright)
    out[6] = np.log(max(float(size[2]), edge) / 0.1) if upright else 0.0
    out[7] = np.log(edge / 0.01)
    if rgb is not None and len(rgb):
        out[8] = 1.0
        out[9:12] = rgb.mean(0)
        out[12:15] = np.median(rgb, 0)
        out[15:18] = rgb.std(0)
        out[18 : 18 + COLOR_BINS] = hue_histogram(rgb)
        out[30] = rgb.max(1).mean()
        out[31] = (rgb.max(1) - rgb.min(1)).mean()
    return out


class Alignment(nn.Module):
    """Projections of instances and of texts into the shared space."""

    calibration: Tensor

    def __init__(self, config: AlignmentConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or AlignmentConfig()
        h = config.hidden
        self.describe = nn.Sequential(
            nn.Linear(config.features + VOXEL_GEOMETRY, h), nn.GELU(), nn.Linear(h, h), nn.GELU(), nn.Linear(h, h)
        )
        self.summarise = nn.Sequential(nn.Linear(INSTANCE_STATISTICS, h), nn.GELU(), nn.Linear(h, h))
        width = config.features if config.paper else config.features + 3 * h
        self.w_3d = nn.Linear(width, config.shared, bias=False)
        self.mix = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU())
        self.w_txt = nn.Linear(config.text, config.shared, bias=False)
        self.log_temperature = nn.Parameter(torch.tensor(0.07).log())
        # Calibration: probability that a text describes an instance = sigmoid(a cos + b).
        self.register_buffer("calibration", torch.tensor([10.0, -5.0]))

    def pool(self, x: InstanceInput) -> Tensor:
        """Equation (9): u_X, the mean of the instance's features, L2-normalised -> (K, d_u).

        Beside the mean of F stand the mean and maximum of a descriptor that sees each voxel's place in the instance,
        and the instance's size and colour: F of a network that parts instances need not know what they are.
        """
        rows = torch.bincount(x.owner, minlength=x.count).clamp_min(1)[:, None]
        mean = x.features.new_zeros(x.count, x.features.shape[1]).index_add_(0, x.owner, x.features) / rows
        if self.config.paper:
            return nn.functional.normalize(mean, dim=1)
        d = self.describe(torch.cat([x.features, x.geometry], 1))
        total = d.new_zeros(x.count, d.shape[1]).index_add_(0, x.owner, d) / rows
        peak = torch.stack([part.max(0).values for part in d.split(x.sizes())])
        u = torch.cat([mean, total, peak, self.summarise(x.statistics)], 1)
        return nn.functional.normalize(self.mix(u), dim=1)

    def project_instances(self, x: InstanceInput) -> Tensor:
        """Equation (10): v_X = W_3D u_X -> (K, d_v), of unit length."""
        return nn.functional.normalize(self.w_3d(self.pool(x)), dim=1)

    def project_texts(self, t: Tensor) -> Tensor:
        """Equation (11): v_T = W_txt t for (T, d_t) sentence vectors -> (T, d_v), of unit length."""
        return nn.functional.normalize(self.w_txt(nn.functional.normalize(t, dim=1)), dim=1)

    def probability(self, cosine: Tensor) -> Tensor:
        """Calibrated similarity, 0 to 1: how likely a text with this cosine describes the instance."""
        a, b = self.calibration.unbind()
        return torch.sigmoid(a * cosine + b)
