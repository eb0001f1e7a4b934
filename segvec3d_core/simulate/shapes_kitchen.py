"""Kitchen tools, containers and small appliances, and further household things."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .meshes import (
    Mesh,
    arc,
    box,
    curve,
    cylinder,
    ellipsoid,
    extrude,
    grid_faces,
    join,
    lathe,
    mesh,
    relief,
    rod,
    rounded_box,
    stacked,
    sweep,
    torus,
    vessel,
)
from .shapes_vessels import ring_handle


def _shell(r: float, depth: float, wall: float = 0.0025) -> Mesh:
    """Half a hollow ellipsoid: its rim of radius ``r`` at z = 0, its bottom at -``depth``."""
    t = np.linspace(0, np.pi / 2, 9)
    outside = np.stack([r * np.sin(t), -depth * np.cos(t)], 1)
    return lathe(np.concatenate([outside, outside[::-1] * [1 - wall / r, 1 - wall / depth]]), 32)


def _bow(span: float, rise: float, radius: float) -> Mesh:
    """A wire bent to an arch in the xz plane, from x = -``span`` to ``span`` and ``rise`` high."""
    points = arc(1.0, 0, 180, 16) * [span, rise]
    return sweep(np.column_stack([points[:, 0], np.zeros(16), points[:, 1]]), radius, 6)


def _rested(body: Mesh, lean: float, r: float, length: float) -> Mesh:
    """A bowl of radius ``r`` whose handle rises from its rim by ``lean`` degrees, tilted so that the handle's end is
    down."""
    drop = r * (1 - np.sin(np.deg2rad(lean)))
    return body.turned("y", lean + float(np.rad2deg(np.arcsin(min(0.8, drop / (length + r)))))).grounded()


def ladle(rng: Generator) -> Mesh:
    r, length, thick = rng.uniform(0.032, 0.052), rng.uniform(0.2, 0.29), rng.uniform(0.003, 0.005)
    depth = r * rng.uniform(0.65, 1.0)
    lean = rng.uniform(62, 84) if rng.random() < 0.6 else rng.uniform(20, 45)
    along = np.array([np.cos(np.deg2rad(lean)), 0, np.sin(np.deg2rad(lean))])
    across = np.array([along[2], 0, -along[0]])
    start = np.array([r * 0.98, 0, 0])
    path = [start - [0.004, 0, depth * 0.35], start, start + along * 0.5 * length, start + along * length]
    if rng.random() < 0.5:
        path += [path[-1] + along * 0.02 - across * 0.012, path[-1] + along * 0.008 - across * 0.03]
    handle = sweep(curve(path, 22), thick, 8, 1.0 if rng.random() < 0.3 else 1.7)
    ladled = join(_shell(r, depth), handle.part(int(rng.integers(2))))
    return _rested(ladled, lean, r, length).said("long", "with a long handle")


def sieve(rng: Generator) -> Mesh:
    """A colander with slots and two handles, or a strainer with a long handle."""
    if rng.random() < 0.5:
        r = rng.uniform(0.09, 0.135)
        h = r * rng.uniform(0.55, 0.85)
        outside = curve([(r * 0.5, 0.012), (r * 0.87, 0.012 + h * 0.45), (r, 0.012 + h)], 9)
        body = vessel(outside, 0.003, 0.003, 72)
        quad = np.arange(len(body.faces)) % (len(body.faces) // 2)
        slots = np.isin(quad // 72, [2, 3, 5, 6, 12, 13, 15, 16]) & (quad % 2 == 0)
        body = replace(body, faces=body.faces[~slots], parts=body.parts[~slots])
        path = curve([(r * 0.97, -0.04, 0), (r + 0.03, -0.03, 0), (r + 0.03, 0.03, 0), (r * 0.97, 0.04, 0)], 10)
        handle = sweep(path, 0.005, 8).moved(z=h + 0.008).part(1)
        foot = vessel([(r * 0.46, 0), (r * 0.5, 0.014)], 0.003, 0.012)
        return join(body, foot, handle, handle.turned("z", 180)).said("with two handles", "with holes")
    r, length = rng.uniform(0.035, 0.1), rng.uniform(0.1, 0.17)
    rim = torus(r, 0.0035, 32, 8).moved(z=-0.0035).part(1)
    hook = sweep(curve([(-r, -0.012, 0), (-r - 0.025, -0.008, 0), (-r - 0.025, 0.008, 0), (-r, 0.012, 0)], 9), 0.002, 6)
    grip = sweep(curve([(r, 0, 0), (r + length * 0.4, 0, 0.002), (r + length, 0, 0)], 8), 0.008, 8, 0.6)
    depth = r * rng.uniform(0.6, 1.0)
    body = join(_shell(r, depth, 0.0018), rim, hook.part(1), grip.part(1)).said("round", "with a long handle")
    if rng.random() < 0.5:
        return body.turned("x", 180).grounded()
    return _rested(body, 0.0, depth, length + r)


def grater(rng: Generator) -> Mesh:
    """A box grater, or a flat one with a handle."""
    tooth = lathe([(0.0028, -0.001), (0.0016, 0.0018), (0, 0.0018)], 4)
    if rng.random() < 0.55:
        r, h, squash = rng.uniform(0.05, 0.075), rng.uniform(0.16, 0.22), rng.uniform(0.6, 1.0)
        top = r * rng.uniform(0.55, 0.85)
        body = lathe([(r - 0.002, 0), (r, 0), (top, h), (0, h)], 4).turned("z", 45)
        lean = float(np.rad2deg(np.arctan2((r - top) * 0.7071, h)))
        face = [tooth.moved(x=-i, y=j) for i in np.linspace(0.12, 0.85, 7) * h
                for j in np.linspace(-0.42, 0.42, 4) * top]  # fmt: skip
        teeth = [join(*face).turned("y", 90 - lean).moved(x=r * 0.7071).turned("z", a) for a in (0, 90, 180, 270)]
        grip = _bow(top * 0.5, rng.uniform(0.03, 0.05), 0.006).moved(z=h - 0.002).part(1)
        body = join(join(body, *teeth).scaled(1.0, squash, 1.0), grip).said("with a handle", "tall")
        return (body if rng.random() < 0.75 else body.turned("y", 90 + lean)).grounded()
    x, y = rng.uniform(0.1, 0.2), rng.uniform(0.03, 0.1)
    teeth = [tooth.moved(x=i, y=j, z=0.006) for i in np.linspace(-x * 0.42, x * 0.42, 11)
             for j in np.linspace(-y * 0.36, y * 0.36, max(3, int(y / 0.014)))]  # fmt: skip
    rails = [rounded_box(x, 0.005, 0.009, 0.002).moved(y=s * y / 2) for s in (1, -1)]
    path = curve([(x / 2 - 0.006, 0, 0.004), (x / 2 + 0.05, 0, 0.009), (x / 2 + 0.11, 0, 0.008)], 8)
    plate = join(rounded_box(x, y, 0.002, 0.001).moved(z=0.004), *teeth, *rails, sweep(path, 0.01, 8, 0.8).part(1))
    return plate.grounded().said("flat", "with a handle")


def funnel(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.035, 0.08), rng.uniform(0.8, 1.2)
    h, neck, wall = r * h, r * rng.uniform(0.12, 0.2), 0.0018
    spout = r * rng.uniform(0.5, 0.95)
    outside = np.array([(neck * 0.75, 0), (neck, spout), (r, spout + h), (r, spout + h * 1.2)])
    body = lathe(np.concatenate([outside, outside[::-1] - [wall, 0], outside[:1]]), 36)
    tab = torus(r * 0.16, 0.002, 16, 6).moved(x=r * 1.14, z=spout + h * 1.2 - 0.004)
    body = join(body, tab) if rng.random() < 0.6 else body
    lean = float(np.rad2deg(np.arctan2(r - neck * 0.75, spout + h)))
    pose = body.turned("z", 180).turned("y", 90 - lean) if rng.random() < 0.5 else body.turned("x", 180)
    return pose.grounded().said("with a spout")


def corkscrew(rng: Generator) -> Mesh:
    """A cross handle with a screw, or one with two wings."""
    t = np.linspace(0, 1, 60)
    reach, r = rng.uniform(0.05, 0.07), rng.uniform(0.0035, 0.005)
    turn = 2 * np.pi * 5 * t
    screw = sweep(np.stack([0.02 + reach * t, r * np.cos(turn), r * np.sin(turn)], 1), 0.0016 * (1.1 - 0.8 * t), 6)
    screw = join(screw.moved(y=-r * 0.2), rod((0, 0, 0), (0.024, 0, 0), 0.003))
    if rng.random() < 0.5:
        w = rng.uniform(0.04, 0.055)
        grip = lathe(curve([(0, 0), (0.008, 0.002), (0.012, w), (0.008, 2 * w - 0.002), (0, 2 * w)], 14), 16)
        return join(screw.part(1), grip.turned("x", 90).moved(y=w)).turned("y", -3).grounded().said("with a screw")
    body = join(
        rod((-0.02, 0, 0), (0.04, 0, 0), 0.009, 14), torus(0.013, 0.003, 20, 8).moved(x=0.045 + reach, z=-0.003),
        *[rod((0.035, s * 0.012, 0), (0.045 + reach, s * 0.013, 0), 0.003, 8) for s in (1, -1)],
        rod((0.036, -0.014, 0), (0.036, 0.014, 0), 0.006, 8), rod((-0.055, 0, 0), (-0.02, 0, 0), 0.004, 8),
        lathe([(0.006, 0), (0.014, 0), (0.014, 0.008), (0.006, 0.008), (0.006, 0)], 18).moved(x=-0.066, z=-0.004),
    )  # fmt: skip
    spread, length = rng.uniform(6, 75), rng.uniform(0.075, 0.095)
    path = curve([(0, 0, 0), (length * 0.5, 0.006, 0), (length, 0.0, 0)], 8)
    wing = join(sweep(path, 0.0065, 8, 0.6), cylinder(0.01, 0.008, 14).moved(z=-0.004))
    left, right = wing.turned("z", spread), wing.scaled(1, -1, 1).turned("z", -spread)
    wings = [left.moved(0.02, 0.012), right.moved(0.02, -0.012)]
    return join(body, *wings, screw.moved(x=0.02).part(1)).grounded().said("with two arms")


def salt_shaker(rng: Generator) -> Mesh:
    """A shaker with a domed cap, a round one, or a turned mill."""
    shape = rng.integers(3)
    if shape == 0:
        r, h = rng.uniform(0.018, 0.028), rng.uniform(0.05, 0.09)
        body = lathe([(0, 0), (r, 0), (r * 0.92, h * 0.5), (r * 0.8, h), (0, h)], rng.choice([8, 24]))
        cap = lathe([(r * 0.86, 0), (r * 0.86, 0.01), *curve([(r * 0.82, 0.012), (r * 0.5, 0.019), (0, 0.021)], 6)], 24)
        return join(body, cap.moved(z=h - 0.004).part(1)).said("with a cap")
    if shape == 1:
        r = rng.uniform(0.02, 0.035)
        h = r * rng.uniform(1.8, 3.2)
        body = lathe([(0, 0), *curve([(r * 0.7, 0), (r, h * 0.3), (r * 0.6, h * 0.8), (0, h)], 14)], 28)
        return join(body, cylinder(r * 0.4, 0.003, 14).moved(z=h * 0.975).part(1)).said("round")
    r, h = rng.uniform(0.022, 0.032), rng.uniform(0.11, 0.26)
    waist = rng.uniform(0.5, 0.8)
    low = [(r, 0), (r, h * 0.12), (r * waist, h * 0.4), (r * 0.95, h * 0.66), (r * 0.7, h * 0.72)]
    head = [(r * 0.7, h * 0.72), (r, h * 0.78), (r * 0.95, h * 0.86), (r * 0.4, h * 0.93)]
    body = lathe([(0, 0), *curve(low, 14), *curve(head, 9), (0, h * 0.93)], 24)
    return join(body, ellipsoid(r * 0.7, r * 0.7, r * 0.6, 8).moved(z=h * 0.92).part(1)).said("tall")


def thermos(rng: Generator) -> Mesh:
    """A flask with a cup on top, a vacuum jug with a handle, or a travel mug."""
    r, h, shape = rng.uniform(0.033, 0.048), rng.uniform(0.2, 0.3), rng.integers(3)
    if shape == 0:
        body = lathe([(0, 0), (r * 0.95, 0), (r, 0.006), (r, h * 0.74), (r * 0.75, h * 0.82), (0, h * 0.82)], 32)
        cup = lathe([(r * 0.9, h * 0.77), (r * 0.82, h - 0.004), (r * 0.76, h), (0, h)], 32).part(1)
        return join(body, cup, torus(r, 0.0015, 32, 6).moved(z=h * 0.08)).said("tall", "with a cap")
    if shape == 1:
        r *= 1.4
        body = lathe([(0, 0), (r, 0), *curve([(r, 0.01), (r, h * 0.55), (r * 0.5, h * 0.9)], 12), (0, h * 0.9)], 32)
        lever = box(0.035, 0.02, 0.012).moved(x=-r * 0.5, z=h * 0.96)
        lid = join(cylinder(r * 0.55, h * 0.13, 24, 0.006).moved(z=h * 0.87), lever)
        spout = box(0.03, 0.022, 0.02).moved(x=r * 0.5, z=h * 0.87)
        handle = ring_handle(r * 0.7, r + 0.045, h * 0.25, h * 0.88, 0.02, 0.8).turned("z", 180)
        return join(body, lid.part(1), spout.part(1), handle.part(1)).said("tall", "with a handle")
    h *= 0.8
    body = lathe([(0, 0), (r * 0.75, 0), (r * 0.8, h * 0.3), (r, h * 0.9), (0, h * 0.9)], 32)
    cap = [(r * 1.04, h * 0.88), (r * 1.04, h * 0.93), (r * 0.9, h), (r * 0.82, h), (r * 0.8, h * 0.97), (0, h * 0.97)]
    flap = rounded_box(r * 0.5, r * 0.4, 0.012, 0.003).moved(x=r * 0.4, z=h * 0.965)
    parts = [body, lathe(cap, 32).part(1), flap.part(1)]
    if rng.random() < 0.4:
        parts.append(ring_handle(r * 0.85, r + 0.03, h * 0.35, h * 0.85, 0.012, 0.9).part(1))
    return join(*parts).said("tall")


def lunch_box(rng: Generator) -> Mesh:
    """A flat box with clips, an upright one with a handle, or a stack of round tins."""
    x, y, z, shape = rng.uniform(0.15, 0.22), rng.uniform(0.1, 0.15), rng.uniform(0.05, 0.075), rng.integers(3)
    if shape == 0:
        base = rounded_box(x * 0.97, y * 0.97, z * 0.8, 0.018)
        lid = rounded_box(x, y, z * 0.26, 0.006).moved(z=z * 0.74)
        clips = [rounded_box(0.006, y * 0.4, z * 0.5, 0.002).moved(x=s * x * 0.5, z=z * 0.45) for s in (1, -1)]
        rib = rounded_box(x * 0.8, y * 0.75, 0.004, 0.002).moved(z=z * 0.985)
        lid = join(lid, rib).part(int(rng.integers(2)))
        return join(base, lid, *[c.part(1) for c in clips]).said("with a lid", "flat")
    if shape == 1:
        z = rng.uniform(0.08, 0.11)
        body = rounded_box(x * 1.2, x, z, 0.025, 4).turned("x", 90).grounded()
        seam = body.scaled(1.02, 0.07, 1.02)
        handle = curve([(-x * 0.26, 0, 0), (-x * 0.22, 0, 0.032), (x * 0.22, 0, 0.032), (x * 0.26, 0, 0)], 12)
        clips = [rounded_box(0.02, z * 0.3, 0.03, 0.004).moved(x=s * x * 0.45, z=x - 0.02) for s in (1, -1)]
        grip = sweep(handle, 0.007, 8).moved(z=x * 0.99).part(1)
        body = join(body, seam.moved(z=-x * 0.01), *[c.part(1) for c in clips], grip)
        return (body if rng.random() < 0.6 else body.turned("x", 90)).grounded().said("with a handle")
    r, count = rng.uniform(0.055, 0.075), int(rng.integers(2, 4))
    one = join(cylinder(r, z, 32, 0.006), torus(r, 0.0025, 32, 6).moved(z=z * 0.85))
    rounds = [one.moved(z=k * z) for k in range(count)]
    lid = lathe([(r, 0), (r * 0.95, 0.01), (0, 0.014)], 32).moved(z=count * z - 0.001)
    high = count * z + 0.03
    frame = sweep([(r, 0, 0.02), (r + 0.004, 0, high), (-r - 0.004, 0, high), (-r, 0, 0.02)], 0.004, 6)
    return join(*rounds, lid, frame.part(1)).said("round", "with a handle")


def chopsticks(rng: Generator) -> Mesh:
    """Two sticks side by side, or one across the other."""
    length, r = rng.uniform(0.19, 0.265), rng.uniform(0.0028, 0.0042)
    tip = r * rng.uniform(0.4, 0.65)
    stick = lathe([(0, 0), (tip, 0), (r, length * 0.75), (r, length), (0, length)], rng.choice([4, 16]))
    grip = cylinder(r * 1.04, length * rng.uniform(0.15, 0.35), 12).moved(z=length * 0.6).part(1)
    lying = join(stick, grip).turned("z", 45).turned("y", 90).grounded()
    if rng.random() < 0.4:
        lean = float(np.rad2deg(np.arctan2(2.6 * r, length)))
        other = lying.turned("y", lean).turned("z", rng.uniform(6, 24)).moved(z=r * 1.3)
    else:
        other = lying.turned("z", rng.uniform(-1, 0)).moved(y=r * 2.02)
    return join(lying, other).grounded().said("long", "thin")


def watering_can(rng: Generator) -> Mesh:
    """A watering can with a sprinkler head and an arched handle, or a slender one with a long neck."""
    if rng.random() < 0.6:
        r, h = rng.uniform(0.065, 0.11), rng.uniform(1.6, 2.2)
        h, oval = r * h, rng.uniform(0.7, 1.0)
        body = vessel([(r * 0.96, 0), (r, 0.01), (r * rng.uniform(0.75, 1.0), h)], 0.003, 0.004, 36)
        lid = lathe([(0, 0), (r * 0.9, 0), (r * 0.9, 0.003), (0, 0.003)], 36)
        lid.vertices[:, 0] = np.maximum(lid.vertices[:, 0], -r * 0.1)
        end = [r * rng.uniform(2.0, 2.6), 0, h * rng.uniform(0.95, 1.15)]
        spout = sweep([[r * 0.75, 0, h * 0.2], [r * 1.3, 0, h * 0.45], end], [r * 0.22, r * 0.16, r * 0.11], 12)
        rose = lathe([(0, 0), (r * 0.11, 0), (r * 0.36, r * 0.3), (r * 0.36, r * 0.34), (0, r * 0.38)], 20)
        rose = rose.turned("y", rng.uniform(20, 60)).moved(end[0] - 0.006, 0, end[2] - 0.004)
        back = [(-r * 0.96, 0, h * 0.3), (-r * 1.5, 0, h * 0.7), (-r * 0.9, 0, h * 1.3)]
        handle = sweep(curve([*back, (r * 0.2, 0, h * 1.35), (r * 0.72, 0, h * 0.96)], 18), r * 0.09, 8)
        body = join(body, lid.moved(z=h * 0.96)).scaled(1.0, oval, 1.0)
        return (
            join(body, spout, rose.part(1), handle.part(int(rng.integers(2))))
            .grounded()
            .said("with a spout", "with a handle")
        )
    r, h = rng.uniform(0.05, 0.075), rng.uniform(0.1, 0.17)
    body = vessel(curve([(r * 0.9, 0), (r, h * 0.25), (r * 0.7, h * 0.7), (r * 0.45, h)], 12), 0.003, 0.004)
    path = curve([(r * 0.8, 0, h * 0.18), (r * 1.7, 0, h * 0.4), (r * 2.3, 0, h * 1.1), (r * 3.1, 0, h * 1.4)], 14)
    spout = sweep(path, np.linspace(0.011, 0.005, 14), 10)
    handle = ring_handle(r * 0.55, r + 0.06, h * 0.2, h * 0.86, 0.012, 0.9).turned("z", 180).part(1)
    return join(body, spout, handle).grounded().said("with a long spout", "with a handle")


def blender(rng: Generator) -> Mesh:
    """A blender with a jug or an inverted bottle on its base, or a hand blender lying."""
    b, low, shape = rng.uniform(0.07, 0.1), rng.uniform(0.09, 0.16), rng.integers(5)
    if shape == 4:
        length, r = rng.uniform(0.32, 0.4), rng.uniform(0.024, 0.03)
        grip = lathe(curve([(r * 0.5, 0), (r, length * 0.08), (r, length * 0.3), (r * 0.6, length * 0.52)], 12), 20)
        button = box(0.012, 0.012, 0.04).moved(x=r * 0.85, z=length * 0.2).part(1)
        bell = [(0.009, 0), (0.01, length * 0.36), (0.03, length * 0.42), (0.032, length * 0.48), (0, length * 0.44)]
        end = ellipsoid(r, r, r * 0.5, 8).moved(z=-r * 0.22)
        body = join(grip, end, button, lathe(bell, 24).moved(z=length * 0.5).part(1))
        return body.turned("y", 88).grounded().said("long")
    base = lathe([(0, 0), (b, 0), (b, 0.025), (b * 0.68, low), (0, low)], 32, rng.choice([2.0, 4.0]))
    knob = cylinder(0.018, 0.016, 18, 0.003).turned("y", 90).moved(x=b * 0.8, z=low * 0.45).part(2)
    h = rng.uniform(0.16, 0.24)
    if shape == 3:
        outside = curve([(b * 0.62, 0), (b * 0.6, 0.02), (b * 0.54, 0.04), (b * 0.5, h * 0.9), (b * 0.3, h)], 13)
        return join(base, knob, lathe([*outside, (0, h)], 28).moved(z=low - 0.002).part(1)).said("tall")
    square = rng.choice([2.0, 2.0, 4.0])
    top = b * rng.uniform(0.75, 0.95)
    jug = vessel([(b * 0.6, 0), (b * 0.62, 0.03), (top, h)], 0.004, 0.03, 36, square)
    out = top + 0.05
    path = curve([(b * 0.64, 0, h * 0.2), (out, 0, h * 0.3), (out, 0, h * 0.85), (top * 0.97, 0, h * 0.93)], 14)
    parts = [base, knob, join(jug, sweep(path, 0.008, 8).turned("z", 180)).moved(z=low - 0.002).part(1)]
    if rng.random() < 0.75:
        lid = [(top * 1.02, -0.012), (top * 1.02, 0.008), (b * 0.35, 0.014), (b * 0.33, 0.03), (0, 0.03)]
        parts.append(lathe(lid, 32, square).moved(z=low + h).part(2))
    return join(*parts).grounded().said("with a jug", "tall")


def iron(rng: Generator) -> Mesh:
    """A clothes iron on its soleplate, or upright on its heel."""
    length, w = rng.uniform(0.22, 0.28), rng.uniform(0.1, 0.12)
    half = np.array([(0.28, 0.33), (-0.1, 0.5), (-0.42, 0.45)])
    outline = curve([(0.5, 0), *half, (-0.5, 0), *(half[::-1] * [1, -1]), (0.5, 0)], 33)[:-1] * [length, w]
    h = rng.uniform(0.055, 0.075)
    rings = [(0.01, 1, 0), (0.02, 0.97, 0), (h * 0.6, 0.8, -0.012), (h * 0.9, 0.5, -0.03), (h, 0.3, -0.03)]
    front = rng.uniform(0.08, 0.2)
    rear = [(-0.44, 0, 0.02), (-0.46, 0, h + 0.04), (-0.3, 0, h + 0.06), (0.0, 0, h + 0.055)]
    path = [*rear, (front, 0, h + 0.02), (front + 0.06, 0, h * 0.55)]
    handle = sweep(curve(np.array(path) * [length, 1, 1], 18), rng.uniform(0.014, 0.018), 10)
    dial = cylinder(0.018, 0.012, 18, 0.002).moved(x=-length * 0.08, z=h * 0.95).part(1)
    body = join(extrude(outline * 1.01, 0.01).part(2), stacked(outline, rings), handle.part(int(rng.integers(2))), dial)
    return (body if rng.random() < 0.65 else body.turned("y", -90)).grounded().said("with a handle")


def _ribbon(path: NDArray[np.float64], thick: float, wide: float) -> Mesh:
    """A soft strip of cloth along a path (P, 2) in the xz plane, ``wide`` along y."""
    ahead = np.gradient(path, axis=0)
    normal = np.stack([-ahead[:, 1], ahead[:, 0]], 1) / np.linalg.norm(ahead, axis=1, keepdims=True)
    half = np.array([(0.5, -0.48), (0.5, 0.48), (0.25, 0.5), (-0.25, 0.5)])
    section = np.concatenate([half, -half])
    across = path[:, None] + normal[:, None] * section[None, :, :1] * thick
    sides = np.broadcast_to(section[None, :, 1:] * wide, (len(path), 8, 1))
    rings = np.concatenate([across[..., :1], sides, across[..., 1:]], -1)
    ends = [np.broadcast_to(rings[k].mean(0), (1, 8, 3)) for k in (0, -1)]
    return mesh(np.concatenate([ends[0], rings, ends[1]]).reshape(-1, 3), grid_faces(len(path) + 2, 8, True))


def towel(rng: Generator) -> Mesh:
    """A towel: folded, rolled, or spread flat with a wavy edge."""
    wide, shape, t = rng.uniform(0.16, 0.34), rng.integers(3), rng.uniform(0.008, 0.016)
    if shape == 0:
        length, path = rng.uniform(0.16, 0.3), [np.zeros((0, 2))]
        for k in range(int(rng.integers(3, 7))):
            bend = arc(t * 0.52, -90, 90, 7) * [1 - 2 * (k % 2), 1.0]
            side = (length / 2 - rng.uniform(0, 0.006)) * (1 - 2 * (k % 2))
            path.append(np.linspace([-side, k * 1.04 * t], [side * 0.95, k * 1.04 * t], 9))
            path.append(np.add(bend, [side, (k + 0.5) * 1.04 * t]))
        body = _ribbon(np.concatenate(path[:-1]), t, wide)
        v = body.vertices
        soft = np.sin(v[:, 0] * 23 + rng.uniform(0, 6)) * np.sin(v[:, 1] * 19 + rng.uniform(0, 6))
        v[:, 2] *= (1 + 0.05 * soft).astype(np.float32)
        return body.grounded().said("folded", "soft")
    if shape == 1:
        turns = rng.uniform(2.5, 4.2)
        angle = np.linspace(0.6, turns * 2 * np.pi, int(turns * 22))
        spiral = np.stack([np.cos(angle), np.sin(angle)], 1) * (t * 0.5 + t * 1.02 * angle / (2 * np.pi))[:, None]
        body = _ribbon(spiral, t, wide)
        return body.turned("x", rng.choice([0.0, 0.0, 90.0])).grounded().said("rolled", "soft")
    u, v = np.meshgrid(np.linspace(-1, 1, 37), np.linspace(-1, 1, 25))
    a, b = rng.uniform(0, 6, 2)
    waves = 0.5 + 0.5 * np.sin(u * rng.uniform(3, 7) + v * 2 + a) * np.sin(v * rng.uniform(2, 5) + b)
    edge = 1 - 0.6 * np.maximum(np.abs(u), np.abs(v)) ** 8
    plate = relief(t * (0.35 + 0.9 * waves) * edge, wide * rng.uniform(1.1, 1.7), wide)
    p = plate.vertices
    p[:, :2] += (0.01 * np.sin(p[:, [1, 0]] * 35 + rng.uniform(0, 6, 2))).astype(np.float32)
    return plate.grounded().said("flat", "soft")


def paint_can(rng: Generator) -> Mesh:
    """A paint can with its wire handle up, tilted or down, its lid on or off."""
    r = rng.uniform(0.04, 0.1)
    h = r * rng.uniform(1.9, 2.5)
    rim = join(torus(r * 0.97, 0.003, 36, 8).moved(z=h - 0.004), torus(r, 0.002, 36, 6))
    if rng.random() < 0.3:
        body = join(vessel([(r, 0), (r, h)], 0.002, h * rng.uniform(0.4, 0.8), 36), rim.part(1)).said("open")
    else:
        lid = lathe([(r * 0.93, h - 0.003), (r * 0.86, h + 0.001), (r * 0.8, h - 0.004), (0, h - 0.004)], 36)
        body = join(cylinder(r, h - 0.006, 36), join(rim, lid).part(1)).said("with a lid")
    ears = [cylinder(r * 0.1, 0.005, 14).turned("y", s * 90).moved(x=s * r * 0.99, z=h * 0.82).part(1) for s in (1, -1)]
    bail = _bow(r * 1.04, r * rng.uniform(1.25, 1.4), max(0.0015, r * 0.02))
    bail = bail.turned("x", rng.choice([0.0, rng.uniform(60, 74), rng.uniform(110, 126)]))
    return join(body, *ears, bail.moved(z=h * 0.82).part(1)).grounded().said("with a handle", "round")


def flower_pot(rng: Generator) -> Mesh:
    """A pot with a thick rim, a bellied one or a square one; empty, some on a saucer."""
    r, shape = rng.uniform(0.04, 0.13), rng.integers(3)
    h, wall = r * rng.uniform(1.3, 2.0), 0.003 + 0.03 * r
    low, saucer, sides = r * rng.uniform(0.6, 0.78), rng.random() < 0.45, 2.0
    if shape == 0:
        band = h * rng.uniform(0.72, 0.84)
        outside = np.array([(low, 0), (r * 0.92, band), (r * 0.99, band + 0.001), (r, h - 0.003), (r * 0.98, h)])
    elif shape == 1:
        outside = curve([(low * 0.9, 0), (r, h * 0.4), (r * 0.85, h * 0.85), (r * 0.92, h)], 13)
    else:
        sides, outside = rng.choice([2.0, 8.0]), np.array([(r * rng.uniform(0.75, 0.98), 0), (r, h)])
    body = vessel(outside, wall, wall * 1.5, 40, sides)
    if saucer:
        wide = outside[0, 0] * rng.uniform(1.15, 1.35)
        dish = vessel([(wide * 0.9, 0), (wide, r * 0.22)], 0.004, 0.004, 40, sides)
        body = join(body.moved(z=0.003), dish.part(int(rng.integers(2)))).said("on a saucer")
    return body.grounded().said("empty", "open")
