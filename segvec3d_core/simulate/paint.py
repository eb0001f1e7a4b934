"""Colour images: surface patterns, light from lamps and the surrounding room, shadows, gloss, and camera flaws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.random import Generator
from numpy.typing import NDArray

from . import raster
from .edition import has_first_shapes
from .scenes import SceneModel

SKY = 9
"""Number of directions from which the room's light comes."""
LAMP_CELLS, SKY_CELLS = 320, 160
"""Cells per edge of the shadow maps, which are height maps seen from a lamp or from a direction of the room's light."""
STEEPEST = 20.0
"""Largest shadow bias, in cells: an occluder nearer to the light by more than this always casts a shadow."""
METERED = 0.14, 0.5
"""Range of the mean intensity to which images are exposed, linear, 1 is white."""


@dataclass(frozen=True, slots=True)
class Light:
    """How a scene is lit and how the camera exposes it, in linear RGB.

    Attributes:
        directions: (L, 3) unit vectors towards the lights, z up, lamps first.
        colors: (L, 3) intensity of the light from each.
        lamps: number of directions that belong to lamps; these cause highlights on glossy surfaces.
        ambient: (3,) light from everywhere, without shadows; bounced: (3,) light from below.
        shadows: whether objects cast shadows; dim: share of the light that still arrives in a shadow.
        mirrored: strength of the surroundings' reflection in glossy surfaces; around: seed of these surroundings.
        tint: (3,) white balance.
        exposure: mean of the exposed image if ``metered``, else the gain.
        metered: whether the exposure is metered and rims of shadows are smooth: in all but the first edition.
        saturation: factor on the saturation of colours.
    """

    directions: NDArray[np.float64]
    colors: NDArray[np.float64]
    lamps: int
    ambient: NDArray[np.float64]
    bounced: NDArray[np.float64]
    shadows: bool
    dim: float
    mirrored: float
    around: int
    tint: NDArray[np.float64]
    exposure: float
    metered: bool
    saturation: float


def sample_light(rng: Generator) -> Light:
    """Draw the light of a scene: one or two lamps with hard or soft shadows, and a bright or dim room with more or less
    of its light from one side, as from a window, each tinted; in the first edition one hard light from above."""
    if has_first_shapes():
        return _one_light(rng)
    lamps = [_lamp(rng) for _ in range(1 + int(rng.random() < 0.4))]
    room, share = _room(rng), rng.uniform(0.25, 0.85)
    strengths = rng.dirichlet(np.ones(len(lamps))) * (1 - share)
    colors = [
        np.repeat(strength * _tint(rng, 0.1)[None] / len(lamp), len(lamp), 0)
        for lamp, strength in zip(lamps, strengths, strict=True)
    ]
    directions = np.concatenate([*lamps, room])
    window = directions[int(rng.integers(len(directions)))]
    weights = np.exp(rng.uniform(0, 2.5) * room @ window)
    colors.append(2 * share * weights[:, None] / weights.sum() * _tint(rng, 0.1))
    return Light(
        directions, np.concatenate(colors), sum(map(len, lamps)), rng.uniform(0.05, 0.3) * _tint(rng, 0.05),
        rng.uniform(0.05, 0.35) * _tint(rng, 0.2), True, 0.0, rng.uniform(0, 0.8),
        int(rng.integers(1, 100_000)), _tint(rng, 0.09),
        float(np.exp(rng.uniform(*np.log(METERED)))), True, rng.uniform(0.4, 1.1),
    )  # fmt: skip


def _one_light(rng: Generator) -> Light:
    direction = _from_above(rng, 30)
    ambient = rng.uniform(0.3, 0.75)
    tint = _tint(rng, 0.09)
    return Light(
        direction[None], np.full((1, 3), 1.1 - ambient * 0.8), 1, np.full(3, ambient), np.zeros(3),
        bool(rng.random() < 0.7), 0.15, 0.0, 0, tint, float(rng.uniform(0.75, 1.3)), False, 1.0,
    )  # fmt: skip


def _from_above(rng: Generator, lowest: float) -> NDArray[np.float64]:
    """(3,) unit vector towards a light, ``lowest`` to 88 degrees above the horizon."""
    azimuth, height = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(lowest, 88))
    return np.array([np.cos(azimuth) * np.cos(height), np.sin(azimuth) * np.cos(height), np.sin(height)])


def _tint(rng: Generator, spread: float) -> NDArray[np.float64]:
    """(3,) RGB factors around 1, warmer or colder."""
    warmth = rng.normal(0, spread)
    return np.clip(1 + np.array([warmth, rng.normal(0, 0.02), -warmth]), 0.7, 1.3)


def _lamp(rng: Generator) -> NDArray[np.float64]:
    """(1 or 4, 3) unit vectors towards a lamp: one for a bulb, four for a shade or panel, which casts soft shadows."""
    direction = _from_above(rng, 20)
    if rng.random() < 0.4:
        return direction[None]
    spread = direction + rng.uniform(0.05, 0.3) * rng.normal(size=(4, 3))
    spread[:, 2] = np.maximum(spread[:, 2], 0.15)
    return np.asarray(spread / np.linalg.norm(spread, axis=1, keepdims=True))


def _room(rng: Generator) -> NDArray[np.float64]:
    """(SKY, 3) unit vectors spread evenly over the upper hemisphere."""
    rank = np.arange(SKY)
    z = (rank + 0.5) / SKY
    azimuth = rng.uniform(0, 2 * np.pi) + rank * np.pi * (3 - 5**0.5)
    flat = np.sqrt(1 - z * z)
    return np.stack([np.cos(azimuth) * flat, np.sin(azimuth) * flat, z], 1)


@njit(cache=True, nogil=True)
def _hash(i, j, k, seed):  # type: ignore[no-untyped-def]  # compiled
    """Pseudo-random number, 0 to 1, of integer coordinates."""
    n = np.uint32(i * 374761393 + j * 668265263 + k * 2147483647 + seed * 1274126177)
    n = np.uint32((n ^ (n >> np.uint32(13))) * np.uint32(1274126177))
    n = np.uint32((n ^ (n >> np.uint32(16))) * np.uint32(2246822519))
    return (n & np.uint32(0xFFFF)) / 65535.0


@njit(cache=True, nogil=True)
def _noise(x, y, z, seed):  # type: ignore[no-untyped-def]  # compiled
    """Smooth value noise, 0 to 1."""
    i, j, k = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    u, v, w = x - i, y - j, z - k
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    total = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                weight = (u if a else 1 - u) * (v if b else 1 - v) * (w if c else 1 - w)
                total += weight * _hash(i + a, j + b, k + c, seed)
    return total


@njit(cache=True, nogil=True)
def _printed(x, y, z, scale, seed, size_z):  # type: ignore[no-untyped-def]  # compiled
    """Share of the second colour, and gain, at a point of a printed package: blocks, lettering, pictures."""
    row = int(np.floor(z / (scale * 1.1)))
    block = _hash(int(np.floor(x / (scale * 2.3))), int(np.floor(y / (scale * 2.3))), row, seed)
    mix, gain = 0.0, 1.0
    if block < 0.3:
        mix = 1.0
    elif block < 0.45:
        gain = 1.5
    elif block < 0.55:
        gain = 0.55
    if _hash(row, 7, 3, seed) < 0.45:
        letter = _hash(
            int(np.floor(x / (scale * 0.16))),
            int(np.floor(y / (scale * 0.16))),
            int(np.floor(z / (scale * 0.3))),
            seed + 1,
        )
        if letter < 0.4 and (z / (scale * 0.6)) % 1.0 < 0.55:
            mix, gain = 1.0 - mix, 1.2
    elif block > 0.85:
        mix = _noise(x / scale * 3, y / scale * 3, z / scale * 3, seed + 2)
        gain = 0.6 + 0.9 * _noise(x / scale * 5, y / scale * 5, z / scale * 5, seed + 3)
    return mix, gain


@njit(cache=True, nogil=True)
def _pattern(kind, x, y, z, scale, seed, height):  # type: ignore[no-untyped-def]  # compiled
    """Share of the second colour, and gain, at a point in an object's own frame."""
    mix, gain = 0.0, 1.0
    if kind == 1:
        gain = 0.72 + 0.56 * _noise(x / scale, y / scale, z / scale, seed)
    elif kind == 2:
        ring = _noise(x / scale * 0.12, y / scale, z / scale, seed) * 6.0
        fine = _noise(x / scale * 0.8, y / scale * 7, z / scale * 7, seed + 5)
        gain = 0.8 + 0.22 * (ring - np.floor(ring)) + 0.12 * fine
    elif kind == 3:
        t = z if height > 0.03 else x
        mix = 1.0 if (t / scale) % 2.0 < 0.9 else 0.0
    elif kind == 4:
        mix = 1.0 if (int(np.floor(x / scale)) + int(np.floor(y / scale)) + int(np.floor(z / scale))) % 2 else 0.0
    elif kind == 5:
        t = z / max(height, 1e-6)
        if 0.22 < t < 0.8:
            mix, gain = _printed(x, y, z, scale, seed, height)
            mix = 1.0 - 0.8 * mix
        elif t > 0.93:
            gain = 0.8
    elif kind == 6:
        mix, gain = _printed(x, y, z, scale, seed, height)
    elif kind == 7:
        a, b, c = x / scale % 1.0 - 0.5, y / scale % 1.0 - 0.5, z / scale % 1.0 - 0.5
        mix = 1.0 if a * a + b * b + c * c < 0.09 else 0.0
    return mix, gain


@njit(cache=True, nogil=True)
def _shade(  # type: ignore[no-untyped-def]  # compiled
    points, normals, face, entity, material, materials, poses, heights, eye, directions, colors, lamps, ambient,
    bounced, mirrored, around, lit, out,
) -> None:  # fmt: skip
    """Fill ``out`` (P, 3) with the linear colour of every pixel that shows a face; points are in the scene's frame."""
    view, back, light, shine = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    for p in range(len(points)):
        if face[p] < 0:
            continue
        pose, row = poses[entity[face[p]]], materials[material[face[p]]]
        dx, dy, dz = points[p, 0] - pose[9], points[p, 1] - pose[10], points[p, 2] - pose[11]
        x = pose[0] * dx + pose[3] * dy + pose[6] * dz
        y = pose[1] * dx + pose[4] * dy + pose[7] * dz
        z = pose[2] * dx + pose[5] * dy + pose[8] * dz
        mix, gain = _pattern(int(row[3]), x, y, z, max(row[7], 1e-4), int(row[8]), heights[entity[face[p]]])
        length = 0.0
        for k in range(3):
            view[k] = eye[k] - points[p, k]
            length += view[k] * view[k]
        length = np.sqrt(length)
        sky = 0.75 + 0.25 * normals[p, 2]
        for k in range(3):
            light[k] = ambient[k] * sky + bounced[k] * (0.5 - 0.5 * normals[p, 2])
            shine[k] = 0.0
        for d in range(len(directions)):
            facing = 0.0
            for k in range(3):
                facing += normals[p, k] * directions[d, k]
            for k in range(3):
                light[k] += colors[d, k] * max(facing, 0.0) * lit[d, p]
            if d < lamps and row[9] > 0.05 and facing > 0:
                half = 0.0
                norm = 0.0
                for k in range(3):
                    h = directions[d, k] + view[k] / length
                    half += normals[p, k] * h
                    norm += h * h
                bright = row[9] * lit[d, p] * (half / np.sqrt(norm)) ** 40 / lamps
                for k in range(3):
                    shine[k] += bright
        if mirrored > 0 and row[9] > 0.05:
            along = 0.0
            for k in range(3):
                along += normals[p, k] * view[k] / length
            for k in range(3):
                back[k] = 4 * along * normals[p, k] - 2 * view[k] / length
            bright = _noise(back[0], back[1], back[2], around) ** 3
            for k in range(3):
                shine[k] += mirrored * row[9] * (0.3 + 0.7 * (1 - along) ** 3) * bright
        for k in range(3):
            base = (row[k] * (1 - mix) + row[4 + k] * mix) * gain
            out[p, k] = base * light[k] + shine[k]


@njit(cache=True, nogil=True)
def _blocked(  # type: ignore[no-untyped-def]  # compiled
    points, normals, face, frame, low, cell, value, dim, smooth, lit
) -> None:  # fmt: skip
    """Set ``lit`` (P,) to ``dim`` where a shadow map ``value`` contains an occluder nearer to the light: in the nearest
    cell, or, if ``smooth``, interpolated between the four cells around, with a bias that grows with the surface's slant
    so that it does not shadow itself."""
    cells = len(value)
    for p in range(len(points)):
        if face[p] >= 0:
            u, v, w = 0.0, 0.0, 0.0
            for k in range(3):
                u += frame[0, k] * points[p, k]
                v += frame[1, k] * points[p, k]
                w += frame[2, k] * points[p, k]
            across, down = (u - low[0]) / cell, (v - low[1]) / cell
            if smooth:
                column, row = int(np.floor(across)), int(np.floor(down))
                if 0 <= row < cells - 1 and 0 <= column < cells - 1:
                    s, t = across - column, down - row
                    facing = abs(
                        frame[2, 0] * normals[p, 0] + frame[2, 1] * normals[p, 1] + frame[2, 2] * normals[p, 2]
                    )
                    near = w + cell * max(
                        2.5, min(STEEPEST, 2.2 * np.sqrt(max(0.0, 1 - facing * facing)) / max(facing, 1e-3))
                    )
                    share = (1 - t) * ((1 - s) * (value[row, column] > near) + s * (value[row, column + 1] > near))
                    share += t * ((1 - s) * (value[row + 1, column] > near) + s * (value[row + 1, column + 1] > near))
                    lit[p] = 1 - share * (1 - dim)
            else:
                column, row = round(across), round(down)
                if 0 <= row < cells and 0 <= column < cells and value[row, column] > w + 2.5 * cell:
                    lit[p] = dim


def _shadow(
    scene: SceneModel, points: NDArray[np.float32], normals: NDArray[np.float32], face: NDArray[np.int32], light: Light
) -> NDArray[np.float32]:
    """(L, P) share of the light from each direction that arrives at each point, by shadow maps; walls and ceilings cast
    no shadows."""
    lit = np.ones((len(light.directions), len(points)), np.float32)
    some = points[face >= 0][::7]
    if not light.shadows or not len(some):
        return lit
    shell = np.array([e.info.category in ("ceiling", "wall") for e in scene.entities])
    faces = scene.faces[~shell[scene.face_entity]]
    vertices = scene.vertices.astype(np.float64)
    for d, w in enumerate(light.directions):
        cells = LAMP_CELLS if d < light.lamps else SKY_CELLS
        u = np.cross([0.0, 1.0, 0.0] if abs(w[1]) < 0.9 else [1.0, 0.0, 0.0], w)
        u /= np.linalg.norm(u)
        frame = np.stack([u, np.cross(w, u), w])
        extent = some @ frame[:2].T
        low, high = extent.min(0), extent.max(0)
        cell = max(float((high - low).max()) / cells, 1e-3)
        value = np.full((cells, cells), -1e9)
        raster.plan(vertices @ frame.T, faces, low[0], low[1], cell, value)
        _blocked(points, normals, face, frame, low, cell, value, light.dim, light.metered, lit[d])
    return lit


def paint(
    rng: Generator, scene: SceneModel, points: NDArray[np.float32], normals: NDArray[np.float32],
    face: NDArray[np.int32], eye: NDArray[np.float64], light: Light | None = None,
) -> NDArray[np.uint8]:  # fmt: skip
    """The colour image of a view.

    Args:
        rng: draws the light and the camera's flaws.
        scene: what is seen.
        points, normals: (H, W, 3) in the scene's frame.
        face: (H, W) int32 face seen in each pixel, -1 for none.
        eye: (3,) position of the camera in the scene's frame, metres.
        light: how the scene is lit; None draws it.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    light = light or sample_light(rng)
    flat, faces = points.reshape(-1, 3), face.ravel()
    lit = _shadow(scene, flat, normals.reshape(-1, 3), faces, light)
    image = np.zeros((*face.shape, 3), np.float32)
    heights = np.array([e.size[2] for e in scene.entities], np.float32)
    _shade(
        flat, normals.reshape(-1, 3), faces, scene.face_entity, scene.face_material, scene.materials, scene.poses,
        heights, np.asarray(eye, np.float64), light.directions, light.colors, light.lamps, light.ambient, light.bounced,
        light.mirrored, light.around, lit, image.reshape(-1, 3),
    )  # fmt: skip
    return _develop(rng, image, face, light)


@njit(cache=True, nogil=True)
def _expose(image, blur, gain, saturation, curve, noise, amount, out) -> None:  # type: ignore[no-untyped-def]  # compiled
    """Blur over the four direct neighbours, apply gain, saturation and tone curve, and add noise drawn from a table."""
    height, width = image.shape[:2]
    side, state = blur / 2, np.uint32(12345)
    seen = np.empty(3)
    for row in range(height):
        up, down = max(row - 1, 0), min(row + 1, height - 1)
        for column in range(width):
            left, right = max(column - 1, 0), min(column + 1, width - 1)
            state = np.uint32(state * np.uint32(1664525) + np.uint32(1013904223))
            common = noise[(state >> np.uint32(16)) & np.uint32(0xFFFF)]
            grey = 0.0
            for k in range(3):
                value = image[row, column, k] * (1 - 2 * blur)
                value += side * (image[up, column, k] + image[down, column, k])
                value += side * (image[row, left, k] + image[row, right, k])
                seen[k] = value * gain[k]
                grey += seen[k] / 3
            for k in range(3):
                if saturation != 1.0:
                    seen[k] = grey + saturation * (seen[k] - grey)
                tone = curve[int(min(max(seen[k], 0.0), 1.0) * 1023)]
                state = np.uint32(state * np.uint32(1664525) + np.uint32(1013904223))
                grain = 0.7 * common + 0.5 * noise[(state >> np.uint32(16)) & np.uint32(0xFFFF)]
                out[row, column, k] = min(max(tone + amount * grain, 0.0), 1.0) * 255


def _develop(rng: Generator, image: NDArray[np.float32], face: NDArray[np.int32], light: Light) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 image from linear colours: blur, exposure, white balance, gamma and sensor noise."""
    curve = np.linspace(0, 1, 1024) ** (1 / rng.uniform(1.5, 2.1))
    noise = rng.standard_normal(65536, dtype=np.float32)
    out = np.empty(image.shape, np.uint8)
    gain = np.asarray(light.tint * light.exposure, np.float64)
    if light.metered:
        gain /= max(float(image[face >= 0].mean()), 1e-3) if (face >= 0).any() else 1.0
    blur, amount = float(rng.uniform(0.0, 0.3)), float(rng.uniform(0.002, 0.02))
    _expose(image, blur, gain, light.saturation, curve, noise, amount, out)
    return out
