"""A map of persistent objects: the instances of each cloud are fused into the objects seen in earlier clouds."""

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
"""Maximum seconds that one update counts for: a gap between clouds is no evidence of anything."""

MERGE_SHARE = 0.5
"""Two objects are merged once they were seen as one for this share of the seconds for which the lesser one was seen, or
for ``merge_seconds``; see ``MapConfig``."""

PUT_SHARE = 0.3
"""Share of ``split_seconds`` for which an object must be seen that appears on a surface and is so low that it might be
a piece of it."""

TENTATIVE_SECONDS = 10.0
"""A tentative object is dropped after being unseen for this long."""


class Searcher(Protocol):
    """The part of ``SegVec3D`` that a query needs."""

    def find(self, scene: Scene, text: str, top_k: int | None = None, min_similarity: float | None = None) -> Matches:
        """Find the objects of a scene that a text describes."""
        ...


class ObjectMap:
    """A map of objects that is updated with every cloud; other threads can safely read it meanwhile.

    ``update`` associates and fuses a cloud's instances and judges the objects that it did not see; ``snapshot`` returns
    the current objects; ``query`` searches them.

    Args:
        config: times, limits and thresholds.

    Attributes:
        frame: name of the map's frame, "" if not given; saved in the file.
        weights: fingerprint of the weights that embed the scenes, as in ``model.info["fingerprint"]``, "" if not given;
            saved in the file, because embeddings of different weights cannot be compared.
        next_id: id of the next new object; ids only increase.
    """

    def __init__(self, config: MapConfig | None = None) -> None:
        self.config = config or MapConfig()
        self.frame = self.weights = ""
        self._saved_weights = ""  # of the file that was loaded
        self.next_id = 1
        self._lock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        """Remove all objects; ids continue to increase, so that no old id names a new thing."""
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
        """Accept the next cloud with any stamp, because the latest was wrong. All objects count as seen before it."""
        with self._lock:
            self._stamp = None

    @property
    def made_with(self) -> str:
        """Fingerprint of the weights that embedded the objects: ``weights``, or else that of the loaded file."""
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
        """Associate the instances of a cloud with the map's objects, and fuse them.

        Args:
            scene: what ``SegVec3D.segment`` found in ``cloud``.
            cloud: N points. With a camera, or a camera's axes (``PointCloud.camera_axes``), objects that should be seen
                but are not are judged; otherwise not. The map's boxes stand along its ``up``, or else the scene's.
            T_map_camera: (4, 4) rigid, p_map = T_map_camera @ p_cloud.
            stamp_ns: nanoseconds, not before the latest.

        Returns:
            the id of each of ``scene.objects``; 0 for one of which no finite point was sampled.

        Raises:
            ValueError: a scene of another cloud, or with embeddings of another length than the map's or not finite; no
                rigid transform; or a stamp before the latest.
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
                # The stamps of objects from a file may be of another clock: these objects were seen before this cloud.
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
        """(3,) up in the map's own coordinates, along which boxes are fitted; z of the poses' frame while unknown."""
        up = self._up.direction
        return up if self._anchor is None else self._anchor.T[:3, :3].T @ up

    def _note_view(self, scene: Scene, cloud: PointCloud, T: NDArray[np.float64]) -> None:
        """Store this cloud's viewpoint and camera axes in the map's frame: left and right then refer to this view,
        whatever remembered objects surround it."""
        self._viewpoint = None if cloud.viewpoint is None else T[:3, :3] @ cloud.viewpoint + T[:3, 3]
        view = View.of_camera(scene)
        axes = np.eye(3) if cloud.camera is not None else None if view is None else view.axes()
        self._camera_axes = None if axes is None else T[:3, :3] @ axes

    # What was seen ------------------------------------------------------------------------------------------------

    def _fuse(
        self, entries: list[Entry], stack: Stack, matches: dict[int, int], sight: Sight, evidence: Evidence
    ) -> None:
        """Fuse each instance's points into its object, except those that lie in another object, and wear away voxels
        that are looked through or seen as another object."""
        if not matches:
            return
        confirmed = np.array([entry.state == "confirmed" for entry in entries] + [False])
        home = np.full(len(sight.scene) + 1, -1)  # entry matched to each instance; the last element is for no instance
        home[list(matches)] = list(matches.values())
        wear = looking.wear(
            evidence.seen, evidence.rows, evidence.starts, evidence.stride, home, confirmed, len(stack.names)
        )
        pure = looking.pure(evidence.first, evidence.second, sight.owner, home, confirmed)
        sizes, shown = stack.sizes.copy(), evidence.state[:, 1:].sum(1)
        moved = (shown > evidence.state[:, 0]) & (evidence.state[:, 2] > 0.6 * shown)
        pairs = np.array([(e, k) for k, e in matches.items()], np.int64)
        for e in pairs[moved[pairs[:, 0]], 0]:  # it has moved: keep only the voxels seen now
            wear[stack.starts[e] : stack.starts[e + 1]], sizes[e] = np.inf, self.config.voxel_size
        *parts, ends, reach = fusing.absorb(
            stack.names, stack.xyz, stack.weights, stack.colors, stack.starts, wear, sizes, pairs,
            sight.xyz, sight.colors, sight.bounds, pure, WEIGHT_CAP,
        )  # fmt: skip
        begins, edges = ends.tolist(), sizes.tolist()
        for f, e in enumerate(pairs[:, 0].tolist()):
            a, b = begins[f], begins[f + 1]
            if b > a:
                # Copies, because a slice would keep the voxels of all entries in memory.
                voxels = Voxels(edges[e], *(part[a:b].copy() for part in parts))
                voxels.limit(self.config.max_voxels)
                entries[e].voxels = voxels
                entries[e].measure((reach[f, 0], reach[f, 1]))

    # What was not seen --------------------------------------------------------------------------------------------

    def _judge_unseen(
        self, entries: list[Entry], stack: Stack, matches: dict[int, int], evidence: Evidence, seconds: float
    ) -> None:
        """Judge objects that no instance matched: an object that is looked through is ``missed``; one whose place is
        seen, but not mostly as part of another object, is ``doubted``; for others there is no evidence."""
        outside, hidden, through, seen = evidence.state.T
        shown = hidden + through + seen
        telling = (shown >= 0.3 * (shown + outside)) & (through + seen >= 0.25 * shown) & (shown > 0)
        telling[list(matches.values())] = False
        missed = telling & (through > 0.6 * (through + seen))
        # ``alike`` matters: a pen that was taken away is no part of the floor that is seen in its place.
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
        """Create a new entry for each unmatched instance; returns the entries by instance."""
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
        """Merge, confirm, drop and re-identify entries; returns the new id of each id that was replaced."""
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
        self._pairs.forget(recognised.keys())  # these objects continue under other ids
        names |= recognised
        self._bound()
        return names

    def _age(self, entry: Entry) -> None:
        """Update a state: confirmed once seen for long enough, gone once missed, doubted or unseen for too long."""
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
        """Merge pairs of objects that were seen as one for long enough; returns the kept id by the dropped one."""
        names: dict[int, int] = {}
        by_id: dict[int, Entry] = {}
        for pair, together in self._pairs.one():
            by_id = by_id or {entry.id: entry for entry in self._entries}
            a, b = (by_id[i] for i in pair)
            # An object that was hardly seen by itself needs just as little evidence of being a part.
            needed = min(self.config.merge_seconds, max(MERGE_SHARE * min(a.seen, b.seen), self.config.confirm_seconds))
            if together < needed or "gone" in (a.state, b.state):
                continue
            # Keep the confirmed or larger part, as which the thing was known, not a handle that was seen first.
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
        """The confirmed objects as they are now, sorted by id."""
        with self._lock:
            entries = sorted((e for e in self._entries if e.state == "confirmed"), key=lambda e: e.id)
            anchor = copy.deepcopy(self._anchor) or Anchor(np.zeros(3))
            own_up, up = self._own_up(), self._up.direction.astype(np.float32) if self._up.known else None
            objects = tuple(self._describe(entry, anchor, own_up) for entry in entries)
            voxels = tuple((e.voxels.xyz, e.voxels.colors) for e in entries)  # safe: never written to, only replaced
            viewpoint, axes = (
                None if values is None else values.astype(np.float32) for values in (self._viewpoint, self._camera_axes)
            )
            return MapSnapshot(objects, voxels, anchor, up, self._stamp or 0, viewpoint, axes)

    def first_seen(self) -> dict[int, int]:
        """When each object, confirmed or tentative, was first seen: nanoseconds by id."""
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
            model: the ``SegVec3D`` that embedded the objects.
            text, top_k, min_similarity: as for ``SegVec3D.find``.

        Returns:
            the matches, best first, and the snapshot that was searched: ``snapshot[match.index]`` is the object.
        """
        snapshot = self.snapshot()
        return model.find(snapshot.scene(), text, top_k, min_similarity), snapshot

    # The file -----------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> int:
        """Write the confirmed objects to a file, and create its folder. The file is replaced atomically.

        Returns:
            the number of objects.

        Raises:
            OSError: the file cannot be written.
        """
        saved = self.to_save()
        storage.write(Path(path), saved)
        return len(saved.entries)

    def to_save(self) -> storage.Saved:
        """A copy of the confirmed objects for writing, which later updates do not change."""
        with self._lock:
            entries = [copy.deepcopy(e) for e in self._entries if e.state == "confirmed"]
            anchor = self._anchor or Anchor(np.zeros(3))
            return storage.Saved(
                entries, self.next_id, anchor.origin.copy(), anchor.T.copy(), anchor.seconds,
                self._own_up().copy() if self._up.known else None, self.frame, self.made_with,
            )  # fmt: skip

    def load(self, path: str | Path, frame: str | None = None) -> int:
        """Replace the map by a saved one. Its objects all have the state "remembered", and the next cloud may have any
        stamp.

        Args:
            path: of the file. frame: name of the frame that the map must lie in; None accepts any.

        Returns:
            the number of objects.

        Raises:
            FileNotFoundError: no such file. ValueError: another kind of file, another version, a damaged one, or one
                of another frame or made with other weights; the map is then unchanged.
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
    """Follow replaced ids to the last one: a merged object may be re-identified in the same update."""
    while i in names:
        i = names[i]
    return i
