"""Names and shapes of the weights of each network, as ``torch.nn.Module.state_dict`` has them: kernels do not check, so
weights are checked when they are loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..config import BLOCKS, AlignmentConfig, GroupingConfig, NetworkConfig
from ..kernels.attention import EDGE_DIM, HEAD_DIM
from ..kernels.bonds import WIDTH
from ..kernels.shape import VOXEL_FEATURES
from ..superpoints import PAIR_FEATURES, WHOLE_FEATURES, node_features
from .alignment import INSTANCE_STATISTICS, SIZE_STATISTICS, VOXEL_GEOMETRY

Shapes = dict[str, tuple[int, ...]]


def network_shapes(config: NetworkConfig) -> Shapes:
    """Those of ``network.PointAttention``."""
    c, d, out = config.channels, config.features, Shapes()
    for i, width in enumerate(c):
        out |= _linear(f"stems.{i}", VOXEL_FEATURES + EDGE_DIM + (c[i - 1] if i else 0), width)
        for n in range(config.layers[i]):
            out |= _below(f"layers.{i}.{n}", _attention(width))
        used = config.layers[i] if config.concatenate else 1
        out |= _linear(f"mix.{i}", width * used, d)
        out |= _linear(f"place.{i}", 3, d) if i + 1 < len(c) else {}
        out |= _norm(f"refine.{i}.0", d) | _linear(f"refine.{i}.2", d, d)
    out |= _mlp("context", d, d, d) | _mlp("fuse", 2 * d, d, d)
    out |= _norm("embed.0", d) | _mlp("embed", d, d, config.embedding, first=1)
    out |= _norm("surface.0", d) | _mlp("surface", d, d // 2, 1, first=1)
    heads = ("bonds", "color_bonds") if config.late_color else ("bonds",)
    return out | {name: shape for head in heads for name, shape in _below(head, _bonds(d)).items()}


def grouping_shapes(config: GroupingConfig) -> Shapes:
    """Those of ``grouping_network.SuperpointNetwork``; ``standard_*`` are no parameters."""
    d, nodes = config.width, node_features(config.features, config.embedding)
    out = _mlp("enter", nodes, 2 * d, d) | _mlp("enter_pair", PAIR_FEATURES, d, d) | _norm("norm", d)
    out |= _mlp("same", 4 * d, 2 * d, 1) | _mlp("surface", d, d, 1)
    out |= _mlp("enter_whole", WHOLE_FEATURES, d, d) | _mlp("kind", 2 * d, d, 1)
    for i in range(config.layers):
        layer = _norm("norm", d) | _linear("ask", d, 3 * d) | _linear("pair_score", d, config.heads)
        layer |= _linear("pair_value", d, d) | _linear("out", d, d) | _linear("context", d, d)
        out |= _below(f"layers.{i}", layer | _norm("mlp.0", d) | _mlp("mlp", d, 2 * d, d, first=1))
    for name, width in (("node", nodes), ("edge", PAIR_FEATURES), ("whole", WHOLE_FEATURES)):
        out |= {f"standard_{name}.mean": (width,), f"standard_{name}.scale": (width,)}
    return out


def alignment_shapes(config: AlignmentConfig) -> Shapes:
    """Those of ``alignment.Alignment``; ``calibration`` is no parameter."""
    h, text, several = config.hidden, config.text, len(config.parts) > 1
    out: Shapes = _mlp("describe", config.features + VOXEL_GEOMETRY, h, h, h)
    out |= _mlp("again", 3 * h, h, h, h) if config.again and not config.paper else {}
    out |= _mlp("summarise", SIZE_STATISTICS if several else INSTANCE_STATISTICS, h, h)
    out |= _norm("mix.0", config.pooled) | _linear("mix.1", config.pooled, config.mixed)
    out |= {"w_3d.weight": (config.shared, config.mixed), "w_txt.weight": (config.shared, text)}
    out |= {"log_temperature": (), "calibration": (2,)}
    if several:
        n, half, looks = len(BLOCKS), config.paint // 2, config.looks
        own = _mlp("tint", 7, half, half, half) | _mlp("color", config.paint, half, looks)
        own |= _linear("material", config.mixed, looks) | _linear("shape", config.mixed, looks)
        own |= {f"w_txt.{k}.weight": (looks, text) for k in range(n - 1)}
        own |= _linear("claims", text, n) | _linear("shift", text, n) | {"scale": (n,), "bias": (n,)}
        out |= _below("looks", own)
    return out


def parameters(shapes: Iterable[Shapes]) -> int:
    """Number of trainable parameters."""
    known = (item for some in shapes for item in some.items())
    return sum(int(np.prod(shape)) for name, shape in known if not name.startswith(("standard_", "calibration")))


def check(network: str, arrays: Mapping[str, NDArray[np.floating]], shapes: Shapes) -> None:
    """See that the weights of a network have the given names and shapes.

    Raises:
        ValueError: they have not; it names the first.
    """
    for name in (*shapes, *arrays):
        expected, got = shapes.get(name), arrays[name].shape if name in arrays else None
        if expected != got:
            raise ValueError(f"{network}.{name}: expected {_told(expected)}, got {_told(got)}")


def _told(shape: tuple[int, ...] | None) -> str:
    return "nothing" if shape is None else f"shape {shape}"


def _attention(width: int) -> Shapes:
    edges = width // HEAD_DIM * EDGE_DIM
    out = _norm("norm", width) | _linear("phi_edge", width, edges) | _linear("out", width + edges, width)
    out |= {
        name: shape for part in ("shared", "phi", "psi", "gamma") for name, shape in _linear(part, width, width).items()
    }
    return out | _norm("mlp.0", width) | _mlp("mlp", width, 2 * width, width, first=1)


def _bonds(features: int) -> Shapes:
    out = _norm("norm", features) | _linear("own", features, WIDTH) | _linear("out", WIDTH, 1)
    return out | {"other.weight": (WIDTH, features), "pose.weight": (WIDTH, EDGE_DIM)}


def _linear(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _mlp(name: str, *widths: int, first: int = 0) -> Shapes:
    """Linear maps with GELU between them, the first one at position ``first``."""
    out = Shapes()
    for k, (inputs, outputs) in enumerate(pairwise(widths)):
        out |= _linear(f"{name}.{first + 2 * k}", inputs, outputs)
    return out


def _below(name: str, shapes: Shapes) -> Shapes:
    return {f"{name}.{key}": shape for key, shape in shapes.items()}
