"""Samples: clouds with ground truth, from simulated scenes (cached on disk for further epochs), frames or scans."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ..datasets.frames import IGNORE, Frame
from ..datasets.scannet import ScanNetScene

if TYPE_CHECKING:
    from ..simulate import Entity, Layout, SimulatedFrame


@dataclass(frozen=True, slots=True)
class Sample:
    """A cloud with its ground truth.

    Attributes:
        points: (N, 3) float32, metres; colors: (N, 3) uint8, or None if the sensor has no colours.
        instance: (N,) int64, entity of each point, -1 unknown.
        viewpoint: (3,) float32, metres, or None for a fused scan; up: (3,) float32, or None if unknown.
        is_surface: (E,) bool, whether each entity is a surface; centres: (E, 3) float32 true centre of each entity,
            metres, in the cloud's frame.
        infos: description of each entity (name, colour, ...), None for surfaces and if unknown.
        earlier: sample of the same scene from another viewpoint a moment before, in this one's frame, or None.
    """

    points: NDArray[np.float32]
    colors: NDArray[np.uint8] | None
    instance: NDArray[np.int64]
    viewpoint: NDArray[np.float32] | None
    up: NDArray[np.float32] | None
    is_surface: NDArray[np.bool_]
    centres: NDArray[np.float32]
    infos: list[dict[str, Any] | None]
    earlier: Sample | None = None

    def without_colors(self) -> Sample:
        """The sample as from a sensor without colours."""
        return replace(self, colors=None)


def simulate_sample(seed: int, index: int) -> Sample:
    """Simulate scene ``index`` of the training set of ``seed``: tables, shelves and rooms, as frames and scans.

    In every other scene, today's objects are placed, viewed and sensed as in the simulator's first edition, so that
    sharp creases and sparse scans are learned beside rounded and smooth ones (docs/experiments.md).
    """
    with _edition(index):
        return _drawn(np.random.default_rng([seed, index]))


def _edition(index: int) -> AbstractContextManager[None]:
    """Context of the simulator's edition in which scene ``index`` is simulated."""
    from .. import simulate

    return simulate.first_edition(shapes=False) if index % 2 else nullcontext()


def _drawn(rng: np.random.Generator) -> Sample:
    """Simulate a frame or a scan of a random layout, in the current edition."""
    from .. import simulate

    kind = rng.choice(["table", "room", "shelf", "scan"], p=[0.6, 0.2, 0.1, 0.1])
    if kind != "scan":
        (width, height), layout = _size(rng), cast("Layout", str(kind))
        return _simulated(simulate.simulate_frame(rng, layout=layout, width=width, height=height))
    cloud, instance, entities = simulate.simulate_scan(rng)
    assert cloud.colors is not None
    return Sample(
        cloud.points, cloud.colors, instance.astype(np.int64), None, np.array([0, 0, 1], np.float32),
        *_entities(entities),
    )  # fmt: skip


def simulate_pair(seed: int, index: int) -> Sample:
    """Simulate two frames of a sequence: a sample with ``earlier`` from up to half a metre away by the same sensor, in
    the edition that ``simulate_sample`` uses for that index.

    Both are in the later one's frame, as a robot knows how it has moved.
    """
    with _edition(index):
        return _pair(np.random.default_rng([seed, 2, index]))


def _pair(rng: np.random.Generator) -> Sample:
    from .. import simulate

    scene = simulate.sample_scene(rng)
    camera = simulate.sample_camera(rng, *_size(rng))
    sensor, light = simulate.draw_sensor(rng), simulate.sample_light(rng)
    view = simulate.sample_view(rng, scene, sensor=sensor)
    step = rng.normal(0, 0.15, 3).clip(-0.3, 0.3)
    before = simulate.look_at(view.eye + step, view.eye + view.rotation[:, 2] * 1.2, rng.normal(0, 2.5))
    frame = simulate.render(rng, scene, view, camera, sensor, light)
    later = _simulated(frame)
    earlier = _simulated(simulate.render(rng, scene, before, camera, sensor, light))
    turn = (view.rotation.T @ before.rotation).astype(np.float32)
    shift = (view.rotation.T @ (before.eye - view.eye)).astype(np.float32)
    moved = replace(earlier, points=earlier.points @ turn.T + shift, viewpoint=shift, up=later.up)
    return replace(later, earlier=moved)


def _size(rng: np.random.Generator) -> tuple[int, int]:
    """Width and height of a training frame, pixels; in today's edition, a third are 16:9 as a phone's, else 4:3."""
    from ..simulate import is_first_edition

    width = int(rng.choice([320, 400, 480, 640], p=[0.2, 0.3, 0.3, 0.2]))
    wide = not is_first_edition() and rng.random() < 1 / 3
    return width, width * 9 // 16 if wide else width * 3 // 4


def _entities(
    entities: tuple[Entity, ...],
) -> tuple[NDArray[np.bool_], NDArray[np.float32], list[dict[str, Any] | None]]:
    """``is_surface``, ``centres`` and ``infos`` of a sample's entities."""
    return (
        np.array([e.kind == "surface" for e in entities], bool),
        np.array([e.center for e in entities], np.float32).reshape(-1, 3),
        [None if e.info is None else asdict(e.info) for e in entities],
    )


def _simulated(frame: SimulatedFrame) -> Sample:
    """A sample of a simulated frame's points with a depth return."""
    cloud = frame.cloud()
    keep = np.isfinite(cloud.points).all(1)
    return Sample(
        np.ascontiguousarray(cloud.points[keep], np.float32), np.ascontiguousarray(frame.color.reshape(-1, 3)[keep]),
        frame.instance.reshape(-1)[keep].astype(np.int64), np.zeros(3, np.float32), np.asarray(frame.up, np.float32),
        *_entities(frame.entities),
    )  # fmt: skip


def frame_sample(frame: Frame) -> Sample:
    """A sample from a labelled frame of a folder. Background and support form one surface; an object's centre is that
    of the axis-aligned box of its points.

    Raises:
        ValueError: a frame without labels.
    """
    if frame.label is None:
        raise ValueError(f"frame {frame.name}: training needs its labels, label/{frame.name}.png")
    cloud = frame.cloud()
    keep = np.isfinite(cloud.points).all(1)
    points, label = cloud.points[keep], frame.label.reshape(-1)[keep]
    ids, instance = np.unique(label[(label > 0) & (label != IGNORE)], return_inverse=True)
    entity = np.where(label == IGNORE, -1, 0).astype(np.int64)
    entity[(label > 0) & (label != IGNORE)] = instance + 1
    centres = [np.zeros(3), *((points[label == k].min(0) + points[label == k].max(0)) / 2 for k in ids)]
    colors = None if cloud.colors is None else cloud.colors[keep]
    return Sample(
        points, colors, entity, np.zeros(3, np.float32), frame.up, np.arange(len(ids) + 1) == 0,
        np.array(centres, np.float32), [None] * (len(ids) + 1),
    )  # fmt: skip


def scannet_sample(scene: ScanNetScene) -> Sample:
    """A sample from an annotated scan: walls, floors and ceilings are surfaces, unannotated points are unlabelled."""
    return Sample(
        scene.points, scene.colors, scene.instance, None, np.array([0, 0, 1], np.float32), scene.is_surface,
        scene.centres(), [None] * len(scene.names),
    )  # fmt: skip


def _to_jsonable(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"not JSON: {type(value)}")


@functools.cache
def simulator_version() -> str:
    """Hash of the sources that determine a sample, so that cached scenes of another version are not reused."""
    from .. import simulate

    files = [*sorted(Path(simulate.__file__).parent.glob("*.py")), Path(__file__)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def load_sample(seed: int, index: int, cache: Path | None) -> Sample:
    """``simulate_sample``, with the result cached as a file in the folder ``cache`` if given."""
    if cache is None:
        return simulate_sample(seed, index)
    path = cache / f"{simulator_version()}-{seed}-{index}.npz"
    if not path.exists():
        sample = simulate_sample(seed, index)
        assert sample.colors is not None  # every simulated camera sees colours
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.part.npz")
        np.savez(
            partial,
            points=sample.points,
            colors=sample.colors,
            instance=sample.instance.astype(np.int16),
            viewpoint=np.zeros(0, np.float32) if sample.viewpoint is None else sample.viewpoint,
            up=np.zeros(0, np.float32) if sample.up is None else sample.up,
            is_surface=sample.is_surface,
            centres=sample.centres,
            infos=json.dumps(sample.infos, default=_to_jsonable),
        )
        partial.replace(path)
        return sample
    with np.load(path) as file:
        return Sample(
            file["points"],
            file["colors"],
            file["instance"].astype(np.int64),
            file["viewpoint"] if len(file["viewpoint"]) else None,
            file["up"] if len(file["up"]) else None,
            file["is_surface"],
            file["centres"],
            json.loads(str(file["infos"])),
        )
