"""Sizes, positions and spatial relations of objects, from their boxes and centroids alone.

A relation is a (K, K) table of degrees from 0 to 1: entry [a, b] tells to what degree object a has the relation to
object b. Boxes cover only the visible parts, so contacts are given a tolerance of some centimetres.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .geometry import is_rigid
from .types import Scene

Table = NDArray[np.float64]

CONTACT = 0.05
"""Gap up to which boxes count as touching, metres: the lower part of an object is often hidden."""
MARGIN = 0.02
"""Margin added to each side of a footprint when testing whether another lies within it, metres."""
NEAR = 0.1
"""Gap up to which objects are next to each other, metres; large objects may be farther apart."""
ROOMY = 0.3
"""Minimum height of an object with room between its legs, metres: what appears to be under a lower object is in it."""
SHELF = 0.4
"""Minimum height of an object that may have shelf boards, metres."""
LEVEL = 0.3
"""A surface whose normal has a smaller cosine to up than this is a wall, on which things may hang."""
THIN = 0.2
"""Maximum thickness of the visible part of a wall, metres."""
HUNG = 0.2
"""An object hangs on a wall if it starts at least this far above the wall's foot, metres; a wardrobe does not."""
STEEP = 0.94
"""Cosine: a camera that looks down or up within 20 degrees of the vertical has objects on all sides, so left and right
are taken as directions in its image."""
_SAMPLES = np.stack(np.meshgrid(*[np.linspace(-0.45, 0.45, 5)] * 2), -1).reshape(-1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Viewpoint that left, right, front and back refer to.

    Attributes:
        origin: (3,) position of the viewer in the cloud's frame, metres; forward, up: (3,) unit vectors.
        perspective: whether left and right are bearings seen from the origin, as for a camera, or directions along the
            frame's axes.
    """

    origin: NDArray[np.float64]
    forward: NDArray[np.float64]
    up: NDArray[np.float64]
    perspective: bool = False

    @classmethod
    def of_frame(cls, T_cloud_frame: ArrayLike) -> View:
        """The view from a frame with x forward, y left, z up.

        Args:
            T_cloud_frame: (4, 4) transform of the frame's coordinates to the cloud's.

        Raises:
            ValueError: not a (4, 4) matrix of a rotation and a translation.
        """
        T = np.array(T_cloud_frame, np.float64)
        if T.shape != (4, 4):
            raise ValueError(f"T_cloud_frame: expected shape (4, 4), got {T.shape}")
        if not is_rigid(T):
            raise ValueError("T_cloud_frame: expected a rotation and a translation, got another matrix")
        return cls(T[:3, 3], T[:3, 0], T[:3, 2])

    @classmethod
    def of_camera(cls, scene: Scene) -> View | None:
        """The view from the scene's viewpoint in the camera's direction or, if that is unknown, towards the objects.

        None if viewpoint, up or objects are missing, or if it would look straight down or up.
        """
        if scene.viewpoint is None or scene.up is None or not len(scene):
            return None
        origin, up = scene.viewpoint.astype(np.float64), scene.up.astype(np.float64)
        perspective = True
        if scene.camera_axes is None:
            ahead = np.mean([o.centroid for o in scene.objects], 0) - origin
        else:
            right, _, ahead = scene.camera_axes.T.astype(np.float64)
            perspective = bool(abs(ahead @ up) < STEEP)
            if not perspective:  # keep left and right of the image
                ahead = np.cross(up, right)
        ahead = ahead - (ahead @ up) * up
        length = np.linalg.norm(ahead)
        if length < 1e-6:  # straight down or up
            return None
        return cls(origin, ahead / length, up, perspective)

    def axes(self) -> NDArray[np.float64]:
        """(3, 3) the viewer's right, down and forward as columns, as in ``Scene.camera_axes``."""
        return np.stack([np.cross(self.forward, self.up), -self.up, self.forward], 1)


class Layout:
    """Geometric quantities of a scene's objects that relations and superlatives compare.

    Args:
        scene: K objects.
        view: viewpoint for left and right; None for the camera's, if there is one.
    """

    def __init__(self, scene: Scene, view: View | None = None) -> None:
        self.view = view or View.of_camera(scene)
        self.seen_by = "the given frame" if view is not None else "the camera"
        self.up = scene.up if view is None or scene.up is not None else view.up
        self._boxes = [o.box for o in scene.objects]
        self.is_object = np.array([o.kind == "object" for o in scene.objects], bool)
        self.center = np.array([o.centroid for o in scene.objects], np.float64).reshape(-1, 3)
        self.edges = np.sort(np.array([b.size for b in self._boxes], np.float64).reshape(-1, 3), 1)
        self._overlap: Table | None = None
        self._known: dict[str, Table] = {}
        corners = np.array([b.corners() for b in self._boxes], np.float64).reshape(-1, 8, 3)
        self._viewpoint = self.view.origin if self.view is not None else scene.viewpoint
        if self.up is not None:
            up = np.asarray(self.up, np.float64)
            heights = corners @ up
            self._low, self._high = heights.min(1), heights.max(1)

    def __len__(self) -> int:
        return len(self._boxes)

    def degree(self, relation: str) -> Table:
        """(K, K) degrees of one of ``RELATIONS``, cached."""
        if relation not in self._known:
            self._known[relation] = RELATIONS[relation](self, relation)
        return self._known[relation]

    # Quantities that need up or a view; ValueError if it is missing -------------------------------------------

    def low_high(self, what: str) -> tuple[Table, Table]:
        """(K,) lowest and highest coordinate of each object along up, metres."""
        self._need_up(what)
        return self._low, self._high

    def _need_up(self, what: str) -> None:
        if self.up is None:
            raise ValueError(f"{what!r} cannot be decided: which way is up is not known for this cloud")

    def need_view(self, what: str) -> View:
        """The view; ValueError if there is none. ``what`` is the word that needs it."""
        if self.view is None:
            raise ValueError(
                f"{what!r} cannot be decided: the cloud has no viewpoint to see left, right, front and back from, "
                "as a scan of many views has none; give one, or a reference frame"
            )
        return self.view

    def distance_to_viewer(self, what: str) -> Table:
        """(K,) metres from the viewer to each object's centroid."""
        if self._viewpoint is None:
            raise ValueError(f"{what!r} cannot be decided: the cloud has no viewpoint; give one, or a reference frame")
        return np.asarray(np.linalg.norm(self.center - self._viewpoint, axis=1), np.float64)

    def lateral_depth(self, what: str) -> tuple[Table, Table]:
        """(K, K) metres by which object a is farther left, and farther away, than object b."""
        x, y = self._from_viewer(what)
        if not self.need_view(what).perspective:
            return x[:, None] - x, y[:, None] - y
        bearing, reach = np.arctan2(x, y), np.hypot(x, y)
        return (bearing[:, None] - bearing) * (reach[:, None] + reach) / 2, reach[:, None] - reach

    def leftness(self, what: str) -> Table:
        """(K,) how far left of straight ahead each object is: radians for a perspective view, else metres."""
        x, y = self._from_viewer(what)
        return np.asarray(np.arctan2(x, y) if self.need_view(what).perspective else x, np.float64)

    def _from_viewer(self, what: str) -> tuple[Table, Table]:
        """(K,) metres left and ahead of the viewer."""
        view = self.need_view(what)
        offset = self.center - view.origin
        return offset @ np.cross(view.up, view.forward), offset @ view.forward

    # Horizontal geometry -------------------------------------------------------------------------------------

    def overlap(self) -> Table:
        """(K, K) share of object a's footprint that lies within object b's box, seen along up."""
        if self._overlap is None:
            flat = [np.argsort(-np.abs(b.rotation.T @ np.asarray(self.up)))[1:] for b in self._boxes]
            center = np.array([b.center for b in self._boxes], np.float64).reshape(-1, 3)
            axes = np.array([b.rotation[:, k] for b, k in zip(self._boxes, flat, strict=True)]).reshape(-1, 3, 2)
            size = np.array([b.size[k] for b, k in zip(self._boxes, flat, strict=True)], np.float64).reshape(-1, 2)
            points = center[:, None] + np.einsum("sk,ak,adk->asd", _SAMPLES, size, axes)
            local = np.einsum("asd,bdk->absk", points, axes) - np.einsum("bd,bdk->bk", center, axes)[:, None]
            self._overlap = (np.abs(local) <= size[:, None] / 2 + MARGIN).all(3).mean(2)
        return self._overlap

    def gap(self) -> Table:
        """(K, K) approximate distance between boxes, metres: from the centre of one to the nearest point of the other,
        less its own extent in that direction; the smaller of both ways."""
        center = np.array([b.center for b in self._boxes], np.float64).reshape(-1, 3)
        axes = np.array([b.rotation for b in self._boxes], np.float64).reshape(-1, 3, 3)
        half = np.maximum(np.array([b.size for b in self._boxes], np.float64).reshape(-1, 3) / 2, 1e-4)
        away = np.einsum("abd,bdk->abk", center[:, None] - center, axes)  # from b to a, along b's axes
        away -= np.clip(away, -half, half)
        distance = np.linalg.norm(away, axis=2)
        way = np.einsum("abk,bdk->abd", away, axes) / np.maximum(distance, 1e-9)[..., None]
        along = np.abs(np.einsum("abd,adk->abk", way, axes)) / half[:, None]
        gap = np.maximum(distance - 1 / np.maximum(along.max(2), 1e-9), 0)
        return np.asarray(np.minimum(gap, gap.T), np.float64)

    def walls(self) -> NDArray[np.bool_]:
        """(K,) bool, which objects are upright, thin surfaces."""
        thin = np.array([b.rotation[:, b.size.argmin()] for b in self._boxes], np.float64).reshape(-1, 3)
        upright = np.abs(thin @ np.asarray(self.up, np.float64)) < LEVEL
        upright &= self.edges[:, 0] < THIN  # excludes a desk of which only the front is seen
        return np.asarray(upright & ~self.is_object, np.bool_)


def _ramp(value: Table, none: float, full: float) -> Table:
    """Linear ramp: 0 at ``none``, 1 at ``full``, clipped to 0 and 1 beyond."""
    return np.asarray(np.clip((value - none) / (full - none), 0, 1), np.float64)


def _log(size: Table) -> Table:
    """Logarithm of sizes in metres, clipped below at 5 mm."""
    return np.asarray(np.log(np.maximum(size, 0.005)), np.float64)


# Superlatives ----------------------------------------------------------------------------------------------------

MEASURES: dict[str, Callable[[Layout, str], Table]] = {
    "volume": lambda layout, word: _log(layout.edges).sum(1),
    "height": lambda layout, word: _log(np.subtract(*layout.low_high(word)[::-1])),
    "length": lambda layout, word: _log(layout.edges[:, 2]),
    "width": lambda layout, word: _log(layout.edges[:, 1]),
    "thickness": lambda layout, word: _log(layout.edges[:, 0]),
    "elevation": lambda layout, word: layout.low_high(word)[1],
    "left": lambda layout, word: layout.leftness(word),
    "distance": lambda layout, word: layout.distance_to_viewer(word),
}
"""Quantities that superlatives compare: functions of the layout and the query's word -> (K,) values. Logarithms of
sizes, positions in metres, bearings in radians. "centrality" depends on which objects fit, see ``matching``."""

SPREAD = {"volume": 0.3, "height": 0.1, "length": 0.1, "width": 0.1, "thickness": 0.1}
"""Uncertainty of log sizes, because boxes cover only visible parts: if two sizes differ by this much, the odds that the
larger one is truly larger are e to 1. Positions are taken as exact."""


def precedence(value: Table, spread: float) -> Table:
    """(K, K) probability, entry [a, b], that object b has a larger value than object a; 0 on the diagonal.

    Args:
        value: (K,) measured values.
        spread: their uncertainty (scale of a logistic distribution); 0 for exact values, where among equal ones the
            lower index precedes.
    """
    more = value[None] - value[:, None]
    if spread > 0:
        sure = 1 / (1 + np.exp(-np.clip(more / spread, -50, 50)))
    else:
        order = np.arange(len(value))
        sure = ((more > 0) | ((more == 0) & (order[None] < order[:, None]))).astype(np.float64)
    np.fill_diagonal(sure, 0)
    return np.asarray(sure, np.float64)


# Relations -------------------------------------------------------------------------------------------------------


def _on(layout: Layout, word: str) -> Table:
    """The object's bottom is at the other's top, within its footprint; on a chair or a stepped object the bottom may be
    lower than the top. An object on a wall touches it above its foot."""
    low, high = layout.low_high(word)
    gap = low[:, None] - high
    tall = (high - low)[None]
    contact = np.where(
        gap >= 0, _ramp(gap, 0.12, CONTACT), np.maximum(_ramp(gap, -0.12, -CONTACT), 0.6 * (-gap < 0.7 * tall))
    )
    laid = contact * _ramp(layout.overlap(), 0.1, 0.5) * (high[:, None] > high)
    hung = _ramp(layout.gap(), 0.12, CONTACT) * _ramp(low[:, None] - low, HUNG / 2, HUNG) * layout.is_object[:, None]
    return np.asarray(np.where(layout.walls(), hung, np.maximum(laid, _on_a_board(layout, word))), np.float64)


def _on_a_board(layout: Layout, word: str) -> Table:
    """Inside an object at least ``SHELF`` high, above its foot: what is on the floor is under a desk, not on it."""
    low, high = layout.low_high(word)
    raised = _ramp(low[:, None] - low, 0.015, 0.05) * (high[:, None] < high + CONTACT)
    volume = layout.edges.prod(1)
    smaller = (volume[:, None] < volume) * (high - low >= SHELF)
    return 0.9 * raised * smaller * _ramp(layout.overlap(), 0.3, 0.6)


def _in(layout: Layout, word: str) -> Table:
    """Within the other's footprint, starting below its rim and not below its bottom."""
    low, high = layout.low_high(word)
    below_rim = _ramp(high[None] - low[:, None], 0.0, 0.015) * (low[:, None] > low - 0.02)
    volume = layout.edges.prod(1)
    smaller = volume[:, None] < volume
    return below_rim * _ramp(layout.overlap(), 0.4, 0.7) * smaller


def _under(layout: Layout, word: str) -> Table:
    """Below the other with overlapping footprints, or between its legs: a table's box reaches down to its feet."""
    low, high = layout.low_high(word)
    over = np.maximum(layout.overlap(), layout.overlap().T)
    free = _ramp(high[:, None] - low, CONTACT + 0.03, CONTACT - 0.02)
    between_legs = 0.9 * _ramp(high[None] - high[:, None], 0.02, 0.08) * (low[:, None] - low < 0.1)
    between_legs = between_legs * (high - low >= ROOMY)
    return np.maximum(free, between_legs) * _ramp(over, 0.1, 0.4) * (high[:, None] < high)


def _above(layout: Layout, word: str) -> Table:
    low, high = layout.low_high(word)
    over = np.maximum(layout.overlap(), layout.overlap().T)
    return _ramp(low[:, None] - high, -CONTACT, 0.0) * _ramp(over, 0.1, 0.4)


def _beside(sign: float, axis: int) -> Callable[[Layout, str], Table]:
    """A relation along the view's left (axis 0) or forward (axis 1) axis."""

    def relation(layout: Layout, word: str) -> Table:
        offsets = layout.lateral_depth(word)
        along, across = sign * offsets[axis], offsets[1 - axis]
        cosine = along / np.maximum(np.hypot(along, across), 1e-9)
        return _ramp(cosine, 0.2, 0.6) * _ramp(along, 0.0, 0.03)

    return relation


def _next_to(layout: Layout, word: str) -> Table:
    """The gap is small compared to the objects' size, and neither is on, in or under the other."""
    gap = layout.gap()
    size = np.minimum(layout.edges[:, None, 2], layout.edges[None, :, 2])
    near = np.maximum(NEAR, 0.75 * size)
    close = np.clip(2 - gap / near, 0, 1)
    if layout.up is not None:
        close = close * (np.maximum(layout.overlap(), layout.overlap().T) < 0.5)
    return close


def _compare(measure: str, sign: float) -> Callable[[Layout, str], Table]:
    def relation(layout: Layout, word: str) -> Table:
        value = sign * MEASURES[measure](layout, word)
        return (value[:, None] > value).astype(np.float64)

    return relation


COMPARISONS: dict[str, tuple[str, float]] = {
    "bigger than": ("volume", 1), "smaller than": ("volume", -1), "taller than": ("height", 1),
    "shorter than": ("height", -1), "longer than": ("length", 1), "wider than": ("width", 1),
    "narrower than": ("width", -1), "thicker than": ("thickness", 1), "thinner than": ("thickness", -1),
    "higher than": ("elevation", 1), "lower than": ("elevation", -1),
}  # fmt: skip
"""Relation -> which of ``MEASURES`` it compares, and whether a larger (1) or smaller (-1) value is meant."""

RELATIONS: dict[str, Callable[[Layout, str], Table]] = {
    "on": _on,
    "in": _in,
    "under": _under,
    "above": _above,
    "left of": _beside(1.0, 0),
    "right of": _beside(-1.0, 0),
    "behind": _beside(1.0, 1),
    "in front of": _beside(-1.0, 1),
    "next to": _next_to,
    **{name: _compare(measure, sign) for name, (measure, sign) in COMPARISONS.items()},
}
"""Relation -> function that gives (K, K) degrees, 0 to 1; ``between`` is separate, because it takes two anchors."""

DIRECTED = ("left of", "right of", "behind", "in front of", "left", "distance")
"""Relations and measures that depend on the viewpoint."""


def between(layout: Layout, b: int, c: int) -> Table:
    """(K,) degree to which each object is between objects b and c: near the line segment that joins them."""
    start, span = layout.center[b], layout.center[c] - layout.center[b]
    length = float(np.linalg.norm(span))
    offset = layout.center - start
    along = offset @ span / max(length**2, 1e-9)
    across = np.linalg.norm(offset - along[:, None] * span, axis=1)
    degree = _ramp(np.minimum(along, 1 - along), 0.0, 0.15) * _ramp(across / max(length, 1e-9), 0.6, 0.3)
    degree[[b, c]] = 0
    return degree
