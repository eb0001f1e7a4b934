"""``segvec3d segment`` and ``segvec3d find``."""

from __future__ import annotations

import logging
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from segvec3d_core.checkpoint import shipped_path
from segvec3d_core.cli.common import at_least, configuration, load_model, progress
from segvec3d_core.config import DEFAULT_VOCABULARY
from segvec3d_core.io import (
    cloud_files,
    is_cloud_folder,
    read_cloud,
    scene_to_dict,
    write_cloud,
    write_json,
    write_labels,
    write_scene_json,
)
from segvec3d_core.pipeline import SegVec3D
from segvec3d_core.tiles import MARGIN, Tiling, process_submit, segment_tiles
from segvec3d_core.types import Matches, PointCloud, Scene
from segvec3d_core.view import save_picture

log = logging.getLogger(__name__)

Names = Sequence[tuple[str, float]]

SMALLEST_TILE = 0.5
"""Smallest tile edge, metres; with smaller tiles, their overhead would exceed the work on the scan."""


def _as_told(args: Namespace, cloud: PointCloud, quiet: bool = False) -> PointCloud:
    """The cloud with ``--viewpoint`` and ``--up`` applied. If up is unknown, it is set to z, with a message unless
    ``quiet``; not for a cloud in a camera's own frame."""
    told: dict[str, Any] = {
        name: np.array(value, np.float32) for name in ("viewpoint", "up") if (value := getattr(args, name))
    }
    cloud = replace(cloud, **told)
    own = cloud.lies_ahead if cloud.viewpoint is None else not cloud.viewpoint.any()
    if cloud.up is None and not own and len(cloud):
        if not quiet:
            print("up: z, as nothing says otherwise; for a scan whose y is up give --up 0 1 0", file=sys.stderr)
        cloud = replace(cloud, up=np.array([0, 0, 1], np.float32))
    return cloud


def _segmented(args: Namespace) -> tuple[SegVec3D, PointCloud, Scene]:
    cloud = _as_told(args, read_cloud(args.input, args.color, args.camera, args.index, args.topic, args.scale))
    if not np.isfinite(cloud.points).all(1).any():
        log.warning("%s: no points with finite coordinates: there is nothing to find in it", args.input)
    model = load_model(args)
    _refuse_early(args, model)
    if args.tiles is not None:
        return model, cloud, _in_tiles(args, model, [cloud])
    return model, cloud, model.segment(cloud, configuration(args))


def _refuse_early(args: Namespace, model: SegVec3D) -> None:
    """Raise ValueError for an invalid query, before the cloud is segmented."""
    if args.query is not None:
        nothing = Scene(np.empty(0, np.int32))
        model.find(nothing, args.query, getattr(args, "top_k", None), getattr(args, "min_similarity", None))


def _in_tiles(args: Namespace, model: SegVec3D, chunks: Iterable[PointCloud]) -> Scene:
    """Segment in tiles (``--tiles``), in processes if there are several ``--workers``."""
    tiling, config = Tiling(args.tiles, min(MARGIN, args.tiles / 2)), configuration(args)
    if args.workers == 1:
        return segment_tiles(model, chunks, tiling, config, watch=progress)
    with process_submit(args.workers) as submit:
        return segment_tiles(
            args.model or shipped_path(), chunks, tiling, config, submit=submit, ahead=2 * args.workers,
            watch=progress, device=model.device,
        )  # fmt: skip


def _refuse_to_replace(args: Namespace, written: Iterable[Path]) -> None:
    """Raise ValueError if a result would overwrite the input or another file of its frame folder."""
    source = Path(args.input).resolve()
    root, name = (source.parent.parent, source.stem) if source.is_file() else (source, str(args.index or ""))
    read = {source, root / "camera.json", *(Path(file).resolve() for file in (args.color, args.camera) if file)}
    read |= {
        root / part / f"{name}{suffix}"
        for part in ("depth", "color", "label", "camera")
        for suffix in (".png", ".json")
    }
    for path in written:
        if path.resolve() in read:
            raise ValueError(f"output: {path} is part of the input, which would be replaced: expected another folder")


def _lies_in_pieces(args: Namespace) -> bool:
    """Check the arguments of ``--tiles``; returns whether the input is a scan in several files.

    Raises:
        ValueError: ``--workers`` without ``--tiles``, tiles that are too small, or an argument that has no effect with
            ``--tiles``, such as ``--viewpoint``: a scan of any size has many viewpoints.
    """
    if at_least("--workers", args.workers, 1) > 1 and args.tiles is None:
        raise ValueError("workers: they share tiles, expected --tiles")
    if args.tiles is not None and not args.tiles >= SMALLEST_TILE:
        raise ValueError(f"tiles: expected at least {SMALLEST_TILE} m, got {args.tiles}")
    pieces = args.tiles is not None and is_cloud_folder(args.input)
    if args.tiles is not None and args.viewpoint is not None:
        raise ValueError("viewpoint: not used with --tiles, expected none")
    for name in ("color", "camera", "index", "topic"):
        if pieces and getattr(args, name):
            raise ValueError(f"{name}: not used of a scan in several files, expected none")
    return pieces


def _pieces(args: Namespace, files: Iterable[Path]) -> Iterator[PointCloud]:
    return (read_cloud(file, scale=args.scale) for file in files)


def _of_pieces(args: Namespace, model: SegVec3D, files: Iterable[Path]) -> Scene:
    return _in_tiles(args, model, (_as_told(args, cloud, quiet=k > 0) for k, cloud in enumerate(_pieces(args, files))))


def _segment_folder(args: Namespace) -> int:
    """Segment a scan in several files; print the instances, write JSON and a labelled copy of each file."""
    labels, files = _vocabulary(args.labels), cloud_files(args.input)
    if Path(args.output).resolve() == Path(args.input).resolve():
        raise ValueError("output: expected another folder than that of the pieces, which would be read as more of them")
    if len({file.stem for file in files}) < len(files):
        raise ValueError(f"{args.input}: expected pieces of different names, got two that differ in their suffix alone")
    model = load_model(args)
    _refuse_early(args, model)
    scene = _of_pieces(args, model, files)
    said = _said(args, model, scene, labels)
    written = [Path(args.output) / f"{Path(args.input).resolve().name}.json"]
    write_json(written[0], said.result)
    first = 0
    for file, cloud in zip(files, _pieces(args, files), strict=True):
        written.append(Path(args.output) / f"{file.stem}_labelled.ply")
        write_cloud(written[-1], cloud, scene.labels[first : first + len(cloud)])
        first += len(cloud)
    return _tell(args, scene, said, written)


@dataclass(frozen=True, slots=True)
class _Said:
    """Results for a scene.

    Attributes:
        names: label and similarity of each object.
        matches: answer to --query, None without one.
        result: scene, names and matches as written to JSON.
        refusal: error if the query cannot be answered for this scene, raised only after the results are written.
    """

    names: Names
    matches: Matches | None
    result: dict[str, Any]
    refusal: ValueError | None


def _said(args: Namespace, model: SegVec3D, scene: Scene, labels: Sequence[str]) -> _Said:
    names, matches, refusal = model.name(scene, labels), None, None
    if args.query is not None:
        try:
            matches = model.find(scene, args.query)
        except ValueError as error:
            refusal = error
    asked = None if matches is None else args.query
    return _Said(names, matches, scene_to_dict(scene, str(args.input), names, asked, matches), refusal)


def _tell(args: Namespace, scene: Scene, said: _Said, written: list[Path]) -> int:
    """Print the results and the files written, or only the JSON if it goes to standard output.

    Raises:
        ValueError: the query was refused.
    """
    quiet = args.json == "-"
    if args.json is not None:
        write_json(args.json, said.result)
    if not quiet:
        print_scene(scene, said.names)
        if said.matches is not None:
            print_matches(args.query, said.matches, said.names)
    print("written: " + ", ".join(map(str, written)), file=sys.stderr if quiet else sys.stdout)
    if said.refusal is not None:
        raise said.refusal
    return 0


def segment(args: Namespace) -> int:
    """Segment a cloud into instances; print them and write picture, JSON, labelled cloud and labels."""
    if _lies_in_pieces(args):
        return _segment_folder(args)
    labels = _vocabulary(args.labels)
    base = Path(args.output) / (Path(args.input).resolve().stem + (f"_{args.index}" if args.index else ""))
    written = [base.with_name(base.name + end) for end in (".png", ".json", "_labelled.ply", "_labels.npy")]
    _refuse_to_replace(args, written)
    model, cloud, scene = _segmented(args)
    said = _said(args, model, scene, labels)
    title = Path(args.input).name if said.matches is None else args.query
    save_picture(written[0], cloud, scene, said.names, said.matches, title)
    write_json(written[1], said.result)
    write_cloud(written[2], cloud, scene.labels)
    write_labels(written[3], scene.labels)
    return _tell(args, scene, said, written)


def find(args: Namespace) -> int:
    """Find objects by text; returns exit code 1 if there are none."""
    if not args.query.strip():
        raise ValueError("TEXT: expected words, got an empty text")
    cloud: PointCloud | None = None
    if _lies_in_pieces(args):
        if args.picture is not None:
            raise ValueError("picture: cannot be drawn of a scan in several files")
        model = load_model(args)
        _refuse_early(args, model)
        scene = _of_pieces(args, model, cloud_files(args.input))
    else:
        model, cloud, scene = _segmented(args)
    matches = model.find(scene, args.query, args.top_k, args.min_similarity)
    names = model.name(scene, DEFAULT_VOCABULARY)
    if args.json is not None:
        write_scene_json(args.json, scene, source=str(args.input), names=names, query=args.query, matches=matches)
    if args.picture is not None and cloud is not None:
        save_picture(args.picture, cloud, scene, names, matches, args.query)
    if args.json != "-":
        print_matches(args.query, matches, names)
    return 0 if len(matches) else 1


def _vocabulary(text: str | None) -> Sequence[str]:
    if text is None:
        return DEFAULT_VOCABULARY
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise ValueError(f"--labels: expected words separated by commas, got {text!r}")
    return words


def print_scene(scene: Scene, names: Names) -> None:
    """Print a table of the instances, and the processing time."""
    milliseconds = 1e3 * sum(scene.timings.values())
    print(f"{len(scene)} instances of {len(scene.labels):,} points in {milliseconds:.0f} ms")
    if len(scene):
        title = f"{'id':>4}  {'score':>5}  {'kind':8}  {'label':18}  {'similarity':>10}"
        print(f"{title}  {'centre (m)':>24}  {'size (m)':>18}  {'points':>8}")
    for k, (item, (label, similarity)) in enumerate(zip(scene.objects, names, strict=True)):
        centre = " ".join(f"{value:7.3f}" for value in item.box.center)
        size = " x ".join(f"{value:.2f}" for value in item.box.size)
        what = f"{k:>4}  {item.score:5.2f}  {item.kind:8}  {label:18}  {similarity:10.2f}"
        print(f"{what}  {centre:>24}  {size:>18}  {item.point_count:>8}")


def print_matches(query: str, matches: Matches, names: Names) -> None:
    """Print the matches of a query."""
    if not len(matches):
        print(f'"{query}": nothing found ({matches.interpretation})')
        return
    print(f'"{query}": {len(matches)} found ({matches.interpretation})')
    for match in matches:
        centre = ", ".join(f"{value:.3f}" for value in match.object.box.center)
        size = " x ".join(f"{value:.2f}" for value in match.object.box.size)
        label = names[match.index][0]
        print(f"  id {match.index} ({label})  similarity {match.similarity:.2f}  at ({centre}) m, {size} m")
