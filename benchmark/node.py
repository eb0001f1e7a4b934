"""Measure the node over DDS: latency from publishing a cloud to receiving its instances, while services are called.

    python benchmark/node.py                                5, 15 and 30 Hz for 20 seconds each
    python benchmark/node.py --rates 30 --seconds 3600      soak test: does memory grow, does latency drift?
    python benchmark/node.py --frames ../frames

Clouds of 640 x 480 points are prepared beforehand and published by this process. The cost of publishing them loads the
machine, and is included in the latency.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segvec3d_core.cli.bench import phrases
from segvec3d_core.cli.common import machine_line
from segvec3d_ros.demo import isolate, simulate, wait_until_active
from segvec3d_ros.player import OPTICAL_FRAME, shots
from segvec3d_ros.processes import Part, Parts

SETTLE = 2.0
"""Pause before and after measuring a rate, seconds, so that diagnostics, published once a second, are up to date."""
ASK = 0.25
"""Seconds between two queries; every other one has a text that the node has not encoded before."""


@dataclass(slots=True)
class Round:
    """Measurements at one rate.

    Attributes:
        published: clouds sent.
        received: clouds received by the node.
        dropped: clouds that a newer one replaced in the node.
        latencies: seconds from publishing to receiving the instances, of each processed cloud, in order.
        processor: mean number of cores that the node kept busy.
        memory: resident memory of the node after each published cloud, MB.
        new, repeated: seconds until the response to queries with a new text, and to the same again.
        stages: milliseconds of each stage of the node, mean of the latest clouds.
    """

    published: int = 0
    received: int = 0
    dropped: int = 0
    latencies: list[float] = field(default_factory=list)
    processor: float = 0.0
    memory: list[float] = field(default_factory=list)
    new: list[float] = field(default_factory=list)
    repeated: list[float] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)


def messages(folder: Path) -> list[Any]:
    """Convert the clouds of a frame folder to messages without a stamp."""
    from std_msgs.msg import Header

    from segvec3d_ros.conversions import cloud_message

    made = []
    for shot in shots(str(folder)):
        assert shot.cloud.camera is not None  # frames have one
        size = shot.cloud.camera.width, shot.cloud.camera.height
        made.append(cloud_message(shot.cloud.points, shot.cloud.colors, Header(frame_id=OPTICAL_FRAME), *size))
    return made


def usage(part: Part) -> tuple[float, float]:
    """CPU seconds of a part so far, and its resident memory, MB (2**20 bytes)."""
    values = Path(f"/proc/{part.pid}/stat").read_text().rsplit(")", 1)[1].split()
    pages = int(Path(f"/proc/{part.pid}/statm").read_text().split()[1])
    return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGESIZE") / 2**20


def health(collector: Any) -> dict[str, str]:
    """Latest values that the node published on /diagnostics; raises RuntimeError if there are none."""
    for message in reversed(collector.messages):
        for status in message.status:
            values = {pair.key: pair.value for pair in status.values}
            if "clouds received" in values:
                return values
    raise RuntimeError("the node tells nothing of its health")


def asking(stop: threading.Event, asked: Iterator[str], result: Round) -> None:
    """Call ``find_object`` until ``stop`` is set, and add the response times to ``result``."""
    from segvec3d_ros.client import Client

    with Client() as client:
        while not stop.wait(ASK):
            phrase = next(asked)
            for times in (result.new, result.repeated):
                begun = time.perf_counter()
                client.find_object(phrase)
                times.append(time.perf_counter() - begun)
                stop.wait(ASK)


def measure(client: Any, heard: Any, node: Part, clouds: Sequence[Any], rate: float, seconds: float,
            asked: Iterator[str]) -> Round:  # fmt: skip
    """Publish clouds at ``rate`` Hz for some seconds, and measure the node meanwhile."""
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import PointCloud2

    from segvec3d_interfaces.msg import InstanceArray
    from segvec3d_ros.diagnostics import STAGES

    result = Round()

    def arrived(message: Any) -> None:
        stamp = message.header.stamp.sec + message.header.stamp.nanosec / 1e9
        result.latencies.append(time.time() - stamp)

    publisher = client.node.create_publisher(PointCloud2, "/points", qos_profile_sensor_data)
    subscription = client.node.create_subscription(InstanceArray, f"{client.node_name}/objects", arrived, 10)
    time.sleep(SETTLE)
    before, stop = health(heard), threading.Event()
    asker = threading.Thread(target=asking, args=(stop, asked, result), daemon=True)
    asker.start()
    (busy, _), begun = usage(node), time.monotonic()
    while (due := begun + result.published / rate) < begun + seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        message = clouds[result.published % len(clouds)]
        message.header.stamp = client.node.get_clock().now().to_msg()
        publisher.publish(message)
        result.published += 1
        result.memory.append(usage(node)[1])
    result.processor = (usage(node)[0] - busy) / (time.monotonic() - begun)
    stop.set()
    asker.join()
    time.sleep(SETTLE)
    client.node.destroy_publisher(publisher)
    client.node.destroy_subscription(subscription)
    after = health(heard)
    result.received, result.dropped = (
        int(after[f"clouds {what}"]) - int(before[f"clouds {what}"]) for what in ("received", "dropped")
    )
    result.stages = {stage: float(after[f"{stage} (ms)"]) for stage in STAGES}
    return result


def line(rate: float, result: Round) -> str:
    """Format a row of the table."""
    p50, p95 = 1e3 * np.percentile(result.latencies, [50, 95])
    new, repeated = (1e3 * np.percentile(times, [50, 95]) for times in (result.new, result.repeated))
    return (
        f"{rate:5g} {result.published:9d} {result.received:8d} {result.dropped:8d} {len(result.latencies):9d} "
        f"{p50:8.0f} {p95:6.0f} {result.processor:7.2f} {result.memory[0]:7.0f} {result.memory[-1]:6.0f} "
        f"{new[0]:8.0f} {new[1]:5.0f} {repeated[0]:8.1f} {repeated[1]:5.1f}"
    )


def drift(values: Sequence[float], parts: int = 6) -> str:
    """Text with the median of each of ``parts`` consecutive parts of a run."""
    return " ".join(f"{np.median(part):.0f}" for part in np.array_split(values, parts) if len(part))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Latency, losses and load of the node over DDS.")
    parser.add_argument("--rates", type=float, nargs="+", default=[5.0, 15.0, 30.0], help="clouds a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="at each rate (default: 20)")
    parser.add_argument("--frames", type=Path, help="frame folder (default: eight simulated frames of a table)")
    parser.add_argument("--model", type=Path, help="weight file (default: the weights that come with the package)")
    args = parser.parse_args(argv)
    options = [] if args.model is None else ["--ros-args", "-p", f"model:={args.model}"]
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        isolate(None)
        frames = args.frames or logs / "frames"
        if args.frames is None:
            simulate(frames)
        from diagnostic_msgs.msg import DiagnosticArray

        from segvec3d_ros.client import Client

        parts = stack.enter_context(Parts(logs))
        node = parts.start("node", "segvec3d_ros.node", *options)
        client = stack.enter_context(Client())
        heard = client.collect(DiagnosticArray, "/diagnostics", keep=20)
        wait_until_active(client, parts)
        clouds, asked = messages(frames), phrases()
        print(machine_line())
        print(f"{len(clouds)} clouds of {clouds[0].width} x {clouds[0].height} points in turn; milliseconds")
        print(
            "   Hz published received replaced processed  latency    p95   cores  MB then    now"
            "  new p50   p95  again p50   p95"
        )
        for rate in args.rates:
            result = measure(client, heard, node, clouds, rate, args.seconds, asked)
            parts.check()
            print(line(rate, result), flush=True)
            print("      stages: " + ", ".join(f"{stage} {took:.1f}" for stage, took in result.stages.items()))
            latencies = [1e3 * seconds for seconds in result.latencies]
            print(f"      in six parts of the time: median latency {drift(latencies)}")
            print(f"      median memory {drift(result.memory)} MB", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
