"""Objects that persist: what each cloud shows is joined to what the clouds before it have shown."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..types import Box, Float32, Matches, PointCloud, Scene, SceneObject
from . import kernels, storage
from .alignment import correction
from .association import Evidence, Sight, gather, match_by_look, match_by_space
from .config import MapConfig
from .entry import Entry, Voxels

LONGEST_STEP = 1.0
"""Seconds that one update counts for at most: a gap between clouds is no evidence of anything."""

APART_CAP = 8.0
"""Seconds that two objects' having been seen as two is remembered for."""

TENTATIVE_SECONDS = 10.0
"""How long something that was seen too briefly to be believed is waited for."""

LOST = 200
"""Objects that are gone of which the map remembers the look."""


class Searcher(Protocol):
    """``SegVec3D``, as far as a query needs it."""

    def find(self, scene: Scene, text: str, top_k: int | None = None, min_similarity: float | None = None) -> Matches:
        """The objects of a scene that a text describes."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class MapObject:
    """One object of the map, as it stood after an update.

    Attributes:
        id: the same as long as the thing is known, never used again.
        state: "visible" in the latest cloud, "remembered" from before.
        object: kind, score, box, centroid, embedding, colour and number of points, in the map's frame.
        first_seen, last_seen: nanoseconds.
        sightings: number of clouds that showed it.
    """

    id: int
    state: Literal["visible", "remembered"]
    object: SceneObject
    first_seen: int
    last_seen: int
    sightings: int


@dataclass(frozen=True, slots=True, eq=False)
class MapSnapshot(Sequence[MapObject]):
    """The map after an update; later updates do not change it.

    Attributes:
        objects: those that have been seen long enough, by id.
        clouds: their points, (n, 3) float32 metres in the map's frame, and (n, 3) uint8 colours.
        up: (3,) direction against gravity in the map's frame.
        stamp_ns: of the latest cloud.
    """

    objects: tuple[MapObject, ...]
    clouds: tuple[tuple[Float32, NDArray[np.uint8]], ...]
    up: Float32
    stamp_ns: int

    def __len__(self) -> int:
        return len(self.objects)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # as Sequence has it
        return self.objects[index]

    def __iter__(self) -> Iterator[MapObject]:
        return iter(self.objects)

    def cloud(self) -> PointCloud:
        """All objects' points in the map's frame, one object after the other."""
        if not self.clouds:
            return PointCloud(np.empty((0, 3), np.float32), np.empty((0, 3), np.uint8), up=self.up)
        points, colors = zip(*self.clouds, strict=True)
        return PointCloud(np.concatenate(points), np.concatenate(colors), up=self.up)

    def scene(self) -> Scene:
        """The map as one scene: ``scene.objects[k]`` is ``objects[k].object``, labels are those of ``cloud()``."""
        labels = np.repeat(np.arange(len(self), dtype=np.int32), [len(points) for points, _ in self.clouds])
        return Scene(labels, tuple(thing.object for thing in self.objects))


class ObjectMap:
    """A map of objects that grows with every cloud; safe to read from other threads while it is updated.

    ``update`` associates, fuses, and judges what it did not see; ``snapshot`` is what there is; ``query`` searches it.

    Args:
        config: times, limits and thresholds.
    """

    def __init__(self, config: MapConfig | None = None) -> None:
        self.config = config or MapConfig()
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
            ValueError: a scene of another cloud, no rigid transform, or a stamp that goes back.
        """
        T = _checked(scene, cloud, T_map_camera)
        with self._lock:
            if self._stamp is not None and stamp_ns < self._stamp:
                late = (self._stamp - stamp_ns) / 1e9
                raise ValueError(f"stamp_ns: expected {self._stamp} or later, got {stamp_ns}, {late:.3f} s before it")
            seconds = 0.0 if self._stamp is None else min((stamp_ns - self._stamp) / 1e9, LONGEST_STEP)
            if not self._anchored:
                self._origin, self._anchored = np.floor(T[:3, 3]), True
            self._stamp = stamp_ns
            self._note_up(scene, cloud, T)
            T[:3, 3] -= self._origin
            return self._update(scene, cloud, T, stamp_ns, seconds)

    def _update(
        self, scene: Scene, cloud: PointCloud, T: NDArray[np.float64], stamp: int, seconds: float
    ) -> tuple[int, ...]:
        sight = Sight.of(scene, cloud, T)
        candidates = self._within_reach(sight)
        if self.config.correct_pose:
            corrected = correction(candidates, cloud, T, self.config.max_correction)
            sight = sight if corrected is None else sight.moved(corrected)
        evidence = gather(candidates, sight)
        matches = match_by_space(candidates, sight, evidence, self.config.min_overlap)
        self._compare(candidates, evidence, matches, seconds)
        homes = np.full(len(scene) + 1, -1)  # the confirmed object that each instance is; the last entry is for -1
        for k, e in matches.items():
            homes[k] = e if candidates[e].state == "confirmed" else -1
        for k, e in matches.items():
            self._fuse(candidates, e, k, sight, evidence, homes, stamp, seconds)
        unmatched = [e for e in range(len(candidates)) if e not in set(matches.values())]
        for e in unmatched:
            self._judge_unseen(candidates, e, evidence, matches, seconds)
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

    def _within_reach(self, sight: Sight) -> list[Entry]:
        """The entries that the cloud may say something of: near its points, or before its camera."""
        if not self._entries:
            return []
        centers = np.array([_box(entry).center for entry in self._entries], np.float64)
        radii = np.array([np.linalg.norm(_box(entry).size) / 2 for entry in self._entries])
        camera = sight.cloud.camera
        if camera is None:
            if not len(sight.xyz):
                return []
            low, high = sight.xyz.min(0), sight.xyz.max(0)
            near = ((centers + radii[:, None] > low) & (centers - radii[:, None] < high)).all(1)
        else:
            T = np.linalg.inv(sight.T)
            local = centers @ T[:3, :3].T + T[:3, 3]
            z = np.maximum(local[:, 2], 0.05)
            # The half angles of the picture, with the object's own radius added.
            across = np.maximum(camera.cx, camera.width - camera.cx) / camera.fx
            along = np.maximum(camera.cy, camera.height - camera.cy) / camera.fy
            near = (local[:, 2] + radii > 0) & (np.abs(local[:, 0]) < across * z + radii * np.hypot(1, across))
            near &= np.abs(local[:, 1]) < along * z + radii * np.hypot(1, along)
        return [entry for entry, take in zip(self._entries, near, strict=True) if take]

    # What was seen ------------------------------------------------------------------------------------------------

    def _compare(self, entries: list[Entry], evidence: Evidence, matches: dict[int, int], seconds: float) -> None:
        """Note which objects were seen as one, and which as two."""
        taken = sorted(matches.values())
        for k, e in matches.items():
            for other in np.flatnonzero(evidence.of_entry[:, k] > 0.6):
                if other != e and other not in taken and entries[other].kind == entries[e].kind:
                    pair = _pair(entries[e], entries[other])
                    self._together[pair] = self._together.get(pair, 0.0) + seconds
        if len(taken) < 2:
            return
        boxes = [_box(entries[e]) for e in taken]
        low = np.array([box.center - np.abs(box.rotation) @ box.size / 2 for box in boxes]) - 0.02
        high = np.array([box.center + np.abs(box.rotation) @ box.size / 2 for box in boxes])
        touching = ((low[:, None] < high) & (low < high[:, None])).all(2)
        for i, j in np.argwhere(np.triu(touching, 1)):
            pair = _pair(entries[taken[i]], entries[taken[j]])
            self._apart[pair] = min(self._apart.get(pair, 0.0) + seconds, APART_CAP)

    def _fuse(
        self, entries: list[Entry], e: int, k: int, sight: Sight, evidence: Evidence,
        homes: NDArray[np.int64], stamp: int, seconds: float,
    ) -> None:  # fmt: skip
        """Take an instance's points into its object, but not those that lie in another one."""
        entry, seen = entries[e], evidence.of(e)
        through = seen == kernels.THROUGH
        shown = (seen != kernels.OUTSIDE).sum()
        if shown > 0.5 * len(seen) and through.sum() > 0.6 * shown:
            entry.voxels = Voxels(self.config.voxel_size)  # it has been moved, and is where it is seen now
        else:
            elsewhere = homes[np.maximum(seen, -1)]
            foreign = (elsewhere >= 0) & (elsewhere != e)
            entry.voxels.weights -= through + np.float32(0.5) * foreign
            if entry.voxels.weights.min(initial=1.0) <= 0:
                entry.voxels.keep(entry.voxels.weights > 0)
        mine = sight.of_instance(k)
        first, second = evidence.first[mine], evidence.second[mine]
        mixed = (first >= 0) & (first != e) & (second != e)
        if mixed.any():
            mixed &= np.array([entry.state == "confirmed" for entry in entries])[first]
        if mixed.all():
            mixed[:] = False
        entry.voxels.add(sight.xyz[mine][~mixed], sight.colors[mine][~mixed], self.config.max_voxels)
        entry.sight(sight.scene.objects[k], stamp, seconds)
        entry.reshape(self._up)

    # What was not seen --------------------------------------------------------------------------------------------

    def _judge_unseen(
        self, entries: list[Entry], e: int, evidence: Evidence, matches: dict[int, int], seconds: float
    ) -> None:
        """An object that no instance is: looked through, seen as nothing, as part of another, or not seen at all."""
        entry = entries[e]
        outside, hidden, through, seen = (int(n) for n in evidence.state[e])
        shown = hidden + through + seen
        if shown < 0.3 * (shown + outside) or through + seen < 0.25 * shown:
            return
        if through > 0.6 * (through + seen):
            entry.missed += seconds
        elif seen > 0.3 * shown and not any(evidence.votes[e, k] > 0.5 * seen for k in matches):
            entry.doubted += seconds

    def _welcome(
        self, unmatched: list[int], candidates: list[Entry], sight: Sight, evidence: Evidence, stamp: int
    ) -> dict[int, int]:
        """Instances that are no object of the map: ones that were lost and are back, else new ones."""
        if not unmatched:
            return {}
        voxels = {}
        for k in unmatched:
            voxels[k] = Voxels(self.config.voxel_size)
            mine = sight.of_instance(k)
            voxels[k].add(sight.xyz[mine], sight.colors[mine], self.config.max_voxels)
        unmatched_seen = [k for k in unmatched if len(voxels[k])]
        ids = dict.fromkeys(unmatched, 0)
        fresh = []
        for k in unmatched_seen:
            thing = sight.scene.objects[k]
            entry = Entry(self._next_id, thing.kind, voxels[k], np.zeros_like(thing.embedding), stamp, stamp)
            self._next_id += 1
            entry.sight(thing, stamp, 0.0)
            entry.reshape(self._up)
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
        return {k: names.get(i, i) for k, i in ids.items()}

    def _age(self, entry: Entry, stamp: int) -> None:
        """Tentative, confirmed, gone."""
        config = self.config
        if entry.state == "tentative" and entry.seen >= (
            config.split_seconds if entry.inside else config.confirm_seconds
        ):
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
            similarity, [_box(e) for e in lost], [_box(e) for e in new], config.reidentify_similarity
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
                keep.continue_(drop, keep.id)
                keep.reshape(self._up)
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
            return MapSnapshot(objects, clouds, self._up.astype(np.float32), self._stamp or 0)

    def _describe(self, entry: Entry) -> MapObject:
        box, voxels = _box(entry), entry.voxels
        thing = SceneObject(
            entry.kind,
            entry.score,
            Box((box.center + self._origin).astype(np.float32), box.rotation, box.size),
            (voxels.xyz.mean(0) + self._origin).astype(np.float32),
            entry.look(),
            np.median(voxels.colors, 0).round().astype(np.uint8),
            len(voxels),
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

    def save(self, path: str | Path, frame: str = "") -> int:
        """Write the confirmed objects to a file, which is either the old or the new one at any time.

        Args:
            path: of the file; its folder is made. frame: name of the map's frame, for ``load`` to compare.

        Returns:
            the number of objects.

        Raises:
            OSError: it cannot be written.
        """
        with self._lock:
            entries = [copy.deepcopy(e) for e in self._entries if e.state == "confirmed"]
            saved = storage.Saved(entries, self._next_id, self._origin.copy(), self._up.copy(), self._stamp, frame)
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
            self._next_id = max(self._next_id, saved.next_id)
            self._anchored = True
            for entry in self._entries:
                entry.reshape(self._up)
        return len(saved.entries)


def _pair(a: Entry, b: Entry) -> tuple[int, int]:
    return (a.id, b.id) if a.id < b.id else (b.id, a.id)


def _box(entry: Entry) -> Box:
    assert entry.box is not None  # drawn when it was first seen
    return entry.box


def _checked(scene: Scene, cloud: PointCloud, T: NDArray[np.float64]) -> NDArray[np.float64]:
    """A copy of ``T``, with everything in order."""
    if len(scene.labels) != len(cloud):
        raise ValueError(f"scene: expected labels for {len(cloud)} points, got {len(scene.labels)}")
    T = np.array(T, np.float64)
    if T.shape != (4, 4):
        raise ValueError(f"T_map_camera: expected shape (4, 4), got {T.shape}")
    rigid = np.isfinite(T).all() and np.allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-3)
    if not (rigid and np.linalg.det(T[:3, :3]) > 0 and np.allclose(T[3], [0, 0, 0, 1])):
        raise ValueError(f"T_map_camera: expected a rotation and a translation, got {T.tolist()}")
    return T
