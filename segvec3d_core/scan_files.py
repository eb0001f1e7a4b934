"""Readers of PLY and PCD files, which raise ValueError if a file does not match its header.

Open3D is used only for compressed PCD files, because it reads truncated or damaged files without an error, filled up
with uninitialised memory.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .pointcloud2 import packed_colors

_PLY_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_PCD_TYPES = {("F", 4), ("F", 8), *((kind, size) for kind in "IU" for size in (1, 2, 4, 8))}
_CHANNELS = (("red", "green", "blue"), ("r", "g", "b"), ("diffuse_red", "diffuse_green", "diffuse_blue"))
"""Names of colour properties in PLY files; the first are the standard ones."""
_MAX_HEADER = 1 << 20  # bytes; a header beyond this is not one


@dataclass(frozen=True, slots=True)
class Scan:
    """Contents of a file.

    Attributes:
        points: (N, 3) float32 or float64, as in the file; colors: (N, 3) uint8 or None.
        width, height: of an organised cloud; height 1 if unorganised.
        is_mesh: whether the points are vertices of faces.
    """

    points: NDArray[Any]
    colors: NDArray[np.uint8] | None
    width: int
    height: int = 1
    is_mesh: bool = False


@dataclass(frozen=True, slots=True)
class _Element:
    """An element of a PLY file: name, count, and the words of each property's declaration."""

    name: str
    count: int
    properties: list[list[str]]

    @property
    def has_lists(self) -> bool:
        return any(words[0] == "list" for words in self.properties)

    def size(self) -> int:
        """Minimum bytes of one element: of a list only its length field."""
        kinds = [words[1] if words[0] == "list" else words[0] for words in self.properties]
        return sum(np.dtype(_PLY_TYPES[kind]).itemsize for kind in kinds)


def read_ply(path: Path) -> Scan:
    """Read the vertices of a PLY file, ASCII or binary in either byte order.

    Raises:
        ValueError: not a PLY file, a damaged or truncated one, or one whose vertices contain lists.
    """
    lines, start = _header_lines(path, "end_header")
    if lines[0] != ["ply"] or len(lines) < 2 or lines[1][0] != "format" or len(lines[1]) < 2:
        raise ValueError("not a PLY file: it does not begin with ply and format")
    elements = _elements(lines[2:-1])
    at = next((k for k, element in enumerate(elements) if element.name == "vertex"), None)
    names = [] if at is None else [words[-1] for words in elements[at].properties]
    if at is None or not {"x", "y", "z"} <= set(names):
        raise ValueError(f"expected vertices with x, y and z, got {', '.join(names) or 'none'}")
    vertex = elements[at]
    if vertex.has_lists:
        raise ValueError("expected vertices of single numbers, got lists")
    if lines[1][1] == "ascii":
        _check_lines(path, start, sum(element.count for element in elements), "lines")
        kinds = [(name, "f8") for name in names]
        table = _text_table(path, start, sum(e.count for e in elements[:at]), vertex.count, kinds)
    else:
        order = {"binary_little_endian": "<", "binary_big_endian": ">"}.get(lines[1][1])
        if order is None:
            raise ValueError(f"not a PLY file: unknown format {lines[1][1]}")
        needed = sum(element.count * element.size() for element in elements)
        _check_bytes(path, start, needed, f"{vertex.count} vertices")
        for element in elements[:at]:
            start += _length(path, start, element, order)
        kinds = [(words[-1], order + _PLY_TYPES[words[0]]) for words in vertex.properties]
        table = _byte_table(path, start, vertex.count, kinds)
    points = np.stack([table[axis] for axis in "xyz"], 1)
    colors = None
    channels = next((some for some in _CHANNELS if set(some) <= set(names)), None)
    if channels is not None:
        kind = next(words[0] for words in vertex.properties if words[-1] == channels[0])
        colors = _bytes_of(np.stack([table[name] for name in channels], 1).astype(np.float64), _PLY_TYPES[kind])
    is_mesh = any(element.name == "face" and element.count for element in elements)
    return Scan(points, colors, vertex.count, is_mesh=is_mesh)


def _elements(lines: list[list[str]]) -> list[_Element]:
    elements: list[_Element] = []
    try:
        for words in lines:
            if words[0] == "element":
                elements.append(_Element(words[1], int(words[2]), []))
            elif words[0] == "property":
                elements[-1].properties.append(words[1:])
        if any(element.count < 0 for element in elements):
            raise ValueError
    except (IndexError, ValueError):
        raise ValueError(f"broken PLY header: {' '.join(words)}") from None
    for words in (words for element in elements for words in element.properties):
        kinds = words[1:-1] if words[0] == "list" else words[:-1]
        if len(kinds) != 1 + (words[0] == "list") or not set(kinds) <= _PLY_TYPES.keys():
            raise ValueError(f"broken PLY header: unknown type in {' '.join(words)}")
    return elements


def _length(path: Path, start: int, element: _Element, order: str) -> int:
    """Total bytes of an element; its lists are traversed to determine them."""
    if not element.has_lists:
        return element.count * element.size()
    raw = np.memmap(path, np.uint8, "r", start)
    at = 0
    for _ in range(element.count):
        for words in element.properties:
            if words[0] != "list":
                at += np.dtype(_PLY_TYPES[words[0]]).itemsize
                continue
            kind = np.dtype(order + _PLY_TYPES[words[1]])
            length = raw[at : at + kind.itemsize]
            if len(length) < kind.itemsize:
                raise ValueError(f"truncated: it ends within the lists of {element.name}")
            at += kind.itemsize + int(length.view(kind)[0]) * np.dtype(_PLY_TYPES[words[2]]).itemsize
    return at


def read_pcd(path: Path) -> Scan:
    """Read the points of a PCD file, ASCII, binary or compressed.

    Raises:
        ValueError: not a PCD file, or a damaged or truncated one.
    """
    lines, start = _header_lines(path, "DATA")
    header = {words[0]: words[1:] for words in lines}
    fields = header.get("FIELDS", [])
    if not {"x", "y", "z"} <= set(fields):
        raise ValueError(f"expected fields x, y and z, got {', '.join(fields) or 'none'}")
    try:
        sizes = [int(size) for size in header["SIZE"]]
        counts = [int(count) for count in header.get("COUNT", ["1"] * len(sizes))]
        width, height = int(header["WIDTH"][0]), int(header["HEIGHT"][0])
        points, kind = int(header.get("POINTS", [str(width * height)])[0]), header["DATA"][0].lower()
        row = list(zip(fields, header["TYPE"], sizes, counts, strict=True))
    except (KeyError, IndexError, ValueError):
        raise ValueError("broken PCD header: expected SIZE, TYPE, COUNT, WIDTH, HEIGHT, POINTS and DATA") from None
    if points < 0 or any((letter, size) not in _PCD_TYPES or count < 1 for _, letter, size, count in row):
        raise ValueError("broken PCD header: unknown TYPE, SIZE or COUNT")
    kinds = [
        (name if count == 1 else "_", f"<{letter.lower()}{size}")
        for name, letter, size, count in row
        for _ in range(count)
    ]
    if kind == "ascii":
        _check_lines(path, start, points, "points")
        table = _text_table(path, start, 0, points, kinds)
    elif kind == "binary":
        _check_bytes(path, start, points * sum(np.dtype(k).itemsize for _, k in kinds), f"{points} points")
        table = _byte_table(path, start, points, kinds)
    elif kind != "binary_compressed":
        raise ValueError(f"broken PCD header: unknown DATA {kind}")
    else:
        with path.open("rb") as file:
            file.seek(start)
            packed = int.from_bytes(file.read(8)[:4], "little")
        _check_bytes(path, start, 8 + packed, f"{points} points")
        return Scan(*_unpacked(path, points), width, height)
    types = dict(kinds)
    color = next((name for name in ("rgb", "rgba") if types.get(name, "")[2:] == "4"), None)
    colors = None if color is None else packed_colors(np.ascontiguousarray(table[color]).view("<u4"))
    if colors is None and all(types.get(name) == "<u1" for name in "rgb"):
        colors = np.stack([table[name] for name in "rgb"], 1)
    return Scan(np.stack([table[axis] for axis in "xyz"], 1), colors, width, height)


def _unpacked(path: Path, expected: int) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """Points and colours of a compressed PCD file."""
    import open3d as o3d

    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        cloud = o3d.t.io.read_point_cloud(path, format="pcd")
    points = cloud.point.positions.numpy() if "positions" in cloud.point else np.empty((0, 3))
    if len(points) != expected:
        raise ValueError(f"broken: expected {expected} points, could read {len(points)}")
    colors = cloud.point.colors.numpy() if "colors" in cloud.point else None
    return points, colors if colors is not None and colors.dtype == np.uint8 else None


# Common to both formats -------------------------------------------------------------------------------------------


def _header_lines(path: Path, last: str) -> tuple[list[list[str]], int]:
    """The words of each header line up to the one that starts with ``last``, and the header's length in bytes."""
    lines: list[list[str]] = []
    with path.open("rb") as file:
        while file.tell() < _MAX_HEADER and (line := file.readline(4096)):
            words = line.decode("ascii", "replace").split()
            if words and words[0] not in ("#", "comment", "obj_info"):
                lines.append(words)
                if words[0] == last:
                    return lines, file.tell()
    raise ValueError(f"not a {path.suffix.lower()[1:].upper()} file, or cut off: its header has no line {last}")


def _check_bytes(path: Path, start: int, needed: int, what: str) -> None:
    have = os.path.getsize(path) - start
    if have < needed:
        raise ValueError(f"truncated: {what} need {needed} bytes after the header, got {have}")


def _check_lines(path: Path, start: int, needed: int, what: str) -> None:
    with path.open("rb") as file:
        file.seek(start)
        have = sum(1 for line in file if line.strip())
    if have < needed:
        raise ValueError(f"truncated: expected {needed} {what} after the header, got {have}")


def _layout(kinds: list[tuple[str, str]]) -> np.dtype[Any]:
    """Structured type of a row with its named columns only; "_" and repeated names are skipped."""
    ends = np.cumsum([np.dtype(kind).itemsize for _, kind in kinds])
    named = {name: k for k, (name, _) in reversed(list(enumerate(kinds))) if name != "_"}
    offsets = [int(ends[k]) - np.dtype(kinds[k][1]).itemsize for k in named.values()]
    formats = [kinds[k][1] for k in named.values()]
    return np.dtype({"names": list(named), "formats": formats, "offsets": offsets, "itemsize": int(ends[-1])})


def _byte_table(path: Path, start: int, count: int, kinds: list[tuple[str, str]]) -> NDArray[Any]:
    """(count,) rows of a binary file."""
    table = np.fromfile(path, _layout(kinds), count, offset=start)
    if len(table) < count:
        raise ValueError(f"truncated: it ends after {len(table)} of {count} points")
    return table


def _text_table(path: Path, start: int, skip: int, count: int, kinds: list[tuple[str, str]]) -> NDArray[Any]:
    """(count,) rows of a text file, one per line, after ``skip`` other lines."""
    table = np.zeros(count, _layout(kinds))
    if count == 0:
        return table
    with path.open("rb") as file:
        file.seek(start)
        lines = islice((line for line in file if line.strip()), skip, skip + count)
        try:
            numbers = np.loadtxt(lines, np.float64, comments=None, ndmin=2, encoding="latin-1")
        except ValueError as error:
            raise ValueError(f"broken: {str(error).split(';')[0]}") from None
    if numbers.shape != (count, len(kinds)):
        raise ValueError(f"broken: expected {count} rows of {len(kinds)} numbers, got {numbers.shape}")
    for k, (name, kind) in reversed(list(enumerate(kinds))):
        if name != "_":
            with np.errstate(over="ignore", invalid="ignore"):
                table[name] = numbers[:, k].astype(kind)
    return table


def _bytes_of(colors: NDArray[np.float64], kind: str) -> NDArray[np.uint8]:
    """Convert the colours of a PLY file, 0 to 255, 16-bit, or fractions, to 0 to 255."""
    if kind == "u2":
        colors = colors / 257
    elif kind in ("f4", "f8") and np.nanmax(colors, initial=0) <= 1:
        colors = colors * 255
    return np.nan_to_num(colors).round().clip(0, 255).astype(np.uint8)
