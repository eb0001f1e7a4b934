"""``segvec3d eval`` and ``segvec3d bench``: SegVec3D beside what one would do without it."""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from segvec3d_core.baselines import PlaneDbscan
from segvec3d_core.cli import report as tell
from segvec3d_core.cli.common import at_least, configuration, load_model, machine, machine_line, peak_memory, progress
from segvec3d_core.config import SegmentationConfig
from segvec3d_core.datasets.frames import IGNORE, Frame, FrameFolder
from segvec3d_core.datasets.scans import Scan, ScanFolder, find_scans
from segvec3d_core.evaluate import Report, Segmenter, Timing, evaluate_retrieval, spread
from segvec3d_core.evaluate import evaluate as evaluate_method
from segvec3d_core.figures import reliability
from segvec3d_core.geometry import oriented_box
from segvec3d_core.io import read_cloud, write_json
from segvec3d_core.pipeline import SegVec3D
from segvec3d_core.types import PointCloud, Scene, SceneObject
from segvec3d_core.view import draw_scene

MODEL, BASELINE = "SegVec3D", "plane removal + DBSCAN"


def evaluate(args: Namespace) -> int:
    """Score the model and what it is compared with on frames or scans."""
    if not args.path:
        raise ValueError("PATH: expected a frame folder or scans to measure on")
    path = Path(args.path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    if args.limit is not None:
        at_least("--limit", args.limit, 1)
    at_least("--worst", args.worst, 0)
    folder = _labelled(path)  # what is wrong with PATH is said before the model loads
    model, config = load_model(args), configuration(args)
    if isinstance(folder, ScanFolder) and args.min_score is None:
        config = dataclasses.replace(config, min_score=0)  # AP ranks by score: what is dropped could only be missed
    methods = _methods(model, config, args.model_only)
    model.warm_up()
    result = _Evaluation(folder, model, config, args).run(methods)
    if args.json is not None:
        write_json(args.json, {"version": 2, "path": str(path), "machine": machine(), "model": model.info} | result)
    return 0


def _labelled(path: Path) -> FrameFolder | ScanFolder:
    """The frames or scans at a path."""
    if (path / "depth").is_dir():
        return FrameFolder(path)
    if find_scans(path):
        return ScanFolder(path)
    if path.is_dir():
        raise ValueError(
            f"{path}: neither a frame folder (depth/, camera.json, label/) nor .npz scans, nor ScanNet scenes "
            "(sceneXXXX_XX/)"
        )
    raise ValueError(f"{path}: expected a frame folder or .npz scans, got a {path.suffix or 'bare'} file")


def _methods(
    model: SegVec3D, config: SegmentationConfig, model_only: bool
) -> dict[str, tuple[Segmenter, SegmentationConfig]]:
    """The rows of the table: the model, the same grouped by random embeddings and bonds, with random weights
    throughout, and the baseline. A random network that joins superpoints would part nothing, so what is random is
    grouped as the paper groups, by its embeddings."""
    methods: dict[str, tuple[Segmenter, SegmentationConfig]] = {MODEL: (model, config)}
    if not model_only:
        untrained = SegVec3D.untrained(0, model.network.config, str(model.device))
        by_embeddings = dataclasses.replace(config, clustering="fast") if config.clustering == "graph" else config
        methods["untrained heads (7)"] = model.with_untrained_heads(), by_embeddings
        methods["untrained weights"] = untrained.with_clustering(model.clustering), by_embeddings
        methods[BASELINE] = PlaneDbscan(), config
    return methods


class _Evaluation:
    """One run of ``segvec3d eval``: what is measured on what, and told as it comes."""

    def __init__(
        self, folder: FrameFolder | ScanFolder, model: SegVec3D, config: SegmentationConfig, args: Namespace
    ) -> None:
        self.folder, self.model, self.config, self.args = folder, model, config, args
        self.quiet = args.json == "-"

    def say(self, text: str) -> None:
        """Print a line, unless standard output is the JSON's."""
        if not self.quiet:
            print(text, flush=True)

    def items(self, text: str) -> Iterator[Frame | Scan]:
        """The frames or scans, read one after the other."""
        for index in progress(range(min(len(self.folder), self.args.limit or len(self.folder))), text):
            yield self.folder[index]

    def run(self, methods: dict[str, tuple[Segmenter, SegmentationConfig]]) -> dict[str, Any]:
        """Measure all that was asked for; the values for the JSON."""
        reports = self._compare(methods)
        result: dict[str, Any] = {"methods": {name: tell.report_values(report) for name, report in reports.items()}}
        if isinstance(self.folder, FrameFolder):
            result["retrieval"] = self._retrieve(self.folder)
        if self.args.reliability is not None:
            plot = reliability(reports[MODEL].rows)
            tell.draw_reliability(plot, self.args.reliability)
            result["reliability"] = tell.reliability_values(plot)
            self.say(f"written: {self.args.reliability} (expected calibration error {100 * plot.error:.1f} %)")
        if self.args.spread:
            tried = spread(self.model, self.items("spread"), self.config)
            result["spread"] = tell.spread_values(tried)
            self.say("every constant times 0.7 and 1.3, one at a time; the worst and the best of each figure:")
            for text in tell.spread_lines(tried, reports[MODEL]):
                self.say(text)
        if self.args.worst:
            self._draw_worst(reports[MODEL])
        return result

    def _compare(self, methods: dict[str, tuple[Segmenter, SegmentationConfig]]) -> dict[str, Report]:
        """The table: a report of each method."""
        reports: dict[str, Report] = {}
        for name, (method, config) in methods.items():
            report = reports[name] = evaluate_method(method, self.items(name), config, self.folder.tags)
            if len(reports) == 1:
                self._say_what(report)
            for text in tell.report_lines(name, report, parts=name in (MODEL, BASELINE)):
                self.say(text)
        for name in (MODEL, BASELINE):
            if name in reports and (intervals := tell.interval_line(name, reports[name])) is not None:
                self.say(intervals)
        return reports

    def _say_what(self, report: Report) -> None:
        frames = isinstance(self.folder, FrameFolder)
        true = sum(len(row.instances.true_sizes) if row.masks is None else row.masks.true for row in report.rows)
        what = f"{len(report.rows)} frames, {true} objects; overlap, boundary, F > 0.75 and ARI are means over frames"
        self.say(machine_line())
        self.say(f"{self.folder.path}: {what if frames else f'{len(report.rows)} scans, {true} instances'}, percent")
        self.say(tell.header(tell.columns_of(report)))

    def _retrieve(self, folder: FrameFolder) -> dict[str, Any]:
        """Ask for objects by their names."""
        kinds = {"coarse names": folder.coarse_names} if folder.coarse_names else {}
        values = {}
        for kind, names in {**kinds, "full names": None}.items():
            frames = (item for item in self.items("retrieval") if isinstance(item, Frame))
            report = evaluate_retrieval(self.model, frames, names, self.config)
            if report.found.total:
                self.say(tell.retrieval_line(kind, report))
                values[kind] = tell.retrieval_values(report)
        return values

    def _draw_worst(self, report: Report) -> None:
        """Pictures of the worst frames (by overlap F) or scans (by AP50), the worst first by name: what was found,
        and below it what is true."""
        figure = "AP50" if isinstance(self.folder, ScanFolder) else "overlap F"
        folder = Path(self.args.output)
        folder.mkdir(parents=True, exist_ok=True)
        for rank, row in enumerate(sorted(report.rows, key=lambda row: row.quality)[: self.args.worst], start=1):
            item = self.folder[self.folder.names.index(row.name)]
            cloud, told = item.cloud(), f"{figure} {100 * row.quality:.1f}"
            found = draw_scene(cloud, self.model.segment(cloud, self.config), title=f"{row.name}: {told}")
            truth = draw_scene(cloud, _truth(item, cloud), title="the truth")
            page = Image.new("RGB", (found.width, found.height + truth.height))
            page.paste(found, (0, 0))
            page.paste(truth, (0, found.height))
            path = folder / f"{rank:02d}_{row.name}.png"
            page.save(path)
            self.say(f"written: {path} ({told})")


def _truth(item: Frame | Scan, cloud: PointCloud) -> Scene:
    """The true instances as a scene, to be drawn."""
    assert item.label is not None  # only what was scored is drawn
    label = np.where(np.isfinite(cloud.points).all(1), item.label.reshape(-1), 0)
    ids = [int(k) for k in np.unique(label) if k > 0 and not (isinstance(item, Frame) and k == IGNORE)]
    labels, objects = np.full(len(cloud), -1, np.int32), []
    for index, k in enumerate(ids):
        points = cloud.points[label == k]
        labels[label == k] = index
        box, centroid = oriented_box(points, cloud.up), points.mean(0, dtype=np.float64).astype(np.float32)
        objects.append(SceneObject("object", 1.0, box, centroid, np.empty(0, np.float32), None, len(points)))
    return Scene(labels, tuple(objects))


# Time ------------------------------------------------------------------------------------------------------------


def bench(args: Namespace) -> int:
    """Measure milliseconds per stage on frames and scans, after a warm-up, beside the baseline in the same run."""
    at_least("--runs", args.runs, 1)
    if args.threads is not None:
        from segvec3d_core.threads import use_threads

        use_threads(at_least("--threads", args.threads, 1))
    sizes = [_image_size(text) for text in args.sizes or ()]
    for count in args.scans or ():
        at_least("--scans", count, 1_000)
    if args.path is not None:
        read = _bench_clouds(args.path, min(args.runs, 10))  # what is wrong with PATH is said before the model loads
    model, config = load_model(args), configuration(args)
    model.warm_up()
    if args.json != "-":
        print(f"{machine_line()}, on {model.device}")
    rows: list[dict[str, Any]] = []
    if args.path is not None:
        rows.append(_bench_row(args, model, config, args.path, read))
    elif not sizes and not args.scans:
        sizes = [(640, 480)]
    for width, height in sizes:
        name = f"simulated frames of {width} x {height}"
        rows.append(_bench_row(args, model, config, name, _simulated_frames(min(args.runs, 10), width, height)))
    for count in args.scans or ():
        rows.append(_bench_row(args, model, config, f"simulated room of {count:,} points", [_simulated_scan(count)]))
    if args.json is not None:
        about = {"version": 1, "path": args.path, "machine": machine(), "device": str(model.device), "runs": args.runs}
        write_json(args.json, about | rows[0] | {"sets": rows})
    return 0


def _bench_row(
    args: Namespace, model: SegVec3D, config: SegmentationConfig, name: str, clouds: list[PointCloud]
) -> dict[str, Any]:
    """Measure on some clouds, print it, and return the values for the JSON."""
    stages, total, points = _measure(model, clouds, args.runs, config)
    memory = peak_memory()  # before the baseline takes its own
    baseline = _measure(PlaneDbscan(), clouds, args.runs, config)[1]
    if args.json != "-":
        print(f"{name}: {len(clouds)} clouds, {args.runs} runs, {points}")
        print(f"{'milliseconds':24} {'p50':>8} {'p95':>8}")
        for stage, timing in stages.items():
            print(f"  {stage:22} {timing.p50:8.1f} {timing.p95:8.1f}")
        for method, timing in ((f"SegVec3D ({model.device})", total), (BASELINE, baseline)):
            print(f"{method:24} {timing.p50:8.1f} {timing.p95:8.1f}")
        print(f"SegVec3D takes {total.p50 / baseline.p50:.2f} times as long (p50)")
        print(f"peak memory of the process so far: {memory / 2**20:.0f} MiB", flush=True)
    return {
        "name": name, "clouds": len(clouds), "points": [len(cloud) for cloud in clouds],
        "stages": {stage: dataclasses.asdict(timing) for stage, timing in stages.items()},
        "total": dataclasses.asdict(total), BASELINE: dataclasses.asdict(baseline), "peak_memory": memory,
    }  # fmt: skip


def _image_size(text: str) -> tuple[int, int]:
    """Width and height of "640x480".

    Raises:
        ValueError: it is not of this form, or too small to draw a scene in.
    """
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ValueError(f"--sizes: expected WIDTHxHEIGHT, got {text!r}")
    return at_least("--sizes", int(width), 16), at_least("--sizes", int(height), 16)


def _bench_clouds(path: str, count: int) -> list[PointCloud]:
    """Clouds to measure on: the first ones of a folder, or a file's."""
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
    """A fused scan of one room with so many points: each a point of a simulated one, moved by a few millimetres."""
    from segvec3d_core.simulate import first_edition, simulate_scan

    rng = np.random.default_rng(0)
    with first_edition():
        scan = simulate_scan(rng)[0]
    rows = rng.integers(0, len(scan), count)
    points = scan.points[rows] + np.float32(0.003) * rng.standard_normal((count, 3), np.float32)
    return PointCloud(points, None if scan.colors is None else scan.colors[rows], up=scan.up)


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
