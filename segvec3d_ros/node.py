"""The managed node ``segvec3d``: clouds in, objects out, asked for in words.

Three threads: the executor that spins the node answers services and parameters; the intake takes clouds; the worker
computes on the latest one. They share the latest ``Result``, which never changes once it is made. A fourth loads the
model at start, so that services answer meanwhile; tf2, where it is installed, is heard by a fifth.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidHandle
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from segvec3d_core.config import DEFAULT_VOCABULARY
from segvec3d_core.object_map import warm_up
from segvec3d_core.pointcloud2 import cloud_of_message
from segvec3d_core.relations import View
from segvec3d_core.types import Matches, PointCloud
from segvec3d_interfaces.srv import FindObject, SetVocabulary
from segvec3d_ros import parameters
from segvec3d_ros.conversions import Result, names_of, nanoseconds, time_message
from segvec3d_ros.diagnostics import STAGES, Health, Snapshot, StageClock, diagnostic_array, short
from segvec3d_ros.finder import LOADING, Finder
from segvec3d_ros.intake import PATIENCE, Intake
from segvec3d_ros.lifetime import run_node
from segvec3d_ros.map_services import MapServices
from segvec3d_ros.mapping import MapTracker, map_settings
from segvec3d_ros.model import Loading, Model, Namer, load_segvec3d, release_memory
from segvec3d_ros.outputs import Outputs
from segvec3d_ros.share import use_large_messages
from segvec3d_ros.timeline import Timeline, Verdict
from segvec3d_ros.tracking import FrameTracker, Tracker
from segvec3d_ros.transforms import Transforms, make_transforms, up_in
from segvec3d_ros.worker import LatestWorker

NO_CAMERA = "none: clouds that no pinhole camera explains, not organised or in no optical frame"
"""The map then sees nothing to be gone."""

TELLING = 500
"""Fewer points do not tell what took a cloud: a lens may be covered."""

STOP_LIMIT = 1.0
"""Longest wait for the cloud in work when the node is deactivated or ends, seconds; its result is not published."""


class SegVec3DNode(LifecycleNode):
    """Configure loads the model, activate subscribes, deactivate stops work and keeps the model, cleanup frees it.

    Services exist from construction and answer INACTIVE until there is something to answer.

    Args:
        load_model: called with the parameters ``model`` (None: the shipped weights) and ``device``.
        transforms: TF; None takes tf2_ros where it is installed.
        tracker: gives instances their identity; None takes a map, or where the parameter ``object_map`` is false
            matches them to the cloud before.
        kwargs: of ``rclpy.node.Node``: context, namespace, parameter_overrides, cli_args, ...

    Raises:
        ValueError, InvalidParameterTypeException, InvalidParameterValueException: a parameter override is refused.
    """

    def __init__(
        self,
        load_model: Callable[[str | None, str], Model] = load_segvec3d,
        transforms: Transforms | None = None,
        tracker: Tracker | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__("segvec3d", **kwargs)
        self._load_model = load_model
        self._model: Model | None = None
        self._namer: Namer | None = None
        self._loading: Loading | None = None
        self._result: Result | None = None
        self._active = False
        self._finalized = False
        self._health = Health()
        self._complete = False
        self._tracker: Tracker = FrameTracker() if tracker is None else tracker
        self._given_tracker = tracker is not None
        self._failure = ""  # of the latest transition
        self._timeline = Timeline()
        self._stamp: int | None = None  # of the latest cloud that was believed
        self._camera = "unknown"  # that took the latest cloud
        self._kept = 0.0  # when the latest result came, monotonic seconds
        self._forgotten = 0  # how often the map became another one than the clouds had made
        self._result_lock = threading.Lock()
        parameters.declare(self)
        self._apply_parameters()
        self._transforms = make_transforms(self) if transforms is None else transforms
        self._choose_tracker()
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(lambda _: self._apply_parameters())
        self._outputs = Outputs(self)
        self._worker = LatestWorker(
            self._work, self._deliver, self._on_lost, "segvec3d worker", self._values["niceness"]
        )
        topic = self.resolve_topic_name("points")
        self._intake = Intake(self, topic, parameters.input_qos(self, topic), self._worker.submit)
        self._create_services()
        self._create_timers()
        for name in parameters.unknown_overrides(self):
            self.get_logger().warning(f"unknown parameter {name}: ignored; ros2 param list shows those there are")
        self._complete = True
        if self._values["autostart"]:
            self._loaded = self.create_guard_condition(self._start)
            self._loading = self._load(self._announce)

    def _create_services(self) -> None:
        group = ReentrantCallbackGroup()
        self._finder = Finder(self, self, self._transforms, lambda: float(self._values["tf_timeout"]))
        self.create_service(FindObject, "~/find_object", self._finder.answer, callback_group=group)
        self.create_service(SetVocabulary, "~/set_vocabulary", self._set_vocabulary)
        self._map_services = MapServices(self, self, lambda: str(self._values["map_file"]), group)

    def _create_timers(self) -> None:
        # Real time: simulated time may not have begun.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(1.0, self._report, clock=steady)

    # --- lifecycle ---------------------------------------------------------------------------------------------

    def _load(self, done: Callable[[], None] = lambda: None) -> Loading:
        values = self._values
        return Loading(self._load_everything, values["model"], values["device"], values["vocabulary"], done)

    def _load_everything(self, path: str | None, device: str) -> Model:
        """In the loading thread: the model, and what the first cloud would wait for."""
        model = self._load_model(path, device)
        if self._values["object_map"]:
            warm_up()
        return model

    def _announce(self) -> None:
        """In the loading thread: have the executor go on with ``_start``."""
        with contextlib.suppress(InvalidHandle):  # the node has gone meanwhile
            self._loaded.trigger()

    def _start(self) -> None:
        # Somebody else may have configured it or shut it down while the model was loading.
        if (
            self._loading is not None
            and not self._finalized
            and self.trigger_configure() == TransitionCallbackReturn.SUCCESS
        ):
            self.trigger_activate()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take the model that was loaded at start, or load it now, which holds up services until it is there.

        A missing or broken weight file fails with one line, and can be retried.
        """
        path, device = self._values["model"], self._values["device"]
        loading = self._loading
        if loading is None or (loading.path, loading.device) != (path, device):
            loading = self._loading = self._load()
        try:
            loaded = loading.result()
        except Exception as error:
            return self._failed(f"cannot load the model {path or '(shipped)'} on {device}: {error}")
        finally:
            self._loading = None
        self._failure = ""
        self._model, self._namer = loaded.model, loaded.namer
        self._choose_tracker()
        self._load_map(loaded.model.info)
        self.get_logger().info(f"model ready on {loaded.model.device} after {loading.seconds:.1f} s")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take clouds."""
        try:
            self._intake.open()
        except Exception as error:  # rclpy would swallow it
            return self._failed(f"cannot subscribe to {self._intake.topic}: {error}")
        self._failure = ""
        done = super().on_activate(state)
        self._activated = time.monotonic()
        self._health.begin()
        self._worker.start()
        self._active = True
        self.get_logger().info(f"waiting for clouds on {self._intake.topic}")
        return done

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take no more clouds, drop the result of the one in work, take the markers down; the model stays."""
        self._halt()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model."""
        self._failure = ""
        self._free()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything."""
        self._finalized = True
        self._failure = ""
        self._halt()
        self._free()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After a failed transition: back to unconfigured, so that it can be tried again."""
        self._failed("a transition ended in an unexpected error")
        self._halt()
        self._free()
        return TransitionCallbackReturn.SUCCESS

    def _failed(self, reason: str) -> TransitionCallbackReturn:
        """For the log, and for the diagnostics until the next transition goes well."""
        self._failure = reason
        self.get_logger().error(reason)
        return TransitionCallbackReturn.FAILURE

    def _halt(self) -> None:
        self._active = False
        self._intake.close()
        if self.map is not None:
            self.map.give_up()
        if not self._worker.stop(STOP_LIMIT):
            self.get_logger().warning(f"a cloud is in work for more than {STOP_LIMIT:g} s: its result will be dropped")
        if self.context.ok():
            self._outputs.clear()
        with self._result_lock:  # what is being delivered looks there once more whether it is wanted
            self._result = None
        if self.map is None:
            self._tracker.reset()

    def _free(self) -> None:
        self._tracker.reset()
        self._model = self._namer = None
        release_memory()

    def destroy_node(self) -> None:
        """End the threads, then the node."""
        self._active = False
        if self._complete:  # not after a refused parameter, nor a second time when the context goes down
            self._complete = False
            self._intake.destroy()
            self._transforms.close()
            self._worker.stop(STOP_LIMIT)
        super().destroy_node()

    @property
    def busy(self) -> bool:
        """Whether a thread is still at work that nobody waits for any more: on a stopped cloud, or loading a model."""
        return self._worker.busy or (self._loading is not None and self._loading.busy)

    @property
    def finalized(self) -> bool:
        """Whether it has been shut down, which cannot be done twice."""
        return self._finalized

    # --- clouds ------------------------------------------------------------------------------------------------

    def _work(self, message: PointCloud2) -> tuple[Result, StageClock]:
        """One cloud, in the worker's thread: convert, call the core."""
        model, namer = self._model, self._namer
        if model is None or namer is None:
            raise RuntimeError("the model was freed before the cloud's turn came")
        values, config = self._values, self._config
        clock = StageClock()
        stamp, frame = nanoseconds(message.header.stamp), message.header.frame_id
        self._follow_time(stamp)
        level = values["gravity_frames"]
        cloud = cloud_of_message(message, up_in(frame, stamp, level, self._transforms), frame not in level)
        self._note_camera(cloud)
        clock.lap("convert")
        scene = model.segment(cloud, config)
        clock.timings.update(scene.timings)
        clock.lap("segment")
        namer.read(values["vocabulary"])  # new words take long, and belong here
        clock.lap("name")
        return Result(message.header, message.width, message.height, cloud, scene, (), ()), clock

    def _note_camera(self, cloud: PointCloud) -> None:
        if np.isfinite(cloud.points[:, 2]).sum() < TELLING:
            return
        self._camera = _camera_of(cloud)
        if self._camera == NO_CAMERA and self.map is not None:
            lacks = "what is taken away stays in the map, and poses are not corrected (docs/objects.md)"
            self.get_logger().warning(f"camera: {NO_CAMERA}: {lacks}", once=True)

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

    def _deliver(self, work: tuple[Result, StageClock]) -> None:
        """What the worker does with a result that is still wanted: track, name, keep, publish."""
        untracked, clock = work
        if not self.context.ok():
            return
        forgotten = self._forgotten
        tracks = self._tracker.update(untracked.scene, untracked.cloud, untracked.stamp, untracked.header.frame_id)
        clock.lap("track")
        if not self._worker.wanted:  # stopped while it waited for a transform
            return
        result = replace(untracked, tracks=tracks)
        known = self._named(result if self.map is None else self.map.known(result.header))
        clock.lap("name")
        with self._result_lock:
            if forgotten != self._forgotten or not self._worker.wanted:  # the map is another one by now
                return
            self._result, self._kept = known, time.monotonic()
        self._outputs.publish(result, known)
        clock.lap("publish")
        clock.timings["total"] = sum(clock.timings[stage] for stage in STAGES)
        self._health.done(clock.timings)

    def _on_lost(self, error: Exception) -> None:
        if not self.context.ok():  # ROS went down under the cloud: no news
            return
        reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        self._health.lost(reason)
        self.get_logger().error(f"cloud lost: {reason}", throttle_duration_sec=5.0)

    # --- services and parameters -------------------------------------------------------------------------------

    @property
    def active(self) -> bool:
        """Whether clouds are taken."""
        return self._active

    @property
    def result(self) -> Result | None:
        """The latest cloud's result, None before the first."""
        return self._result

    @property
    def map(self) -> MapTracker | None:
        """The map over time, None where there is none."""
        return self._tracker if isinstance(self._tracker, MapTracker) else None

    @property
    def loaded(self) -> bool:
        """Whether there is a map of a file to which no cloud has been added yet."""
        return self.map is not None and self.map.map.stamp_ns is None and len(self.map.map) > 0

    def known(self) -> Result:
        """What the map holds now, named; at the stamp of the latest cloud."""
        if (result := self._result) is not None:
            return result
        if self.map is None or (namer := self._namer) is None:
            raise ValueError(self.why_inactive())
        known = self.map.known(Header(stamp=time_message(self.map.map.stamp_ns or 0)))
        # New words take long, and would hold up services: until the worker has read them things have no names.
        if not namer.knows(self._values["vocabulary"]):
            return replace(known, names=(("", 0.0),) * len(known.scene))
        return self._named(known)

    @property
    def configured(self) -> bool:
        """Whether there is a model."""
        return self._model is not None

    def forget_result(self) -> None:
        """Wait for the next cloud before anything is found; what comes of the one in work is not kept."""
        with self._result_lock:
            self._forgotten += 1
            self._result = None

    def _named(self, result: Result) -> Result:
        if (namer := self._namer) is None:
            raise RuntimeError("the model was freed before the cloud's turn came")
        return replace(result, names=names_of(namer.name(result.scene, self._values["vocabulary"])))

    def _choose_tracker(self) -> None:
        """A map, or what matches one cloud to the next, as the parameter ``object_map`` says."""
        if self._given_tracker or self._values["object_map"] == (self.map is not None):
            return
        then = self._tracker.next_id  # an id never names another thing
        if self._values["object_map"]:
            warn = self.get_logger().warning
            self._tracker = MapTracker(self._transforms, map_settings(self._values), lambda line: warn(line), then)
        else:
            self._tracker = FrameTracker(then)

    def _load_map(self, info: dict[str, Any]) -> None:
        """Begin with what was saved, where the parameter ``map_file`` names a file that is there."""
        if self.map is None:
            return
        self.map.embedded_by(info)
        path = str(self._values["map_file"])
        if not path or len(self.map.map):
            return
        try:
            if Path(path).expanduser().exists():
                self.get_logger().info(self.map.load(path))
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: nobody's home, as in ~nobody/map.npz
            self.get_logger().error(f"cannot load the map: {error}")

    def find(
        self, result: Result, query: str, top_k: int | None, min_similarity: float | None, view: View | None
    ) -> Matches:
        """Search a result for what a text describes; directions are those of ``view``, None for the camera's."""
        if (model := self._model) is None:
            raise RuntimeError("the model was freed during the request")
        return model.find(result.scene, query, top_k, min_similarity, view)

    def why_inactive(self) -> str:
        """What to do so that requests are answered."""
        name = self.get_fully_qualified_name()
        if self._loading is not None and self._loading.busy:
            return f"{name} {LOADING}: ask again"
        return f"{name} is not active: ros2 lifecycle set {name} configure, then activate"

    @property
    def age(self) -> float:
        """Seconds since the latest result came."""
        return time.monotonic() - self._kept

    def why_no_data(self) -> str:
        """What keeps clouds from arriving, as far as the graph shows it."""
        return self._intake.problem() or (self._health.last_error and f"the latest cloud: {self._health.last_error}")

    def _set_vocabulary(
        self, request: SetVocabulary.Request, response: SetVocabulary.Response
    ) -> SetVocabulary.Response:
        words = list(request.labels) or list(DEFAULT_VOCABULARY)
        result = self.set_parameters([Parameter("vocabulary", Parameter.Type.STRING_ARRAY, words)])[0]
        response.success = result.successful
        response.message = f"{len(words)} words from the next cloud on" if result.successful else result.reason
        return response

    def _check_parameters(self, changes: list[Parameter[Any]]) -> SetParametersResult:
        wanted = {change.name: change.value for change in changes if change.name in parameters.SPECS}
        for name, value in wanted.items():
            if parameters.SPECS[name].unconfigured and self._model is not None and value != self._values[name]:
                reason = f"{name}: changes only while unconfigured; deactivate and clean up first"
                return SetParametersResult(successful=False, reason=reason)
        reason = parameters.refusal({**self._values, **wanted})
        return SetParametersResult(successful=not reason, reason=reason)

    def _apply_parameters(self) -> None:
        values = parameters.values(self)
        self._config = parameters.segmentation_config(values)
        self._values = values
        if self.map is not None and self.map.configure(map_settings(values)):
            self.forget_result()

    # --- health ------------------------------------------------------------------------------------------------

    def _report(self) -> None:
        problem = self._intake.problem() if self._active else ""
        silence = self._health.silent_for()
        if silence is None and self._active:
            silence = time.monotonic() - self._activated
        if problem and silence is not None and silence > PATIENCE:
            self._intake.warn_of_silence(problem)
        snapshot = Snapshot(
            state=self._state_in_words(),
            problem=problem,
            facts=self._facts(),
            received=self._worker.received,
            dropped=self._worker.dropped,
            working=self._worker.working_for,
            failure=self._failure,
        )
        stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(diagnostic_array(self.get_fully_qualified_name(), self._health, snapshot, stamp))

    def _state_in_words(self) -> str:
        if self._active or self._model is not None:
            return "active" if self._active else "inactive"
        return f"unconfigured, {LOADING}" if self._loading is not None and self._loading.busy else "unconfigured"

    def _facts(self) -> dict[str, str]:
        model, result = self._model, self._result
        info = {} if model is None else short(model.info)
        return {
            "topic": self._intake.topic,
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
    if (camera := cloud.camera) is not None:
        return f"{camera.width} x {camera.height}, focal lengths {camera.fx:.0f} and {camera.fy:.0f} pixels"
    return "some, by its unorganised points" if cloud.is_optical else NO_CAMERA


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node until it is interrupted; ``argv`` are ROS arguments, by default the process's own.

    Returns:
        0, or 2 when an argument or a parameter is refused.
    """
    use_large_messages()
    return run_node(lambda: SegVec3DNode(load_segvec3d), sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
