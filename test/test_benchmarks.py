"""The benchmarks run, and what they print adds up; how fast anything is belongs to no test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]


def lines(*arguments: str) -> list[str]:
    """What a benchmark prints."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_map_is_measured() -> None:
    said = lines("benchmark/object_map.py", "--objects", "40", "--updates", "4")
    assert any(line.endswith("4 updates") for line in said)
    assert [line.split()[0] for line in said if line.endswith("ms p95")] == ["processor", "wall", "what"]


def test_the_node_is_measured_over_dds() -> None:
    pytest.importorskip("rclpy", reason="rclpy is missing: a ROS 2 installation, or pip install '.[ros]'")
    pytest.importorskip(
        "segvec3d_interfaces", reason="segvec3d_interfaces is missing: pip install ./segvec3d_interfaces"
    )
    said = lines("benchmark/node.py", "--rates", "2", "--seconds", "4")
    header = next(k for k, line in enumerate(said) if line.split()[:1] == ["Hz"])
    rate, published, received, replaced, processed, p50, p95, *_ = map(float, said[header + 1].split())
    assert (rate, published) == (2, 8)
    assert 0 < processed <= received <= published
    assert replaced <= received - 1
    assert 0 < p50 <= p95


def test_a_building_is_measured_and_drawn(tmp_path: Path) -> None:
    said = lines("benchmark/building.py", "--points", "30000", "60000", "--plot", str(tmp_path / "plot.png"))
    rows = [line.split() for line in said if line.split()[0] in ("30,000", "60,000")]
    assert len(rows) == 2
    assert all(int(instances) > 0 and float(seconds) > 0 for _, _, instances, seconds, *_ in rows)
    with Image.open(tmp_path / "plot.png") as drawn:
        assert len(np.unique(np.asarray(drawn.convert("RGB")).reshape(-1, 3), axis=0)) > 4
