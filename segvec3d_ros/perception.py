"""What the node makes of clouds, and what it knows of them: a result of each, named, and a map over time.

``work`` and ``keep`` run in the worker's thread, everything else in the executor's. They share the latest ``Result``,
which never changes once it is made.
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
"""The map then sees nothing to be gone."""

TELLING = 500
"""Fewer points do not tell what took a cloud, nor its unit: a lens may be covered."""


class Perception:
    """Converts a cloud, has the core find objects in it, tracks, names and keeps them, and searches what is kept.

    Args:
        node: for its log.
        transforms: TF.
        values, config: see ``configure``.
        tracker: gives instances their identity; None takes a map, or where the parameter ``object_map`` is false
            matches them to the cloud before.
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
        self._stamp: int | None = None  # of the latest cloud that was believed
        self._camera = "unknown"  # that took the latest cloud
        self._unit: str | None = None  # why the first cloud since the node is active seems not to be in metres
        self._result: Result | None = None
        self._kept = 0.0  # when the latest result came, monotonic seconds
        self._stands = False  # whether a map that is there answers where there is no result
        self._seen = False  # whether a cloud came since the node is active
        self._forgotten = 0  # how often the map became another one than the clouds had made
        self._result_lock = threading.Lock()
        self.configure(values, config)
        self._choose_tracker()

    # --- set up, and taken down --------------------------------------------------------------------------------

    def configure(self, values: dict[str, Any], config: SegmentationConfig) -> bool:
        """Take parameters, ``parameters.values``, and what the core is told by them; also while clouds come. Returns
        whether the map began anew in another frame."""
        self._config = config
        self._values = values
        moved = self.map is not None and self.map.configure(map_settings(values))
        if moved:
            self.forget_result()
        return moved

    def equip(self, loaded: Loaded) -> None:
        """Take the model, and begin with the map that was saved, where the parameter ``map_file`` names one."""
        self._model, self._namer = loaded.model, loaded.namer
        self._choose_tracker()
        self._load_map(loaded.model.info)

    def give_up(self) -> None:
        """Let a cloud that waits for its transform wait no longer."""
        if self.map is not None:
            self.map.give_up()

    def halt(self) -> None:
        """Once the worker was stopped: what it found is no answer any more. A map stays."""
        with self._result_lock:  # what is being delivered looks there once more whether it is wanted
            self._result, self._stands, self._seen, self._unit = None, True, False, None
        if self.map is None:
            self._tracker.reset()

    def free(self) -> None:
        """Forget model and objects."""
        self._tracker.reset()
        self._model = self._namer = None
        release_memory()

    def _choose_tracker(self) -> None:
        """A map, or what matches one cloud to the next, as the parameter ``object_map`` says."""
        if self._given_tracker or self._values["object_map"] == (self.map is not None):
            return
        then = self._tracker.next_id  # an id never names another thing
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
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: nobody's home, as in ~nobody/map.npz
            self.map.trouble = f"cannot load the map: {error}"
            self._node.get_logger().error(self.map.trouble)

    # --- clouds, in the worker's thread ------------------------------------------------------------------------

    def work(self, message: PointCloud2) -> tuple[Result, StageClock]:
        """One cloud: convert, call the core. The result has neither tracks nor names yet.

        Raises:
            ValueError: the cloud is refused, or is left out for its stamp.
        """
        model, namer = self._model, self._namer
        if model is None or namer is None:
            raise RuntimeError("the model was freed before the cloud's turn came")
        values, config = self._values, self._config
        clock = StageClock()
        stamp, frame = nanoseconds(message.header.stamp), message.header.frame_id
        level = values["gravity_frames"]
        cloud = cloud_of_message(message, from_sensor=frame not in level)
        self._follow_time(stamp)  # of a cloud that cannot be read no stamp is believed
        cloud = replace(cloud, up=up_in(frame, stamp, level, self._transforms))
        if np.isfinite(cloud.points[:, 2]).sum() >= TELLING:
            self._note_camera(cloud)
            self._note_unit(cloud)
        clock.lap("convert")
        scene = model.segment(cloud, config)
        clock.timings.update(scene.timings)
        clock.lap("segment")
        namer.read(values["vocabulary"])  # new words take long, and belong here
        clock.lap("name")
        return Result(message.header, message.width, message.height, cloud, scene, (), ()), clock

    def keep(self, untracked: Result, clock: StageClock, wanted: Callable[[], bool]) -> tuple[Result, Result] | None:
        """Track and name what ``work`` found, and keep it for questions.

        Args:
            untracked, clock: of ``work``. wanted: whether the work has not been stopped meanwhile.

        Returns:
            the cloud's own result and what is known with it, the map's where there is one; None where it is not wanted.
        """
        forgotten = self._forgotten
        tracks = self._tracker.update(untracked.scene, untracked.cloud, untracked.stamp, untracked.header.frame_id)
        clock.lap("track")
        if not wanted():  # stopped while it waited for a transform
            return None
        result = replace(untracked, tracks=tracks)
        known = self._named(result if self.map is None else self.map.known(result.header))
        clock.lap("name")
        with self._result_lock:
            if forgotten != self._forgotten or not wanted():  # the map is another one by now
                return None
            self._result, self._stands, self._seen, self._kept = known, False, True, time.monotonic()
        return result, known

    def _note_camera(self, cloud: PointCloud) -> None:
        self._camera = _camera_of(cloud)
        if self._camera == NO_CAMERA and self.map is not None:
            lacks = "what is taken away stays in the map, and poses are not corrected (docs/objects.md)"
            self._node.get_logger().warning(f"camera: {NO_CAMERA}: {lacks}", once=True)

    def _note_unit(self, cloud: PointCloud) -> None:
        """Once while the node is active: a driver does not change its unit."""
        if self._unit is not None:
            return
        self._unit = ""
        if doubt := unit_doubt(cloud.points):
            self._unit = f"the first cloud: {doubt}: have its driver send them so, and activate the node anew"
            self._node.get_logger().warning(self._unit)

    def _follow_time(self, stamp: int) -> None:
        """Forget transforms and results of another time, once two clouds in a row say that it was set back.

        Raises:
            ValueError: the cloud came late or is alone in what it says, and there is no map, which tells the same.
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
        """Whether there is a model."""
        return self._model is not None

    @property
    def result(self) -> Result | None:
        """The latest cloud's result, None before the first."""
        return self._result

    @property
    def age(self) -> float:
        """Seconds since the latest result came."""
        return time.monotonic() - self._kept

    @property
    def since(self) -> str:
        """Since when no cloud has come, where there is no result."""
        return "the map became another or time was set back" if self._seen else "the node is active"

    @property
    def map(self) -> MapTracker | None:
        """The map over time, None where there is none."""
        return self._tracker if isinstance(self._tracker, MapTracker) else None

    @property
    def kept(self) -> bool:
        """Whether there is a map that answers until the next result: it was loaded, or the node was deactivated."""
        return self.map is not None and len(self.map.map) > 0 and self._stands

    def known(self) -> Result | None:
        """What the map holds now, named; at the stamp of the latest cloud. None where there is no model to name it."""
        if (result := self._result) is not None:
            return result
        if self.map is None or (namer := self._namer) is None:
            return None
        known = self.map.known(Header(stamp=time_message(self.map.map.stamp_ns or 0)))
        # New words take long, and would hold up services: until the worker has read them things have no names.
        if not namer.knows(self._values["vocabulary"]):
            return replace(known, names=(("", 0.0),) * len(known.scene))
        return self._named(known)

    def find(
        self, result: Result, query: str, top_k: int | None, min_similarity: float | None, view: View | None
    ) -> Matches:
        """Search a result for what a text describes; directions are those of ``view``, None for the camera's."""
        if (model := self._model) is None:
            raise RuntimeError("the model was freed during the request")
        return model.find(result.scene, query, top_k, min_similarity, view)

    def forget_result(self, loaded: bool = False) -> None:
        """Wait for the next cloud before anything is found, unless the map was ``loaded`` just now; what comes of the
        one in work is not kept."""
        with self._result_lock:
            self._forgotten += 1
            self._result, self._stands = None, loaded

    @property
    def concern(self) -> str:
        """What should be known though clouds are worked on, "" for nothing."""
        trouble = "" if self.map is None else self.map.trouble
        return "; ".join(told for told in (self._unit, trouble) if told)

    def facts(self) -> dict[str, str]:
        """For the diagnostics."""
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
    """What saw a cloud, in words for the diagnostics."""
    if (camera := cloud.any_camera) is not None:
        along = ", along x" if cloud.camera is None else ""
        return f"{camera.width} x {camera.height}, focal lengths {camera.fx:.0f} and {camera.fy:.0f} pixels{along}"
    return NO_CAMERA if cloud.camera_axes is None else "some, by its unorganised points"
