"""The node's publishers. A message is only built if its topic has subscribers."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import Any

from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import PointCloud2
from visualization_msgs.msg import MarkerArray

from segvec3d_interfaces.msg import InstanceArray
from segvec3d_ros.conversions import Result, colored_cloud, detection_array, instance_array, labelled_cloud
from segvec3d_ros.markers import MarkerBoard

QOS = QoSProfile(depth=5)
"""Reliable, which is compatible with reliable and best-effort subscribers; RViz subscribes as reliable by default."""

CLOUD_QOS = QoSProfile(depth=1)
"""The same for clouds of 7 MB, of which only the latest is useful."""


LAST_WORD = Duration(seconds=0.3)
"""Longest wait for the deletion of markers to be acknowledged."""


class Outputs:
    """The node's lifecycle publishers."""

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._board = MarkerBoard()
        self._lock = threading.Lock()
        self._instances = self._publisher(PointCloud2, "~/instances", CLOUD_QOS)
        self._colored = self._publisher(PointCloud2, "~/instances_colored", CLOUD_QOS)
        self._objects = self._publisher(InstanceArray, "~/objects", QOS)
        self._markers = self._publisher(MarkerArray, "~/markers", QOS)
        try:
            self._vision_msgs: Any = importlib.import_module("vision_msgs.msg")
        except ImportError:
            self._vision_msgs = None
        else:
            self._detections = self._publisher(self._vision_msgs.Detection3DArray, "~/detections", QOS)

    def publish(self, result: Result, known: Result, wanted: Callable[[], bool]) -> None:
        """Publish the result of a cloud.

        Args:
            result: of the cloud.
            known: all objects known after it, from the map if there is one.
            wanted: whether ``known`` is still current; otherwise only the clouds are published.
        """
        if self._instances.get_subscription_count():
            self._instances.publish(labelled_cloud(result))
        if self._colored.get_subscription_count():
            self._colored.publish(colored_cloud(result))
        with self._lock:  # the map may have been replaced, and ``show`` called, meanwhile
            if wanted():
                self._show(known)

    def show(self, known: Result) -> None:
        """Publish the known objects without a cloud."""
        with self._lock:
            self._show(known)

    def _show(self, known: Result) -> None:
        if self._markers.get_subscription_count():
            self._markers.publish(self._board.update(known))
        objects = self._objects.get_subscription_count() > 0
        detections = self._vision_msgs is not None and self._detections.get_subscription_count() > 0
        if not (objects or detections):
            return
        array = instance_array(known)
        if objects:
            self._objects.publish(array)
        if detections:
            self._detections.publish(detection_array(array, self._vision_msgs))

    def clear(self) -> None:
        """Delete all markers, and wait until this has arrived: the node may be about to end."""
        with self._lock:
            markers = self._board.clear()
        if markers.markers:
            self._markers.publish(markers)
            self._markers.wait_for_all_acked(LAST_WORD)

    def _publisher(self, kind: Any, topic: str, qos: QoSProfile) -> Any:
        return self._node.create_lifecycle_publisher(
            kind, topic, qos, qos_overriding_options=QoSOverridingOptions.with_default_policies()
        )
