"""Instances and texts in a shared space: equations (9) to (11), and calibrated similarities.

A single cosine cannot bind "red" to "mug": an instance that is half right in both attributes scores like one that is
right in only one. So the shared space has four parts: kind, colour, material and shape ("with a handle"). For each text
the network predicts how much it claims about each part; the text fits an instance if all its claims are true.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .config import BLOCKS, AlignmentConfig
from .inference.alignment import INSTANCE_STATISTICS, SIZE_STATISTICS, VOXEL_GEOMETRY, InstanceInput


class Alignment(nn.Module):
    """Projects instances and texts into the shared space and scores how well they match."""

    calibration: Tensor

    def __init__(self, config: AlignmentConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or AlignmentConfig()
        h = config.hidden
        self.describe = nn.Sequential(
            nn.Linear(config.features + VOXEL_GEOMETRY, h), nn.GELU(), nn.Linear(h, h), nn.GELU(), nn.Linear(h, h)
        )
        self.again = (
            nn.Sequential(nn.Linear(3 * h, h), nn.GELU(), nn.Linear(h, h), nn.GELU(), nn.Linear(h, h))
            if config.again and not config.paper
            else None
        )
        self.looks = None if len(config.parts) == 1 else Looks(config)
        statistics = INSTANCE_STATISTICS if self.looks is None else SIZE_STATISTICS
        self.summarise = nn.Sequential(nn.Linear(statistics, h), nn.GELU(), nn.Linear(h, h))
        width, mixed = config.pooled, config.mixed
        self.w_3d = nn.Linear(mixed, config.shared, bias=False)
        self.mix = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, mixed), nn.GELU(), nn.Dropout(0.1))
        self.w_txt = nn.Linear(config.text, config.shared, bias=False)
        self.log_temperature = nn.Parameter(torch.tensor(0.07).log())
        # Calibration: probability that a text describes an instance = sigmoid(a score + b).
        self.register_buffer("calibration", torch.tensor([10.0, -5.0] if self.looks is None else [1.0, 0.0]))

    def pool(self, x: InstanceInput[Tensor]) -> Tensor:
        """Equation (9): instance vectors u_X, L2-normalised -> (K, d_u).

        F is trained to separate instances, not to tell what they are. So u_X mixes the mean of F with the mean and
        maximum of a descriptor that sees each voxel's position in the instance, those of a second descriptor that also
        sees the pooled first one, and the instance's size and colour. With ``paper`` it is the mean of F.
        """
        return self._pool(x, None if self.looks is None else self.looks.paint(x))

    def _pool(self, x: InstanceInput[Tensor], paint: Tensor | None) -> Tensor:
        mean = _mean(x.features, x)
        if self.config.paper:
            return nn.functional.normalize(mean, dim=1)
        d = self.describe(torch.cat([x.features, x.geometry], 1))
        u = [mean, _mean(d, x), _peak(d, x)]
        if self.again is not None:
            whole = torch.cat(u[1:], 1)
            d = self.again(torch.cat([d, whole[x.owner]], 1))
            u += [_mean(d, x), _peak(d, x)]
        if paint is None:
            u.append(self.summarise(x.statistics))
        else:
            u += [self.summarise(x.statistics[:, :SIZE_STATISTICS]), paint]
        return nn.functional.normalize(self.mix(torch.cat(u, 1)), dim=1)

    def project_instances(self, x: InstanceInput[Tensor]) -> Tensor:
        """Equation (10): v_X = W_3D u_X -> (K, d_v) of unit length; all parts have equal norm."""
        if self.looks is None:
            return nn.functional.normalize(self.w_3d(self.pool(x)), dim=1)
        paint = self.looks.paint(x)
        u = self._pool(x, paint)
        return _join([self.w_3d(u), *self.looks.project_instances(u, paint)])

    def project_texts(self, t: Tensor) -> Tensor:
        """Equation (11): v_T = W_txt t for (T, d_t) sentence vectors -> (T, d_v) of unit length."""
        t = nn.functional.normalize(t, dim=1)
        if self.looks is None:
            return nn.functional.normalize(self.w_txt(t), dim=1)
        return _join([self.w_txt(t), *self.looks.project_texts(t)])

    def parts(self, v: Tensor) -> list[Tensor]:
        """Split (N, d_v) vectors of either projection into their parts, each of unit length."""
        return [part * len(self.config.parts) ** 0.5 for part in v.split(self.config.parts, dim=1)]

    def score(self, v: Tensor, t: Tensor) -> Tensor:
        """Score of (T, d_t) sentence vectors for (K, d_v) instances -> (K, T): the cosine with one projection, else the
        log odds that everything the text claims is true."""
        v_text = self.project_texts(t)
        if self.looks is None:
            return v @ v_text.T
        cosines = [a @ b.T for a, b in zip(self.parts(v), self.parts(v_text), strict=True)]
        return self.looks.all_true(cosines, nn.functional.normalize(t, dim=1))

    def similarity(self, v: Tensor, t: Tensor) -> Tensor:
        """Calibrated similarity of instances (K, d_v) and sentence vectors (T, d_t) -> (K, T), 0 to 1."""
        return self.probability(self.score(v, t))

    def probability(self, score: Tensor) -> Tensor:
        """Calibrated probability, 0 to 1, that a text with this score describes the instance."""
        a, b = self.calibration.unbind()
        return torch.sigmoid(a * score + b)


class Looks(nn.Module):
    """Projections for colour, material and shape, and the combination of a text's claims.

    Colour is read from the individual voxels by a small network, not from their mean, so that shadows, highlights and
    printed labels can be told from the object's own colour.
    """

    def __init__(self, config: AlignmentConfig) -> None:
        super().__init__()
        h = config.paint // 2
        self.tint = nn.Sequential(nn.Linear(7, h), nn.GELU(), nn.Linear(h, h), nn.GELU(), nn.Linear(h, h))
        self.color = nn.Sequential(nn.Linear(config.paint, h), nn.GELU(), nn.Linear(h, config.looks))
        self.material = nn.Linear(config.mixed, config.looks)
        self.shape = nn.Linear(config.mixed, config.looks)
        self.w_txt = nn.ModuleList([nn.Linear(config.text, config.looks, bias=False) for _ in BLOCKS[1:]])
        # For each part of a text: the log odds that it claims anything, and a shift of the score that counts as true:
        # "thing" is true of many instances with a low cosine.
        self.claims = nn.Linear(config.text, len(BLOCKS))
        self.shift = nn.Linear(config.text, len(BLOCKS))
        nn.init.zeros_(self.shift.weight)
        nn.init.zeros_(self.shift.bias)
        self.scale = nn.Parameter(torch.full((len(BLOCKS),), 10.0))
        self.bias = nn.Parameter(torch.full((len(BLOCKS),), -4.0))

    def paint(self, x: InstanceInput[Tensor]) -> Tensor:
        """Colour descriptions of K instances -> (K, ``AlignmentConfig.paint``)."""
        known = ~x.color.isnan().any(1, keepdim=True)
        rgb = x.color.nan_to_num(0.5)
        grey = rgb.mean(1, keepdim=True)
        c = self.tint(torch.cat([2 * rgb - 1, 4 * (rgb - grey), known], 1))
        return torch.cat([_mean(c, x), _peak(c, x)], 1)

    def project_instances(self, u: Tensor, paint: Tensor) -> list[Tensor]:
        """Project K instances to colour, material and shape from u_X and ``paint`` -> three of (K, looks)."""
        return [self.color(paint), self.material(u), self.shape(u)]

    def project_texts(self, t: Tensor) -> list[Tensor]:
        """Project texts to colour, material and shape -> three of (T, looks)."""
        return [w(t) for w in self.w_txt]

    def all_true(self, cosines: list[Tensor], t: Tensor) -> Tensor:
        """Log odds that everything the texts claim is true of the instances -> (K, T).

        Args:
            cosines: (K, T) for each of ``BLOCKS``; t: (T, d_t) sentence vectors of unit length.
        """
        claimed, shift = self.claims(t).sigmoid(), self.shift(t)
        log_p = torch.zeros_like(cosines[0])
        for k, cosine in enumerate(cosines):
            true = torch.sigmoid(self.scale[k] * cosine + self.bias[k] + shift[:, k])
            log_p = log_p + torch.log((1 - claimed[:, k] * (1 - true)).clamp_min(1e-7))
        return log_p - torch.log(-torch.expm1(log_p.clamp_max(-1e-6)))


def _mean(values: Tensor, x: InstanceInput[Tensor]) -> Tensor:
    """Mean of (M, d) over the voxels of each instance -> (K, d)."""
    count = len(x.statistics)
    rows = torch.bincount(x.owner, minlength=count).clamp_min(1)[:, None]
    return values.new_zeros(count, values.shape[1]).index_add_(0, x.owner, values) / rows


def _peak(values: Tensor, x: InstanceInput[Tensor]) -> Tensor:
    """Maximum of (M, d) over the voxels of each instance -> (K, d)."""
    sizes = torch.bincount(x.owner, minlength=len(x.statistics)).tolist()
    return torch.stack([part.max(0).values for part in values.split(sizes)])


def _join(parts: list[Tensor]) -> Tensor:
    """Normalise the parts of a vector to equal norm and concatenate them to unit length."""
    return torch.cat([nn.functional.normalize(part, dim=1) for part in parts], 1) / len(parts) ** 0.5
