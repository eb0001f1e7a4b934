"""The services of the object map: list, save, load and clear."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from segvec3d_interfaces.srv import ClearMap, ListObjects, MapFile
from segvec3d_ros.conversions import instance_array
from segvec3d_ros.mapping import MapTracker
from segvec3d_ros.perception import Perception

NO_MAP = "there is no map: the parameter object_map is false"


class Status(Protocol):
    """The part of the node that the services use."""

    def why_inactive(self) -> str:
        """Why the node is not active, and what to do about it."""
        ...


class MapServices:
    """Creates and answers the services. Errors are reported in the response, and logged.

    Args:
        node: to create the services on.
        status: tells why the node is not active.
        perception: owner of the map.
        path: returns the parameter ``map_file``.
        changed: called after the map was loaded or cleared.
        group: callback group of the services.
    """

    def __init__(
        self, node: Node, status: Status, perception: Perception, path: Callable[[], str],
        changed: Callable[[], None], group: CallbackGroup,
    ) -> None:  # fmt: skip
        self._node, self._status, self._perception, self._path = node, status, perception, path
        self._changed = changed
        node.create_service(ListObjects, "~/list_objects", self._list, callback_group=group)
        node.create_service(MapFile, "~/save_map", self._save, callback_group=group)
        node.create_service(MapFile, "~/load_map", self._load, callback_group=group)
        node.create_service(ClearMap, "~/clear_map", self._clear, callback_group=group)

    def _list(self, request: ListObjects.Request, response: ListObjects.Response) -> ListObjects.Response:
        def fill(objects: MapTracker) -> str:
            known = self._perception.known()
            if known is None:
                raise ValueError(self._status.why_inactive())
            response.objects = instance_array(known)
            remembered = sum(not track.visible for track in known.tracks)
            return f"{len(known.tracks)} objects, {remembered} of them remembered"

        return self._answer(response, fill)

    def _save(self, request: MapFile.Request, response: MapFile.Response) -> MapFile.Response:
        def save(objects: MapTracker) -> str:
            if not self._perception.configured:
                raise ValueError(f"nothing to save: {self._status.why_inactive()}")
            return objects.save(self._file(request))

        return self._answer(response, save)

    def _load(self, request: MapFile.Request, response: MapFile.Response) -> MapFile.Response:
        def load(objects: MapTracker) -> str:
            told = objects.load(self._file(request))
            self._perception.forget_result(loaded=True)
            self._changed()
            return told

        return self._answer(response, load)

    def _clear(self, request: ClearMap.Request, response: ClearMap.Response) -> ClearMap.Response:
        def clear(objects: MapTracker) -> str:
            count = len(objects.map)
            objects.reset()
            self._perception.forget_result()
            self._changed()
            return f"{count} objects forgotten"

        return self._answer(response, clear)

    def _file(self, request: MapFile.Request) -> str:
        path: str = request.path or self._path()
        if not path:
            raise ValueError("path: expected a file, got none, and the parameter map_file is empty")
        return path

    def _answer(self, response: Any, act: Callable[[MapTracker], str]) -> Any:
        objects = self._perception.map
        try:
            if objects is None:
                raise ValueError(NO_MAP)
            response.message, response.success = act(objects), True
        except (OSError, ValueError) as error:
            response.message, response.success = str(error), False
            self._node.get_logger().warning(str(error))
        except Exception as error:
            response.message, response.success = f"{type(error).__name__}: {error}", False
            self._node.get_logger().error(response.message)
        return response
