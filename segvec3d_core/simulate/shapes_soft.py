"""Soft and thin things: cloth and clothes, paper, packets and bags, crumpled, folded or laid flat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .meshes import (
    Mesh,
    box,
    closed,
    curve,
    cylinder,
    ellipsoid,
    grid_faces,
    join,
    mesh,
    rod,
    rounded_box,
    sweep,
    tube,
)
from .sheets import Sheet, ridges
from .warping import subdivided

Array = NDArray[np.float64]


def heap(rng: Generator, low: float, high: float) -> Mesh:
    """Dropped cloth: a heap of folds with a ragged outline; ``low`` and ``high`` bound its length, metres."""
    x = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    y = x * rng.uniform(0.45, 1.0)
    sheet = Sheet(
        x * 0.8, y * 0.8, thick=rng.uniform(0.002, 0.008), rise=min(rng.uniform(0.008, 0.04), 0.25 * y),
        wave=rng.uniform(0.12, 0.45) * y + 0.015, sharp=rng.uniform(0.6, 1.5), heap=y * rng.uniform(0.02, 0.3),
        square=rng.uniform(0, 0.7), ragged=rng.uniform(0.03, 0.14), lean=rng.uniform(0.2, 0.7),
    )  # fmt: skip
    return sheet.mesh(rng, 36).said("crumpled", "soft")


def spread(rng: Generator, x: float, y: float) -> Mesh:
    """Cloth that lies flat except for some wrinkles, perhaps with a part turned over."""
    sheet = Sheet(
        x, y, thick=rng.uniform(0.001, 0.005), rise=rng.uniform(0.003, 0.014), wave=rng.uniform(0.03, 0.15),
        sharp=rng.uniform(0.6, 4.0), square=rng.uniform(0.8, 1.0), ragged=rng.uniform(0.0, 0.05),
    )  # fmt: skip
    body = sheet.mesh(rng)
    if rng.random() < 0.4:
        over = replace(sheet, x=x * rng.uniform(0.3, 0.7), y=y * rng.uniform(0.5, 1.0), lean=0.0).mesh(rng, 20)
        spin = rng.choice([0.0, rng.uniform(-40, 40)])
        body = join(body, over.turned("z", spin).moved(x * rng.uniform(-0.15, 0.15), 0, sheet.thick + sheet.rise / 3))
    return body.grounded().said("flat", "soft")


def folded(rng: Generator, x: float, y: float) -> Mesh:
    """Cloth folded to a pile of layers that are not quite aligned."""
    t = rng.uniform(0.004, 0.012)
    parts = []
    for k in range(int(rng.integers(2, 6))):
        shape = Sheet(
            x * rng.uniform(0.9, 1.0), y * rng.uniform(0.9, 1.0), thick=t, rise=rng.uniform(0.002, 0.008),
            wave=rng.uniform(0.06, 0.2), square=0.95, ragged=0.015, lean=0.1,
        )  # fmt: skip
        parts.append(shape.mesh(rng, 18).moved(rng.normal(0, 0.01) * x, rng.normal(0, 0.01) * x, k * t * 1.05))
    if rng.random() < 0.7:  # the folded edge in front
        high = t * 1.05 * len(parts)
        parts.append(sweep([(-x * 0.47, -y * 0.46, high / 2), (x * 0.47, -y * 0.46, high / 2)], high / 2, 10))
    return join(*parts).grounded().said("folded", "soft")


def cloth(rng: Generator) -> Mesh:
    """A cloth or towel: dropped, spread or folded."""
    kind, x = rng.random(), rng.uniform(0.15, 0.5)
    if kind < 0.6:
        return heap(rng, 0.12, 0.5)
    y = x * rng.uniform(0.5, 1.0)
    return spread(rng, x, y) if kind < 0.8 else folded(rng, x * 0.7, y * 0.7)


def _panels(rng: Generator, pieces: list[tuple[float, float, float, float, float]]) -> Mesh:
    """Flat parts of a garment, each given as (x, y of its centre, length, width, rotation in degrees), with wrinkles of
    one style."""
    style = Sheet(1, 1, thick=rng.uniform(0.003, 0.009), rise=rng.uniform(0.004, 0.02), wave=rng.uniform(0.04, 0.14),
                  sharp=rng.uniform(0.7, 2.5), square=rng.uniform(0.7, 1.0), lean=0.3)  # fmt: skip
    parts = []
    for x, y, length, width, turn in pieces:
        shape = replace(style, x=length, y=width, ragged=rng.uniform(0.01, 0.06))
        parts.append(shape.mesh(rng, 24).turned("z", turn).moved(x, y))
    return join(*parts).grounded()


def shirt(rng: Generator) -> Mesh:
    """A shirt: dropped, folded, or laid out with its sleeves."""
    kind = rng.random()
    if kind < 0.5:
        return heap(rng, 0.2, 0.55)
    s = rng.uniform(0.2, 0.5)
    if kind < 0.7:
        return folded(rng, s * 0.7, s * 0.55)
    return _laid_top(rng, s).said("flat", "soft")


def _laid_top(rng: Generator, s: float) -> Mesh:
    """A shirt or jacket laid flat, its sleeves at random angles."""
    sleeve = s * rng.uniform(0.3, 0.75)
    pieces = [(0.0, 0.0, s * rng.uniform(0.55, 0.7), s, 0.0)]
    for k in (1, -1):
        turn = rng.uniform(20, 160)
        a = np.deg2rad(turn)
        x, y = k * (s * 0.28 + np.sin(a) * sleeve * 0.42), s * 0.36 - np.cos(a) * sleeve * 0.35
        pieces.append((x, y, sleeve, s * rng.uniform(0.17, 0.26), k * (turn - 90)))
    return _panels(rng, pieces)


def jacket(rng: Generator) -> Mesh:
    """A jacket or coat: heavy folds, or laid out."""
    body = heap(rng, 0.3, 0.75) if rng.random() < 0.65 else _laid_top(rng, rng.uniform(0.4, 0.65)).said("soft")
    return body.scaled(1, 1, rng.uniform(1.2, 1.8)).grounded()


def trousers(rng: Generator) -> Mesh:
    """Trousers: dropped, folded, or laid out with two legs."""
    kind, s = rng.random(), rng.uniform(0.3, 0.75)
    if kind < 0.5:
        return heap(rng, 0.25, 0.6)
    if kind < 0.7:
        return folded(rng, s * 0.5, s * 0.3)
    wide = s * rng.uniform(0.17, 0.26)
    pieces = [(0.0, 0.0, s * 0.4, wide * 2.0, 0.0)]
    for k in (1, -1):
        turn = k * rng.uniform(-3, 14)
        pieces.append((s * 0.38, k * wide * 0.55 + s * 0.4 * np.sin(np.deg2rad(turn)), s * 0.7, wide, turn))
    return _panels(rng, pieces).said("flat", "soft", "with two legs")


def scarf(rng: Generator) -> Mesh:
    """A scarf: dropped, or a strip lying in curves."""
    if rng.random() < 0.4:
        return heap(rng, 0.15, 0.4)
    long, wide = rng.uniform(0.3, 0.8), rng.uniform(0.06, 0.16)
    strip = Sheet(long, wide, thick=rng.uniform(0.003, 0.012), rise=rng.uniform(0.006, 0.025),
                  wave=rng.uniform(0.03, 0.09), sharp=0.8, ragged=0.02, lean=0.3).mesh(rng, 56)  # fmt: skip
    points = strip.vertices.astype(np.float64)
    turn = 1.1 * np.sin(points[:, 0] / long * rng.uniform(2, 7) + rng.uniform(0, 6))
    along = np.argsort(points[:, 0])
    step = np.diff(points[along, 0], prepend=points[along[0], 0])
    middle = np.zeros((len(points), 2))
    middle[along] = np.cumsum(np.stack([np.cos(turn[along]), np.sin(turn[along])], 1) * step[:, None], 0)
    points[:, :2] = middle + points[:, 1:2] * np.stack([-np.sin(turn), np.cos(turn)], 1)
    return replace(strip, vertices=points.astype(np.float32)).grounded().said("long", "soft")


def blanket(rng: Generator) -> Mesh:
    """A blanket: thrown down, spread or folded."""
    kind, x = rng.random(), rng.uniform(0.45, 1.1)
    if kind < 0.5:
        return heap(rng, 0.45, 1.1)
    y = x * rng.uniform(0.5, 0.9)
    if kind < 0.7:
        return spread(rng, x, y)
    return folded(rng, x * 0.6, y * 0.6).scaled(1, 1, rng.uniform(1.0, 2.5)).grounded()


def napkin(rng: Generator) -> Mesh:
    """A napkin: crumpled, lying open or folded, or folded to a triangle."""
    kind, x = rng.random(), rng.uniform(0.1, 0.3)
    if kind < 0.4:
        return heap(rng, 0.07, 0.2)
    if kind < 0.7:
        return spread(rng, x, x * rng.uniform(0.5, 1.0))
    body = folded(rng, x * 0.6, x * 0.6).scaled(1, 1, rng.uniform(0.2, 0.5))
    if kind < 0.85:
        body.vertices[:, 1] = (body.vertices[:, 1] + 0.5 * x) * (1 - (body.vertices[:, 0] / x + 0.35) * 0.9)
    return body.grounded()


def _curled(rng: Generator, body: Mesh, most: float) -> Mesh:
    """A thin body on the ground, bent up at one end or corner by up to ``most`` metres."""
    fine = subdivided(body, float(body.size.max()) / 10)
    points = fine.vertices.astype(np.float64)
    angle = rng.choice([0.0, 90.0, rng.uniform(0, 360)])
    along = points[:, :2] @ [np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))]
    share = np.clip((along - np.quantile(along, rng.uniform(0.2, 0.7))) / max(np.ptp(along), 1e-9), 0, 1)
    points[:, 2] += rng.uniform(0.1, 1.0) * most * (share / max(share.max(), 1e-9)) ** 2
    return replace(fine, vertices=points.astype(np.float32))


def paper(rng: Generator) -> Mesh:
    """A sheet of paper that curls or was folded once, a few sheets on one another, or a crumpled ball."""
    kind, x = rng.random(), rng.uniform(0.12, 0.3)
    y = x * rng.uniform(0.65, 0.75)
    if kind < 0.35:
        d = rng.uniform(0.03, 0.1)
        ball = ellipsoid(d, d * rng.uniform(0.7, 1.0), d * rng.uniform(0.55, 0.95), 20)
        v = ball.vertices.astype(np.float64) - [0, 0, float(ball.size[2]) / 2]
        dents = np.stack([ridges(rng, v[:, axes], d * 0.45) for axes in ([0, 1], [1, 2], [2, 0])])
        v *= (0.7 + 0.22 * dents.sum(0))[:, None]
        return replace(ball, vertices=v.astype(np.float32)).grounded().said("crumpled")
    if kind < 0.6:
        crease = Sheet(x, y, thick=0.0008, rise=rng.uniform(0.003, 0.012), wave=rng.uniform(0.05, 0.15))
        return crease.mesh(rng).said("flat", "thin")
    sheets = [
        _curled(rng, box(x, y, rng.uniform(0.0006, 0.004)), 0.05 * x).turned("z", k * rng.normal(0, 8))
        .moved(rng.normal(0, 0.01), rng.normal(0, 0.01), k * 0.003)
        for k in range(int(rng.choice([1, 1, 2, 4])))
    ]  # fmt: skip
    return join(*sheets).grounded().said("flat", "thin")


def magazine(rng: Generator) -> Mesh:
    """A magazine: closed, its cover curling; lying open; or rolled."""
    x, y, t = rng.uniform(0.14, 0.23), rng.uniform(0.2, 0.31), rng.uniform(0.002, 0.01)
    kind = rng.random()
    if kind < 0.15:
        r = rng.uniform(0.014, 0.03)
        turns = np.linspace(0, rng.uniform(2.2, 4.0) * np.pi, 40)
        spiral = np.stack([np.cos(turns), np.sin(turns)], 1) * (r + 0.0009 * turns)[:, None]
        top = np.stack([np.column_stack([spiral[:, 0], np.full(40, w), spiral[:, 1]]) for w in np.linspace(0, y, 6)])
        return closed(top, top * [0.93, 1, 0.93]).grounded().said("rolled", "long")
    if kind < 0.4:
        u, w = np.meshgrid(np.linspace(-1, 1, 33), np.linspace(-0.5, 0.5, 9))
        bulge = t * (0.4 + 1.6 * np.exp(-(((np.abs(u) - 0.18) / 0.25) ** 2)) * (1 - np.exp(-((u / 0.05) ** 2))))
        bulge += rng.uniform(0, 0.02) * np.clip(u * rng.choice([-1, 1]) - 0.3, 0, 1) ** 2
        top = np.stack([u * x, w * y, bulge + 0.001], -1)
        return closed(top, top * [1, 1, 0]).grounded().said("open", "flat")
    block = _curled(rng, rounded_box(x, y, t, 0.3 * t, 1), rng.uniform(0, 0.02))
    cover = _curled(rng, box(x * 0.99, y * 0.99, 0.0008), rng.uniform(0.004, 0.05)).moved(z=t)
    return join(block, cover.part(0)).grounded().said("flat", "thin")


def newspaper(rng: Generator) -> Mesh:
    """A newspaper folded once or twice, its layers slightly open, or taken apart and crumpled."""
    if rng.random() < 0.25:
        sheet = Sheet(rng.uniform(0.25, 0.5), rng.uniform(0.25, 0.4), thick=0.001, rise=rng.uniform(0.01, 0.035),
                      wave=rng.uniform(0.06, 0.2), heap=rng.uniform(0, 0.06), square=0.8, ragged=0.07)  # fmt: skip
        return sheet.mesh(rng).said("crumpled")
    x, y, t = rng.uniform(0.18, 0.34), rng.uniform(0.24, 0.4), rng.uniform(0.0015, 0.005)
    layers = []
    for k in range(int(rng.integers(2, 6))):
        size = rng.uniform(0.93, 1.0, 2) * [x, y]
        layer = _curled(rng, box(float(size[0]), float(size[1]), t), rng.uniform(0, 0.012))
        layers.append(layer.turned("z", rng.normal(0, 1.5)).moved(z=k * t * 1.1))
    spine = sweep([(-x * 0.48, -y * 0.46, 0), (-x * 0.48, y * 0.46, 0)], len(layers) * t * 0.55, 8)
    return join(*layers, spine.moved(z=len(layers) * t * 0.5)).grounded().said("folded", "flat")


def envelope(rng: Generator) -> Mesh:
    """A letter envelope, or a padded one with contents; its flap closed or open."""
    x, y = rng.uniform(0.14, 0.34), rng.uniform(0.1, 0.24)
    x, y = max(x, y), min(x, y)
    full = rng.choice([rng.uniform(0.0, 0.004), rng.uniform(0.005, 0.03)])
    u, w = np.meshgrid(np.linspace(-1, 1, 25), np.linspace(-1, 1, 17))
    rise = 0.0008 + full * ((1 - u**4) * (1 - w**4)) ** 0.6 * (
        0.8 + 0.3 * ridges(rng, np.stack([u * x, w * y], -1), 0.1)
    )
    top = np.stack([u * x / 2, w * y / 2, rise], -1)
    body = closed(top, top * [1, 1, 0 if rng.random() < 0.5 else -0.4])
    deep = y * rng.uniform(0.25, 0.6)
    corners = np.array([(-x / 2, y / 2), (x / 2, y / 2), (x * 0.1, y / 2 - deep), (-x * 0.1, y / 2 - deep)])
    if rng.random() < 0.3:
        corners[:, 1] = y - corners[:, 1]  # open
    lid = np.linspace(corners[[0, 3]], corners[[1, 2]], 7, axis=1)
    high = np.full((2, 7, 1), 0.0016 + full)
    flap = np.concatenate([lid, high], -1)
    return join(body, closed(flap, flap - [0, 0, 0.0012])).grounded().said("flat", "thin")


def packet(rng: Generator) -> Mesh:
    """A bag of crisps, coffee or sweets: bulging and dented between two crimped seams, or a standing pouch."""
    x, z, full = rng.uniform(0.06, 0.22), rng.uniform(0.08, 0.27), rng.uniform(0.015, 0.06)
    full = min(full, 0.45 * x)
    crimp = rng.uniform(0.04, 0.12)
    stands = rng.random() < 0.3
    u, w = np.meshgrid(np.linspace(-1, 1, 29), np.linspace(-1, 1, 37))
    inner = np.clip(w / (1 - crimp), -1, 1)
    foot = np.where(w < 0, 1.0, 1 - inner**2) if stands else 1 - np.abs(inner) ** rng.uniform(2, 5)
    body = np.clip(foot, 0, None) ** 0.6 * np.clip(1 - np.abs(u) ** rng.uniform(2, 6), 0, None) ** 0.55
    teeth = 0.0012 * np.sin(u * x * rng.uniform(500, 1100)) * (np.abs(w) > 1 - crimp)
    pull = 1 - 0.14 * body * np.cos(np.pi / 2 * w)  # bulging draws the sides in
    sides = []
    for side in (1, -1):
        folds = ridges(rng, np.stack([u * x, w * z], -1), rng.uniform(0.03, 0.09), rng.uniform(0.8, 2.0))
        dent = rng.uniform(0.1, 0.6) * np.exp(-((u - rng.uniform(-1, 1)) ** 2 + (w - rng.uniform(-1, 1)) ** 2) / 0.15)
        depth = full / 2 * body * (1 - dent) + np.minimum(body * 3, 1) * rng.uniform(0.001, 0.006) * folds + 0.0008
        bend = rng.normal(0, 0.003) * (np.abs(w) > 1 - crimp)
        sides.append(np.stack([u * x / 2 * pull, side * depth + teeth + bend, w * z / 2], -1))
    whole = closed(sides[0], sides[1])
    return (whole if stands else whole.turned("x", 90)).grounded().said("soft", "with crimped ends")


def sack(rng: Generator) -> Mesh:
    """A plastic bag: lying flat, or filled and standing, with handles or a knot on top."""
    x = float(np.exp(rng.uniform(np.log(0.12), np.log(0.4))))
    y = x * rng.uniform(0.5, 0.95)
    full = rng.random() < 0.55
    sheet = Sheet(
        x * 0.85, y * 0.85, thick=0.001, rise=rng.uniform(0.01, 0.035), wave=rng.uniform(0.15, 0.4) * y + 0.01,
        sharp=rng.uniform(0.9, 1.8), heap=(rng.uniform(0.35, 0.75) if full else rng.uniform(0.03, 0.2)) * y,
        square=rng.uniform(0, 0.6), ragged=rng.uniform(0.04, 0.12), lean=rng.uniform(0.1, 0.5),
    )  # fmt: skip
    body = sheet.mesh(rng, 36)
    top, thin = float(body.size[2]), x * rng.uniform(0.01, 0.03)
    if full and rng.random() < 0.5:
        knot = tube([(0, 0, top * 0.7), (0.01, 0, top), (-0.005, 0.01, top + 0.2 * x)], (3 * thin, thin, 2 * thin), 0.5)
        return join(body, knot).grounded().said("crumpled", "soft")
    bows = []
    for k in (1, -1):
        reach, lean = rng.uniform(0.1, 0.3) * x, rng.uniform(-0.3, 0.3) * x
        ends = [
            (-0.15 * x, k * 0.1 * y, top * 0.6),
            (lean, k * 0.2 * y, top * 0.8 + reach),
            (0.15 * x, k * 0.1 * y, top * 0.6),
        ]
        bows.append(tube(ends, thin, 0.3))
    return join(body, *bows).grounded().said("crumpled", "soft", "with handles")


def bag(rng: Generator) -> Mesh:
    """A tote bag, duffel bag, paper bag, drawstring sack or handbag."""
    make = (_tote, _duffel, _paper_bag, _pouch, _handbag)[int(rng.integers(5))]
    return make(rng)


def _tote(rng: Generator) -> Mesh:
    """A cloth bag with two long handles, laid flat or slumped."""
    x, y = rng.uniform(0.2, 0.36), rng.uniform(0.2, 0.36)
    shape = Sheet(x, y, thick=rng.uniform(0.004, 0.03), rise=rng.uniform(0.006, 0.025), wave=rng.uniform(0.05, 0.15),
                  heap=rng.uniform(0, 0.1), square=0.9, ragged=0.03)  # fmt: skip
    straps = []
    for k in (1, -1):
        long, side = y * rng.uniform(0.15, 0.4), rng.uniform(-0.1, 0.1)
        points = [(-x * 0.22, y * 0.42, 0.012), (x * (side - 0.15), y / 2 + long, 0.006 + 0.006 * k),
                  (x * (side + 0.15), y / 2 + long, 0.006), (x * 0.22, y * 0.42, 0.012)]  # fmt: skip
        straps.append(tube(points, rng.uniform(0.008, 0.014), 0.25, 18).part(1))
    return join(shape.mesh(rng), *straps).grounded().said("with straps", "soft", "flat")


def _duffel(rng: Generator) -> Mesh:
    """A sports bag: a soft roll with two handles and end pockets."""
    x, r = rng.uniform(0.25, 0.5), rng.uniform(0.07, 0.13)
    body = cylinder(r, x, 24, 0.3 * r).turned("y", 90).moved(-x / 2, 0, r)
    body = subdivided(body, 0.06)
    v = body.vertices.astype(np.float64)
    v[:, 2] = np.where(
        v[:, 2] > r, r + (v[:, 2] - r) * (1 - rng.uniform(0, 0.5) * np.cos(v[:, 0] / x * np.pi) ** 2), v[:, 2]
    )
    v[:, 2] = np.maximum(v[:, 2], 0.25 * r)
    v += 0.012 * np.sin(v[:, [1, 2, 0]] * rng.uniform(15, 40) + rng.uniform(0, 6, 3))
    body = replace(body, vertices=v.astype(np.float32))
    top = float(v[:, 2].max())
    grips = [
        tube([(-x * 0.18, k * r * 0.6, top * 0.6), (-x * 0.1, k * 0.03, top + rng.uniform(0, 0.08)),
              (x * 0.1, k * 0.03, top + rng.uniform(0, 0.06)), (x * 0.18, k * r * 0.6, top * 0.6)],
             0.009, 0.6, 18).part(1) for k in (1, -1)
    ]  # fmt: skip
    pocket = ellipsoid(x * 0.5, 0.05, r * 1.1, 10, 0.5).moved(0, -r * 0.92, r * 0.4)
    return join(body, *grips, pocket.part(1)).grounded().said("with straps", "soft")


def _paper_bag(rng: Generator) -> Mesh:
    """An open bag of stiff paper, its opening deformed, perhaps with cord handles."""
    x, y, z = rng.uniform(0.1, 0.32), rng.uniform(0.06, 0.15), rng.uniform(0.15, 0.38)
    corners = np.array([(-1, -1), (1, -1), (1, 1), (0.0, 1.0), (-1, 1)]) * [x / 2, y / 2]
    ring = np.concatenate(
        [np.linspace(a, b, 8, endpoint=False) for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)]
    )
    levels, squeeze = np.linspace(0, 1, 9), rng.uniform(0.0, 0.7)
    shrink = np.stack([np.ones(9), 1 - squeeze * levels**2], 1)
    walls = ring[None] * shrink[:, None]
    walls = walls * (1 + rng.uniform(0, 0.06) * ridges(rng, np.stack(np.broadcast_arrays(
        np.linspace(0, 2 * (x + y), len(ring))[None], (levels * z)[:, None]), -1), 0.1)[..., None])  # fmt: skip
    outer = np.concatenate([walls, np.broadcast_to((levels * z)[:, None, None], (9, len(ring), 1))], -1)
    inner = outer[::-1] * [0.985, 0.97, 1] + [0, 0, 0.001]
    rings = np.concatenate([outer[:1] * 0, outer, inner, inner[-1:] * [0, 0, 1]])
    parts = [mesh(rings.reshape(-1, 3), grid_faces(len(rings), len(ring), True))]
    if rng.random() < 0.6:
        wide = 1 - squeeze
        parts += [
            tube([(-x * 0.2, k * y / 2 * wide, z * 0.97), (-x * 0.12, k * y / 2 * wide, z * 1.25),
                  (x * 0.12, k * y / 2 * wide, z * 1.25), (x * 0.2, k * y / 2 * wide, z * 0.97)], 0.003).part(1)
            for k in (1, -1)
        ]  # fmt: skip
    return join(*parts).grounded().said("open")


def _pouch(rng: Generator) -> Mesh:
    """A full sack, its neck drawn or tied together."""
    r, h = rng.uniform(0.06, 0.16), rng.uniform(0.9, 1.9)
    levels = np.array([0, 0.02, 0.25, 0.5, 0.72, 0.8, 0.9, 1.0]) * r * 2 * h
    radii = r * np.array([0.0, 0.85, 1.0, 0.9, rng.uniform(0.3, 0.6), rng.uniform(0.12, 0.3), 0.4, 0.5])
    profile = curve(np.column_stack([radii, levels]), 26)
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    pleats = 1 + np.clip(profile[:, 1:] / profile[-1, 1], 0.1, 1) * 0.2 * np.sin(angle * rng.integers(6, 14))[None]
    radius = np.maximum(profile[:, :1], 0) * pleats
    rings = np.stack(
        [radius * np.cos(angle), radius * np.sin(angle), np.broadcast_to(profile[:, 1:], radius.shape)], -1
    )
    slump = rng.normal(0, 0.25, 2)
    rings[..., :2] += slump * rings[..., 2:] ** 2 / rings[-1, 0, 2]
    body = closed(
        rings[:, [*range(40), 0]], np.broadcast_to(rings[:, :1] * 0 + rings.mean((1,), keepdims=True), (26, 41, 3))
    )
    cord = tube(
        [(radii[5] * 1.1, 0, levels[5]), (radii[5] * 2.2, 0.02, levels[4]), (radii[5] * 2.5, 0, levels[3])], 0.004
    )
    whole = join(body, cord.part(1))
    return (whole if rng.random() < 0.6 else whole.turned("x", rng.choice([80, 95]))).grounded().said("soft")


def _handbag(rng: Generator) -> Mesh:
    """A stiff handbag with a flap and an arched handle or a long strap."""
    x, y, z = rng.uniform(0.18, 0.36), rng.uniform(0.06, 0.15), rng.uniform(0.14, 0.28)
    hull = ellipsoid(x, y, z, 16, rng.uniform(0.3, 0.6))
    hull.vertices[:, :2] *= (1 - rng.uniform(0, 0.4) * np.clip(hull.vertices[:, 2:] / z, 0, 1) ** 2).astype(np.float32)
    parts = [hull]
    if rng.random() < 0.6:
        deep = rng.uniform(0.3, 0.7) * z
        parts.append(rounded_box(x * 0.85, 0.012, deep, 0.005).moved(0, -y * 0.47, z * 0.95 - deep).part(1))
    high = z + rng.uniform(0.02, 0.16)
    wide = rng.uniform(0.15, 0.4) * x
    bow = tube(
        [(-wide, 0, z * 0.85), (-wide * 0.8, 0, high), (wide * 0.8, 0, high), (wide, 0, z * 0.85)], 0.007, 1.4, 18
    )
    parts.append(bow.part(1))
    if rng.random() < 0.3:
        parts += [rod((k * x * 0.3, -y * 0.4, 0), (k * x * 0.3, y * 0.4, 0), 0.008, 8).part(1) for k in (1, -1)]
    return join(*parts).grounded().said("with a handle")
