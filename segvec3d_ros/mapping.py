"""The map of objects as the node keeps it: poses from TF, time that may jump, what is known as a result to publish."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from segvec3d_core.object_map import MapConfig, ObjectMap, storage
from segvec3d_core.types import PointCloud, Scene
from segvec3d_ros.conversions import Result
from segvec3d_ros.parameters import map_config
from segvec3d_ros.timeline import Timeline, Verdict
from segvec3d_ros.tracking import Track
from segvec3d_ros.transforms import TransformError, Transforms

POLL = 0.01
"""Seconds between two looks for a transform that is on its way."""


@dataclass(frozen=True, slots=True)
class MapSettings:
    """What the parameters say of the map.

    Attributes:
        frame: in which the map lies; "" for the clouds' own, as of a camera that does not move.
        tf_timeout: longest wait for a transform, seconds.
        config: of the core's map.
    """

    frame: str
    tf_timeout: float
    config: MapConfig


class MapTracker:
    """Gives instances the identity that they have in a map over time.

    Args:
        transforms: TF. log: called with a line for the person at the robot. next_id: of the first new object.

    Attributes:
        map: the core's map. gaps: clouds that found no transform. late: clouds that came after a later one.
        odd: clouds of another time or frame that the next one did not confirm, or has yet to.
        jumps: how often time was set back, which begins the map anew.
        trouble: what a person should know of the map's file until it is settled, "" for nothing.
    """

    def __init__(
        self, transforms: Transforms, settings: MapSettings, log: Callable[[str], object], next_id: int = 1
    ) -> None:
        self._transforms, self._log = transforms, log
        self._lock = threading.RLock()
        self._settings = settings
        self.map = ObjectMap(settings.config)
        self.map.frame, self.map.next_id = settings.frame, next_id
        self.gaps = self.late = self.odd = self.jumps = 0
        self.trouble = ""
        self._timeline, self._resets = Timeline(), 0
        self._loaded: Path | None = None
        self._guarded: dict[Path, str] = {}  # files that shall not be lost to an emptier map, and why they would be

    def embedded_by(self, info: Mapping[str, Any]) -> None:
        """Note which weights embed what comes: those of a model's ``info``. A map of other ones cannot be loaded, and
        one that was loaded before is forgotten."""
        weights = str(info.get("fingerprint") or info.get("weights", ""))
        with self._lock:
            if self.map.made_with not in ("", weights):
                made = f"the map was made with the weights {self.map.made_with!r}, not {weights!r}"
                self._begin(self.map.frame, made)
            self.map.weights = weights

    def configure(self, settings: MapSettings) -> bool:
        """Go on with other settings; another frame begins anew. Returns whether it did."""
        with self._lock:
            moved = settings.frame != self._settings.frame
            if moved:
                self._begin(settings.frame, f"map_frame is now {settings.frame!r}")
            self._settings = settings
            self.map.config = settings.config
        return moved

    def update(self, scene: Scene, cloud: PointCloud, stamp: int, frame: str) -> tuple[Track, ...]:
        """Join a cloud to the map: one track per object of ``scene``; see ``Tracker``.

        Raises:
            ValueError: no transform at that stamp within ``tf_timeout``, or a cloud that came late; the map is then
                what it was.
        """
        target, resets = self._settings.frame, self._resets
        T = self._pose(target, frame, stamp, resets)
        with self._lock:  # a pose in one frame must not meet a map in another
            if self._settings.frame != target:
                raise ValueError(f"map_frame was changed from {target!r} while the cloud was in work")
            self._require_wanted(resets)
            self._require_time(frame, stamp)
            ids = self.map.update(scene, cloud, T, stamp)
            first_seen = self.map.first_seen()
        return tuple(Track(i, first_seen.get(i, stamp), stamp) for i in ids)

    def _require_wanted(self, resets: int) -> None:
        if self._resets != resets:
            raise ValueError("the map was cleared while the cloud waited for its transform, or the node deactivated")

    def _require_time(self, frame: str, stamp: int) -> None:
        """Begin anew where frame or time have jumped; refuse a cloud that came late, and one that is alone in saying
        so, which shall not cost the map."""
        latest, moved = self.map.stamp_ns, not self._settings.frame and frame != self.map.frame
        if moved and latest is None and not len(self.map):
            self.map.frame, moved = frame, False
        ahead = 0.0 if latest is None else (stamp - latest) / 1e9
        if moved:
            reason = f"clouds come in frame {frame!r}, not {self.map.frame!r}"
        else:
            reason = f"time was set back by {-ahead:.3f} s" if ahead < 0 else f"time was set {ahead:.3f} s ahead"
        verdict = self._timeline.judge(latest, stamp, frame, moved)
        if verdict is Verdict.LATE:
            self.late += 1
            raise ValueError(f"the cloud came {-ahead:.3f} s later than it should: a newer one is in the map")
        if verdict is Verdict.ODD:
            self.odd += 1
            raise ValueError(f"{reason}, says one cloud: it is left out, unless the next one says so, too")
        if verdict is Verdict.RETURNS:
            self.odd += 1
            self._log(f"the latest cloud was stamped {-ahead:.3f} s ahead, alone in that: the map goes on")
            self.map.forget_time()
        if verdict is Verdict.ELSEWHERE and (moved or ahead < 0):
            self.jumps += ahead < 0
            self._begin(frame if moved else self.map.frame, reason)

    @property
    def next_id(self) -> int:
        """See ``Tracker``."""
        return self.map.next_id

    def reset(self) -> None:
        """Forget everything; ids go on counting."""
        with self._lock:
            self.map.clear()
            self.give_up()
            self._timeline.forget()
            self._guarded.clear()
            self._loaded, self.trouble = None, ""

    def give_up(self) -> None:
        """The cloud that waits for its transform is no longer wanted: it does not enter the map."""
        with self._lock:
            self._resets += 1

    def known(self, header: Header) -> Result:
        """Everything in the map at the time of ``header``, without names."""
        with self._lock:
            snapshot, frame = self.map.snapshot(), self.map.frame
        cloud = PointCloud(np.empty((0, 3), np.float32), up=snapshot.up)
        tracks = tuple(Track(t.id, t.first_seen, t.last_seen, t.state == "visible") for t in snapshot)
        placed = Header(stamp=header.stamp, frame_id=frame or header.frame_id)
        return Result(placed, 0, 1, cloud, snapshot.scene(), (), tracks, snapshot)

    def save(self, path: str) -> str:
        """Write the map; returns what to tell. Raises OSError, and ValueError for a file whose map this one is not."""
        file = map_path(path)
        with self._lock:  # the map must not begin anew between the question and the copy
            if file in self._guarded:
                raise ValueError(f"{file}: {self._guarded[file]}; clear the map first, or save elsewhere")
            saved = self.map.to_save()
        storage.write(file, saved)
        return f"{len(saved.entries)} objects in {file}"

    def load(self, path: str) -> str:
        """Replace the map by a saved one; returns what to tell. Raises OSError and ValueError."""
        file = map_path(path)
        with self._lock:
            if file.exists():
                self._guarded[file] = "what it holds could not be loaded"
            count = self.map.load(file, self._settings.frame or None)
            self._timeline.forget()
            self._guarded.clear()
            self._loaded, self.trouble = file, ""
        return f"{count} objects from {file}"

    def facts(self) -> Mapping[str, str]:
        """For the diagnostics."""
        return {
            "map objects": str(len(self.map)),
            "map frame": self.map.frame,
            "clouds without transform": str(self.gaps),
            "late clouds": str(self.late),
            "odd clouds": str(self.odd),
            "time set back": str(self.jumps),
        }

    def _begin(self, frame: str, reason: str) -> None:
        if self.map.stamp_ns is not None or len(self.map):
            self._log(f"{reason}: the map of {len(self.map)} objects begins anew")
        if self._loaded is not None:
            self._guarded[self._loaded] = "what it holds was loaded, and the map began anew since"
        self.map.frame = frame
        self.map.clear()

    def _pose(self, target: str, frame: str, stamp: int, resets: int) -> NDArray[np.float64]:
        """T_target_cloud at the stamp; a transform may be on its way, so wait for it."""
        if not target or frame == target:
            return np.eye(4)
        deadline = time.monotonic() + self._settings.tf_timeout
        while True:
            try:
                return self._transforms.lookup(target, frame, stamp)
            except TransformError as error:
                if time.monotonic() >= deadline or not error.may_pass:
                    self.gaps += 1
                    where = f"{frame!r} to map_frame {target!r} at {stamp / 1e9:.3f} s"
                    raise ValueError(f"no transform from {where}: {error.condition}: {error}") from None
            time.sleep(POLL)
            self._require_wanted(resets)


def map_path(path: str) -> Path:
    """Where a map's file lies, in full: nobody knows in which folder ``ros2 launch`` has started the node."""
    return Path(path).expanduser().resolve()


def map_settings(values: Mapping[str, Any]) -> MapSettings:
    """The map's settings from the node's parameters."""
    return MapSettings(values["map_frame"], float(values["tf_timeout"]), map_config(values))
