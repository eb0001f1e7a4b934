"""The launch file: with the real launch_ros where it is installed, and on a stand-in everywhere."""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from segvec3d_ros import share

ROOT = Path(__file__).parents[1]
FILE = ROOT / "launch" / "segvec3d.launch.py"
needs_launch_ros = pytest.mark.skipif(
    importlib.util.find_spec("launch_ros") is None,
    reason="launch_ros is missing, which every ROS 2 installation has: apt install ros-$ROS_DISTRO-launch-ros",
)


class Action(SimpleNamespace):
    """What an action was made with: its positional arguments as ``args``, the others by name."""

    def __init__(self, *args: Any, **fields: Any) -> None:
        super().__init__(args=args, **fields)


class Launched:
    """The launch file run on stand-ins of launch and launch_ros.

    Attributes:
        arguments: name -> (default, description) of every declared argument.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        kinds = {name: type(name, (Action,), {}) for name in ("DeclareLaunchArgument", "OpaqueFunction", "Node")}
        configuration = type("LaunchConfiguration", (), {"__init__": lambda self, name: setattr(self, "name", name)})
        configuration.perform = lambda self, context: context[self.name]  # type: ignore[attr-defined]
        modules: dict[str, dict[str, Any]] = {
            "launch": {"LaunchDescription": list, "LaunchContext": dict},
            "launch.actions": kinds,
            "launch.substitutions": {"LaunchConfiguration": configuration},
            "launch_ros": {},
            "launch_ros.actions": kinds,
        }
        for name, contents in modules.items():
            module = ModuleType(name)
            vars(module).update(contents)
            monkeypatch.setitem(sys.modules, name, module)
        *declared, self._opaque = runpy.run_path(str(FILE))["generate_launch_description"]()
        self.arguments = {action.args[0]: (action.default_value, action.description) for action in declared}

    def actions(self, **given: str) -> dict[str, Any]:
        """What would be started, by executable."""
        values = {name: default for name, (default, _) in self.arguments.items()} | given
        assert values.keys() == self.arguments.keys(), "an argument that does not exist"
        return {action.executable: action for action in self._opaque.function(values)}


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Launched:
    for name in (*share.FASTDDS_VARIABLES, share.TRANSPORTS):
        monkeypatch.delenv(name, raising=False)
    return Launched(monkeypatch)


def test_every_argument_has_a_description(launched: Launched) -> None:
    assert {"cloud_topic", "model", "device", "params_file", "rviz", "namespace", "autostart", "use_sim_time"} <= set(
        launched.arguments
    )
    for name, (_, description) in launched.arguments.items():
        assert len(description) > 15, name


def test_the_node_is_started_as_it_is_installed(launched: Launched) -> None:
    actions = launched.actions()
    assert set(actions) == {"segvec3d_node"}
    node = actions["segvec3d_node"]
    manifest = ElementTree.parse(ROOT / "package.xml").getroot()
    assert node.package == manifest.findtext("name")
    script = ROOT / "scripts" / node.executable
    assert os.access(script, os.X_OK)
    assert "segvec3d_ros.node import main" in script.read_text()
    assert Path(node.parameters[0]).is_file()


def test_what_is_not_given_does_not_override_the_parameter_file(launched: Launched) -> None:
    assert launched.actions()["segvec3d_node"].parameters[1:] == []


def test_what_is_given_does(launched: Launched) -> None:
    node = launched.actions(
        model="m.safetensors", device="cpu", autostart="false", use_sim_time="true", params_file="p.yaml",
        cloud_topic="/camera/points", namespace="/left/arm", log_level="debug",
    )["segvec3d_node"]  # fmt: skip
    assert node.parameters == [
        "p.yaml",
        {"use_sim_time": True, "model": "m.safetensors", "device": "cpu", "autostart": False},
    ]
    assert node.remappings == [("points", "/camera/points")]
    assert node.namespace == "/left/arm"
    assert node.arguments == ["--ros-args", "--log-level", "left.arm.segvec3d:=debug"]


def test_what_publishes_clouds_is_given_room_for_them_and_nothing_else_of_the_bringup_is_changed(
    launched: Launched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share, "large_messages", lambda: {"FASTDDS_DEFAULT_PROFILES_FILE": "/a.xml"})
    given = {"depth_image": "/d", "color_image": "/rgb/image", "camera_info": "/i"}
    actions = launched.actions(rviz="true", **given)
    assert actions["point_cloud_xyzrgb_node"].additional_env == {"FASTDDS_DEFAULT_PROFILES_FILE": "/a.xml"}
    assert not hasattr(actions["rviz2"], "additional_env")


def test_every_node_takes_the_time_that_is_asked_for(launched: Launched) -> None:
    given = {"depth_image": "/d", "color_image": "/rgb/image", "camera_info": "/i", "rviz": "true"}
    others = [action for name, action in launched.actions(**given).items() if name != "segvec3d_node"]
    assert [action.parameters for action in others] == [[], []]
    for action in launched.actions(use_sim_time="true", **given).values():
        assert action.parameters[-1] == {"use_sim_time": True}


def test_rviz_shows_the_topics_of_the_nodes_namespace(launched: Launched) -> None:
    rviz = launched.actions(rviz="true", namespace="arm", fixed_frame="map")["rviz2"]
    shown = re.findall(r"Value: (/segvec3d/\w+)", (ROOT / "rviz" / "segvec3d.rviz").read_text())
    assert set(rviz.remappings) == {(topic, f"/arm{topic}") for topic in shown}
    assert len(set(shown)) == 3
    assert rviz.arguments == ["-d", str(ROOT / "rviz" / "segvec3d.rviz"), "-f", "map"]
    assert launched.actions(rviz="true")["rviz2"].remappings == []


def test_depth_images_become_the_clouds_that_the_node_takes(launched: Launched) -> None:
    given = {"depth_image": "/d", "color_image": "/rgb/image", "camera_info": "/i", "cloud_topic": "/camera/points"}
    actions = launched.actions(**given)
    converter = actions["point_cloud_xyzrgb_node"]
    assert converter.package == "depth_image_proc"
    assert dict(converter.remappings) == {
        "depth_registered/image_rect": "/d",
        "rgb/image_rect_color": "/rgb/image",
        "/rgb/camera_info": "/i",
        "points": "/camera/points",
    }
    assert actions["segvec3d_node"].remappings == [("points", "/camera/points")]
    with pytest.raises(RuntimeError, match="color_image and camera_info"):
        launched.actions(depth_image="/d")


@pytest.mark.parametrize(
    ("namespace", "color_image", "beside"),
    [
        ("", "/camera/color/image_raw", "/camera/color/camera_info"),
        ("", "color/image_raw", "/color/camera_info"),
        ("/arm/", "color/image_raw", "/arm/color/camera_info"),
        ("arm", "image_raw", "/arm/camera_info"),
        ("arm", "/image_raw", "/camera_info"),
    ],
)
def test_the_camera_info_that_the_converter_derives_is_remapped_to_the_one_given(
    launched: Launched, namespace: str, color_image: str, beside: str
) -> None:
    given = {"depth_image": "d", "color_image": color_image, "camera_info": "/i", "namespace": namespace}
    assert (beside, "/i") in launched.actions(**given)["point_cloud_xyzrgb_node"].remappings


@pytest.mark.parametrize(("file", "megabytes"), [("fastdds.xml", 64), ("fastdds_small.xml", 16)])
def test_the_profile_gives_clouds_shared_memory_and_keeps_udp(file: str, megabytes: int) -> None:
    names = {"p": "http://www.eprosima.com"}
    profile = ElementTree.parse(ROOT / "config" / file).getroot()
    transports = {
        t.findtext("p:transport_id", namespaces=names): t
        for t in profile.findall("p:transport_descriptors/p:transport_descriptor", names)
    }
    assert {t.findtext("p:type", namespaces=names) for t in transports.values()} == {"SHM", "UDPv4"}
    shared = next(t for t in transports.values() if t.findtext("p:type", namespaces=names) == "SHM")
    assert int(shared.findtext("p:segment_size", namespaces=names) or 0) == megabytes * 2**20
    rtps = profile.find("p:participant/p:rtps", names)
    assert rtps is not None
    assert rtps.findtext("p:useBuiltinTransports", namespaces=names) == "false"
    used = {t.text for t in rtps.findall("p:userTransports/p:transport_id", names)}
    assert used == set(transports)


def run(code: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program away from the repository's root, whose folder launch/ must not be taken for the package."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, cwd=ROOT / "test", env=environment, timeout=110, check=False,
    )  # fmt: skip


@needs_launch_ros
def test_the_real_launch_knows_the_arguments_and_starts_what_they_ask_for() -> None:
    code = f"""
from launch import LaunchContext
from launch.launch_description_sources import get_launch_description_from_python_launch_file
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node
description = get_launch_description_from_python_launch_file({str(FILE)!r})
arguments = description.get_launch_arguments()
assert all(a.description for a in arguments), arguments
context = LaunchContext()
for argument in arguments:
    argument.execute(context)
context.launch_configurations.update(rviz="true", namespace="arm")
opaque = next(e for e in description.entities if isinstance(e, OpaqueFunction))
nodes = [action for action in opaque.execute(context) if isinstance(action, Node)]
print([node.node_package for node in nodes])
"""
    done = run(code, dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert "['segvec3d', 'rviz2']" in done.stdout


@needs_launch_ros
def test_the_real_launch_runs_the_node_until_it_is_told_to_stop(tmp_path: Path) -> None:
    pytest.importorskip("ament_index_python", reason="ament_index_python is missing")
    (tmp_path / "share/ament_index/resource_index/packages").mkdir(parents=True)
    (tmp_path / "share/ament_index/resource_index/packages/segvec3d").touch()
    (tmp_path / "lib/segvec3d").mkdir(parents=True)
    (tmp_path / "lib/segvec3d/segvec3d_node").symlink_to(ROOT / "scripts" / "segvec3d_node")
    code = f"""
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription, RegisterEventHandler, EmitEvent
from launch.event_handlers import OnProcessIO
from launch.events import Shutdown
seen = []
def look(event):
    text = event.text.decode()
    seen.append(text)
    if "cannot load the model" in text:
        return EmitEvent(event=Shutdown(reason="seen"))
service = LaunchService()
service.include_launch_description(LaunchDescription([
    RegisterEventHandler(OnProcessIO(on_stdout=look, on_stderr=look)),
    IncludeLaunchDescription({str(FILE)!r}, launch_arguments=[("model", "/nowhere.safetensors"), ("namespace", "arm")]),
]))
code = service.run()
print("".join(seen))
sys.exit(code)
"""
    prefix = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("AMENT_PREFIX_PATH", "")]))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "AMENT_PREFIX_PATH": prefix, "PATH": path, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = run(code, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[arm.segvec3d]: cannot load the model /nowhere.safetensors" in done.stdout
