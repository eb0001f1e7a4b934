"""Writes the test sets to folders that ``segvec3d eval`` reads, and records their contents.

tabletop-v1, clutter-v1    a frame folder, and tags.json: {frame: tags}
rooms-v1                   NAME.npz (points, colors, labels, up), tags.json, and a frame folder ``frames``
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datasets.frames import IGNORE, Frame, write_frame
from ..io import write_json
from ..simulate.preview import write_preview
from ..types import PointCloud
from .archives import ARCHIVES
from .sets import SCENES, SETS, SetName, Tags, has_frame, make_frame, make_scan, make_stage
from .shapes import Shape, load_shapes

Made = tuple[str, tuple[Frame, Tags] | None, tuple[PointCloud, NDArray[np.int32], Tags] | None]
"""A scene's name, its frame and its scan, each with tags or None."""

_shapes: list[Shape] = []
"""The models, loaded once by each worker process."""


def write_set(
    name: SetName,
    output: str | Path,
    shapes: str | Path | None = None,
    workers: int = 1,
    count: int = SCENES,
    progress: Callable[[Iterable[Made]], Iterable[Made]] = iter,
) -> None:
    """Write a test set.

    Args:
        name: of the set.
        output: folder, created if missing.
        shapes: folder of the models; None for the default one.
        workers: number of processes; it does not change the result.
        count: number of scenes to write, from the first.
        progress: wraps the iterator of scenes, to show progress.

    Raises:
        FileNotFoundError: the models are missing; the message says what to run.
        ValueError: an unknown set, or an output folder that is not empty.
    """
    if name not in SETS:
        raise ValueError(f"test set: expected one of {', '.join(SETS)}, got {name!r}")
    folder = Path(output)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder}: expected an empty or a new folder, as a test set is never mixed with anything")
    load_shapes(shapes)  # report missing models before processes start
    frames: dict[str, Tags] = {}
    scans: dict[str, Tags] = {}
    frame_folder = folder if name != "rooms-v1" else folder / "frames"
    for scene, frame, scan in progress(_scenes(name, count, shapes, workers)):
        if frame is not None:
            write_frame(frame_folder, frame[0])
            frames[scene] = frame[1]
        if scan is not None:
            cloud, labels, scans[scene] = scan
            assert cloud.colors is not None  # a simulated scan has colours
            assert cloud.up is not None
            np.savez_compressed(
                folder / f"{scene}.npz", points=cloud.points, colors=cloud.colors, labels=labels, up=cloud.up
            )
    write_json(frame_folder / "tags.json", {key: tags.values() for key, tags in frames.items()})
    if scans:
        write_json(folder / "tags.json", {key: tags.values() for key, tags in scans.items()})


def preview_set(name: SetName, path: str | Path, shapes: str | Path | None = None, count: int = 12) -> Path:
    """Write a contact sheet of a set's first frames: colour, depth and instances; returns its path."""
    models = load_shapes(shapes)
    indices = [index for index in range(SCENES) if has_frame(name, index)][:count]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    frames = [make_frame(name, index, make_stage(name, index, models))[0] for index in indices]
    return write_preview(path, frames, 3, 180)


def _scenes(name: SetName, count: int, shapes: str | Path | None, workers: int) -> Iterator[Made]:
    jobs = [(name, index) for index in range(count)]
    if workers <= 1:
        _load(shapes)
        yield from map(_make, jobs)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _load, (shapes,)) as pool:
        yield from pool.map(_make, jobs)


def _load(folder: str | Path | None) -> None:
    _shapes[:] = load_shapes(folder)


def _make(job: tuple[SetName, int]) -> Made:
    """Make one scene of a set with the models of this process."""
    name, index = job
    stage = make_stage(name, index, _shapes)
    frame = make_frame(name, index, stage)[1:] if has_frame(name, index) else None
    scan = make_scan(name, index, stage) if name == "rooms-v1" else None
    return f"{index:03d}", frame, scan


def summary(tags: dict[str, Tags]) -> dict[str, Any]:
    """Statistics of a set: numbers of scenes and objects, shares of kinds of objects, scenes by sensor, and the share
    of scenes with walls in view (over 1% of pixels or points)."""
    rows = list(tags.values())
    counts = np.array([row.objects for row in rows])
    result: dict[str, Any] = {
        "scenes": len(rows),
        "hard": sum(row.hard for row in rows),
        "objects": int(counts.sum()),
        "objects_per_scene": [int(value) for value in np.percentile(counts, [0, 50, 100])],
        "other_objects": sum(row.others for row in rows),
        "sensors": {s: sum(row.sensor == s for row in rows) for s in sorted({row.sensor for row in rows})},
        "walls_in_view": round(float(np.mean([row.walls > 0.01 for row in rows])), 3),
    }
    for share in ("touching", "occluded", "thin", "tiny", "concave"):
        result[share] = round(float(np.average([getattr(row, share) for row in rows], weights=counts)), 3)
    return result


def fingerprint(name: SetName, index: int, shapes: list[Shape]) -> dict[str, Any]:
    """Fingerprint of a scene, which shows whether it is still the same: its objects' names, sizes and places.

    It is not a hash, because the last bit of a sine differs between processors, and may move a pixel.

    Returns:
        of the frame in the table sets, of the scan in rooms-v1: ``names`` (empty for scans), ``counts`` of pixels or
        points, and ``centers``, the mean depth of each object in millimetres (in scans, its distance from the origin).
    """
    stage = make_stage(name, index, shapes)
    if name == "rooms-v1":
        cloud, labels, _ = make_scan(name, index, stage)
        distance, names = np.linalg.norm(cloud.points, axis=1), {}
    else:
        frame = make_frame(name, index, stage)[1]
        assert frame.label is not None  # simulated frames have labels
        labels = np.where((frame.label == IGNORE) | ~np.isfinite(frame.depth), 0, frame.label).astype(np.int32).ravel()
        distance, names = np.nan_to_num(frame.depth).ravel(), frame.names
    counts = np.bincount(labels)
    means = np.bincount(labels, distance) / np.maximum(counts, 1)
    return {
        "names": [names[k] for k in sorted(names)],
        "counts": counts[1:].tolist(),
        "centers": [round(1e3 * float(value)) for value in means[1:]],
    }


def contents(name: SetName, folder: Path) -> dict[str, Any]:
    """The summary of a written set, from its tags.json."""
    frame_folder = folder / "frames" if name == "rooms-v1" else folder
    files = {"frames": frame_folder / "tags.json"} | ({"scans": folder / "tags.json"} if name == "rooms-v1" else {})
    return {
        what: summary({key: Tags(**tags) for key, tags in json.loads(file.read_text()).items()})
        for what, file in files.items()
    }


def manifest(folder: str | Path, shapes: list[Shape]) -> dict[str, Any]:
    """The record of the sets that the repository keeps: sources, contents, and fingerprints of the first two scenes.

    Args:
        folder: holds the completely written sets in subfolders of their names.
        shapes: the models.
    """
    return {
        "version": 1,
        "scenes": SCENES,
        "seed": "numpy.random.default_rng([crc32(set), index, purpose])",
        "sources": [{key: getattr(a, key) for key in ("name", "version", "file", "sha256")} for a in ARCHIVES],
        "shapes": {place: sum(s.place == place for s in shapes) for place in ("item", "support", "wall", "free")},
        "sets": {
            name: {
                "contents": contents(name, Path(folder) / name),
                "fingerprints": {str(index): fingerprint(name, index, shapes) for index in (0, 1)},
            }
            for name in SETS
        },
    }
