"""Measure scans of any size: a building of simulated rooms, handed over room by room and segmented in tiles.

    python benchmark/building.py
    python benchmark/building.py --points 1000000 10000000 100000000 --plot building.png

Rooms stand side by side in a square. Each has the points of a simulated one as often as it takes, moved by a few
millimetres. Memory is the most that the process has held, model and all, after each size.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from segvec3d_core import PointCloud, SegVec3D
from segvec3d_core.cli.common import machine_line, peak_memory
from segvec3d_core.cli.report import require_picture
from segvec3d_core.simulate import first_edition, simulate_scan
from segvec3d_core.tiles import segment_tiles

ROOM = 1_500_000
"""Number of points of a room."""
SPACING = 8.0
"""Distance between the origins of neighbouring rooms, metres."""
SIDE, MARGIN = 320, 64
"""Size of a panel of the plot and of its margins, pixels."""
INK, GREY, LINE, PAPER = (32, 36, 42), (190, 194, 200), (66, 122, 182), (255, 255, 255)


def building(count: int, rooms: Sequence[PointCloud]) -> Iterator[PointCloud]:
    """Generate a building of ``count`` points, room by room."""
    side = int(np.ceil(np.sqrt(-(-count // ROOM))))
    for number, first in enumerate(range(0, count, ROOM)):
        rng, room = np.random.default_rng(number), rooms[number % len(rooms)]
        rows = rng.integers(0, len(room), min(ROOM, count - first))
        points = room.points[rows] + np.float32(0.003) * rng.standard_normal((len(rows), 3), np.float32)
        points[:, :2] += np.float32(SPACING) * np.array([number % side, number // side], np.float32)
        yield PointCloud(points, None if room.colors is None else room.colors[rows], up=room.up)


def plot(points: Sequence[int], series: dict[str, Sequence[float]], path: Path) -> None:
    """Plot each series against the number of points on logarithmic axes, with a grey line for proportional growth.

    Args:
        points: sizes of the scans, ascending; series: positive values, one for each size, by the title of their panel.
        path: image file to write.
    """
    page = Image.new("RGB", (MARGIN + len(series) * (SIDE + MARGIN), SIDE + 2 * MARGIN), PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    x = np.log10(np.asarray(points, float))
    first, last = np.floor(x.min()), max(np.ceil(x.max()), np.floor(x.min()) + 1)
    for panel, (title, values) in enumerate(series.items()):
        y = np.log10(np.asarray(values, float))
        low, high = np.floor(y.min()), max(np.ceil(y.max()), np.floor(y.min()) + 1)
        left, bottom = MARGIN + panel * (SIDE + MARGIN), MARGIN + SIDE
        across, down = left + SIDE * (x - first) / (last - first), bottom - SIDE * (y - low) / (high - low)
        for tick in range(int(last - first) + 1):
            draw.text((left + SIDE * tick / (last - first), bottom + 4), f"1e{first + tick:g}", INK, font, anchor="ma")
        for tick in range(int(high - low) + 1):
            height = bottom - SIDE * tick / (high - low)
            draw.line([(left, height), (left + SIDE, height)], GREY)
            draw.text((left - 6, height), f"{10 ** (low + tick):g}", INK, font, anchor="rm")
        end = min(x[-1], x[0] + high - y[0])  # end of the grey line, within the panel
        corner = left + SIDE * (end - first) / (last - first), down[0] - SIDE * (end - x[0]) / (high - low)
        draw.line([(across[0], down[0]), corner], GREY, 3)
        draw.line(list(zip(across, down, strict=True)), LINE, 2)
        for u, v in zip(across, down, strict=True):
            draw.ellipse([u - 4, v - 4, u + 4, v + 4], INK)
        draw.rectangle([left, MARGIN, left + SIDE, bottom], outline=INK)
        draw.text((left, MARGIN - 22), title, INK, font)
        draw.text((left + SIDE / 2, bottom + 24), "points; grey: in proportion to them", INK, font, anchor="ma")
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[1_000_000, 4_000_000, 16_000_000])
    parser.add_argument("--scratch", help="folder for the points meanwhile (default: the system's)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw seconds and memory over the points")
    args = parser.parse_args(argv)
    if args.plot is not None:
        require_picture(args.plot)
    model = SegVec3D.load()
    with first_edition():
        rooms = [simulate_scan(np.random.default_rng(seed))[0] for seed in range(8)]
    model.segment(rooms[0])
    print(machine_line())
    print(f"{'points':>12} {'rooms':>6} {'instances':>10} {'seconds':>8} {'s / million':>12} {'peak MB':>8}")
    measured: dict[str, list[float]] = {"seconds": [], "peak memory, MB": []}
    for count in args.points:
        start = time.perf_counter()
        scene = segment_tiles(model, building(count, rooms), scratch=args.scratch)
        seconds = time.perf_counter() - start
        rate, memory = 1e6 * seconds / count, peak_memory() / 1e6
        about = f"{len(scene.labels):12,} {-(-count // ROOM):6} {len(scene):10}"
        print(f"{about} {seconds:8.1f} {rate:12.2f} {memory:8.0f}", flush=True)
        for values, value in zip(measured.values(), (seconds, memory), strict=True):
            values.append(value)
    if args.plot is not None:
        plot(args.points, measured, args.plot)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
