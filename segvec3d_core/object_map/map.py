"""Objects that persist: what each cloud shows is joined to what the clouds before it have shown."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..relations import View
from ..types import OPTICAL_AXES, Box, Matches, PointCloud, Scene, SceneObject
from . import fusing, looking, storage
from .alignment import correction
from .anchor import Anchor
from .association import Evidence, Sight, checked, gather, match_by_space
from .candidates import in_view, near
from .config import MapConfig
from .entry import WEIGHT_CAP, Entry, Stack, Voxels
from .lost import Lost
from .pairs import Pairs
from .picture import pictured
from .snapshot import MapObject, MapSnapshot
from .up import Up

LONGEST_STEP = 1.0
"""Seconds that one update counts for at most: a gap between clouds is no evidence of anything."""

MERGE_SHARE = 0.5
"""Seconds seen as one, of each second of the lesser one's life, that merge two objects."""

PUT_SHARE = 0.3
"""Of ``split_seconds``: how long an object must be seen that appears on a surface, low enough to be a piece of it."""

TENTATIVE_SECONDS = 10.0
"""How long something that was seen too briefly to be believed is waited for."""


class Searcher(Protocol):
    """``SegVec3D``, as far as a query needs it."""

    def find(self, scene: Scene, text: str, top_k: int | None = None, min_similarity: float | None = None) -> Matches:
        """The objects of a scene that a text describes."""
        ...


class ObjectMap:
    """A map of objects that grows with every cloud; safe to read from other threads while it is updated.

    ``update`` associates, fuses, and judges what it did not see; ``snapshot`` is what there is; ``query`` searches it.

    Args:
        config: times, limits and thresholds.

    Attributes:
        frame: name of the map's frame, "" where nobody gave one; kept in the file.
        weights: which weights embed what comes, as ``model.info["fingerprint"]``, "" where nobody told; kept in the
            file, too, as the embeddings of others cannot be compared to these.
        next_id: of the next new object; they only grow.
    """

    def __init__(self, config: MapConfig | None = None) -> None:
        self.config = config or MapConfig()
        self.frame = self.weights = ""
        self._saved_weights = ""  # of the file that was loaded
        self.next_id = 1
        self._lock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        """Forget everything; ids go on counting, so that no old id names a new thing."""
        with self._lock:
            self._entries: list[Entry] = []
            self._lost, self._pairs, self._turn = Lost(), Pairs(), 0
            self._anchor: Anchor | None = None
            self._up = Up()
            self._viewpoint: NDArray[np.float64] | None = None
            self._camera_axes: NDArray[np.float64] | None = None
            self._saved_weights = ""
            self._stamp: int | None = None

    def forget_time(self) -> None:
        """Take the next cloud whatever its stamp: the latest one's was wrong. What is there was seen before."""
        with self._lock:
            self._stamp = None

    @property
    def made_with(self) -> str:
        """Which weights embed the objects: ``weights``, or those that the file told of which the map was loaded."""
        return self.weights or self._saved_weights

    @property
    def stamp_ns(self) -> int | None:
        """Stamp of the latest cloud, None before the first."""
        return self._stamp

    def __len__(self) -> int:
        return sum(entry.state == "confirmed" for entry in self._entries)

    # One cloud ----------------------------------------------------------------------------------------------------

    def update(
        self, scene: Scene, cloud: PointCloud, T_map_camera: NDArray[np.float64], stamp_ns: int
    ) -> tuple[int, ...]:
        """Join the instances of a cloud to the map.

        Args:
            scene: what ``SegVec3D.segment`` found in ``cloud``.
            cloud: N points. With a camera, or with axes of one (``PointCloud.camera_axes``), what should be seen and
                is not counts against it; else nothing does. Its ``up``, or else the scene's, is where the map's boxes
                stand.
            T_map_camera: (4, 4) rigid, p_map = T_map_camera @ p_cloud.
            stamp_ns: nanoseconds, not before the latest.

        Returns:
            the id of each of ``scene.objects``.

        Raises:
            ValueError: a scene of another cloud or of another model or with embeddings that are not finite, no rigid
                transform, or a stamp that goes back.
        """
        turn = OPTICAL_AXES
        if len(scene.labels) == len(cloud):
            scene, cloud, turn = pictured(scene, cloud)
        with self._lock:
            T = checked(scene, cloud, T_map_camera, [*self._entries[:1], *self._lost.entries[:1]])
            T[:3, :3] = T[:3, :3] @ turn
            if self._stamp is not None and stamp_ns < self._stamp:
                late = (self._stamp - stamp_ns) / 1e9
                raise ValueError(f"stamp_ns: expected {self._stamp} or later, got {stamp_ns}, {late:.3f} s before it")
            seconds = 0.0 if self._stamp is None else min((stamp_ns - self._stamp) / 1e9, LONGEST_STEP)
            anchor = self._anchor = self._anchor or Anchor(np.floor(T[:3, 3]))
            if self._stamp is None:
                # Of a file, perhaps by another clock: they were seen before.
                for entry in (*self._entries, *self._lost.entries):
                    entry.last_seen = min(entry.last_seen, stamp_ns - 1)
                    entry.first_seen = min(entry.first_seen, entry.last_seen)
            self._stamp = stamp_ns
            self._note_view(scene, cloud, T)
            return self._update(scene, cloud, T, anchor, stamp_ns, seconds)

    def _update(
        self, scene: Scene, cloud: PointCloud, told: NDArray[np.float64], anchor: Anchor, stamp: int, seconds: float
    ) -> tuple[int, ...]:
        T = anchor.own(told)
        for entry in self._entries:
            entry.unseen_for += seconds
        self._up.note(scene.up, cloud.up, told, seconds)
        if cloud.camera is not None:
            candidates = in_view(self._entries, cloud.camera, T)
            stack = Stack.of(candidates)
            if self.config.correct_pose:
                corrected = correction(stack, cloud, anchor.near(told), self.config.max_correction)
                if corrected is not None:
                    fitted, T = corrected
                    anchor.note(told, fitted, seconds)
            sight = Sight.of(scene, cloud, T)
        else:
            sight = Sight.of(scene, cloud, T)
            candidates = near(self._entries, sight.xyz)
            stack = Stack.of(candidates)
        self._turn += 1
        evidence = gather(stack, sight, self._turn)
        matches = match_by_space(stack, sight, evidence, self.config.min_overlap)
        self._pairs.note(stack, evidence, matches, scene.affinity, seconds, self.config.merge_seconds)
        self._fuse(candidates, stack, matches, sight, evidence)
        for k, e in matches.items():
            candidates[e].sight(scene.objects[k], stamp, seconds, bool(sight.cut[k]))
        self._judge_unseen(candidates, stack, matches, evidence, seconds)
        ids = {k: candidates[e].id for k, e in matches.items()}
        fresh = self._welcome([k for k in range(len(scene)) if k not in matches], candidates, sight, evidence, stamp)
        names = self._settle([*candidates, *fresh.values()], seconds)
        ids |= {k: entry.id for k, entry in fresh.items()}
        return tuple(_last_name(ids.get(k, 0), names) for k in range(len(scene)))

    def _own_up(self) -> NDArray[np.float64]:
        """(3,) up in the map's own coordinates, in which boxes are drawn; z of the poses' frame before any is known."""
        up = self._up.direction
        return up if self._anchor is None else self._anchor.T[:3, :3].T @ up

    def _note_view(self, scene: Scene, cloud: PointCloud, T: NDArray[np.float64]) -> None:
        """Where from, and which way, this cloud was seen: what is remembered must not turn left and right round."""
        self._viewpoint = None if cloud.viewpoint is None else T[:3, :3] @ cloud.viewpoint + T[:3, 3]
        view = View.of_camera(scene)
        axes = np.eye(3) if cloud.camera is not None else None if view is None else view.axes()
        self._camera_axes = None if axes is None else T[:3, :3] @ axes

    # What was seen ------------------------------------------------------------------------------------------------

    def _fuse(
        self, entries: list[Entry], stack: Stack, matches: dict[int, int], sight: Sight, evidence: Evidence
    ) -> None:
        """Take each instance's points into its object, but not those that lie in another one, and wear away what is
        looked through or seen as another one."""
        if not matches:
            return
        confirmed = np.array([entry.state == "confirmed" for entry in entries] + [False])
        home = np.full(len(sight.scene) + 1, -1)  # the object that each instance is; the last is for no instance
        home[list(matches)] = list(matches.values())
        wear = looking.wear(
            evidence.seen, evidence.rows, evidence.starts, evidence.stride, home, confirmed, len(stack.names)
        )
        pure = looking.pure(evidence.first, evidence.second, sight.owner, home, confirmed)
        sizes, shown = stack.sizes.copy(), evidence.state[:, 1:].sum(1)
        moved = (shown > evidence.state[:, 0]) & (evidence.state[:, 2] > 0.6 * shown)
        pairs = np.array([(e, k) for k, e in matches.items()], np.int64)
        for e in pairs[moved[pairs[:, 0]], 0]:  # it is where it is seen now
            wear[stack.starts[e] : stack.starts[e + 1]], sizes[e] = np.inf, self.config.voxel_size
        *parts, ends, reach = fusing.absorb(
            stack.names, stack.xyz, stack.weights, stack.colors, stack.starts, wear, sizes, pairs,
            sight.xyz, sight.colors, sight.bounds, pure, WEIGHT_CAP,
        )  # fmt: skip
        begins, edges = ends.tolist(), sizes.tolist()
        for f, e in enumerate(pairs[:, 0].tolist()):
            a, b = begins[f], begins[f + 1]
            if b > a:
                # Copies: a slice would keep all the others' voxels in memory.
                voxels = Voxels(edges[e], *(part[a:b].copy() for part in parts))
                voxels.limit(self.config.max_voxels)
                entries[e].voxels = voxels
                entries[e].measure((reach[f, 0], reach[f, 1]))

    # What was not seen --------------------------------------------------------------------------------------------

    def _judge_unseen(
        self, entries: list[Entry], stack: Stack, matches: dict[int, int], evidence: Evidence, seconds: float
    ) -> None:
        """Objects that no instance is: looked through, seen as nothing, as part of another, or not seen at all."""
        outside, hidden, through, seen = evidence.state.T
        shown = hidden + through + seen
        telling = (shown >= 0.3 * (shown + outside)) & (through + seen >= 0.25 * shown) & (shown > 0)
        telling[list(matches.values())] = False
        missed = telling & (through > 0.6 * (through + seen))
        # A pen that was taken away is no part of the floor that is seen in its place.
        whole = evidence.votes[:, list(matches)] * stack.alike[:, list(matches.values())]
        part = whole.max(1, initial=0) > 0.5 * seen
        doubted = telling & ~missed & ~part & (seen > 0.3 * shown)
        for e in np.flatnonzero(missed):
            entries[e].missed += seconds
        for e in np.flatnonzero(doubted):
            entries[e].doubted += seconds

    def _welcome(
        self, unmatched: list[int], candidates: list[Entry], sight: Sight, evidence: Evidence, stamp: int
    ) -> dict[int, Entry]:
        """Instances that are no object of the map become new entries."""
        fresh = {}
        for k in unmatched:
            mine, thing = sight.of_instance(k), sight.scene.objects[k]
            voxels = Voxels(self.config.voxel_size)
            voxels.add(sight.xyz[mine], sight.colors[mine], self.config.max_voxels)
            if not len(voxels):
                continue
            entry = Entry(self.next_id, thing.kind, voxels, np.zeros_like(thing.embedding), stamp, stamp)
            self.next_id += 1
            entry.sight(thing, stamp, 0.0, bool(sight.cut[k]))
            entry.measure()
            if len(candidates):
                host = int(evidence.of_instance[:, k].argmax())
                if evidence.of_instance[host, k] > 0.6:
                    entry.inside = candidates[host].kind if thing.kind == "object" else "object"
            fresh[k] = entry
        self._entries += fresh.values()
        return fresh

    # Life ---------------------------------------------------------------------------------------------------------

    def _settle(self, looked_at: list[Entry], seconds: float) -> dict[int, int]:
        """Merge, confirm, forget, and give back the ids of what was lost; returns the ids that take others' places."""
        names = self._merge()
        known = {entry.id for entry in self._entries if entry.state == "confirmed"}
        forgetful = np.isfinite(self.config.remember_seconds)
        for entry in self._entries if forgetful else looked_at:
            self._age(entry)
        if not forgetful:
            for entry in self._entries:
                if entry.state == "tentative" and entry.unseen_for > 0:
                    self._age(entry)
        gone = [entry for entry in self._entries if entry.state == "gone"]
        if gone:
            self._entries = [entry for entry in self._entries if entry.state != "gone"]
            self._pairs.forget({entry.id for entry in gone})
            self._lost.add([entry for entry in gone if entry.id in known and entry.missed], self._own_up())
        recognised = self._lost.recognise(self._entries, self.config, seconds, self._own_up())
        self._pairs.forget(recognised.keys())  # they go on under other ids
        names |= recognised
        self._bound()
        return names

    def _age(self, entry: Entry) -> None:
        """Tentative, confirmed, gone."""
        config = self.config
        split = config.split_seconds
        needed = {None: config.confirm_seconds, "object": split, "surface": PUT_SHARE * split}[entry.inside]
        if entry.state == "tentative" and entry.seen >= needed:
            entry.state = "confirmed"
        known = entry.state == "confirmed"
        doubt = config.doubt_seconds + 0.5 * min(entry.seen, 10.0) if known else config.confirm_seconds
        if (
            entry.missed > (config.gone_seconds if known else 0.0)
            or entry.doubted > doubt
            or entry.unseen_for > (config.remember_seconds if known else TENTATIVE_SECONDS)
        ):
            entry.state = "gone"

    def _merge(self) -> dict[int, int]:
        """Make one of two that were seen as one for long enough; returns the id that stays by the one that goes."""
        names: dict[int, int] = {}
        by_id: dict[int, Entry] = {}
        for pair, together in self._pairs.one():
            by_id = by_id or {entry.id: entry for entry in self._entries}
            a, b = (by_id[i] for i in pair)
            # What has hardly been seen by itself needs as little to be seen as a part.
            needed = min(self.config.merge_seconds, max(MERGE_SHARE * min(a.seen, b.seen), self.config.confirm_seconds))
            if together < needed or "gone" in (a.state, b.state):
                continue
            # The larger part is what the thing was known as, not a handle that was seen first.
            keep, drop = (a, b) if (a.state == "confirmed", a.area) >= (b.state == "confirmed", b.area) else (b, a)
            keep.voxels.add(drop.voxels.xyz, drop.voxels.colors, self.config.max_voxels)
            keep.measure()
            keep.continue_(drop, keep.id)
            drop.state = "gone"
            names[drop.id] = keep.id
        return names

    def _bound(self) -> None:
        """With too many objects, forget those unseen for longest, tentative ones first."""
        excess = len(self._entries) - self.config.max_objects
        if excess > 0:
            order = sorted(self._entries, key=lambda e: (e.state == "confirmed", e.last_seen))
            dropped = {entry.id for entry in order[:excess]}
            self._entries = [entry for entry in self._entries if entry.id not in dropped]
            self._pairs.forget(dropped)

    # What there is ------------------------------------------------------------------------------------------------

    def snapshot(self) -> MapSnapshot:
        """The objects as they are now, by id."""
        with self._lock:
            entries = sorted((e for e in self._entries if e.state == "confirmed"), key=lambda e: e.id)
            anchor = copy.deepcopy(self._anchor) or Anchor(np.zeros(3))
            own_up, up = self._own_up(), self._up.direction.astype(np.float32) if self._up.known else None
            objects = tuple(self._describe(entry, anchor, own_up) for entry in entries)
            voxels = tuple((e.voxels.xyz, e.voxels.colors) for e in entries)  # never written to, but replaced
            viewpoint, axes = (
                None if values is None else values.astype(np.float32) for values in (self._viewpoint, self._camera_axes)
            )
            return MapSnapshot(objects, voxels, anchor, up, self._stamp or 0, viewpoint, axes)

    def first_seen(self) -> dict[int, int]:
        """When each object, told of or not yet, was first seen: nanoseconds by id."""
        with self._lock:
            return {entry.id: entry.first_seen for entry in self._entries}

    def _describe(self, entry: Entry, anchor: Anchor, own_up: NDArray[np.float64]) -> MapObject:
        box, (centroid, color) = entry.box(own_up), entry.middle()
        thing = SceneObject(
            entry.kind,
            entry.score,
            Box(anchor.place(box.center), anchor.turn(box.rotation), box.size),
            anchor.place(centroid),
            entry.look(),
            color,
            len(entry.voxels),
        )
        state: Literal["visible", "remembered"] = "visible" if entry.last_seen == self._stamp else "remembered"
        return MapObject(entry.id, state, thing, entry.first_seen, entry.last_seen, entry.sightings)

    def query(
        self, model: Searcher, text: str, top_k: int | None = None, min_similarity: float | None = None
    ) -> tuple[Matches, MapSnapshot]:
        """Search the map for what a text describes, remembered objects included.

        Args:
            model: what embedded the objects, a ``SegVec3D``.
            text, top_k, min_similarity: as for ``SegVec3D.find``.

        Returns:
            the matches, best first, and the snapshot that was searched: ``snapshot[match.index]`` is the object.
        """
        snapshot = self.snapshot()
        return model.find(snapshot.scene(), text, top_k, min_similarity), snapshot

    # The file -----------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> int:
        """Write the confirmed objects to a file, which at any time is the old or the new one, and make its folder.

        Returns:
            the number of objects.

        Raises:
            OSError: it cannot be written.
        """
        saved = self.to_save()
        storage.write(Path(path), saved)
        return len(saved.entries)

    def to_save(self) -> storage.Saved:
        """A copy of the confirmed objects, to be written whatever becomes of the map meanwhile."""
        with self._lock:
            entries = [copy.deepcopy(e) for e in self._entries if e.state == "confirmed"]
            anchor = self._anchor or Anchor(np.zeros(3))
            return storage.Saved(
                entries, self.next_id, anchor.origin.copy(), anchor.T.copy(), anchor.seconds,
                self._own_up().copy() if self._up.known else None, self.frame, self.made_with,
            )  # fmt: skip

    def load(self, path: str | Path, frame: str | None = None) -> int:
        """Replace the map by a saved one; everything in it is remembered, and clouds of any time may follow.

        Args:
            path: of the file. frame: name of the frame that the map must lie in; None takes any.

        Returns:
            the number of objects.

        Raises:
            FileNotFoundError: no such file. ValueError: another kind of file, another version, a damaged one, or one
                of another frame or made with other weights; the map is then what it was.
        """
        saved = storage.read(Path(path))
        if frame is not None and saved.frame != frame:
            raise ValueError(f"{path}: expected a map in frame {frame!r}, got one in {saved.frame!r}")
        if self.weights and saved.weights not in ("", self.weights):
            made = f"made with the weights {self.weights!r}, got one made with {saved.weights!r}"
            raise ValueError(f"{path}: expected a map {made}: what they embed cannot be compared")
        with self._lock:
            self.clear()
            self._entries, self._anchor = saved.entries, Anchor(saved.origin, saved.anchor, saved.anchored)
            if saved.up is not None:
                self._up = Up.told(self._anchor.T[:3, :3] @ saved.up)
            self.frame, self._saved_weights = saved.frame, saved.weights
            self.next_id = max(self.next_id, saved.next_id)
            for entry in self._entries:
                entry.measure()
        return len(saved.entries)


def _last_name(i: int, names: Mapping[int, int]) -> int:
    """Where a chain of new names by old ones ends: what was merged may at once be recognised."""
    while i in names:
        i = names[i]
    return i
