"""Labelled scans: fused clouds with the instance of every point, from .npz files or ScanNet's scene folders.

NAME.npz            points (N, 3) metres, labels (N,) 1..K instances, 0 = void; colors (N, 3), each optional:
                    surface (N,) 1 on a wall, floor or ceiling, 0 on an object, -1 unknown
sceneXXXX_XX/       a scene as ScanNetV2 publishes it, see ``scannet.py``
tags.json           {NAME: {"sensor": ..., "hard": ...}}                                  optional, beside them
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from segvec3d_core.datasets.frames import natural_key, read_tags
from segvec3d_core.datasets.scannet import of_split, read_scene, scene_folders
from segvec3d_core.io import read_labelled_scan
from segvec3d_core.types import PointCloud


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """A fused cloud with its annotation.

    Attributes:
        name: unique in its folder.
        points: the cloud.
        label: (N,) int32, 1..K instances, 0 void: unlabelled or not an instance.
        surface: (N,) int8, 1 on a surface, 0 on an object, -1 unknown; None if not annotated.
    """

    name: str
    points: PointCloud
    label: NDArray[np.int32]
    surface: NDArray[np.int8] | None = None

    def cloud(self) -> PointCloud:
        """The cloud as input of ``SegVec3D.segment``."""
        return self.points

    def thinned(self, stride: int) -> Scan:
        """The scan with a ``stride`` times larger point spacing: one in ``stride`` squared points, chosen randomly but
        reproducibly."""
        count = len(self.points)
        rows = np.sort(np.random.default_rng(0).permutation(count)[: -(-count // stride**2)])
        cloud, surface = self.points, self.surface
        points = replace(cloud, points=cloud.points[rows], colors=None if cloud.colors is None else cloud.colors[rows])
        return Scan(self.name, points, self.label[rows], None if surface is None else surface[rows])

    def without_colors(self) -> Scan:
        """The scan without its colours."""
        return replace(self, points=replace(self.points, colors=None))


class ScanFolder(Sequence[Scan]):
    """The scans at a path, in natural order of their names, read on access.

    Args:
        path: an .npz scan, a folder of these, a ScanNet scene folder, or a folder (or its ``scans/``) of these.
        split: list of the scans to use, by name (``scannet.of_split``); None for all.

    Attributes:
        path: that path; names: the scans' names; tags: contents of tags.json.

    Raises:
        FileNotFoundError: no such split.
        ValueError: no scans at the path, or scans of the split are missing. Reading a scan raises either for one that
            is broken or without labels.
    """

    def __init__(self, path: str | Path, split: str | Path | None = None) -> None:
        self.path = Path(path)
        self._files = find_scans(self.path)
        if not self._files:
            raise ValueError(f"{path}: expected .npz scans or ScanNet scenes, got none")
        if split is not None:
            self._files = of_split(self._files, split)
        self.names = [file.stem if file.is_file() else file.name for file in self._files]
        folder = self.path if self.path.is_dir() else self.path.parent
        self.tags = read_tags(folder / "tags.json")

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, index: int) -> Scan: ...
    @overload
    def __getitem__(self, index: slice) -> list[Scan]: ...
    def __getitem__(self, index: int | slice) -> Scan | list[Scan]:
        if isinstance(index, slice):
            return [_read(file) for file in self._files[index]]
        return _read(self._files[index])


def find_scans(path: Path) -> list[Path]:
    """The .npz files and scene folders at a path, in natural order; empty if there are none."""
    if path.is_file():
        return [path] if path.suffix.lower() == ".npz" else []
    files = sorted(path.glob("*.npz"), key=lambda file: natural_key(file.name))
    return files or scene_folders(path)


def _read(path: Path) -> Scan:
    if path.is_dir():
        scene = read_scene(path)
        return Scan(scene.name, PointCloud(scene.points, scene.colors), scene.benchmark_labels(), scene.surface())
    cloud, labels = read_labelled_scan(path)
    if labels is None:
        raise ValueError(f"{path}: no array named labels, nothing to compare with")
    return Scan(path.stem, cloud, labels, _surface(path, len(cloud)))


def _surface(path: Path, count: int) -> NDArray[np.int8] | None:
    """The array ``surface`` of an .npz that has already been read; None if it has none."""
    with np.load(path, allow_pickle=False) as archive:
        if "surface" not in archive.files:
            return None
        surface = archive["surface"]
    if surface.shape != (count,) or surface.dtype.kind not in "iub":
        raise ValueError(f"{path}: surface: expected ({count},) integers, got {surface.shape} {surface.dtype}")
    return surface.astype(np.int8)
