"""Reading clouds from files and writing results to files."""

from __future__ import annotations

import itertools
import json
import logging
import sys
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segvec3d_core.bags import BAG_SUFFIXES, is_bag, iter_bag_clouds
from segvec3d_core.datasets.frames import FrameFolder, read_camera, read_color, read_depth, read_up
from segvec3d_core.files import replacing
from segvec3d_core.pointcloud2 import with_camera
from segvec3d_core.scan_files import read_pcd, read_ply
from segvec3d_core.types import FARTHEST, Matches, PointCloud, Scene
from segvec3d_core.units import some_finite, unit_doubt

__all__ = [
    "cloud_files",
    "is_cloud_folder",
    "iter_bag_clouds",
    "read_cloud",
    "read_labelled_scan",
    "scene_to_dict",
    "write_cloud",
    "write_labels",
    "write_scene_json",
]

SCENE_VERSION = 1
"""Version of the JSON of a scene; docs/scene.schema.json describes it."""

SCAN_FORMATS = (".ply", ".pcd", ".npz", ".xyz", ".txt")
FORMATS = (*SCAN_FORMATS, ".png", *BAG_SUFFIXES)

_COARSE, _LOST = 1e-3, 0.02  # metres; resolution of float32 from which objects are blurred, or lost
_SPARSE = 0.03  # metres; median spacing of a mesh's vertices from which they do not represent its surfaces
_ELSEWHERE = {
    **dict.fromkeys((".obj", ".glb", ".gltf", ".stl", ".off", ".fbx", ".usdz"), "sample points on the mesh, as PLY"),
    **dict.fromkeys((".las", ".laz", ".e57", ".pts", ".ptx", ".asc", ".csv", ".splat"), "export it as PLY"),
}
"""Advice for formats that only other programs read, such as CloudCompare."""

log = logging.getLogger(__name__)


def read_cloud(
    path: str | Path,
    color: str | Path | None = None,
    camera: str | Path | None = None,
    index: int = 0,
    topic: str | None = None,
    scale: float = 1.0,
) -> PointCloud:
    """Read a cloud from a file.

    Points are converted to float32. Beyond 16 km from the origin float32 is coarser than a millimetre: such a file is
    read with a logged warning. Beyond 260 km, as with UTM coordinates, shapes are lost and the file is refused:
    subtract an origin beforehand.

    Args:
        path: .ply, .pcd, .npz (points, colors), .xyz or .txt (x y z [r g b] per line), a 16-bit depth .png, a bag
            (rosbag2 directory, .mcap, .db3, ROS 1 .bag), or a frame folder.
        color: colour image of a depth image; None takes it from ../color of a frame folder.
        camera: JSON with the intrinsics of a depth image; None takes it from the frame folder. The up direction always
            comes from the frame folder.
        index: which cloud of a bag, or which frame of a folder.
        topic: the PointCloud2 topic of a bag.
        scale: metres per unit of a scan, for instance 0.001 for millimetres.

    Raises:
        FileNotFoundError: no such file.
        ValueError: an unknown format; a file that is broken, truncated, without x, y, z, or too far from its origin; an
            argument that does not apply to such a file; or a scale that is not finite and positive.
    """
    if not 0 < scale < float("inf"):
        raise ValueError(f"scale: expected the metres of a unit of length, above 0, got {scale}")
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    _require_meaning(path, color=color, camera=camera, index=index, topic=topic, scale=scale != 1)
    if is_bag(path):
        return _read_bag(path, index, topic)
    if path.is_dir():
        folder = FrameFolder(path)
        if not 0 <= index < len(folder):
            raise ValueError(f"{path}: no frame {index}: it has {len(folder)}")
        return folder[index].cloud()
    readers = {".ply": _read_scan, ".pcd": _read_scan, ".xyz": _read_text, ".txt": _read_text}
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return read_labelled_scan(path, scale)[0]
    if suffix == ".png":
        return _read_depth_image(path, color, camera)
    if suffix not in readers:
        hint = f"; {_ELSEWHERE[suffix]}, for instance in CloudCompare" if suffix in _ELSEWHERE else ""
        known = f"known: {', '.join(FORMATS)}"
        raise ValueError(f"{path}: unknown format {path.suffix or 'without a suffix'}; {known}{hint}")
    try:
        return readers[suffix](path, scale)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None


def is_cloud_folder(path: str | Path) -> bool:
    """Whether a path is a folder of clouds, the pieces of one scan, and not a bag or frame folder."""
    folder = Path(path)
    return folder.is_dir() and not is_bag(folder) and not (folder / "depth").is_dir()


def _require_meaning(path: Path, **told: Any) -> None:
    """Raise ValueError for an argument that would have no effect: asking for cloud 5 must not return another one."""
    if is_bag(path):
        meant: tuple[str, ...] = ("index", "topic")
    elif path.is_dir():
        meant = ("index",)
    else:
        meant = ("color", "camera") if path.suffix.lower() == ".png" else ("scale",)
    for name, value in told.items():
        if value and name not in meant:
            raise ValueError(f"{name}: says nothing of {path}, expected none")


def cloud_files(folder: str | Path) -> list[Path]:
    """The cloud files of a folder, sorted by name.

    Raises:
        ValueError: there are none.
    """
    files = sorted(file for file in Path(folder).iterdir() if file.suffix.lower() in SCAN_FORMATS)
    if not files:
        raise ValueError(f"{folder}: expected clouds ({', '.join(SCAN_FORMATS)}), got none")
    return files


def _read_bag(path: Path, index: int, topic: str | None) -> PointCloud:
    if index < 0:
        raise ValueError(f"index: expected 0 or more, got {index}")
    found = next(itertools.islice(iter_bag_clouds(path, topic), index, None), None)
    if found is None:
        raise ValueError(f"{path}: no cloud {index}: it has fewer")
    return found[2]


def read_labelled_scan(path: str | Path, scale: float = 1.0) -> tuple[PointCloud, NDArray[np.int32] | None]:
    """Read an .npz with ``points`` and, each optional, ``colors``, ``labels``, ``up`` and ``viewpoint``.

    Args:
        path: the file; scale: metres per unit, as for ``read_cloud``.

    Returns:
        The cloud, and its (N,) int32 labels (0 = unlabelled) or None.

    Raises:
        FileNotFoundError: no such file. ValueError: not such an archive, or arrays of a wrong shape or type.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, TypeError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: not a readable .npz: {error}") from None  # TypeError: the file is an .npy
    if "points" not in arrays:
        raise ValueError(f"{path}: no array named points; it holds {', '.join(arrays) or 'nothing'}")
    try:
        cloud = _cloud(path, arrays["points"], scale, arrays.get("colors"), arrays.get("up"), arrays.get("viewpoint"))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
    labels = arrays.get("labels")
    if labels is None:
        return cloud, None
    if labels.shape != (len(cloud),) or labels.dtype.kind not in "iu":
        raise ValueError(f"{path}: labels: expected ({len(cloud)},) integers, got {labels.shape} {labels.dtype}")
    if len(labels) and not -(2**31) <= int(labels.min()) <= int(labels.max()) < 2**31:
        raise ValueError(f"{path}: labels: expected numbers of 32 bits, got {labels.min()} to {labels.max()}")
    return cloud, labels.astype(np.int32)


def _read_depth_image(path: Path, color: str | Path | None, camera: str | Path | None) -> PointCloud:
    """Read a depth image as a cloud; missing arguments are looked up in the layout of a frame folder."""
    folder = path.absolute().parent
    root = folder.parent
    if camera is None:
        places = [root / "camera" / f"{path.stem}.json", root / "camera.json", folder / "camera.json"]
        camera = next((place for place in places if place.is_file()), None)
        if camera is None:
            raise FileNotFoundError(f"{path}: a depth image needs its intrinsics: give --camera camera.json")
    up = None
    if folder.name == "depth":
        up, beside = read_up(root / "up.json", path.stem), root / "color" / f"{path.stem}.png"
        color = color or (beside if beside.is_file() else None)
    intrinsics, depth_scale = read_camera(camera)
    depth = read_depth(path, intrinsics, depth_scale)
    colors = None if color is None else read_color(color, intrinsics)
    cloud = PointCloud.from_depth(depth, intrinsics, colors, up=up)
    _warn_if_wide(path, cloud.points, "its camera.json tells depth_scale")
    return cloud


def _cloud(
    path: Path, points: NDArray[Any], scale: float, colors: NDArray[Any] | None, up: NDArray[Any] | None = None,
    viewpoint: NDArray[Any] | None = None,
) -> PointCloud:  # fmt: skip
    """Make a cloud of a file's points; warn if float32 cannot resolve a millimetre, or if they are not in metres."""
    if scale != 1:
        points = _scaled(points, scale)
        viewpoint = None if viewpoint is None else _scaled(viewpoint, scale)
    if points.dtype.kind in "fiu" and points.size and points.shape[1:] == (3,):
        _check_resolution(path, points)
        _warn_if_wide(path, points, "scale (--scale of segment and find) tells the metres of a unit")
    with np.errstate(over="ignore"):  # overflow becomes Inf, which means no return
        return PointCloud(points, colors, up, viewpoint)  # type: ignore[arg-type]


def _scaled(lengths: NDArray[Any], scale: float) -> NDArray[Any]:
    """Convert lengths to metres; non-numeric arrays are returned unchanged and refused later."""
    with np.errstate(over="ignore"):
        return lengths * np.float64(scale) if lengths.dtype.kind in "fiu" else lengths


def _check_resolution(path: Path, points: NDArray[Any]) -> None:
    """Warn if float32 cannot resolve a millimetre at some points.

    Raises:
        ValueError: most points lie so far away that their shapes are lost.
    """
    largest = float(np.abs(points).max(where=np.isfinite(points), initial=0))
    if (resolution := _resolution(largest)) <= _COARSE:
        return
    some = some_finite(points)
    most = float(np.median(np.abs(some).max(1))) if len(some) else 0.0
    if _LOST < _resolution(most) and most < FARTHEST:  # points beyond FARTHEST are treated as noise
        told = f"coordinates of {most:.8g} m, where float32 has a resolution of {_resolution(most):.2g} m"
        raise ValueError(
            f"{told}: subtract an origin before, for instance by CloudCompare's global shift, or tell the unit's scale"
        )
    log.warning(
        "%s: coordinates reach %.8g m, where float32 has a resolution of %.2g m: subtract an origin before",
        path, largest, resolution,
    )  # fmt: skip


def _resolution(coordinate: float) -> float:
    """Resolution of float32, which has 24 significant bits, at a coordinate."""
    return float(2.0 ** (np.frexp(coordinate)[1] - 24))


def _warn_if_wide(path: Path, points: NDArray[Any], remedy: str) -> None:
    if doubt := unit_doubt(points):
        log.warning("%s: %s: %s", path, doubt, remedy)


def _warn_if_sparse(path: Path, corners: NDArray[np.float32]) -> None:
    """Warn if a mesh has too few vertices: a decimated mesh has hardly any on flat surfaces such as the floor."""
    from scipy.spatial import cKDTree

    corners = np.unique(corners[np.isfinite(corners).all(1)], axis=0)
    if len(corners) < 2:
        return
    apart = cKDTree(corners).query(corners[:: max(1, len(corners) // 2_000)], 2)[0][:, 1]
    spacing = float(np.median(apart))
    if spacing > _SPARSE:
        log.warning(
            "%s: a mesh whose corners lie %.0f mm apart, and they alone are read: sample points on it before, for "
            "instance in CloudCompare", path, 1e3 * spacing,
        )  # fmt: skip


def _read_text(path: Path, scale: float) -> PointCloud:
    """Read lines of x y z or x y z r g b, separated by spaces or commas; # and // start a comment."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # numpy warns about a file without lines
            with path.open(encoding="utf-8-sig") as file:
                table = np.loadtxt((_unseparated(line) for line in file), np.float64, ndmin=2)
    except UnicodeDecodeError:
        raise ValueError("expected lines of x y z [r g b], got bytes that are no text") from None
    except ValueError as error:
        reason = str(error).split(";")[0]
        raise ValueError(f"expected lines of x y z [r g b]: {reason}") from None
    if table.size == 0:
        return PointCloud(np.empty((0, 3), np.float32))
    if table.shape[1] < 3:
        raise ValueError(f"expected lines of x y z [r g b], got {table.shape[1]} columns")
    if table.shape[1] >= 7:
        raise ValueError(f"expected lines of x y z [r g b], got {table.shape[1]} columns: leave out what else there is")
    colors = table[:, 3:6] if table.shape[1] >= 6 else None
    if colors is not None and not ((colors >= 0) & (colors <= 255) & (colors == np.round(colors))).all():
        raise ValueError("expected r g b as whole numbers from 0 to 255 in columns 4 to 6")
    if colors is not None and 0 < colors.max() <= 1 and len(colors) > 1:
        raise ValueError("expected r g b from 0 to 255 in columns 4 to 6, got none above 1: fractions, or normals?")
    return _cloud(path, table[:, :3], scale, None if colors is None else colors.astype(np.uint8))


def _unseparated(line: str) -> str:
    """Replace commas by spaces; ValueError if there is nothing between two commas."""
    fields = line.partition("#")[0].partition("//")[0].strip().rstrip(",").split(",")
    if len(fields) > 1 and not all(field.strip() for field in fields):
        raise ValueError(f"nothing between two commas in {line.strip()[:60]!r}")
    return line.partition("//")[0].replace(",", " ")


def _read_scan(path: Path, scale: float) -> PointCloud:
    """Read a PLY or PCD file; an organised cloud gets the camera that fits it, if there is one."""
    scan = read_ply(path) if path.suffix.lower() == ".ply" else read_pcd(path)
    cloud = _cloud(path, scan.points, scale, scan.colors)
    if scan.is_mesh:
        _warn_if_sparse(path, cloud.points)
    return with_camera(cloud, scan.width, scan.height)


def write_labels(path: str | Path, labels: NDArray[np.int32]) -> None:
    """Write (N,) labels as .npy, in the order of the cloud's points, row by row for an image."""
    with replacing(path) as part, part.open("wb") as file:
        np.save(file, labels)


def write_cloud(path: str | Path, cloud: PointCloud, labels: NDArray[np.int32] | None = None) -> None:
    """Write a cloud, with its labels if given, as .ply (binary) or .npz.

    A .ply holds x y z, red green blue if there are colours, and label; points that are not finite are left out, because
    many viewers cannot read them. An .npz holds points, colors, up, viewpoint and labels of all rows. Labels are
    written unchanged; note that in scans for evaluation 0 means no instance (``read_labelled_scan``).

    Raises:
        ValueError: another suffix, or labels of another length.
    """
    path = Path(path)
    if labels is not None and len(labels) != len(cloud):
        raise ValueError(f"labels: expected {len(cloud)}, got {len(labels)}")
    suffix = path.suffix.lower()
    if suffix not in (".ply", ".npz"):
        raise ValueError(f"{path}: clouds are written as .ply or .npz, got {suffix or 'no suffix'}")
    if suffix == ".npz":
        arrays: dict[str, NDArray[Any]] = {"points": cloud.points}
        attributes = {"colors": cloud.colors, "up": cloud.up, "viewpoint": cloud.viewpoint, "labels": labels}
        for name, array in attributes.items():
            if array is not None:
                arrays[name] = array
        with replacing(path) as part, part.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        return
    keep = np.isfinite(cloud.points).all(1)
    columns: list[tuple[str, str, NDArray[Any]]] = [
        (axis, "float", cloud.points[keep, i].astype("<f4")) for i, axis in enumerate("xyz")
    ]
    if cloud.colors is not None:
        columns += [(name, "uchar", cloud.colors[keep, i]) for i, name in enumerate(("red", "green", "blue"))]
    if labels is not None:
        columns.append(("label", "int", labels[keep].astype("<i4")))
    table = np.empty(int(keep.sum()), [(name, column.dtype) for name, _, column in columns])
    for name, _, column in columns:
        table[name] = column
    properties = "".join(f"property {kind} {name}\n" for name, kind, _ in columns)
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(table)}\n{properties}end_header\n"
    with replacing(path) as part:
        part.write_bytes(header.encode("ascii") + table.tobytes())


def scene_to_dict(
    scene: Scene,
    source: str = "",
    names: Sequence[tuple[str, float]] | None = None,
    query: str | None = None,
    matches: Matches | None = None,
) -> dict[str, Any]:
    """Convert a scene to the JSON object described by docs/scene.schema.json.

    Args:
        scene: the instances.
        source: where the cloud came from.
        names: (label, similarity) of each instance, as returned by ``SegVec3D.name``.
        query, matches: a query and its answer.
    """
    if names is not None and len(names) != len(scene.objects):
        raise ValueError(f"names: expected {len(scene.objects)}, got {len(names)}")
    objects = []
    for k, item in enumerate(scene.objects):
        entry: dict[str, Any] = {
            "id": k,
            "kind": item.kind,
            "score": float(item.score),
            "center": item.box.center.tolist(),
            "rotation": item.box.rotation.tolist(),
            "size": item.box.size.tolist(),
            "centroid": item.centroid.tolist(),
            "color": None if item.color is None else item.color.tolist(),
            "points": int(item.point_count),
        }
        if names is not None:
            entry |= {"label": names[k][0], "label_similarity": float(names[k][1])}
        objects.append(entry)
    result: dict[str, Any] = {
        "version": SCENE_VERSION,
        "source": source,
        "points": len(scene.labels),
        "seconds": {stage: float(seconds) for stage, seconds in scene.timings.items()},
        "objects": objects,
    }
    if query is not None:
        found = matches if matches is not None else Matches()
        result["query"] = {
            "text": query,
            "interpretation": found.interpretation,
            "matches": [{"id": match.index, "similarity": float(match.similarity)} for match in found],
        }
    return result


def write_scene_json(path: str | Path, scene: Scene, **details: Any) -> None:
    """Write ``scene_to_dict(scene, **details)`` to a file, or to standard output for "-"."""
    write_json(path, scene_to_dict(scene, **details))


def write_json(path: str | Path, values: dict[str, Any]) -> None:
    """Write an object as JSON to a file, or to standard output for "-". NaN is not JSON and is refused."""
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
        return
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
