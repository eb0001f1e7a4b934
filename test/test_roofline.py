"""What takes how long, and what it would take at least."""

import time
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from segvec3d_core import PointCloud, SegVec3D
from segvec3d_core.clock import Clock
from segvec3d_core.config import SegmentationConfig
from segvec3d_core.roofline import FROM_MESSAGE, TO_MESSAGE, Need, Roof, needs
from segvec3d_core.simulate import simulate_frame


@pytest.fixture(scope="module")
def model() -> SegVec3D:
    return SegVec3D.load(device="cpu")


@pytest.fixture(scope="module")
def cloud() -> PointCloud:
    return simulate_frame(np.random.default_rng([990, 0]), layout="table", width=320, height=240).cloud()


def test_a_stage_within_another_is_not_counted_twice():
    clock = Clock({"earlier": 1.0})
    begun = time.perf_counter()
    with clock("outer"):
        time.sleep(0.01)
        for _ in range(2):
            with clock("inner"):
                time.sleep(0.02)
    took = time.perf_counter() - begun
    assert list(clock.seconds) == ["earlier", "outer", "inner"]
    assert clock.seconds["inner"] >= 0.04
    assert 0.01 <= clock.seconds["outer"] <= took - 0.04
    assert 1.05 <= sum(clock.seconds.values()) <= 1 + took


def test_what_a_stage_leaves_to_a_gpu_is_not_the_next_stages(monkeypatch):
    """A stand-in for a GPU: it takes orders at once, and time passes where somebody waits for them."""
    now, ordered = [0.0], list[float]()
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def wait() -> None:
        now[0] += sum(ordered)
        ordered.clear()

    def work(clock: Clock) -> dict[str, float]:
        with clock("outer"):
            ordered.append(2.0)
            with clock("inner"):
                ordered.append(4.0)
        with clock("later"):
            wait()
        return clock.seconds

    assert work(Clock(wait=wait)) == {"outer": 2.0, "inner": 4.0, "later": 0.0}
    assert work(Clock()) == {"outer": 0.0, "inner": 0.0, "later": 6.0}


def test_a_gpu_is_waited_for_where_the_clock_says_so_and_nowhere_else(model, cloud, monkeypatch):
    monkeypatch.setattr("torch.cuda.synchronize", synchronize := Mock())
    plain = model.segment(cloud)
    synchronize.assert_not_called()
    waited = model.segment(cloud, clock=Clock(wait=torch.cuda.synchronize))
    assert list(waited.timings) == list(plain.timings)
    assert synchronize.call_count >= 2 * len(waited.timings)
    np.testing.assert_array_equal(waited.labels, plain.labels)


def test_stages_of_a_cloud_add_up_to_the_whole(model, cloud):
    model.segment(cloud)
    begun = time.perf_counter()
    scene = model.segment(cloud)
    took = time.perf_counter() - begun
    assert 0.5 * took < sum(scene.timings.values()) <= took
    stages = list(scene.timings)
    assert stages[:5] == ["voxels", "graph", "neighbours", "normals", "poses"]
    assert stages[5:7] == ["network", "network level 1"]
    assert stages[-4:] == ["clustering", "boxes", "alignment", "labels"]


def test_the_longer_of_moving_and_computing_is_the_least_time():
    roof = Roof(bytes_per_second=100.0, operations_per_second=1000.0)
    assert roof.seconds(Need(200, 500)) == 2.0
    assert roof.seconds(Need(10, 500)) == 0.5


def test_a_machine_moves_and_computes_something():
    roof = Roof.measure("cpu")
    assert 1e8 < roof.bytes_per_second < 1e13
    assert 1e8 < roof.operations_per_second < 1e16


def test_needs_grow_with_the_cloud_and_belong_to_its_stages(model, cloud):
    scene, config = model.segment(cloud), SegmentationConfig()
    all_of_it = needs(model, cloud, config)
    half = cloud.points[:, 0] < np.nanmedian(cloud.points[:, 0])
    assert cloud.colors is not None
    part = needs(model, PointCloud(cloud.points[half], cloud.colors[half], viewpoint=cloud.viewpoint), config)
    assert set(all_of_it) <= {FROM_MESSAGE, *scene.timings, TO_MESSAGE}
    assert all(0 < part[stage].bytes < need.bytes for stage, need in all_of_it.items())
    assert all_of_it["voxels"].bytes > cloud.points.nbytes


def test_operations_are_those_of_the_linear_maps(model, cloud):
    """Torch counts them on the plain network, but for the attention, which is no linear map, and for the bonds."""
    from torch.utils.flop_counter import FlopCounterMode

    from segvec3d_core.hierarchy import build_hierarchy

    embedded = model.embed(cloud)
    hierarchy = build_hierarchy(embedded.grid, cloud.viewpoint, embedded.up, model.network.config).tensors()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.network.plain(hierarchy)
    counted = counter.get_total_flops()
    told = sum(
        need.operations for stage, need in needs(model, cloud, SegmentationConfig()).items() if "network" in stage
    )
    assert counted < told < 1.5 * counted


def test_a_cloud_without_points_needs_nothing(model):
    assert needs(model, PointCloud(np.full((4, 3), np.nan, np.float32)), SegmentationConfig()) == {}
