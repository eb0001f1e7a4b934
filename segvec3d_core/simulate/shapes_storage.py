"""Wardrobes, cabinets, sideboards, kitchens, drawers and shelves; fronts face -y.

A piece is made of cells side by side and above one another: closed behind a door or drawers, or open. Part 0 is the
body and the top, part 1 fronts and insides, part 2 handles and feet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from .meshes import Mesh, box, curve, cylinder, ellipsoid, join, rod, sweep
from .shapes_tables import corner_legs


@dataclass(frozen=True, slots=True)
class Style:
    """Style that the fronts of one piece of furniture share.

    Attributes:
        grip: "bar", "knob", "edge" (a bar along the upper edge of a front) or "none".
        front: part index of the fronts: 0 for the body's colour, 1 for their own.
        body: part index of the body.
        gap: gap between two fronts, metres.
        thick: how far the fronts stand out, metres.
        framed: whether a door has a raised frame.
    """

    grip: str
    front: int
    body: int
    gap: float
    thick: float
    framed: bool


def draw_style(rng: Generator, body: int = 0, front: int | None = None) -> Style:
    grip = str(rng.choice(["bar", "knob", "edge", "none"], p=[0.4, 0.25, 0.1, 0.25]))
    own = int(rng.random() < 0.45) if front is None else front
    return Style(grip, own, body, rng.uniform(0.003, 0.012), rng.uniform(0.006, 0.022), rng.random() < 0.25)


def _door(style: Style, x: float, z: float, y: float, side: int, z_grip: float) -> list[Mesh]:
    """A door x by z in the plane y, standing on z = 0; its handle is on the side -1 or 1 at height ``z_grip``."""
    w, h = x - style.gap, z - style.gap
    parts = [box(w, style.thick, h).moved(0, y - style.thick / 2, style.gap / 2).part(style.front)]
    if style.framed and x > 0.25:
        rim = [box(0.06, 0.01, h).moved(k * (w / 2 - 0.03)) for k in (1, -1)]
        rim += [box(w - 0.12, 0.01, 0.06).moved(z=t) for t in (0, h - 0.06)]
        parts += [r.moved(0, y - style.thick - 0.005, style.gap / 2).part(style.front) for r in rim]
    out, a = y - style.thick - 0.02, side * (w / 2 - 0.035)
    if style.grip == "bar":
        tall = min(0.35 * z, 0.3)
        parts.append(box(0.014, 0.026, tall).moved(a, out + 0.007, z_grip - tall / 2).part(2))
    elif style.grip == "knob":
        parts.append(ellipsoid(0.03, 0.034, 0.03, 5).moved(a, out + 0.003, z_grip - 0.015).part(2))
    elif style.grip == "edge":
        parts.append(box(min(0.2, w * 0.6), 0.02, 0.012).moved(0, out + 0.01, h - 0.012).part(2))
    return parts


def _drawers(style: Style, x: float, z: float, y: float, rows: int) -> list[Mesh]:
    parts, tall = [], z / rows
    for k in range(rows):
        slab = box(x - style.gap, style.thick, tall - style.gap).moved(0, y - style.thick / 2, k * tall + style.gap / 2)
        parts.append(slab.part(style.front))
        out = y - style.thick
        if style.grip == "bar":
            parts.append(box(x * 0.4, 0.026, 0.014).moved(0, out - 0.013, (k + 0.65) * tall).part(2))
        elif style.grip == "knob":
            spots = (-0.25, 0.25) if x > 0.6 else (0.0,)
            knob = ellipsoid(0.03, 0.034, 0.03, 5).moved(0, out - 0.017, (k + 0.5) * tall).part(2)
            parts += [knob.moved(s * x) for s in spots]
        elif style.grip == "edge":
            parts.append(box(x * 0.5, 0.02, 0.012).moved(0, out - 0.01, (k + 1) * tall - 0.02).part(2))
    return parts


def cell(rng: Generator, style: Style, kind: str, x: float, y: float, z: float, sunk: float = 0.0) -> Mesh:
    """A compartment x by y by z on the ground; ``kind`` is "door", "doors", "drawers" or "open" (with inner boards).

    A closed one is solid up to ``sunk`` below its top, which leaves room for a sink.
    """
    if kind == "open":
        t, boards = 0.018, max(0, round(z / rng.uniform(0.28, 0.5)) - 1)
        sides = [box(t, y, z).moved(k * (x - t) / 2) for k in (1, -1)]
        levels = [box(x, y, t), box(x, y, t).moved(z=z - t)]
        inner = [box(x - 2 * t, y * 0.95, t).moved(z=z * (k + 1) / (boards + 1)) for k in range(boards)]
        return join(*(m.part(style.body) for m in (*sides, *levels)), *(m.part(style.front) for m in inner),
                    box(x, 0.008, z).moved(y=y / 2 - 0.004).part(style.front))  # fmt: skip
    body = box(x, y, z - sunk).part(style.body)
    if kind == "drawers":
        rows = max(1, round(z / rng.uniform(0.15, 0.3)))
        return join(body, *_drawers(style, x, z, -y / 2, rows)).said("with drawers")
    z_grip = z / 2 if z > 1.2 else z * 0.8
    if kind == "doors":
        pair = [join(*_door(style, x / 2, z, -y / 2, -k, z_grip)).moved(k * x / 4) for k in (1, -1)]
        return join(body, *pair).said("with doors")
    return join(body, *_door(style, x, z, -y / 2, int(rng.choice([1, -1])), z_grip)).said("with doors")


def row(
    rng: Generator, style: Style, widths: list[float], y: float, z: float, kinds: tuple[str, ...], sunk: float = 0.0
) -> Mesh:
    """Cells side by side, centred above the origin, each of a kind drawn from ``kinds``."""
    parts, place = [], -sum(widths) / 2
    for w in widths:
        kind = str(rng.choice(kinds))
        kind = "doors" if kind == "door" and w > 0.75 else kind
        parts.append(cell(rng, style, kind, w, y, z, sunk).moved(place + w / 2))
        place += w
    return join(*parts)


def _feet(rng: Generator, x: float, y: float, lift: float) -> Mesh:
    """A recessed plinth or four legs, ``lift`` high."""
    if lift < 0.12 and rng.random() < 0.7:
        return box(x - 0.01, y - 0.08, lift).moved(y=0.03).part(int(rng.integers(2)))
    return corner_legs(rng, x - 0.1, y - 0.08, lift, rng.uniform(0.025, 0.05)).part(2).said("with four legs")


def _widths(rng: Generator, x: float, count: int) -> list[float]:
    """Equal or slightly different widths of ``count`` cells that add up to ``x``."""
    share = np.ones(count) if rng.random() < 0.6 else rng.choice([1.0, 1.0, 1.5], count)
    return [float(w) for w in x * share / share.sum()]


def wardrobe(rng: Generator) -> Mesh:
    """A wardrobe with hinged or sliding doors, perhaps a mirror, drawers below, open compartments, a cornice."""
    count = int(rng.integers(1, 6))
    x, y, z = min(2.6, count * rng.uniform(0.42, 0.62)), rng.uniform(0.4, 0.66), rng.uniform(1.6, 2.4)
    if count > 1 and rng.random() < 0.28:
        return _sliding(rng, x, y, z)
    style, lift = draw_style(rng), float(rng.choice([0.0, 0.0, rng.uniform(0.04, 0.12)]))
    low = rng.uniform(0.2, 0.45) if rng.random() < 0.3 else 0.0
    crown = rng.uniform(0.03, 0.07) if rng.random() < 0.25 else 0.0
    kinds = ("door", "door", "door", "open") if count > 2 and rng.random() < 0.5 else ("door",)
    widths = _widths(rng, x, count)
    parts = [row(rng, style, widths, y, z - lift - low - crown, kinds).moved(z=lift + low)]
    if low:
        parts.append(row(rng, style, widths, y, low, ("drawers",)).moved(z=lift))
    if lift:
        parts.append(_feet(rng, x, y, lift))
    if crown:
        parts.append(box(x + 0.06, y + 0.06, crown).moved(z=z - crown))
    if rng.random() < 0.15 and "open" not in kinds:
        w = widths[0] * 0.7
        glass = box(w, 0.006, z * 0.6).moved(-x / 2 + widths[0] / 2, -y / 2 - style.thick - 0.012, z * 0.28)
        parts.append(glass.part(3).said("with a mirror"))
    return join(*parts).grounded().said("tall")


def _sliding(rng: Generator, x: float, y: float, z: float) -> Mesh:
    """Two or three sliding doors in two planes, between a bottom, a top and two sides that stand out."""
    count = 2 if x < 1.7 else int(rng.integers(2, 4))
    w, mirror = x / count, int(rng.integers(-2, count))
    parts = [box(x, y - 0.06, z).moved(y=0.03), box(x, 0.06, 0.06).moved(y=-y / 2 + 0.03)]
    parts.append(box(x, 0.06, 0.05).moved(y=-y / 2 + 0.03, z=z - 0.05))
    parts += [box(0.03, 0.06, z).moved(k * (x / 2 - 0.015), -y / 2 + 0.03) for k in (1, -1)]
    for k in range(count):
        plane = -y / 2 + (0.02 if k % 2 else 0.042)
        door = box(w + 0.01, 0.018, z - 0.11).moved((k - (count - 1) / 2) * (w - 0.02), plane - 0.009, 0.06)
        parts.append(door.part(3 if k == mirror else 1))
        if rng.random() < 0.5:
            grip = box(0.025, 0.012, rng.uniform(0.15, z - 0.2))
            parts.append(grip.moved((k - (count - 1) / 2 + 0.4) * (w - 0.02), plane - 0.022, 0.08).part(2))
    return join(*parts).grounded().said("tall", "with sliding doors")


def cabinet(rng: Generator) -> Mesh:
    """A cupboard of any height, or a sideboard."""
    if rng.random() < 0.35:
        return sideboard(rng)
    x, y, z = rng.uniform(0.4, 1.3), rng.uniform(0.3, 0.6), rng.uniform(0.6, 2.0)
    style, lift = draw_style(rng), float(rng.choice([0.0, 0.0, rng.uniform(0.03, 0.14)]))
    levels = 1 if z < 1.0 or rng.random() < 0.4 else 2
    cut = rng.uniform(0.3, 0.6) if levels == 2 else 1.0
    widths = _widths(rng, x, max(1, round(x / rng.uniform(0.38, 0.6))))
    kinds = ("door", "door", "drawers") if rng.random() < 0.5 else ("door",)
    parts = [row(rng, style, widths, y, (z - lift) * cut, kinds).moved(z=lift)]
    if levels == 2:
        upper = ("open",) if rng.random() < 0.4 else ("door", "open")
        deep = y if rng.random() < 0.6 else y * 0.7
        shelf_row = row(rng, style, widths, deep, (z - lift) * (1 - cut), upper)
        parts.append(shelf_row.moved(y=(y - deep) / 2, z=lift + (z - lift) * cut))
    if lift:
        parts.append(_feet(rng, x, y, lift))
    if rng.random() < 0.35:
        deep = y if levels == 1 else y * 0.7
        parts.append(box(x + 0.03, deep + 0.03, 0.025).moved(y=(y - deep) / 2, z=z))
    return join(*parts).grounded().said("with doors", "tall" if z > 1.4 else "low")


def sideboard(rng: Generator, tallest: float = 1.0) -> Mesh:
    """A low, wide sideboard on legs, a plinth or the floor, with doors, drawers and open compartments."""
    x, y, z = rng.uniform(0.8, 2.0), rng.uniform(0.32, 0.52), rng.uniform(0.42, tallest)
    style = draw_style(rng)
    lift = float(rng.choice([0.0, rng.uniform(0.03, 0.1), rng.uniform(0.1, 0.24)]))
    t = rng.uniform(0.012, 0.04)
    widths = _widths(rng, x, int(rng.integers(2, 5)))
    parts = [box(x + rng.choice([0.0, 0.03]), y + rng.choice([0.0, 0.03]), t).moved(z=z - t)]
    parts.append(row(rng, style, widths, y, z - t - lift, ("door", "drawers", "open", "door")).moved(z=lift))
    if lift:
        parts.append(_feet(rng, x, y, lift))
    return join(*parts).grounded().said("low", "wide")


def counter(rng: Generator, longest: float = 3.0, above: float = 0.35) -> Mesh:
    """A kitchen row: base units under a worktop, sometimes with a sink or a hob, and wall units with probability
    ``above``; up to ``longest`` metres long.

    Part 0 is the worktop, part 1 fronts and bodies, part 2 metal, part 3 the hob.
    """
    count = int(rng.integers(2, 7))
    widths = [float(w) for w in rng.choice([0.4, 0.45, 0.5, 0.6, 0.6, 0.8], count)]
    while sum(widths) > longest - 0.04:
        widths.pop()
    x, y, h = sum(widths), rng.uniform(0.52, 0.64), rng.uniform(0.84, 0.94)
    style, t = draw_style(rng, 1, 1), rng.uniform(0.02, 0.06)
    parts = [box(x - 0.01, y - 0.1, 0.1).moved(y=0.05).part(int(rng.integers(1, 3)))]
    fitting = str(rng.choice(["sink", "hob", "plain"], p=[0.3, 0.2, 0.5])) if x > 0.9 else "plain"
    sunk = 0.17 if fitting == "sink" else 0.0
    parts.append(row(rng, style, widths, y, h - 0.1 - t, ("door", "door", "drawers"), sunk).moved(z=0.1))
    if sunk:
        parts += [box(0.018, y, sunk).moved(k * (x / 2 - 0.009), 0, h - t - sunk).part(1) for k in (1, -1)]
        parts += [box(x, 0.012, sunk).moved(0, k * (y / 2 - 0.006), h - t - sunk).part(1) for k in (1, -1)]
    parts += _worktop(rng, x + 0.02, y + 0.04, t, h, fitting)
    if rng.random() < above:
        gap, deep, tall = rng.uniform(0.45, 0.65), rng.uniform(0.3, 0.38), rng.uniform(0.4, 0.75)
        upper = row(rng, style, widths, deep, tall, ("door", "door", "open"))
        parts.append(upper.moved(y=(y - deep) / 2, z=h + gap))
        parts.append(box(x, 0.012, gap + tall).moved(y=y / 2, z=h).part(1))
    return join(*parts).grounded().said("long")


def _worktop(rng: Generator, x: float, y: float, t: float, h: float, fitting: str) -> list[Mesh]:
    """A worktop whose upper side is at ``h``: "plain", with a "hob", or with a "sink" cut into it."""
    a = rng.uniform(-1, 1) * max(0.0, x / 2 - 0.36)
    if fitting == "sink":
        w, d, deep = rng.uniform(0.36, 0.5), rng.uniform(0.34, 0.42), rng.uniform(0.12, 0.16)
        left, right, edge = a - w / 2 + x / 2, x / 2 - a - w / 2, (y - d) / 2
        slabs = [box(left, y, t).moved(-x / 2 + left / 2), box(right, y, t).moved(x / 2 - right / 2)]
        slabs += [box(w, edge, t).moved(a, k * (y - edge) / 2) for k in (1, -1)]
        bowl = [box(w, d, 0.01), *(box(0.008, d, deep).moved(k * (w / 2 - 0.004)) for k in (1, -1))]
        bowl += [box(w, 0.008, deep).moved(0, k * (d / 2 - 0.004)) for k in (1, -1)]
        back, up = d / 2 + 0.04, deep
        spout = [(0, back, up), (0, back, up + 0.22), (0, 0.1, up + 0.27), (0, 0.04, up + 0.18)]
        basin = join(*bowl, sweep(curve(spout, 10), 0.013, 8)).moved(a, 0, h - deep + 0.002).part(2)
        return [*(s.moved(z=h - t) for s in slabs), basin.said("with a sink")]
    slab = box(x, y, t).moved(z=h - t)
    if fitting == "hob":
        spots = ((1, 1, 0.08), (-1, 1, 0.1), (1, -1, 0.1), (-1, -1, 0.08))
        rings = [cylinder(r, 0.002, 20).moved(i * 0.15, j * 0.12, 0.006) for i, j, r in spots]
        hob = join(box(0.58, min(0.5, y * 0.85), 0.007).part(3), *(r.part(2) for r in rings)).moved(a, 0, h)
        return [slab, hob.said("with a hob")]
    return [slab]


def bar_counter(rng: Generator) -> Mesh:
    """A bar counter: a closed front under an overhanging top at standing height."""
    x, y, h = rng.uniform(0.9, 2.4), rng.uniform(0.4, 0.7), rng.uniform(0.9, 1.12)
    t = rng.uniform(0.03, 0.06)
    body = [box(x * 0.96, y * 0.7, h - t).moved(y=y * 0.1).part(1)]
    if rng.random() < 0.5:
        count = int(x / rng.uniform(0.08, 0.4)) + 1
        body += [box(0.03, 0.015, h - t - 0.1).moved(a, -y * 0.25 - 0.007, 0.08).part(1)
                 for a in np.linspace(-x * 0.46, x * 0.46, count)]  # fmt: skip
    if rng.random() < 0.3:
        body.append(rod((-x * 0.46, -y * 0.38, 0.2), (x * 0.46, -y * 0.38, 0.2), 0.02, 8).part(2))
    return join(box(x, y, t).moved(z=h - t), *body).grounded().said("with a wide top")


def drawer_unit(rng: Generator) -> Mesh:
    """A chest of one to three columns of drawers."""
    x, y, z = rng.uniform(0.35, 1.5), rng.uniform(0.35, 0.52), rng.uniform(0.5, 1.2)
    style, t = draw_style(rng), rng.uniform(0.01, 0.035)
    lift = float(rng.choice([0.0, 0.0, rng.uniform(0.04, 0.15)]))
    over = float(rng.choice([0.0, 0.03]))
    columns = 1 if x < 0.8 else int(rng.integers(1, 4))
    parts = [box(x + over, y + over, t).moved(z=z - t)]
    parts.append(row(rng, style, [x / columns] * columns, y, z - t - lift, ("drawers",)).moved(z=lift))
    if lift:
        parts.append(_feet(rng, x, y, lift))
    return join(*parts).grounded()


def nightstand(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.32, 0.6), rng.uniform(0.3, 0.45), rng.uniform(0.38, 0.66)
    style, t = draw_style(rng), rng.uniform(0.012, 0.03)
    lift = float(rng.choice([0.03, rng.uniform(0.08, 0.25)]))
    cut = rng.uniform(0.4, 0.6)
    tall = z - t - lift
    parts = [box(x + 0.01, y + 0.01, t).moved(z=z - t), _feet(rng, x, y, lift)]
    if rng.random() < 0.5:
        parts.append(cell(rng, style, "drawers", x, y, tall).moved(z=lift))
    else:
        parts.append(cell(rng, style, "open", x, y, tall * cut).moved(z=lift))
        parts.append(cell(rng, style, "drawers", x, y, tall * (1 - cut)).moved(z=lift + tall * cut))
    return join(*parts).grounded().said("small")


def shelf_levels(rng: Generator, x: float, y: float, z: float, rows: int) -> Mesh:
    """An open shelf of ``rows`` compartments; the top of board k, from 0 on, is at (z - 0.02) * k / rows + 0.02."""
    t = 0.02
    boards = [box(x, y, t).moved(z=(z - t) * k / rows) for k in range(rows + 1)]
    sides = [box(t, y, z).moved(x=k * (x - t) / 2) for k in (1, -1)]
    back = [box(x, 0.008, z).moved(y=y / 2).part(1)] if rng.random() < 0.7 else []
    return join(*boards, *sides, *back).said("with shelves")


def shelf(rng: Generator) -> Mesh:
    z = rng.uniform(0.8, 2.0)
    return shelf_levels(
        rng, rng.uniform(0.5, 1.1), rng.uniform(0.25, 0.4), z, max(2, round(z / rng.uniform(0.28, 0.4)))
    ).grounded()


def bookcase(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.6, 1.1), rng.uniform(0.24, 0.32), rng.uniform(1.2, 2.1)
    rows = max(3, round(z / 0.33))
    books = []
    for k in range(rows):
        place = -x / 2 + 0.03
        while place < x / 2 - 0.06:
            t, h = rng.uniform(0.015, 0.05), rng.uniform(0.18, 0.28)
            if rng.random() < 0.8:
                books.append(
                    box(t, y * 0.7, h)
                    .moved(place + t / 2, -y * 0.02, (z - 0.02) * k / rows + 0.02)
                    .part(int(rng.integers(2, 5)))
                )
            place += t + 0.002
    return join(shelf_levels(rng, x, y, z, rows), *books).grounded().said("with books")
