"""ModelNet40 in its three published formats; every shape is one cloud with a class.

CLASS/test/CLASS_0001.off                                        meshes, z up (Princeton)
shape_names.txt  test_files.txt  ply_data_test0.h5 ...           2,048 points each, y up (PointNet); needs h5py
modelnet40_shape_names.txt  modelnet40_test.txt  CLASS/CLASS_0001.txt    "x,y,z,nx,ny,nz", y up (PointNet++)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

Y_UP = (0.0, 1.0, 0.0)
Z_UP = (0.0, 0.0, 1.0)
SAMPLED = 4_096
"""Number of points sampled on a mesh."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One shape of unknown size.

    Attributes:
        name: source of the shape; points: (N, 3) float32; label: index of its class; up: (3,) upward direction.
    """

    name: str
    points: Float32
    label: int
    up: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ShapeSet:
    """Test shapes of a data set, read while iterating.

    Attributes:
        classes: names of the classes, by label.
        files: files of the shapes, each with its label, or -1 if the file itself contains labels.
    """

    classes: tuple[str, ...]
    files: tuple[tuple[Path, int], ...]

    def __iter__(self) -> Iterator[Shape]:
        for path, label in self.files:
            if path.suffix == ".h5":
                yield from read_h5(path, len(self.classes))
            elif path.suffix == ".off":
                rng = np.random.default_rng(len(path.name))
                yield Shape(path.stem, sample_surface(*read_off(path), SAMPLED, rng), label, Z_UP)
            else:
                yield Shape(path.stem, _read_rows(path), label, Y_UP)


def modelnet(folder: str | Path) -> ShapeSet | None:
    """The test split of a ModelNet40 folder; None if it is not such a folder.

    Raises:
        FileNotFoundError: a file named in the folder's lists is missing.
    """
    folder = Path(folder)
    if (folder / "modelnet40_test.txt").is_file():
        classes = _lines(folder / "modelnet40_shape_names.txt")
        names = _lines(folder / "modelnet40_test.txt")
        kinds = [name.rsplit("_", 1)[0] for name in names]
        return _checked(
            classes, [(folder / k / f"{n}.txt", classes.index(k)) for k, n in zip(kinds, names, strict=True)]
        )
    if (folder / "test_files.txt").is_file():
        # The list has paths of the authors' machine: data/modelnet40_ply_hdf5_2048/ply_data_test0.h5
        files = [folder / Path(line).name for line in _lines(folder / "test_files.txt")]
        return _checked(_lines(folder / "shape_names.txt"), [(file, -1) for file in files])
    meshes = sorted(folder.glob("*/test/*.off"))
    if not meshes:
        return None
    classes = sorted({mesh.parts[-3] for mesh in meshes})
    return _checked(classes, [(mesh, classes.index(mesh.parts[-3])) for mesh in meshes])


def _checked(classes: Sequence[str], files: Sequence[tuple[Path, int]]) -> ShapeSet:
    missing = [path for path, _ in files if not path.is_file()]
    if missing:
        raise FileNotFoundError(f"{missing[0]}: no such file, though the data set's list names it")
    return ShapeSet(tuple(classes), tuple(files))


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def read_h5(path: Path, classes: int) -> Iterator[Shape]:
    """Shapes of an HDF5 file with ``data`` (S, N, 3) and ``label`` (S,) or (S, 1), y up.

    Raises:
        ImportError: h5py is not installed. ValueError: other arrays, or a label outside 0 to ``classes`` - 1.
    """
    try:
        import h5py
    except ModuleNotFoundError:
        raise ImportError(f"{path}: reading HDF5 needs h5py: pip install h5py") from None
    try:
        with h5py.File(path, "r") as file:
            data, label = np.asarray(file["data"], np.float32), np.asarray(file["label"], np.int64).reshape(-1)
    except (OSError, KeyError) as error:
        raise ValueError(f"{path}: expected HDF5 with data and label: {error}") from None
    if data.ndim != 3 or data.shape[2] != 3 or len(data) != len(label):
        raise ValueError(f"{path}: expected data (S, N, 3) and label (S,), got {data.shape} and {label.shape}")
    if len(label) and not 0 <= label.min() <= label.max() < classes:
        raise ValueError(f"{path}: expected labels from 0 to {classes - 1}, got {label.min()} to {label.max()}")
    for i, (points, number) in enumerate(zip(data, label, strict=True)):
        yield Shape(f"{path.stem}_{i}", points, int(number), Y_UP)


def _read_rows(path: Path) -> Float32:
    try:
        rows = np.loadtxt(path, np.float32, delimiter=",", ndmin=2)
    except ValueError as error:
        raise ValueError(f"{path}: expected rows of x,y,z,nx,ny,nz: {error}") from None
    if rows.shape[1] not in (3, 6) or not len(rows):
        raise ValueError(f"{path}: expected rows of x,y,z,nx,ny,nz, got {rows.shape[1]} columns of {len(rows)} rows")
    return np.ascontiguousarray(rows[:, :3])


def read_off(path: str | Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Vertices (V, 3) and triangles (F, 3) of an OFF mesh; some files of ModelNet40 begin with "OFF490 518 0".

    Raises:
        ValueError: not an OFF mesh, or a truncated one.
    """
    path = Path(path)
    text = path.read_text(encoding="ascii", errors="replace")
    if not text.startswith("OFF"):
        raise ValueError(f"{path}: expected an OFF mesh, got {text[:10]!r}")
    words = text[3:].split()
    try:
        vertices, faces = int(words[0]), int(words[1])
        points = np.array(words[3 : 3 + 3 * vertices], np.float64).reshape(vertices, 3)
        triangles, at = [], 3 + 3 * vertices
        for _ in range(faces):
            count = int(words[at])
            ring = [int(word) for word in words[at + 1 : at + 1 + count]]
            triangles += [(ring[0], ring[k], ring[k + 1]) for k in range(1, count - 1)]
            at += 1 + count
    except (IndexError, ValueError) as error:
        raise ValueError(f"{path}: a damaged OFF mesh: {error}") from None
    table = np.array(triangles, np.int64).reshape(-1, 3)
    if len(table) and not 0 <= table.min() <= table.max() < vertices:
        wrong = table.max() if table.max() >= vertices else table.min()
        raise ValueError(f"{path}: a face names vertex {wrong} of {vertices}")
    return points, table


def sample_surface(
    vertices: NDArray[np.float64], faces: NDArray[np.int64], count: int, rng: np.random.Generator
) -> Float32:
    """(count, 3) points sampled uniformly over the faces' area; the vertices if the mesh has no area."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    if not area.sum() > 0:
        return vertices.astype(np.float32)
    chosen = rng.choice(len(faces), count, p=area / area.sum())
    u, v = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
    points = (1 - u) * a[chosen] + u * (1 - v) * b[chosen] + u * v * c[chosen]
    return np.asarray(points, np.float32)
