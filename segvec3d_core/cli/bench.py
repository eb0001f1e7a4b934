"""``segvec3d bench``: time from a message of raw points to one of labelled points, and of queries, by stage, compared
with plane removal + DBSCAN."""

from __future__ import annotations

import dataclasses
import itertools
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from segvec3d_core.baselines import PlaneDbscan
from segvec3d_core.cli.common import at_least, configuration, load_model, machine, machine_line, peak_memory, progress
from segvec3d_core.cli.compare import BASELINE
from segvec3d_core.cli.start import bench_start
from segvec3d_core.clock import Clock
from segvec3d_core.config import SegmentationConfig
from segvec3d_core.datasets.frames import FrameFolder
from segvec3d_core.evaluate import Segmenter, Timing
from segvec3d_core.io import read_cloud, write_json
from segvec3d_core.pipeline import SegVec3D
from segvec3d_core.pointcloud2 import cloud_of_message, encode, encode_labelled
from segvec3d_core.roofline import FROM_MESSAGE, TO_MESSAGE, Roof, needs
from segvec3d_core.threads import use_threads
from segvec3d_core.types import PointCloud, Scene

NEW_QUESTION, SAME_QUESTION = "a new question", "the same again"
BESIDE = {"conversions": (FROM_MESSAGE, TO_MESSAGE), "questions": (NEW_QUESTION, SAME_QUESTION)}
"""Rows that are not part of ``SegVec3D.segment``, and so not of the total, as grouped in the JSON."""

COLORS = ("red", "green", "blue", "white", "black", "yellow", "brown", "orange", "pink", "grey")
NOUNS = ("mug", "box", "bottle", "can", "bowl", "book", "ball", "lamp", "knife", "plate", "shoe", "vase")


def bench(args: Namespace) -> int:
    """Measure milliseconds per stage on frames and scans, after a warm-up, and the baseline in the same run; with
    --start, the time that new processes take to answer."""
    if args.start is not None:
        return bench_start(args)
    at_least("--runs", args.runs, 1)
    if args.threads is not None:
        use_threads(at_least("--threads", args.threads, 1))
    sizes = [_image_size(text) for text in args.sizes or ()]
    for points in args.scans or ():
        at_least("--scans", points, 1_000)
    if args.path is not None:
        read = _clouds(args.path, min(args.runs, 10))  # errors in PATH are reported before the model loads
    model, config = load_model(args), configuration(args)
    model.warm_up()
    roof = Roof.measure(model.device)
    if args.json != "-":
        print(f"{machine_line()}, on {model.device}")
        memory, matrices = roof.bytes_per_second / 1e9, roof.operations_per_second / 1e9
        print(f"memory {memory:.1f} GB/s, matrices {matrices:.0f} GFLOP/s, both measured now")
    rows: list[dict[str, Any]] = []
    asked = phrases()
    if args.path is not None:
        rows.append(_row(args, model, config, roof, asked, args.path, read))
    elif not sizes and not args.scans:
        sizes = [(640, 480)]
    for width, height in sizes:
        name = f"simulated frames of {width} x {height}"
        rows.append(_row(args, model, config, roof, asked, name, _simulated_frames(min(args.runs, 10), width, height)))
    for points in args.scans or ():
        rows.append(
            _row(args, model, config, roof, asked, f"simulated room of {points:,} points", [_simulated_scan(points)])
        )
    if args.json is not None:
        about = {"version": 1, "path": args.path, "machine": machine(), "device": model.device, "runs": args.runs}
        about["roof"] = dataclasses.asdict(roof)
        write_json(args.json, about | rows[0] | {"sets": rows})
    return 0


def _row(
    args: Namespace,
    model: SegVec3D,
    config: SegmentationConfig,
    roof: Roof,
    asked: Iterator[str],
    name: str,
    clouds: list[PointCloud],
) -> dict[str, Any]:
    """Measure the model and the baseline on some clouds, print the results, and return the values for the JSON.

    Args:
        asked: queries not asked before; name: title of the data set.
    """
    stages, total = _measure_stages(model, clouds, args.runs, config)
    stages |= _measure_questions(model, model.segment(clouds[0], config), itertools.islice(asked, args.runs))
    floors = [{stage: roof.seconds(need) for stage, need in needs(model, cloud, config).items()} for cloud in clouds]
    floor = {stage: 1e3 * float(np.mean([f[stage] for f in floors if f])) for stage in next(filter(None, floors), {})}
    memory = peak_memory()  # before the baseline adds to it
    gpu_memory = torch.cuda.max_memory_allocated(model.device) if model.device != "cpu" else None
    baseline = _measure(PlaneDbscan(), clouds, args.runs, config)
    if args.json != "-":
        points = f"{min(map(len, clouds)):,} to {max(map(len, clouds)):,} points"
        print(f"{name}: {len(clouds)} clouds, {args.runs} runs, {points}")
        print(f"{'milliseconds':24} {'p50':>8} {'p95':>8} {'least':>8}")
        for stage, timing in stages.items():
            least = f"{floor[stage]:8.1f}" if stage in floor else ""
            print(f"  {stage:22} {timing.p50:8.1f} {timing.p95:8.1f} {least}".rstrip())
        for method, timing in ((f"SegVec3D ({model.device})", total), (BASELINE, baseline)):
            print(f"{method:24} {timing.p50:8.1f} {timing.p95:8.1f}")
        print(f"SegVec3D takes {total.p50 / baseline.p50:.2f} times as long (p50)")
        on_gpu = "" if gpu_memory is None else f", of the GPU's {gpu_memory / 2**20:.0f} MiB"
        print(f"peak memory of the process so far: {memory / 2**20:.0f} MiB{on_gpu}", flush=True)
    told = {stage: dataclasses.asdict(timing) for stage, timing in stages.items()}
    beside = {group: {name: told.pop(name) for name in names} for group, names in BESIDE.items()}
    return {
        "name": name, "clouds": len(clouds), "points": [len(cloud) for cloud in clouds],
        "stages": told, "floor": floor, **beside,
        "total": dataclasses.asdict(total), BASELINE: dataclasses.asdict(baseline), "peak_memory": memory,
        "peak_gpu_memory": gpu_memory,
    }  # fmt: skip


def _image_size(text: str) -> tuple[int, int]:
    """Parse width and height in pixels from a text such as "640x480".

    Raises:
        ValueError: the text does not have this form, or the size is too small to render a scene.
    """
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ValueError(f"--sizes: expected WIDTHxHEIGHT, got {text!r}")
    return at_least("--sizes", int(width), 16), at_least("--sizes", int(height), 16)


def _clouds(path: str, count: int) -> list[PointCloud]:
    """Clouds to measure on: the first ``count`` of a frame folder, or the single one of a file."""
    if (Path(path) / "depth").is_dir():
        folder = FrameFolder(path)
        return [folder[index].cloud() for index in range(min(count, len(folder)))]
    return [read_cloud(path)]


def _simulated_frames(count: int, width: int, height: int) -> list[PointCloud]:
    from segvec3d_core.simulate import first_edition, simulate_frame

    with first_edition():
        return [
            simulate_frame(np.random.default_rng([0, number]), "table", width, height, whole=0).cloud()
            for number in progress(range(count), "simulating")
        ]


def _simulated_scan(count: int) -> PointCloud:
    """A fused scan of one room with ``count`` points, drawn from a simulated scan and jittered by a few millimetres."""
    from segvec3d_core.simulate import first_edition, simulate_scan

    rng = np.random.default_rng(0)
    with first_edition():
        scan = simulate_scan(rng)[0]
    rows = rng.integers(0, len(scan), count)
    points = scan.points[rows] + np.float32(0.003) * rng.standard_normal((count, 3), np.float32)
    return PointCloud(points, None if scan.colors is None else scan.colors[rows], up=scan.up)


def _measure(method: Segmenter, clouds: list[PointCloud], runs: int, config: SegmentationConfig) -> Timing:
    """Time a method over ``runs`` runs that cycle through the clouds, after one warm-up run on each."""
    for cloud in clouds:
        method.segment(cloud, config)
    seconds: list[float] = []
    for run in progress(range(runs), "measuring"):
        start = time.perf_counter()
        method.segment(clouds[run % len(clouds)], config)
        seconds.append(time.perf_counter() - start)
    return Timing.of(seconds)


def _measure_stages(
    model: SegVec3D, clouds: list[PointCloud], runs: int, config: SegmentationConfig
) -> tuple[dict[str, Timing], Timing]:
    """Time the model like ``_measure``: each stage, including the conversions from and to messages, and ``segment`` in
    total.

    On a GPU the stages are timed in a separate run that synchronises after each, so that the total is not affected.
    """
    for cloud in clouds:
        model.segment(cloud, config)
    wait = _waiting(model.device)
    totals: list[float] = []
    stages: dict[str, list[float]] = {}
    for run in progress(range(runs), "measuring"):
        cloud, clock = clouds[run % len(clouds)], Clock(wait=wait)
        _convert(cloud, clock)
        start = time.perf_counter()
        scene = model.segment(cloud, config)
        totals.append(time.perf_counter() - start)
        if wait is None:
            clock.seconds |= scene.timings
        else:
            model.segment(cloud, config, clock)
        _convert_back(cloud, scene, clock)
        for stage, seconds in clock.seconds.items():
            stages.setdefault(stage, []).append(seconds)
    return {stage: Timing.of(seconds) for stage, seconds in stages.items()}, Timing.of(totals)


def _measure_questions(model: SegVec3D, scene: Scene, asked: Iterator[str]) -> dict[str, Timing]:
    """Time queries on a scene: with text that was not encoded before, and the same again."""
    times: dict[str, list[float]] = {NEW_QUESTION: [], SAME_QUESTION: []}
    for phrase in asked:
        for seconds in times.values():
            start = time.perf_counter()
            model.find(scene, phrase)
            seconds.append(time.perf_counter() - start)
    return {name: Timing.of(seconds) for name, seconds in times.items()}


def _waiting(device: str) -> Callable[[], object] | None:
    """Function that waits until a GPU has finished its work; None for a CPU."""
    return partial(torch.cuda.synchronize, device) if device != "cpu" else None


def _convert(cloud: PointCloud, clock: Clock) -> None:
    """Time the decoding of a cloud's message; the camera intrinsics have to be recovered from its points."""
    message = encode(cloud.points, cloud.colors, *_organised(cloud))
    with clock(FROM_MESSAGE):
        cloud_of_message(message)


def _convert_back(cloud: PointCloud, scene: Scene, clock: Clock) -> None:
    ids = np.arange(1, len(scene) + 1, dtype=np.uint32)
    with clock(TO_MESSAGE):
        encode_labelled(cloud, scene, ids, *_organised(cloud))


def _organised(cloud: PointCloud) -> tuple[int, int]:
    """Width and height of the cloud's image; of an unorganised cloud, (N, 1)."""
    return (len(cloud), 1) if cloud.camera is None else (cloud.camera.width, cloud.camera.height)


def phrases() -> Iterator[str]:
    """An endless sequence of distinct queries, so that no query's text is cached."""
    return (f"the {color} {noun} {n}" for n in itertools.count(1) for color, noun in itertools.product(COLORS, NOUNS))
