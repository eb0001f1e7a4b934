"""Colour of what the camera sees: procedural patterns, one light with shadows, shine, and the camera's own flaws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.random import Generator
from numpy.typing import NDArray

from . import raster
from .scenes import SceneModel


@dataclass(frozen=True, slots=True)
class Light:
    """How a scene is lit.

    Attributes:
        direction: (3,) unit vector towards the light, z up.
        strength: of the direct light; ambient: of the light from everywhere.
        tint: (3,) white balance.
        shadows: whether the direct light casts them.
        exposure: final gain.
    """

    direction: NDArray[np.float64]
    strength: float
    ambient: float
    tint: NDArray[np.float64]
    shadows: bool
    exposure: float


def sample_light(rng: Generator) -> Light:
    """Draw a light from above, warm or cold, hard or soft."""
    azimuth, height = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(30, 88))
    direction = np.array([np.cos(azimuth) * np.cos(height), np.sin(azimuth) * np.cos(height), np.sin(height)])
    ambient = rng.uniform(0.3, 0.75)
    warmth = rng.normal(0, 0.09)
    tint = np.clip(1 + np.array([warmth, rng.normal(0, 0.02), -warmth]), 0.7, 1.3)
    return Light(direction, 1.1 - ambient * 0.8, ambient, tint, bool(rng.random() < 0.7), float(rng.uniform(0.75, 1.3)))


@njit(cache=True, nogil=True)
def _hash(i, j, k, seed):  # type: ignore[no-untyped-def]  # compiled
    """A number in 0 to 1 for integer coordinates."""
    n = np.uint32(i * 374761393 + j * 668265263 + k * 2147483647 + seed * 1274126177)
    n = np.uint32((n ^ (n >> np.uint32(13))) * np.uint32(1274126177))
    n = np.uint32((n ^ (n >> np.uint32(16))) * np.uint32(2246822519))
    return (n & np.uint32(0xFFFF)) / 65535.0


@njit(cache=True, nogil=True)
def _noise(x, y, z, seed):  # type: ignore[no-untyped-def]  # compiled
    """Smooth value noise in 0 to 1."""
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
    """How much of the second colour a printed package shows, and how bright: blocks, lettering, pictures."""
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
    """Share of the second colour and gain at a point of an object's own frame."""
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
    points, normals, face, entity, material, materials, poses, heights, eye, direction, strength, ambient, lit, out
) -> None:
    """Fill ``out`` (P, 3) with linear colour for the pixels of P that see a face, points in the scene's frame."""
    view = np.empty(3)
    for p in range(len(points)):
        if face[p] < 0:
            continue
        pose, row = poses[entity[face[p]]], materials[material[face[p]]]
        dx, dy, dz = points[p, 0] - pose[9], points[p, 1] - pose[10], points[p, 2] - pose[11]
        x = pose[0] * dx + pose[3] * dy + pose[6] * dz
        y = pose[1] * dx + pose[4] * dy + pose[7] * dz
        z = pose[2] * dx + pose[5] * dy + pose[8] * dz
        mix, gain = _pattern(int(row[3]), x, y, z, max(row[7], 1e-4), int(row[8]), heights[entity[face[p]]])
        facing = 0.0
        length = 0.0
        for k in range(3):
            facing += normals[p, k] * direction[k]
            view[k] = eye[k] - points[p, k]
            length += view[k] * view[k]
        length = np.sqrt(length)
        sky = 0.75 + 0.25 * normals[p, 2]
        light = ambient * sky + (strength * max(facing, 0.0) * lit[p])
        shine = 0.0
        if row[9] > 0.05 and facing > 0:
            half = 0.0
            norm = 0.0
            for k in range(3):
                h = direction[k] + view[k] / length
                half += normals[p, k] * h
                norm += h * h
            shine = row[9] * lit[p] * (half / np.sqrt(norm)) ** 40
        for k in range(3):
            base = (row[k] * (1 - mix) + row[4 + k] * mix) * gain
            out[p, k] = base * light + shine


@njit(cache=True, nogil=True)
def _blocked(points, face, frame, low, cell, value, lit) -> None:  # type: ignore[no-untyped-def]  # compiled
    """Darken ``lit`` (P,) where a height map seen from the light holds something nearer to it."""
    cells = len(value)
    for p in range(len(points)):
        if face[p] >= 0:
            u, v, w = 0.0, 0.0, 0.0
            for k in range(3):
                u += frame[0, k] * points[p, k]
                v += frame[1, k] * points[p, k]
                w += frame[2, k] * points[p, k]
            column, row = round((u - low[0]) / cell), round((v - low[1]) / cell)
            if 0 <= row < cells and 0 <= column < cells and value[row, column] > w + 2.5 * cell:
                lit[p] = 0.15


def _shadow(
    scene: SceneModel, points: NDArray[np.float32], face: NDArray[np.int32], light: Light, cells: int = 320
) -> NDArray[np.float32]:
    """(P,) 1 where the direct light arrives, 0.15 in shadow: a height map seen from the light."""
    lit = np.ones(len(points), np.float32)
    some = points[face >= 0][::7]
    if not light.shadows or not len(some):
        return lit
    w = light.direction
    u = np.cross([0.0, 1.0, 0.0] if abs(w[1]) < 0.9 else [1.0, 0.0, 0.0], w)
    u /= np.linalg.norm(u)
    frame = np.stack([u, np.cross(w, u), w])
    extent = some @ frame[:2].T
    low, high = extent.min(0), extent.max(0)
    cell = max(float((high - low).max()) / cells, 1e-3)
    value = np.full((cells, cells), -1e9)
    shell = np.array([e.info.category in ("ceiling", "wall") for e in scene.entities])
    faces = scene.faces[~shell[scene.face_entity]]
    raster.plan(scene.vertices.astype(np.float64) @ frame.T, faces, low[0], low[1], cell, value)
    _blocked(points, face, frame, low, cell, value, lit)
    return lit


def paint(
    rng: Generator, scene: SceneModel, points: NDArray[np.float32], normals: NDArray[np.float32],
    face: NDArray[np.int32], eye: NDArray[np.float64],
) -> NDArray[np.uint8]:  # fmt: skip
    """The colour image of a view.

    Args:
        rng: draws the light and the camera's flaws.
        scene: what is seen.
        points, normals: (H, W, 3) in the scene's frame.
        face: (H, W) int32 face seen in each pixel, -1 for none.
        eye: (3,) where the camera stands.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    light = sample_light(rng)
    flat, faces = points.reshape(-1, 3), face.ravel()
    lit = _shadow(scene, flat, faces, light)
    image = np.zeros((*face.shape, 3), np.float32)
    heights = np.array([e.size[2] for e in scene.entities], np.float32)
    _shade(
        flat, normals.reshape(-1, 3), faces, scene.face_entity, scene.face_material, scene.materials, scene.poses,
        heights, np.asarray(eye, np.float64), light.direction, light.strength, light.ambient, lit,
        image.reshape(-1, 3),
    )  # fmt: skip
    return _develop(rng, image, light)


@njit(cache=True, nogil=True)
def _expose(image, blur, gain, curve, noise, amount, out) -> None:  # type: ignore[no-untyped-def]  # compiled
    """Blur by a 3 x 3 kernel, apply gain and tone curve, add noise drawn from a table."""
    height, width = image.shape[:2]
    side, state = blur / 2, np.uint32(12345)
    for row in range(height):
        up, down = max(row - 1, 0), min(row + 1, height - 1)
        for column in range(width):
            left, right = max(column - 1, 0), min(column + 1, width - 1)
            state = np.uint32(state * np.uint32(1664525) + np.uint32(1013904223))
            common = noise[(state >> np.uint32(16)) & np.uint32(0xFFFF)]
            for k in range(3):
                value = image[row, column, k] * (1 - 2 * blur)
                value += side * (image[up, column, k] + image[down, column, k])
                value += side * (image[row, left, k] + image[row, right, k])
                tone = curve[int(min(max(value * gain[k], 0.0), 1.0) * 1023)]
                state = np.uint32(state * np.uint32(1664525) + np.uint32(1013904223))
                grain = 0.7 * common + 0.5 * noise[(state >> np.uint32(16)) & np.uint32(0xFFFF)]
                out[row, column, k] = min(max(tone + amount * grain, 0.0), 1.0) * 255


def _develop(rng: Generator, image: NDArray[np.float32], light: Light) -> NDArray[np.uint8]:
    """Blur, exposure, white balance, gamma and sensor noise."""
    curve = np.linspace(0, 1, 1024) ** (1 / rng.uniform(1.5, 2.1))
    noise = rng.standard_normal(65536, dtype=np.float32)
    out = np.empty(image.shape, np.uint8)
    gain = np.asarray(light.tint * light.exposure, np.float64)
    _expose(image, float(rng.uniform(0.0, 0.3)), gain, curve, noise, float(rng.uniform(0.002, 0.02)), out)
    return out
