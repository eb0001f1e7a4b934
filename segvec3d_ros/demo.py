"""Live end-to-end demo: a camera publishes clouds, the node segments them, a client searches them by text.

    python -m segvec3d_ros.demo                    simulated camera
    python -m segvec3d_ros.demo frames/            frame folder, rosbag2 or scan

Camera and node run in processes of their own and communicate over DDS; this process is the client, as a planner would
be. It prints the node's answers, counts the clouds and draws one of them. ``--help`` lists the exit codes.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segvec3d_ros.player import shots
from segvec3d_ros.processes import Part, PartFailed, Parts
from segvec3d_ros.share import FASTDDS_VARIABLES, TRANSPORTS, use_large_messages
from segvec3d_ros.verdict import Judgement, Tally, judge, problem, summary

if TYPE_CHECKING:
    from segvec3d_core.datasets.frames import Frame, FrameFolder
    from segvec3d_ros.client import Client, Collector

START_LIMIT = 300.0
"""Longest time until the node is ready, seconds: at its first start it compiles kernels."""

FIRST_LIMIT = 20.0
"""Longest time until the first instances arrive, seconds."""

LIMIT = 10.0
"""Longest wait for the instances of a cloud or for a response, seconds."""

CLOUD_LIMIT = 2.0
"""Longest wait for a labelled cloud, seconds. Its publisher keeps only the latest, so a busy machine may miss one."""

ABSENT = "the bicycle"
"""Query for something that is on no table: the right answer is NO_MATCH."""

ANY_SCENE = ("the largest object", "the box", "the chair", "the table")
"""Queries for a scene without ground truth. With ground truth, as many of its objects are queried instead."""

SOURCED = ("RMW_IMPLEMENTATION", "ROS_DISCOVERY_SERVER", "ROS_STATIC_PEERS", "ROS_SUPER_CLIENT", "ROS_LOCALHOST_ONLY")
"""Environment variables that a robot's shell may have set, and that would connect the demo to the robot's graph."""

LOOKS = 12
"""Number of clouds in which the demo looks for objects that it has not yet queried."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the client receives from the node: instances, labelled clouds, diagnostics."""

    objects: Collector[Any]
    clouds: Collector[Any]
    health: Collector[Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """The node's answer to a text query.

    Attributes:
        text: the query.
        response: of ``find_object``.
        seconds: between request and response.
        objects, cloud: the node's instances and labelled cloud at the stamp that was searched; the cloud is None if it
            was missed.
        judgement: comparison with the ground truth, as far as there is any.
    """

    text: str
    response: Any
    seconds: float
    objects: Any
    cloud: Any
    judgement: Judgement


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo with the command-line arguments ``argv``; returns the exit code."""
    arguments = _parser().parse_args(argv)
    if arguments.input is not None and not Path(arguments.input).exists():
        print(f"demo: {arguments.input}: no such file or folder", file=sys.stderr)
        return 2
    missing = [name for name in ("rclpy", "segvec3d_interfaces") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"demo: {' and '.join(missing)} not installed: make setup installs what is missing", file=sys.stderr)
        return 2
    if arguments.input is not None:
        try:
            next(shots(str(arguments.input)), None)
        except (FileNotFoundError, ValueError) as error:
            print(f"demo: {error}", file=sys.stderr)
            return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that SIGTERM also stops the child processes
    try:
        _run(arguments)
    except PartFailed as failure:
        print(f"\ndemo: FAILED: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted", file=sys.stderr)
        return 130
    return 0


def _run(arguments: argparse.Namespace) -> None:
    """Start node and camera, ask the questions, check the results. Raises PartFailed if anything went wrong."""
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    isolate(arguments.domain)
    begun = time.monotonic()

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - begun:5.1f} s] {text}", flush=True)

    with ExitStack() as stack:
        parts = stack.enter_context(Parts(output))
        node = parts.start("node", "segvec3d_ros.node", *_node_options(arguments))
        tell(
            f"node: process {node.pid} loads the model; a first start compiles kernels for a minute or two ({node.log})"
        )

        source = arguments.input or output / "frames"
        if arguments.input is None:
            tell(f"simulator: {simulate(source)} frames of a table with known things on it ({source})")
        camera = parts.start("camera", "segvec3d_ros.player", str(source), *_camera_options(arguments), ends=True)
        tell(f"camera: process {camera.pid} waits to publish {arguments.count} clouds ({camera.log})")

        client, heard = _connect(stack)
        wait_until_active(client, parts)
        tell("node: ready")
        parts.wait(lambda: any(m.instances for m in heard.objects.messages), FIRST_LIMIT, "the first instances")
        tell(f"first instances: {_inventory(heard.objects.messages[-1])}\n")

        print(_HEADER)
        answers = []
        for text in questions(source, camera, heard, parts):
            answers.append(ask(client, text, source, camera, heard, parts))
            print(_row(answers[-1]), flush=True)

        parts.wait(lambda: camera.process.poll() == 0, arguments.count / arguments.rate + LIMIT, "the camera's end")
        print()
        counts, pace = tally(camera, arguments, heard, parts)
        tell(f"clouds at {arguments.rate:g} Hz: {counts}; {pace}")
        tell(f"picture: {draw(answers, output / 'demo.png')}")
        judgements = [answer.judgement for answer in answers]
        tell(summary(judgements))
        parts.check()
        for wrong in (counts.problem(), problem(judgements)):
            if wrong:
                raise PartFailed(f"node: {wrong}")


# --- the parts ---------------------------------------------------------------------------------------------------


def isolate(domain: int | None) -> None:
    """Restrict this process and its children to this machine and to a ROS domain of their own."""
    chosen = 1 + os.getpid() % 100 if domain is None else domain
    for name in (*SOURCED, *FASTDDS_VARIABLES, TRANSPORTS):
        os.environ.pop(name, None)
    os.environ.update(ROS_DOMAIN_ID=str(chosen), ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST")
    use_large_messages()
    print(f"ROS_DOMAIN_ID={chosen} ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST (for who wants to watch)", flush=True)


def _node_options(arguments: argparse.Namespace) -> list[str]:
    # With the default depth of 1, a cloud that arrives while the machine is busy replaces its predecessor inside the
    # middleware, where nobody counts it; the demo has to tell these from clouds that were lost in transport.
    # The frames of a folder may show different scenes, so there is no map to build.
    options = ["--ros-args", "-p", "qos_overrides./points.subscription.depth:=5", "-p", "object_map:=false"]
    return options if arguments.model is None else [*options, "-p", f"model:={arguments.model}"]


def _camera_options(arguments: argparse.Namespace) -> list[str]:
    """Arguments of the player: wait for the node, then publish the input in a loop until ``--count`` is reached."""
    options = {"topic": "points", "rate": arguments.rate, "count": arguments.count, "wait": START_LIMIT + LIMIT}
    return ["--loop", *(text for name, value in options.items() for text in (f"--{name}", str(value)))]


def simulate(folder: Path, frames: int = 8, seed: int = 19) -> int:
    """Replace ``folder`` by a frame folder of one table, seen by a camera that swings around it; returns ``frames``.

    Rendered beforehand, because rendering a frame keeps a core busy for as long as the camera's period.
    """
    from segvec3d_core.datasets.frames import write_frame
    from segvec3d_ros.player import simulated_frames

    shutil.rmtree(folder, ignore_errors=True)
    # After the last frame the camera is back at its start, so that the sequence can be looped.
    phases = (2 * np.pi * number / frames for number in range(frames))
    for number, frame in enumerate(simulated_frames(seed, phases)):
        write_frame(folder, frame.to_frame(f"{number:03d}", min_pixels=200))
    return frames


def _connect(stack: ExitStack) -> tuple[Client, Heard]:
    """Create the client and subscribe to the node's topics."""
    from diagnostic_msgs.msg import DiagnosticArray
    from sensor_msgs.msg import PointCloud2

    from segvec3d_interfaces.msg import InstanceArray
    from segvec3d_ros.client import Client

    client = stack.enter_context(Client())
    objects = client.collect(InstanceArray, "objects")
    clouds = client.collect(PointCloud2, "instances", keep=5)  # 7 MB each
    return client, Heard(objects, clouds, client.collect(DiagnosticArray, "/diagnostics"))


def wait_until_active(client: Client, parts: Parts) -> None:
    """Wait until the node answers with another status than INACTIVE.

    Raises:
        PartFailed: it does not within ``START_LIMIT``, or it failed to load the model.
    """
    from segvec3d_interfaces.srv import FindObject
    from segvec3d_ros.finder import LOADING

    deadline = time.monotonic() + START_LIMIT
    inactive_since = None
    while time.monotonic() < deadline:
        parts.check()
        try:
            answer = client.find_object("anything", wait=1.0)
        except TimeoutError:  # the node is still starting
            continue
        if answer.status != FindObject.Response.INACTIVE:
            return
        # A node that is no longer loading and stays inactive failed to load its model.
        inactive_since = None if LOADING in answer.message else inactive_since or time.monotonic()
        if inactive_since is not None and time.monotonic() - inactive_since > 3.0:
            raise parts.failure("node", "stays inactive")
        time.sleep(0.1)
    raise parts.failure("node", f"not ready after {START_LIMIT:g} s")


def tally(camera: Part, arguments: argparse.Namespace, heard: Heard, parts: Parts) -> tuple[Tally, str]:
    """Count what happened to the clouds; also returns a text with the mean time per cloud.

    Raises:
        PartFailed: the camera published fewer clouds than requested, or the node sends no diagnostics.
    """
    done = re.search(r"^published (\d+) clouds", camera.log.read_text(), re.MULTILINE)
    published = int(done[1]) if done else 0
    if published != arguments.count:
        raise parts.failure("camera", f"published {published} of {arguments.count} clouds")
    parts.wait_briefly(lambda: heard.objects.count >= published, 3.0)
    reports = heard.health.count
    parts.wait(lambda: heard.health.count >= reports + 2, LIMIT, "the node's diagnostics")
    health = {pair.key: pair.value for pair in heard.health.messages[-1].status[0].values}
    received, overtaken, failed = (int(health[f"clouds {fate}"]) for fate in ("received", "dropped", "failed"))
    pace = f"{health.get('total (ms)', '?')} ms from cloud to answer on {health['device']}"
    return Tally(published, received, heard.objects.count, overtaken, failed), pace


# --- questions and answers ---------------------------------------------------------------------------------------


def questions(source: Path, camera: Part, heard: Heard, parts: Parts) -> Iterator[str]:
    """Queries, one per new cloud: objects known to be in view, without ground truth ``ANY_SCENE``; then ``ABSENT``."""
    asked: list[str] = []
    for _ in range(LOOKS):
        parts.wait(partial(_has_news, heard, heard.objects.count, camera), LIMIT, "instances of the next cloud")
        frame = _frame_of(source, camera, heard.objects.messages[-1].header.stamp)
        known = [] if frame is None else [f"the {name}" for name in _largest_first(frame)]
        new = [text for text in known or ANY_SCENE if text not in asked][:1]
        asked += new
        yield from new
        if len(asked) == len(ANY_SCENE):
            break
    yield ABSENT


def ask(client: Client, text: str, source: Path, camera: Part, heard: Heard, parts: Parts) -> Answer:
    """Call ``find_object`` for a text, and compare the answer with the ground truth.

    Raises:
        PartFailed: no response in time, or one that is neither SUCCESS nor NO_MATCH.
    """
    from segvec3d_interfaces.srv import FindObject
    from segvec3d_ros.picture import ids_of

    begun = time.monotonic()
    try:
        response = client.find_object(text, wait=LIMIT)
    except TimeoutError as error:
        parts.check()
        raise parts.failure("node", str(error)) from None
    seconds = time.monotonic() - begun
    if response.status not in (FindObject.Response.SUCCESS, FindObject.Response.NO_MATCH):
        raise parts.failure("node", f"{text!r}: status {response.status}: {response.message}")
    stamp = response.header.stamp
    parts.wait(partial(_has_stamp, heard.objects, stamp), LIMIT, "the instances that were searched")
    parts.wait_briefly(partial(_has_stamp, heard.clouds, stamp), CLOUD_LIMIT)
    objects, cloud = _with_stamp(heard.objects, stamp), _with_stamp(heard.clouds, stamp)
    best = response.matches[0].instance.id if response.matches else None
    judgement = judge(text, best, None if cloud is None else ids_of(cloud), _frame_of(source, camera, stamp))
    return Answer(text, response, seconds, objects, cloud, judgement)


def _has_news(heard: Heard, count: int, camera: Part) -> bool:
    """Whether more than ``count`` messages of instances have arrived, or the camera has ended."""
    return heard.objects.count > count or camera.process.poll() is not None


def _has_stamp(collector: Collector[Any], stamp: Any) -> bool:
    return _with_stamp(collector, stamp) is not None


def _with_stamp(collector: Collector[Any], stamp: Any) -> Any | None:
    return next((message for message in reversed(list(collector.messages)) if message.header.stamp == stamp), None)


def _frame_of(source: Path, camera: Part, stamp: Any) -> Frame | None:
    """The recorded frame that the camera published with this stamp, according to its log; None for other inputs."""
    folder = _frame_folder(source)
    if folder is None:
        return None
    line = rf"^published \d+: (.*), \d+ x \d+, stamp {stamp.sec}\.{stamp.nanosec:09d}$"
    found = re.search(line, camera.log.read_text(), re.MULTILINE)
    return folder[folder.names.index(found[1])] if found else None


def _frame_folder(source: Path) -> FrameFolder | None:
    from segvec3d_core.datasets.frames import FrameFolder

    return FrameFolder(source) if (source / "depth").is_dir() else None


def _largest_first(frame: Frame) -> list[str]:
    """Names of a frame's objects, by decreasing number of visible pixels."""
    if frame.label is None:
        return list(frame.names.values())
    pixels = np.bincount(frame.label.ravel(), minlength=max(frame.names, default=0) + 1)
    return [frame.names[k] for k in sorted(frame.names, key=lambda k: -pixels[k])]


def draw(answers: Sequence[Answer], path: Path) -> Path:
    """Draw the cloud of the answer with the highest similarity; returns the path.

    Raises:
        PartFailed: no labelled cloud has arrived.
    """
    from segvec3d_ros.picture import save_answer

    seen = [answer for answer in answers if answer.cloud is not None]
    if not seen:
        raise PartFailed("node: none of its labelled clouds arrived")
    best = max(seen, key=lambda a: max((match.similarity for match in a.response.matches), default=-1.0))
    save_answer(path, best.cloud, best.objects, best.text, best.response)
    return path


_HEADER = (
    f"{'text':<24}{'id':>3}  {'label':<14}{'similarity':>10}  {'position (m)':<20}{'size (m)':<17}{'ms':>5}  truth"
)


def _row(answer: Answer) -> str:
    """Format a row of the table."""
    end = f"{1000 * answer.seconds:5.0f}  {answer.judgement.words}"
    if not answer.response.matches:
        return f"{answer.text:<24}{'-':>3}  {'not found':<63}{end}"
    best = answer.response.matches[0]
    thing, at, size = best.instance, best.instance.pose.position, best.instance.size
    place, edges = f"{at.x:.2f} {at.y:.2f} {at.z:.2f}", f"{size.x:.2f} {size.y:.2f} {size.z:.2f}"
    return (
        f"{answer.text:<24}{thing.id:>3}  {thing.label or '-':<14}{best.similarity:>10.2f}  {place:<20}{edges:<17}{end}"
    )


def _inventory(message: Any) -> str:
    """Number of instances in a message, and their labels."""
    labels = sorted({thing.label for thing in message.instances if thing.label})
    return f"{len(message.instances)} ({', '.join(labels) or 'none of them named'})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="segvec3d demo",
        description="Run camera, node and client live over ROS 2, and draw what was found.\n\n"
        "A camera process publishes the clouds of INPUT, or of a simulated table, over DDS; the node segments them\n"
        "in a process of its own; this one asks it for objects in words, as a planner would. It prints the answers,\n"
        "how many clouds arrived and how fast, and draws one of them with what was found. Robots on the network are\n"
        "neither seen nor disturbed. Needs ROS 2, or what make setup installs; no GPU, no camera.\n\n"
        "Exit code 0: every part did its work; 1: one failed, a cloud got lost on the way, or none of the things\n"
        "known to be in view was found; 2: the input is bad, or ROS is missing.",
        epilog="examples:\n"
        "  segvec3d demo\n"
        "  segvec3d demo frames --output demo_frames\n"
        "  segvec3d demo drive --rate 2 --count 20\n"
        "  segvec3d demo office.ply --model runs/a/segvec3d.safetensors",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "input", metavar="INPUT", nargs="?", type=Path,
        help="frame folder, rosbag2 or scan (.ply .pcd .npz .xyz); left out: the simulator",
    )  # fmt: skip
    parser.add_argument(
        "--output", metavar="DIR", type=Path, default=Path("demo_output"),
        help="demo.png, the logs of node and camera, and the simulator's frames (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--rate", metavar="HZ", type=float, default=5.0, help="clouds a second (default: %(default)s)")
    parser.add_argument("--count", metavar="N", type=int, default=40, help="clouds to publish (default: %(default)s)")
    parser.add_argument("--model", metavar="FILE", type=Path, help="weights (default: the shipped ones)")
    parser.add_argument("--domain", metavar="N", type=int, help="ROS_DOMAIN_ID (default: one of its own)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
