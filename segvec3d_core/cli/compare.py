"""``segvec3d eval`` on labelled data: SegVec3D compared with untrained weights and with plane removal + DBSCAN."""

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
from segvec3d_core.cli.common import at_least, configuration, load_model, machine, machine_line, progress
from segvec3d_core.config import SegmentationConfig
from segvec3d_core.datasets.frames import IGNORE, Frame, FrameFolder
from segvec3d_core.datasets.scans import Scan, ScanFolder, find_scans
from segvec3d_core.evaluate import Report, Segmenter, evaluate_retrieval, spread
from segvec3d_core.evaluate import evaluate as evaluate_method
from segvec3d_core.figures import reliability
from segvec3d_core.geometry import oriented_box
from segvec3d_core.io import write_json
from segvec3d_core.pipeline import SegVec3D
from segvec3d_core.types import PointCloud, Scene, SceneObject
from segvec3d_core.view import draw_scene

MODEL, BASELINE = "SegVec3D", "plane removal + DBSCAN"


def evaluate(args: Namespace) -> int:
    """Score the model and the methods for comparison on frames or scans."""
    if not args.path:
        raise ValueError("PATH: expected a frame folder or scans to measure on")
    path = Path(args.path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    if args.limit is not None:
        at_least("--limit", args.limit, 1)
    at_least("--stride", args.stride, 1)
    at_least("--worst", args.worst, 0)
    if args.reliability is not None:
        tell.require_picture(args.reliability)
    folder = _labelled(path, args.split)  # errors in PATH are reported before the model loads
    model, config = load_model(args), configuration(args)
    if isinstance(folder, ScanFolder) and args.min_score is None:
        config = dataclasses.replace(config, min_score=0)  # AP ranks by score: dropping objects can only lower recall
    methods = _methods(model, config, args.model_only)
    model.warm_up()
    result = _Evaluation(folder, model, config, args).run(methods)
    if args.json is not None:
        write_json(
            args.json,
            {
                "version": 2,
                "path": str(path),
                "split": args.split,
                "stride": args.stride,
                "colorless": args.colorless,
                "machine": machine(),
                "model": model.info,
            }
            | result,
        )
    return 0


def _labelled(path: Path, split: str | None) -> FrameFolder | ScanFolder:
    """The frames at a path, or its scans, restricted to a split if given.

    Raises:
        ValueError: there are neither, or a split was given for frames.
    """
    if (path / "depth").is_dir():
        if split is not None:
            raise ValueError(f"--split: names scans, got the frames of {path}")
        return FrameFolder(path)
    if find_scans(path):
        return ScanFolder(path, split)
    if path.is_dir():
        raise ValueError(
            f"{path}: neither a frame folder (depth/, camera.json, label/) nor .npz scans, nor ScanNet scenes "
            "(sceneXXXX_XX/)"
        )
    raise ValueError(f"{path}: expected a frame folder or .npz scans, got a {path.suffix or 'bare'} file")


def _methods(
    model: SegVec3D, config: SegmentationConfig, model_only: bool
) -> dict[str, tuple[Segmenter, SegmentationConfig]]:
    """The rows of the table: the model, the model with untrained instance heads, an untrained model, and the baseline.

    The untrained ones cluster by embeddings, as in the paper: a random superpoint network would separate nothing.
    """
    methods: dict[str, tuple[Segmenter, SegmentationConfig]] = {MODEL: (model, config)}
    if not model_only:
        untrained = SegVec3D.untrained(0, model.network.config, model.device)
        by_embeddings = dataclasses.replace(config, clustering="fast") if config.clustering == "graph" else config
        methods["untrained heads (7)"] = model.with_untrained_heads(), by_embeddings
        methods["untrained weights"] = untrained.with_clustering(model.clustering), by_embeddings
        methods[BASELINE] = PlaneDbscan(), config
    return methods


class _Evaluation:
    """One run of ``segvec3d eval``: data, model and options; results are printed as they become available."""

    def __init__(
        self, folder: FrameFolder | ScanFolder, model: SegVec3D, config: SegmentationConfig, args: Namespace
    ) -> None:
        self.folder, self.model, self.config, self.args = folder, model, config, args
        self.quiet = args.json == "-"

    def say(self, text: str) -> None:
        """Print a line, unless the JSON goes to standard output."""
        if not self.quiet:
            print(text, flush=True)

    def items(self, text: str) -> Iterator[Frame | Scan]:
        """Iterate over the frames or scans, up to --limit; each is read when needed."""
        for index in progress(range(min(len(self.folder), self.args.limit or len(self.folder))), text):
            yield self.item(index)

    def item(self, index: int) -> Frame | Scan:
        """A frame or scan, thinned by --stride, and with or without colours (--colorless)."""
        item = self.folder[index]
        item = item if self.args.stride == 1 else item.thinned(self.args.stride)
        return item.without_colors() if self.args.colorless else item

    def run(self, methods: dict[str, tuple[Segmenter, SegmentationConfig]]) -> dict[str, Any]:
        """Run all requested evaluations; returns the values for the JSON."""
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
        """Evaluate each method and print the table."""
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
        what = what if frames else f"{len(report.rows)} scans, {true} instances"
        thinned = "" if self.args.stride == 1 else f", points {self.args.stride} times as far apart"
        bare = ", without colours" if self.args.colorless else ""
        split = "" if self.args.split is None else f" ({Path(self.args.split).name})"
        self.say(f"{self.folder.path}{split}: {what}{thinned}{bare}, percent")
        self.say(tell.header(tell.columns_of(report)))

    def _retrieve(self, folder: FrameFolder) -> dict[str, Any]:
        """Evaluate retrieval of objects by their names, coarse (if there are any) and full."""
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
        """Draw the worst frames (by overlap F) or scans (by AP50): the prediction, and the ground truth below it.

        File names begin with the rank, 01 for the worst.
        """
        figure = "AP50" if isinstance(self.folder, ScanFolder) else "overlap F"
        folder = Path(self.args.output)
        folder.mkdir(parents=True, exist_ok=True)
        for rank, row in enumerate(sorted(report.rows, key=lambda row: row.quality)[: self.args.worst], start=1):
            item = self.item(self.folder.names.index(row.name))
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
    """The ground-truth instances as a scene, for drawing."""
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
