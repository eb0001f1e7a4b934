"""The lifecycle node ``segvec3d``: segments clouds into objects, and finds them by text.

This module has its lifecycle, parameters and diagnostics; ``perception`` processes clouds and keeps the results.

Threads: the node's executor answers services and parameter changes, the intake receives clouds, the worker processes
the latest one. Another loads the model, so that services answer meanwhile; one more receives TF, if tf2 is installed.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidHandle
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_msgs.msg import Header

from segvec3d_core import object_map, pointcloud2
from segvec3d_core.config import DEFAULT_VOCABULARY
from segvec3d_core.memory import keep_freed_memory
from segvec3d_core.threads import multiply_on_one_thread
from segvec3d_interfaces.srv import FindObject, SetVocabulary
from segvec3d_ros import parameters
from segvec3d_ros.conversions import Result
from segvec3d_ros.diagnostics import STAGES, Health, Snapshot, StageClock, diagnostic_array
from segvec3d_ros.finder import LOADING, Finder
from segvec3d_ros.intake import PATIENCE, Intake
from segvec3d_ros.lifetime import run_node
from segvec3d_ros.map_services import MapServices
from segvec3d_ros.model import Loading, Model, load_segvec3d
from segvec3d_ros.outputs import Outputs
from segvec3d_ros.perception import Perception
from segvec3d_ros.share import use_large_messages
from segvec3d_ros.tracking import Tracker
from segvec3d_ros.transforms import Transforms, make_transforms
from segvec3d_ros.worker import LatestWorker

STOP_LIMIT = 1.0
"""Longest wait for the current cloud when the node is deactivated or ends, seconds; its result is not published."""


class SegVec3DNode(LifecycleNode):
    """Configure loads the model, activate subscribes, deactivate stops work but keeps the model, cleanup frees it.

    Services exist from construction; ``find_object`` answers INACTIVE until the node is active.

    Args:
        load_model: called with the parameters ``model`` (None: the shipped weights) and ``device``.
        transforms: TF; None uses tf2_ros if it is installed.
        tracker: gives instances their identity; None uses a map, or matches consecutive clouds if the parameter
            ``object_map`` is false.
        kwargs: of ``rclpy.node.Node``: context, namespace, parameter_overrides, cli_args, ...

    Attributes:
        perception: processes clouds and keeps the results.

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
        self._loading: Loading | None = None
        self._active = False
        self._finalized = False
        self._health = Health()
        self._complete = False
        self._failure = ""  # of the latest transition
        parameters.declare(self)
        self._values = parameters.values(self)
        config = parameters.segmentation_config(self._values)
        self._transforms = make_transforms(self) if transforms is None else transforms
        self.perception = Perception(self, self._transforms, self._values, config, tracker)
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(lambda _: self._apply_parameters())
        self._outputs = Outputs(self)
        self._worker = LatestWorker(
            self.perception.work, self._deliver, self._on_lost, "segvec3d worker", self._values["niceness"]
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
        self._finder = Finder(self, self, self.perception, self._transforms, lambda: float(self._values["tf_timeout"]))
        self.create_service(FindObject, "~/find_object", self._finder.answer, callback_group=group)
        self.create_service(SetVocabulary, "~/set_vocabulary", self._set_vocabulary)
        self._map_services = MapServices(self, self, self.perception, self._map_file, self._show_map, group)

    def _map_file(self) -> str:
        return str(self._values["map_file"])

    def _create_timers(self) -> None:
        # Real time, because simulated time may not have started.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(1.0, self._report, clock=steady)

    # --- lifecycle ---------------------------------------------------------------------------------------------

    def _load(self, done: Callable[[], None] = lambda: None) -> Loading:
        values = self._values
        return Loading(self._load_everything, values["model"], values["device"], values["vocabulary"], done)

    def _load_everything(self, path: str | None, device: str) -> Model:
        """Load the model, and compile the kernels of messages and, if there is a map, of it; runs in the loading
        thread."""
        what = f"loading the model {path or '(shipped)'} on {device}"
        self.get_logger().info(f"{what}; a first start compiles kernels, for a minute or two")
        model = self._load_model(path, device)
        pointcloud2.warm_up()
        if self._values["object_map"]:
            object_map.warm_up()
        return model

    def _announce(self) -> None:
        """Have the executor call ``_start``; runs in the loading thread."""
        with contextlib.suppress(InvalidHandle):  # the node was destroyed meanwhile
            self._loaded.trigger()

    def _start(self) -> None:
        # The node may have been configured or shut down from outside while the model was loading.
        if (
            self._loading is not None
            and not self._finalized
            and self.trigger_configure() == TransitionCallbackReturn.SUCCESS
        ):
            self.trigger_activate()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take the model that was loaded at start, or load it now, which blocks services until it is loaded.

        A missing or damaged weight file fails the transition with one line in the log, and can be retried.
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
        self.perception.equip(loaded)
        self.get_logger().info(f"model ready on {loaded.model.device} after {loading.seconds:.1f} s")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the clouds and start the worker."""
        try:
            self._intake.open()
        except Exception as error:  # rclpy would discard it
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
        """Unsubscribe, drop the result of the current cloud and delete the markers; the model and the map are kept."""
        self._halt()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model and clear the map."""
        self._failure = ""
        self.perception.free()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything."""
        self._finalized = True
        self._failure = ""
        self._halt()
        self.perception.free()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After an exception in a transition: return to unconfigured, so that it can be retried."""
        self._failed("a transition ended in an unexpected error")
        self._halt()
        self.perception.free()
        return TransitionCallbackReturn.SUCCESS

    def _failed(self, reason: str) -> TransitionCallbackReturn:
        """Log the reason, and keep it for the diagnostics until a transition succeeds."""
        self._failure = reason
        self.get_logger().error(reason)
        return TransitionCallbackReturn.FAILURE

    def _halt(self) -> None:
        self._active = False
        self._intake.close()
        self.perception.give_up()
        if not self._worker.stop(STOP_LIMIT):
            self.get_logger().warning(f"a cloud is in work for more than {STOP_LIMIT:g} s: its result will be dropped")
        self.perception.halt()  # a result that is still being published must not add markers again
        if self.context.ok():
            self._outputs.clear()

    def destroy_node(self) -> None:
        """Stop the threads, then destroy the node."""
        self._active = False
        if self._complete:  # not after a refused parameter, nor again when the context shuts down
            self._complete = False
            self._intake.destroy()
            self._transforms.close()
            self._worker.stop(STOP_LIMIT)
        super().destroy_node()

    @property
    def busy(self) -> bool:
        """Whether an abandoned thread is still running: processing a cloud after a stop, or loading a model."""
        return self._worker.busy or (self._loading is not None and self._loading.busy)

    @property
    def finalized(self) -> bool:
        """Whether the node has been shut down, which cannot be repeated."""
        return self._finalized

    # --- clouds ------------------------------------------------------------------------------------------------

    def _deliver(self, work: tuple[Result, StageClock]) -> None:
        """Track, name, keep and publish a result; called by the worker unless it was stopped."""
        untracked, clock = work
        if not self.context.ok():
            return
        kept = self.perception.keep(untracked, clock, lambda: self._worker.wanted)
        if kept is None:
            return
        result, known = kept
        self._outputs.publish(result, known, lambda: self.perception.result is known)
        clock.lap("publish")
        clock.timings["total"] = sum(clock.timings[stage] for stage in STAGES)
        self._health.done(clock.timings)

    def _on_lost(self, error: Exception) -> None:
        if not self.context.ok():  # a consequence of the shutdown, not worth reporting
            return
        reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        self._health.lost(reason)
        self.get_logger().error(f"cloud lost: {reason}", throttle_duration_sec=5.0)

    # --- services and parameters -------------------------------------------------------------------------------

    @property
    def active(self) -> bool:
        """Whether the node is active."""
        return self._active

    def why_inactive(self) -> str:
        """Why the node is not active, and what to do about it."""
        name = self.get_fully_qualified_name()
        if self._finalized:
            return f"{name} was shut down for good: start it anew"
        if self._loading is not None and self._loading.busy:
            return f"{name} {LOADING}: ask again"
        return f"{name} is not active: ros2 lifecycle set {name} configure, then activate"

    def why_no_data(self) -> str:
        """Why no clouds arrive according to the ROS graph, else the error of the latest cloud, else ""."""
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
            if parameters.SPECS[name].unconfigured and self.perception.configured and value != self._values[name]:
                reason = f"{name}: changes only while unconfigured; deactivate and clean up first"
                return SetParametersResult(successful=False, reason=reason)
        reason = parameters.refusal({**self._values, **wanted})
        return SetParametersResult(successful=not reason, reason=reason)

    def _apply_parameters(self) -> None:
        values = parameters.values(self)
        moved = self.perception.configure(values, parameters.segmentation_config(values))
        self._values = values
        if moved:
            self._show_map()

    def _show_map(self) -> None:
        """Publish the map after it was loaded, cleared or moved to another frame; the next cloud may take a while."""
        if self._active and (known := self.perception.known()) is not None:
            stamp = known.header.stamp if known.stamp else self.get_clock().now().to_msg()
            self._outputs.show(replace(known, header=Header(stamp=stamp, frame_id=known.header.frame_id)))

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
            facts={"topic": self._intake.topic, **self.perception.facts()},
            received=self._worker.received,
            dropped=self._worker.dropped,
            working=self._worker.working_for,
            failure=self._failure,
            concern=self.perception.concern,
        )
        stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(diagnostic_array(self.get_fully_qualified_name(), self._health, snapshot, stamp))

    def _state_in_words(self) -> str:
        if self._active or self.perception.configured:
            return "active" if self._active else "inactive"
        if self._finalized:
            return "finalized"
        return f"unconfigured, {LOADING}" if self._loading is not None and self._loading.busy else "unconfigured"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node until it is interrupted; ``argv`` are ROS arguments, by default those of the process.

    Returns:
        0, or 2 if an argument or a parameter is refused.
    """
    use_large_messages()
    keep_freed_memory()
    multiply_on_one_thread()
    return run_node(lambda: SegVec3DNode(load_segvec3d), sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
