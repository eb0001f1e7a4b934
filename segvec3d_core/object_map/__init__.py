"""Objects that persist: the same mug keeps its id while the robot moves. No ROS inside."""

from .config import MapConfig
from .map import ObjectMap, warm_up
from .snapshot import MapObject, MapSnapshot

__all__ = ["MapConfig", "MapObject", "MapSnapshot", "ObjectMap", "warm_up"]
