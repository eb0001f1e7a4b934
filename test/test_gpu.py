"""The GPU's path: what can be held to the CPU's without a GPU is; the rest runs where there is one."""

import importlib.util
import logging
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from segvec3d_core import PointCloud, SegVec3D, hierarchy_gpu, network
from segvec3d_core.config import NetworkConfig, SegmentationConfig
from segvec3d_core.hierarchy import Level, build_hierarchy
from segvec3d_core.inference import by_torch
from segvec3d_core.inference.backbone import FusedNetwork
from segvec3d_core.kernels import attention_torch
from segvec3d_core.kernels.attention import EDGE_DIM, HEAD_DIM
from segvec3d_core.simulate import simulate_frame
from segvec3d_core.types import Scene
from segvec3d_core.voxels import Fovea, voxelize

CPU = torch.device("cpu")
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here")
with_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
UP = np.array([0, -1, 0], np.float32)


ALL = SegmentationConfig(min_score=0.0)
"""Whatever its score: one that is hardly above the least on one device is hardly below it on the other."""


def a_cloud(seed: int) -> PointCloud:
    return simulate_frame(np.random.default_rng([991, seed]), layout="table", width=320, height=240).cloud()


def scattered(n: int) -> np.ndarray:
    return np.random.default_rng(n).uniform(-0.2, 0.2, (n, 3)).astype(np.float32)


def lattice() -> np.ndarray:
    """Many voxels are equally far from each, and many neighbourhoods have no normal."""
    return np.stack(np.meshgrid(*[np.arange(12) * 0.01] * 3), -1).reshape(-1, 3).astype(np.float32)


def on_a_floor_and_far() -> np.ndarray:
    """A floor from half a metre to nine metres, so that voxels of all sizes meet, and one point out in the fields."""
    z, x = np.meshgrid(np.geomspace(0.5, 9, 150), np.linspace(-0.5, 0.5, 100), indexing="ij")
    floor = np.stack([x * z, 1 + 0 * x, z], -1).reshape(-1, 3)
    return np.concatenate([floor, [[0, 0, 9e6]]]).astype(np.float32)


SEEN = [(np.zeros(3, np.float32), None), (np.zeros(3, np.float32), UP), (None, UP)]


def both_ways(
    points: np.ndarray, viewpoint: np.ndarray | None, up: np.ndarray | None
) -> list[tuple[Level[torch.Tensor], Level[torch.Tensor]]]:
    """The levels of a cloud from the CPU's kernels and from the GPU's plain torch, computed here."""
    fovea = None if viewpoint is None else Fovea(viewpoint, 1.5)
    given = voxelize(points, 0.01, fovea=fovea), viewpoint, up, NetworkConfig()
    fused, plain = build_hierarchy(*given).tensors(), hierarchy_gpu.build_hierarchy(*given, CPU)
    return list(zip(fused.levels, plain.levels, strict=True))


@pytest.mark.parametrize(("viewpoint", "up"), SEEN)
@pytest.mark.parametrize("points", [scattered(1), scattered(5), scattered(3_000), lattice(), on_a_floor_and_far()])
def test_plain_torch_finds_the_neighbours_and_parents_that_the_kernels_find(points, viewpoint, up):
    for fused, plain in both_ways(points, viewpoint, up):
        assert torch.equal(fused.neighbors, plain.neighbors)
        assert (fused.parents is None) == (plain.parents is None)
        if fused.parents is not None and plain.parents is not None:
            assert torch.equal(fused.parents, plain.parents)
        assert fused.scale == plain.scale


@pytest.mark.parametrize(("viewpoint", "up"), SEEN)
@pytest.mark.parametrize("points", [scattered(3_000), on_a_floor_and_far()])
def test_plain_torch_describes_voxels_as_the_kernels_do(points, viewpoint, up):
    for fused, plain in both_ways(points, viewpoint, up):
        assert torch.allclose(fused.offsets, plain.offsets, atol=1e-5)
        assert torch.allclose(fused.position, plain.position, rtol=1e-4, atol=1e-3)
        normal_free = [0, 1, 2, 3, 4, 6]
        assert torch.allclose(fused.inputs[:, normal_free], plain.inputs[:, normal_free], atol=1e-4)
        assert torch.allclose(fused.edges[..., :4], plain.edges[..., :4], atol=1e-4)
        planar = fused.inputs[:, 1] < 0.99  # a needle has no normal, and either way takes another
        planar &= planar[fused.neighbors].all(1)
        for a, b in ((fused.inputs, plain.inputs), (fused.edges, plain.edges)):
            same = torch.isclose(a, b, atol=1e-3).flatten(1).all(1)[planar]  # nor has a ball
            assert same.float().mean() > 0.99 if len(same) else True


@pytest.mark.usefixtures("float32")
def test_the_whole_path_in_plain_torch_parts_a_frame_as_the_kernels_do(monkeypatch):
    model, clouds = SegVec3D.load(device="cpu"), [a_cloud(seed) for seed in range(3)]
    fused = [model.segment(cloud, ALL) for cloud in clouds]

    def on_cpu(grid, viewpoint, up, config, clock):
        return hierarchy_gpu.build_hierarchy(grid, viewpoint, up, config, CPU).arrays()

    monkeypatch.setattr(by_torch, "build_hierarchy", on_cpu)
    monkeypatch.setattr(FusedNetwork, "fits", lambda config: False)
    monkeypatch.setattr(network, "neighborhood_attention", attention_torch.reference)
    for cloud, scene in zip(clouds, fused, strict=True):
        agree(scene, model.segment(cloud, ALL))


def agree(one: Scene, other: Scene) -> None:
    """What is promised of a GPU: the same instances but for a few points, in the same places."""
    assert adjusted_rand_score(one.labels, other.labels) > 0.99
    assert len(one) == len(other)
    for thing in one.objects:
        same = min(other.objects, key=lambda o: float(np.linalg.norm(o.box.center - thing.box.center)))
        assert np.allclose(thing.box.center, same.box.center, atol=0.01)
        assert thing.embedding @ same.embedding > 0.99


@on_gpu
@pytest.mark.usefixtures("float32")
def test_a_gpu_parts_a_frame_as_the_cpu_does():
    cpu, gpu = SegVec3D.load(device="cpu"), SegVec3D.load(device="cuda")
    for seed in range(3):
        agree(cpu.segment(a_cloud(seed), ALL), gpu.segment(a_cloud(seed), ALL))


# Attention --------------------------------------------------------------------------------------------------------


def attention_inputs(count: int, heads: int, k: int, device: str = "cpu") -> Any:
    generator = torch.Generator().manual_seed(count)
    shapes = [(count, heads, HEAD_DIM)] * 3 + [(count, heads, EDGE_DIM), (count, k, EDGE_DIM)]
    values = [3 * torch.randn(shape, generator=generator) for shape in shapes]
    return [value.to(device) for value in (*values, torch.randint(max(count, 1), (count, k), generator=generator))]


def held_to_the_reference(device: str) -> None:
    """Fails where Triton's kernel says something else than plain torch."""
    from segvec3d_core.kernels import attention_triton

    for count, heads, k in ((0, 1, 16), (1, 1, 1), (33, 2, 11), (100, 4, 16)):
        given = attention_inputs(count, heads, k, device)
        wide: Any = [value.cpu().double() if value.is_floating_point() else value.cpu() for value in given]
        exact = attention_torch.reference(*wide)
        for a, b in zip(attention_triton.forward(*given), exact, strict=True):
            assert a.shape == b.shape
            assert torch.allclose(a.cpu().double(), b, atol=1e-4)


@with_triton
def test_the_triton_kernel_says_what_the_reference_says():
    """Interpreted: Triton's own interpreter runs the kernel, program by program, without a GPU."""
    code = "import test_gpu; test_gpu.held_to_the_reference('cpu')"
    env = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@on_gpu
def test_a_gpu_says_the_same_twice():
    model, cloud = SegVec3D.load(device="cuda"), a_cloud(0)
    one, other = model.embed(cloud).voxels, model.embed(cloud).voxels
    assert one is not None
    assert other is not None
    assert np.array_equal(one.features, other.features)


@on_gpu
@with_triton
def test_the_triton_kernel_says_on_a_gpu_what_the_reference_says():
    held_to_the_reference("cuda")


@with_triton
@pytest.mark.parametrize("capability", [75, 80, 86, 87, 89, 90, 120])
def test_the_triton_kernel_compiles_for_a_gpu_without_one(capability):
    from triton import compile as compiled
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from segvec3d_core.kernels.attention_triton import BLOCK, _attend

    kinds = dict.fromkeys(("q", "k", "v", "u", "edges", "out", "rel"), "*fp32") | {"neighbors": "*i64"}
    constants = {"D": HEAD_DIM, "E": EDGE_DIM, "LANES": 16, "BLOCK": BLOCK}
    kinds |= dict.fromkeys(("count", "heads", "many"), "i32") | dict.fromkeys(constants, "constexpr")
    source = ASTSource(_attend, {name: kinds[name] for name in _attend.arg_names}, constants)
    made = compiled(source, target=GPUTarget("cuda", capability, 32))
    assert len(made.asm["cubin"]) > 0


def test_where_triton_does_not_serve_attention_runs_in_plain_torch_and_says_so_once(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "segvec3d_core.kernels.attention_triton", None)  # to import it fails
    monkeypatch.setattr(attention_torch, "_triton_serves", True)
    given = attention_inputs(20, 2, 8)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            for a, b in zip(attention_torch.on_gpu(*given), attention_torch.reference(*given), strict=True):
                assert torch.equal(a, b)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "plain torch" in caplog.text
