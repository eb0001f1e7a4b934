"""Objects that persist: the same mug keeps its id while the robot moves. No ROS inside."""

from .config import MapConfig
from .map import ObjectMap, Searcher
from .snapshot import MapObject, MapSnapshot
from .warming import warm_up

__all__ = ["MapConfig", "MapObject", "MapSnapshot", "ObjectMap", "Searcher", "warm_up"]
