"""``segvec3d eval`` and ``segvec3d bench``: SegVec3D beside what one would do without it."""

from __future__ import annotations

import dataclasses
import math
from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segvec3d_core.baselines import PlaneDbscan
from segvec3d_core.cli.common import at_least, configuration, load_model, machine, machine_line, progress
from segvec3d_core.config import SegmentationConfig
from segvec3d_core.datasets.frames import Frame, FrameFolder, natural_key
from segvec3d_core.evaluate import (
    FrameReport,
    RetrievalReport,
    ScanReport,
    Segmenter,
    Timing,
    evaluate_frames,
    evaluate_retrieval,
    evaluate_scans,
)
from segvec3d_core.io import read_cloud, write_json
from segvec3d_core.metrics import mean_of_known
from segvec3d_core.pipeline import SegVec3D
from segvec3d_core.types import PointCloud
from segvec3d_core.view import save_picture

BASELINE = "plane removal + DBSCAN"


def evaluate(args: Namespace) -> int:
    """Score the model and what it is compared with on frames or scans."""
    path = Path(args.path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    if args.limit is not None:
        at_least("--limit", args.limit, 1)
    at_least("--worst", args.worst, 0)
    scans = _scans(path)
    if scans and args.worst:
        raise ValueError("--worst: draws frames, but PATH holds scans")
    frames = None if scans else FrameFolder(path)  # what is wrong with PATH is said before the model loads
    model, config = load_model(args), configuration(args)
    methods = _methods(model, args.model_only)
    model.warm_up()
    if frames is None:
        result = _evaluate_scans(methods, scans[: args.limit], config, args.json == "-")
    else:
        result = _evaluate_frames(methods, model, frames, args, config)
    if args.json is not None:
        write_json(args.json, {"version": 1, "path": str(path), "machine": machine(), "model": model.info} | result)
    return 0


def _scans(path: Path) -> list[Path]:
    """The .npz scans at a path; none where it is a frame folder."""
    if path.is_dir():
        scans = sorted(path.glob("*.npz"), key=lambda scan: natural_key(scan.name))
        if not scans and not (path / "depth").is_dir():
            raise ValueError(f"{path}: neither a frame folder (depth/, camera.json, label/) nor .npz scans")
        return [] if (path / "depth").is_dir() else scans
    if path.suffix.lower() != ".npz":
        raise ValueError(f"{path}: expected a frame folder or .npz scans, got a {path.suffix or 'bare'} file")
    return [path]


def _methods(model: SegVec3D, model_only: bool) -> dict[str, Segmenter]:
    """The rows of the table: the model, the same with a random embedding head, with random weights throughout, and
    the baseline."""
    methods: dict[str, Segmenter] = {"SegVec3D": model}
    if not model_only:
        untrained = SegVec3D.untrained(0, model.network.config, str(model.device))
        methods["untrained head (7)"] = model.with_untrained_embedding()
        methods["untrained weights"] = untrained.with_clustering(model.clustering)
        methods[BASELINE] = PlaneDbscan()
    return methods


# Frames ----------------------------------------------------------------------------------------------------------


def _evaluate_frames(
    methods: dict[str, Segmenter], model: SegVec3D, folder: FrameFolder, args: Namespace, config: SegmentationConfig
) -> dict[str, Any]:
    indices = range(min(len(folder), args.limit or len(folder)))

    def frames(text: str) -> Iterable[Frame]:
        return (folder[index] for index in progress(indices, text))

    quiet = args.json == "-"
    reports: dict[str, FrameReport] = {}
    for name, method in methods.items():
        reports[name] = evaluate_frames(method, frames(name), config)
        if not quiet:
            if len(reports) == 1:
                _print_frame_header(folder, reports[name])
            print(_frame_line(name, reports[name]), flush=True)
    retrievals = {}
    if folder.coarse_names:
        retrievals["coarse names"] = evaluate_retrieval(model, frames("retrieval"), folder.coarse_names, config)
    retrievals["full names"] = evaluate_retrieval(model, frames("retrieval"), None, config)
    retrievals = {kind: report for kind, report in retrievals.items() if report.found.total}
    if not quiet:
        for kind, report in retrievals.items():
            _print_retrieval(kind, report)
    if args.worst:
        _draw_worst(model, folder, reports["SegVec3D"], args, config, quiet)
    return {
        "methods": {name: _frame_values(report) for name, report in reports.items()},
        "retrieval": {kind: _retrieval_values(report) for kind, report in retrievals.items()},
    }


def _print_frame_header(folder: FrameFolder, report: FrameReport) -> None:
    print(machine_line())
    print(f"{folder.path}: {report.summary.frames} frames, {report.summary.true} objects; mean over frames, percent")
    print(
        f"{'':24} {'overlap P / R / F':>20}  {'boundary P / R / F':>20}  {'F > 0.75':>8}  "
        f"{'IoU > 0.5: P / R / F':>20}  {'ARI':>5}  {'ms p50 / p95':>13}"
    )


def _percents(*values: float) -> str:
    return " / ".join(f"{100 * value:.1f}" for value in values)


def _frame_line(name: str, report: FrameReport) -> str:
    s = report.summary
    return (
        f"{name:24} {_percents(s.overlap_precision, s.overlap_recall, s.overlap_f):>20}  "
        f"{_percents(s.boundary_precision, s.boundary_recall, s.boundary_f):>20}  {_percents(s.detected):>8}  "
        f"{_percents(s.objects.precision, s.objects.recall, s.objects.f):>20}  {_percents(s.adjusted_rand):>5}  "
        f"{f'{report.timing.p50:.0f} / {report.timing.p95:.0f}':>13}"
    )


def _print_retrieval(kind: str, report: RetrievalReport) -> None:
    low, high = report.found.interval()
    print(
        f'"the NAME", {report.found.total} queries by {kind}: {100 * report.found.rate:.1f} % found '
        f"(95% interval {100 * low:.1f} to {100 * high:.1f}), chance {100 * report.chance:.1f} %; "
        f"at the model's own threshold {100 * report.answered.rate:.1f} %"
    )


def _frame_values(report: FrameReport) -> dict[str, Any]:
    """A report as JSON: fractions, milliseconds."""
    values = _known(dataclasses.asdict(report.summary))
    values["objects"]["f"] = report.summary.objects.f
    rows = [
        {
            "frame": row.name,
            "overlap_f": row.score.overlap.f,
            "boundary_f": row.score.boundary.f,
            "detected": row.score.detected,
            "predicted": row.score.predicted,
            "true": row.score.true,
            "hits": row.score.hits,
            "adjusted_rand": row.score.adjusted_rand,
            "milliseconds": 1e3 * row.seconds,
        }
        for row in report.rows
    ]
    return {"summary": values, "milliseconds": dataclasses.asdict(report.timing), "frames": [*map(_known, rows)]}


def _known(values: dict[str, Any]) -> dict[str, Any]:
    """The values with None for NaN, which JSON has not."""
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in values.items()}


def _retrieval_values(report: RetrievalReport) -> dict[str, Any]:
    return {
        "queries": report.found.total,
        "hits": report.found.hits,
        "rate": report.found.rate,
        "interval": report.found.interval(),
        "hits_at_threshold": report.answered.hits,
        "chance": report.chance,
    }


def _draw_worst(
    model: SegVec3D, folder: FrameFolder, report: FrameReport, args: Namespace, config: SegmentationConfig, quiet: bool
) -> None:
    """Pictures of the frames with the lowest overlap F, the worst first by name."""
    worst = sorted(report.rows, key=lambda row: row.score.overlap.f)[: args.worst]
    for rank, row in enumerate(worst, start=1):
        cloud = folder[folder.names.index(row.name)].cloud()
        path = Path(args.output) / f"{rank:02d}_{row.name}.png"
        title = f"{row.name}: overlap F {100 * row.score.overlap.f:.1f}, {row.score.true} true objects"
        save_picture(path, cloud, model.segment(cloud, config), title=title)
        if not quiet:
            print(f"written: {path} (overlap F {100 * row.score.overlap.f:.1f})")


# Scans -----------------------------------------------------------------------------------------------------------


def _evaluate_scans(
    methods: dict[str, Segmenter], scans: Sequence[Path], config: SegmentationConfig, quiet: bool
) -> dict[str, Any]:
    reports: dict[str, ScanReport] = {}
    for name, method in methods.items():
        report = reports[name] = evaluate_scans(method, progress(scans, name), config)
        if quiet:
            continue
        if len(reports) == 1:
            print(machine_line())
            print(f"{len(scans)} scans, {report.precision.true} instances; without classes, percent")
            print(f"{'':24} {'AP / AP50 / AP25':>20}  {'ARI':>5}  {'predicted':>9}  {'s per scan':>10}")
        precision = report.precision
        print(
            f"{name:24} {_percents(precision.ap, precision.ap50, precision.ap25):>20}  "
            f"{_percents(mean_of_known(report.adjusted_rand)):>5}  {precision.predicted:>9}  "
            f"{np.mean(report.seconds):>10.2f}",
            flush=True,
        )
    return {"methods": {name: _scan_values(report) for name, report in reports.items()}}


def _scan_values(report: ScanReport) -> dict[str, Any]:
    scans = [
        _known({"scan": name, "adjusted_rand": agreement, "seconds": seconds})
        for name, agreement, seconds in zip(report.names, report.adjusted_rand, report.seconds, strict=True)
    ]
    precision = dataclasses.asdict(report.precision)
    return _known({**precision, "adjusted_rand": mean_of_known(report.adjusted_rand), "scans": scans})


# Time ------------------------------------------------------------------------------------------------------------


def bench(args: Namespace) -> int:
    """Measure milliseconds per stage on frames, after a warm-up, beside the baseline in the same run."""
    at_least("--runs", args.runs, 1)
    if args.threads is not None:
        from segvec3d_core.train.data import use_threads

        use_threads(at_least("--threads", args.threads, 1))
    clouds = _bench_clouds(args.path, min(args.runs, 10))
    model, config = load_model(args), configuration(args)
    model.warm_up()
    stages, total, voxels = _measure(model, clouds, args.runs, config)
    baseline = _measure(PlaneDbscan(), clouds, args.runs, config)[1]
    result = {
        "version": 1, "path": args.path, "machine": machine(), "device": str(model.device), "runs": args.runs,
        "stages": {name: dataclasses.asdict(timing) for name, timing in stages.items()},
        "total": dataclasses.asdict(total), BASELINE: dataclasses.asdict(baseline),
    }  # fmt: skip
    if args.json is not None:
        write_json(args.json, result)
    if args.json != "-":
        print(f"{machine_line()}, on {model.device}")
        print(f"{args.path or 'simulated frames'}: {len(clouds)} clouds, {args.runs} runs, {voxels}")
        print(f"{'milliseconds':24} {'p50':>8} {'p95':>8}")
        for name, timing in stages.items():
            print(f"  {name:22} {timing.p50:8.1f} {timing.p95:8.1f}")
        for name, timing in ((f"SegVec3D ({model.device})", total), (BASELINE, baseline)):
            print(f"{name:24} {timing.p50:8.1f} {timing.p95:8.1f}")
    return 0


def _bench_clouds(path: str | None, count: int) -> list[PointCloud]:
    """Clouds to measure on: the first ones of a folder, a file's, or simulated ones."""
    if path is None:
        from segvec3d_core.simulate import simulate_frame

        return [
            simulate_frame(np.random.default_rng([0, number]), "table").cloud()
            for number in progress(range(count), "simulating")
        ]
    if (Path(path) / "depth").is_dir():
        folder = FrameFolder(path)
        return [folder[index].cloud() for index in range(min(count, len(folder)))]
    return [read_cloud(path)]


def _measure(
    method: Segmenter, clouds: list[PointCloud], runs: int, config: SegmentationConfig
) -> tuple[dict[str, Timing], Timing, str]:
    """Per stage and in total over ``runs`` runs, round and round through the clouds; every cloud once beforehand."""
    import time

    for cloud in clouds:
        method.segment(cloud, config)
    totals: list[float] = []
    stages: dict[str, list[float]] = {}
    for run in progress(range(runs), "measuring"):
        start = time.perf_counter()
        scene = method.segment(clouds[run % len(clouds)], config)
        totals.append(time.perf_counter() - start)
        for name, seconds in scene.timings.items():
            stages.setdefault(name, []).append(seconds)
    points = f"{min(map(len, clouds)):,} to {max(map(len, clouds)):,} points"
    return {name: Timing.of(seconds) for name, seconds in stages.items()}, Timing.of(totals), points
