"""The map's file: one versioned .npz, written under a temporary name and renamed once it is complete."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import replacing
from ..geometry import is_rigid
from .anchor import FIRST
from .entry import Entry, Voxels

FORMAT = "segvec3d object map"
VERSION = 2
"""Version 1 had no anchor; it is read with the identity."""

_TOLD = ("id", "kind", "first_seen", "last_seen", "trust", "score", "surface", "sightings", "seen", "missed", "doubted")


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    """Contents of a file: the confirmed objects, the id counter, and where the map lies.

    Attributes:
        origin: (3,), anchor: (4, 4), anchored: seconds: ``origin``, ``T`` and ``seconds`` of the ``Anchor``.
        up: (3,) in the map's own coordinates, or None.
        frame: name of the frame of the poses; weights: fingerprint of those that embedded the objects, "" if unknown.
    """

    entries: list[Entry]
    next_id: int
    origin: NDArray[np.float64]
    anchor: NDArray[np.float64]
    anchored: float
    up: NDArray[np.float64] | None
    frame: str = ""
    weights: str = ""


def write(path: Path, saved: Saved) -> None:
    """Write a map; a crash, a full disk or an error at any time leaves the previous file intact.

    Raises:
        OSError: the file cannot be written.
    """
    rows = [{name: getattr(e, name) for name in _TOLD} | {"voxel_size": e.voxels.size} for e in saved.entries]
    about = {
        "format": FORMAT,
        "version": VERSION,
        "next_id": saved.next_id,
        "anchored": saved.anchored,
        "frame": saved.frame,
        "weights": saved.weights,
        "objects": rows,
    }
    arrays: dict[str, Any] = {
        "about": np.array(json.dumps(about)),
        "origin": saved.origin,
        "anchor": saved.anchor,
        "up": np.zeros(3) if saved.up is None else saved.up,
        "lengths": np.array([len(entry.voxels) for entry in saved.entries], np.int64),
        "embeddings": _joined([entry.embedding[None] for entry in saved.entries], (0, 0), np.float32),
        "names": _joined([entry.voxels.names for entry in saved.entries], (0,), np.int64),
        "xyz": _joined([entry.voxels.xyz for entry in saved.entries], (0, 3), np.float32),
        "weights": _joined([entry.voxels.weights for entry in saved.entries], (0,), np.float32),
        "colors": _joined([entry.voxels.colors for entry in saved.entries], (0, 3), np.uint8),
    }
    if path.exists() and not path.is_file():
        raise OSError(f"{path}: expected a file or a new name, got a folder or a device")
    with replacing(path) as part, part.open("wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(Path(os.path.realpath(path)).parent)


def read(path: Path) -> Saved:
    """Read a file written by ``write``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file, another version, or a damaged one.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(str(arrays["about"]))
    # TypeError: an .npy loads as an array, which is no context manager. RuntimeError: encryption, unknown compression.
    except (OSError, ValueError, TypeError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path}: not an object map, or a damaged one: {reason}") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise ValueError(f"{path}: expected an object map, got another file")
    if about.get("version") not in (1, VERSION):
        raise ValueError(
            f"{path}: expected an object map of version 1 or {VERSION}, got version {about.get('version')}"
        )
    if about["version"] == 1:
        arrays["anchor"], about["anchored"] = np.eye(4), FIRST
    try:
        if about.get("colored") is False:  # earlier files mark a map without colours like this, and store grey
            arrays["colors"] = np.zeros_like(arrays["colors"])
        return Saved(
            _entries(about, arrays),
            int(about["next_id"]),
            _finite(arrays, "origin", (3,)),
            _rigid(_finite(arrays, "anchor", (4, 4))),
            _seconds(about["anchored"]),
            up if (up := _finite(arrays, "up", (3,))).any() else None,
            about["frame"],
            str(about.get("weights", "")),  # missing in the first files
        )
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise ValueError(f"{path}: a damaged object map: {error}") from None


def _finite(arrays: dict[str, NDArray[Any]], name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    values = np.array(arrays[name], np.float64)
    if values.shape != shape or not np.isfinite(values).all():
        raise ValueError(f"{name}: expected {shape} finite numbers, got {arrays[name].tolist()}")
    return values


def _rigid(T: NDArray[np.float64]) -> NDArray[np.float64]:
    if not is_rigid(T):
        raise ValueError(f"anchor: expected a rotation and a translation, got {T.tolist()}")
    return T


def _seconds(value: Any) -> float:
    seconds = float(value)
    if not 0 < seconds < np.inf:
        raise ValueError(f"anchored: expected more than 0 seconds, got {value}")
    return seconds


def _entries(about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> list[Entry]:
    ends = np.cumsum(arrays["lengths"])
    parts = {name: np.split(arrays[name], ends)[:-1] for name in ("names", "xyz", "weights", "colors")}
    entries = []
    for k, row in enumerate(about["objects"]):
        size = float(row.pop("voxel_size"))
        voxels = Voxels(size, *(parts[name][k] for name in ("names", "xyz", "weights", "colors")))
        if len({len(voxels), len(voxels.xyz), len(voxels.weights), len(voxels.colors)}) != 1 or not len(voxels):
            raise ValueError(f"object {row.get('id')}: its arrays differ in length")
        entries.append(Entry(voxels=voxels, embedding=arrays["embeddings"][k], state="confirmed", **row))
    return entries


def _joined(parts: Sequence[NDArray[Any]], empty: tuple[int, ...], dtype: type) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(empty, dtype)


def _sync_folder(folder: Path) -> None:
    """Flush the folder to disk, where the system can, so that the new name survives a power cut."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
