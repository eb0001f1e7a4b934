"""SegVec3D: object instances from point clouds, searchable by text. Does not depend on ROS.

The public names are imported lazily, so that ``import segvec3d_core`` does not import numba before it is needed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .pipeline import SegVec3D
    from .types import Box, Camera, Match, Matches, PointCloud, Scene, SceneObject

__version__ = "0.1.0"
__all__ = ["Box", "Camera", "Match", "Matches", "PointCloud", "Scene", "SceneObject", "SegVec3D"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(".pipeline" if name == "SegVec3D" else ".types", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
