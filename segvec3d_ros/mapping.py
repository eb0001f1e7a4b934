"""The node's object map: takes poses from TF, handles jumps in time, and returns its contents as a ``Result``."""

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
"""Polling interval when waiting for a transform, seconds."""


@dataclass(frozen=True, slots=True)
class MapSettings:
    """Settings of the map, from the node's parameters.

    Attributes:
        frame: the map's frame; "" for the frame of the clouds, which assumes a stationary camera.
        tf_timeout: longest wait for a transform, seconds.
        config: of the core's map.
    """

    frame: str
    tf_timeout: float
    config: MapConfig


class MapTracker:
    """A ``Tracker`` that gives instances their identity in a map over time. Thread-safe.

    Args:
        transforms: TF.
        settings: frame, timeout and configuration of the map.
        log: called with a line of text for the user.
        next_id: id of the first new object.

    Attributes:
        map: the core's map.
        gaps: number of clouds without a transform.
        late: number of clouds older than one already in the map.
        odd: number of clouds with an outlying stamp or frame, not (or not yet) confirmed by the next cloud.
        jumps: how often time was set back, which resets the map.
        trouble: unresolved problem with the map file, for the diagnostics; "" for none.
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
        self._guarded: dict[Path, str] = {}  # files that ``save`` must not replace by an emptier map -> reason

    def embedded_by(self, info: Mapping[str, Any]) -> None:
        """Set the weights that new embeddings come from, as given in a model's ``info``.

        Embeddings of different weights cannot be compared: a map made with others is cleared, and refused by ``load``.
        """
        weights = str(info.get("fingerprint") or info.get("weights", ""))
        with self._lock:
            if self.map.made_with not in ("", weights):
                made = f"the map was made with the weights {self.map.made_with!r}, not {weights!r}"
                self._begin(self.map.frame, made)
            self.map.weights = weights

    def configure(self, settings: MapSettings) -> bool:
        """Change the settings. Another frame resets the map; returns whether it did."""
        with self._lock:
            moved = settings.frame != self._settings.frame
            if moved:
                self._begin(settings.frame, f"map_frame is now {settings.frame!r}")
            self._settings = settings
            self.map.config = settings.config
        return moved

    def update(self, scene: Scene, cloud: PointCloud, stamp: int, frame: str) -> tuple[Track, ...]:
        """Integrate a cloud into the map; returns one track per object of ``scene``, see ``Tracker``.

        Raises:
            ValueError: no transform at that stamp within ``tf_timeout``, a late cloud or one with an unconfirmed
                outlying stamp or frame, or the map was reset meanwhile. The cloud is then not in the map.
        """
        target, resets = self._settings.frame, self._resets
        T = self._pose(target, frame, stamp, resets)
        with self._lock:  # the pose and the map must be in the same frame
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
        """Reset the map if frame or time have jumped. A single outlying cloud does not reset it, but is refused.

        Raises:
            ValueError: the cloud is late, or its jump is not confirmed by a second cloud.
        """
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
        """Id of the next new object."""
        return self.map.next_id

    def reset(self) -> None:
        """Clear the map; ids continue, so that no id is reused. Files may be saved over again."""
        with self._lock:
            self.map.clear()
            self.give_up()
            self._timeline.forget()
            self._guarded.clear()
            self._loaded, self.trouble = None, ""

    def give_up(self) -> None:
        """Discard a cloud that is waiting for its transform: it does not enter the map."""
        with self._lock:
            self._resets += 1

    def known(self, header: Header) -> Result:
        """All objects of the map as a result with the stamp of ``header``; names are not filled in."""
        with self._lock:
            snapshot, frame = self.map.snapshot(), self.map.frame
        cloud = PointCloud(np.empty((0, 3), np.float32), up=snapshot.up)
        tracks = tuple(Track(t.id, t.first_seen, t.last_seen, t.state == "visible") for t in snapshot)
        placed = Header(stamp=header.stamp, frame_id=frame or header.frame_id)
        return Result(placed, 0, 1, cloud, snapshot.scene(), (), tracks, snapshot)

    def save(self, path: str) -> str:
        """Write the map to a file; returns a message.

        Raises:
            OSError: the file cannot be written.
            ValueError: the file holds a map that could not be loaded, or that was loaded before the map was reset.
        """
        file = map_path(path)
        with self._lock:  # the map must not be reset between the check and the copy
            if file in self._guarded:
                raise ValueError(f"{file}: {self._guarded[file]}; clear the map first, or save elsewhere")
            saved = self.map.to_save()
        storage.write(file, saved)
        return f"{len(saved.entries)} objects in {file}"

    def load(self, path: str) -> str:
        """Replace the map by a saved one; returns a message.

        Raises:
            OSError, ValueError: as ``ObjectMap.load``. The map is unchanged, and an existing file protected from
                ``save``.
        """
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
        """Values for the diagnostics."""
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
        """(4, 4) T_target_cloud at the stamp, waited for up to ``tf_timeout``.

        Raises:
            ValueError: no transform, or the cloud was discarded meanwhile.
        """
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
    """Absolute path of a map file, for messages: the working directory of a launched node is not obvious."""
    return Path(path).expanduser().resolve()


def map_settings(values: Mapping[str, Any]) -> MapSettings:
    """Make the settings of the map from the node's parameters."""
    return MapSettings(values["map_frame"], float(values["tf_timeout"]), map_config(values))
