"""Evaluation of an object map on sequences with known objects: identities, duplicates, ghosts, boxes, retrieval.

The ground truth at a time is what could be known by then: for every thing that is present, the part of its surface that
has been in view since it was last put down. The true surface is used, not the sensor's reading: after a minute, the
points that a stereo camera misreads around a small thing outnumber its own many times. An object of the map and a thing
overlap where points of one lie within ``NEAR`` of the other's. The share of the object's points that overlap, P, and of
the thing's, R, give the intersection over union, 1 / (1/P + 1/R - 1). Ignored are the surfaces of things that have left
their place, until that is seen to be empty; things that were hardly in view; and table tops, which are surfaces in some
views and objects in others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from .metrics import HitRate, ScanOverlap, average_precision
from .object_map import MapSnapshot, Searcher
from .types import Box, Float32, Kind, PointCloud, Scene

NEAR = {"table": 0.03, "room": 0.05}
"""Distance within which points coincide, metres: the shift caused by one degree of rotation, seen from beside a table
and from across a room."""

THROUGH = 0.03
"""A true point is seen through if the measured depth lies more than this behind it, metres."""

GRAIN = 0.02
"""Edge of the voxels in which the true surfaces are kept, metres."""

CLEAR_SHARE = 4e-4
"""Share of the image that a thing must fill to be clearly in view: about 120 pixels of 640 x 480."""

CLEAR_FRAMES = 2
"""Number of frames in which a thing must have been clearly in view before the map is expected to contain it."""

AWAY_SECONDS = 3.0
"""Shortest absence from view that counts for re-identification, seconds. After the return the map has half of this time
to respond."""


class Thing(Protocol):
    """Ground truth of one thing at one time: ``testsets.sequences.Thing``, which inference does not import."""

    @property
    def identity(self) -> int: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def name(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def present(self) -> bool: ...
    @property
    def counted(self) -> bool: ...
    @property
    def box(self) -> Box: ...


class SequenceFrame(Protocol):
    """One frame of a sequence: ``testsets.sequences.SequenceFrame``."""

    @property
    def stamp_ns(self) -> int: ...
    @property
    def cloud(self) -> PointCloud: ...
    @property
    def T_true(self) -> NDArray[np.float64]: ...
    @property
    def instance(self) -> NDArray[np.int32]: ...
    @property
    def surface(self) -> NDArray[np.float32]: ...
    @property
    def things(self) -> Sequence[Thing]: ...


@dataclass(slots=True)
class _Known:
    """What could be known about one thing: the surface seen at its present place, and when it was in view.

    Attributes:
        points: (M, 3) float32 points of that surface, map frame, metres; place: (12,) box centre and rotation.
        clear: number of frames in which it was clearly in view there; matched: id last matched to it, 0 for none.
        away_since: time, seconds, since when it is out of view, None if in view; moved: whether it left its place.
        before: id matched before the absence; due: time, seconds, at which its id is checked after a return, or None.
    """

    points: Float32 = field(default_factory=lambda: np.empty((0, 3), np.float32))
    place: NDArray[np.float32] | None = None
    clear: int = 0
    matched: int = 0
    away_since: float | None = None
    moved: bool = False
    before: int = 0
    due: float | None = None


@dataclass(frozen=True, slots=True)
class SequenceReport:
    """The figures of one sequence, or of several pooled, mostly as counts from which rates are computed.

    Attributes:
        identity_hits, identity_true, identity_predicted: terms of IDF1, in object-frames.
        switches: number of times that the id matched to a thing changed; true: things known at the end.
        duplicates, ghosts, known: object-frames of objects mostly on a thing, of objects mostly on nothing, and of
            things with at least one object on them.
        returned, moved: re-identification after an absence from view, and after having been moved or taken away.
        overlap: the final map against the things, for average precision.
        center_errors, size_errors: of matched boxes at the end, metres.
        map_found, frame_found: R@1 of full names in the map and in the single frame, for all things known.
        map_found_in_view, frame_found_in_view: the same for things clearly in view.
        milliseconds: of each update.
    """

    identity_hits: int
    identity_true: int
    identity_predicted: int
    switches: int
    true: int
    duplicates: int
    ghosts: int
    known: int
    returned: HitRate
    moved: HitRate
    overlap: tuple[ScanOverlap, ...]
    center_errors: tuple[float, ...]
    size_errors: tuple[float, ...]
    map_found: HitRate
    frame_found: HitRate
    map_found_in_view: HitRate
    frame_found_in_view: HitRate
    milliseconds: tuple[float, ...]

    @property
    def idf1(self) -> float:
        """Identity F1 (Ristani et al., 2016)."""
        return 2 * self.identity_hits / max(self.identity_true + self.identity_predicted, 1)

    @property
    def ap50(self) -> float:
        """Average precision of the final map at IoU > 0.5, ranked by the objects' scores."""
        return average_precision(self.overlap).ap50

    @property
    def duplicate_rate(self) -> float:
        """Objects per thing that has any; 1 without duplicates."""
        return self.duplicates / max(self.known, 1)

    @property
    def ghost_rate(self) -> float:
        """Objects on nothing, per thing that could be known."""
        return self.ghosts / max(self.identity_true, 1)


def pooled(reports: Sequence[SequenceReport]) -> SequenceReport:
    """Pool the reports of several sequences."""
    values: dict[str, Any] = {}
    for name in SequenceReport.__dataclass_fields__:
        parts = [getattr(report, name) for report in reports]
        if isinstance(parts[0], HitRate):
            values[name] = HitRate(sum(p.hits for p in parts), sum(p.total for p in parts))
        elif isinstance(parts[0], tuple):
            values[name] = tuple(value for part in parts for value in part)
        else:
            values[name] = sum(parts)
    return SequenceReport(**values)


class SequenceScorer:
    """Accumulates the figures of one sequence from its frames and the map after each.

    Args:
        near: distance within which points coincide, metres, see ``NEAR``.
        searcher: for retrieval; None skips it.
        retrieval_every: number of frames between two rounds of queries.
    """

    def __init__(self, near: float, searcher: Searcher | None = None, retrieval_every: int = 20) -> None:
        self._near, self._searcher, self._every = near, searcher, retrieval_every
        self._known: dict[int, _Known] = {}
        self._stale: list[Float32] = []
        self._pairs: Counter[tuple[int, int]] = Counter()
        self._counts: Counter[str] = Counter()
        self._milliseconds: list[float] = []
        self._frame = 0

    def add(self, frame: SequenceFrame, scene: Scene, snapshot: MapSnapshot, milliseconds: float) -> None:
        """Add one frame, the scene segmented from it, and the map after it."""
        self._milliseconds.append(milliseconds)
        self._observe(frame)
        things = [t for t in frame.things if self._is_known(t)]
        objects = [k for k, thing in enumerate(snapshot) if thing.object.kind == "object"]
        iou, on_thing, ignored = self._overlaps(frame, things, [snapshot.points_of(k)[0] for k in objects])
        self._count(frame, things, [snapshot[k].id for k in objects], iou, on_thing, ignored)
        if self._searcher is not None and self._frame % self._every == self._every - 1:
            self._ask(frame, scene, snapshot, things, objects, on_thing)
        self._last = (frame, things, snapshot, objects, iou, ignored)
        self._frame += 1

    def report(self) -> SequenceReport:
        """The figures so far; needs at least one frame."""
        _, things, snapshot, objects, iou, ignored = self._last
        centers, sizes = [], []
        for t, o in _assigned(iou):
            box, true = snapshot[objects[o]].object.box, things[t].box
            centers.append(float(np.linalg.norm(box.center - true.center)))
            sizes.append(float(np.abs(np.sort(box.size) - np.sort(true.size)).mean()))
        overlap = _as_overlap(iou, ignored, np.array([snapshot[k].object.score for k in objects]))
        c = self._counts
        return SequenceReport(
            identity_hits=self._identity_hits(),
            identity_true=c["true"],
            identity_predicted=c["predicted"],
            switches=c["switches"],
            true=len(things),
            duplicates=c["duplicates"],
            ghosts=c["ghosts"],
            known=c["known"],
            returned=self._rate("returned"),
            moved=self._rate("moved"),
            overlap=(overlap,),
            center_errors=tuple(centers),
            size_errors=tuple(sizes),
            map_found=self._rate("map"),
            frame_found=self._rate("frame"),
            map_found_in_view=self._rate("map in view"),
            frame_found_in_view=self._rate("frame in view"),
            milliseconds=tuple(self._milliseconds),
        )

    def _rate(self, name: str) -> HitRate:
        return HitRate(self._counts[f"{name} hits"], self._counts[name])

    # Ground truth -------------------------------------------------------------------------------------------------

    def _observe(self, frame: SequenceFrame) -> None:
        """Accumulate the visible surface of each thing, and drop old surfaces that are seen to be gone."""
        order = np.argsort(frame.instance, kind="stable")
        starts = np.searchsorted(frame.instance[order], np.arange(len(frame.things) + 1))
        time = frame.stamp_ns / 1e9
        for thing in frame.things:
            known = self._known.setdefault(thing.identity, _Known())
            place = np.concatenate([thing.box.center, thing.box.rotation.ravel()])
            if known.place is None:
                known.place = place
            if not thing.present or not np.allclose(place, known.place, atol=1e-4):
                if len(known.points):
                    self._stale.append(known.points)
                    known.moved, known.clear = True, 0
                    known.points = np.empty((0, 3), np.float32)
                known.place = place
            pixels = order[starts[thing.identity] : starts[thing.identity + 1]]
            clear = len(pixels) >= CLEAR_SHARE * len(frame.instance)
            self._note_view(known, clear, time)
            if len(pixels):
                seen = frame.surface[pixels[:: max(1, len(pixels) // 3000)]]
                known.points = _thin(np.concatenate([known.points, seen]))
                known.clear += clear
        self._stale = [left for points in self._stale if len(left := _unseen(points, frame)) > 0.3 * len(points)]

    def _note_view(self, known: _Known, clear: bool, time: float) -> None:
        """Track when a thing leaves the view and returns."""
        if not clear:
            if known.away_since is None:
                known.away_since = time
                if known.due is None:
                    known.before = known.matched
            known.due = None
        elif known.away_since is not None:
            if known.before and (time - known.away_since >= AWAY_SECONDS or known.moved):
                known.due = time + AWAY_SECONDS / 2
            known.away_since = None

    def _is_known(self, thing: Thing) -> bool:
        return thing.counted and thing.present and self._known[thing.identity].clear >= CLEAR_FRAMES

    # The map against the ground truth -----------------------------------------------------------------------------

    def _overlaps(
        self, frame: SequenceFrame, things: Sequence[Thing], clouds: Sequence[Float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """(T, O) IoU; (T, O) share of each object on each thing; (O,) share of it on surfaces that are ignored."""
        counted = {thing.identity for thing in things}
        others = [known.points for k, known in self._known.items() if k not in counted and self._vague(frame, k)]
        parts = [self._known[t.identity].points for t in things] + [*others, *self._stale]
        shape = (len(things), len(clouds))
        if not parts or not clouds:
            return np.zeros(shape), np.zeros(shape), np.zeros(len(clouds))
        true = np.concatenate(parts)
        owner = np.minimum(np.repeat(np.arange(len(parts)), [len(p) for p in parts]), len(things))
        predicted = np.concatenate(clouds)
        index = np.repeat(np.arange(len(clouds)), [len(c) for c in clouds])
        near, at = cKDTree(true).query(predicted, distance_upper_bound=self._near)
        hits = np.zeros((len(things) + 1, len(clouds)))
        np.add.at(hits, (owner[at[np.isfinite(near)]], index[np.isfinite(near)]), 1)
        precision = hits / np.maximum([len(c) for c in clouds], 1)
        near, at = cKDTree(predicted).query(true, distance_upper_bound=self._near)
        recall = np.zeros((len(things) + 1, len(clouds)))
        np.add.at(recall, (owner[np.isfinite(near)], index[at[np.isfinite(near)]]), 1)
        recall = recall[:-1] / np.maximum([[len(self._known[t.identity].points)] for t in things], 1).reshape(-1, 1)
        with np.errstate(divide="ignore"):
            iou = 1 / (1 / precision[:-1] + 1 / recall - 1)
        return iou, precision[:-1], precision[-1]

    def _vague(self, frame: SequenceFrame, identity: int) -> bool:
        """Whether a thing that is not required in the map is still allowed there: hardly seen, or a table top."""
        thing = frame.things[identity]
        return thing.category not in SURFACES and (thing.present or not thing.counted)

    def _count(
        self, frame: SequenceFrame, things: Sequence[Thing], ids: Sequence[int], iou: NDArray[np.float64],
        on_thing: NDArray[np.float64], ignored: NDArray[np.float64],
    ) -> None:  # fmt: skip
        c = self._counts
        pairs = _assigned(iou)
        free = set(range(len(ids))) - {o for _, o in pairs}
        best = on_thing.max(0) if len(things) else np.zeros(len(ids))
        c["true"] += len(things)
        c["predicted"] += len(pairs) + sum(ignored[o] <= max(0.5, best[o]) for o in free)
        mostly = [int(on_thing[:, o].argmax()) for o in range(len(ids)) if best[o] > 0.5]
        c["duplicates"] += len(mostly)
        c["known"] += len(set(mostly))
        c["ghosts"] += sum(on_thing[:, o].sum() + ignored[o] < 0.5 for o in range(len(ids)))
        found = {things[t].identity: ids[o] for t, o in pairs}
        for identity, i in found.items():
            known = self._known[identity]
            self._pairs[identity, i] += 1
            c["switches"] += known.matched not in (0, i)
            known.matched = i
        time = frame.stamp_ns / 1e9
        for identity, known in self._known.items():
            if known.due is not None and time >= known.due and frame.things[identity].counted:
                kind = "moved" if known.moved else "returned"
                c[kind] += 1
                c[f"{kind} hits"] += found.get(identity) == known.before
                known.due, known.moved = None, False

    def _identity_hits(self) -> int:
        """Object-frames that agree with the best one-to-one assignment of things to ids over the sequence (IDF1)."""
        rows = sorted({k for k, _ in self._pairs})
        columns = sorted({i for _, i in self._pairs})
        table = np.zeros((len(rows), len(columns)))
        for (k, i), n in self._pairs.items():
            table[rows.index(k), columns.index(i)] = n
        a, b = linear_sum_assignment(table, maximize=True)
        return int(table[a, b].sum())

    # Retrieval ----------------------------------------------------------------------------------------------------

    def _ask(
        self, frame: SequenceFrame, scene: Scene, snapshot: MapSnapshot, things: Sequence[Thing],
        objects: Sequence[int], on_thing: NDArray[np.float64],
    ) -> None:  # fmt: skip
        """Query the map and this frame alone for each known thing by its full name."""
        assert self._searcher is not None
        whole = snapshot.scene()
        mostly = on_thing.max(0, initial=0.0) > 0.5  # ghosts have no name
        names = {objects[o]: things[int(on_thing[:, o].argmax())].name for o in np.flatnonzero(mostly).tolist()}
        shown = {}
        for k in range(len(scene)):
            inside = frame.instance[scene.labels == k]
            inside = inside[inside >= 0]
            if len(inside):
                shown[k] = frame.things[int(np.bincount(inside).argmax())].name
        pixels = np.bincount(frame.instance[frame.instance >= 0], minlength=len(frame.things))
        for thing in things:
            in_view = pixels[thing.identity] >= CLEAR_SHARE * len(frame.instance)
            for kind, where, found in (("map", whole, names), ("frame", scene, shown)):
                matches = self._searcher.find(where, f"the {thing.name}", 1, 0.0)
                hit = bool(matches) and found.get(matches[0].index) == thing.name
                for name in (kind, f"{kind} in view") if in_view else (kind,):
                    self._counts[name] += 1
                    self._counts[f"{name} hits"] += hit


SURFACES = ("wall", "floor", "ceiling")


def _assigned(iou: NDArray[np.float64]) -> list[tuple[int, int]]:
    """One-to-one pairs with IoU > 0.5 and the largest sum of IoU."""
    rows, columns = linear_sum_assignment(np.where(iou > 0.5, iou, 0.0), maximize=True)
    return [(int(t), int(o)) for t, o in zip(rows, columns, strict=True) if iou[t, o] > 0.5]


def _as_overlap(iou: NDArray[np.float64], void: NDArray[np.float64], scores: NDArray[np.float64]) -> ScanOverlap:
    """Express (T, O) IoU as counts of points, as if all had the same size, for ``average_precision``."""
    size = 1_000_000
    shared = np.rint(2 * size * iou / (1 + iou)).astype(np.int64).T
    predicted, true = (np.full(n, size) for n in shared.shape)
    return ScanOverlap(shared, predicted, true, np.rint(size * void).astype(np.int64), scores)


def _thin(points: Float32) -> Float32:
    """The first point in each voxel of edge ``GRAIN``."""
    cells = np.floor(points / GRAIN).astype(np.int64) + (1 << 20)
    _, first = np.unique(cells[:, 0] << 42 | cells[:, 1] << 21 | cells[:, 2], return_index=True)
    return points[np.sort(first)]


def _unseen(points: Float32, frame: SequenceFrame) -> Float32:
    """The points except those that the frame sees through, see ``THROUGH``."""
    T = np.linalg.inv(frame.T_true)
    camera = frame.cloud.camera
    assert camera is not None  # a sequence's clouds have one
    local = (points @ T[:3, :3].T + T[:3, 3]).astype(np.float32)
    pixels = camera.project(local)
    inside = np.isfinite(pixels).all(1) & (pixels > -0.5).all(1)
    inside &= (pixels < [camera.width - 0.5, camera.height - 0.5]).all(1)
    through = np.zeros(len(points), bool)
    column, row = np.rint(pixels[inside]).astype(np.int64).T
    depth = frame.cloud.points[row * camera.width + column, 2]
    through[inside] = depth > local[inside, 2] + THROUGH
    return points[~through]
