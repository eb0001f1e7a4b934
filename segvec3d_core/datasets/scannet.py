"""ScanNetV2 (Dai et al., 2017) in its published layout: one folder per scene.

    sceneXXXX_XX/sceneXXXX_XX_vh_clean_2.ply                   the mesh; its vertices are the points
    sceneXXXX_XX/sceneXXXX_XX.aggregation.json                 instances, as lists of segments with a raw label
    sceneXXXX_XX/sceneXXXX_XX_vh_clean_2.0.010000.segs.json    segment of each vertex
    scannetv2-labels.combined.tsv                              NYU40 class of raw labels; here or two folders up

Clouds are z-up. The published lists of scenes by split, and the lists of labelled points of the limited-annotation
benchmark (Hou et al., 2021), can be read, too.
"""

from __future__ import annotations

import csv
import functools
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segvec3d_core.datasets.frames import natural_key, read_json_object
from segvec3d_core.io import read_cloud

LABEL_MAP = "scannetv2-labels.combined.tsv"

MESH, AGGREGATION, SEGMENTS = "_vh_clean_2.ply", ".aggregation.json", "_vh_clean_2.0.010000.segs.json"

SURFACES = {1: "wall", 2: "floor", 22: "ceiling"}
"""NYU40 classes that count as surfaces."""

BENCHMARK = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39)
"""NYU40 classes whose instances the ScanNet benchmark evaluates: its 20 classes without wall and floor."""


@dataclass(frozen=True, slots=True, eq=False)
class ScanNetScene:
    """A scene with its annotation.

    Attributes:
        name: such as scene0000_00.
        points: (N, 3) float32 metres, z up; colors: (N, 3) uint8.
        instance: (N,) int64, index of the annotated entity of each point, -1 for unannotated points.
        names: (E,) raw label of each entity; nyu40: (E,) int64, its NYU40 class, 0 for none.
    """

    name: str
    points: NDArray[np.float32]
    colors: NDArray[np.uint8]
    instance: NDArray[np.int64]
    names: tuple[str, ...]
    nyu40: NDArray[np.int64]

    @property
    def is_surface(self) -> NDArray[np.bool_]:
        """(E,) bool, walls, floors and ceilings."""
        return np.isin(self.nyu40, list(SURFACES))

    def benchmark_labels(self) -> NDArray[np.int32]:
        """(N,) int32, 1 + entity if its class is in ``BENCHMARK``, else 0 (void)."""
        counts = np.append(np.isin(self.nyu40, BENCHMARK), False)
        return np.where(counts[self.instance], self.instance + 1, 0).astype(np.int32)

    def surface(self) -> NDArray[np.int8]:
        """(N,) int8, 1 on a surface, 0 on another entity, -1 for unannotated points."""
        return np.append(self.is_surface.astype(np.int8), np.int8(-1))[self.instance]

    def centres(self) -> NDArray[np.float32]:
        """(E, 3) float32, centre of the axis-aligned box of each entity's points; zero for one without points."""
        centres = np.zeros((len(self.names), 3), np.float32)
        for entity in np.unique(self.instance[self.instance >= 0]):
            points = self.points[self.instance == entity]
            centres[entity] = (points.min(0) + points.max(0)) / 2
        return centres

    def only(self, points: NDArray[np.int64]) -> ScanNetScene:
        """The scene with only these points labelled, as in the limited-annotation benchmark.

        Raises:
            ValueError: an index out of range.
        """
        if len(points) and not (points.min() >= 0 and points.max() < len(self.points)):
            got = f"{points.min()} to {points.max()}"
            raise ValueError(f"{self.name}: labelled points: expected 0 to {len(self.points) - 1}, got {got}")
        instance = np.full(len(self.points), -1, np.int64)
        instance[points] = self.instance[points]
        return replace(self, instance=instance)


def scene_folders(path: str | Path) -> list[Path]:
    """The scene folders at a path, in natural order: itself, its children, or those of its ``scans/``."""
    path = Path(path)
    for places in ([path], path.glob("scene*"), path.glob("scans/scene*")):
        found = [place for place in places if (place / f"{place.absolute().name}{MESH}").is_file()]
        if found:
            return sorted(found, key=lambda place: natural_key(place.absolute().name))
    return []


def of_split(files: list[Path], split: str | Path) -> list[Path]:
    """Select the files or folders of scenes that a list names, such as ScanNet's ``scannetv2_train.txt`` with one name
    per line.

    Raises:
        FileNotFoundError: no such list. ValueError: it is empty, or names scenes that are not among the files.
    """
    split = Path(split)
    if not split.is_file():
        raise FileNotFoundError(f"{split}: no such file")
    try:
        names = set(split.read_text(encoding="utf-8").split())
    except UnicodeDecodeError:
        raise ValueError(f"{split}: expected text, the name of a scene a line") from None
    if not names:
        raise ValueError(f"{split}: expected the name of a scene a line, got none")
    found = {file.absolute().stem: file for file in files}
    missing = sorted(names - found.keys(), key=natural_key)
    if missing:
        raise ValueError(
            f"{split}: {len(missing)} of the {len(names)} scenes that it names are not there: {_few(missing)}"
        )
    return [file for name, file in found.items() if name in names]


def _few(names: list[str]) -> str:
    """The first three names, for an error message."""
    return ", ".join([*names[:3], *(["..."] if len(names) > 3 else [])])


def read_scene(folder: str | Path, label_map: str | Path | None = None) -> ScanNetScene:
    """Read a scene folder.

    Args:
        folder: of the scene; its name is the prefix of the files' names.
        label_map: ``scannetv2-labels.combined.tsv``; None searches the folder and up to two above.

    Raises:
        FileNotFoundError: a file of the scene or the label map is missing (test scenes have no annotation).
        ValueError: a broken file, a label that is not in the map, or files that do not fit together.
    """
    folder = Path(folder)
    name = folder.absolute().name
    cloud = read_cloud(folder / f"{name}{MESH}")
    if cloud.colors is None:
        raise ValueError(f"{folder / f'{name}{MESH}'}: expected vertices with red, green and blue")
    segments = _integers(folder / f"{name}{SEGMENTS}", "segIndices")
    if len(segments) != len(cloud):
        raise ValueError(f"{folder / f'{name}{SEGMENTS}'}: expected {len(cloud)} segIndices, got {len(segments)}")
    groups = _groups(folder / f"{name}{AGGREGATION}")
    classes = _read_label_map(_label_map(folder) if label_map is None else Path(label_map))
    unknown = sorted({label for label, _ in groups} - classes.keys())
    if unknown:
        raise ValueError(f"{folder / f'{name}{AGGREGATION}'}: the label map has no {', '.join(unknown)}")
    kinds, index = np.unique(segments, return_inverse=True)
    of_segment = np.full(len(kinds), -1, np.int64)
    for entity, (_, members) in enumerate(groups):  # a segment in two groups belongs to the later, as in the benchmark
        of_segment[np.isin(kinds, members)] = entity
    return ScanNetScene(
        name, cloud.points, cloud.colors, of_segment[index], tuple(label for label, _ in groups),
        np.array([classes[label] for label, _ in groups], np.int64),
    )  # fmt: skip


def labelled_points_of(names: list[str], path: str | Path) -> dict[str, NDArray[np.int64]]:
    """The labelled points of scenes, see ``read_labelled_points``.

    Raises:
        FileNotFoundError: no such list. ValueError: not such a list, or scenes that are not in it.
    """
    listed = read_labelled_points(path)
    missing = [name for name in names if name not in listed]
    if missing:
        raise ValueError(f"{path}: no labelled points of {len(missing)} of the {len(names)} scenes: {_few(missing)}")
    return {name: listed[name] for name in names}


def read_labelled_points(path: str | Path) -> dict[str, NDArray[np.int64]]:
    """Read a list of the limited-annotation benchmark (``points20`` to ``points200``): the labelled vertices of each
    training scene.

    Args:
        path: a file saved by torch, {scene: (n,) vertex indices of its _vh_clean_2.ply}; loaded safely, only numbers.

    Raises:
        FileNotFoundError: no such file. ValueError: not such a list.
    """
    import torch
    from numpy.dtypes import Int32DType, Int64DType
    from torch.serialization import safe_globals

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    rebuild = np.zeros(1).__reduce__()[0]  # numpy's own function; its module differs between versions
    allowed: list[Any] = [
        np.ndarray, np.dtype, Int32DType, Int64DType,
        *((rebuild, f"{module}.multiarray._reconstruct") for module in ("numpy.core", "numpy._core")),
    ]  # fmt: skip
    try:
        with safe_globals(allowed):
            values = torch.load(path, map_location="cpu", weights_only=True)
        return {str(scene): np.asarray(points).astype(np.int64).reshape(-1) for scene, points in values.items()}
    except (pickle.UnpicklingError, RuntimeError, AttributeError, TypeError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: expected {{scene: vertex numbers}}: {str(error).splitlines()[0]}") from None


def _label_map(folder: Path) -> Path:
    """The label map in a scene's folder or the nearest of the two above."""
    places = [folder.absolute(), *folder.absolute().parents[:2]]
    found = next((place / LABEL_MAP for place in places if (place / LABEL_MAP).is_file()), None)
    if found is None:
        raise FileNotFoundError(f"{folder}: {LABEL_MAP} is missing, here and in the two folders above")
    return found


@functools.lru_cache(4)
def _read_label_map(path: Path) -> dict[str, int]:
    """NYU40 class of each raw label; 0 for none."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["raw_category"]: int(row["nyu40id"] or 0) for row in csv.DictReader(file, delimiter="\t")}
    except (KeyError, TypeError, ValueError, UnicodeDecodeError):
        raise ValueError(f"{path}: expected columns raw_category and nyu40id (a number), parted by tabs") from None


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    return read_json_object(path)


def _integers(path: Path, key: str) -> NDArray[np.int64]:
    values = _json(path)
    try:
        return np.asarray(values[key], np.int64).reshape(-1)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ValueError(f"{path}: expected {key} to be a list of integers") from None


def _groups(path: Path) -> list[tuple[str, list[int]]]:
    """Label and segments of each annotated entity."""
    values = _json(path)
    try:
        return [(str(group["label"]), [int(s) for s in group["segments"]]) for group in values["segGroups"]]
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{path}: expected segGroups with label and segments") from None
