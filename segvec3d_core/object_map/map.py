"""Objects that persist: what each cloud shows is joined to what the clouds before it have shown."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..types import Box, Camera, Float32, Matches, PointCloud, Scene, SceneObject
from . import kernels, storage
from .alignment import correction
from .association import Evidence, Sight, checked, gather, match_by_look, match_by_space
from .config import MapConfig
from .entry import Entry, Voxels
from .snapshot import MapObject, MapSnapshot

LONGEST_STEP = 1.0
"""Seconds that one update counts for at most: a gap between clouds is no evidence of anything."""

APART_CAP = 8.0
"""Seconds that two objects' having been seen as two is remembered for."""

TENTATIVE_SECONDS = 10.0
"""How long something that was seen too briefly to be believed is waited for."""

REACH = 0.02
"""Metres between objects that touch, as far as a map can tell."""

MERGE_LOOK = 0.3
"""Least cosine of two objects that may be one: a mug in a bowl is seen within the bowl, too."""

LOST = 200
"""Objects that are gone of which the map remembers the look."""


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
    """

    def __init__(self, config: MapConfig | None = None) -> None:
        self.config = config or MapConfig()
        self.frame = ""
        self._lock = threading.RLock()
        self._next_id = 1
        self.clear()

    def clear(self) -> None:
        """Forget everything; ids go on counting, so that no old id names a new thing."""
        with self._lock:
            self._entries: list[Entry] = []
            self._lost: list[Entry] = []
            self._together: dict[tuple[int, int], float] = {}
            self._apart: dict[tuple[int, int], float] = {}
            self._origin, self._anchored = np.zeros(3), False
            self._up = np.array([0.0, 0.0, 1.0])
            self._viewpoint: NDArray[np.float64] | None = None
            self._colored = False
            self._stamp: int | None = None

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
            cloud: N points. With a camera, what should be seen and is not counts against it; without, nothing does.
                Its ``up`` is where the map's boxes stand; without one, the boxes of ``scene`` tell.
            T_map_camera: (4, 4) rigid, p_map = T_map_camera @ p_cloud.
            stamp_ns: nanoseconds, not before the latest.

        Returns:
            the id of each of ``scene.objects``.

        Raises:
            ValueError: a scene of another cloud or of another model, no rigid transform, or a stamp that goes back.
        """
        with self._lock:
            T = checked(scene, cloud, T_map_camera, [*self._entries[:1], *self._lost[:1]])
            if self._stamp is not None and stamp_ns < self._stamp:
                late = (self._stamp - stamp_ns) / 1e9
                raise ValueError(f"stamp_ns: expected {self._stamp} or later, got {stamp_ns}, {late:.3f} s before it")
            seconds = 0.0 if self._stamp is None else min((stamp_ns - self._stamp) / 1e9, LONGEST_STEP)
            if not self._anchored:
                self._origin, self._anchored = np.floor(T[:3, 3]), True
            self._stamp = stamp_ns
            self._note_up(scene, cloud, T)
            self._viewpoint = None if cloud.viewpoint is None else T[:3, :3] @ cloud.viewpoint + T[:3, 3]
            self._colored |= cloud.colors is not None
            T[:3, 3] -= self._origin
            return self._update(scene, cloud, T, stamp_ns, seconds)

    def _update(
        self, scene: Scene, cloud: PointCloud, T: NDArray[np.float64], stamp: int, seconds: float
    ) -> tuple[int, ...]:
        if cloud.camera is not None:
            candidates = self._in_view(cloud.camera, T)
            corrected = (
                correction(candidates, cloud, T, self.config.max_correction) if self.config.correct_pose else None
            )
            sight = Sight.of(scene, cloud, T if corrected is None else corrected)
        else:
            sight = Sight.of(scene, cloud, T)
            candidates = self._near(sight.xyz)
        evidence = gather(candidates, sight)
        matches = match_by_space(candidates, sight, evidence, self.config.min_overlap)
        self._compare(candidates, evidence, matches, seconds)
        self._fuse(candidates, matches, sight, evidence, stamp, seconds)
        self._judge_unseen(candidates, matches, evidence, seconds)
        ids = {k: candidates[e].id for k, e in matches.items()}
        ids |= self._welcome([k for k in range(len(scene)) if k not in matches], candidates, sight, evidence, stamp)
        ids = self._settle(ids, stamp)
        return tuple(ids[k] for k in range(len(scene)))

    def _note_up(self, scene: Scene, cloud: PointCloud, T: NDArray[np.float64]) -> None:
        if cloud.up is not None:
            self._up = T[:3, :3] @ cloud.up.astype(np.float64)
        elif scene.objects:  # the boxes of a frame without gravity stand on its largest surface
            self._up = T[:3, :3] @ scene.objects[0].box.rotation[:, 2].astype(np.float64)
        self._up /= np.linalg.norm(self._up)

    def _in_view(self, camera: Camera, T: NDArray[np.float64]) -> list[Entry]:
        """The entries before a camera at pose ``T``."""
        low, high = self._corners(self._entries)
        inverse, radii = np.linalg.inv(T), np.linalg.norm(high - low, axis=1) / 2
        local = (low + high) / 2 @ inverse[:3, :3].T + inverse[:3, 3]
        # The half angles of the picture, with the object's own radius added.
        across = max(camera.cx, camera.width - camera.cx) / camera.fx
        along = max(camera.cy, camera.height - camera.cy) / camera.fy
        depth = np.maximum(local[:, 2], 0.0)
        near = local[:, 2] + radii > 0
        near &= np.abs(local[:, 0]) <= across * depth + radii * np.hypot(1, across)
        near &= np.abs(local[:, 1]) <= along * depth + radii * np.hypot(1, along)
        return [entry for entry, take in zip(self._entries, near, strict=True) if take]

    def _near(self, xyz: Float32) -> list[Entry]:
        """The entries around the points of a cloud that has no camera."""
        if not len(xyz):
            return []
        low, high = self._corners(self._entries)
        near = ((high > xyz.min(0) - REACH) & (low < xyz.max(0) + REACH)).all(1)
        return [entry for entry, take in zip(self._entries, near, strict=True) if take]

    @staticmethod
    def _corners(entries: Sequence[Entry]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(E, 3) lower and upper corners."""
        low = np.array([entry.low for entry in entries], np.float64).reshape(-1, 3)
        return low, np.array([entry.high for entry in entries], np.float64).reshape(-1, 3)

    # What was seen ------------------------------------------------------------------------------------------------

    def _compare(self, entries: list[Entry], evidence: Evidence, matches: dict[int, int], seconds: float) -> None:
        """Note which objects were seen as one, and which as two."""
        taken = sorted(matches.values())
        # Of what lies under a cloth or a carton a little seems to be seen, as part of what covers it.
        mostly = (evidence.state[:, 3] > 0.5 * evidence.state[:, 1])[:, None] & (evidence.of_visible > 0.6)
        for k, e in matches.items():
            for other in np.flatnonzero(mostly[:, k]):
                if other == e or other in taken or entries[other].kind != entries[e].kind:
                    continue
                if entries[other].look() @ entries[e].look() >= MERGE_LOOK:
                    pair = _pair(entries[e], entries[other])
                    self._together[pair] = self._together.get(pair, 0.0) + seconds
        if len(taken) < 2:
            return
        low, high = self._corners([entries[e] for e in taken])
        low -= REACH
        touching = ((low[:, None] < high) & (low < high[:, None])).all(2)
        for i, j in np.argwhere(np.triu(touching, 1)):
            pair = _pair(entries[taken[i]], entries[taken[j]])
            self._apart[pair] = min(self._apart.get(pair, 0.0) + seconds, APART_CAP)

    def _fuse(
        self, entries: list[Entry], matches: dict[int, int], sight: Sight, evidence: Evidence,
        stamp: int, seconds: float,
    ) -> None:  # fmt: skip
        """Take each instance's points into its object, but not those that lie in another one, and wear away what is
        looked through or seen as another one."""
        confirmed = np.array([entry.state == "confirmed" for entry in entries] + [False])
        home = np.full(len(sight.scene) + 1, -1)  # the object that each instance is; the last is for no instance
        home[list(matches)] = list(matches.values())
        seen, owner = evidence.seen, np.repeat(np.arange(len(entries)), np.diff(evidence.starts))
        elsewhere = home[np.maximum(seen, -1)]
        wear = (seen == kernels.THROUGH) + np.float32(0.5) * (confirmed[elsewhere] & (elsewhere != owner))
        mine, first, second = home[sight.owner], evidence.first, evidence.second
        pure = ~(confirmed[first] & (first != mine) & (second != mine))
        for k, e in matches.items():
            entry, points = entries[e], sight.of_instance(k)
            outside, _, through, _ = evidence.state[e]
            shown = len(entry.voxels) - outside
            worn = wear[evidence.starts[e] : evidence.starts[e + 1]]
            if shown > outside and through > 0.6 * shown:
                entry.voxels = Voxels(self.config.voxel_size)  # it has been moved, and is where it is seen now
                worn = worn[:0]
            entry.add(sight.xyz[points], sight.colors[points], self.config.max_voxels, worn, pure[points])
            entry.sight(sight.scene.objects[k], stamp, seconds)

    # What was not seen --------------------------------------------------------------------------------------------

    def _judge_unseen(self, entries: list[Entry], matches: dict[int, int], evidence: Evidence, seconds: float) -> None:
        """Objects that no instance is: looked through, seen as nothing, as part of another, or not seen at all."""
        outside, hidden, through, seen = evidence.state.T
        shown = hidden + through + seen
        telling = (shown >= 0.3 * (shown + outside)) & (through + seen >= 0.25 * shown) & (shown > 0)
        telling[list(matches.values())] = False
        missed = telling & (through > 0.6 * (through + seen))
        part = evidence.votes[:, list(matches)].max(1, initial=0) > 0.5 * seen
        doubted = telling & ~missed & ~part & (seen > 0.3 * shown)
        for e in np.flatnonzero(missed):
            entries[e].missed += seconds
        for e in np.flatnonzero(doubted):
            entries[e].doubted += seconds

    def _welcome(
        self, unmatched: list[int], candidates: list[Entry], sight: Sight, evidence: Evidence, stamp: int
    ) -> dict[int, int]:
        """Instances that are no object of the map: ones that were lost and are back, else new ones."""
        if not unmatched:
            return {}
        voxels = {}
        for k in unmatched:
            mine = sight.of_instance(k)
            voxels[k] = Voxels(self.config.voxel_size)
            voxels[k].add(sight.xyz[mine], sight.colors[mine], self.config.max_voxels)
        ids = dict.fromkeys(unmatched, 0)
        fresh = []
        for k in [k for k in unmatched if len(voxels[k])]:
            thing = sight.scene.objects[k]
            entry = Entry(self._next_id, thing.kind, voxels[k], np.zeros_like(thing.embedding), stamp, stamp)
            self._next_id += 1
            entry.sight(thing, stamp, 0.0)
            entry.measure()
            if len(candidates):
                host = int(evidence.of_instance[:, k].argmax())
                entry.inside = candidates[host].id if evidence.of_instance[host, k] > 0.6 else 0
            fresh.append(entry)
            ids[k] = entry.id
        self._entries += fresh
        return ids

    # Life ---------------------------------------------------------------------------------------------------------

    def _settle(self, ids: dict[int, int], stamp: int) -> dict[int, int]:
        """Merge, confirm, forget, and give back the ids of what was lost; returns ids as they are now."""
        names = self._merge()
        for entry in self._entries:
            self._age(entry, stamp)
        self._lost += [entry for entry in self._entries if entry.state == "gone" and entry.seen > 0 and entry.missed]
        self._entries = [entry for entry in self._entries if entry.state != "gone"]
        names |= self._recognise(stamp)
        self._bound()
        return {k: _last_name(i, names) for k, i in ids.items()}

    def _age(self, entry: Entry, stamp: int) -> None:
        """Tentative, confirmed, gone."""
        config = self.config
        needed = config.split_seconds if entry.inside else config.confirm_seconds
        if entry.state == "tentative" and entry.seen >= needed:
            entry.state = "confirmed"
        known = entry.state == "confirmed"
        unseen = (stamp - entry.last_seen) / 1e9
        doubt = config.doubt_seconds + 0.5 * min(entry.seen, 10.0) if known else config.confirm_seconds
        if (
            entry.missed > (config.gone_seconds if known else 0.0)
            or entry.doubted > doubt
            or unseen > (config.remember_seconds if known else TENTATIVE_SECONDS)
        ):
            entry.state = "gone"

    def _recognise(self, stamp: int) -> dict[int, int]:
        """New objects that look like lost ones are those: they take over id and history. Returns old id by new."""
        config, names = self.config, dict[int, int]()
        self._lost = [e for e in self._lost if (stamp - e.last_seen) / 1e9 <= config.reidentify_seconds][-LOST:]
        lost = [e for e in self._lost if e.kind == "object"]
        new = [e for e in self._entries if e.kind == "object" and e.state == "confirmed" and not e.recognised]
        if not lost or not new:
            return names
        looks, others = (np.stack([entry.look() for entry in group]) for group in (lost, new))
        # What was there while the other was is another: two cans are two cans.
        later = np.array([e.first_seen for e in new]) > np.array([e.last_seen for e in lost])[:, None]
        similarity = np.where(later, looks @ others.T, -2.0)
        for a, b in match_by_look(
            similarity, [e.box(self._up) for e in lost], [e.box(self._up) for e in new], config.reidentify_similarity
        ):
            names[new[b].id] = lost[a].id
            new[b].continue_(lost[a])
            self._lost.remove(lost[a])
        return names

    def _merge(self) -> dict[int, int]:
        """Make one of two that were seen as one for long enough; returns the id that stays by the one that goes."""
        names = {}
        by_id = {entry.id: entry for entry in self._entries}
        for pair, together in list(self._together.items()):
            a, b = by_id.get(pair[0]), by_id.get(pair[1])
            if a is None or b is None:
                del self._together[pair]
                self._apart.pop(pair, None)
            elif together >= self.config.merge_seconds and together > self._apart.get(pair, 0.0):
                del self._together[pair]
                keep, drop = (a, b) if (a.state == "confirmed", b.id) > (b.state == "confirmed", a.id) else (b, a)
                keep.voxels.add(drop.voxels.xyz, drop.voxels.colors, self.config.max_voxels)
                keep.measure()
                keep.continue_(drop, keep.id)
                drop.state = "gone"
                names[drop.id] = keep.id
                by_id.pop(drop.id)
        self._entries = [entry for entry in self._entries if entry.state != "gone"]
        self._apart = {pair: t for pair, t in self._apart.items() if pair[0] in by_id and pair[1] in by_id}
        return names

    def _bound(self) -> None:
        """With too many objects, forget those unseen for longest, tentative ones first."""
        excess = len(self._entries) - self.config.max_objects
        if excess > 0:
            order = sorted(self._entries, key=lambda e: (e.state == "confirmed", e.last_seen))
            dropped = {entry.id for entry in order[:excess]}
            self._entries = [entry for entry in self._entries if entry.id not in dropped]

    # What there is ------------------------------------------------------------------------------------------------

    def snapshot(self) -> MapSnapshot:
        """The objects as they are now, by id."""
        with self._lock:
            entries = sorted((e for e in self._entries if e.state == "confirmed"), key=lambda e: e.id)
            objects = tuple(self._describe(entry) for entry in entries)
            clouds = tuple(((e.voxels.xyz + self._origin).astype(np.float32), e.voxels.colors) for e in entries)
            viewpoint = None if self._viewpoint is None else self._viewpoint.astype(np.float32)
            return MapSnapshot(objects, clouds, self._up.astype(np.float32), self._stamp or 0, viewpoint)

    def first_seen(self) -> dict[int, int]:
        """When each object, told of or not yet, was first seen: nanoseconds by id."""
        with self._lock:
            return {entry.id: entry.first_seen for entry in self._entries}

    def _describe(self, entry: Entry) -> MapObject:
        box, (centroid, color) = entry.box(self._up), entry.middle()
        thing = SceneObject(
            entry.kind,
            entry.score,
            Box((box.center + self._origin).astype(np.float32), box.rotation, box.size),
            (centroid + self._origin).astype(np.float32),
            entry.look(),
            color if self._colored else None,
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
        with self._lock:
            entries = [copy.deepcopy(e) for e in self._entries if e.state == "confirmed"]
            place = self._origin.copy(), self._up.copy()
            saved = storage.Saved(entries, self._next_id, *place, self._stamp, self.frame, self._colored)
        storage.write(Path(path), saved)
        return len(entries)

    def load(self, path: str | Path, frame: str | None = None) -> int:
        """Replace the map by a saved one; everything in it is remembered, and clouds of any time may follow.

        Args:
            path: of the file. frame: name of the frame that the map must lie in; None takes any.

        Returns:
            the number of objects.

        Raises:
            FileNotFoundError: no such file. ValueError: another kind of file, another version, a damaged one, or one
                of another frame; the map is then what it was.
        """
        saved = storage.read(Path(path))
        if frame is not None and saved.frame != frame:
            raise ValueError(f"{path}: expected a map in frame {frame!r}, got one in {saved.frame!r}")
        with self._lock:
            self.clear()
            self._entries, self._origin, self._up = saved.entries, saved.origin, saved.up
            self.frame, self._colored = saved.frame, saved.colored
            self._next_id = max(self._next_id, saved.next_id)
            self._anchored = True
            for entry in self._entries:
                entry.measure()
        return len(saved.entries)


def _pair(a: Entry, b: Entry) -> tuple[int, int]:
    return (a.id, b.id) if a.id < b.id else (b.id, a.id)


def _last_name(i: int, names: Mapping[int, int]) -> int:
    """Where a chain of new names by old ones ends: what was merged may at once be recognised."""
    while i in names:
        i = names[i]
    return i
