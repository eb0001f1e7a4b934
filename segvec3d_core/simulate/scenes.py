"""Synthetic scenes: objects on a table, on shelves and in rooms, as triangles labelled with their entity."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .meshes import Mesh
from .objects import ObjectInfo, ObjectModel

Layout = Literal["table", "room", "shelf"]
LAYOUTS: tuple[Layout, ...] = ("table", "room", "shelf")


@dataclass(frozen=True, slots=True)
class Entity:
    """One thing of a scene.

    Attributes:
        kind: "object", or "surface" for a wall, floor, ceiling or a table top that is not seen as a whole.
        info: its name and properties.
        center: (3,) float32, centre of its extents, metres, in the scene's frame; in a simulated frame, in the optical
            frame.
        size: (3,) float32, full extents along its own axes, metres.
        carries: whether it is the main furniture of the scene and objects were placed on it.
    """

    kind: Literal["object", "surface"]
    info: ObjectInfo
    center: NDArray[np.float32]
    size: NDArray[np.float32]
    carries: bool = False


@dataclass(frozen=True, slots=True)
class Workspace:
    """What a cropped frame keeps: a rectangle on the support plane, up to a distance from the camera.

    Attributes:
        low, high: (2,) x and y bounds, metres.
        floor: points below this height are dropped, metres.
        reach: points farther from the camera than this are dropped, metres.
    """

    low: tuple[float, float]
    high: tuple[float, float]
    floor: float
    reach: float


@dataclass(frozen=True, slots=True)
class SceneModel:
    """A scene's geometry, z up, metres.

    Attributes:
        vertices: (V, 3) float32. faces: (F, 3) int32.
        face_entity: (F,) int32, index into ``entities``.
        face_material: (F,) int32, index into ``materials``.
        materials: (M, MATERIAL_COLUMNS) float32.
        poses: (E, 12) float32, per entity the rotation (row by row) and translation from its own frame.
        entities: the things.
        focus: (3,) point at which cameras aim. spread: radius of the relevant part of the scene around it, metres.
        layout: which layout made it.
        bounds: x0, x1, y0, y1 within which a camera may stand, metres, or None for anywhere.
        workspace: what a cropped frame keeps, or None.
        close: whether cameras view the objects from close range, about an arm's length.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    face_entity: NDArray[np.int32]
    face_material: NDArray[np.int32]
    materials: NDArray[np.float32]
    poses: NDArray[np.float32]
    entities: tuple[Entity, ...]
    focus: NDArray[np.float64]
    spread: float
    layout: Layout
    bounds: tuple[float, float, float, float] | None = None
    workspace: Workspace | None = None
    close: bool = False


@dataclass
class Builder:
    """Collects placed models into a SceneModel."""

    vertices: list[NDArray[np.float32]] = field(default_factory=list)
    faces: list[NDArray[np.int32]] = field(default_factory=list)
    owners: list[NDArray[np.int32]] = field(default_factory=list)
    face_materials: list[NDArray[np.int32]] = field(default_factory=list)
    materials: list[NDArray[np.float32]] = field(default_factory=list)
    poses: list[NDArray[np.float64]] = field(default_factory=list)
    entities: list[Entity] = field(default_factory=list)
    vertex_count: int = 0
    material_count: int = 0

    def add(
        self, model: ObjectModel, rotation: NDArray[np.float64], offset: NDArray[np.float64],
        kind: Literal["object", "surface"] = "object",
    ) -> int:  # fmt: skip
        """Add a model with the rotation and offset from its frame to the scene's; returns the entity's index."""
        index = len(self.entities)
        mesh = model.mesh
        placed = (mesh.vertices @ rotation.T + offset).astype(np.float32)
        self.vertices.append(placed)
        self.faces.append(mesh.faces + np.int32(self.vertex_count))
        self.owners.append(np.full(len(mesh.faces), index, np.int32))
        self.face_materials.append(mesh.parts + np.int32(self.material_count))
        self.materials.append(model.materials)
        self.poses.append(np.concatenate([np.asarray(rotation).ravel(), offset]))
        self.vertex_count += len(placed)
        self.material_count += len(model.materials)
        middle = (mesh.vertices.max(0) + mesh.vertices.min(0)) / 2
        self.entities.append(
            Entity(kind, model.info, (rotation @ middle + offset).astype(np.float32), mesh.size.astype(np.float32))
        )
        return index

    def carry(self, index: int) -> None:
        """Mark an entity as one on which objects were placed, see ``Entity.carries``."""
        self.entities[index] = replace(self.entities[index], carries=True)

    def build(
        self, focus: NDArray[np.float64], spread: float, layout: Layout,
        bounds: tuple[float, float, float, float] | None = None, workspace: Workspace | None = None,
        close: bool = False,
    ) -> SceneModel:  # fmt: skip
        """The scene of all models added so far."""
        return SceneModel(
            np.concatenate(self.vertices), np.concatenate(self.faces), np.concatenate(self.owners),
            np.concatenate(self.face_materials), np.concatenate(self.materials).astype(np.float32),
            np.stack(self.poses).astype(np.float32), tuple(self.entities), np.asarray(focus, np.float64),
            spread, layout, bounds, workspace, close,
        )  # fmt: skip


def surface_model(
    name: str, color: str, material: str, mesh: Mesh, materials: NDArray[np.float32], pattern: str = "plain"
) -> ObjectModel:
    """A wall, floor, ceiling or table top as a model."""
    from .vocabulary import synonyms_of

    size = mesh.size
    info = ObjectInfo(
        f"{color} {name}", name, synonyms_of(name), color, material,
        (float(size[0]), float(size[1]), float(size[2])), mesh.words, pattern,
    )  # fmt: skip
    return ObjectModel(info, mesh, materials)


def sample_scene(
    rng: Generator, layout: Layout | None = None, objects: int | None = None, background: bool | None = None
) -> SceneModel:
    """Draw a scene.

    Args:
        rng: source of randomness; the same state gives the same scene.
        layout: "table", "room" or "shelf"; None draws one, most often a table.
        objects: how many objects to try to place on the table; None draws 1 to 25.
        background: whether there is a furnished room around the table; None draws it.

    Raises:
        ValueError: an unknown layout.
    """
    from .rooms import room_scene
    from .shelves import shelf_scene
    from .tables import table_scene

    if layout is None:
        layout = LAYOUTS[int(rng.choice(3, p=[0.72, 0.2, 0.08]))]
    if layout == "table":
        return table_scene(rng, objects, background)
    if layout == "room":
        return room_scene(rng)
    if layout == "shelf":
        return shelf_scene(rng)
    raise ValueError(f"layout: expected one of {', '.join(LAYOUTS)}, got {layout!r}")
