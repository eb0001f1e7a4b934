"""The node's parameters, with descriptions and ranges; bad values are refused with a reason. Defaults: the core's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, get_args

import numpy as np
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from segvec3d_core.config import DEFAULT_VOCABULARY, GRAVITY_FRAMES, ClusteringMethod, SegmentationConfig
from segvec3d_core.object_map import MapConfig
from segvec3d_core.text import MAX_CHARACTERS, TEMPLATES

MAX_WORD = MAX_CHARACTERS - max(len(template.format("")) for template in TEMPLATES)
"""Longest word of the vocabulary, characters: the limit of the core's sentence encoder, less its longest template."""

MAX_WORDS = 1000
"""Largest number of words in the vocabulary."""

FOREIGN_OVERRIDES = ("/clock", "/tf", "/tf_static", "/parameter_events", "/rosout")
"""Topics whose ``qos_overrides`` belong to ROS, not to this node."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One parameter.

    Attributes:
        value: default, which also gives the type.
        description: text for ``ros2 param describe``.
        low, high: inclusive bounds of a number; both or neither.
        read_only: cannot be changed after the node has started.
        unconfigured: can only be changed while no model is loaded.
    """

    value: Any
    description: str
    low: float | None = None
    high: float | None = None
    read_only: bool = False
    unconfigured: bool = False

    def descriptor(self) -> ParameterDescriptor:
        """Convert to the ROS message."""
        result = ParameterDescriptor(description=self.description, read_only=self.read_only)
        if self.low is not None and self.high is not None:
            if isinstance(self.value, int):
                result.integer_range = [IntegerRange(from_value=int(self.low), to_value=int(self.high), step=0)]
            else:
                result.floating_point_range = [FloatingPointRange(from_value=self.low, to_value=self.high, step=0.0)]
        return result


def _corner(corner: tuple[float, float, float] | None, unlimited: float) -> list[float]:
    return [unlimited] * 3 if corner is None else list(corner)


_CORE = SegmentationConfig()

_MAP = MapConfig()

_MAP_TEXTS: Mapping[str, tuple[str, float, float]] = {
    "confirm_seconds": ("How long an object must have been seen before it is told of, s.", 0.0, 60.0),
    "split_seconds": (
        "The same for an object that appears inside another, as a part of it does, s; 0.3 of it on a surface.",
        0.0,
        60.0,
    ),
    "merge_seconds": ("How long two objects must have been seen as one to be made one, s.", 0.0, 60.0),
    "gone_seconds": ("How long one must look through where an object was to hold it for gone, s.", 0.0, 3600.0),
    "doubt_seconds": (
        "How long an object's place may be seen without an instance there, s, and up to 5 s more if long known.",
        0.0,
        3600.0,
    ),
    "remember_seconds": ("How long an object is kept that is not seen while clouds come, s.", 0.0, math.inf),
    "reidentify_seconds": ("How long an object found to be gone can come back under its id, s.", 0.0, math.inf),
    "reidentify_similarity": (
        "Least cosine between the vectors of one that is gone and a new one that are the same thing.",
        -1.0,
        1.0,
    ),
    "min_overlap": ("Least share of an object or an instance that they have in common to be one.", 0.05, 1.0),
    "max_correction": ("Clouds are moved onto the map by at most this, m; 0 takes poses as they are.", 0.0, 1.0),
    "max_objects": ("Objects that the map holds at most; those unseen for longest go first.", 1, 100_000),
}
"""Parameters of the map: description and bounds. Names and defaults are those of ``MapConfig``."""

SPECS: Mapping[str, Spec] = {
    "autostart": Spec(True, "Configure and activate at start; false: wait for a lifecycle manager.", read_only=True),
    "model": Spec("", "Weight file to load; empty: the weights that are shipped.", unconfigured=True),
    "device": Spec(
        "auto",
        "Device to compute on: auto, cpu, cuda or cuda:N. The GPU's path was never run on one.",
        unconfigured=True,
    ),
    "vocabulary": Spec(list(DEFAULT_VOCABULARY), "Words that instances are labelled with."),
    "voxel_size": Spec(
        _CORE.voxel_size or 0.0,
        "Voxel edge, m; 0 adapts it to the cloud: within max_voxels, no finer than points lie.",
        0.0,
        10.0,
    ),
    "fovea": Spec(
        _CORE.fovea,
        "Distance from the camera beyond which voxels grow with it when voxel_size is 0, m; inf: they are of one size.",
        0.01,
        math.inf,
    ),
    "max_voxels": Spec(
        _CORE.max_voxels, "Voxels that bound the time of a cloud when voxel_size is 0.", 100, 10_000_000
    ),
    "max_scan_voxels": Spec(
        _CORE.max_voxels,
        "Voxels that bound the time of a cloud in one of gravity_frames (no viewpoint); raise it for fused scans.",
        100,
        10_000_000,
    ),
    "clustering": Spec(_CORE.clustering, f"How voxels become instances: {', '.join(get_args(ClusteringMethod))}."),
    "min_range": Spec(_CORE.min_range, "Ignore points closer to the sensor than this, m.", 0.0, math.inf),
    "max_range": Spec(_CORE.max_range, "Ignore points farther from the sensor than this, m.", 0.0, math.inf),
    "crop_min": Spec(
        _corner(_CORE.crop_min, -math.inf), "Lower corner x, y, z of the box to keep, m, in the cloud's frame."
    ),
    "crop_max": Spec(
        _corner(_CORE.crop_max, math.inf), "Upper corner x, y, z of the box to keep, m, in the cloud's frame."
    ),
    "min_object_size": Spec(
        _CORE.min_object_size, "Leave out objects whose longest edge is shorter than this, m.", 0.0, math.inf
    ),
    "max_object_size": Spec(
        _CORE.max_object_size, "Leave out objects whose longest edge is longer than this, m.", 0.0, math.inf
    ),
    "min_points": Spec(_CORE.min_points, "Leave out instances of fewer points.", 1, 10_000_000),
    "min_score": Spec(_CORE.min_score, "Leave out objects of a lower score, 0 to 1; surfaces stay.", 0.0, 1.0),
    "gravity_frames": Spec(
        list(GRAVITY_FRAMES),
        "Frames whose z axis points up; the first one that TF connects to the cloud tells where up is. A cloud in any "
        "other frame is taken as seen from that frame's origin.",
    ),
    "niceness": Spec(
        5,
        "By how much work on clouds gives way to services and to other processes (nice; Linux).",
        0,
        19,
        read_only=True,
    ),
    "tf_timeout": Spec(0.2, "Longest wait for a transform, of a cloud and of find_object, s.", 0.0, 60.0),
    "object_map": Spec(
        True,
        "Keep a map of objects over time; false: every cloud stands for itself.",
        unconfigured=True,
    ),
    "map_frame": Spec(
        "",
        "Frame of the map, through TF at each cloud's stamp; empty: the clouds' own, as of a camera that stands still.",
    ),
    "map_file": Spec(
        "", "File of save_map and load_map where they are given none; read when the node is configured, if it exists."
    ),
    **{name: Spec(getattr(_MAP, name), text, low, high) for name, (text, low, high) in _MAP_TEXTS.items()},
}

_PAIRS = (("min_range", "max_range"), ("crop_min", "crop_max"), ("min_object_size", "max_object_size"))


def declare(node: Node) -> None:
    """Declare every parameter of ``SPECS``, and check the overrides that the node was started with.

    Raises:
        ValueError: an override is refused; the message says which and why. Wrong types raise rclpy's own errors.
    """
    for name, spec in SPECS.items():
        node.declare_parameter(name, spec.value, spec.descriptor())
    reason = refusal(values(node))
    if reason:
        raise ValueError(reason)


def values(node: Node) -> dict[str, Any]:
    """Current value of every parameter of ``SPECS``."""
    return {name: node.get_parameter(name).value for name in SPECS}


def refusal(values: Mapping[str, Any]) -> str:
    """Why this set of values is invalid, "" if it is valid."""
    for name, value in values.items():
        numbers = [value] if isinstance(value, (str, int, float)) else value
        if any(isinstance(number, float) and math.isnan(number) for number in numbers):
            return f"{name}: expected a number, got NaN"
    for name in ("crop_min", "crop_max"):
        if len(values[name]) != 3:
            return f"{name}: expected 3 coordinates x, y, z, got {len(values[name])}"
    for low, high in _PAIRS:
        if np.any(np.asarray(values[low]) >= np.asarray(values[high])):
            return f"{low}, {high}: expected {low} below {high}, got {values[low]} and {values[high]}"
    if values["clustering"] not in get_args(ClusteringMethod):
        return f"clustering: expected one of {', '.join(get_args(ClusteringMethod))}, got {values['clustering']!r}"
    device = values["device"]
    if device not in ("auto", "cpu", "cuda") and not (device.startswith("cuda:") and device[5:].isdigit()):
        return f"device: expected auto, cpu, cuda or cuda:N, got {device!r}"
    try:
        segmentation_config(values), map_config(values)
    except ValueError as error:
        return str(error)
    return _vocabulary_refusal(values["vocabulary"])


def _vocabulary_refusal(words: Sequence[str]) -> str:
    if not words:
        return "vocabulary: expected at least one word, got none"
    if len(words) > MAX_WORDS:
        return f"vocabulary: expected at most {MAX_WORDS} words, got {len(words)}"
    for word in words:
        if not word.strip():
            return "vocabulary: expected words, got an empty one"
        if len(word) > MAX_WORD:
            return f"vocabulary: expected words of at most {MAX_WORD} characters, got {word[:20]!r}... of {len(word)}"
    repeated = sorted({word for word in words if words.count(word) > 1})
    return f"vocabulary: expected each word once, got {', '.join(repeated)} repeatedly" if repeated else ""


def segmentation_config(values: Mapping[str, Any]) -> SegmentationConfig:
    """Make the core's segmentation configuration from the node's parameters, which have the same names."""
    chosen = {field.name: values[field.name] for field in fields(SegmentationConfig)}
    chosen["voxel_size"] = chosen["voxel_size"] or None
    for name in ("crop_min", "crop_max"):
        chosen[name] = None if np.isinf(chosen[name]).all() else tuple(chosen[name])
    return SegmentationConfig(**chosen)


def map_config(values: Mapping[str, Any]) -> MapConfig:
    """Make the core's map configuration. Without ``map_frame`` the camera is stationary, and its pose not corrected."""
    chosen = {name: values[name] for name in _MAP_TEXTS}
    return MapConfig(**chosen, correct_pose=bool(values["map_frame"]) and values["max_correction"] > 0)


def input_qos(node: Node, topic: str) -> QoSProfile:
    """Declare the standard ROS parameters ``qos_overrides.TOPIC.subscription.*``, and return the resulting profile.

    They are declared on the node itself, although the subscription belongs to a helper node with its own thread. The
    default is that of sensor data: best effort, depth 1.

    Raises:
        ValueError: an override is not the name of a policy.
    """
    choices: dict[str, tuple[Any, dict[str, Any]]] = {
        "reliability": ("best_effort", _kinds(ReliabilityPolicy)),
        "durability": ("volatile", _kinds(DurabilityPolicy)),
        "history": ("keep_last", _kinds(HistoryPolicy)),
    }
    prefix = f"qos_overrides.{topic}.subscription"
    policies: dict[str, Any] = {}
    for policy, (default, kinds) in choices.items():
        name = f"{prefix}.{policy}"
        value = _declare_once(node, name, Spec(default, f"{policy} of the subscription to {topic}.", read_only=True))
        if value not in kinds:
            raise ValueError(f"{name}: expected one of {', '.join(kinds)}, got {value!r}")
        policies[policy] = kinds[value]
    spec = Spec(1, f"Clouds of {topic} that wait for this node; the latest wins.", 1, 1000, read_only=True)
    return QoSProfile(depth=_declare_once(node, f"{prefix}.depth", spec), **policies)


def _kinds(policy: type[IntEnum]) -> dict[str, IntEnum]:
    return {kind.name.lower(): kind for kind in policy if kind.name != "UNKNOWN"}


def _declare_once(node: Node, name: str, spec: Spec) -> Any:
    if not node.has_parameter(name):
        node.declare_parameter(name, spec.value, spec.descriptor())
    return node.get_parameter(name).value


def unknown_overrides(node: Node) -> list[str]:
    """Names of overrides that match no parameter of the node, usually misspelt: rclpy ignores them silently."""
    given: Mapping[str, Any] = getattr(node, "_parameter_overrides", {})  # rclpy has no public accessor
    foreign = tuple(f"qos_overrides.{topic}." for topic in FOREIGN_OVERRIDES)
    return sorted(name for name in given if not node.has_parameter(name) and not name.startswith(foreign))
