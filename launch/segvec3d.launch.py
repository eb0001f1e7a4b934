"""Starts the node, and optionally RViz and depth_image_proc, which converts depth images to clouds.

    ros2 launch segvec3d segvec3d.launch.py cloud_topic:=/camera/depth/color/points rviz:=true
    ros2 launch segvec3d segvec3d.launch.py --show-args

A camera that sends registered depth and colour images instead of clouds:

    ros2 launch segvec3d segvec3d.launch.py depth_image:=/camera/aligned_depth_to_color/image_raw \
        color_image:=/camera/color/image_raw camera_info:=/camera/color/camera_info
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

SHARE = Path(__file__).parents[1]  # the same layout in a checkout and in an installation
PUBLISHED = ("instances", "instances_colored", "markers")  # topics that the RViz set-up shows

ARGUMENTS = {
    "cloud_topic": ("points", "sensor_msgs/PointCloud2 to segment; with depth_image: where the clouds are put"),
    "model": ("", "weight file; empty: that of params_file, else the shipped weights"),
    "device": ("", "auto, cpu, cuda or cuda:N; empty: that of params_file, else auto"),
    "params_file": (str(SHARE / "config" / "segvec3d.yaml"), "parameter file of the node"),
    "map_frame": ("", "frame of the object map, such as map or odom; empty: that of params_file, else the camera's"),
    "namespace": ("", "namespace of the node and of relative topics"),
    "autostart": ("", "false: a lifecycle manager configures and activates the node; empty: that of params_file"),
    "use_sim_time": (
        "",
        "true: all take the time from /clock, as with a simulation or a bag; empty: the node as params_file says",
    ),
    "log_level": ("info", "debug, info, warn or error; of the node only"),
    "rviz": ("false", "true: also start RViz with the set-up of this package"),
    "fixed_frame": ("camera_depth_optical_frame", "frame that RViz shows everything in"),
    "depth_image": ("", "registered depth image to make the clouds of with depth_image_proc; empty: clouds come in"),
    "color_image": ("", "rectified colour image that belongs to depth_image"),
    "camera_info": ("", "sensor_msgs/CameraInfo of color_image"),
}
CHOICES = {"rviz": ["true", "false"], "use_sim_time": ["", "true", "false"], "autostart": ["", "true", "false"]}


def generate_launch_description() -> LaunchDescription:
    """Entry point of ros2 launch."""
    declared = [
        DeclareLaunchArgument(name, default_value=value, description=text, choices=CHOICES.get(name))
        for name, (value, text) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=actions)])


def actions(context: LaunchContext) -> list:
    """The nodes to start for the given arguments."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    result = [depth_to_clouds(given)] if given["depth_image"] else []
    result.append(segmentation(given))
    if given["rviz"] == "true":
        result.append(rviz(given))
    return result


def segmentation(given: dict[str, str]) -> Node:
    """The segmentation node. Empty arguments do not override the parameter file."""
    overrides: dict = {name: given[name] for name in ("model", "device", "map_frame") if given[name]}
    overrides |= {name: given[name] == "true" for name in ("use_sim_time", "autostart") if given[name]}
    logger = ".".join([*given["namespace"].strip("/").split("/"), "segvec3d"]).lstrip(".")
    return Node(
        package="segvec3d",
        executable="segvec3d_node",
        name="segvec3d",
        namespace=given["namespace"],
        parameters=[given["params_file"], *([overrides] if overrides else [])],
        remappings=[("points", given["cloud_topic"])],
        arguments=["--ros-args", "--log-level", f"{logger}:={given['log_level']}"],
        output="screen",
    )


def depth_to_clouds(given: dict[str, str]) -> Node:
    """The node of depth_image_proc that makes clouds from depth and colour images.

    Raises:
        RuntimeError: color_image or camera_info is missing.
    """
    from segvec3d_ros.share import large_messages

    missing = [name for name in ("color_image", "camera_info") if not given[name]]
    if missing:
        raise RuntimeError(f"depth_image needs {' and '.join(missing)} as well")
    # The node subscribes to the camera_info beside the remapped colour image. To remap that topic in turn, its full
    # name has to be given.
    color = "/".join(["", *filter(None, [given["namespace"].strip("/"), given["color_image"]])])
    color = given["color_image"] if given["color_image"].startswith("/") else color
    beside = f"{color.rpartition('/')[0]}/camera_info"
    return Node(
        package="depth_image_proc",
        executable="point_cloud_xyzrgb_node",
        namespace=given["namespace"],
        additional_env=large_messages(),  # the segmentation node does this itself; else Fast DDS loses large clouds
        parameters=clock(given),
        remappings=[
            ("depth_registered/image_rect", given["depth_image"]),
            ("rgb/image_rect_color", given["color_image"]),
            (beside, given["camera_info"]),
            ("points", given["cloud_topic"]),
        ],
        output="screen",
    )


def clock(given: dict[str, str]) -> list:
    """Parameters with use_sim_time for the other nodes; empty if the argument is."""
    return [{"use_sim_time": given["use_sim_time"] == "true"}] if given["use_sim_time"] else []


def rviz(given: dict[str, str]) -> Node:
    """RViz, with topics remapped into the namespace, because its configuration file has none."""
    prefix = f"/{given['namespace'].strip('/')}" if given["namespace"].strip("/") else ""
    return Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", str(SHARE / "rviz" / "segvec3d.rviz"), "-f", given["fixed_frame"]],
        parameters=clock(given),
        remappings=[(f"/segvec3d/{topic}", f"{prefix}/segvec3d/{topic}") for topic in PUBLISHED] if prefix else [],
        output="log",
    )
