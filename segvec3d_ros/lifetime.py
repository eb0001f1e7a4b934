"""Lifetime of the node's process: errors in its arguments are reported in one line, signals end it promptly."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import rclpy
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import SingleThreadedExecutor
from rclpy.logging import LoggingSeverity, set_logger_level
from rclpy.signals import SignalHandlerOptions

from segvec3d_ros.side_node import spin_forever

if TYPE_CHECKING:
    from segvec3d_ros.node import SegVec3DNode

STOP_LIMIT = 1.0
"""Longest wait for a running callback when the node ends, seconds."""


def run_node(make: Callable[[], SegVec3DNode], arguments: Sequence[str]) -> int:
    """Run a node until SIGINT, SIGTERM or a shutdown of ROS.

    rclpy's own signal handlers are not installed: they would shut ROS down before the node can delete its markers.

    Args:
        make: creates the node, once ROS is initialised.
        arguments: ROS arguments, without the program's name.

    Returns:
        0, or 2 if an argument or a parameter is refused, after one line on standard error.
    """
    ended = threading.Event()
    _on_signals(lambda *_: ended.set())
    stray = next(_stray(arguments), None)
    if stray is not None:
        return _refuse(f"unexpected argument {stray}: ROS arguments follow --ros-args, as in --ros-args -p device:=cpu")
    try:
        _init(arguments)
        node = make()
    except (ValueError, RuntimeError, InvalidParameterTypeException, InvalidParameterValueException) as error:
        rclpy.try_shutdown()
        return _refuse(str(error))
    logging.getLogger("segvec3d_core").addHandler(_RosLog(node))
    if not _spin_until(ended, node) or node.busy:
        # A thread is still running native code: finalising the interpreter meanwhile may crash.
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    _on_signals(signal.SIG_IGN)  # an ending interpreter restores the default handlers, which kill the process
    return 0


def _on_signals(handler: Any) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _spin_until(ended: threading.Event, node: SegVec3DNode) -> bool:
    """Spin in another thread, wait in this one, which receives the signals, for ``ended``, then shut the node down.

    Returns:
        whether the spinning thread has ended.
    """
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def spin() -> None:
        spin_forever(executor, node)
        ended.set()

    thread = threading.Thread(target=spin, name="segvec3d services", daemon=True)
    thread.start()
    ended.wait()
    executor.shutdown()
    thread.join(STOP_LIMIT)
    try:
        # A callback that is still running may be a transition, which a concurrent one would corrupt.
        if not thread.is_alive() and node.context.ok() and not node.finalized:
            node.trigger_shutdown()
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return not thread.is_alive()


def _init(arguments: Sequence[str]) -> None:
    """Call rclpy.init; errors are raised as exceptions, and not logged in addition."""
    set_logger_level("rcl", LoggingSeverity.FATAL)
    try:
        rclpy.init(args=list(arguments), signal_handler_options=SignalHandlerOptions.NO)
    finally:
        set_logger_level("rcl", LoggingSeverity.UNSET)


def _stray(arguments: Sequence[str]) -> Iterator[str]:
    """Arguments outside of --ros-args ... --. ROS leaves these to the program, which takes none."""
    inside = False
    for argument in arguments:
        if argument == "--ros-args":
            inside = True
        elif argument == "--" and inside:
            inside = False
        elif not inside:
            yield argument


def _refuse(reason: str) -> int:
    reason = re.sub(r", at \S+:\d+", "", reason)  # locations in rcl's source code
    reason = reason.removeprefix("failed to initialize rcl: ")
    print(f"segvec3d: {' '.join(reason.split())}", file=sys.stderr)
    return 2


class _RosLog(logging.Handler):
    """Forwards the core's log messages to the ROS logger."""

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
