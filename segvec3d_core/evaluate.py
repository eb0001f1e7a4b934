"""How good is a model on labelled frames and scans: the same code and metrics for every method that is compared."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from segvec3d_core.config import SegmentationConfig
from segvec3d_core.datasets.frames import IGNORE, Frame
from segvec3d_core.io import read_labelled_scan
from segvec3d_core.metrics import (
    AveragePrecision,
    FrameScore,
    FrameSummary,
    HitRate,
    adjusted_rand_index,
    average_precision,
    scan_overlap,
    score_frame,
    summarize,
)
from segvec3d_core.types import Matches, PointCloud, Scene


class Segmenter(Protocol):
    """Anything that parts a cloud into instances: ``SegVec3D``, a baseline."""

    def segment(self, cloud: PointCloud, config: SegmentationConfig | None = None) -> Scene:
        """The instances of a cloud."""


class Finder(Segmenter, Protocol):
    """Anything that also finds instances by words."""

    def find(self, scene: Scene, text: str, top_k: int | None = None, min_similarity: float | None = None) -> Matches:
        """The instances that the text describes, best first."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds from raw points to labels and boxes: median and 95th percentile."""

    p50: float
    p95: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Timing:
        """From seconds of at least one run."""
        return cls(*(1e3 * float(np.percentile(seconds, q)) for q in (50, 95)))


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One frame's result: its name, its score and the seconds that ``segment`` took."""

    name: str
    score: FrameScore
    seconds: float


@dataclass(frozen=True, slots=True)
class FrameReport:
    """A method's results on frames.

    Attributes:
        rows: one for each frame with labels.
        summary: their means.
        timing: of the same frames.
    """

    rows: tuple[FrameRow, ...]
    summary: FrameSummary
    timing: Timing


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """How often a text finds its object.

    Attributes:
        found: queries whose best answer is one of the objects so named (IoU above 0.5).
        answered: the same, with the model's own threshold: no answer is a miss.
        chance: expected share of hits of one who picks one of the frame's true objects blindly.
    """

    found: HitRate
    answered: HitRate
    chance: float


@dataclass(frozen=True, slots=True)
class ScanReport:
    """A method's results on scans.

    Attributes:
        names: the scans.
        precision: average precision over all of them.
        adjusted_rand: of each, over the points on true instances; NaN where there are none.
        seconds: that each took.
    """

    names: tuple[str, ...]
    precision: AveragePrecision
    adjusted_rand: tuple[float, ...]
    seconds: tuple[float, ...]


def object_mask(scene: Scene, frame: Frame) -> NDArray[np.int32]:
    """(H, W) int32 image of a scene's objects, k + 1 for ``scene.objects[k]``; 0 for nothing and for surfaces."""
    is_object = np.array([item.kind == "object" for item in scene.objects] + [False])
    labels = np.where(is_object[scene.labels], scene.labels + 1, 0)
    return labels.reshape(frame.depth.shape).astype(np.int32)


def _timed(model: Segmenter, cloud: PointCloud, config: SegmentationConfig | None) -> tuple[Scene, float]:
    start = time.perf_counter()
    scene = model.segment(cloud, config)
    return scene, time.perf_counter() - start


def evaluate_frames(model: Segmenter, frames: Iterable[Frame], config: SegmentationConfig | None = None) -> FrameReport:
    """Segment every frame and score its object masks.

    The first frame is segmented once more beforehand, so that no time includes compiling or loading.

    Raises:
        ValueError: no frame, or none with labels.
    """
    rows: list[FrameRow] = []
    for frame in frames:
        if frame.label is None:
            continue
        cloud = frame.cloud()
        if not rows:
            model.segment(cloud, config)
        scene, seconds = _timed(model, cloud, config)
        rows.append(FrameRow(frame.name, score_frame(object_mask(scene, frame), frame.label), seconds))
    if not rows:
        raise ValueError("frames: expected at least one with labels, got none")
    return FrameReport(tuple(rows), summarize([row.score for row in rows]), Timing.of([row.seconds for row in rows]))


def queries(frame: Frame, names: dict[str, str] | None = None) -> dict[str, list[int]]:
    """The names that can be asked for in a frame, each with the ids of the objects so named.

    Args:
        frame: with labels and names.
        names: coarse name of each name; None takes the names as they are.

    Returns:
        Nothing for a frame whose objects all have one name: there, any answer would be right.
    """
    if frame.label is None:
        return {}
    present = set(np.unique(frame.label).tolist()) - {0, IGNORE}
    asked: dict[str, list[int]] = {}
    for key, name in sorted(frame.names.items()):
        wanted = name if names is None else names.get(name)
        if key in present and wanted is not None:
            asked.setdefault(wanted, []).append(key)
    return asked if len(asked) > 1 else {}


def evaluate_retrieval(
    model: Finder,
    frames: Iterable[Frame],
    names: dict[str, str] | None = None,
    config: SegmentationConfig | None = None,
) -> RetrievalReport:
    """Ask every frame with two or more names for "the NAME", once for each name in it.

    A query is a hit when its best answer overlaps one of the objects so named with an IoU above 0.5.

    Args:
        model: segments, and finds by words.
        frames: with labels and names; others are skipped.
        names: coarse name of each name, to ask for these instead.
        config: of the segmentation.
    """
    found = answered = total = 0
    chance = 0.0
    for frame in frames:
        asked = queries(frame, names)
        if not asked or frame.label is None:
            continue
        scene = model.segment(frame.cloud(), config)
        objects = sum(len(ids) for ids in asked.values())
        for name, ids in asked.items():
            total += 1
            chance += len(ids) / objects
            best = model.find(scene, f"the {name}", top_k=1, min_similarity=0.0)
            found += _hits(best, scene, frame.label, ids)
            answered += _hits(model.find(scene, f"the {name}", top_k=1), scene, frame.label, ids)
    return RetrievalReport(HitRate(found, total), HitRate(answered, total), chance / total if total else float("nan"))


def _hits(matches: Matches, scene: Scene, label: NDArray[np.uint16], ids: list[int]) -> bool:
    """Whether the first match overlaps one of the true objects ``ids`` with an IoU above 0.5."""
    if not len(matches):
        return False
    counted = label != IGNORE
    mask = (scene.labels.reshape(label.shape) == matches[0].index) & counted
    size = int(mask.sum())
    for key in ids:
        true = label == key
        shared = int((mask & true).sum())
        if shared > 0.5 * (size + int(true.sum()) - shared):
            return True
    return False


def evaluate_scans(
    model: Segmenter, paths: Iterable[str | Path], config: SegmentationConfig | None = None
) -> ScanReport:
    """Class-agnostic AP and adjusted Rand index on .npz scans (points, labels; 0 = not an instance), over the objects
    that were found.

    Raises:
        FileNotFoundError, ValueError: an unreadable scan, or one without labels.
    """
    names, overlaps, agreements, seconds = [], [], [], []
    for path in paths:
        cloud, labels = read_labelled_scan(path)
        if labels is None:
            raise ValueError(f"{path}: no array named labels, nothing to compare with")
        scene, duration = _timed(model, cloud, config)
        is_object = np.array([item.kind == "object" for item in scene.objects] + [False])
        predicted = np.where(is_object[scene.labels], scene.labels, -1)
        overlaps.append(scan_overlap(predicted, [item.score for item in scene.objects], labels))
        agreements.append(adjusted_rand_index(predicted, labels))
        names.append(Path(path).stem)
        seconds.append(duration)
    if not overlaps:
        raise ValueError("scans: expected at least one, got none")
    return ScanReport(tuple(names), average_precision(overlaps), tuple(agreements), tuple(seconds))
