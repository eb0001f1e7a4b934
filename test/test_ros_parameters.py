"""Parameters: described, bounded, refused with reasons, and nowhere told twice."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ros_stand_ins import Robot, active_robot, robot

# isort: split
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.parameter import Parameter

from segvec3d_core.config import DEFAULT_VOCABULARY, SegmentationConfig
from segvec3d_core.text import MAX_CHARACTERS, TEMPLATES
from segvec3d_ros import parameters
from segvec3d_ros.parameters import SPECS, refusal, segmentation_config

CONFIG_FILE = Path(__file__).parents[1] / "config" / "segvec3d.yaml"
DEFAULTS = {name: spec.value for name, spec in SPECS.items()}


@pytest.fixture(scope="module")
def node() -> Iterator[Robot]:
    """A robot that nobody activates; each test leaves its parameters as they were."""
    with robot(overrides={"autostart": False}) as made:
        yield made


# A live cloud must not take as long as a scan may, even when it comes in a level frame and so looks like one.
LIVE = SegmentationConfig(max_scan_voxels=SegmentationConfig().max_voxels)


def test_the_defaults_are_those_of_the_core() -> None:
    assert segmentation_config(DEFAULTS) == LIVE
    assert DEFAULTS["vocabulary"] == list(DEFAULT_VOCABULARY)
    assert {field.name for field in fields(SegmentationConfig)} <= DEFAULTS.keys()
    assert refusal(DEFAULTS) == ""


def test_every_parameter_is_described_through_the_service(node: Robot) -> None:
    names = list(SPECS)
    answer = node.call(DescribeParameters, "describe_parameters", names=names)
    for name, found in zip(names, answer.descriptors, strict=True):
        assert len(found.description) > 20, name
        assert found.read_only == SPECS[name].read_only
        bounded = bool(found.integer_range or found.floating_point_range)
        assert bounded == (type(SPECS[name].value) in (int, float)), name


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("voxel_size", -0.1, "range"),
        ("voxel_size", 0.00005, "voxel_size: expected"),
        ("max_voxels", 0, "range"),
        ("min_score", 1.5, "range"),
        ("min_range", math.nan, "range"),
        ("crop_max", [math.nan, 1.0, 1.0], "crop_max: expected a number, got NaN"),
        ("max_range", 0.0, "expected min_range below max_range"),
        ("crop_min", [0.0, 0.0], "crop_min: expected 3 coordinates"),
        ("crop_min", [math.inf] * 3, "expected crop_min below crop_max"),
        ("clustering", "magic", "clustering: expected one of graph, fast, dbscan"),
        ("device", "tpu", "device: expected auto, cpu, cuda"),
        ("vocabulary", [""], "vocabulary: expected words"),
        ("max_voxels", 1.5, "type"),
        ("autostart", True, "read"),
        ("no_such_parameter", 1, "declared"),
    ],
)
def test_a_bad_value_is_refused_with_a_reason_and_changes_nothing(
    node: Robot, name: str, value: Any, reason: str
) -> None:
    before = parameters.values(node.node)
    message = Parameter(name, value=value).to_parameter_msg()
    result = node.call(SetParameters, "set_parameters", parameters=[message]).results[0]
    assert not result.successful
    assert reason in result.reason
    assert parameters.values(node.node) == before


def test_what_can_change_at_run_time_does() -> None:
    with active_robot() as made:
        made.show(stamp=1)
        changes = {"max_range": 2.5, "min_points": 50, "clustering": "dbscan", "min_object_size": 0.02}
        assert all(r.successful for r in made.node.set_parameters([Parameter(k, value=v) for k, v in changes.items()]))
        made.show(stamp=2)
        before, after = made.model.configs
        assert before == LIVE
        assert after == replace(LIVE, max_range=2.5, min_points=50, clustering="dbscan", min_object_size=0.02)


@pytest.mark.parametrize(("name", "value"), [("model", "other.safetensors"), ("device", "cuda")])
def test_model_and_device_change_only_while_unconfigured(name: str, value: str) -> None:
    with active_robot() as made:
        result = made.node.set_parameters([Parameter(name, value=value)])[0]
        assert not result.successful
        assert result.reason == f"{name}: changes only while unconfigured; deactivate and clean up first"


def test_pairs_are_judged_together() -> None:
    assert refusal({**DEFAULTS, "min_range": 5.0, "max_range": 6.0}) == ""
    assert "min_object_size below max_object_size" in refusal(
        {**DEFAULTS, "min_object_size": 2.0, "max_object_size": 1.0}
    )


@pytest.mark.parametrize(
    ("overrides", "error", "words"),
    [
        ({"clustering": "magic"}, ValueError, "clustering: expected one of"),
        ({"min_range": 3.0, "max_range": 2.0}, ValueError, "min_range, max_range"),
        ({"crop_min": [math.nan, 0.0, 0.0]}, ValueError, "crop_min: expected a number"),
        ({"max_voxels": 1}, InvalidParameterValueException, "max_voxels"),
        ({"max_range": 3}, InvalidParameterTypeException, "max_range"),
        ({"qos_overrides./points.subscription.reliability": "maybe"}, ValueError, "expected one of"),
    ],
)
def test_a_bad_override_stops_the_start_by_name(overrides: dict, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words), robot(overrides=overrides):
        pass


def test_an_override_of_a_parameter_that_does_not_exist_is_warned_of_by_name() -> None:
    unknown = {"max_rnage": 2.0, "qos_overrides./pionts.subscription.depth": 2, "nested.thing": True}
    known = {"max_range": 2.0, "qos_overrides./points.subscription.depth": 2, "qos_overrides./tf.subscription.depth": 9}
    with robot(overrides={"autostart": False, **unknown, **known}) as made:
        warned = {line.split()[2].rstrip(":") for line in made.log if line.startswith("unknown parameter")}
        assert warned == unknown.keys()


def commented_defaults() -> dict[str, Any]:
    """The parameters of the shipped file, those that are commented out included."""
    lines = CONFIG_FILE.read_text().splitlines()
    start = lines.index("  ros__parameters:") + 1
    rows = [line.strip().removeprefix("# ") for line in lines[start:]]
    settings = [row for row in rows if re.match(r"\w+: ", row)]
    return dict(yaml.safe_load("\n".join(settings)))


def test_the_shipped_file_only_overrides_and_what_it_shows_are_the_defaults() -> None:
    active = yaml.safe_load(CONFIG_FILE.read_text())["/**"]["ros__parameters"]
    assert active.keys() <= SPECS.keys()
    shown = commented_defaults()
    assert shown.pop("vocabulary"), "an example, not the default"
    assert {"max_voxels", "crop_min", "gravity_frames"} <= shown.keys()
    assert shown == {name: DEFAULTS[name] for name in shown}


def test_the_longest_word_of_the_vocabulary_still_fits_the_sentence_encoder() -> None:
    values = {**DEFAULTS, "vocabulary": ["m" * parameters.MAX_WORD]}
    assert refusal(values) == ""
    assert max(len(template.format(values["vocabulary"][0])) for template in TEMPLATES) == MAX_CHARACTERS
    assert "characters" in refusal({**DEFAULTS, "vocabulary": ["m" * (parameters.MAX_WORD + 1)]})
