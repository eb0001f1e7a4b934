"""What geometry decides about objects: sizes, places, and how one stands to another, from boxes alone.

Every relation is a (K, K) table of degrees from 0 to 1: entry [a, b] says how far object a stands so to object b.
Boxes are of what was seen, so contacts are allowed some centimetres.
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
"""Seen boxes that touch may be so far apart, metres: the lower part of a thing is often hidden."""
MARGIN = 0.02
"""Footprints are widened by so much when one is sought within another, metres."""
NEAR = 0.1
"""Things with at most this gap are next to each other, metres; larger things may be farther apart."""
ROOMY = 0.3
"""Things lower than this have no room below them between their legs, metres: what seems to be there is in them."""
SHELF = 0.4
"""Metres of height from which something may have boards that things are on."""
LEVEL = 0.3
"""A surface whose normal rises less than this beside its length, a cosine, is a wall, and things hang on it."""
THIN = 0.2
"""A wall as it is seen is thinner than this, metres."""
HUNG = 0.2
"""What is on a wall begins at least so far above its foot, metres: a wardrobe stands there, and is not on it."""
STEEP = 0.94
"""A camera that looks down or up within 20 degrees of the vertical has things on all sides, and left and right are
directions of its picture. A cosine."""
_SAMPLES = np.stack(np.meshgrid(*[np.linspace(-0.45, 0.45, 5)] * 2), -1).reshape(-1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Whose left and right, front and back is meant.

    Attributes:
        origin: (3,) where the viewer stands, in the cloud's frame; forward, up: (3,) unit vectors.
        perspective: whether left and right are directions seen from the origin, as a camera's are; else they are
            those of the frame's axes.
    """

    origin: NDArray[np.float64]
    forward: NDArray[np.float64]
    up: NDArray[np.float64]
    perspective: bool = False

    @classmethod
    def of_frame(cls, T_cloud_frame: ArrayLike) -> View:
        """The view of someone who stands in a frame: x forward, y left, z up.

        Args:
            T_cloud_frame: (4, 4), takes the frame's coordinates to the cloud's.

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
        """From the scene's viewpoint the way its camera looks, where that is not known towards its objects; None where
        viewpoint, up or objects are missing."""
        if scene.viewpoint is None or scene.up is None or not len(scene):
            return None
        origin, up = scene.viewpoint.astype(np.float64), scene.up.astype(np.float64)
        perspective = True
        if scene.camera_axes is None:
            ahead = np.mean([o.centroid for o in scene.objects], 0) - origin
        else:
            right, _, ahead = scene.camera_axes.T.astype(np.float64)
            perspective = bool(abs(ahead @ up) < STEEP)
            if not perspective:  # left and right of its picture stay so
                ahead = np.cross(up, right)
        ahead = ahead - (ahead @ up) * up
        length = np.linalg.norm(ahead)
        if length < 1e-6:  # straight from above
            return None
        return cls(origin, ahead / length, up, perspective)

    def axes(self) -> NDArray[np.float64]:
        """(3, 3) the viewer's right, down and forward as columns, as ``Scene.camera_axes`` has them."""
        return np.stack([np.cross(self.forward, self.up), -self.up, self.forward], 1)


class Layout:
    """Boxes of a scene as numbers that relations compare.

    Args:
        scene: K objects.
        view: whose left and right; None takes the camera's, where there is one.
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
        """(K, K) degrees of one of ``RELATIONS``, computed once."""
        if relation not in self._known:
            self._known[relation] = RELATIONS[relation](self, relation)
        return self._known[relation]

    # What is needed, or refused with a reason ----------------------------------------------------------------

    def low_high(self, what: str) -> tuple[Table, Table]:
        """(K,) lowest and highest point of each object along up."""
        self._need_up(what)
        return self._low, self._high

    def _need_up(self, what: str) -> None:
        if self.up is None:
            raise ValueError(f"{what!r} cannot be decided: which way is up is not known for this cloud")

    def need_view(self, what: str) -> View:
        """The view, for what depends on one."""
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
        """(K, K) metres by which object a stands farther left, and farther away, than object b."""
        x, y = self._from_viewer(what)
        if not self.need_view(what).perspective:
            return x[:, None] - x, y[:, None] - y
        bearing, reach = np.arctan2(x, y), np.hypot(x, y)
        return (bearing[:, None] - bearing) * (reach[:, None] + reach) / 2, reach[:, None] - reach

    def leftness(self, what: str) -> Table:
        """(K,) how far left of straight ahead each object is: radians as a camera sees it, else metres."""
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
        """(K, K) metres between the boxes, roughly: from the middle of one to the nearest point of the other, less its
        own reach that way; the less of both."""
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
        """(K,) which of the surfaces stand upright."""
        thin = np.array([b.rotation[:, b.size.argmin()] for b in self._boxes], np.float64).reshape(-1, 3)
        upright = np.abs(thin @ np.asarray(self.up, np.float64)) < LEVEL
        upright &= self.edges[:, 0] < THIN  # a desk of which the front is seen is none
        return np.asarray(upright & ~self.is_object, np.bool_)


def _ramp(value: Table, none: float, full: float) -> Table:
    """0 at ``none``, 1 at ``full``, straight between, and the same beyond."""
    return np.asarray(np.clip((value - none) / (full - none), 0, 1), np.float64)


def _log(size: Table) -> Table:
    """Logarithm of sizes in metres, of at least half a centimetre."""
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
"""What superlatives compare -> (K,) numbers, from the layout and the word that asks for it: logarithms of sizes, places
in metres, bearings in radians. What is in the middle hangs on what is meant, and is not told here."""

SPREAD = {"volume": 0.3, "height": 0.1, "length": 0.1, "width": 0.1, "thickness": 0.1}
"""How uncertain sizes are, for boxes are of what was seen: of two that differ by so much, the odds that the larger one
is larger are e to 1. Places are taken as they are."""


def precedence(value: Table, spread: float) -> Table:
    """(K, K) probability, entry [a, b], that object b has more of (K,) values than object a; a has not before itself.

    Args:
        spread: how uncertain the values are; 0 takes them as they are, the former of two equal ones first.
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
    """Its bottom at the other's top, over it. On a chair or a stepped thing the bottom may be lower than the top. What
    is on a wall touches it, above its foot."""
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
    """Within something as tall as a shelf, above its foot: what stands on the floor is under a desk and not on it."""
    low, high = layout.low_high(word)
    raised = _ramp(low[:, None] - low, 0.015, 0.05) * (high[:, None] < high + CONTACT)
    volume = layout.edges.prod(1)
    smaller = (volume[:, None] < volume) * (high - low >= SHELF)
    return 0.9 * raised * smaller * _ramp(layout.overlap(), 0.3, 0.6)


def _in(layout: Layout, word: str) -> Table:
    """Within the other's footprint and height, and starting below its rim."""
    low, high = layout.low_high(word)
    below_rim = _ramp(high[None] - low[:, None], 0.0, 0.015) * (low[:, None] > low - 0.02)
    volume = layout.edges.prod(1)
    smaller = volume[:, None] < volume
    return below_rim * _ramp(layout.overlap(), 0.4, 0.7) * smaller


def _under(layout: Layout, word: str) -> Table:
    """Lower than the other, which is over it; a table's box reaches down to its feet."""
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
    """A gap that is small beside the things themselves; not on, in or under each other."""
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
"""Relation -> which of ``MEASURES`` it compares, and whether more (1) or less (-1) of it is meant."""

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
"""Relation -> (K, K) degrees, 0 to 1; "between" takes two anchors and stands apart."""

DIRECTED = ("left of", "right of", "behind", "in front of", "left", "distance")
"""What depends on whose view it is."""


def between(layout: Layout, b: int, c: int) -> Table:
    """(K,) how far each object stands between objects b and c: near the line that joins them, and within it."""
    start, span = layout.center[b], layout.center[c] - layout.center[b]
    length = float(np.linalg.norm(span))
    offset = layout.center - start
    along = offset @ span / max(length**2, 1e-9)
    across = np.linalg.norm(offset - along[:, None] * span, axis=1)
    degree = _ramp(np.minimum(along, 1 - along), 0.0, 0.15) * _ramp(across / max(length, 1e-9), 0.6, 0.3)
    degree[[b, c]] = 0
    return degree
