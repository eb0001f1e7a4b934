"""A node process from its arguments to its end: what is wrong is said in one line, and an interrupt ends it at once."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import rclpy
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import SingleThreadedExecutor
from rclpy.logging import LoggingSeverity, set_logger_level
from rclpy.signals import SignalHandlerOptions

from segvec3d_ros.side_node import spin_forever

if TYPE_CHECKING:
    from segvec3d_ros.node import SegVec3DNode

STOP_LIMIT = 1.0
"""Longest wait for the callback that runs when the node ends, seconds."""


def run_node(make: Callable[[], SegVec3DNode], arguments: Sequence[str]) -> int:
    """Run a node until the process is interrupted or ROS is shut down.

    rclpy's own handlers would take ROS down before the node can take its markers down, so they are left out.

    Args:
        make: makes the node, once ROS is up.
        arguments: ROS arguments, without the program's name.

    Returns:
        0, or 2 when an argument or a parameter is refused, after one line on standard error.
    """
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
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
        # Work in native code that nobody waits for: tearing the interpreter down around it may crash.
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


def _spin_until(ended: threading.Event, node: SegVec3DNode) -> bool:
    """Spin in a thread, so that this one, which Python hands signals to, can wait for them; then end the node. Returns
    whether that thread has ended, too."""
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
        # A callback that still runs may be a transition; a second one at the same time would spoil it.
        if not thread.is_alive() and node.context.ok() and not node.finalized:
            node.trigger_shutdown()
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return not thread.is_alive()


def _init(arguments: Sequence[str]) -> None:
    """rclpy.init, whose complaint comes as an exception and not in the log as well."""
    set_logger_level("rcl", LoggingSeverity.FATAL)
    try:
        rclpy.init(args=list(arguments), signal_handler_options=SignalHandlerOptions.NO)
    finally:
        set_logger_level("rcl", LoggingSeverity.UNSET)


def _stray(arguments: Sequence[str]) -> Iterator[str]:
    """The arguments that are not between --ros-args and --: ROS would leave them to the program, which has none."""
    inside = False
    for argument in arguments:
        if argument == "--ros-args":
            inside = True
        elif argument == "--" and inside:
            inside = False
        elif not inside:
            yield argument


def _refuse(reason: str) -> int:
    reason = re.sub(r", at \S+:\d+", "", reason)  # places in rcl's own sources
    reason = reason.removeprefix("failed to initialize rcl: ")
    print(f"segvec3d: {' '.join(reason.split())}", file=sys.stderr)
    return 2


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
