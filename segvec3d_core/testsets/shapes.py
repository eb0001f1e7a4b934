"""The models of the test sets in the simulator's format: standing on z = 0, in metres, decimated, with plain colours.

``fetch_shapes`` converts the archives once and writes one file, which ``load_shapes`` reads.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from ..simulate import raster
from ..simulate.meshes import Mesh
from ..simulate.objects import MATERIAL_COLUMNS, PATTERNS, ObjectInfo, ObjectModel
from . import catalogue
from .archives import FURNITURE, PYBULLET, debian_files, fetch, shapes_folder
from .catalogue import Place
from .obj import Model, Paint, read_obj

FORMAT = 1
"""Version of the file; incremented with every change of what is made from the archives."""

MOST_FACES = {"item": 8000, "support": 8000, "wall": 12000, "free": 12000}
"""Maximum number of triangles of a model, by where it stands."""

Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""Rotation from coordinates with y up and front along +z to coordinates with z up and front along -y."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A model, and the properties that the sets need.

    Attributes:
        source: package, library and name of the model.
        creator: its author according to the library, "" if unknown.
        place: where it stands.
        solidity: its volume relative to its convex hull's, see the function ``solidity``.
        model: mesh, materials and name.
    """

    source: str
    creator: str
    place: Place
    solidity: float
    model: ObjectModel

    @property
    def concave(self) -> bool:
        """Whether over 45% of its convex hull is empty: mugs, bowls, handles, lamps, chairs."""
        return self.solidity < 0.55

    @property
    def thin(self) -> bool:
        """Whether it is flatter than 15 mm, or a rod: narrower than 40 mm both ways and over 3 times as long."""
        low, middle, high = sorted(self.model.info.size)
        return low < 0.015 or (middle < 0.04 and high > 3 * middle)

    @property
    def tiny(self) -> bool:
        """Whether its longest edge is at most 5 cm."""
        return max(self.model.info.size) <= 0.05


def fetch_shapes(folder: str | Path | None = None) -> Path:
    """Download the archives, convert the models and write shapes.npz beside the archives; returns its path.

    Raises:
        OSError, ValueError: an archive cannot be fetched or is not the pinned one.
    """
    place = shapes_folder(folder)
    furniture, pybullet = fetch(FURNITURE, place), fetch(PYBULLET, place)
    shapes = [*_furniture(debian_files(furniture)), *_pybullet(zipfile.ZipFile(pybullet))]
    path = place / "shapes.npz"
    _write(path, shapes)
    return path


def load_shapes(folder: str | Path | None = None) -> list[Shape]:
    """Load the models, in a fixed order.

    Raises:
        FileNotFoundError: they have not been fetched.
        ValueError: the file has another format version.
    """
    path = shapes_folder(folder) / "shapes.npz"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file (the models of the test sets): run segvec3d simulate --fetch-shapes"
        )
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    meta = json.loads(str(arrays["meta"]))
    if meta["format"] != FORMAT:
        raise ValueError(
            f"{path}: expected format {FORMAT}, got {meta['format']}: run segvec3d simulate --fetch-shapes again"
        )
    counts = np.array([entry["counts"] for entry in meta["shapes"]])
    starts = np.concatenate([np.zeros((1, 3), int), counts.cumsum(0)])
    shapes = []
    for k, entry in enumerate(meta["shapes"]):
        (v0, f0, m0), (v1, f1, m1) = starts[k], starts[k + 1]
        mesh = Mesh(arrays["vertices"][v0:v1], arrays["faces"][f0:f1], arrays["parts"][f0:f1])
        told: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in entry["info"].items()}
        info = ObjectInfo(**told)
        model = ObjectModel(info, mesh, arrays["materials"][m0:m1])
        shapes.append(Shape(entry["source"], entry["creator"], entry["place"], entry["solidity"], model))
    return shapes


def _write(path: Path, shapes: list[Shape]) -> None:
    entries = [
        {
            "source": s.source, "creator": s.creator, "place": s.place, "solidity": s.solidity,
            "info": asdict(s.model.info),
            "counts": [len(s.model.mesh.vertices), len(s.model.mesh.faces), len(s.model.materials)],
        }
        for s in shapes
    ]  # fmt: skip
    part = path.with_suffix(".part.npz")
    np.savez_compressed(
        part,
        meta=np.array(json.dumps({"format": FORMAT, "shapes": entries})),
        vertices=np.concatenate([s.model.mesh.vertices for s in shapes]),
        faces=np.concatenate([s.model.mesh.faces for s in shapes]),
        parts=np.concatenate([s.model.mesh.parts for s in shapes]),
        materials=np.concatenate([s.model.materials for s in shapes]),
    )
    part.replace(path)


def _furniture(libraries: dict[str, zipfile.ZipFile]) -> Iterator[Shape]:
    """The models of sweethome3d-furniture that the catalogue lists, in the sizes that their library states."""
    for library in catalogue.LIBRARIES:
        archive = libraries[library]
        entries = _library_entries(archive)
        for place, lists in catalogue.FURNITURE.items():
            for name in lists[library].split():
                entry = entries[name]
                raw = read_obj(archive, entry["model"].lstrip("/"))
                turn = np.array([float(v) for v in entry.get("modelRotation", "1 0 0 0 1 0 0 0 1").split()])
                vertices = raw.vertices @ turn.reshape(3, 3).T @ Z_UP.T
                size = np.array([float(entry[key]) / 100 for key in ("width", "depth", "height")])
                extent = np.ptp(vertices[np.unique(raw.faces)], 0)
                vertices = vertices * (size / np.maximum(extent, 1e-9))
                yield _shape(
                    f"{FURNITURE.name}/{library}/{name}", entry["creator"], place, entry["name"].lower(), raw, vertices
                )


def _library_entries(archive: zipfile.ZipFile) -> dict[str, dict[str, str]]:
    """A library's catalogue entries (key to value), by the stem of the model's file."""
    text = archive.read("PluginFurnitureCatalog.properties").decode("latin1")
    numbered: dict[str, dict[str, str]] = {}
    for key, number, value in re.findall(r"^(\w+)#(\d+)=(.*)$", text, re.MULTILINE):
        numbered.setdefault(number, {})[key] = value.strip()
    return {Path(entry["model"]).stem: entry for entry in numbered.values()}


def _pybullet(archive: zipfile.ZipFile) -> Iterator[Shape]:
    """The named and unnamed models of pybullet_data that the catalogue lists."""
    for path, (name, longest) in catalogue.NAMED.items():
        raw = read_obj(archive, f"pybullet_data/{path}")
        vertices = raw.vertices @ Z_UP.T
        vertices = vertices * (longest / np.ptp(vertices[np.unique(raw.faces)], 0).max())
        yield _shape(f"{PYBULLET.name}/{path}", "", "item", name, raw, vertices)
    for number in catalogue.UNNAMED:
        raw = read_obj(archive, f"pybullet_data/random_urdfs/{number:03d}/{number:03d}.obj")
        urdf = archive.read(f"pybullet_data/random_urdfs/{number:03d}/{number:03d}.urdf").decode()
        color = re.search(r'rgba="([\d.]+) ([\d.]+) ([\d.]+)', urdf)
        paint = Paint(np.array([float(v) for v in color.groups()] if color else [0.6] * 3), np.zeros(3), 0.1, 1.0)
        raw = Model(raw.vertices, raw.faces, np.zeros_like(raw.parts), (paint,))
        shortest, longest = catalogue.UNNAMED_EDGE
        edge = shortest + (longest - shortest) * (number * 37 % 101) / 100
        vertices = raw.vertices * (edge / np.ptp(raw.vertices[np.unique(raw.faces)], 0).max())
        yield _shape(f"{PYBULLET.name}/random_urdfs/{number:03d}", "", "item", "thing", raw, vertices)


def _shape(source: str, creator: str, place: Place, name: str, raw: Model, vertices: NDArray[np.float64]) -> Shape:
    """Decimate a model, put it on z = 0, and compute its materials and solidity."""
    points, faces, parts = thin_out(vertices, raw.faces, raw.parts, MOST_FACES[place])
    mesh = Mesh(points.astype(np.float32), faces.astype(np.int32), parts.astype(np.int32)).grounded()
    rows = np.stack([_material(paint, k, float(mesh.size.max())) for k, paint in enumerate(raw.paints)])
    size = (float(mesh.size[0]), float(mesh.size[1]), float(mesh.size[2]))
    info = ObjectInfo(name, name, (), "", "", size)
    return Shape(source, creator, place, round(solidity(mesh), 3), ObjectModel(info, mesh, rows))


def _material(paint: Paint, number: int, size: float) -> NDArray[np.float32]:
    """A row of the simulator's material table; a texture's contrast becomes a noise pattern."""
    row = np.zeros(MATERIAL_COLUMNS, np.float32)
    row[0:3] = np.clip(paint.color, 0.02, 0.95)
    row[3] = PATTERNS.index("noise" if paint.contrast.max() > 0.03 else "plain")
    row[4:7] = np.clip(paint.color - 1.5 * paint.contrast, 0.01, 0.95)
    row[7] = np.clip(0.06 * size, 0.004, 0.03)
    row[8] = 17 * number + 1
    row[9] = 0.5 * paint.shine
    # Depth loss: transparent and very dark things return little light.
    row[10] = 0.5 * (1 - paint.opacity) + (0.1 if paint.color.max() < 0.06 else 0.0)
    return row


def thin_out(
    vertices: NDArray[np.float64], faces: NDArray[np.int64], parts: NDArray[np.int64], most: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Decimate a mesh by merging the vertices in each cell of a grid that leaves at most ``most`` triangles.

    Returns:
        vertices, faces and parts, without collapsed and duplicate triangles.
    """
    cell = float(np.ptp(vertices[np.unique(faces)], 0).max()) / 2000
    while True:
        keys, inverse = np.unique(np.floor(vertices / cell).astype(np.int64), axis=0, return_inverse=True)
        inverse = inverse.ravel()
        merged = inverse[faces]
        kept = (merged[:, 0] != merged[:, 1]) & (merged[:, 1] != merged[:, 2]) & (merged[:, 2] != merged[:, 0])
        _, first = np.unique(np.sort(merged, 1), axis=0, return_index=True)
        chosen = np.intersect1d(np.flatnonzero(kept), first)
        if len(chosen) <= most:
            break
        cell *= 1.3
    used, renamed = np.unique(merged[chosen], return_inverse=True)
    weights = np.bincount(inverse, minlength=len(keys))
    means = np.stack([np.bincount(inverse, vertices[:, k], len(keys)) for k in range(3)], 1) / weights[:, None]
    return means[used], renamed.reshape(-1, 3), parts[chosen]


def solidity(mesh: Mesh, cells: int = 48) -> float:
    """Volume enclosed by the six depth images along the axes, relative to the convex hull's; about 1 for convex meshes,
    1 for flat ones.

    Args:
        cells: resolution of the images and of the volume along each axis.
    """
    try:
        hull = ConvexHull(mesh.vertices.astype(np.float64)).volume
    except QhullError:
        return 1.0
    size = np.maximum(mesh.size.astype(np.float64), 1e-4)
    inside = np.ones((cells, cells, cells), bool)
    centers = (np.arange(cells) + 0.5) / cells
    unit = (mesh.vertices - mesh.vertices.min(0)) / size
    for axis in range(3):
        others = [k for k in range(3) if k != axis]
        for sign in (1.0, -1.0):
            view = np.full((cells, cells), -1e3)
            turned = np.stack([unit[:, others[1]], unit[:, others[0]], sign * unit[:, axis]], 1)
            raster.plan(turned, mesh.faces, 0.5 / cells, 0.5 / cells, 1.0 / cells, view)
            below = np.expand_dims(view, axis) >= sign * centers.reshape([-1 if k == axis else 1 for k in range(3)])
            inside &= below
    return float(inside.mean() * size.prod() / max(hull, 1e-12))
