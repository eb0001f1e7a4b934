"""Measure scans of any size: a building of simulated rooms, handed over room by room and segmented in tiles.

    python benchmark/building.py
    python benchmark/building.py --points 1000000 10000000 100000000

Rooms stand side by side in a square. Each has the points of a simulated one as often as it takes, moved by a few
millimetres. Memory is the most that the process has held, model and all, after each size.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence

import numpy as np

from segvec3d_core import PointCloud, SegVec3D
from segvec3d_core.cli.common import machine_line, peak_memory
from segvec3d_core.simulate import first_edition, simulate_scan
from segvec3d_core.tiles import segment_tiles

ROOM = 1_500_000
"""Points of a room."""
SPACING = 8.0
"""Metres from room to room."""


def building(count: int, rooms: Sequence[PointCloud]) -> Iterator[PointCloud]:
    """A building of ``count`` points, room by room."""
    side = int(np.ceil(np.sqrt(-(-count // ROOM))))
    for number, first in enumerate(range(0, count, ROOM)):
        rng, room = np.random.default_rng(number), rooms[number % len(rooms)]
        rows = rng.integers(0, len(room), min(ROOM, count - first))
        points = room.points[rows] + np.float32(0.003) * rng.standard_normal((len(rows), 3), np.float32)
        points[:, :2] += np.float32(SPACING) * np.array([number % side, number // side], np.float32)
        yield PointCloud(points, None if room.colors is None else room.colors[rows], up=room.up)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[1_000_000, 4_000_000, 16_000_000])
    parser.add_argument("--scratch", help="folder for the points meanwhile (default: the system's)")
    args = parser.parse_args(argv)
    model = SegVec3D.load()
    with first_edition():
        rooms = [simulate_scan(np.random.default_rng(seed))[0] for seed in range(8)]
    model.segment(rooms[0])
    print(machine_line())
    print(f"{'points':>12} {'rooms':>6} {'instances':>10} {'seconds':>8} {'s / million':>12} {'peak MB':>8}")
    for count in args.points:
        start = time.perf_counter()
        scene = segment_tiles(model, building(count, rooms), scratch=args.scratch)
        seconds = time.perf_counter() - start
        rate, memory = 1e6 * seconds / count, peak_memory() / 1e6
        about = f"{len(scene.labels):12,} {-(-count // ROOM):6} {len(scene):10}"
        print(f"{about} {seconds:8.1f} {rate:12.2f} {memory:8.0f}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
