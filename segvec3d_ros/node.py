"""The managed node ``segvec3d``: clouds in, objects out, asked for in words.

Three threads: the executor that spins the node answers services and parameters; the intake takes clouds; the worker
computes on the latest one. They share the latest ``Result``, which never changes once it is made.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import PointCloud2

from segvec3d_core.config import DEFAULT_VOCABULARY, SegmentationConfig
from segvec3d_core.types import Matches, PointCloud, Scene
from segvec3d_interfaces.srv import FindObject, SetVocabulary
from segvec3d_ros import parameters
from segvec3d_ros.conversions import Result, names_of, nanoseconds, to_cloud
from segvec3d_ros.diagnostics import Health, Snapshot, diagnostic_array
from segvec3d_ros.finder import Finder
from segvec3d_ros.intake import Intake, spin_forever
from segvec3d_ros.outputs import Outputs
from segvec3d_ros.share import use_large_messages
from segvec3d_ros.tracking import FrameTracker, Tracker
from segvec3d_ros.transforms import Transforms, make_transforms, up_in
from segvec3d_ros.worker import LatestWorker

PATIENCE = 3.0
"""Seconds without a cloud before the log says why."""


class Model(Protocol):
    """What the node needs of ``segvec3d_core.SegVec3D``."""

    @property
    def device(self) -> Any:
        """The torch device in use."""
        ...

    @property
    def info(self) -> dict[str, Any]:
        """What is known of the weights."""
        ...

    def segment(self, cloud: PointCloud, config: SegmentationConfig | None = None) -> Scene:
        """Find the instances of a cloud."""
        ...

    def find(self, scene: Scene, text: str, top_k: int | None = None, min_similarity: float | None = None) -> Matches:
        """The objects that a text describes."""
        ...

    def name(self, scene: Scene, labels: Sequence[str]) -> list[tuple[str, float]]:
        """The best of ``labels`` for each object."""
        ...

    def warm_up(self) -> None:
        """Load and compile everything that the first cloud and the first query would wait for."""
        ...


def load_segvec3d(path: str | None, device: str) -> Model:
    """``SegVec3D.load``; imported here, because torch takes seconds and a machine without it should say so late."""
    from segvec3d_core.pipeline import SegVec3D

    model: Model = SegVec3D.load(Path(path) if path else None, device)
    return model


class SegVec3DNode(LifecycleNode):
    """Configure loads the model, activate subscribes, deactivate stops work and keeps the model, cleanup frees it.

    Services exist from construction and answer INACTIVE until there is something to answer.

    Args:
        load_model: called with the parameters ``model`` (None: the shipped weights) and ``device``.
        transforms: TF; None takes tf2_ros where it is installed.
        tracker: gives instances their identity; None matches them to the cloud before.
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
        self._result: Result | None = None
        self._active = False
        self._problem = ""
        self._text_lock = threading.Lock()  # tokenizers are not thread-safe: worker and services take turns
        self._health = Health()
        self._complete = False
        self._tracker: Tracker = FrameTracker() if tracker is None else tracker
        parameters.declare(self)
        self._apply_parameters()
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(lambda _: self._apply_parameters())
        self._transforms = make_transforms(self) if transforms is None else transforms
        self._outputs = Outputs(self)
        self._worker: LatestWorker[PointCloud2] = LatestWorker(self._process, self._on_lost, "segvec3d worker")
        topic = self.resolve_topic_name("points")
        self._intake = Intake(self, topic, parameters.input_qos(self, topic), self._worker.submit)
        self._create_services()
        self._create_timers()
        for name in parameters.unknown_overrides(self):
            self.get_logger().warning(f"unknown parameter {name}: ignored; ros2 param list shows those there are")
        self._complete = True

    def _create_services(self) -> None:
        group = ReentrantCallbackGroup()
        self._finder = Finder(self, self, self._transforms, lambda: float(self._values["tf_timeout"]), group)
        self.create_service(FindObject, "~/find_object", self._finder.answer, callback_group=group)
        self.create_service(SetVocabulary, "~/set_vocabulary", self._set_vocabulary)

    def _create_timers(self) -> None:
        # Real time: simulated time may not have begun.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(1.0, self._report, clock=steady)
        if self._values["autostart"]:
            self._start_timer = self.create_timer(0.0, self._start, clock=steady)

    # --- lifecycle ---------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._start_timer.cancel()
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and warm it up. A missing or broken weight file fails with one line, and can be retried."""
        path, device = self._values["model"], self._values["device"]
        try:
            started = time.monotonic()
            model = self._load_model(path or None, device)
            model.warm_up()
            # The sentence encoder reads the vocabulary now rather than while the first cloud waits.
            model.name(Scene(np.empty(0, np.int32)), self._values["vocabulary"])
            self._model = model
        except Exception as error:
            self.get_logger().error(f"cannot load the model {path or '(shipped)'} on {device}: {error}")
            return TransitionCallbackReturn.FAILURE
        self.get_logger().info(f"model ready on {model.device} after {time.monotonic() - started:.1f} s")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take clouds."""
        try:
            self._intake.open()
        except Exception as error:  # rclpy would swallow it
            self.get_logger().error(f"cannot subscribe to {self._intake.topic}: {error}")
            return TransitionCallbackReturn.FAILURE
        done = super().on_activate(state)
        self._activated = time.monotonic()
        self._worker.start()
        self._active = True
        self.get_logger().info(f"waiting for clouds on {self._intake.topic}")
        return done

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Finish the cloud in work, take no more, take the markers down; the model stays."""
        self._halt()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model."""
        self._model = None
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything."""
        self._halt()
        self._model = None
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After a failed transition: back to unconfigured, so that it can be tried again."""
        self._halt()
        self._model = None
        return TransitionCallbackReturn.SUCCESS

    def _halt(self) -> None:
        self._active = False
        self._intake.close()
        self._worker.stop()
        if self._result is not None:
            self._outputs.clear(self._result.header)
        self._result = None
        self._tracker.reset()

    def destroy_node(self) -> None:
        """End the threads, then the node."""
        self._active = False
        if self._complete:  # not after a refused parameter, nor a second time when the context goes down
            self._complete = False
            self._intake.destroy()
            self._worker.stop()
        super().destroy_node()

    # --- clouds ------------------------------------------------------------------------------------------------

    def _process(self, message: PointCloud2) -> None:
        """One cloud, in the worker's thread: convert, call the core, name, track, publish."""
        model = self._model
        assert model is not None, "the worker runs only while a model is loaded"
        values, config = self._values, self._config
        timings: dict[str, float] = {}
        clock = _StageClock(timings)
        try:
            stamp = nanoseconds(message.header.stamp)
            frame = message.header.frame_id
            level = values["gravity_frames"]
            cloud = to_cloud(message, up_in(frame, stamp, level, self._transforms), frame not in level)
            clock.lap("convert")
            scene = model.segment(cloud, config)
            timings.update(scene.timings)
            clock.lap("segment")
            with self._text_lock:
                names = names_of(model.name(scene, values["vocabulary"]))
            clock.lap("name")
            tracks = self._tracker.update(scene, cloud, stamp, frame)
            clock.lap("track")
        except Exception as error:
            self._on_lost(error)
            return
        result = Result(message.header, message.width, message.height, cloud, scene, names, tracks)
        self._result = result
        self._outputs.publish(result)
        clock.lap("publish")
        timings["total"] = sum(timings[stage] for stage in ("convert", "segment", "name", "track", "publish"))
        self._health.done(timings)

    def _on_lost(self, error: Exception) -> None:
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

    def find(self, result: Result, query: str, top_k: int | None, min_similarity: float | None) -> Matches:
        """Search a result for what a text describes."""
        model = self._model
        if model is None:
            raise RuntimeError("the model was freed during the request")
        with self._text_lock:
            return model.find(result.scene, query, top_k, min_similarity)

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

    # --- health ------------------------------------------------------------------------------------------------

    def _report(self) -> None:
        problem = self._intake.problem() if self._active else ""
        silence = self._health.silent_for()
        if silence is None and self._active:
            silence = time.monotonic() - self._activated
        if problem and silence is not None and silence > PATIENCE:
            self._intake.warn_of_silence(problem)
        snapshot = Snapshot(
            state="active" if self._active else "inactive" if self._model is not None else "unconfigured",
            problem=problem,
            facts=self._facts(),
            received=self._worker.received,
            dropped=self._worker.dropped,
        )
        stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(diagnostic_array(self.get_fully_qualified_name(), self._health, snapshot, stamp))

    def _facts(self) -> dict[str, str]:
        model, result = self._model, self._result
        info = {} if model is None else _short(model.info)
        return {
            "topic": self._intake.topic,
            "device": "" if model is None else str(model.device),
            "model": "" if model is None else self._values["model"] or "shipped",
            **info,
            "vocabulary": f"{len(self._values['vocabulary'])} words",
            "up": "unknown" if result is None or result.cloud.up is None else np.array2string(result.cloud.up),
        }


def _short(info: dict[str, Any]) -> dict[str, str]:
    """What fits into a line of diagnostics: the training's history, for one, does not."""
    return {f"model {key}": str(value) for key, value in info.items() if isinstance(value, (str, int, float))}


class _StageClock:
    """Notes the seconds since the last lap under a stage's name."""

    def __init__(self, timings: dict[str, float]) -> None:
        self._timings = timings
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self._timings[stage], self._last = now - self._last, now


class _RosLog(logging.Handler):
    """Forwards the core's log to ROS's."""

    def __init__(self, node: SegVec3DNode) -> None:
        super().__init__()
        self._logger = node.get_logger().get_child("core")

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._logger.info(text)
        else:
            self._logger.debug(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node until it is interrupted; ``argv`` are ROS arguments, by default the process's own.

    Returns:
        0, or 2 when a parameter is refused.
    """
    use_large_messages()
    rclpy.init(args=list(sys.argv if argv is None else argv))
    try:
        node = SegVec3DNode()
    except (ValueError, InvalidParameterTypeException, InvalidParameterValueException) as error:
        print(f"segvec3d: {error}", file=sys.stderr)
        rclpy.try_shutdown()
        return 2
    logging.getLogger("segvec3d_core").addHandler(_RosLog(node))
    with contextlib.suppress(KeyboardInterrupt):
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        spin_forever(executor, node)
        # A terminal and ros2 launch both pass on a ctrl-c: the second one must not spoil the clean end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
