"""Random objects: shape, colours, material, and the words that a person would use for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .edition import has_first_shapes
from .meshes import INSIDE, Mesh
from .shapes import FAMILIES, FIRST_EDITION, Family
from .vocabulary import synonyms_of
from .warping import warped

COLORS: dict[str, tuple[float, float, float]] = {
    "red": (0.72, 0.08, 0.08), "orange": (0.9, 0.42, 0.06), "yellow": (0.92, 0.78, 0.12), "green": (0.12, 0.5, 0.16),
    "blue": (0.1, 0.22, 0.65), "turquoise": (0.15, 0.65, 0.65), "purple": (0.42, 0.14, 0.55), "pink": (0.92, 0.5, 0.62),
    "brown": (0.4, 0.23, 0.11), "beige": (0.82, 0.7, 0.52), "black": (0.05, 0.05, 0.05), "grey": (0.42, 0.42, 0.43),
    "white": (0.92, 0.92, 0.9), "silver": (0.68, 0.69, 0.71), "clear": (0.75, 0.8, 0.8),
}  # fmt: skip
"""Approximately linear RGB of the simulator's colour names, 0 to 1."""

_ANY = (
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "turquoise",
    "purple",
    "pink",
    "brown",
    "beige",
    "black",
    "grey",
    "white",
    "white",
)

PATTERNS = ("plain", "noise", "wood", "stripes", "checks", "label", "print", "dots")
"""Surface patterns; the material table stores a pattern's index in this tuple."""

SHINE: dict[str, float] = {"metal": 0.7, "glass": 0.9, "ceramic": 0.4, "plastic": 0.3, "leather": 0.15, "wax": 0.1}
"""Gloss of materials, 0 to 1; materials not listed are matt."""

LINED = 0.4
"""Share of the vessels with a plain inside of its own: of another colour if the outside is plain, too."""

WARPED = 0.4
"""Share of the objects on tables that are warped, see ``warping.py``; furniture is not warped."""

MATERIAL_COLUMNS = 12
"""Columns of the material table: RGB, pattern, second RGB, scale of the pattern in metres, seed, gloss, depth loss, and
one that is unused."""


def families() -> tuple[Family, ...]:
    """The families of which objects are drawn."""
    return FIRST_EDITION if has_first_shapes() else FAMILIES


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a person could say about an object.

    Attributes:
        name: a full name, "red ceramic mug".
        category: a noun of the vocabulary, "mug".
        synonyms: other nouns for it.
        color: name of the main colour, a key of ``COLORS``.
        material: what it is made of.
        size: (3,) width, depth and height of its natural pose, metres.
        shape_words: properties of its shape ("with a handle", "tall").
        pattern: surface pattern, one of ``PATTERNS``.
        second_color: another colour, of its pattern, of another part or of its inside, or "".
    """

    name: str
    category: str
    synonyms: tuple[str, ...]
    color: str
    material: str
    size: tuple[float, float, float]
    shape_words: tuple[str, ...] = ()
    pattern: str = "plain"
    second_color: str = ""


@dataclass(frozen=True, slots=True)
class ObjectModel:
    """An object ready to be placed: its mesh in its natural pose, one row of ``materials`` per part.

    Attributes:
        info: its name and properties.
        mesh: at rest on z = 0, metres.
        materials: (parts, MATERIAL_COLUMNS) float32.
    """

    info: ObjectInfo
    mesh: Mesh
    materials: NDArray[np.float32]


def draw_color(rng: Generator, name: str) -> NDArray[np.float64]:
    """(3,) RGB in 0 to 1 that a person would still call ``name``."""
    base = np.array(COLORS[name])
    if name in ("white", "silver", "grey", "black", "clear"):
        shade = {"grey": 0.14, "black": 0.035}.get(name, 0.08)
        return np.clip(base + rng.uniform(-shade, shade) + rng.normal(0, 0.01, 3), 0.01, 1.0)
    return np.clip(base * rng.uniform(0.72, 1.25) + rng.normal(0, 0.025, 3), 0.01, 1.0)


def material_row(
    rng: Generator, color: str, second: str, pattern: str, material: str, size: float
) -> NDArray[np.float32]:
    """(MATERIAL_COLUMNS,) float32 row of a material table; the scale of most patterns is 0.07 to 0.25 of ``size``,
    metres."""
    row = np.zeros(MATERIAL_COLUMNS, np.float32)
    row[0:3] = draw_color(rng, color)
    row[3] = PATTERNS.index(pattern)
    row[4:7] = draw_color(rng, second)
    row[7] = {"noise": rng.uniform(0.006, 0.03), "wood": rng.uniform(0.01, 0.03)}.get(
        pattern, size * rng.uniform(0.07, 0.25)
    )
    row[8] = rng.integers(1, 100000)
    row[9] = SHINE.get(material, 0.03) * rng.uniform(0.5, 1.2)
    # Dark, clear and mirroring materials do not return a projected infrared pattern.
    loss = {"glass": 0.55, "metal": 0.15}.get(material, 0.0) + (0.15 if color == "black" else 0.0)
    row[10] = loss * rng.uniform(0.0, 1.6) ** 2
    return row


def make_object(rng: Generator, family: Family, warps: float = 0.0) -> ObjectModel:
    """Draw an object of a family; with probability ``warps`` its mesh is ``warped``."""
    mesh = family.make(rng)
    if warps > 0 and rng.random() < warps:
        mesh = warped(rng, mesh)
    color = str(rng.choice(family.colors or _ANY))
    material = str(rng.choice(family.materials))
    pattern = str(rng.choice(family.patterns))
    if material == "wood" and rng.random() < 0.6:
        pattern = "wood"
        color = color if family.colors else str(rng.choice(["brown", "beige", color]))
    size = float(mesh.size.max())
    second = _second_color(rng, color, pattern)
    rows = [material_row(rng, color, second, pattern, material, size)]
    accent_names = []
    for part in range(1, int(mesh.parts.max()) + 1):
        given = family.accents[part - 1] if part <= len(family.accents) else ""
        accent = given or str(rng.choice([color, "black", "white", "silver", str(rng.choice(_ANY))]))
        accent_names.append(accent)
        inner = material if rng.random() < 0.5 else "plastic"
        rows.append(material_row(rng, accent, second, "plain", inner, size))
    mesh, inside = _lined(rng, mesh, color, second, pattern, material)
    rows += inside
    if inside and pattern == "plain":
        accent_names.append(second)
    if pattern not in ("plain", "noise", "wood"):
        accent_names.insert(0, second)
    spoken = color if color != "clear" else "transparent"
    word = material if material not in ("organic", "foam", "wax") else ""
    name = " ".join(w for w in (spoken, word, family.category) if w)
    info = ObjectInfo(
        name, family.category, synonyms_of(family.category), spoken, material,
        (float(mesh.size[0]), float(mesh.size[1]), float(mesh.size[2])), mesh.words, pattern,
        next((a for a in accent_names if a != color), ""),
    )  # fmt: skip
    return ObjectModel(info, mesh, np.stack(rows))


def _lined(
    rng: Generator, mesh: Mesh, color: str, second: str, pattern: str, material: str
) -> tuple[Mesh, list[NDArray[np.float32]]]:
    """The mesh with part ``INSIDE`` made a new part or merged into part 0, and the material row of the new part, if
    any."""
    inside = mesh.parts == INSIDE
    if not inside.any() or has_first_shapes() or rng.random() >= LINED:
        return replace(mesh, parts=np.where(inside, 0, mesh.parts).astype(np.int32)), []
    row = material_row(rng, second if pattern == "plain" else color, second, "plain", material, float(mesh.size.max()))
    parts = np.where(inside, max(int(mesh.parts.max()), 0) + 1, mesh.parts).astype(np.int32)
    return replace(mesh, parts=parts), [row]


def _second_color(rng: Generator, color: str, pattern: str) -> str:
    """The second colour of a pattern: similar to the first for "noise" and "wood", else a different one."""
    if pattern in ("noise", "wood"):
        return color if color != "white" else "beige"
    return str(rng.choice([c for c in _ANY if c != color]))


def sample_object(
    rng: Generator, place: str = "table", largest: float = np.inf, categories: Sequence[str] | None = None
) -> ObjectModel:
    """Draw an object that belongs on a "table" or the "floor".

    Args:
        rng: source of randomness.
        place: where it will stand.
        largest: upper bound of its longest edge, metres, which is exceeded only if 20 draws in a row exceed it.
        categories: draw only among these; None draws among all.

    Raises:
        ValueError: no family fits.
    """
    fitting = [
        f for f in families()
        if f.place in (place, "both") and f.low < largest and (categories is None or f.category in categories)
    ]  # fmt: skip
    if not fitting:
        raise ValueError(
            f"categories: expected one that stands on a {place} and is under {largest} m, got {categories}"
        )
    weights = np.array([f.weight for f in fitting])
    for _ in range(20):
        family = fitting[int(rng.choice(len(fitting), p=weights / weights.sum()))]
        model = make_object(rng, family, WARPED if place == "table" and not has_first_shapes() else 0.0)
        if model.mesh.size.max() <= largest:
            return model
    return model
