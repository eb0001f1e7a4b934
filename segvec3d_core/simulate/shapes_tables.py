"""Tables, coffee tables, desks and benches: a top on one of several bases; part 0 is the top, part 1 the base."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .meshes import Mesh, arc, box, cylinder, ellipsoid, extrude, join, rod, rounded_box, sweep

BASES = ("four", "four", "four", "panels", "trestles", "frames", "crosses", "pedestal", "pedestals")
"""Kinds of bases; one given several times is drawn more often."""


def corner_legs(rng: Generator, x: float, y: float, h: float, w: float, splay: float = 0.0) -> Mesh:
    """Four legs of width ``w`` whose tops lie under the corners of an x by y plate at height ``h``."""
    ends = [(i * x / 2, j * y / 2) for i in (1, -1) for j in (1, -1)]
    if splay or rng.random() < 0.5:
        thin = w / 2 * rng.uniform(0.55, 1.0)
        return join(*(sweep([(a * (1 + splay), b * (1 + splay), 0), (a, b, h)], [thin, w / 2], 10) for a, b in ends))
    return join(*(box(w, w, h).moved(a, b) for a, b in ends))


def bar(a: tuple[float, float, float], b: tuple[float, float, float], w: float) -> Mesh:
    """A bar of square section between two points."""
    return rod(a, b, w * 0.7, 4)


def plate(rng: Generator, x: float, y: float, t: float, shape: str) -> Mesh:
    """A top of thickness ``t`` on the ground: "oval" (round where x = y), "soft" corners or a plain "box"."""
    if shape == "oval":
        return cylinder(0.5, t, 44, min(0.3 * t, 0.006)).scaled(x, y, 1)
    if shape == "soft":
        return extrude(_soft_outline(x, y, rng.uniform(0.03, 0.45) * min(x, y)), t)
    return rounded_box(x, y, t, 0.3 * t, 2) if rng.random() < 0.3 else box(x, y, t)


def _soft_outline(x: float, y: float, r: float) -> NDArray[np.float64]:
    """(P, 2) a rectangle whose corners have the radius ``r``."""
    corners = ((1, 1), (-1, 1), (-1, -1), (1, -1))
    middles = [np.array([i * (x / 2 - r), j * (y / 2 - r)]) for i, j in corners]
    return np.concatenate([arc(r, 90 * k, 90 * k + 90, 7) + middle for k, middle in enumerate(middles)])


def _panels(rng: Generator, x: float, y: float, h: float, w: float) -> Mesh:
    t = rng.uniform(0.018, 0.06)
    parts = [box(t, y, h).moved(k * (x - t) / 2) for k in (1, -1)]
    if rng.random() < 0.6:
        tall = h * rng.uniform(0.15, 0.7)
        parts.append(box(x - t, 0.02, tall).moved(y=y * rng.choice([0.0, 0.4]), z=h - tall))
    return join(*parts)


def _trestles(rng: Generator, x: float, y: float, h: float, w: float) -> Mesh:
    """Two trestles: at either end a slanted pair of legs with a rung, or a post between a foot and a head."""
    parts = []
    slanted = rng.random() < 0.5
    for k in (1, -1):
        a = k * x * 0.42
        if slanted:
            s = y * rng.uniform(0.05, 0.15)
            parts += [bar((a, j * y * 0.45, 0.0), (a, j * s, h), w * 0.8) for j in (1, -1)]
            parts.append(bar((a, -y * 0.3, h * 0.33), (a, y * 0.3, h * 0.33), w * 0.6))
        else:
            parts += [box(w, y * 0.9, w), box(w * 1.4, w * 2, h), box(w, y * 0.8, w).moved(z=h - w)]
            parts[-3:] = [p.moved(a) for p in parts[-3:]]
    if not slanted or rng.random() < 0.5:
        parts.append(box(x * 0.84, w * 0.7, w * 1.2).moved(z=h * rng.uniform(0.2, 0.5)))
    return join(*parts)


def _frames(rng: Generator, x: float, y: float, h: float, w: float) -> Mesh:
    """Two frames: a closed or open rectangle of bars at either end."""
    parts = []
    for k in (1, -1):
        a = k * (x - w) / 2
        parts += [box(w, w, h).moved(a, j * (y - w) / 2) for j in (1, -1)]
        parts += [box(w, y - w, w).moved(a), box(w, y - w, w).moved(a, 0, h - w)]
    if rng.random() < 0.5:
        parts.append(box(x - w, w, w).moved(0, rng.choice([0, 0.4]) * y, rng.choice([0, h - w])))
    return join(*parts)


def _crosses(rng: Generator, x: float, y: float, h: float, w: float) -> Mesh:
    parts = []
    for k in (1, -1):
        a = k * x * 0.42
        parts += [bar((a, -j * y * 0.42, 0.0), (a, j * y * 0.42, h), w * 0.8) for j in (1, -1)]
    parts.append(box(x * 0.84, w * 0.7, w * 0.7).moved(z=h * 0.5))
    return join(*parts)


def _pedestal(rng: Generator, x: float, y: float, h: float, w: float) -> Mesh:
    r = min(x, y) * rng.uniform(0.25, 0.42)
    post = cylinder(rng.uniform(0.5, 1.3) * w, h, 14)
    if rng.random() < 0.5:
        return join(post, cylinder(r, rng.uniform(0.012, 0.05), 28, 0.008))
    if rng.random() < 0.2:
        return cylinder(0.5, h, 24).scaled(r * 1.3, r * 1.3, 1)
    count = int(rng.integers(3, 6))
    high = h * rng.uniform(0.1, 0.45)
    turns = np.arange(count) * 2 * np.pi / count
    feet = [rod((0, 0, high), (r * 1.1 * np.cos(a), r * 1.1 * np.sin(a), w * 0.4), w * 0.5, 6) for a in turns]
    return join(post, *feet)


def _pedestals(rng: Generator, x: float, y: float, h: float, w: float) -> Mesh:
    square = rng.random() < 0.5
    post = box(w * 1.6, w * 2.2, h) if square else cylinder(w, h, 14)
    leg = join(post, box(w * 1.6, y * 0.8, 0.05), box(w * 1.4, y * 0.7, 0.03).moved(z=h - 0.03))
    parts = [leg.moved(k * x * 0.28) for k in (1, -1)]
    if rng.random() < 0.5:
        parts.append(box(x * 0.56, 0.04, 0.06).moved(z=h * 0.3))
    return join(*parts)


def base(rng: Generator, x: float, y: float, h: float, style: str) -> Mesh:
    """A base of one of ``BASES`` under an x by y top at height ``h``, with the words for it."""
    w = rng.uniform(0.025, 0.09) * min(1.0, 0.4 + h)
    if style == "four":
        inset = w if rng.random() < 0.5 else w + 2 * rng.uniform(0.01, 0.1) * min(x, y)
        splay = float(rng.choice([0.0, 0.0, min(0.12, (inset - w) / min(x, y))]))
        return corner_legs(rng, x - inset, y - inset, h, w, splay).said("with four legs")
    if style == "pedestal":
        return _pedestal(rng, x, y, h, w).said("with one leg")
    make, word = {
        "panels": (_panels, "with side panels"),
        "trestles": (_trestles, "on trestles"),
        "frames": (_frames, "with a frame"),
        "crosses": (_crosses, "with crossed legs"),
        "pedestals": (_pedestals, "with two legs"),
    }[style]
    inset = 1.0 if rng.random() < 0.4 else rng.uniform(0.8, 0.97)
    return make(rng, x * inset, y * inset, h, w).said(word)


def _under_top(rng: Generator, x: float, y: float, h: float, style: str) -> list[Mesh]:
    """Perhaps an apron, drawers, stretchers and a lower shelf between the legs of a base."""
    parts = []
    deep = min(rng.uniform(0.05, 0.14), h * 0.3)
    kind = rng.random()
    if kind < 0.2 and style in ("four", "panels", "frames"):
        count = max(1, round(x / rng.uniform(0.35, 0.7)))
        wide = x * 0.9 / count
        parts.append(box(x * 0.92, y * 0.9, deep).moved(z=h - deep).said("with drawers"))
        for k in range(count):
            a = (k - (count - 1) / 2) * wide
            parts.append(box(wide - 0.012, 0.016, deep - 0.014).moved(a, -y * 0.45, h - deep + 0.006).part(1))
            knob = ellipsoid(0.026, 0.026, 0.026, 6).moved(a, -y * 0.45 - 0.016, h - deep * 0.6)
            parts.append(knob.part(2))
    elif kind < 0.6:
        parts += [box(x * 0.9, 0.02, deep).moved(0, k * y * 0.43, h - deep).part(1) for k in (1, -1)]
        parts += [box(0.02, y * 0.86, deep).moved(k * x * 0.45, 0, h - deep).part(1) for k in (1, -1)]
    if style == "four" and rng.random() < 0.2:
        z = h * rng.uniform(0.1, 0.35)
        parts += [box(0.025, y * 0.9, 0.03).moved(k * x * 0.44, 0, z).part(1) for k in (1, -1)]
        parts.append(box(x * 0.88, 0.025, 0.03).moved(z=z).part(1))
    return parts


def frame_table(
    rng: Generator, x: float, y: float, h: float, t: float, shape: str, style: str, shelf: float = 0.12
) -> Mesh:
    """A top x by y, ``t`` thick, at height ``h`` on a base, with a lower shelf with probability ``shelf``."""
    fit = 0.68 if shape == "oval" and style not in ("pedestal", "pedestals") else 0.96
    u, v, under = x * fit, y * fit, h - t
    parts = [plate(rng, x, y, t, shape).moved(z=under), base(rng, u, v, under, style).part(1)]
    if style in ("four", "panels", "frames"):
        parts += _under_top(rng, u, v, under, style)
        if rng.random() < shelf:
            parts.append(
                box(u * 0.94, v * 0.94, 0.02).moved(z=h * rng.uniform(0.15, 0.4))
                .part(int(rng.integers(2))).said("with a lower shelf")
            )  # fmt: skip
    if shape == "oval":
        parts[0] = parts[0].said("round" if abs(x - y) < 0.02 else "oval")
    elif abs(x - y) < 0.05:
        parts[0] = parts[0].said("square")
    return join(*parts).grounded()


def _top_size(rng: Generator, low: float, high: float) -> tuple[float, float, str]:
    """Extents and shape of a top: round, oval, square or rectangular."""
    x = rng.uniform(low, high)
    kind = rng.random()
    if kind < 0.2:
        x = min(x, 0.6 * (low + high))
        return x, x, "oval"
    shape = str(rng.choice(["box", "box", "soft", "oval"], p=[0.4, 0.25, 0.25, 0.1]))
    if kind < 0.35:
        x = min(x, 0.6 * (low + high))
        return x, x, shape
    return x, max(min(x * rng.uniform(0.42, 0.8), 1.1), 0.38), shape


def table(rng: Generator) -> Mesh:
    x, y, shape = _top_size(rng, 0.5, 2.2)
    style = str(rng.choice(BASES))
    if style == "pedestal" and x > 1.3:
        style = "pedestals"
    if style == "pedestals" and x < 1.0:
        style = "pedestal"
    h = rng.uniform(0.68, 0.79) if rng.random() < 0.9 else rng.uniform(0.85, 1.08)
    return frame_table(rng, x, y, h, rng.choice([rng.uniform(0.006, 0.02), rng.uniform(0.015, 0.06)]), shape, style)


def coffee_table(rng: Generator) -> Mesh:
    """A coffee table: a frame, a closed box with drawers, a drum, or a nested pair."""
    x, y, shape = _top_size(rng, 0.42, 1.3)
    h, kind = rng.uniform(0.25, 0.55), rng.random()
    if kind < 0.14:
        return _chest(rng, x, y, h).said("low")
    if kind < 0.24:
        r = rng.uniform(0.2, 0.42)
        drum = cylinder(r, h, 40, 0.01)
        lid = cylinder(r * rng.uniform(1.0, 1.08), 0.03, 40).moved(z=h)
        return join(lid, drum.part(int(rng.integers(2)))).said("low", "round")
    t = rng.uniform(0.008, 0.05)
    one = frame_table(rng, x, y, h, t, shape, str(rng.choice(BASES[:-2])) if x > 0.6 else "four", 0.45)
    if kind < 0.34 and h > 0.36:
        small = frame_table(rng, x * 0.7, y * 0.7, h * 0.72, t, shape, "four", 0.0)
        return join(one, small.moved(x * 0.5, -y * 0.55)).grounded().said("low")
    if kind < 0.44 and shape == "box":
        rim = [box(x + 0.04, 0.02, t + 0.03).moved(0, k * (y / 2 + 0.01), h - t) for k in (1, -1)]
        rim += [box(0.02, y, t + 0.03).moved(k * (x / 2 + 0.01), 0, h - t) for k in (1, -1)]
        one = join(one, *(r.part(1) for r in rim)).said("with a rim")
    return one.grounded().said("low")


def _chest(rng: Generator, x: float, y: float, h: float) -> Mesh:
    """A closed box with drawers under a top."""
    t, rows = rng.uniform(0.015, 0.04), 2 if h > 0.4 else 1
    parts = [box(x, y, t).moved(z=h - t), box(x * 0.96, y * 0.94, h - t - 0.04).moved(z=0.04).part(1)]
    parts.append(box(x * 0.88, y * 0.84, 0.04).part(1))
    for k in range(rows):
        tall = (h - t - 0.06) / rows
        front = box(x * 0.9, 0.015, tall - 0.012).moved(0, -y * 0.47, 0.05 + k * tall)
        grip = box(x * 0.2, 0.022, 0.014).moved(0, -y * 0.47 - 0.012, 0.05 + (k + 0.6) * tall)
        parts += [front.part(1), grip.part(2)]
    return join(*parts).grounded().said("with drawers")


def desk(rng: Generator) -> Mesh:
    """A desk with pedestals of drawers on the left, the right or both, or an open frame; sometimes L-shaped or with a
    riser."""
    x, y, h = rng.uniform(0.9, 1.8), rng.uniform(0.5, 0.85), rng.uniform(0.7, 0.78)
    t = rng.uniform(0.015, 0.045)
    if rng.random() < 0.3:
        style = str(rng.choice(["four", "frames", "panels", "trestles", "crosses"]))
        parts = [frame_table(rng, x, y, h, t, "box", style, 0.05)]
    else:
        parts = [box(x, y, t).moved(z=h - t), *_pedestal_sides(rng, x, y, h - t)]
    if rng.random() < 0.5:
        tall = (h - t) * rng.uniform(0.3, 0.95)
        parts.append(box(x * 0.94, 0.018, tall).moved(y=y * 0.44, z=h - t - tall).part(1))
    if rng.random() < 0.15:
        side, reach, deep = rng.choice([1, -1]), rng.uniform(0.5, 0.9), rng.uniform(0.4, 0.6)
        wing = join(box(deep, reach, t).moved(z=h - t), box(deep * 0.9, 0.025, h - t).moved(y=-reach * 0.45).part(1))
        parts.append(wing.moved(side * (x - deep) / 2, -(y + reach) / 2))
    if rng.random() < 0.22:
        parts.append(_riser(rng, x, y).moved(z=h).said("with a shelf"))
    return join(*parts).grounded()


def _pedestal_sides(rng: Generator, x: float, y: float, h: float) -> list[Mesh]:
    """Supports under a desk's ends: drawers or a door on one side or both, else a panel or two legs."""
    sides = {0: (1,), 1: (-1,), 2: (1, -1)}[int(rng.integers(3))]
    wide, rows, lift = rng.uniform(0.3, 0.45), int(rng.integers(1, 5)), float(rng.choice([0.0, 0.06]))
    parts = []
    for k in (1, -1):
        if k in sides:
            a, tall = k * (x / 2 - wide / 2 - 0.015), (h - lift) / rows
            parts.append(box(wide, y * 0.9, h - lift).moved(a, 0, lift).part(1))
            if lift:
                parts.append(corner_legs(rng, wide * 0.8, y * 0.7, lift, 0.04).moved(a).part(2))
            for r in range(rows):
                z = lift + r * tall
                parts.append(box(wide - 0.02, 0.016, tall - 0.014).moved(a, -y * 0.45, z + 0.007).part(1))
                parts.append(box(wide * 0.35, 0.022, 0.014).moved(a, -y * 0.45 - 0.015, z + tall * 0.65).part(2))
        elif rng.random() < 0.6:
            parts.append(box(0.03, y * 0.95, h).moved(k * (x / 2 - 0.03)).part(1))
        else:
            parts += [box(0.045, 0.045, h).moved(k * (x / 2 - 0.04), j * (y / 2 - 0.05)).part(1) for j in (1, -1)]
    return [*parts[:-1], parts[-1].said("with drawers" if rows > 1 else "with a door")]


def _riser(rng: Generator, x: float, y: float) -> Mesh:
    """A raised shelf for the rear of a desk's top, standing on z = 0."""
    tall, deep = rng.uniform(0.12, 0.4), rng.uniform(0.2, 0.3) * y / 0.7
    count = int(rng.integers(2, 4))
    ends = [box(0.02, deep, tall).moved(a) for a in np.linspace(-x / 2 + 0.02, x / 2 - 0.02, count)]
    return join(box(x, deep, 0.02).moved(z=tall), *ends).moved(y=y / 2 - deep / 2).part(1)


def bench(rng: Generator) -> Mesh:
    x, y, h = rng.uniform(0.7, 1.7), rng.uniform(0.26, 0.42), rng.uniform(0.4, 0.5)
    style = str(rng.choice(["four", "panels", "frames", "crosses", "trestles"]))
    seat = frame_table(rng, x, y, h, rng.uniform(0.02, 0.07), "box", style, 0.1)
    if rng.random() < 0.35:
        posts = [box(0.04, 0.03, 0.42).moved(k * x * 0.44) for k in (1, -1)]
        rails = [box(x, 0.022, 0.07).moved(z=z) for z in (0.15, 0.33)]
        seat = join(seat, join(*posts, *rails).turned("x", -6).moved(y=y / 2 - 0.015, z=h - 0.01).part(1))
        return seat.grounded().said("with a back", "long")
    return seat.said("without a back", "long")
