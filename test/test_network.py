"""The network says equations (1) to (7), and its fused kernels say what the plain reference says."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from segvec3d_core import SegVec3D
from segvec3d_core.config import NetworkConfig
from segvec3d_core.hierarchy import build_hierarchy, canonical_rotation
from segvec3d_core.inference.backbone import FusedNetwork
from segvec3d_core.inference.layers import Weights
from segvec3d_core.kernels import bfloat16
from segvec3d_core.kernels.amx import DEPTH, ROWS
from segvec3d_core.kernels.attention import EDGE_DIM, HEAD_DIM
from segvec3d_core.kernels.attention_torch import neighborhood_attention, reference
from segvec3d_core.kernels.bonds import reference as bonds_reference
from segvec3d_core.kernels.colors import color_edges, color_edges_reference
from segvec3d_core.kernels.dense import PANEL, TILE, dense, gelu, pack, standardize
from segvec3d_core.kernels.vectors import LANES, WIDE
from segvec3d_core.network import PointAttention, recomputed
from segvec3d_core.voxels import VoxelGrid, voxelize

REASONS = {
    "AMX": "the processor has no matrix unit (AMX), or the system does not lend it",
    "AVX-512": "the processor does not multiply bfloat16 numbers in vector registers (AVX-512 BF16)",
}
multiplied = pytest.mark.parametrize(
    "way",
    [
        pytest.param(way, marks=pytest.mark.skipif(way not in bfloat16.multipliers(), reason=reason))
        for way, reason in REASONS.items()
    ],
)
PAPER = NetworkConfig(channels=(32,), layers=(3,), edge_features=False, centre_vote=False)


def scene(n: int = 4_000) -> VoxelGrid:
    rng = np.random.default_rng(0)
    table = np.c_[rng.uniform(-0.3, 0.3, (n, 2)), np.full(n, 1.0)]
    thing = np.c_[rng.uniform(-0.05, 0.05, (n // 4, 2)), np.full(n // 4, 0.9)]
    return voxelize(np.concatenate([table, thing]).astype(np.float32), 0.015)


def hierarchy(config: NetworkConfig, rotation: np.ndarray | None = None):
    return build_hierarchy(scene(), np.zeros(3, np.float32), None, config, rotation).tensors()


@pytest.mark.parametrize(("heads", "k"), [(1, 16), (2, 16), (4, 16), (2, 1), (2, 11), (3, 20)])
def test_the_fused_kernel_and_its_gradients_are_those_of_the_reference(heads, k):
    generator, v = torch.Generator().manual_seed(heads), 300
    q, key, value = (torch.randn(v, heads, HEAD_DIM, generator=generator, requires_grad=True) for _ in range(3))
    u = torch.randn(v, heads, EDGE_DIM, generator=generator, requires_grad=True)
    edges = torch.randn(v, k, EDGE_DIM, generator=generator)
    neighbors = torch.randint(v, (v, k), generator=generator)
    fused = neighborhood_attention(q, key, value, u, edges, neighbors)
    plain = reference(q, key, value, u, edges, neighbors)
    weights = [torch.randn(p.shape, generator=generator) for p in plain]
    for a, b in zip(fused, plain, strict=True):
        assert torch.allclose(a, b, atol=1e-4)
    inputs = [q, key, value, u]
    for a, b in zip(
        torch.autograd.grad([(f * w).sum() for f, w in zip(fused, weights, strict=True)], inputs),
        torch.autograd.grad([(p * w).sum() for p, w in zip(plain, weights, strict=True)], inputs),
        strict=True,
    ):
        assert torch.allclose(a, b, atol=1e-3)


def test_attention_weights_of_equation_1_sum_to_one():
    v, k = 50, 8
    ones = torch.ones(v, 1, HEAD_DIM)
    out, _ = neighborhood_attention(
        torch.randn(v, 1, HEAD_DIM), torch.randn(v, 1, HEAD_DIM), ones, torch.randn(v, 1, EDGE_DIM),
        torch.randn(v, k, EDGE_DIM), torch.randint(v, (v, k)),
    )  # fmt: skip
    assert torch.allclose(out, ones, atol=1e-4)


@pytest.mark.skipif(WIDE == LANES, reason="this processor has no wider vectors (AVX-512) that could be left unused")
def test_the_fused_kernels_serve_processors_with_narrower_vectors(tmp_path):
    """The tests of attention, linear maps and bonds, compiled for AVX2."""
    chosen = "fused_kernel_and_its_gradients or bonds_of_all_edges or judged_without_torch or packed_map_after"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", chosen],
        env=os.environ | {"NUMBA_CPU_NAME": "haswell", "NUMBA_CACHE_DIR": str(tmp_path)}, timeout=280,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "17 passed" in done.stdout


@pytest.mark.parametrize("k", [16, 11, 20])
@pytest.mark.usefixtures("float32")
def test_bonds_of_all_edges_are_those_of_the_reference_and_of_edges_taken_one_by_one(k):
    torch.manual_seed(1)
    network, x = PointAttention(NetworkConfig(neighbors=k)), hierarchy(NetworkConfig(neighbors=k))
    level = x.levels[0]
    f = torch.randn(len(level.inputs), network.config.features)
    bonds = network.bonds
    with torch.no_grad():
        fused = bonds(f, level)
        own, other = bonds.own(bonds.norm(f)), bonds.other(bonds.norm(f))
        plain = bonds_reference(own, other, level.edges, level.neighbors, bonds.pose.weight, bonds.out.weight[0])
        assert torch.allclose(fused, plain + bonds.out.bias, atol=1e-4)
        some = torch.tensor([0, 5, 17, fused.numel() - 1])
        assert torch.allclose(bonds.some(f, level, some), fused.reshape(-1)[some], atol=1e-4)


@pytest.mark.parametrize(("depth", "width"), [(3, 5), (32, 64), (100, 17), (20, 48), (7, 80)])
@pytest.mark.usefixtures("float32")
def test_a_packed_map_after_a_standardised_row_is_linear_after_layer_norm(depth, width):
    torch.manual_seed(depth)
    norm, linear = torch.nn.LayerNorm(depth), torch.nn.Linear(depth, width)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x, weights = torch.randn(4 * TILE, depth), Weights.of(torch.nn.ModuleDict({"norm": norm, "linear": linear}))
    normal, packed = np.empty(x.shape, np.float32), pack(*weights.folded("norm", "linear"))
    out = np.empty((len(x), packed.shape[0] * packed.shape[2]), np.float32)
    standardize(x.numpy(), normal)
    dense(normal, packed, out)
    assert np.allclose(out[:, :width], linear(norm(x)).detach().numpy(), atol=1e-4)
    assert (out[:, width:] == 0).all()


@pytest.mark.parametrize("depth", [3, 32, 100])
def test_weights_in_bfloat16_are_rounded_as_torch_rounds(depth):
    weight = torch.randn(depth + 1, 2, PANEL, generator=torch.Generator().manual_seed(depth))
    packed = bfloat16.pack(weight.numpy())
    pairs = torch.from_numpy(packed[:, 1:].view(np.int16).reshape(2, -1, PANEL, 2)).view(torch.bfloat16)
    rows = pairs.permute(1, 3, 0, 2).reshape(-1, 2, PANEL)
    assert np.array_equal(packed[:, 0].view(np.float32), weight[0].numpy())
    assert torch.equal(rows[:depth], weight[1:].bfloat16())
    assert len(rows) % DEPTH == 0
    assert (rows[depth:] == 0).all()


@multiplied
@pytest.mark.parametrize("tiles", [1, 2, 3, 5, 6])
@pytest.mark.parametrize(("depth", "width"), [(3, 5), (32, 64), (100, 17)])
def test_products_of_rounded_numbers_are_added_up(depth, width, tiles, way, monkeypatch):
    monkeypatch.setattr(bfloat16, "multipliers", lambda: (way,))
    monkeypatch.delenv(bfloat16.VARIABLE, raising=False)
    torch.manual_seed(depth)
    linear, x = torch.nn.Linear(depth, width), torch.randn(tiles * ROWS, depth)
    packed = pack(linear.weight.detach().numpy(), linear.bias.detach().numpy())
    assert packed.dtype == {"AMX": np.uint32, "AVX-512": np.int32}[way]
    out = np.full((len(x), packed.shape[0] * packed.shape[2]), np.nan, np.float32)
    dense(x.numpy(), packed, out)
    rounded = torch.nn.functional.linear(x.bfloat16().float(), linear.weight.bfloat16().float(), linear.bias)
    assert np.allclose(out[:, :width], rounded.detach().numpy(), atol=1e-5)
    assert (out[:, width:] == 0).all()


def test_an_older_compiler_that_takes_other_types_is_not_asked_to_multiply_in_registers(monkeypatch):
    monkeypatch.setattr(bfloat16.binding, "llvm_version_info", (15, 0, 7))
    assert "AVX-512" not in bfloat16.multipliers.__wrapped__()


@multiplied
def test_the_network_says_nearly_the_same_in_bfloat16(way, monkeypatch):
    monkeypatch.setattr(bfloat16, "multipliers", lambda: (way,))
    model = SegVec3D.load()
    x = hierarchy(model.network.config)
    answers = []
    for chosen in "10":
        monkeypatch.setenv(bfloat16.VARIABLE, chosen)
        network = PointAttention(model.network.config)
        network.load_state_dict(model.network.state_dict())
        with torch.inference_mode():
            f, e, surface = network(x)
            answers.append((f, e, surface, network.bonds(f, x.levels[0])))
    for ours, exact in zip(*answers, strict=True):
        assert (ours - exact).abs().mean() < 0.01 * exact.abs().mean()
        assert not torch.equal(ours, exact)


def test_the_fast_gelu_is_gelu():
    x = np.linspace(-20, 20, 9_984, dtype=np.float32).reshape(-1, 3 * PANEL)
    expected = torch.nn.functional.gelu(torch.from_numpy(x.astype(np.float64))).numpy()
    gelu(x)
    assert np.abs(x - expected).max() < 2e-6


@pytest.mark.parametrize(
    "config",
    [
        NetworkConfig(),
        NetworkConfig(channels=(16, 48), layers=(1, 2), features=32, embedding=16, neighbors=7, centre_vote=False),
        PAPER,
        NetworkConfig(attention=False),
        NetworkConfig(channels=(32,), layers=(2,), recompute=True),
    ],
    ids=["shipped", "another size", "paper", "mean", "recomputed"],
)
@pytest.mark.usefixtures("float32")
def test_without_gradient_the_network_says_the_same(config):
    """The fused kernels beside plain torch; forms that they do not know stay with torch."""
    torch.manual_seed(1)
    network, x = PointAttention(config), hierarchy(config)
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.2)
    plain = network(x)
    with torch.inference_mode():
        for a, b in zip(network(x), plain, strict=True):
            terms = float(b.abs().max())  # sums of large terms are as exact as these, however small they are
            assert torch.allclose(a, b.detach(), atol=max(1e-3, 3e-6 * terms), rtol=1e-4)
    assert FusedNetwork.fits(config) is (config.edge_features and config.attention and not config.recompute)


@pytest.mark.usefixtures("float32")
def test_without_gradient_the_network_follows_its_weights():
    torch.manual_seed(0)
    network, x = PointAttention(), hierarchy(NetworkConfig())
    with torch.no_grad():
        before = network(x)[0]
        for p in network.stems.parameters():
            p.mul_(1.3)
        after = network(x)[0]
        bonds = network.bonds(after, x.levels[0])
        network.bonds.load_state_dict({k: 1.3 * v for k, v in network.bonds.state_dict().items()})
        stronger = network.bonds(after, x.levels[0])
    assert not torch.allclose(before, after)
    assert torch.allclose(after, network(x)[0].detach(), atol=1e-3, rtol=1e-4)
    assert not torch.allclose(bonds, stronger)
    assert torch.allclose(stronger, network.bonds(after, x.levels[0]).detach(), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("k", [16, 7])
def test_how_colours_change_along_edges_is_told_as_the_reference_tells_it(k):
    generator = torch.Generator().manual_seed(k)
    colors = torch.rand(400, 3, generator=generator)
    colors[:3], colors[3:6] = 0, 1
    neighbors = torch.randint(400, (400, k), generator=generator)
    told = torch.from_numpy(color_edges(colors.numpy(), neighbors.numpy()))
    assert torch.allclose(told, color_edges_reference(colors, neighbors), atol=1e-5)
    one = color_edges(np.full((5, 3), 0.3, np.float32), np.zeros((5, k), np.int64))
    assert not one.any(), "nothing changes where all is of one colour"


def test_a_shadow_changes_lightness_and_a_label_the_tint():
    """Red, red in the shade, green: the first four numbers of the edges from red."""
    colors = np.array([[0.8, 0.2, 0.1], [0.4, 0.1, 0.05], [0.2, 0.8, 0.1]], np.float32)
    shade, label = color_edges(colors, np.array([[1, 2]] * 3))[0, :, :4]
    assert shade[0] > 0.8 > 0.5 > shade[3]
    assert label[3] > 0.7 > 0.1 > label[1]


def test_nothing_is_parted_where_the_view_of_the_colour_camera_ends():
    colors = np.array([[0, 0, 0], [0, 0, 0], [0.8, 0.7, 0.6], [0.3, 0.3, 0.1]], np.float32)
    neighbors = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
    told = color_edges(colors, neighbors)
    assert not told[:2, :, :4].any(), "from what has no colour nothing changes, to whatever"
    assert not told[2:, :2, :4].any()
    assert told[2:, 2, :4].min() > 0.2
    assert np.allclose(told, color_edges_reference(torch.from_numpy(colors), torch.from_numpy(neighbors)), atol=1e-5)


@pytest.mark.usefixtures("float32")
def test_colours_count_in_edges_as_far_as_they_were_learned_to():
    torch.manual_seed(0)
    network, x = PointAttention(), hierarchy(NetworkConfig())
    level = x.levels[0]
    colors = torch.rand(len(level.inputs), 3)
    f = network(x)[0].detach()
    geometric = network.bonds(f, level).detach()
    assert torch.equal(network.judge_edges(f, level, colors), geometric), "an untrained network knows none"
    assert network.color_bonds is not None
    torch.nn.init.normal_(network.color_bonds.out.weight)
    learned = network.judge_edges(f, level, colors)
    assert torch.equal(network.judge_edges(f, level, None), geometric), "a cloud may have no colours"
    assert (learned - geometric).abs().mean() > 0.05
    with torch.inference_mode():
        assert torch.allclose(network.judge_edges(f, level, colors), learned, atol=1e-3, rtol=1e-4)
    some = torch.arange(0, learned.numel(), 37)
    assert torch.allclose(network.judge_some_edges(f, level, colors, some), learned.flatten()[some], atol=1e-4)
    assert torch.equal(network.judge_some_edges(f, level, None, some), network.bonds.some(f, level, some))
    colors[:20] = 0  # what the colour camera did not see
    seen = torch.ones(len(colors), dtype=torch.bool).index_fill(0, torch.arange(20), False)
    both = seen[:, None] & seen[level.neighbors]
    assert 0 < both.float().mean() < 1
    for judged in (
        network.judge_edges(f, level, colors),
        network.judge_some_edges(f, level, colors, torch.arange(learned.numel())).view(learned.shape),
    ):
        assert torch.allclose(judged[~both], geometric[~both], atol=1e-4), "geometry alone tells"
        assert (judged - geometric)[both].abs().mean() > 0.05
    bare = PointAttention(replace(network.config, late_color=False))
    assert bare.color_bonds is None
    assert torch.equal(bare.judge_edges(f, level, colors), bare.bonds(f, level))


@pytest.mark.parametrize("k", [16, 11, 20])
@pytest.mark.usefixtures("float32")
def test_edges_are_judged_without_torch_as_with_it(k):
    torch.manual_seed(2)
    network = PointAttention(NetworkConfig(neighbors=k))
    x = hierarchy(network.config)
    level, arrays = x.levels[0], x.arrays().levels[0]
    assert network.color_bonds is not None
    for p in network.color_bonds.parameters():
        torch.nn.init.normal_(p, std=0.3)
    f, colors = torch.randn(len(level.inputs), network.config.features), torch.rand(len(level.inputs), 3)
    colors[::7] = 0  # what the colour camera did not see
    fused = FusedNetwork(Weights.of(network), network.config)
    for some in (colors, None):
        told = network.judge_edges(f, level, some).detach().numpy()
        assert np.abs(fused.judge_edges(f.numpy(), arrays, None if some is None else some.numpy()) - told).max() < 1e-4


@pytest.mark.parametrize(
    "config",
    [
        NetworkConfig(),
        PAPER,
        NetworkConfig(attention=False),
        NetworkConfig(residual=False),
        NetworkConfig(concatenate=False),
        NetworkConfig(global_context=False),
        NetworkConfig(channels=(32,), layers=(2,), recompute=True),
    ],
    ids=["shipped", "paper", "mean", "no residual", "no concatenation", "no global vector", "recomputed"],
)
def test_every_form_gives_features_embeddings_and_kinds_for_each_voxel_and_learns(config):
    torch.manual_seed(0)
    network, x = PointAttention(config), hierarchy(config)
    f, e, surface = network(x)
    v = len(x.levels[0].inputs)
    assert f.shape == (v, config.features)
    assert e.shape == (v, config.embedding)
    assert surface.shape == (v,)
    before = (e.square().mean() + surface.square().mean()).item()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        _, e, surface = network(x)
        loss = e.square().mean() + surface.square().mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < before


def test_recomputed_neighbourhoods_are_the_nearest_in_feature_space():
    x = hierarchy(NetworkConfig(channels=(32,), layers=(1,)))
    f = torch.randn(len(x.levels[0].inputs), 8, generator=torch.Generator().manual_seed(0))
    level = recomputed(x.levels[0], f)
    exact = torch.cdist(f[:50], f).argsort(1)[:, :16]
    assert torch.equal(level.neighbors[:50].sort(1).values, exact.sort(1).values)
    assert (level.neighbors[:, 0] == torch.arange(len(f))).all()


def test_the_global_vector_lets_far_voxels_know_of_each_other():
    """Equations (5) and (6): a change at one end of the scene reaches the other only through z."""
    for fused in (True, False):
        config = NetworkConfig(channels=(32,), layers=(1,), global_context=fused)
        torch.manual_seed(0)
        network, x = PointAttention(config), hierarchy(config)
        before = network(x)[0].detach().clone()
        x.levels[0].inputs[0] += 50
        far = (x.levels[0].position - x.levels[0].position[0]).norm(dim=1) > 20
        assert bool((network(x)[0] - before)[far].abs().max() > 0) is fused


def test_each_voxel_has_one_parent_and_levels_shrink():
    x = hierarchy(NetworkConfig())
    for fine, coarse in zip(x.levels, x.levels[1:], strict=False):
        assert len(coarse.inputs) < len(fine.inputs)
        assert fine.parents.unique().tolist() == list(range(len(coarse.inputs)))


def test_the_same_input_gives_the_same_output():
    torch.manual_seed(0)
    network = PointAttention().eval()
    with torch.inference_mode():
        first, second = (network(hierarchy(network.config)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_with_gravity_known_only_its_direction_in_the_cloud_matters():
    """A cloud and its ``up`` turned together stand in the network's frame as before, but for a turn about z."""
    points = scene().centroids
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    turn = (turn * np.sign(np.linalg.det(turn))).astype(np.float32)
    up = np.array([0, 0, -1], np.float32)
    straight = points @ canonical_rotation(points, None, up).T
    turned = (points @ turn.T) @ canonical_rotation(points @ turn.T, None, turn @ up).T
    assert np.allclose(straight[:, 2], turned[:, 2], atol=1e-4)
    assert np.allclose(np.linalg.norm(straight[:, :2], axis=1), np.linalg.norm(turned[:, :2], axis=1), atol=1e-4)


@pytest.mark.parametrize("up", [None, np.array([0, 0, 1], np.float32)])
def test_a_sensor_in_the_middle_of_its_points_is_no_trouble(up):
    points = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    points = np.concatenate([points, -points])
    rotation = canonical_rotation(points, np.zeros(3, np.float32), up)
    assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-5)


def test_a_single_voxel_passes_through():
    grid = voxelize(np.zeros((1, 3), np.float32), 0.01)
    network = PointAttention().eval()
    with torch.inference_mode():
        f, e, _ = network(build_hierarchy(grid, None, np.array([0, 0, 1], np.float32), network.config).tensors())
    assert torch.isfinite(f).all()
    assert torch.isfinite(e).all()
