"""Electronics, clothes, toys and other household things."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .meshes import (
    Mesh,
    arc,
    box,
    curve,
    cylinder,
    ellipsoid,
    extrude,
    join,
    lathe,
    rod,
    rounded_box,
    sweep,
    torus,
    vessel,
)


def book(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.1, 0.22), rng.uniform(0.14, 0.3), rng.uniform(0.008, 0.05)
    pages = box(x * 0.97, y * 0.97, z * 0.82).moved(x=x * 0.01, z=z * 0.09).part(1)
    covers = join(box(x, y, z * 0.1), box(x, y, z * 0.1).moved(z=z * 0.9), box(0.003, y, z).moved(x=-x / 2))
    return join(covers, pages).grounded().said("flat", "thick" if z > 0.03 else "thin")


def notebook(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.09, 0.21), rng.uniform(0.13, 0.28), rng.uniform(0.006, 0.02)
    rings = [
        torus(0.007, 0.0012, 10, 5).turned("x", 90).moved(x=-x / 2, y=t, z=0.005)
        for t in np.linspace(-y * 0.45, y * 0.45, 14)
    ]
    return join(rounded_box(x, y, z, 0.002), *[r.part(1) for r in rings]).grounded().said("flat")


def phone(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.06, 0.08), rng.uniform(0.12, 0.165), rng.uniform(0.007, 0.012)
    screen = box(x * 0.93, y * 0.9, 0.0006).moved(z=z).part(1)
    return join(rounded_box(x, y, z, 0.004), screen).said("flat")


def tablet(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.13, 0.2), rng.uniform(0.19, 0.28), rng.uniform(0.006, 0.01)
    return join(rounded_box(x, y, z, 0.003), box(x * 0.92, y * 0.92, 0.0006).moved(z=z).part(1)).said("flat")


def remote_control(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.035, 0.055), rng.uniform(0.13, 0.22), rng.uniform(0.014, 0.025)
    buttons = [
        cylinder(0.004, 0.002, 8).moved(x=i * x * 0.28, y=j, z=z).part(1)
        for i in (-1, 0, 1)
        for j in np.linspace(-y * 0.4, y * 0.38, 8)
    ]
    return join(rounded_box(x, y, z, 0.006), *buttons).said("long")


def keyboard(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.28, 0.45), rng.uniform(0.11, 0.15), rng.uniform(0.008, 0.02)
    columns = int(x / 0.021)
    keys = [
        box(0.016, y / 5 - 0.005, 0.005).moved(x=i, y=j, z=z).part(1)
        for i in np.linspace(-x / 2 + 0.016, x / 2 - 0.016, columns)
        for j in np.linspace(-y * 0.38, y * 0.38, 5)
    ]
    return join(rounded_box(x, y, z, 0.004, 2), *keys).said("flat", "long")


def mouse(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.055, 0.07), rng.uniform(0.095, 0.125), rng.uniform(0.03, 0.042)
    body = ellipsoid(x, y, z * 2, 14, 0.8)
    body.vertices[:, 2] = np.maximum(body.vertices[:, 2] - z, 0)
    wheel = cylinder(0.008, 0.006, 12).turned("y", 90).moved(x=-0.003, y=y * 0.28, z=z * 0.82).part(1)
    return join(body, wheel).said("small")


def laptop(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.28, 0.37), rng.uniform(0.19, 0.26), rng.uniform(0.012, 0.02)
    base = join(rounded_box(x, y, z, 0.004), box(x * 0.86, y * 0.42, 0.001).moved(y=y * 0.17, z=z).part(1))
    if rng.random() < 0.2:
        return join(base, rounded_box(x, y, 0.007, 0.003).moved(z=z)).said("closed", "flat")
    lid = join(rounded_box(x, y, 0.007, 0.003), box(x * 0.93, y * 0.88, 0.0008).moved(z=-0.0008).part(1)).moved(
        y=-y / 2
    )
    return join(base, lid.turned("x", -rng.uniform(85, 125)).moved(y=y / 2, z=z)).grounded().said("open")


def monitor(rng: Generator) -> Mesh:
    x, z = rng.uniform(0.4, 0.65), rng.uniform(0.26, 0.38)
    lift = rng.uniform(0.08, 0.16)
    panel = join(
        rounded_box(x, 0.035, z, 0.006), box(x * 0.95, 0.001, z * 0.92).moved(y=-0.018, z=z * 0.04).part(1)
    ).moved(z=lift)
    stand = join(box(0.05, 0.03, lift + z * 0.4).moved(y=0.03), rounded_box(x * 0.45, 0.2, 0.012, 0.005).moved(y=0.02))
    return join(panel, stand.part(2)).grounded().said("with a stand")


def speaker(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.09, 0.2), rng.uniform(0.1, 0.2), rng.uniform(0.15, 0.35)
    cones = [
        lathe([(0, 0.006), (r * 0.35, 0.006), (r, 0), (r * 1.12, 0.005)], 24)
        .turned("x", 90)
        .moved(y=-y / 2, z=h)
        .part(1)
        for r, h in ((x * 0.38, z * 0.33), (x * 0.2, z * 0.75))
    ]
    return join(rounded_box(x, y, z, 0.006), *cones).grounded()


def camera(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.09, 0.14), rng.uniform(0.03, 0.06), rng.uniform(0.06, 0.09)
    reach = rng.uniform(0.02, 0.08)
    lens = lathe(
        [(0, 0), (z * 0.42, 0), (z * 0.4, reach), (z * 0.33, reach), (z * 0.25, reach - 0.008), (0, reach - 0.008)], 24
    )
    top = rounded_box(x * 0.3, y * 0.7, z * 0.2, 0.004).moved(z=z * 0.95)
    return (
        join(rounded_box(x, y, z, 0.008), lens.turned("x", 90).moved(y=-y / 2, z=z * 0.45).part(1), top)
        .grounded()
        .said("with a lens")
    )


def headphones(rng: Generator) -> Mesh:
    r = rng.uniform(0.07, 0.085)
    band = np.column_stack([arc(r, -10, 190, 20)[:, 0], np.zeros(20), arc(r, -10, 190, 20)[:, 1]])
    cups = [cylinder(0.036, 0.028, 20, 0.008).turned("y", 90).moved(x=s * r - 0.014, z=-0.035).part(1) for s in (1, -1)]
    return join(sweep(band, 0.008, 8, 1.6), *cups).turned("x", 90).grounded().said("with a band")


def lamp(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.08, 0.16), rng.uniform(0.3, 0.5)
    shade_h = h * rng.uniform(0.35, 0.5)
    base = cylinder(r * 0.65, 0.02, 28, 0.006).part(1)
    if rng.random() < 0.4:
        base = join(base, lathe(curve([(r * 0.3, 0), (r * 0.6, h * 0.2), (r * 0.2, h * 0.55)], 12), 24).part(1))
    top = r * rng.uniform(0.6, 0.95)
    shade = lathe([(r, h - shade_h), (top, h), (top * 0.97, h), (r * 0.98, h - shade_h)], 32)
    return join(base, cylinder(0.008, h - 0.03, 10).part(1), shade).said("with a shade")


def desk_lamp(rng: Generator) -> Mesh:
    h, reach = rng.uniform(0.3, 0.45), rng.uniform(0.12, 0.22)
    arm = sweep([(0, 0, 0.01), (-0.05, 0, h * 0.55), (reach * 0.7, 0, h)], 0.007, 8)
    head = (
        lathe([(0.02, 0.07), (0.03, 0.06), (0.065, 0), (0.062, 0), (0.026, 0.06), (0, 0.065)], 22)
        .turned("y", 35)
        .moved(x=reach * 0.85, z=h - 0.05)
    )
    return join(cylinder(0.085, 0.02, 28, 0.006), arm.part(1), head).grounded().said("with an arm")


def clock(rng: Generator) -> Mesh:
    r, t = rng.uniform(0.04, 0.15), rng.uniform(0.02, 0.045)
    body = join(cylinder(r, t, 32, 0.004), cylinder(r * 0.88, 0.001, 32).moved(z=t).part(1))
    hands = [
        box(0.006, r * k, 0.001).moved(y=r * k / 2, z=t + 0.001).turned("z", a).part(2)
        for k, a in ((0.6, rng.uniform(0, 360)), (0.8, rng.uniform(0, 360)))
    ]
    standing = join(body, *hands).turned("x", 90 - 8)
    feet = [cylinder(0.006, 0.025, 8).moved(x=s * r * 0.5, y=0.0, z=-r) for s in (1, -1)]
    return join(standing, *feet).grounded().said("round")


def alarm_clock(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.08, 0.16), rng.uniform(0.04, 0.07), rng.uniform(0.05, 0.09)
    return join(
        rounded_box(x, y, z, 0.01),
        box(x * 0.8, 0.001, z * 0.6).moved(y=-y / 2, z=z * 0.2).part(1),
        rounded_box(x * 0.4, y * 0.4, 0.01, 0.003).moved(z=z - 0.003).part(1),
    )


def shoe(rng: Generator) -> Mesh:
    length, w = rng.uniform(0.22, 0.31), rng.uniform(0.08, 0.105)
    outline = curve(
        [
            (-0.5, 0.0),
            (-0.42, 0.36),
            (0.0, 0.36),
            (0.3, 0.5),
            (0.5, 0.05),
            (0.3, -0.45),
            (0.0, -0.36),
            (-0.42, -0.36),
            (-0.5, 0.0),
        ],
        28,
    )[:-1] * [length, w]
    sole = extrude(outline, 0.022).part(1)
    rings = []
    for height, scale, shift in (
        (0.02, 0.95, 0.0),
        (0.045, 0.93, -0.01),
        (0.065, 0.78, -0.09),
        (0.09, 0.5, -0.24),
        (0.09, 0.42, -0.24),
        (0.04, 0.4, -0.22),
    ):
        rings.append(
            np.column_stack(
                [outline * [scale, min(1, scale * 1.05)] + [shift * length, 0], np.full(len(outline), height)]
            )
        )
    from .meshes import grid_faces, mesh

    upper = mesh(np.concatenate(rings), grid_faces(len(rings), len(outline), True))
    insole = extrude(rings[-1][:, :2], 0.002).moved(z=0.038).part(1)
    return join(sole, upper, insole).grounded()


def hat(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.08, 0.1), rng.uniform(0.08, 0.13)
    crown = lathe(curve([(r, 0), (r * 0.97, h * 0.5), (r * 0.6, h * 0.95), (0, h)], 12), 28)
    if rng.random() < 0.5:
        brim = extrude(arc(r * 0.95, -65, 65, 14) * [1.75, 1.0], 0.004).moved(z=0.002)
        return join(crown, brim.part(1)).grounded().said("with a peak")
    return join(crown, cylinder(r * rng.uniform(1.4, 1.8), 0.004, 32), cylinder(r * 1.02, h * 0.2, 28).part(1)).said(
        "with a brim"
    )


def bag(rng: Generator) -> Mesh:
    """A handbag, backpack or shopping bag."""
    x, y, z = rng.uniform(0.2, 0.36), rng.uniform(0.09, 0.18), rng.uniform(0.2, 0.4)
    body = ellipsoid(x, y, z, 14, 0.4)
    v = body.vertices
    v[:, 1] *= 1 - 0.5 * np.clip(v[:, 2] / z, 0, 1) ** 2
    v += (0.008 * np.sin(v[:, [1, 2, 0]] * 30 + rng.uniform(0, 6, 3))).astype(np.float32)
    straps = [
        sweep(
            curve(
                [(-x * 0.25, s, z * 0.9), (-x * 0.15, s, z * 1.2), (x * 0.15, s, z * 1.2), (x * 0.25, s, z * 0.9)], 12
            ),
            0.008,
            8,
        )
        for s in (-y * 0.15, y * 0.15)
    ]
    return join(body, *[s.part(1) for s in straps]).grounded().said("with straps")


def purse(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.09, 0.2), rng.uniform(0.07, 0.11), rng.uniform(0.015, 0.035)
    return (
        join(rounded_box(x, y, z, 0.008), box(x * 0.2, 0.004, z * 0.4).moved(y=-y / 2, z=z * 0.3).part(1))
        .grounded()
        .said("flat")
    )


def soap(rng: Generator) -> Mesh:
    return rounded_box(
        rng.uniform(0.06, 0.1), rng.uniform(0.04, 0.065), rng.uniform(0.02, 0.035), rng.uniform(0.008, 0.02), 4
    ).said("small")


def sponge(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.08, 0.13), rng.uniform(0.05, 0.08), rng.uniform(0.02, 0.045)
    return join(rounded_box(x, y, z * 0.75, 0.004), rounded_box(x, y, z * 0.25, 0.002).moved(z=z * 0.75).part(1)).said(
        "soft"
    )


def candle(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.02, 0.045), rng.uniform(0.03, 0.16)
    return join(cylinder(r, h, 24, 0.003), rod((0, 0, h), (0.001, 0, h + 0.01), 0.001, 5).part(1)).said("round")


def toilet_paper(rng: Generator) -> Mesh:
    r, h, hole = rng.uniform(0.045, 0.065), rng.uniform(0.09, 0.12), 0.02
    if rng.random() < 0.3:
        h = rng.uniform(0.2, 0.26)
    return lathe([(hole, 0), (r, 0), (r, h), (hole, h), (hole, 0)], 32).said("round", "with a hole")


def tissue_box(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.11, 0.24), rng.uniform(0.1, 0.13), rng.uniform(0.06, 0.13)
    tuft = ellipsoid(0.06, 0.025, 0.05, 8, 0.9).moved(z=z - 0.01).part(1)
    return join(box(x, y, z), tuft) if rng.random() < 0.7 else box(x, y, z)


def plant(rng: Generator) -> Mesh:
    """A plant in a pot, small or as tall as a person's knee."""
    r = rng.uniform(0.04, 0.11)
    h = r * rng.uniform(1.4, 2.0)
    parts = [vessel([(r * 0.7, 0), (r, h)], 0.004, h * 0.85)]
    for k in range(int(rng.integers(9, 18))):
        length, lean, turn = h * rng.uniform(0.8, 2.2), rng.uniform(10, 65), k * 137.5
        path = curve([(0, 0, 0), (length * 0.25, 0, length * 0.6), (length * 0.6 * lean / 65, 0, length)], 7)
        leaf = sweep(path, np.array([0.1, 0.5, 0.9, 1.0, 0.8, 0.45, 0.05]) * r * rng.uniform(0.2, 0.42), 6, 0.15)
        parts.append(leaf.turned("z", turn).moved(z=h * 0.85).part(1))
    return join(*parts).grounded().said("with leaves")


def toaster(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.25, 0.33), rng.uniform(0.15, 0.2), rng.uniform(0.17, 0.2)
    slots = [box(x * 0.62, 0.028, 0.002).moved(y=s * y * 0.2, z=z - 0.001).part(1) for s in (1, -1)]
    lever = box(0.02, 0.04, 0.015).moved(x=x / 2 + 0.008, z=z * 0.6).part(1)
    return join(rounded_box(x, y, z, 0.03, 4), *slots, lever).grounded().said("with slots")


def coffee_machine(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.16, 0.24), rng.uniform(0.2, 0.3), rng.uniform(0.28, 0.38)
    back = rounded_box(x, y * 0.45, z, 0.012).moved(y=y * 0.27)
    top = rounded_box(x, y, z * 0.3, 0.012).moved(z=z * 0.7)
    base = rounded_box(x, y, z * 0.1, 0.008).part(1)
    pot_body = (
        lathe([(0, 0), (x * 0.3, 0), (x * 0.36, z * 0.2), (x * 0.25, z * 0.42), (0, z * 0.42)], 24)
        .moved(y=-y * 0.2, z=z * 0.1)
        .part(2)
    )
    return join(back, top, base, pot_body).grounded()


def guitar(rng: Generator) -> Mesh:
    s = rng.uniform(0.75, 1.0)
    outline = curve(
        [
            (-0.24, 0),
            (-0.2, 0.15),
            (-0.05, 0.18),
            (0.07, 0.12),
            (0.17, 0.14),
            (0.24, 0),
            (0.17, -0.14),
            (0.07, -0.12),
            (-0.05, -0.18),
            (-0.2, -0.15),
            (-0.24, 0),
        ],
        40,
    )[:-1]
    body = extrude(outline, 0.1)
    neck = join(box(0.4, 0.055, 0.025).moved(x=0.42, z=0.08), box(0.13, 0.075, 0.02).moved(x=0.67, z=0.078))
    hole = cylinder(0.05, 0.001, 24).moved(x=0.04, z=0.1).part(2)
    return (
        join(body, neck.part(1), hole, box(0.03, 0.12, 0.01).moved(x=-0.12, z=0.1).part(1))
        .scaled(s)
        .grounded()
        .said("with strings")
    )


def pillow(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.35, 0.6), rng.uniform(0.3, 0.45), rng.uniform(0.1, 0.17)
    body = ellipsoid(x, y, z, 18, 0.45)
    v = body.vertices
    edge = np.maximum(np.abs(v[:, 0]) / (x / 2), np.abs(v[:, 1]) / (y / 2))
    v[:, 2] = (v[:, 2] - z / 2) * (1.05 - 0.75 * edge**3) + z / 2
    return body.grounded().said("soft")


def ball(rng: Generator) -> Mesh:
    d = rng.choice([rng.uniform(0.035, 0.08), rng.uniform(0.08, 0.24)])
    body = ellipsoid(d, d, d, 18)
    stripe = body.faces[:, 0]
    parts = (np.abs(body.vertices[stripe, 2] / d - 0.5) < 0.12).astype(np.int32) * int(rng.random() < 0.4)
    return Mesh(body.vertices, body.faces, parts, ("round",))
