"""The backbone in torch: on a GPU, or of a form of network that the kernels do not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..clock import Clock
from ..hierarchy import build_hierarchy
from ..superpoints import EmbeddedVoxels
from ..voxels import VoxelGrid

if TYPE_CHECKING:
    from ..network import PointAttention


def embed_by_torch(
    network: PointAttention, device: str, grid: VoxelGrid, viewpoint: NDArray[np.float32] | None,
    up: NDArray[np.float32] | None, clock: Clock,
) -> EmbeddedVoxels:  # fmt: skip
    """``SegVec3D.embed_voxels`` in torch. On a GPU the graph is built there, too.

    Args:
        network: the backbone, on ``device``; the rest as for ``SegVec3D.embed_voxels``.
    """
    import torch

    from .. import hierarchy_gpu

    with torch.inference_mode():
        with clock("graph"):
            if device == "cpu":
                hierarchy = build_hierarchy(grid, viewpoint, up, network.config, clock=clock).tensors()
            else:
                hierarchy = hierarchy_gpu.build_hierarchy(grid, viewpoint, up, network.config, torch.device(device))
        with clock("network"):
            features, e, logits = network(hierarchy)
            colors = None if grid.colors is None else torch.from_numpy(grid.colors).to(device)
            bonds = network.judge_edges(features, hierarchy.levels[0], colors)
            told = [x.cpu().numpy() for x in (features, e, logits.sigmoid(), bonds)]
        return EmbeddedVoxels(hierarchy.levels[0].neighbors.cpu().numpy(), hierarchy.normals, *told)
