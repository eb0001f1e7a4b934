"""Chairs, stools, armchairs, sofas and beds; fronts face -y."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.random import Generator

from .meshes import Mesh, box, cylinder, ellipsoid, join, rod, rounded_box
from .shapes_tables import corner_legs


def chair(rng: Generator) -> Mesh:
    w, d, h = rng.uniform(0.38, 0.54), rng.uniform(0.38, 0.52), rng.uniform(0.41, 0.5)
    t = rng.uniform(0.02, 0.06) if rng.random() < 0.7 else rng.uniform(0.06, 0.12)
    seat = rounded_box(w, d, t, rng.uniform(0.008, 0.03), 2).moved(z=h - t)
    parts = [seat, _chair_base(rng, w, d, h - t / 2), _backrest(rng, w).moved(y=d / 2 - 0.02, z=h - 0.02)]
    if rng.random() < 0.28:
        thick, closed = rng.uniform(0.03, 0.08), rng.random() < 0.35
        for k in (1, -1):
            rest = box(thick, d * 0.75, 0.03).moved(k * w / 2, d * 0.05, h + 0.2)
            post = box(thick * 0.8, d * 0.7 if closed else 0.03, 0.22)
            post = post.moved(k * w / 2, d * 0.05 if closed else -d * 0.25, h - 0.01)
            parts.append(join(rest, post).part(0 if closed else 1).said("with arms"))
    return join(*parts).grounded().said("with a back")


def _chair_base(rng: Generator, w: float, d: float, h: float) -> Mesh:
    """A star base with wheels or glides, four legs, or two bent tubes (part 1)."""
    kind = rng.random()
    if kind < 0.3:
        count, reach, wheels = int(rng.choice([4, 5, 5])), rng.uniform(0.24, 0.32), rng.random() < 0.75
        tips = [(reach * np.cos(a), reach * np.sin(a)) for a in np.arange(count) * 2 * np.pi / count + 0.6]
        parts = [rod((0, 0, 0.08), (*t, 0.05 if wheels else 0.02), 0.018, 8) for t in tips]
        if wheels:
            parts += [ellipsoid(0.05, 0.05, 0.05, 6).moved(*t) for t in tips]
        base = join(*parts, cylinder(rng.uniform(0.022, 0.04), h - 0.07, 12).moved(z=0.07)).part(1)
        return base.said("with wheels" if wheels else "with one leg")
    if kind < 0.4:
        sides = []
        for k in (1, -1):
            a, r = k * (w / 2 - 0.02), 0.012
            ends = ((a, d * 0.5, r), (a, -d * 0.45, r), (a, -d * 0.45, h - r), (a, d * 0.3, h - r))
            sides += [rod(p, q, r, 8) for p, q in pairwise(ends)]
        cross = rod((-w / 2 + 0.02, d * 0.5, 0.012), (w / 2 - 0.02, d * 0.5, 0.012), 0.012, 8)
        return join(*sides, cross).part(1).said("with a frame")
    splay = float(rng.choice([0.0, 0.0, 0.12]))
    legs = corner_legs(rng, w - 0.05, d - 0.05, h, rng.uniform(0.022, 0.05), splay)
    if rng.random() < 0.25:
        legs = join(legs, *(box(0.02, d - 0.06, 0.025).moved(k * (w / 2 - 0.025), 0, 0.15) for k in (1, -1)))
    return legs.part(1).said("with four legs")


def _backrest(rng: Generator, w: float) -> Mesh:
    """A backrest standing on z = 0, leaning towards +y: a raised panel, a closed panel, rungs or spindles."""
    back, kind = rng.uniform(0.3, 0.62), rng.random()
    posts = [box(0.03, 0.025, back).moved(x=k * w * 0.44) for k in (1, -1)]
    if kind < 0.3:
        low = back * rng.uniform(0.25, 0.6)
        parts = [rounded_box(w * 0.95, 0.03, back - low, 0.012, 2).moved(z=low)]
        parts += [box(0.03, 0.025, low + 0.02).moved(x=k * w * 0.4) for k in (1, -1)]
    elif kind < 0.6:
        parts = [rounded_box(w * rng.uniform(0.85, 1.0), rng.uniform(0.02, 0.09), back, rng.uniform(0.01, 0.04), 2)]
    elif kind < 0.8:
        parts = [*posts, *(box(w * 0.9, 0.02, 0.05).moved(z=back * f) for f in (0.3, 0.6, 0.9))]
    else:
        rails = [box(w * 0.9, 0.022, 0.05).moved(z=back - 0.05), box(w * 0.9, 0.02, 0.03).moved(z=0.06)]
        bars = [box(0.014, 0.014, back - 0.08).moved(x=a, z=0.06) for a in np.linspace(-0.33, 0.33, 5) * w]
        parts = [*posts, *rails, *bars]
    return join(*parts).turned("x", -rng.uniform(3, 14))


def stool(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.14, 0.21), rng.uniform(0.4, 0.76)
    if rng.random() < 0.6:
        seat = cylinder(r, 0.035, 28, 0.008).moved(z=h - 0.035)
    else:
        seat = rounded_box(r * 2, r * 1.8, 0.04, 0.01).moved(z=h - 0.04)
    if rng.random() < 0.2:
        foot = join(cylinder(0.025, h - 0.02, 12), cylinder(r * 1.1, 0.02, 28, 0.006))
        return join(seat, foot.part(1).said("with one leg")).grounded().said("without a back")
    legs = corner_legs(rng, r * 1.2, r * 1.2, h - 0.02, 0.03, float(rng.choice([0.0, 0.2])))
    return join(seat, legs.part(1)).grounded().said("without a back")


def _seat_block(rng: Generator, w: float, d: float, h: float, lift: float, soft: float) -> tuple[Mesh, Mesh]:
    """A base and the cushion on it, w by d metres: the cushion's top is at height ``h``, the base's underside at
    ``lift``."""
    pad = rng.uniform(0.1, 0.18)
    base = rounded_box(w, d, h - pad - lift + 0.02, soft * 0.5, 2).moved(z=lift)
    return base, rounded_box(w * 0.99, d, pad, soft, 2).moved(z=h - pad)


def _couch(rng: Generator, seats: int, wide: float) -> tuple[list[Mesh], float, float, float, float]:
    """Seats in a row with back and perhaps arms; returns the parts, width, depth, seat height and underside."""
    d, h, lift = rng.uniform(0.7, 1.0), rng.uniform(0.36, 0.47), float(rng.choice([0.03, rng.uniform(0.06, 0.18)]))
    soft, arm = rng.uniform(0.015, 0.07), rng.choice([0.0, rng.uniform(0.06, 0.3)], p=[0.15, 0.85])
    top, thick = h + rng.uniform(0.22, 0.55), rng.uniform(0.1, 0.26)
    inner = seats * wide
    w, single = inner + 2 * arm, rng.random() < 0.15
    parts: list[Mesh] = []
    base, pad = _seat_block(rng, inner if single else wide, d - thick, h, lift, soft)
    cover = int(rng.random() < 0.2)
    for k in range(1 if single else seats):
        a = 0.0 if single else (k - (seats - 1) / 2) * wide
        parts += [base.moved(a, -thick / 2), pad.moved(a, -thick / 2).part(cover)]
    parts.append(rounded_box(w, thick, top - lift - 0.04, soft, 2).moved(y=(d - thick) / 2, z=lift).said("with a back"))
    if rng.random() < 0.6:
        tall = min(top - h + 0.06, 0.5)
        loose = rounded_box(wide * 0.97, 0.15, tall, 0.05, 2).turned("x", -rng.uniform(4, 14))
        for k in range(seats):
            a = (k - (seats - 1) / 2) * wide
            parts.append(loose.moved(a, d / 2 - thick - 0.09, h - 0.01).part(cover))
    if arm:
        tall = rng.uniform(h + 0.04, min(h + 0.26, top)) - lift
        side = rounded_box(arm, d, tall, min(soft, arm * 0.4), 2).moved(z=lift)
        parts += [side.moved(x=k * (w - arm) / 2).said("with arms") for k in (1, -1)]
    if lift > 0.05:
        parts.append(corner_legs(rng, w - 0.12, d - 0.12, lift + 0.02, rng.uniform(0.025, 0.06)).part(2))
    for _ in range(int(rng.choice([0, 0, 1, 2]))):
        size = rng.uniform(0.36, 0.5)
        pillow = ellipsoid(size, 0.16, size, 10, 0.55).turned("x", -22)
        parts.append(pillow.moved(rng.uniform(-0.35, 0.35) * inner, d / 2 - thick - 0.24, h).part(3))
    return parts, w, d, h, lift


def sofa(rng: Generator) -> Mesh:
    """A sofa of two to four seats, with or without arms, a chaise or a corner."""
    seats, wide = int(rng.integers(2, 5)), rng.uniform(0.55, 0.78)
    kind = rng.random()
    seats = seats if kind < 0.65 else min(seats, 3)
    parts, w, d, h, lift = _couch(rng, seats, wide)
    if kind > 0.65:
        k, deep = rng.choice([1, -1]), rng.uniform(0.45, 0.85) if kind < 0.85 else rng.uniform(0.8, 1.5)
        across = rng.uniform(0.6, 0.9) if kind < 0.85 else d * 0.95
        base, pad = _seat_block(rng, across, deep, h, lift, 0.04)
        wing = [base, pad]
        if kind > 0.85:
            wing.append(rounded_box(0.2, deep, h * 0.9, 0.05, 2).moved(x=k * (across / 2 - 0.1), z=h * 0.8))
        wing.append(corner_legs(rng, across - 0.12, deep - 0.12, lift + 0.02, 0.04).part(2))
        parts.append(join(*wing).moved(k * (w - across) / 2, -(d + deep) / 2 + 0.01).said("with a corner"))
    return join(*parts).grounded()


def armchair(rng: Generator) -> Mesh:
    parts, *_ = _couch(rng, 1, rng.uniform(0.48, 0.68))
    return join(*parts).grounded().said("for one person")


def bed(rng: Generator) -> Mesh:
    """A single or double bed on legs, a box or drawers, with or without headboard and footboard."""
    w, length = rng.choice([rng.uniform(0.8, 1.0), rng.uniform(1.2, 1.85)]), rng.uniform(1.92, 2.1)
    h, lift = rng.uniform(0.26, 0.4), float(rng.choice([0.02, rng.uniform(0.08, 0.22)]))
    pad = rng.uniform(0.14, 0.26)
    top = h + pad - 0.06
    frame = rounded_box(w, length, h - lift, 0.02, 2) if rng.random() < 0.4 else box(w, length, h - lift)
    parts = [frame.moved(z=lift), rounded_box(w * 0.97, length * 0.97, pad, 0.05, 2).moved(z=h - 0.06).part(1)]
    if lift > 0.05:
        parts.append(corner_legs(rng, w - 0.1, length - 0.1, lift + 0.02, rng.uniform(0.04, 0.09)))
    elif rng.random() < 0.5:
        spots = [(k, j) for k in (1, -1) for j in (0.25, -0.25)]
        fronts = [box(0.02, length * 0.42, h - 0.1).moved(k * w / 2, j * length, 0.06) for k, j in spots]
        parts.append(join(*fronts).part(3).said("with drawers"))
    if rng.random() < 0.75:
        thick, tall = rng.uniform(0.03, 0.14), top + rng.uniform(0.1, 0.7)
        parts.append(rounded_box(w * rng.uniform(1.0, 1.12), thick, tall, 0.02, 2).moved(y=(length + thick) / 2))
    if rng.random() < 0.35:
        parts.append(box(w, 0.04, top + rng.uniform(-0.05, 0.3)).moved(y=-length / 2 - 0.02).said("with a footboard"))
    for k in (-w * 0.24, w * 0.24) if w > 1.1 else (0.0,):
        parts.append(ellipsoid(min(w * 0.48, 0.7), 0.4, 0.16, 10, 0.5).moved(k, length * 0.36, top - 0.03).part(2))
    if rng.random() < 0.75:
        share = rng.uniform(0.35, 0.75)
        quilt = rounded_box(w * 1.03, length * share, rng.uniform(0.05, 0.12), 0.03, 2)
        parts.append(quilt.moved(y=-length * (0.49 - share / 2), z=top - 0.03).part(2))
    return join(*parts).grounded().said("with pillows")
