"""Reads Wavefront OBJ models; each material has a single colour, the mean of its texture if it has one."""

from __future__ import annotations

import io
import posixpath
import zipfile
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True, slots=True)
class Paint:
    """Appearance of a material.

    Attributes:
        color: (3,) RGB, 0 to 1; the mean of its texture if it has one.
        contrast: (3,) standard deviation of the texture, 0 without one.
        shine: mean specular colour, 0 to 1.
        opacity: 0 to 1; 1 is opaque.
    """

    color: NDArray[np.float64]
    contrast: NDArray[np.float64]
    shine: float
    opacity: float


@dataclass(frozen=True, slots=True)
class Model:
    """An OBJ model.

    Attributes:
        vertices: (V, 3), in the file's units; faces: (F, 3) vertex indices of triangles.
        parts: (F,) material of each triangle, an index into ``paints``.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    parts: NDArray[np.int64]
    paints: tuple[Paint, ...]


GREY = Paint(np.full(3, 0.6), np.zeros(3), 0.1, 1.0)
"""Appearance of triangles without a known material."""


def read_obj(archive: zipfile.ZipFile, path: str) -> Model:
    """Read a model from a zip.

    Raises:
        KeyError: no such member.
        ValueError: no triangles.
    """
    vertices: list[list[float]] = []
    faces: list[tuple[int, int, int]] = []
    parts: list[int] = []
    names: dict[str, int] = {}
    library: dict[str, Paint] = {}
    part = -1
    for line in archive.read(path).decode("latin1").splitlines():
        key, _, rest = line.strip().partition(" ")
        if key == "v":
            vertices.append([float(value) for value in rest.split()[:3]])
        elif key == "f":
            corners = [int(corner.partition("/")[0]) for corner in rest.split()]
            corners = [c - 1 if c > 0 else len(vertices) + c for c in corners]
            triangles = [(corners[0], b, c) for b, c in pairwise(corners[1:])]
            if part < 0:
                part = names.setdefault("", len(names))
            faces += triangles
            parts += [part] * len(triangles)
        elif key == "usemtl":
            part = names.setdefault(rest.strip(), len(names))
        elif key == "mtllib":
            library |= _read_mtl(archive, posixpath.join(posixpath.dirname(path), rest.strip()))
    points, triangles_of, part_of = np.array(vertices), np.array(faces, np.int64).reshape(-1, 3), np.array(parts)
    known = np.isfinite(points).all(1)[triangles_of].all(1)  # some files contain NaN vertices
    if not known.any():
        raise ValueError(f"{path}: expected triangles, got none")
    paints = tuple(library.get(name, GREY) for name in names)
    return Model(np.where(np.isfinite(points), points, 0.0), triangles_of[known], part_of[known], paints)


def _read_mtl(archive: zipfile.ZipFile, path: str) -> dict[str, Paint]:
    """The materials of an .mtl file by name; none if the file is missing."""
    try:
        text = archive.read(path).decode("latin1")
    except KeyError:
        return {}
    result: dict[str, Paint] = {}
    for block in text.split("newmtl ")[1:]:
        name, *lines = block.splitlines()
        values = {line.split()[0]: line.split()[1:] for line in lines if line.split()}
        color, contrast = np.array([float(v) for v in values.get("Kd", ["0.6"] * 3)[:3]]), np.zeros(3)
        if "map_Kd" in values:
            texture = _read_texture(archive, posixpath.join(posixpath.dirname(path), values["map_Kd"][-1]))
            if texture is not None:
                color, contrast = texture.mean(0), texture.std(0)
        shine = float(np.mean([float(v) for v in values.get("Ks", ["0"])]))
        opacity = float(values["d"][-1]) if "d" in values else 1.0
        result[name.strip()] = Paint(color, contrast, min(shine, 1.0), opacity)
    return result


def _read_texture(archive: zipfile.ZipFile, path: str) -> NDArray[np.float64] | None:
    """(1024, 3) RGB, 0 to 1, of a texture resized to 32 x 32 pixels; None if it cannot be read."""
    try:
        with Image.open(io.BytesIO(archive.read(path))) as image:
            return np.asarray(image.convert("RGB").resize((32, 32)), np.float64).reshape(-1, 3) / 255
    except (KeyError, OSError):
        return None
