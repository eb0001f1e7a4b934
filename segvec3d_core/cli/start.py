"""``segvec3d bench --start``: time from the start of a process to its first answer, with compiled kernels cached."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from segvec3d_core.cli.common import at_least, load_model, machine, machine_line, progress
from segvec3d_core.io import write_json

HELP = "from segvec3d_core.cli import main; main(['--help'])"

PROGRAM = """
import json, sys
import numpy as np
from segvec3d_core import Camera, PointCloud, SegVec3D

told = json.loads(sys.argv[1])
frame = np.load(told["frame"])
model = SegVec3D.load(told["model"], told["device"])
scene = model.segment(PointCloud.from_depth(frame["depth"], Camera(**told["camera"]), frame["color"]))
if told["query"]:
    model.find(scene, told["query"])
print(len(scene), flush=True)
"""
"""A program that uses the library once: loads the model, segments a frame, and answers a query if one is given."""

QUERY = "the red mug"


@dataclass(frozen=True, slots=True)
class Taken:
    """Times of new processes, seconds.

    Attributes:
        p50, least, most: median, minimum and maximum time from the start to the first line of output.
        processor: median CPU time on all cores until the end; less affected by other work on the machine.
    """

    p50: float
    least: float
    most: float
    processor: float

    @classmethod
    def of(cls, runs: Sequence[tuple[float, float]]) -> Taken:
        """Summarise at least one run of (seconds to the first line, CPU seconds)."""
        seconds, processor = zip(*runs, strict=True)
        return cls(statistics.median(seconds), min(seconds), max(seconds), statistics.median(processor))


def bench_start(args: Namespace) -> int:
    """Start new processes, one at a time, and print how long each command takes; the first run of each is not
    counted."""
    at_least("--start", args.start, 1)
    device = load_model(args).device  # errors in the weights are reported here, once
    rows: dict[str, Taken] = {}
    with _commands(args.model, device) as commands:
        for name, command in commands.items():
            runs = [_until_answer(command) for _ in progress(range(args.start + 1), name)]
            rows[name] = Taken.of(runs[1:])
    if args.json != "-":
        print(f"{machine_line()}, on {device}")
        print(f"new processes, {args.start} of each, kernels cached")
        print(f"{'seconds':40} {'p50':>6} {'least':>6} {'most':>6} {'processor':>9}")
        for name, row in rows.items():
            print(f"{name:40} {row.p50:6.2f} {row.least:6.2f} {row.most:6.2f} {row.processor:9.2f}")
    if args.json is not None:
        told = {name: asdict(row) for name, row in rows.items()}
        about = {"version": 1, "machine": machine(), "device": device, "runs": args.start}
        write_json(args.json, about | {"seconds": told})
    return 0


@contextmanager
def _commands(model: str | None, device: str) -> Iterator[dict[str, list[str]]]:
    """Commands to start, by the name of their row. Within the context, the simulated frame that they read exists."""
    from segvec3d_core.simulate import first_edition, simulate_frame

    with first_edition():
        frame = simulate_frame(np.random.default_rng([0, 0]), "table", whole=0)
    with tempfile.TemporaryDirectory(prefix="segvec3d-start-") as folder:
        file = Path(folder) / "frame.npz"
        np.savez(file, depth=frame.depth, color=frame.color)
        told = {"frame": str(file), "camera": asdict(frame.camera), "model": model, "device": device}

        def program(query: str) -> list[str]:
            return [sys.executable, "-c", PROGRAM, json.dumps(told | {"query": query})]

        yield {
            "segvec3d --help": [sys.executable, "-c", HELP],
            "import, load, the objects of a frame": program(""),
            "the same, and an answer to a question": program(QUERY),
        }


def _until_answer(command: list[str]) -> tuple[float, float]:
    """Seconds from the start of a process to its first line of output, and its CPU seconds until its end.

    Raises:
        OSError: it failed or printed nothing; its own message is on standard error.
    """
    start, before = time.perf_counter(), _of_children()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        answer = process.stdout.readline()
        took = time.perf_counter() - start
        process.stdout.read()
    if process.returncode != 0 or not answer:
        raise OSError(f"--start: a new process ended with exit code {process.returncode}, and without an answer")
    return took, _of_children() - before


def _of_children() -> float:
    """CPU seconds of all child processes that have ended."""
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
