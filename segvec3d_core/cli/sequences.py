"""``segvec3d eval --sequence``: the object map on simulated sequences."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from segvec3d_core.cli.common import at_least, configuration, load_model, machine, machine_line, progress
from segvec3d_core.evaluate_sequences import NEAR, SequenceReport, SequenceScorer, pooled
from segvec3d_core.geometry import oriented_box
from segvec3d_core.io import write_json
from segvec3d_core.object_map import ObjectMap
from segvec3d_core.types import Scene, SceneObject

if TYPE_CHECKING:
    from segvec3d_core.testsets.sequences import SequenceFrame, SequenceSpec

TRUE_PIXELS = 40
"""Fewest visible pixels with which a thing is in the ground-truth segmentation."""

HEADER = (
    f"{'':10} {'frames':>6} {'IDF1':>5} {'switches':>8} {'duplicates':>10} {'ghosts':>6} {'again':>11} {'moved':>11} "
    f"{'AP50':>5} {'centre':>6} {'size':>5} {'R@1 map / frame':>15} {'in view':>11} {'CPU ms 50 / 95'}"
)


def evaluate(args: Namespace) -> int:
    """Run the map on the sequences, and print a line for each sequence and one for each layout."""
    from segvec3d_core.testsets.sequences import SECONDS, SEQUENCES

    seconds = SECONDS if args.seconds is None else args.seconds
    if not 1 <= seconds <= SECONDS:
        raise ValueError(f"--seconds: expected 1 to {SECONDS:g}, got {seconds}")
    specs = [replace(spec, seconds=seconds) for spec in SEQUENCES if args.layout in (None, spec.layout)]
    if args.sequences is not None:  # evenly spaced, so that even a few include both layouts
        count = min(at_least("--sequences", args.sequences, 1), len(specs))
        specs = [specs[round(k * (len(specs) - 1) / max(count - 1, 1))] for k in range(count)]
    at_least("--workers", args.workers, 1)
    info = {"weights": "the truth"} if args.truth else load_model(args).info
    quiet = args.json == "-"
    if not quiet:
        print(machine_line())
        print(f"{len(specs)} simulated sequences of {seconds:g} s; percent, centre and size in mm")
        print(HEADER)
    reports: dict[str, SequenceReport] = {}
    for spec, report in zip(specs, _reports(specs, args), strict=True):
        reports[spec.name] = report
        if not quiet:
            print(line(spec.name, reports[spec.name]), flush=True)
    totals = {
        layout: pooled([reports[spec.name] for spec in specs if spec.layout == layout])
        for layout in dict.fromkeys(spec.layout for spec in specs)
    }
    if not quiet and len(specs) > 1:
        for layout, report in totals.items():
            print(line(f"all {layout}s", report))
    if args.json is not None:
        result = {name: values(report) for name, report in (reports | totals).items()}
        write_json(args.json, {"version": 1, "machine": machine(), "model": info, "sequences": result})
    return 0


def _reports(specs: Sequence[SequenceSpec], args: Namespace) -> Iterator[SequenceReport]:
    """The report of each sequence, in order; computed in parallel if there are several ``--workers``."""
    if args.workers == 1:
        segment, searcher = _segmenter(args)
        yield from (run(spec, segment, searcher) for spec in specs)
        return
    spawn = get_context("spawn")  # fork is unsafe once torch has started threads
    with ProcessPoolExecutor(args.workers, spawn, _begin_worker, (args,)) as pool:
        yield from progress(pool.map(_run_in_worker, specs), "sequences", len(specs))


_worker: tuple[Callable[[SequenceFrame], Scene], Any] | None = None
"""In a worker process: (segmenter, model for retrieval), see ``_segmenter``."""


def _begin_worker(args: Namespace) -> None:
    global _worker
    from segvec3d_core.threads import use_threads

    use_threads(max(1, (os.cpu_count() or 1) // args.workers))
    _worker = _segmenter(args)


def _run_in_worker(spec: SequenceSpec) -> SequenceReport:
    assert _worker is not None  # set by the pool's initializer
    return run(spec, *_worker)


def run(spec: SequenceSpec, segment: Callable[[SequenceFrame], Scene], searcher: Any) -> SequenceReport:
    """Run a sequence through a new map.

    Args:
        spec: the sequence.
        segment, searcher: see ``_segmenter``.
    """
    from segvec3d_core.testsets.sequences import frames

    objects, scorer = ObjectMap(), SequenceScorer(NEAR[spec.layout], searcher)
    for frame in progress(frames(spec), spec.name, round(spec.seconds * spec.rate)):
        scene = segment(frame)
        start = time.thread_time()  # CPU time, so that other processes on the machine do not count
        objects.update(scene, frame.cloud, frame.T_map_camera, frame.stamp_ns)
        milliseconds = 1e3 * (time.thread_time() - start)
        scorer.add(frame, scene, objects.snapshot(), milliseconds)
    return scorer.report()


def _segmenter(args: Namespace) -> tuple[Callable[[SequenceFrame], Scene], Any]:
    """Function that segments a frame, and the model for retrieval, which is None with --truth."""
    if args.truth:
        return true_scene, None
    model, config = load_model(args), configuration(args)
    model.warm_up()
    return lambda frame: model.segment(frame.cloud, config), model


def true_scene(frame: SequenceFrame) -> Scene:
    """Ground-truth segmentation of a frame, with random embeddings that are equal for things of the same name."""
    counts = np.bincount(frame.instance[frame.instance >= 0], minlength=len(frame.things))
    shown = [thing for thing in frame.things if counts[thing.identity] >= TRUE_PIXELS]
    number = np.full(len(frame.things) + 1, -1, np.int32)
    objects = []
    for k, thing in enumerate(shown):
        number[thing.identity] = k
        mine = frame.instance == thing.identity
        points = frame.cloud.points[mine]
        look = np.random.default_rng(crc32(thing.name.encode())).normal(size=64).astype(np.float32)
        colors = frame.cloud.colors
        color = None if colors is None else np.median(colors[mine], 0).astype(np.uint8)
        box = oriented_box(points[:: max(1, len(points) // 500)], frame.cloud.up)
        objects.append(
            SceneObject(thing.kind, 0.95, box, points.mean(0), look / np.linalg.norm(look), color, len(points))
        )
    return Scene(number[frame.instance], tuple(objects))


def values(report: SequenceReport) -> dict[str, Any]:
    """The figures for JSON: fractions, metres, milliseconds."""
    rates = {
        "reidentified": report.returned, "reidentified_after_move": report.moved, "r1_map": report.map_found,
        "r1_frame": report.frame_found, "r1_map_in_view": report.map_found_in_view,
        "r1_frame_in_view": report.frame_found_in_view,
    }  # fmt: skip
    return {
        "frames": len(report.milliseconds),
        "true": report.true,
        "idf1": report.idf1,
        "switches": report.switches,
        "duplicates": report.duplicate_rate,
        "ghosts": report.ghost_rate,
        "ap50": report.ap50 if report.true else None,
        "center_error": _median(report.center_errors),
        "size_error": _median(report.size_errors),
        "milliseconds": {f"p{q}": float(np.percentile(report.milliseconds, q)) for q in (50, 95)},
        **{name: asdict(rate) | {"rate": rate.rate if rate.total else None} for name, rate in rates.items()},
    }


def line(name: str, report: SequenceReport) -> str:
    """Format the figures as a line of the table, see ``HEADER``."""

    def rate(value: Any) -> str:
        return f"{100 * value.rate:.0f} ({value.total})" if value.total else "-"

    def pair(a: Any, b: Any) -> str:
        return f"{100 * a.rate:.0f} / {100 * b.rate:.0f}" if a.total else "-"

    p50, p95 = np.percentile(report.milliseconds, [50, 95])
    center, size = (_millimetres(errors) for errors in (report.center_errors, report.size_errors))
    return (
        f"{name:10} {len(report.milliseconds):6} {100 * report.idf1:5.1f} {report.switches:8} "
        f"{report.duplicate_rate:10.3f} {report.ghost_rate:6.3f} {rate(report.returned):>11} {rate(report.moved):>11} "
        f"{100 * report.ap50:5.1f} {center:>6} {size:>5} {pair(report.map_found, report.frame_found):>15} "
        f"{pair(report.map_found_in_view, report.frame_found_in_view):>11} {f'{p50:.1f} / {p95:.1f}':>12}"
    )


def _median(errors: Sequence[float]) -> float | None:
    return float(np.median(errors)) if errors else None


def _millimetres(errors: Sequence[float]) -> str:
    return f"{1e3 * np.median(errors):.0f}" if errors else "-"
