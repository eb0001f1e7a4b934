"""A camera process: publishes clouds at a steady rate from the simulator, recorded frames, a bag or a scan.

python -m segvec3d_ros.player                              the simulator, until interrupted
python -m segvec3d_ros.player frames/ --rate 5 --loop      a frame folder
python -m segvec3d_ros.player recording.mcap               a bag with PointCloud2
python -m segvec3d_ros.player office.ply --count 10 --loop a scan
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count as count_from
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segvec3d_core.types import Camera, PointCloud
from segvec3d_ros.share import FASTDDS_VARIABLES, use_large_messages

if TYPE_CHECKING:
    from segvec3d_core.simulate import SimulatedFrame

OPTICAL_FRAME = "camera_depth_optical_frame"
SCAN_FRAME = "map"
"""Frame of scans, which are z-up: one of the node's default ``gravity_frames``."""

LINGER = 0.5
"""Seconds that the process stays alive after its last cloud, so that the middleware delivers it."""


SETTLE = 0.5
"""Delay from the discovery of a subscriber to the first cloud, seconds: the subscriber must discover this process too.
"""

CARRIED = {"fastdds.xml": 1_000_000, "fastdds_small.xml": 320_000}
"""Points of the largest cloud that is published without thinning, by Fast DDS profile. A point has 16 bytes, 24 in the
labelled cloud, so that 64 or 16 MB of shared memory hold two clouds of either kind: one being written, one read."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One cloud to publish.

    Attributes:
        name: for the log.
        cloud: organised if it has a camera, in the optical or the body frame.
        frame: name of the coordinate frame.
    """

    name: str
    cloud: PointCloud
    frame: str


def shots(source: str | None, seed: int = 0, topic: str | None = None) -> Iterator[Shot]:
    """Iterate over the clouds of a source, in order.

    Args:
        source: frame folder, bag, or scan or depth image that ``read_cloud`` supports; None for the simulator, which
            never ends.
        seed: of the simulator.
        topic: PointCloud2 topic of a bag, None for the first.

    Raises:
        FileNotFoundError, ValueError: when iteration starts, with a one-line message.
    """
    from segvec3d_core.bags import is_bag, iter_bag_clouds
    from segvec3d_core.datasets.frames import FrameFolder
    from segvec3d_core.io import read_cloud

    if source is None:
        yield from simulated_shots(seed)
        return
    path = Path(source)
    if is_bag(path):
        for stamp, frame, cloud in iter_bag_clouds(path, topic):
            yield Shot(f"{stamp / 1e9:.3f} s", cloud, frame)
    elif path.is_dir():
        for recorded in FrameFolder(path):
            yield Shot(recorded.name, recorded.cloud(), OPTICAL_FRAME)
    else:
        cloud = read_cloud(path)
        yield Shot(path.name, cloud, OPTICAL_FRAME if cloud.camera is not None else SCAN_FRAME)


def simulated_shots(seed: int) -> Iterator[Shot]:
    """Frames of the simulator, endlessly."""
    for number, frame in enumerate(simulated_frames(seed, (0.1 * number for number in count_from(0)))):
        yield Shot(f"simulated {number}", frame.cloud(), OPTICAL_FRAME)


def simulated_frames(seed: int, phases: Iterable[float]) -> Iterator[SimulatedFrame]:
    """Render a table with labelled objects, seen by a Kinect swinging around it; ``phases`` of the swing in radians."""
    from segvec3d_core.simulate import look_at, render, sample_scene

    rng = np.random.default_rng(seed)
    scene = sample_scene(rng, "table", objects=8, background=True)
    camera = Camera(640, 480, 525.0, 525.0, 319.5, 239.5)
    for phase in phases:
        turn = 0.6 * np.sin(phase)
        away = np.array([0.75 * np.sin(turn), -0.75 * np.cos(turn), 0.66])
        view = look_at(scene.focus + away * max(0.9, 2.0 * scene.spread), scene.focus, roll=0.0)
        yield render(rng, scene, view, camera, "kinect")


def thinned(shot: Shot, limit: int) -> tuple[Shot, int]:
    """Subsample a shot to at most ``limit`` points; also returns the step.

    Every step-th point is kept, of an organised cloud every step-th row and column, with the intrinsics adapted.
    """
    cloud, camera = shot.cloud, shot.cloud.any_camera
    if len(cloud) <= limit:
        return shot, 1
    if camera is None:
        step = -(-len(cloud) // limit)
        kept: Any = np.s_[::step]
    else:
        step = 1
        while -(-camera.width // step) * -(-camera.height // step) > limit:
            step += 1
        kept = np.arange(len(cloud)).reshape(camera.height, camera.width)[::step, ::step]
        height, width = kept.shape
        kept = kept.ravel()
        camera = Camera(width, height, *(v / step for v in (camera.fx, camera.fy, camera.cx, camera.cy)))
    colors = None if cloud.colors is None else cloud.colors[kept]
    optical, body = (camera, None) if cloud.body_camera is None else (None, camera)
    thin = PointCloud(cloud.points[kept], colors, cloud.up, cloud.viewpoint, optical, body)
    return Shot(shot.name, thin, shot.frame), step


def play(node: Any, publisher: Any, clouds: Iterator[Shot], rate: float, count: int | None, quiet: bool = False) -> int:
    """Publish clouds at ``rate`` Hz, stamped with the time of publishing; returns how many.

    The next cloud is read and converted while waiting for its turn; a cloud not ready in time is published late.
    """
    from std_msgs.msg import Header

    from segvec3d_ros.conversions import cloud_message

    published, limit = 0, carried()
    due = time.monotonic()
    steps: set[int] = {1}
    for whole in clouds:
        shot, step = thinned(whole, limit)
        if step not in steps:
            steps.add(step)
            print(f"player: {_thinning(whole, shot, step, limit)}", file=sys.stderr, flush=True)
        camera = shot.cloud.any_camera
        width, height = (len(shot.cloud), 1) if camera is None else (camera.width, camera.height)
        header = Header(frame_id=shot.frame)
        message = cloud_message(shot.cloud.points, shot.cloud.colors, header, width, height)
        time.sleep(max(0.0, due - time.monotonic()))
        if not node.context.ok():
            break
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)
        due = max(due, time.monotonic() - 1 / rate) + 1 / rate
        published += 1
        if not quiet:
            stamp = f"{message.header.stamp.sec}.{message.header.stamp.nanosec:09d}"
            print(f"published {published}: {shot.name}, {width} x {height}, stamp {stamp}", flush=True)
        if count is not None and published >= count:
            break
    return published


def carried() -> int:
    """Points of the largest cloud that fits the shared memory, assuming the larger profile if the user has another."""
    named = {Path(os.environ.get(name, "")).name for name in FASTDDS_VARIABLES}
    return next((points for profile, points in CARRIED.items() if profile in named), max(CARRIED.values()))


def _thinning(whole: Shot, shot: Shot, step: int, limit: int) -> str:
    kind = "points" if whole.cloud.any_camera is None else "rows and columns"
    return (
        f"{whole.name}: {len(whole.cloud):,} points are more than shared memory carries ({limit:,}): "
        f"only one in {step} {kind} is published, {len(shot.cloud):,} points"
    )


def looped(source: str | None, seed: int, topic: str | None, loop: bool) -> Iterator[Shot]:
    """Iterate over the clouds of a source, with ``loop`` endlessly; a source of a single cloud is read only once.

    Raises:
        FileNotFoundError, ValueError: as ``shots``, and ValueError for a source without clouds.
    """
    while True:
        published, shot = 0, None
        for shot in shots(source, seed, topic):
            published += 1
            yield shot
        if shot is None:
            raise ValueError(f"{source}: no clouds in it")
        if not loop:
            return
        while published == 1:
            yield shot


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m segvec3d_ros.player", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("input", nargs="?", help="frame folder, bag, scan or depth image; left out: the simulator")
    parser.add_argument("--rate", type=_positive, default=5.0, help="clouds per second (default: %(default)s)")
    parser.add_argument("--topic", default="points", help="topic to publish on (default: %(default)s)")
    parser.add_argument("--bag-topic", help="topic to read from a bag (default: the first with clouds)")
    parser.add_argument("--count", type=int, help="stop after so many clouds")
    parser.add_argument("--loop", action="store_true", help="begin again at the end of the input")
    parser.add_argument("--seed", type=int, default=0, help="of the simulator (default: %(default)s)")
    parser.add_argument("--wait", type=float, default=0.0, help="seconds to wait for a subscriber; fail without one")
    parser.add_argument("--quiet", action="store_true", help="print no line per cloud")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1000:
        raise argparse.ArgumentTypeError(f"expected clouds per second between 0 and 1000, got {text}")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Run the camera with the command-line arguments ``argv``.

    Returns:
        0; 1 if no subscriber was found in time; 2 for bad input.
    """
    use_large_messages()  # before rclpy: the publisher of the clouds needs it
    import rclpy
    from rclpy.node import Node
    from rclpy.utilities import remove_ros_args
    from sensor_msgs.msg import PointCloud2

    given = list(sys.argv[1:] if argv is None else argv)
    arguments = _parser().parse_args(remove_ros_args(["player", *given])[1:])
    rclpy.init(args=["player", *given])
    node = Node("camera")
    publisher = node.create_publisher(PointCloud2, arguments.topic, rclpy.qos.qos_profile_sensor_data)
    if arguments.input is None:
        still = "start the node with -p object_map:=false, for its map takes a camera without TF to stand still"
        print(f"player: this camera swings around its table and sends no TF: {still}", file=sys.stderr)
    try:
        clouds = looped(arguments.input, arguments.seed, arguments.bag_topic, arguments.loop)
        if arguments.wait and not _subscribed(node, publisher, arguments.wait):
            print(f"player: nobody subscribed to {publisher.topic_name} in {arguments.wait:g} s", file=sys.stderr)
            return 1
        published = play(node, publisher, clouds, arguments.rate, arguments.count, arguments.quiet)
        time.sleep(LINGER)
        print(f"published {published} clouds on {publisher.topic_name}", flush=True)
        return 0
    except (FileNotFoundError, ValueError) as error:
        print(f"player: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def _subscribed(node: Any, publisher: Any, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while publisher.get_subscription_count() == 0:
        if time.monotonic() > deadline or not node.context.ok():
            return False
        time.sleep(0.05)
    time.sleep(SETTLE)
    return True


if __name__ == "__main__":
    sys.exit(main())
