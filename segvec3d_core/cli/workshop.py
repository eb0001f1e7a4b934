"""``segvec3d train``, ``simulate`` and ``info``."""

from __future__ import annotations

import platform
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from segvec3d_core.cli.common import at_least, load_model, machine, progress, version_of
from segvec3d_core.io import write_json

_LIBRARIES = ("numpy", "scipy", "numba", "torch", "scikit-learn", "open3d-cpu", "tokenizers", "rosbags")


def train(args: Namespace) -> int:
    """Train weights; see ``segvec3d_core.train``."""
    from segvec3d_core.train import run

    later = (f"{stage}_{count}" for stage in ("grouping", "alignment") for count in ("scenes", "steps"))
    for name in ("steps", "scenes", "max_voxels", *later, "validation_scenes", "threads"):
        if getattr(args, name) is not None:
            # Of every four validation scenes, two are for tuning constants and two for measuring.
            at_least(f"--{name.replace('_', '-')}", getattr(args, name), 4 if name == "validation_scenes" else 1)
    at_least("--workers", args.workers, 0)
    if args.learning_rate is not None and not 0 < args.learning_rate < 1:
        raise ValueError(f"--learning-rate: expected more than 0 and less than 1, got {args.learning_rate}")
    return run(args)


def simulate(args: Namespace) -> int:
    """Write simulated frames, a contact sheet of them, or both; with --test a fixed test set."""
    if args.fetch_shapes or args.test is not None:
        return _testset(args)
    from segvec3d_core.datasets.frames import write_frame
    from segvec3d_core.simulate import simulate_frame, write_preview

    if args.output is None and args.preview is None:
        raise ValueError("nothing to write: give --output DIR, --preview FILE or both")
    if args.objects is not None and args.layout not in (None, "table"):
        raise ValueError(f"--objects: --layout {args.layout} takes none, for it has no table of its own")
    at_least("--count", args.count, 1)
    at_least("--width", args.width, 16)
    at_least("--height", args.height, 16)
    width = len(str(args.count - 1))
    shown = []
    for number in progress(range(args.count), "frames"):
        rng = np.random.default_rng([args.seed, number])  # so that a frame does not depend on the number of frames
        frame = simulate_frame(rng, args.layout, args.width, args.height, args.sensor, args.objects)
        if args.output is not None:
            write_frame(args.output, frame.to_frame(f"{args.seed}_{number:0{width}d}"))
        if args.preview is not None:
            shown.append(frame)
    if args.preview is not None:
        Path(args.preview).parent.mkdir(parents=True, exist_ok=True)
        write_preview(args.preview, shown)
        print(f"written: {args.preview}")
    if args.output is not None:
        print(f"written: {args.count} frames to {args.output}")
    return 0


def _testset(args: Namespace) -> int:
    """Fetch the object models of the test sets, write a test set, or both."""
    from segvec3d_core.testsets import SCENES, fetch_shapes, preview_set, write_set

    at_least("--workers", args.workers, 1)
    if args.test is not None and args.output is None and args.preview is None:
        raise ValueError(f"--test {args.test}: give --output DIR to write it to, --preview FILE or both")
    if args.fetch_shapes:
        print(f"written: {fetch_shapes(args.shapes)}")
    if args.test is not None and args.preview is not None:
        print(f"written: {preview_set(args.test, args.preview, args.shapes)}")
    if args.test is not None and args.output is not None:
        count = SCENES if args.limit is None else min(at_least("--limit", args.limit, 1), SCENES)
        write_set(
            args.test, args.output, args.shapes, args.workers, count, lambda made: progress(made, args.test, count)
        )
        print(f"written: {count} scenes of {args.test} to {args.output}")
    return 0


def info(args: Namespace) -> int:
    """Print versions, machine, device and metadata of the weights.

    Missing default weights are reported as missing; a file given by --model must exist.
    """
    result: dict[str, Any] = {"version": 1, "machine": machine(), "platform": platform.platform()}
    result["libraries"] = {name: version_of(name) for name in _LIBRARIES}
    result["ros"] = {name: _importable(name) for name in ("rclpy", "segvec3d_interfaces")}
    try:
        model = load_model(args)
        result["device"] = model.device
        result["model"] = model.info
    except FileNotFoundError as error:
        if args.model is not None:
            raise
        result["device"], result["model"] = args.device, {"missing": str(error)}
    if args.json is not None:
        write_json(args.json, result)
    if args.json != "-":
        _print_tree(result)
    return 0


def _importable(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


def _print_tree(values: dict[str, Any], indent: int = 0) -> None:
    """Print nested values, one per line, indented."""
    for key, value in values.items():
        if isinstance(value, dict):
            print(f"{' ' * indent}{key}:")
            _print_tree(value, indent + 2)
        else:
            print(f"{' ' * indent}{key}: {'-' if value is None else value}")
