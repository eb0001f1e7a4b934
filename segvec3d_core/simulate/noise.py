"""Noise models of real depth sensors.

Every model takes perfect depth in metres (0 without a surface) and returns, for every pixel, the measured depth (NaN
for none) and the index of the pixel whose surface was measured, so that labels follow the geometry on which a point
really lies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numba import njit
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter

from ..types import Camera
from .edition import is_first_edition
from .matching import SAME_SURFACE, fattened, filled_from_left, smoothed, without_thin

Sensor = Literal["ideal", "kinect", "stereo", "generic", "tof", "lidar"]
SENSORS: tuple[Sensor, ...] = ("ideal", "kinect", "stereo", "generic", "tof")
"""Depth cameras, of which one is drawn per scene; a LiDAR is used only if it is requested by name."""

FILLED = 0.15
"""Share of stereo frames whose holes are filled from the left."""

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Seen:
    """A perfect view, the input of a noise model.

    Attributes:
        depth: (H, W) float32 metres, 0 without a surface.
        cosine: (H, W) float32 between the surface's normal and the direction to the camera, 0 to 1.
        loss: (H, W) float32, chance that a patch of this material returns nothing; near or above 1 nothing ever
            returns.
        color: (H, W, 3) uint8 RGB, in which a stereo camera finds texture.
        camera: intrinsics.
    """

    depth: Float32
    cosine: Float32
    loss: Float32
    color: NDArray[np.uint8]
    camera: Camera


@njit(cache=True, nogil=True)
def _stretch(coarse, cell, out) -> None:  # type: ignore[no-untyped-def]  # compiled
    """Enlarge ``coarse`` by a factor ``cell`` into ``out``, bilinearly."""
    for row in range(out.shape[0]):
        i = int(row / cell)
        v = row / cell - i
        for column in range(out.shape[1]):
            j = int(column / cell)
            u = column / cell - j
            upper = coarse[i, j] * (1 - u) + coarse[i, j + 1] * u
            lower = coarse[i + 1, j] * (1 - u) + coarse[i + 1, j + 1] * u
            out[row, column] = upper * (1 - v) + lower * v


def smooth_noise(rng: Generator, shape: tuple[int, int], cell: float) -> Float32:
    """(H, W) Gaussian noise of about unit standard deviation, correlated over ``cell`` pixels (at least 1)."""
    cell = max(float(cell), 1.0)
    coarse = rng.standard_normal((int(shape[0] / cell) + 2, int(shape[1] / cell) + 2), dtype=np.float32)
    out = np.empty(shape, np.float32)
    _stretch(coarse * np.float32(1.5), cell, out)
    return out


def _jitter(rng: Generator, shape: tuple[int, int], sigma: float, cell: float) -> NDArray[np.int64]:
    """(H, W) index of a nearby pixel: lateral errors of about ``sigma`` pixels, correlated over ``cell`` pixels."""
    rows, columns = np.indices(shape)
    shift = [np.rint(sigma * smooth_noise(rng, shape, cell)).astype(int) for _ in range(2)]
    rows = np.clip(rows + shift[0], 0, shape[0] - 1)
    columns = np.clip(columns + shift[1], 0, shape[1] - 1)
    return np.asarray(rows * shape[1] + columns)


def _matched(rng: Generator, seen: Seen, most: float) -> tuple[Seen, int]:
    """The view with its depth ``smoothed`` as by matching over a window, and the window's radius, pixels: up to
    ``most`` in images 640 wide. The first edition leaves the view as it is."""
    if is_first_edition():
        return seen, 0
    radius = round(rng.uniform(0, most) * seen.camera.width / 640)
    return replace(seen, depth=smoothed(seen.depth, radius)), radius


def _warp(rng: Generator, shape: tuple[int, int]) -> Float32:
    """(H, W) factor on depth of a badly calibrated camera: 1 plus a cubic polynomial in image coordinates with a
    root mean square of 0.1 to 0.6 %; 1 in the first edition."""
    if is_first_edition():
        return np.ones(shape, np.float32)
    degree = np.arange(4)
    coefficients = np.where(np.add.outer(degree, degree) < 4, rng.normal(size=(4, 4)), 0)
    rows, columns = (np.vander(np.linspace(-1, 1, n), 4, increasing=True) for n in shape)
    field = rows @ coefficients @ columns.T
    return np.asarray(1 + rng.uniform(0.001, 0.006) * field / np.sqrt(np.mean(field**2)), np.float32)


def _edges(depth: Float32, jump: float) -> NDArray[np.bool_]:
    """(H, W) mask of pixels where depth jumps by about the share ``jump``, from second differences of inverse depth: it
    is linear on a plane, so slopes do not count."""
    inverse = np.where(depth > 0, 1.0 / np.maximum(depth, 1e-3), 0.02).astype(np.float32)
    bend = np.zeros(depth.shape, np.float32)
    bend[1:-1] = np.abs(inverse[2:] + inverse[:-2] - 2 * inverse[1:-1])
    across = np.abs(inverse[:, 2:] + inverse[:, :-2] - 2 * inverse[:, 1:-1])
    np.maximum(bend[:, 1:-1], across, out=bend[:, 1:-1])
    return np.asarray(bend > jump * inverse)


@njit(cache=True, nogil=True)
def _projector_shadow(depth, fx, baseline, out) -> None:  # type: ignore[no-untyped-def]  # compiled
    """Mark pixels that a projector ``baseline`` metres to the right of the camera (negative: left) does not reach.

    In a rectified pair a point's column in the projector is u - fx * b / z; going along a row towards the projector's
    side, a point is hidden when another has already claimed that column or a later one.
    """
    height, width = depth.shape
    for row in range(height):
        best = -1e9
        for step in range(width):
            u = step if baseline < 0 else width - 1 - step
            z = depth[row, u]
            if z <= 0:
                continue
            column = u - fx * baseline / z
            key = column if baseline < 0 else -column
            if key < best - 0.5:
                out[row, u] = True
            else:
                best = max(best, key)


def kinect(rng: Generator, seen: Seen) -> tuple[Float32, NDArray[np.int64]]:
    """Structured light as in Kinect v1: disparity in steps of 1/8 pixel, shadows beside near objects, ragged edges."""
    scale = seen.camera.fx / 580.0
    seen, _ = _matched(rng, seen, 5)
    source = _jitter(rng, seen.depth.shape, rng.uniform(0.2, 0.9) * max(scale, 0.6), rng.uniform(1.5, 3.0))
    depth = seen.depth.ravel()[source]
    shadow = np.zeros(seen.depth.shape, np.bool_)
    _projector_shadow(seen.depth, seen.camera.fx, rng.choice([-0.075, 0.075], p=[0.3, 0.7]), shadow)
    gain = 8 * 580 * 0.075
    with np.errstate(divide="ignore"):
        disparity = gain / depth + rng.uniform(0.3, 0.7) * smooth_noise(rng, depth.shape, rng.uniform(1.2, 3.0))
        depth = np.where(depth > 0, gain / np.maximum(np.rint(disparity), 1.0), 0)
    if is_first_edition():
        depth = depth * (1 + 0.004 * rng.normal() * smooth_noise(rng, depth.shape, 120 * scale))
    depth = depth * _warp(rng, depth.shape)
    missing = shadow | (seen.cosine < rng.uniform(0.06, 0.17)) | _patchy(rng, seen) | (depth < 0.4) | (depth > 8.0)
    missing |= _edges(seen.depth, 0.04) & (rng.random(depth.shape) < rng.uniform(0.1, 0.6))
    return _read(depth, missing), source


def stereo(rng: Generator, seen: Seen) -> tuple[Float32, NDArray[np.int64]]:
    """Active or passive stereo as in RealSense or ZED: error growing with the square of depth, fattened edges, flying
    pixels, holes."""
    shape = seen.depth.shape
    scale = seen.camera.fx / 600.0
    seen, radius = _matched(rng, seen, 8)
    fat = max(1, round(rng.uniform(0.5, 3.0) * scale))
    source = _jitter(rng, shape, rng.uniform(0.3, 1.2) * scale, rng.uniform(2.0, 6.0))
    if not is_first_edition():
        source = without_thin(seen.depth, round(radius * rng.uniform(0.25, 0.75))).ravel()[source]
    near = fattened(seen.depth, source, fat) if rng.random() < 0.7 else source
    depth = seen.depth.ravel()[near] * _warp(rng, shape)
    per_metre = rng.uniform(0.0006, 0.004)
    wave = 0.7 * smooth_noise(rng, shape, rng.uniform(4, 14) * max(scale, 0.4)) + 0.5 * smooth_noise(
        rng, shape, rng.uniform(15, 50) * max(scale, 0.4)
    )
    depth = depth + per_metre * depth**2 * wave
    if rng.random() < 0.7:
        softened = gaussian_filter(
            np.where(depth > 0, depth, depth[depth > 0].mean() if (depth > 0).any() else 1.0),
            rng.uniform(0.6, 1.6) * max(scale, 0.5),
        )
        flying = _edges(seen.depth, 0.03)
        depth = np.where(flying & (depth > 0) & (rng.random(shape) < 0.6), softened, depth)
    missing = _patchy(rng, seen) | (seen.cosine < rng.uniform(0.03, 0.15)) | (depth < 0.15) | (depth > 10)
    if rng.random() < 0.5:
        missing |= (local_contrast(seen.color) < rng.uniform(0.0, 0.02)) & (
            smooth_noise(rng, shape, 12 * max(scale, 0.4)) > rng.uniform(0.3, 2.0)
        )
    if rng.random() < 0.6:
        shadow = np.zeros(shape, np.bool_)
        baseline = 0.05 if is_first_edition() else rng.choice([-1, 1]) * rng.uniform(0.02, 0.12)
        _projector_shadow(seen.depth, seen.camera.fx, baseline, shadow)
        missing |= shadow
    read = _read(depth, missing)
    if not is_first_edition() and rng.random() < FILLED:
        return filled_from_left(read, near, int(rng.choice([2, 4, 8, 16, shape[1]])))
    return read, near


def generic(rng: Generator, seen: Seen) -> tuple[Float32, NDArray[np.int64]]:
    """Noise as in the training of UOIS-Net: a gamma-distributed factor, smooth Gaussian error, elliptical holes, and
    dropout at depth edges."""
    shape = seen.depth.shape
    seen, _ = _matched(rng, seen, 6)
    source = _jitter(rng, shape, rng.uniform(0.0, 0.8), rng.uniform(1.5, 4.0))
    depth = seen.depth.ravel()[source]
    depth = depth * _warp(rng, shape)
    depth = depth * rng.gamma(1000.0, 0.001) + rng.uniform(0.0, 0.003) * smooth_noise(rng, shape, rng.uniform(2, 16))
    missing = ellipses(rng, shape, int(rng.poisson(8))) | _patchy(rng, seen)
    missing |= _edges(seen.depth, rng.uniform(0.01, 0.05)) & (rng.random(shape) < rng.uniform(0.0, 0.7))
    missing |= rng.random(shape) < rng.choice([0.0, 0.002, 0.01])
    return _read(depth, missing | (seen.depth <= 0)), source


def tof(rng: Generator, seen: Seen) -> tuple[Float32, NDArray[np.int64]]:
    """Time of flight as in Kinect v2, Azure, L515 or phones: no quantisation, noise where little light returns, mixed
    pixels at edges, rounded corners, holes on very dark or distant surfaces."""
    shape = seen.depth.shape
    scale = seen.camera.fx / 600.0
    seen, _ = _matched(rng, seen, 2)
    bright = rng.uniform(0.02, 0.3) + seen.color.mean(2, dtype=np.float32) / 255
    signal = bright * seen.cosine * np.maximum(1 - seen.loss, 0) / np.maximum(seen.depth, 0.1) ** 2
    depth = _filled_corners(seen, rng.uniform(0.006, 0.02))
    edges = _edges(seen.depth, 0.03)
    depth = np.where(edges, _mixed(depth, rng.uniform(0.5, 1.0) * max(scale, 1.0)), depth)
    depth = depth * _warp(rng, shape)
    weak = np.sqrt(0.3 / np.maximum(signal * depth**2, 0.02))
    grain = smooth_noise(rng, shape, rng.uniform(1.0, 2.5) * max(scale, 0.5))
    depth = depth + rng.uniform(0.0004, 0.0025) * depth**2 * weak * grain
    missing = signal < 10 ** rng.uniform(-3, -1.9) * (1 + 0.3 * smooth_noise(rng, shape, 3.0))
    missing |= (seen.cosine < rng.uniform(0.02, 0.1)) | _patchy(rng, seen)
    missing |= (depth < 0.15) | (depth > rng.uniform(4.0, 9.0))
    missing |= edges & (rng.random(shape) < rng.uniform(0.0, 0.8))
    return _read(depth, missing | (seen.depth <= 0)), np.arange(depth.size).reshape(shape)


def _filled_corners(seen: Seen, reach: float) -> Float32:
    """Depth with concave corners rounded over about ``reach`` metres, by up to half of that, as by multipath light."""
    there = seen.depth > 0
    if not there.any():
        return seen.depth
    radius = round(seen.camera.fx * reach / float(np.percentile(seen.depth[there], 25)))
    filled = np.minimum(seen.depth, smoothed(seen.depth, min(max(radius, 1), 16), 2 * SAME_SURFACE))
    return np.asarray(np.maximum(filled, seen.depth - np.float32(reach / 2)))


def _mixed(depth: Float32, sigma: float) -> Float32:
    """Depth blurred by a Gaussian of ``sigma`` pixels over the pixels that have depth."""
    weight = gaussian_filter((depth > 0).astype(np.float32), sigma)
    return np.asarray(gaussian_filter(depth, sigma) / np.maximum(weight, 1e-3), np.float32)


def lidar(rng: Generator, seen: Seen) -> tuple[Float32, NDArray[np.int64]]:
    """A forward-looking LiDAR: beams in rows at equal angles, one pixel each and no pixels in between; range errors,
    partly common to a row; at edges the surface on either side or a point between both."""
    shape, beams = seen.depth.shape, _beams(rng, seen.camera)
    source = _jitter(rng, shape, rng.uniform(0.0, 1.0) * seen.camera.width / 640, 1.0)  # beams are not infinitely thin
    depth = seen.depth.ravel()[source]
    between = _edges(seen.depth, 0.03) & (rng.random(shape) < rng.uniform(0.0, 0.4))
    depth = np.where(between, _mixed(seen.depth, 1.0), depth)
    of_row = rng.normal(0, rng.uniform(0.001, 0.006), beams.max(initial=-1) + 2)[beams]
    error = of_row + rng.uniform(0.003, 0.02) * rng.standard_normal(shape, np.float32)
    rows, columns = np.indices(shape)
    ray = np.hypot(1, np.hypot((columns - seen.camera.cx) / seen.camera.fx, (rows - seen.camera.cy) / seen.camera.fy))
    depth = np.where(depth > 0, depth + error / ray, 0)
    missing = (beams < 0) | (seen.cosine < rng.uniform(0.03, 0.1)) | _patchy(rng, seen) | (depth * ray < 0.2)
    missing |= rng.random(shape) < rng.choice([0.0, 0.01, 0.03])
    return _read(depth, missing | (seen.depth <= 0)), source


def _beams(rng: Generator, camera: Camera) -> NDArray[np.int64]:
    """(H, W) int64 row index of the beam that hits each pixel, -1 for none. Beams are 0.1 to 0.25 degrees apart along a
    row and rows 0.15 to 0.7 degrees, as with 32 to 128 rows in a vertical field of view of 20 or of 90 degrees."""
    along, apart = np.deg2rad(rng.uniform(0.1, 0.25)), np.deg2rad(rng.uniform(0.15, 0.7))
    azimuth = np.arange(np.arctan(-camera.cx / camera.fx), np.arctan((camera.width - camera.cx) / camera.fx), along)
    elevation = np.arange(np.arctan(-camera.cy / camera.fy), np.arctan((camera.height - camera.cy) / camera.fy), apart)
    tilt = np.tan(elevation + rng.uniform(0, apart))[:, None] / np.cos(azimuth)
    row = np.rint(camera.fy * tilt + camera.cy).astype(int)
    column = np.broadcast_to(np.rint(camera.fx * np.tan(azimuth) + camera.cx).astype(int), row.shape)
    inside = (row >= 0) & (row < camera.height) & (column >= 0) & (column < camera.width)
    beams = np.full((camera.height, camera.width), -1)
    beams[row[inside], column[inside]] = np.indices(row.shape)[0][inside]
    return beams


def ideal(rng: Generator, seen: Seen) -> tuple[Float32, NDArray[np.int64]]:
    """A perfect sensor."""
    return _read(seen.depth, seen.depth <= 0), np.arange(seen.depth.size).reshape(seen.depth.shape)


def ellipses(rng: Generator, shape: tuple[int, int], count: int) -> NDArray[np.bool_]:
    """(H, W) mask of elliptical holes."""
    mask = np.zeros(shape, np.bool_)
    unit = shape[1] / 320
    for _ in range(count):
        a, b = rng.gamma(2.0, 2.0, 2) * unit + 0.5
        turn, row, column = rng.uniform(0, np.pi), rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        reach = int(max(a, b)) + 1
        r0, r1 = max(0, int(row) - reach), min(shape[0], int(row) + reach + 1)
        c0, c1 = max(0, int(column) - reach), min(shape[1], int(column) + reach + 1)
        y, x = np.mgrid[r0:r1, c0:c1] - np.array([row, column])[:, None, None]
        u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
        mask[r0:r1, c0:c1] |= (u / a) ** 2 + (v / b) ** 2 < 1
    return mask


def _patchy(rng: Generator, seen: Seen) -> NDArray[np.bool_]:
    """(H, W) mask of patchy holes on materials that return little, see ``Seen.loss``."""
    if not (seen.loss > 0.005).any():
        return np.zeros(seen.depth.shape, np.bool_)
    rank = smooth_noise(rng, seen.depth.shape, rng.uniform(4, 14) * seen.camera.width / 640)
    return np.asarray((rank > 2.2 - 4.0 * seen.loss) & (seen.loss > 0.005))


def _read(depth: NDArray[np.floating], missing: NDArray[np.bool_]) -> Float32:
    return np.where(missing | (depth <= 0), np.float32(np.nan), depth).astype(np.float32)


def local_contrast(color: NDArray[np.uint8]) -> Float32:
    """(H, W) local contrast of an image, 0 to 1: the range of green in 5 x 5 pixels."""
    grey = color[..., 1].astype(np.float32) / 255
    return np.asarray(maximum_filter(grey, 5) - minimum_filter(grey, 5), np.float32)


MODELS = {"ideal": ideal, "kinect": kinect, "stereo": stereo, "generic": generic, "tof": tof, "lidar": lidar}
