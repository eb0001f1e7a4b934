"""Lower bound of each stage's time by the roofline model (Williams et al., Roofline: an insightful visual performance
model, 2009), from the bytes that it must move and the operations of its linear maps and its attention.

Each stage must read its input once and write its output once. Only merging stages or shorter number formats need less.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from .config import SegmentationConfig
from .hierarchy import Hierarchy, Level, build_hierarchy
from .kernels import bfloat16
from .kernels.attention import EDGE_DIM, HEAD_DIM
from .network import PointAttention
from .pipeline import SegVec3D
from .pointcloud2 import LABELLED, POINT
from .types import PointCloud

FROM_MESSAGE, TO_MESSAGE = "from PointCloud2", "to PointCloud2"
"""The node's conversions before and after the stages of a scene: ``cloud_of_message`` and ``encode_labelled``."""
COPIED = 64 << 20
"""Number of float32 values copied to measure memory bandwidth: more than caches hold."""
SIDE = 2048
"""Size of the square matrices multiplied to measure arithmetic throughput."""
TRIES = 7


@dataclass(frozen=True, slots=True)
class Need:
    """Minimum work of a stage: bytes moved and operations (a multiply-add counts as two)."""

    bytes: int
    operations: int = 0


@dataclass(frozen=True, slots=True)
class Roof:
    """Peak performance of a machine: bytes moved and operations per second."""

    bytes_per_second: float
    operations_per_second: float

    def seconds(self, need: Need) -> float:
        """Lower bound of the time: moving and computing may overlap."""
        return max(need.bytes / self.bytes_per_second, need.operations / self.operations_per_second)

    @classmethod
    def measure(cls, device: str) -> Roof:
        """Measure this machine by copying and multiplying large matrices with torch's threads, in the number format in
        which the network computes; the best of several runs."""
        short = device == "cpu" and bfloat16.multiplier() is not None
        source = torch.zeros(COPIED, device=device)
        target = torch.empty_like(source)
        matrix = torch.zeros(SIDE, SIDE, dtype=torch.bfloat16 if short else torch.float32, device=device)
        moved = 2 * source.numel() * source.element_size()
        return cls(
            moved / _fastest(lambda: target.copy_(source), device),
            2 * SIDE**3 / _fastest(lambda: matrix @ matrix, device),
        )


def _fastest(work: Callable[[], object], device: str) -> float:
    """Seconds of the fastest of ``TRIES`` runs, after one to warm up."""
    times = []
    for _ in range(TRIES + 1):
        start = time.perf_counter()
        work()
        if device != "cpu":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return min(times[1:])


def needs(model: SegVec3D, cloud: PointCloud, config: SegmentationConfig) -> dict[str, Need]:
    """Minimum work of each stage for a cloud, by the names in ``Scene.timings``, and of the conversions before and
    after; {} for a cloud without usable points.

    Stages that are missing touch little more than a list of instances; on a GPU only the stages that run there are
    included.
    """
    embedded = model.embed(cloud, config)
    voxels, grid = embedded.voxels, embedded.grid
    if voxels is None:
        return {}
    hierarchy = build_hierarchy(grid, cloud.viewpoint, embedded.up, model.network.config)
    scene = model.group(embedded, config)
    of_grid = _size_of(grid.coords, grid.inverse, grid.centroids, grid.colors, grid.counts, grid.bands)
    to_cluster = _size_of(
        voxels.neighbors, voxels.normals, voxels.features, voxels.embeddings, voxels.surface, voxels.bonds
    )
    if model.device != "cpu":  # substages are not measured there
        return {
            "graph": _together(_graph_needs(hierarchy)),
            "network": _together(_network_needs(model.network, hierarchy)),
        }
    return {
        FROM_MESSAGE: Need(len(cloud) * POINT.itemsize + _size_of(cloud.points, cloud.colors)),
        "voxels": Need(_size_of(cloud.points, cloud.colors) + of_grid),
        **_graph_needs(hierarchy),
        **_network_needs(model.network, hierarchy),
        "clustering": Need(to_cluster + _size_of(grid.centroids)),
        "labels": Need(_size_of(cloud.points, grid.inverse, scene.labels, voxels.neighbors, grid.centroids)),
        TO_MESSAGE: Need(_size_of(cloud.points, cloud.colors, scene.labels) + len(cloud) * LABELLED.itemsize),
    }


def _together(needs: dict[str, Need]) -> Need:
    return Need(sum(need.bytes for need in needs.values()), sum(need.operations for need in needs.values()))


def _size_of(*arrays: Any) -> int:
    """Total bytes of arrays and tensors; None counts as 0."""
    return sum(int(a.nbytes) for a in arrays if a is not None)


def _graph_needs(hierarchy: Hierarchy[NDArray[Any]]) -> dict[str, Need]:
    points = [3 * 4 * len(level.inputs) for level in hierarchy.levels]  # bytes; normals take as many
    neighbors = [_size_of(level.neighbors) for level in hierarchy.levels]
    edges = [_size_of(level.edges) for level in hierarchy.levels]
    rest = [_size_of(level.inputs, level.parents, level.offsets, level.position) for level in hierarchy.levels]
    return {
        "graph": Need(sum(points) + sum(rest)),
        "neighbours": Need(sum(points) + sum(neighbors)),
        "normals": Need(2 * sum(points) + sum(neighbors)),
        "poses": Need(2 * sum(points) + sum(neighbors) + sum(edges)),
    }


def _network_needs(network: PointAttention, hierarchy: Hierarchy[NDArray[Any]]) -> dict[str, Need]:
    """The levels, and the concatenation and heads after them."""
    found, config = {}, network.config
    rows = [len(level.inputs) for level in hierarchy.levels]
    between = [4 * n * width * depth for n, width, depth in zip(rows, config.channels, config.layers, strict=True)]
    for i, level in enumerate(hierarchy.levels):
        own = [network.stems[i], *network.layers[i].modules()]
        given = _size_of(level.inputs, level.edges, level.neighbors, level.parents) + _weights(own)
        operations = rows[i] * _per_row(own) + config.layers[i] * _attention(level, config.channels[i])
        found[f"network level {i + 1}"] = Need(given + between[i], operations)
    judges = [bonds for bonds in (network.bonds, network.color_bonds) if bonds is not None]
    finest, ends = hierarchy.levels[0], [network.fuse, network.embed, network.surface, *judges]
    operations = rows[0] * sum(_per_row(part.modules()) for part in ends)
    operations += (finest.neighbors.size - rows[0]) * sum(_per_row([bonds.pose, bonds.out]) for bonds in judges)
    for i, n in enumerate(rows):
        parts = [network.mix[i], *network.refine[i].modules(), *network.place[i : i + 1]]
        operations += n * _per_row(parts)
    told = 4 * (rows[0] * (config.features + config.embedding + 1) + finest.neighbors.size)
    given = sum(between) + _size_of(finest.edges, finest.neighbors, *(level.offsets for level in hierarchy.levels))
    found["network"] = Need(given + told, operations)
    return found


def _linear(modules: Iterable[nn.Module]) -> list[nn.Linear]:
    return [module for module in modules if isinstance(module, nn.Linear)]


def _per_row(modules: Iterable[nn.Module]) -> int:
    """Operations per row of the linear maps among some modules."""
    return sum(2 * linear.in_features * linear.out_features for linear in _linear(modules))


def _weights(modules: Iterable[nn.Module]) -> int:
    return sum(_size_of(linear.weight) for linear in _linear(modules))


def _attention(level: Level[NDArray[Any]], channels: int) -> int:
    """Operations of one layer's attention over the neighbours: scores and weighted sums."""
    heads = channels // HEAD_DIM
    return level.neighbors.size * heads * 2 * 2 * (HEAD_DIM + EDGE_DIM)
