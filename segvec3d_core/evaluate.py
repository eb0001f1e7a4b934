"""Evaluation on labelled frames and scans, with the same code and metrics for every method."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from segvec3d_core.clustering import ClusteringConfig
from segvec3d_core.config import SegmentationConfig
from segvec3d_core.datasets.frames import IGNORE, Frame
from segvec3d_core.datasets.scans import Scan
from segvec3d_core.figures import Figure, Row, subsets, tabulate
from segvec3d_core.metrics import (
    HitRate,
    adjusted_rand_index,
    scan_overlap,
    score_frame,
    scored_hits,
    surface_confusion,
)
from segvec3d_core.pipeline import SegVec3D
from segvec3d_core.types import Matches, PointCloud, Scene

SPREAD = (0.7, 1.3)
"""Factors by which each constant is varied to measure its influence."""


class Segmenter(Protocol):
    """Anything that segments a cloud into instances: ``SegVec3D``, a baseline."""

    def segment(self, cloud: PointCloud, config: SegmentationConfig | None = None) -> Scene:
        """The instances of a cloud."""


class Finder(Segmenter, Protocol):
    """Anything that also finds instances by text."""

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
class Report:
    """A method's results on frames, or on scans.

    Attributes:
        rows: one for each frame or scan with labels.
        figures: over all rows (``figures.tabulate``).
        subsets: the same for each sensor and each tag that is true, such as "hard" (``figures.subsets``).
        timing: over all rows.
    """

    rows: tuple[Row, ...]
    figures: dict[str, Figure]
    subsets: dict[str, Subset]
    timing: Timing

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Report:
        """From at least one row."""
        parts = {name: Subset(len(part), tabulate(part)) for name, part in subsets(rows).items()}
        return cls(tuple(rows), tabulate(rows), parts, Timing.of([row.seconds for row in rows]))


@dataclass(frozen=True, slots=True)
class Subset:
    """Number and figures of a subset of a report's rows."""

    count: int
    figures: dict[str, Figure]


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """How often a text finds its object.

    Attributes:
        found: queries whose best answer is one of the objects of that name (IoU above 0.5).
        answered: the same with the model's own threshold, where no answer is a miss.
        chance: expected share of hits when picking one of the frame's named objects at random.
    """

    found: HitRate
    answered: HitRate
    chance: float


def _on_object(scene: Scene) -> NDArray[np.bool_]:
    """(N,) bool, points of instances that are objects."""
    is_object = np.array([item.kind == "object" for item in scene.objects] + [False])
    return is_object[scene.labels]


def object_mask(scene: Scene, frame: Frame) -> NDArray[np.int32]:
    """(H, W) int32 image of a scene's objects, k + 1 for ``scene.objects[k]``; 0 for no instance and for surfaces."""
    labels = np.where(_on_object(scene), scene.labels + 1, 0)
    return labels.reshape(frame.depth.shape).astype(np.int32)


def score(item: Frame | Scan, scene: Scene, seconds: float, tags: Mapping[str, Any] | None = None) -> Row:
    """Score the result of a method for one labelled frame or scan.

    Average precision counts instances of both kinds and takes label 0 as void, as ScanNet does for walls and floors: a
    floor found as a surface costs nothing, and a desk found as a surface counts as found. The masks of a frame are
    those of objects only. Pixels labelled 255 are ignored everywhere.

    Raises:
        ValueError: a frame without labels.
    """
    if item.label is None:
        raise ValueError(f"frame {item.name}: no labels, nothing to compare with")
    scores = np.array([found.score for found in scene.objects])
    objects = np.where(_on_object(scene), scene.labels, -1)
    true = item.label.reshape(-1).astype(np.int32)
    counted = true != IGNORE if isinstance(item, Frame) else np.ones(len(true), bool)
    instances = scan_overlap(scene.labels[counted], scores, true[counted])
    if isinstance(item, Frame):
        masks = score_frame(object_mask(scene, item), item.label)
        hits = scan_overlap(objects[counted], scores, true[counted], min_points=1)
        hits = replace(hits, void=np.zeros_like(hits.void))  # an object found on the background is wrong
        agreement = masks.adjusted_rand
        seen = counted & np.isfinite(item.depth.reshape(-1))
        surface: NDArray[np.int8] | None = np.where(seen, true == 0, -1).astype(np.int8)
    else:
        masks, hits, surface = None, scan_overlap(objects, scores, true), item.surface
        agreement = adjusted_rand_index(scene.labels, true)
    confusion = np.zeros((2, 2), np.int64) if surface is None else surface_confusion(objects >= 0, surface)
    return Row(item.name, instances, *scored_hits(hits), agreement, confusion, masks, seconds, tags or {})


def evaluate(
    model: Segmenter,
    items: Iterable[Frame | Scan],
    config: SegmentationConfig | None = None,
    tags: Mapping[str, Mapping[str, Any]] | None = None,
) -> Report:
    """Segment and score every labelled frame or scan.

    The first one is segmented once before timing starts, so that no time includes compiling or loading.

    Args:
        model: the method; items: frames, of which those without labels are skipped, or scans, not both.
        config: of the segmentation; tags: tags of each item, by name.

    Raises:
        ValueError: no item with labels.
    """
    rows: list[Row] = []
    for item in items:
        if item.label is None:
            continue
        cloud = item.cloud()
        if not rows:
            model.segment(cloud, config)
        start = time.perf_counter()
        scene = model.segment(cloud, config)
        seconds = time.perf_counter() - start
        rows.append(score(item, scene, seconds, (tags or {}).get(item.name)))
    if not rows:
        raise ValueError("frames or scans: expected at least one with labels, got none")
    return Report.of(rows)


# Sensitivity to the constants -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Variation:
    """The figures with one constant changed.

    Attributes:
        constant: its name; value: the value that it was set to; figures: the results.
    """

    constant: str
    value: float
    figures: dict[str, float]


PROBABILITIES = ("surface_threshold", "join_threshold", "kind_threshold", "min_score")


def variations(
    clustering: ClusteringConfig, config: SegmentationConfig
) -> Iterator[tuple[str, float, ClusteringConfig, SegmentationConfig]]:
    """Vary one constant at a time by the factors of ``SPREAD`` -> (name, value, clustering, configuration).

    The constants are those that the configured clustering method uses, and ``min_points`` and ``min_score``. Integers
    stay integers, and probabilities stay below 1.
    """
    for name in ClusteringConfig.of(config.clustering):
        for changed in _scaled(getattr(clustering, name)):
            allowed = min(changed, 0.99) if name in PROBABILITIES else changed
            yield name, allowed, replace(clustering, **{name: allowed}), config  # type: ignore[arg-type]
    for name in ("min_points", "min_score"):
        for changed in _scaled(getattr(config, name)):
            allowed = min(changed, 0.99) if name in PROBABILITIES else changed
            yield name, allowed, clustering, replace(config, **{name: allowed})  # type: ignore[arg-type]


def _alike(a: Scene, b: Scene) -> bool:
    """Whether two scenes of one cloud have equal labels, kinds and scores, so that their ``score`` is the same."""
    told = [[(item.kind, item.score) for item in scene.objects] for scene in (a, b)]
    return told[0] == told[1] and np.array_equal(a.labels, b.labels)


def _scaled(value: float) -> list[float]:
    """The value times each of ``SPREAD``."""
    return [round(value * factor) if isinstance(value, int) else value * factor for factor in SPREAD]


def spread(model: SegVec3D, items: Iterable[Frame | Scan], config: SegmentationConfig | None = None) -> list[Variation]:
    """The figures for each of ``variations``; the backbone runs only once per frame or scan.

    Raises:
        ValueError: no item with labels.
    """
    config = config or SegmentationConfig()
    tried = list(variations(model.clustering, config))
    rows: list[list[Row]] = [[] for _ in tried]
    for item in items:
        if item.label is None:
            continue
        embedded = model.embed(item.cloud(), config)
        base = model.group(embedded, config)
        known = score(item, base, 0.0)
        for column, (_, _, clustering, limits) in zip(rows, tried, strict=True):
            scene = model.group(embedded, limits, clustering)
            column.append(known if _alike(scene, base) else score(item, scene, 0.0))
    if not rows[0]:
        raise ValueError("frames or scans: expected at least one with labels, got none")
    return [
        Variation(name, value, {key: figure.value for key, figure in tabulate(column, resamples=0).items()})
        for (name, value, _, _), column in zip(tried, rows, strict=True)
    ]


# Retrieval --------------------------------------------------------------------------------------------------------


def queries(frame: Frame, names: dict[str, str] | None = None) -> dict[str, list[int]]:
    """The names that can be asked for in a frame, each with the ids of the objects of that name.

    Args:
        frame: with labels and names.
        names: coarse name of each name; None takes the names as they are.

    Returns:
        {name: ids}; empty for a frame whose objects all have one name, where any answer would be right.
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
    """Query every frame with two or more names for "the NAME", once for each name in it.

    A query is a hit if its best answer overlaps one of the objects of that name with an IoU above 0.5; a refused query
    is a miss.

    Args:
        model: segments, and finds by text.
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
            try:
                best = model.find(scene, f"the {name}", top_k=1, min_similarity=0.0)
                kept = model.find(scene, f"the {name}", top_k=1)
            except ValueError:  # names given by people need not be valid queries: refused counts as not found
                continue
            found += _hits(best, scene, frame.label, ids)
            answered += _hits(kept, scene, frame.label, ids)
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
