"""Processes the clouds and keeps the results: that of the latest cloud, with names, and a map over time.

``work`` and ``keep`` run in the worker's thread, everything else in the executor's. They share the latest ``Result``,
which is immutable.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from segvec3d_core.config import SegmentationConfig
from segvec3d_core.pointcloud2 import cloud_of_message
from segvec3d_core.relations import View
from segvec3d_core.types import Matches, PointCloud
from segvec3d_core.units import unit_doubt
from segvec3d_ros.conversions import Result, names_of, nanoseconds, time_message
from segvec3d_ros.diagnostics import StageClock, short
from segvec3d_ros.mapping import MapTracker, map_path, map_settings
from segvec3d_ros.model import Loaded, Model, Namer, release_memory
from segvec3d_ros.timeline import Timeline, Verdict
from segvec3d_ros.tracking import FrameTracker, Tracker
from segvec3d_ros.transforms import Transforms, up_in

NO_CAMERA = "none: no camera at the origin of the clouds' frame explains them"
"""Text for such clouds. The map then cannot detect that an object has been removed."""

TELLING = 500
"""Fewest finite points from which camera and unit are determined; with fewer, the lens may be covered."""


class Perception:
    """Converts clouds, segments them with the core, tracks, names and keeps the objects, and searches them.

    Args:
        node: for its logger.
        transforms: TF.
        values, config: see ``configure``.
        tracker: gives instances their identity; None uses a map, or matches consecutive clouds if the parameter
            ``object_map`` is false.
    """

    def __init__(
        self,
        node: Node,
        transforms: Transforms,
        values: dict[str, Any],
        config: SegmentationConfig,
        tracker: Tracker | None = None,
    ) -> None:
        self._node, self._transforms = node, transforms
        self._model: Model | None = None
        self._namer: Namer | None = None
        self._tracker: Tracker = FrameTracker() if tracker is None else tracker
        self._given_tracker = tracker is not None
        self._timeline = Timeline()
        self._stamp: int | None = None  # of the latest accepted cloud, nanoseconds
        self._camera = "unknown"  # description of the camera of the latest cloud
        self._unit: str | None = None  # why the first cloud since activation seems not to be in metres; None: no cloud
        self._result: Result | None = None
        self._kept = 0.0  # time of the latest result, monotonic seconds
        self._stands = False  # whether queries may be answered from the map while there is no result
        self._seen = False  # whether a cloud has been processed since activation
        self._forgotten = 0  # how often the result was discarded because the map was replaced
        self._result_lock = threading.Lock()
        self.configure(values, config)
        self._choose_tracker()

    # --- set up, and taken down --------------------------------------------------------------------------------

    def configure(self, values: dict[str, Any], config: SegmentationConfig) -> bool:
        """Apply parameters, also while clouds are being processed.

        Args:
            values: from ``parameters.values``.
            config: the core's configuration made of them.

        Returns:
            whether the map was reset because its frame changed.
        """
        self._config = config
        self._values = values
        moved = self.map is not None and self.map.configure(map_settings(values))
        if moved:
            self.forget_result()
        return moved

    def equip(self, loaded: Loaded) -> None:
        """Set the model, and load the file named by the parameter ``map_file`` if there is one and the map is empty."""
        self._model, self._namer = loaded.model, loaded.namer
        self._choose_tracker()
        self._load_map(loaded.model.info)

    def give_up(self) -> None:
        """Discard a cloud that is waiting for its transform."""
        if self.map is not None:
            self.map.give_up()

    def halt(self) -> None:
        """Discard the latest result, after the worker was stopped. A map is kept, and answers queries."""
        with self._result_lock:  # ``keep`` checks under this lock whether its result is still wanted
            self._result, self._stands, self._seen, self._unit = None, True, False, None
        if self.map is None:
            self._tracker.reset()

    def free(self) -> None:
        """Release the model and forget all objects."""
        self._tracker.reset()
        self._model = self._namer = None
        release_memory()

    def _choose_tracker(self) -> None:
        """Use a map, or a tracker from cloud to cloud, according to the parameter ``object_map``."""
        if self._given_tracker or self._values["object_map"] == (self.map is not None):
            return
        then = self._tracker.next_id  # ids are never reused
        if self._values["object_map"]:
            warn = self._node.get_logger().warning
            self._tracker = MapTracker(self._transforms, map_settings(self._values), lambda line: warn(line), then)
        else:
            self._tracker = FrameTracker(then)

    def _load_map(self, info: dict[str, Any]) -> None:
        if self.map is None:
            return
        self.map.embedded_by(info)
        path = str(self._values["map_file"])
        if not path or len(self.map.map):
            return
        try:
            if (file := map_path(path)).exists():
                self._node.get_logger().info(self.map.load(path))
                self._stands = True
            else:
                self._node.get_logger().info(f"{file}: no such file yet: the map begins empty")
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: unknown home directory, ~nobody/map.npz
            self.map.trouble = f"cannot load the map: {error}"
            self._node.get_logger().error(self.map.trouble)

    # --- clouds, in the worker's thread ------------------------------------------------------------------------

    def work(self, message: PointCloud2) -> tuple[Result, StageClock]:
        """Convert and segment a cloud. The result has neither tracks nor names yet.

        Raises:
            ValueError: the cloud is malformed, or refused because of its stamp.
            RuntimeError: the model has been freed.
        """
        model, namer = self._model, self._namer
        if model is None or namer is None:
            raise RuntimeError("the model was freed before the cloud's turn came")
        values, config = self._values, self._config
        clock = StageClock()
        stamp, frame = nanoseconds(message.header.stamp), message.header.frame_id
        level = values["gravity_frames"]
        cloud = cloud_of_message(message, from_sensor=frame not in level)
        self._follow_time(stamp)  # after the conversion: the stamp of a malformed cloud is ignored
        cloud = replace(cloud, up=up_in(frame, stamp, level, self._transforms))
        if np.isfinite(cloud.points[:, 2]).sum() >= TELLING:
            self._note_camera(cloud)
            self._note_unit(cloud)
        clock.lap("convert")
        scene = model.segment(cloud, config)
        clock.timings.update(scene.timings)
        clock.lap("segment")
        namer.read(values["vocabulary"])  # new words take long; the result of ``work`` can still be dropped
        clock.lap("name")
        return Result(message.header, message.width, message.height, cloud, scene, (), ()), clock

    def keep(self, untracked: Result, clock: StageClock, wanted: Callable[[], bool]) -> tuple[Result, Result] | None:
        """Track and name the objects that ``work`` found, and keep the result for queries.

        Args:
            untracked, clock: from ``work``.
            wanted: whether the worker has not been stopped meanwhile.

        Returns:
            the result of the cloud, without names, and the named result for queries, which is the map's if there is
            one; None if the worker was stopped or the map replaced meanwhile.

        Raises:
            ValueError: the tracker refused the cloud.
            RuntimeError: the model has been freed.
        """
        forgotten = self._forgotten
        tracks = self._tracker.update(untracked.scene, untracked.cloud, untracked.stamp, untracked.header.frame_id)
        clock.lap("track")
        if not wanted():  # stopped while waiting for a transform
            return None
        result = replace(untracked, tracks=tracks)
        known = self._named(result if self.map is None else self.map.known(result.header))
        clock.lap("name")
        with self._result_lock:
            if forgotten != self._forgotten or not wanted():  # the map has been replaced meanwhile
                return None
            self._result, self._stands, self._seen, self._kept = known, False, True, time.monotonic()
        return result, known

    def _note_camera(self, cloud: PointCloud) -> None:
        self._camera = _camera_of(cloud)
        if self._camera == NO_CAMERA and self.map is not None:
            lacks = "what is taken away stays in the map, and poses are not corrected (docs/objects.md)"
            self._node.get_logger().warning(f"camera: {NO_CAMERA}: {lacks}", once=True)

    def _note_unit(self, cloud: PointCloud) -> None:
        """Check the unit once per activation, as a driver does not change it."""
        if self._unit is not None:
            return
        self._unit = ""
        if doubt := unit_doubt(cloud.points):
            self._unit = f"the first cloud: {doubt}: have its driver send them so, and activate the node anew"
            self._node.get_logger().warning(self._unit)

    def _follow_time(self, stamp: int) -> None:
        """Clear transforms and results once two clouds in a row confirm that time was set back.

        Raises:
            ValueError: the cloud is late or its jump is unconfirmed. Not raised with a map, which refuses it itself.
        """
        verdict = self._timeline.judge(self._stamp, stamp)
        if verdict in (Verdict.LATE, Verdict.ODD):
            if self.map is None and self._stamp is not None:
                raise ValueError(f"its stamp is {(stamp - self._stamp) / 1e9:+.3f} s from the latest: it is left out")
            return
        if verdict is Verdict.ELSEWHERE and self._stamp is not None and stamp < self._stamp:
            self._transforms.clear()
            self.forget_result()
        self._stamp = stamp

    def _named(self, result: Result) -> Result:
        if (namer := self._namer) is None:
            raise RuntimeError("the model was freed before the cloud's turn came")
        return replace(result, names=names_of(namer.name(result.scene, self._values["vocabulary"])))

    # --- what is known -----------------------------------------------------------------------------------------

    @property
    def configured(self) -> bool:
        """Whether a model is loaded."""
        return self._model is not None

    @property
    def result(self) -> Result | None:
        """Result for queries after the latest cloud; None before the first and after it was discarded."""
        return self._result

    @property
    def age(self) -> float:
        """Seconds since the latest result."""
        return time.monotonic() - self._kept

    @property
    def since(self) -> str:
        """The event since which there has been no cloud, if there is no result."""
        return "the map became another or time was set back" if self._seen else "the node is active"

    @property
    def map(self) -> MapTracker | None:
        """The map over time, None without one."""
        return self._tracker if isinstance(self._tracker, MapTracker) else None

    @property
    def kept(self) -> bool:
        """Whether a non-empty map answers queries until the next result: it was loaded, or the node was deactivated."""
        return self.map is not None and len(self.map.map) > 0 and self._stands

    def known(self) -> Result | None:
        """The latest result, else the contents of the map at the stamp of its latest cloud; with names. None if there
        is no result and no map or model."""
        if (result := self._result) is not None:
            return result
        if self.map is None or (namer := self._namer) is None:
            return None
        known = self.map.known(Header(stamp=time_message(self.map.map.stamp_ns or 0)))
        # Encoding new words takes long and would block services: objects have no names until the worker has done it.
        if not namer.knows(self._values["vocabulary"]):
            return replace(known, names=(("", 0.0),) * len(known.scene))
        return self._named(known)

    def find(
        self, result: Result, query: str, top_k: int | None, min_similarity: float | None, view: View | None
    ) -> Matches:
        """Search a result for the objects that match a text; directions refer to ``view``, None for the camera's."""
        if (model := self._model) is None:
            raise RuntimeError("the model was freed during the request")
        return model.find(result.scene, query, top_k, min_similarity, view)

    def forget_result(self, loaded: bool = False) -> None:
        """Discard the result, and that of the cloud being processed. Queries are answered from the next cloud on, or
        from the map at once if it was ``loaded``."""
        with self._result_lock:
            self._forgotten += 1
            self._result, self._stands = None, loaded

    @property
    def concern(self) -> str:
        """Warnings to report although clouds are being processed, "" for none."""
        trouble = "" if self.map is None else self.map.trouble
        return "; ".join(told for told in (self._unit, trouble) if told)

    def facts(self) -> dict[str, str]:
        """Values for the diagnostics."""
        model, result = self._model, self._result
        info = {} if model is None else short(model.info)
        return {
            "device": "" if model is None else str(model.device),
            "model": "" if model is None else self._values["model"] or "shipped",
            **info,
            "vocabulary": f"{len(self._values['vocabulary'])} words",
            **({} if self.map is None else self.map.facts()),
            "camera": self._camera,
            "up": "unknown" if result is None or result.cloud.up is None else np.array2string(result.cloud.up),
        }


def _camera_of(cloud: PointCloud) -> str:
    """Description of the camera of a cloud, for the diagnostics."""
    if (camera := cloud.any_camera) is not None:
        along = ", along x" if cloud.camera is None else ""
        return f"{camera.width} x {camera.height}, focal lengths {camera.fx:.0f} and {camera.fy:.0f} pixels{along}"
    return NO_CAMERA if cloud.camera_axes is None else "some, by its unorganised points"
