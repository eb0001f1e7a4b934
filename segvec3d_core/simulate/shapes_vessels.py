"""Vessels: bottles, cans, mugs, bowls, pots and the like. They are hollow, with walls of realistic thickness."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .meshes import Mesh, arc, curve, cylinder, ellipsoid, join, lathe, mesh, rod, rounded_box, sweep, torus, vessel


def ring_handle(inner: float, outer: float, low: float, high: float, thickness: float, flat: float) -> Mesh:
    """A handle in the xz plane: from radius ``inner`` at height ``low`` out to ``outer`` and back at ``high``."""
    middle = (low + high) / 2
    path = curve(
        [(inner, 0, low), (outer * 0.92 + inner * 0.08, 0, low + 0.12 * (high - low)), (outer, 0, middle),
         (outer * 0.92 + inner * 0.08, 0, high - 0.12 * (high - low)), (inner, 0, high)], 14,
    )  # fmt: skip
    return sweep(path, thickness / 2, 8, flat)


def mug(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.034, 0.05), rng.uniform(0.075, 0.12)
    shape = rng.integers(3)
    if shape == 0:
        outside = np.array([(r * 0.92, 0), (r, 0.006), (r, h)])
    elif shape == 1:
        outside = np.array([(r * rng.uniform(0.6, 0.8), 0), (r * 0.95, h * 0.35), (r, h)])
    else:
        outside = curve([(r * 0.75, 0), (r * 1.05, h * 0.35), (r * 0.9, h * 0.75), (r, h)], 9)
    body = vessel(outside, rng.uniform(0.003, 0.005), 0.006)
    reach = rng.uniform(0.025, 0.042)
    handle = ring_handle(r * 0.94, r + reach, h * rng.uniform(0.12, 0.28), h * rng.uniform(0.72, 0.9), 0.011, 0.75)
    inside = rng.random() < 0.25
    words = ("with a handle", "tall") if h > 0.105 else ("with a handle",)
    return join(body, handle.part(1 if inside else 0)).said(*words)


def cup(rng: Generator) -> Mesh:
    """A handleless cup, or a small one with a handle and perhaps a saucer."""
    if rng.random() < 0.5:
        r, h = rng.uniform(0.03, 0.045), rng.uniform(0.07, 0.13)
        return vessel([(r * rng.uniform(0.65, 0.85), 0), (r, h)], rng.uniform(0.0015, 0.004), 0.003)
    r, h = rng.uniform(0.032, 0.048), rng.uniform(0.05, 0.07)
    body = vessel(curve([(r * 0.5, 0), (r * 0.9, h * 0.4), (r, h)], 8), 0.003, 0.005)
    body = join(body, ring_handle(r * 0.85, r + 0.026, h * 0.25, h * 0.85, 0.008, 0.8)).said("with a handle")
    if rng.random() < 0.4:
        saucer = vessel([(r * 0.6, 0), (r * 1.7, 0.016)], 0.004, 0.004).part(1)
        body = join(saucer, body.moved(z=0.005)).said("on a saucer")
    return body


def glass(rng: Generator) -> Mesh:
    if rng.random() < 0.35:
        r, h = rng.uniform(0.03, 0.045), rng.uniform(0.15, 0.22)
        bowl = [(0.004, h * 0.5), (r * 0.9, h * 0.62), (r, h * 0.75), (r * 0.8, h)]
        inner = [(r * 0.8 - 0.002, h), (r - 0.002, h * 0.75), (r * 0.9 - 0.002, h * 0.63), (0, h * 0.52)]
        outline = [(0, 0), (r * 0.9, 0), (r * 0.9, 0.003), (0.004, 0.008), *curve(bowl, 9), *curve(inner, 9)]
        return lathe(outline).said("with a stem")
    r, h = rng.uniform(0.028, 0.042), rng.uniform(0.08, 0.16)
    return vessel([(r * rng.uniform(0.75, 1.0), 0), (r, h)], 0.0025, 0.006)


def bowl(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.055, 0.15), rng.uniform(0.4, 0.8)
    h = r * h
    foot = r * rng.uniform(0.35, 0.65)
    wall = rng.uniform(0.003, 0.006)
    bulge = rng.uniform(0.7, 0.98)
    outside = curve([(foot, 0), (r * bulge, h * rng.uniform(0.35, 0.55)), (r, h)], 10)
    body = vessel(outside, wall, 0.006, 40, rng.choice([2.0, 2.0, 2.0, 4.0]))
    return body.said("shallow") if h < 0.5 * r else body


def plate(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.07, 0.15), rng.uniform(0.012, 0.03)
    return vessel([(r * 0.55, 0), (r * 0.68, h * 0.5), (r, h)], 0.007, 0.004, 40, rng.choice([2.0, 2.0, 5.0])).said(
        "flat"
    )


def can(rng: Generator) -> Mesh:
    """A drink can, a food can, or a tall one for crisps or spray."""
    shape = rng.integers(3)
    if shape == 0:
        r, h = rng.uniform(0.026, 0.034), rng.uniform(0.09, 0.17)
        body = lathe(
            [(0, 0.003), (r * 0.75, 0), (r, 0.01), (r, h - 0.012), (r * 0.82, h), (r * 0.78, h - 0.004), (0, h - 0.004)]
        )
        lid = cylinder(r * 0.77, 0.001, 20).moved(z=h - 0.003).part(1)
        return join(body, lid)
    if shape == 1:
        r, h = rng.uniform(0.033, 0.055), rng.uniform(0.04, 0.13)
        return join(cylinder(r, h, 28), torus(r, 0.0015).moved(z=h - 0.002).part(1), torus(r, 0.0015).part(1)).said(
            "short" if h < 1.3 * r else "round"
        )
    r, h = rng.uniform(0.035, 0.043), rng.uniform(0.2, 0.27)
    return join(cylinder(r, h, 28), cylinder(r * 1.04, 0.012, 28, 0.002).moved(z=h - 0.006).part(1)).said("tall")


def tin(rng: Generator) -> Mesh:
    """A flat tin with a lid, as for biscuits or fish, round or rectangular."""
    if rng.random() < 0.6:
        r = rng.uniform(0.05, 0.12)
        h = r * rng.uniform(0.35, 0.9)
        lid = h * rng.uniform(0.2, 0.45)
        return join(
            cylinder(r * 0.985, h - lid, 40), cylinder(r, lid, 40, 0.004).moved(z=h - lid).part(int(rng.integers(2)))
        ).said("round")
    x, y, z = rng.uniform(0.06, 0.24), rng.uniform(0.05, 0.17), rng.uniform(0.025, 0.1)
    return join(rounded_box(x * 0.98, y * 0.98, z, 0.012), rounded_box(x, y, z * 0.35, 0.006).moved(z=z * 0.67)).said(
        "rectangular"
    )


def canister(rng: Generator) -> Mesh:
    """A storage canister or tub with a lid that may overhang and a rim or a knob."""
    r, h = rng.uniform(0.045, 0.095), rng.uniform(0.09, 0.21)
    taper = rng.uniform(0.82, 1.0)
    body = lathe([(0, 0), (r * taper * 0.95, 0), (r * taper, 0.006), (r, h), (0, h)], 36, rng.choice([2.0, 2.0, 4.0]))
    rim = cylinder(r * rng.uniform(1.02, 1.1), rng.uniform(0.012, 0.03), 36, 0.003).moved(z=h - 0.004).part(1)
    parts = [body, rim]
    if rng.random() < 0.4:
        parts.append(ellipsoid(0.025, 0.025, 0.022, 8).moved(z=h + 0.015).part(1))
    return join(*parts).said("with a lid")


def jar(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.028, 0.055), rng.uniform(0.07, 0.17)
    neck = r * rng.uniform(0.7, 0.95)
    body = lathe([(0, 0), (r * 0.94, 0), (r, 0.006), (r, h * 0.78), (neck, h * 0.86), (neck, h * 0.9), (0, h * 0.9)])
    return join(body, cylinder(neck * 1.06, h * 0.15, 28, 0.002).moved(z=h * 0.85).part(1)).said("with a lid")


def bottle(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.025, 0.05), rng.uniform(0.15, 0.33)
    neck = rng.uniform(0.011, 0.016)
    shoulder = h * rng.uniform(0.5, 0.75)
    waist = rng.uniform(0.85, 1.0)
    outline = curve(
        [(r * 0.95, 0.004), (r, h * 0.08), (r * waist, shoulder * 0.55), (r, shoulder * 0.9),
         (r * 0.75, shoulder + 0.35 * (h - shoulder)), (neck, h * 0.88), (neck, h * 0.97)], 22,
    )  # fmt: skip
    outline[:, 0] = np.clip(outline[:, 0], neck * 0.95, r * 1.04)
    body = lathe([(0, 0), (r * 0.85, 0), *outline, (0, h * 0.97)], 28, rng.choice([2.0, 2.0, 2.0, 4.0]))
    cap = cylinder(neck * 1.15, h * 0.09, 20, 0.001).moved(z=h * 0.92).part(1)
    return join(body, cap).said("with a cap")


def detergent_bottle(rng: Generator) -> Mesh:
    """A flat plastic bottle for shampoo, bleach or mustard."""
    r, h = rng.uniform(0.03, 0.05), rng.uniform(0.13, 0.26)
    outline = curve([(r * 0.95, 0.003), (r, h * 0.3), (r * 0.95, h * 0.65), (r * 0.4, h * 0.82), (0.013, h * 0.88)], 14)
    body = lathe([(0, 0), (r * 0.9, 0), *outline, (0, h * 0.89)], 28, 2.5).scaled(1.0, rng.uniform(0.5, 0.75), 1.0)
    if rng.random() < 0.5:
        top = lathe([(0.014, h * 0.86), (0.014, h * 0.92), (0.004, h), (0, h)], 16).part(1)
    else:
        top = cylinder(0.017, h * 0.12, 18, 0.002).moved(z=h * 0.87).part(1)
    return join(body, top).said("with a cap")


def spray_bottle(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.03, 0.045), rng.uniform(0.14, 0.2)
    body = lathe(
        [(0, 0), (r, 0), *curve([(r, 0.01), (r * 1.05, h * 0.4), (r * 0.7, h * 0.75), (0.014, h)], 10), (0, h)], 24
    )
    body = body.scaled(1.0, rng.uniform(0.6, 1.0), 1.0)
    head = rounded_box(0.085, 0.024, 0.03, 0.006).moved(x=0.018, z=h + 0.012)
    neck = cylinder(0.014, 0.03, 16).moved(z=h - 0.005)
    trigger = sweep([(0.035, 0, h + 0.015), (0.045, 0, h - 0.01), (0.04, 0, h - 0.035)], 0.005, 8)
    return join(body, head.part(1), neck.part(1), trigger.part(2)).said("with a trigger")


def pot(rng: Generator) -> Mesh:
    """A cooking pot: two handles or a long one, with or without a lid."""
    r, h = rng.uniform(0.07, 0.13), rng.uniform(0.07, 0.15)
    parts = [vessel([(r * 0.95, 0), (r, 0.01), (r, h)], 0.003, 0.004, 40), torus(r, 0.003, 40, 6).moved(z=h - 0.004)]
    if rng.random() < 0.35:
        length = rng.uniform(0.12, 0.19)
        parts.append(rod((r, 0, h * 0.85), (r + length, 0, h * 0.95), 0.009).part(1))
        words = ["with a long handle"]
    else:
        for side in (0.0, 180.0):
            path = curve(
                [(r * 0.97, -0.035, 0), (r + 0.035, -0.025, 0.004), (r + 0.035, 0.025, 0.004), (r * 0.97, 0.035, 0)], 10
            )
            parts.append(sweep(path, 0.006, 8).moved(z=h * 0.8).turned("z", side).part(1))
        words = ["with two handles"]
    if rng.random() < 0.4:
        parts.append(
            lathe([(r * 1.01, h), (r * 1.01, h + 0.003), *curve([(r * 0.9, h + 0.008), (0, h + 0.02)], 6)], 40)
        )
        parts.append(
            join(cylinder(0.006, 0.02, 12), ellipsoid(0.032, 0.032, 0.018, 8).moved(z=0.012)).moved(z=h + 0.015).part(1)
        )
        words.append("with a lid")
    return join(*parts).said(*words)


def pan(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.08, 0.15), rng.uniform(0.03, 0.055)
    body = vessel([(r * 0.78, 0), (r, h)], 0.003, 0.004, 40)
    length = rng.uniform(0.13, 0.2)
    path = curve([(r * 0.97, 0, h * 0.8), (r + length * 0.4, 0, h * 1.2), (r + length, 0, h * 1.3)], 8)
    return join(body, sweep(path, 0.011, 8, 0.6).part(1)).said("with a long handle")


def teapot(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.06, 0.085), rng.uniform(0.09, 0.14)
    body = lathe([(0, 0), (r * 0.6, 0), *curve([(r * 0.7, 0.004), (r, h * 0.45), (r * 0.55, h * 0.95)], 12), (0, h)])
    spout = sweep(
        curve([(r * 0.8, 0, h * 0.3), (r * 1.35, 0, h * 0.55), (r * 1.65, 0, h * 0.95)], 8),
        np.linspace(0.016, 0.008, 8),
        10,
    )
    handle = ring_handle(r * 0.8, r + 0.05, h * 0.2, h * 0.85, 0.012, 0.8).turned("z", 180)
    knob = ellipsoid(0.022, 0.022, 0.02, 8).moved(z=h * 0.98).part(1)
    return join(body, spout, handle, knob).said("with a spout", "with a handle")


def kettle(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.065, 0.085), rng.uniform(0.16, 0.24)
    body = lathe([(0, 0), (r, 0), (r * 1.02, 0.02), (r * rng.uniform(0.65, 0.85), h * 0.92), (r * 0.3, h), (0, h)])
    handle = ring_handle(r * 0.72, r + 0.06, h * 0.2, h * 0.95, 0.022, 0.7).turned("z", 180).part(1)
    x = r * 0.72
    spout = mesh([(x, -0.02, h * 0.7), (x, 0.02, h * 0.7), (x + 0.035, 0, h * 0.9), (x - 0.02, -0.025, h * 0.92),
                  (x - 0.02, 0.025, h * 0.92)], [(0, 1, 2), (0, 2, 3), (1, 4, 2), (3, 2, 4)])  # fmt: skip
    base = cylinder(r * 1.12, 0.02, 28, 0.004).part(1)
    return join(base, body.moved(z=0.018), handle.moved(z=0.018), spout.moved(z=0.018)).said("with a handle")


def pitcher(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.05, 0.075), rng.uniform(0.17, 0.25)
    body = vessel(curve([(r * 0.8, 0), (r, h * 0.3), (r * 0.75, h * 0.75), (r * 0.9, h)], 12), 0.003, 0.005)
    return join(body, ring_handle(r * 0.85, r + 0.05, h * 0.25, h * 0.9, 0.015, 0.7)).said("with a handle", "tall")


def vase(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.035, 0.08), rng.uniform(0.13, 0.32)
    belly = rng.uniform(0.25, 0.65)
    neck = rng.uniform(0.35, 0.8)
    outside = curve([(r * 0.6, 0), (r, h * belly), (r * neck, h * 0.87), (r * min(1.0, neck * 1.2), h)], 16)
    return vessel(outside, 0.004, 0.008, 36)


def bucket(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.1, 0.15), rng.uniform(0.2, 0.3)
    body = vessel([(r * 0.75, 0), (r, h)], 0.003, 0.004, 36)
    bail = np.column_stack([np.zeros(16), arc(r * 1.0, 0, 180, 16)])
    return join(body, sweep(bail, 0.003, 6).moved(z=h - 0.01).part(1)).said("with a handle")


def tray(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.12, 0.2), rng.uniform(0.02, 0.045)
    return vessel([(r * 0.9, 0), (r, h)], 0.004, 0.004, 48, 6.0).scaled(1.0, rng.uniform(0.6, 1.0), 1.0).said("flat")


def basket(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.08, 0.17), rng.uniform(0.07, 0.16)
    body = vessel([(r * 0.85, 0), (r, h)], 0.006, 0.006, 40, rng.choice([2.0, 5.0])).scaled(
        1.0, rng.uniform(0.65, 1.0), 1.0
    )
    if rng.random() < 0.4:
        span = float(body.size[0]) / 2 - 0.004
        points = arc(span, 0, 180, 18) * [1.0, rng.uniform(0.7, 1.1)]
        path = np.column_stack([points[:, 0], np.zeros(18), points[:, 1]])
        return join(body, sweep(path, 0.006, 8).moved(z=h - 0.01).part(1)).said("with a handle")
    return body


def open_box(rng: Generator) -> Mesh:
    """A storage box without a lid."""
    r, h = rng.uniform(0.06, 0.17), rng.uniform(0.05, 0.16)
    return (
        vessel([(r * rng.uniform(0.85, 1.0), 0), (r, h)], 0.004, 0.004, 48, 14.0)
        .scaled(1.0, rng.uniform(0.5, 1.0), 1.0)
        .said("open")
    )
