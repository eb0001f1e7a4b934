"""Default parameters of segmentation and network, each defined once. Units are SI."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

ClusteringMethod = Literal["graph", "fast", "dbscan", "mean-shift", "fixed-radius"]

DEFAULT_VOCABULARY: tuple[str, ...] = (
    "box", "book", "can", "bottle", "mug", "cup", "glass", "bowl", "plate", "pot", "pan", "tin", "canister",
    "jar", "vase", "ball", "fruit", "banana", "spoon", "fork", "knife", "pen", "scissors", "hammer",
    "screwdriver", "drill", "phone", "remote control", "keyboard", "mouse", "laptop", "monitor", "lamp", "clock",
    "plant", "bag", "shoe", "toy", "chair", "stool", "table", "desk", "sofa", "bed", "cabinet", "shelf", "floor",
    "wall", "ceiling",
)  # fmt: skip
"""Common things in homes and offices; the default labels of the node and the command line."""


BASE_VOXEL = 0.01
"""Finest voxel edge of a frame, metres; the network was trained around this size."""
SCAN_VOXEL = 0.016
"""Finest voxel edge of a fused scan, metres. Its points lie so far apart that finer voxels hold one point each and no
surface: on 24 simulated rooms cut to 2.4 m, AP50 was 73.5 with it and 65.7 with 10 mm (printed by no command)."""

GRAVITY_FRAMES: tuple[str, ...] = ("map", "odom", "world", "base_footprint", "base_link")
"""Frames whose z axis points up (REP-103, REP-105); a cloud in any other frame is taken as seen from its origin."""


@dataclass(frozen=True, slots=True)
class SegmentationConfig:
    """Parameters of ``SegVec3D.segment``.

    Attributes:
        voxel_size: voxel edge, metres; None adapts it to the voxel budget and to the spacing of the points.
        fovea: distance from the viewpoint, metres, beyond which the voxel edge doubles with each doubling of the
            distance; inf for voxels of one size. Has no effect if ``voxel_size`` is given.
        max_voxels: voxel budget that bounds the time of a frame if ``voxel_size`` is None.
        max_scan_voxels: the same for a cloud without a viewpoint, a fused scan, which is larger and may take longer.
        clustering: how voxels become instances: "graph" joins superpoints by a network, the others cluster embeddings.
        min_range, max_range: keep points at this distance from the viewpoint (or the origin), metres.
        crop_min, crop_max: keep points inside this axis-aligned box of the cloud's frame, metres; None keeps all.
        min_object_size, max_object_size: keep objects whose longest box edge is within these, metres.
        min_points: drop instances with fewer points.
        min_score: drop objects with a lower score, but no surfaces; on simulated validation scenes 0.3 keeps 99 % of
            the correct objects, and five in six of those kept are correct.

    Raises:
        ValueError: a value out of range or limits that contradict each other.
    """

    voxel_size: float | None = None
    fovea: float = 1.5
    max_voxels: int = 20_000
    max_scan_voxels: int = 80_000
    clustering: ClusteringMethod = "graph"
    min_range: float = 0.0
    max_range: float = float("inf")
    crop_min: tuple[float, float, float] | None = None
    crop_max: tuple[float, float, float] | None = None
    min_object_size: float = 0.0
    max_object_size: float = float("inf")
    min_points: int = 20
    min_score: float = 0.3

    def __post_init__(self) -> None:
        if self.voxel_size is not None and not 1e-4 <= self.voxel_size <= 1e3:
            raise ValueError(f"voxel_size: expected 0.0001 to 1000 m, got {self.voxel_size}")
        if not self.fovea > 0:
            raise ValueError(f"fovea: expected a positive distance in metres, got {self.fovea}")
        for name in ("max_voxels", "max_scan_voxels"):
            if not getattr(self, name) >= 100:
                raise ValueError(f"{name}: expected at least 100, got {getattr(self, name)}")
        for name in ("crop_min", "crop_max"):
            corner = getattr(self, name)
            if corner is not None and len(corner) != 3:
                raise ValueError(f"{name}: expected x, y, z, got {corner}")
        for low, high in (("min_range", "max_range"), ("min_object_size", "max_object_size")):
            if not 0 <= getattr(self, low) <= getattr(self, high):
                raise ValueError(f"{low}: expected 0 to {high}, got {getattr(self, low)} and {getattr(self, high)}")
        corners = zip(self.crop_min or (), self.crop_max or (), strict=False)
        if not all(low <= high for low, high in corners):
            raise ValueError(f"crop_min: expected no more than crop_max, got {self.crop_min} and {self.crop_max}")
        if not self.min_score <= 1:
            raise ValueError(f"min_score: expected at most 1, got {self.min_score}")
        if self.clustering not in get_args(ClusteringMethod):
            known = ", ".join(get_args(ClusteringMethod))
            raise ValueError(f"clustering: expected one of {known}, got {self.clustering!r}")


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Architecture of the network. The defaults are the shipped form; the switches are used by the ablation.

    Attributes:
        neighbors: k of the graph, the voxel itself included.
        channels, layers: width and number of attention layers of each level; level l has voxels of ``2**l`` times the
            finest edge. The paper has one level.
        features: d_f, width of H and F.
        embedding: d_e, of which the first three channels are the centre vote.
        recompute: recompute the neighbourhoods in feature space for every layer but the first of a level, which the
            paper leaves optional (as in DGCNN); quadratic in the voxels of a level.
        edge_features: give the attention the relative poses of neighbours.
        attention: weight neighbours by (1), or all equally.
        residual: add each layer's input to its output, (3).
        concatenate: feed all layers into H, (4), or only the last one of each level.
        global_context: fuse the max-pooled scene vector, (5) and (6).
        centre_vote: add each voxel's own position to the first three embedding channels.
        late_color: add a bond head that reads colour changes along edges; the rest of the network sees no colours.

    Raises:
        ValueError: no neighbour, no level, or another number of ``layers`` than of ``channels``.
    """

    neighbors: int = 16
    channels: tuple[int, ...] = (32, 64, 128, 128, 96)
    layers: tuple[int, ...] = (2, 2, 3, 2, 2)
    features: int = 96
    embedding: int = 16
    recompute: bool = False
    edge_features: bool = True
    attention: bool = True
    residual: bool = True
    concatenate: bool = True
    global_context: bool = True
    centre_vote: bool = True
    late_color: bool = True

    def __post_init__(self) -> None:
        if not self.neighbors >= 1:
            raise ValueError(f"neighbors: expected at least 1, got {self.neighbors}")
        if len(self.layers) != len(self.channels) or not self.channels:
            raise ValueError(f"layers: expected one number for each of channels, {self.channels}, got {self.layers}")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> NetworkConfig:
        """Inverse of ``to_dict``; weights without ``late_color`` predate it and were trained without."""
        known: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**{"late_color": False, **known})


@dataclass(frozen=True, slots=True)
class GroupingConfig:
    """Architecture of the grouping network.

    Attributes:
        features, embedding: d_f and d_e of the backbone.
        width: D; heads, layers: of the attention; dropout: rates for the inputs and for the hidden features.
    """

    features: int = 96
    embedding: int = 16
    width: int = 64
    heads: int = 4
    layers: int = 3
    dropout: tuple[float, float] = (0.1, 0.05)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> GroupingConfig:
        return cls(**{**values, "dropout": tuple(values["dropout"])})


BLOCKS = ("kind", "colour", "material", "shape")
"""Parts of the space shared with language, in order."""


@dataclass(frozen=True, slots=True)
class AlignmentConfig:
    """Architecture of the alignment.

    Attributes:
        features: d_f of the backbone; text: d_t of the sentence encoder.
        shared: dimensions of the kind part, or of the whole shared space if there is one projection.
        hidden: width of the per-voxel descriptor that is pooled with F.
        paper: use the paper's u_X, mean-pooled F alone, and one projection for everything.
        looks: dimensions of each of colour, material and shape, which have their own projections; 0: one projection for
            everything.
        again: add a second per-voxel descriptor that also sees the pooled first one.
    """

    features: int = 96
    text: int = 384
    shared: int = 128
    hidden: int = 128
    paper: bool = False
    looks: int = 32
    again: bool = True

    @property
    def parts(self) -> list[int]:
        """Dimensions of each part of the shared space."""
        return [self.shared] + [self.looks] * (0 if self.paper or not self.looks else len(BLOCKS) - 1)

    @property
    def width(self) -> int:
        """d_v, dimensions of the shared space."""
        return sum(self.parts)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> AlignmentConfig:
        """Inverse of ``to_dict``; files without ``looks`` or ``again`` predate these options, which are then off."""
        return cls(**{"looks": 0, "again": False, **values})

    @property
    def pooled(self) -> int:
        """Width of the pooled description of an instance: mean of F, mean and maximum of each descriptor, size and
        colour."""
        if self.paper:
            return self.features
        return self.features + (5 if self.again else 3) * self.hidden + (self.paint if self.looks else 0)

    @property
    def paint(self) -> int:
        """Width of the colour description of an instance: mean and maximum, half of ``hidden`` each."""
        return self.hidden // 2 * 2

    @property
    def mixed(self) -> int:
        """d_u, the width to which ``pooled`` is reduced."""
        return 4 * self.hidden if self.again and not self.paper else self.pooled
