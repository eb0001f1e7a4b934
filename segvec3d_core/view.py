"""Pictures of a scene, rendered with Pillow and numpy, without a window or graphics card.

An organised cloud is shown from its camera; any other cloud from an oblique virtual view, with points as small splats.
Without colours, shading makes depth readable. The input is shown on the left, the instances with boxes and names on the
right; matches of a query are highlighted and the rest is dimmed.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from segvec3d_core.types import Box, Camera, Float32, Matches, PointCloud, Scene

GOLDEN_RATIO = 0.618033988749895
BACKGROUND = (246, 247, 249)
INK = (32, 36, 42)
HIGHLIGHT = (255, 196, 0)

_MAX_POINTS = 1_500_000  # more than a picture can show; larger clouds are subsampled evenly
_SUPERSAMPLING = 2  # lines and text are drawn at twice the size for anti-aliasing
CUT = 0.3
"""Thickness of the parts of a room that are cut away above and towards the viewer, metres."""
_AZIMUTH, _ELEVATION = np.radians(32.0), np.radians(48.0)  # viewing direction for scans
_EDGES = ((0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 3), (2, 6), (3, 7), (4, 5), (4, 6), (5, 7), (6, 7))


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A cloud seen by a real or virtual camera.

    Attributes:
        image: (H, W, 3) uint8 RGB, the cloud in its own colours.
        ids: (H, W) int32, instance of each pixel, -1 for none.
        project: function from (n, 3) points to (n, 2) pixels, NaN behind the camera.
    """

    image: NDArray[np.uint8]
    ids: NDArray[np.int32]
    project: Callable[[Float32], NDArray[Any]]


def instance_color(index: int) -> tuple[int, int, int]:
    """A fixed RGB colour for an id; consecutive ids have distant hues."""
    hue = (0.58 + index * GOLDEN_RATIO) % 1.0
    saturation, value = ((0.75, 0.95), (0.60, 0.85), (0.90, 0.75))[index // 8 % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_scene(
    cloud: PointCloud,
    scene: Scene,
    names: Sequence[tuple[str, float]] | None = None,
    matches: Matches | None = None,
    title: str = "",
) -> Image.Image:
    """Draw a cloud beside its instances.

    Args:
        cloud: the cloud that was segmented.
        scene: its instances.
        names: (label, similarity) of each instance, as returned by ``SegVec3D.name``; None shows ids.
        matches: the answer to a query, best first; these objects are highlighted.
        title: a line above the picture, such as the query.

    Returns:
        An RGB picture.

    Raises:
        ValueError: a scene of another cloud.
    """
    if len(scene.labels) != len(cloud):
        raise ValueError(f"scene: expected labels for {len(cloud)} points, got {len(scene.labels)}")
    view = camera_view(cloud, scene.labels) if cloud.camera is not None else scan_view(cloud, scene.labels)
    found = [] if matches is None else [match.index for match in matches]
    right = _annotate(view, scene, _texts(scene, names, matches), found)
    objects = sum(item.kind == "object" for item in scene.objects)
    caption = (
        f"{objects} object{'s' * (objects != 1)}, {len(scene) - objects} surface{'s' * (len(scene) - objects != 1)}"
    )
    if matches is not None:
        caption += f", {len(matches)} found" if len(matches) else ", nothing found"
    return _side_by_side(Image.fromarray(view.image), right, title or f"{len(cloud):,} points", caption)


def draw_answer(cloud: PointCloud, scene: Scene, matches: Matches, title: str, size: tuple[int, int]) -> Image.Image:
    """Draw the matches of a query in one small picture with a line of text above it.

    Args:
        cloud: an organised cloud with a camera; scene: its instances; matches: the answer.
        title: the line; size: width and height of the picture below it, pixels.
    """
    view = camera_view(cloud, scene.labels)
    found = [match.index for match in matches]
    texts = {match.index: f"{match.similarity:.2f}" for match in matches}
    picture = _annotate(view, scene, texts, found).resize(size, Image.Resampling.LANCZOS)
    page = Image.new("RGB", (size[0], size[1] + 24), BACKGROUND)
    page.paste(picture, (0, 24))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(14)
    draw.text((4, 4), _shortened(draw, title, font, size[0] - 8), fill=INK, font=font)
    return page


def contact_sheet(pictures: Sequence[Image.Image], columns: int) -> Image.Image:
    """Arrange pictures of one size row by row.

    Raises:
        ValueError: no picture.
    """
    if not pictures:
        raise ValueError("pictures: expected at least one, got none")
    width, height = pictures[0].width + 6, pictures[0].height + 6
    page = Image.new("RGB", (columns * width, -(-len(pictures) // columns) * height), BACKGROUND)
    for place, picture in enumerate(pictures):
        page.paste(picture, (place % columns * width + 3, place // columns * height + 3))
    return page


def save_picture(path: str | Path, *args: Any, **kwargs: Any) -> None:
    """Write ``draw_scene(*args, **kwargs)`` to an image file, creating its folder."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    draw_scene(*args, **kwargs).save(path)


def _texts(scene: Scene, names: Sequence[tuple[str, float]] | None, matches: Matches | None) -> dict[int, str]:
    """The label of each instance: a match's name and similarity, an object's name, or its id."""
    texts = {}
    for k, item in enumerate(scene.objects):
        name = names[k][0] if names is not None else ""
        if item.kind == "object":
            texts[k] = name if name and name != "other" else str(k)
        elif name and name != "other":
            texts[k] = name
    for match in matches or ():
        texts[match.index] = f"{texts.get(match.index, match.index)}  {match.similarity:.2f}"
    return texts


# Views -----------------------------------------------------------------------------------------------------------


def camera_view(cloud: PointCloud, labels: NDArray[np.int32]) -> View:
    """An organised cloud seen by its own camera; grey shading if there are no colours."""
    camera = cloud.camera
    if camera is None:
        raise ValueError("cloud: expected an organised cloud with a camera, got one without")
    size = (camera.height, camera.width)
    if cloud.colors is not None:
        image = cloud.colors.reshape(*size, 3)
    else:
        z = cloud.points[:, 2].reshape(size)
        seen = np.isfinite(z) & (z > 0)
        image = np.where(seen[..., None], np.uint8(205), np.array(BACKGROUND, np.uint8))
        image = _shaded(np.where(seen, z, np.inf), image)
    return View(image, labels.reshape(size), camera.project)


def scan_view(cloud: PointCloud, labels: NDArray[np.int32], width: int = 760, height: int = 620) -> View:
    """A cloud seen obliquely from above by a virtual camera; rooms are cut open towards it."""
    keep = np.flatnonzero(np.isfinite(cloud.points).all(1) & (np.abs(cloud.points) < 1e7).all(1))
    keep = keep[:: len(keep) // _MAX_POINTS + 1]
    if not len(keep):  # an empty page
        return View(
            np.full((height, width, 3), BACKGROUND, np.uint8),
            np.full((height, width), -1, np.int32),
            lambda points: np.full((len(points), 2), np.nan),
        )
    points = cloud.points[keep].astype(np.float64)
    rotation, is_scan = _view_rotation(cloud)
    if is_scan:
        inside = _cut_open(points, rotation)
        keep, points = keep[inside], points[inside]
    low, high = np.percentile(points @ rotation.T, [1, 99], axis=0)
    centre = (low + high) / 2
    seen = points @ rotation.T - centre
    camera, distance = _fitting_camera(seen, width, height)
    back = np.array([0, 0, distance])
    ids, depth, which = _splat(seen + back, camera)
    colors = np.full((len(keep), 3), 205, np.uint8) if cloud.colors is None else cloud.colors[keep]
    image = np.full((height, width, 3), BACKGROUND, np.uint8)
    image[which] = colors[ids[which]]
    instance = np.full((height, width), -1, np.int32)
    instance[which] = labels[keep[ids[which]]]

    def project(wanted: Float32) -> NDArray[Any]:
        return camera.project((wanted @ rotation.T - centre + back).astype(np.float32))

    return View(_shaded(depth, image), instance, project)


def _view_rotation(cloud: PointCloud) -> tuple[NDArray[np.float64], bool]:
    """Rotation from the cloud to a virtual optical frame, and whether the cloud is a scan, not one camera's frame."""
    if cloud.up is None and cloud.viewpoint is not None:  # near enough to how its camera looked
        axes = cloud.camera_axes
        return np.eye(3) if axes is None else axes.T.astype(np.float64), False
    up = np.array([0.0, 0.0, 1.0]) if cloud.up is None else cloud.up.astype(np.float64)
    side = np.cross(up, [1.0, 0.0, 0.0] if abs(up[0]) < 0.9 else [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    level = np.cos(_AZIMUTH) * side + np.sin(_AZIMUTH) * np.cross(up, side)
    forward = np.cos(_ELEVATION) * level - np.sin(_ELEVATION) * up
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward]), cloud.viewpoint is None


def _cut_open(points: NDArray[np.float64], rotation: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N,) bool, points to keep: all, or of a room without the ceiling and the walls nearest to the viewer."""
    up = -np.cos(_ELEVATION) * rotation[1] - np.sin(_ELEVATION) * rotation[2]
    towards = _unit(-rotation[2] - up * (-rotation[2] @ up))
    heights = points @ up
    low, high = np.percentile(heights, [0.5, 99.5])
    if high - low < 1.6:
        return np.ones(len(points), bool)
    keep = heights < high - CUT
    for axis in _walls(points, towards, rotation[0]):
        reach = points @ axis
        near, far = np.percentile(reach, [0.5, 99.5])
        # A wall seen edge on hides nothing, and little would remain of a narrow room without its walls.
        if axis @ towards > 0.1 and far - near > 4 * CUT:
            keep &= reach < far - CUT
    return keep if keep.any() else np.ones(len(points), bool)  # for example a pole


def _walls(
    points: NDArray[np.float64], towards: NDArray[np.float64], right: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """Outward directions of the two sides of a room nearest to the viewer. The room is taken as the rectangle, of all
    orientations in steps of one degree, that has most points along its sides.

    Args:
        towards, right: horizontal directions towards the viewer and to the right.
    """
    some = points[:: max(1, len(points) // 20_000)]
    level = np.stack([some @ towards, some @ right], 1)
    best, most = 0.0, -1
    for turn in np.radians(np.arange(-45, 45)):
        across = level @ _turned(turn).T
        low, high = np.percentile(across, [0.5, 99.5], axis=0)
        beside = int(((across < low + CUT / 2) | (across > high - CUT / 2)).sum())
        if beside > most:
            best, most = float(turn), beside
    sides = [sign * side for side in _turned(best) for sign in (1.0, -1.0)]
    return [side[0] * towards + side[1] * right for side in sides if side[0] > 0]


def _turned(angle: float) -> NDArray[np.float64]:
    """(2, 2) two perpendicular axes, rotated by an angle."""
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / np.linalg.norm(vector)


def _fitting_camera(seen: NDArray[np.float64], width: int, height: int) -> tuple[Camera, float]:
    """A camera, and its distance from the centre of ``seen``, such that nearly all points are in its image."""
    camera = Camera(width, height, 1.1 * width, 1.1 * width, width / 2, height / 2)
    reach = np.maximum(
        np.abs(seen[:, 0]) * camera.fx / (0.46 * width), np.abs(seen[:, 1]) * camera.fy / (0.46 * height)
    )
    distance = float(np.percentile(reach - seen[:, 2], 99.5))
    return camera, max(distance, 1e-3)


def _splat(
    points: NDArray[np.float64], camera: Camera
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Render points as small squares, the nearest in front.

    Returns:
        (H, W) index of the visible point, (H, W) its depth (infinite for none), (H, W) bool, whether there is one.
    """
    pixels = camera.project(points.astype(np.float32))
    inside = np.isfinite(pixels).all(1) & (pixels >= 0).all(1) & (pixels < [camera.width, camera.height]).all(1)
    order = np.flatnonzero(inside)
    order = order[np.argsort(-points[order, 2], kind="stable")]  # far to near: the last write to a pixel stays
    column, row = pixels[order].astype(np.int64).T
    depth = np.full((camera.height, camera.width), np.inf)
    index = np.full(depth.shape, -1, np.int64)
    radius = _splat_radius(row * camera.width + column)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            r, c = row + dy, column + dx
            good = (r >= 0) & (r < camera.height) & (c >= 0) & (c < camera.width)
            good[good] = points[order[good], 2] < depth[r[good], c[good]]
            depth[r[good], c[good]] = points[order[good], 2]
            index[r[good], c[good]] = order[good]
    return index, depth, index >= 0


def _splat_radius(pixels: NDArray[np.int64]) -> int:
    """Half the edge of a splat that closes the gaps between points, from their density."""
    occupied = len(np.unique(pixels))
    return 1 if occupied > 120_000 else 2 if occupied > 8_000 else 3


def _shaded(depth: NDArray[Any], image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Darken pixels that lie behind their neighbours (eye-dome lighting), which shows shape without colours."""
    level = np.full(depth.shape, np.nan)
    known = np.isfinite(depth)
    level[known] = np.log(depth[known])
    height, width = depth.shape
    behind = np.zeros(depth.shape)
    for reach in (1, 3):
        padded = np.pad(level, reach, mode="edge")
        for dy, dx in ((0, reach), (2 * reach, reach), (reach, 0), (reach, 2 * reach)):
            step = level - padded[dy : dy + height, dx : dx + width]
            behind += np.clip(np.nan_to_num(step) - 0.002, 0, 0.02)  # smaller steps are sensor noise
    shade = np.where(known, np.exp(-14.0 * behind), 1.0)[..., None]
    return (image * shade).round().astype(np.uint8)


# Annotations -----------------------------------------------------------------------------------------------------


def _annotate(view: View, scene: Scene, texts: dict[int, str], found: list[int]) -> Image.Image:
    """Draw instances, boxes and names over a view; if there are ``found`` instances, the others are dimmed."""
    tinted = Image.fromarray(_tint(view, scene, found))
    width, height = tinted.size
    large = tinted.resize((width * _SUPERSAMPLING, height * _SUPERSAMPLING), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(large)
    boxed = [k for k, item in enumerate(scene.objects) if item.kind == "object" and k not in found]
    for k in [*([] if found else boxed), *found]:
        color = HIGHLIGHT if k in found else instance_color(k)
        _draw_box(draw, scene.objects[k].box, view, color, 3 if k in found else 1)
    named = found or [k for k in boxed if k in texts] + [
        k for k, item in enumerate(scene.objects) if item.kind == "surface" and k in texts
    ]
    taken: list[tuple[float, float, float, float]] = []
    for k in sorted(named, key=lambda k: -scene.objects[k].point_count):
        anchor = _anchor(view, k)
        if anchor is not None:
            _draw_label(draw, texts.get(k, str(k)), anchor, HIGHLIGHT if k in found else instance_color(k), taken)
    return large.resize((width, height), Image.Resampling.LANCZOS)


def _tint(view: View, scene: Scene, found: list[int]) -> NDArray[np.uint8]:
    """The view with each instance tinted in its colour and outlined; surfaces faint, the background grey."""
    image = view.image.astype(np.float32)
    grey = image.mean(2, keepdims=True)
    image = 0.35 * image + 0.65 * (0.75 * grey + 0.25 * np.array(BACKGROUND, np.float32))
    palette = np.array([instance_color(k) for k in range(len(scene))] or [(0, 0, 0)], np.float32)
    strength = np.array([0.22 if item.kind == "surface" else 0.62 for item in scene.objects] or [0.0], np.float32)
    if found:
        strength *= 0.35
    inside = view.ids >= 0
    ids = view.ids[inside]
    light = 0.45 + 0.75 * view.image[inside].astype(np.float32).mean(1, keepdims=True) / 255  # preserves shading
    alpha = strength[ids][:, None]
    image[inside] = (1 - alpha) * image[inside] + alpha * palette[ids] * light
    edge = inside & _outline(view.ids)
    image[edge] = palette[view.ids[edge]] * 0.6 if not found else image[edge] * 0.8
    for k in found:
        image[view.ids == k] = view.image[view.ids == k]
        image[_thick(_outline(view.ids) & (view.ids == k))] = HIGHLIGHT
    return image.clip(0, 255).round().astype(np.uint8)


def _outline(ids: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Pixels whose neighbour to the right or below belongs to another instance."""
    edge = np.zeros(ids.shape, bool)
    edge[:, :-1] |= ids[:, :-1] != ids[:, 1:]
    edge[:-1] |= ids[:-1] != ids[1:]
    return edge


def _thick(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    wide = mask.copy()
    wide[1:] |= mask[:-1]
    wide[:, 1:] |= mask[:, :-1]
    wide[:-1] |= mask[1:]
    wide[:, :-1] |= mask[:, 1:]
    return wide


def _draw_box(draw: ImageDraw.ImageDraw, box: Box, view: View, color: tuple[int, int, int], width: int) -> None:
    """Draw the twelve edges of a box, without those that reach behind the camera."""
    corners = view.project(box.corners()) * _SUPERSAMPLING
    for a, b in _EDGES:
        if np.isfinite(corners[[a, b]]).all() and np.abs(corners[[a, b]]).max() < 1e5:
            line = [tuple(corners[a]), tuple(corners[b])]
            draw.line(line, fill=(255, 255, 255), width=_SUPERSAMPLING * width + 2)
            draw.line(line, fill=color, width=_SUPERSAMPLING * width)


def _anchor(view: View, k: int) -> tuple[float, float] | None:
    """Position of an instance's label, above its uppermost pixels, or None if it is not visible."""
    rows, columns = np.nonzero(view.ids == k)
    if not len(rows):
        return None
    return float(np.median(columns)), float(np.percentile(rows, 2))


def _draw_label(
    draw: ImageDraw.ImageDraw,
    text: str,
    anchor: tuple[float, float],
    color: tuple[int, int, int],
    taken: list[tuple[float, float, float, float]],
) -> None:
    """Draw a text label near its anchor, moved so that it covers no other label and lies within the picture."""
    font = ImageFont.load_default(13 * _SUPERSAMPLING)
    pad = 3 * _SUPERSAMPLING
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    width, height = right - left + 2 * pad, bottom - top + 2 * pad
    page_width, page_height = draw.im.size if draw.im is not None else (width, height)
    x = min(max(anchor[0] * _SUPERSAMPLING - width / 2, 0), max(page_width - width, 0))
    base = anchor[1] * _SUPERSAMPLING - height - 4
    plate = (x, base, x + width, base + height)
    for step in range(20):
        shift = (step + 1) // 2 * (height + 2) * (-1 if step % 2 else 1)
        y = min(max(base + shift, 0), max(page_height - height, 0))
        plate = (x, y, x + width, y + height)
        if not any(plate[0] < t[2] and t[0] < plate[2] and plate[1] < t[3] and t[1] < plate[3] for t in taken):
            break
    taken.append(plate)
    dark = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] < 140
    draw.rounded_rectangle(plate, radius=2 * pad, fill=color, outline=(255, 255, 255), width=2)
    draw.text((plate[0] + pad - left, plate[1] + pad - top), text, font=font, fill=(255, 255, 255) if dark else INK)


def _side_by_side(left: Image.Image, right: Image.Image, title: str, caption: str) -> Image.Image:
    """Two pictures of one size side by side, with a line of text above each."""
    gap, bar = 8, 30
    page = Image.new("RGB", (left.width + right.width + 3 * gap, left.height + bar + gap), BACKGROUND)
    page.paste(left, (gap, bar))
    page.paste(right, (left.width + 2 * gap, bar))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(15)
    draw.text((gap + 2, 6), _shortened(draw, title, font, left.width), fill=INK, font=font)
    draw.text((left.width + 2 * gap + 2, 6), _shortened(draw, caption, font, right.width), fill=INK, font=font)
    return page


def _shortened(draw: ImageDraw.ImageDraw, text: str, font: Any, width: int) -> str:
    """The text, truncated to fit."""
    while text and draw.textlength(text, font=font) > width:
        text = text[:-4].rstrip() + "..."
    return text
