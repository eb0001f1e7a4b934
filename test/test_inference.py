"""Networks as arrays: they say what their torch modules say, follow them, and are loaded without torch."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from superpoint_scenes import SMALL as SMALL_NETWORK
from superpoint_scenes import a_scene
from test_alignment import FORMS, SMALL, instances

from segvec3d_core import SegVec3D
from segvec3d_core.alignment import Alignment
from segvec3d_core.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, shipped_path
from segvec3d_core.config import AlignmentConfig, GroupingConfig, NetworkConfig
from segvec3d_core.grouping_network import SuperpointNetwork
from segvec3d_core.inference import layers, shapes
from segvec3d_core.inference.alignment import FusedAlignment, InstanceInput
from segvec3d_core.inference.grouping import FusedGrouping
from segvec3d_core.inference.layers import Weights
from segvec3d_core.network import PointAttention
from segvec3d_core.trained import aligner, backbone

NETWORKS = [
    NetworkConfig(),
    NetworkConfig(late_color=False, concatenate=False),
    NetworkConfig(channels=(16, 48, 32), layers=(1, 2, 3), features=32, embedding=8),
    NetworkConfig(channels=(32,), layers=(2,)),
]


def shapes_of(module: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


@pytest.mark.parametrize("config", NETWORKS, ids=["shipped", "without colour", "small", "one level"])
def test_the_weights_of_a_backbone_are_expected_as_torch_has_them(config):
    network = PointAttention(config)
    assert shapes.network_shapes(config) == shapes_of(network)
    assert shapes.parameters([shapes.network_shapes(config)]) == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("config", [GroupingConfig(), GroupingConfig(8, 4, 32, 2, 1)])
def test_the_weights_of_a_grouping_network_are_expected_as_torch_has_them(config):
    network = SuperpointNetwork(config)
    assert shapes.grouping_shapes(config) == shapes_of(network)
    assert shapes.parameters([shapes.grouping_shapes(config)]) == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("form", [{}, *FORMS.values()])
def test_the_weights_of_an_alignment_are_expected_as_torch_has_them(form):
    config = AlignmentConfig(**{**SMALL, **form} if form else {})
    alignment = Alignment(config)
    assert shapes.alignment_shapes(config) == shapes_of(alignment)
    assert shapes.parameters([shapes.alignment_shapes(config)]) == sum(p.numel() for p in alignment.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"w_3d.weight": np.zeros((4, 9))}, r"alignment\.w_3d\.weight: expected shape \(4, 32\), got shape \(4, 9\)"),
        ({"w_3d.weight": None}, r"w_3d\.weight: expected shape \(4, 32\), got nothing"),
        ({"further": np.zeros(2)}, r"further: expected nothing, got shape \(2,\)"),
    ],
)
def test_weights_of_another_shape_are_refused_before_a_kernel_reads_them(change, message):
    config = AlignmentConfig(**SMALL)
    arrays: Any = {**Weights.of(Alignment(config)).arrays, **change}
    with pytest.raises(ValueError, match=message):
        aligner({name: value for name, value in arrays.items() if value is not None}, config)


@pytest.mark.usefixtures("float32")
def test_superpoints_are_judged_as_by_torch():
    *_, superpoints = a_scene()
    nodes, edges = superpoints.nodes.copy(), superpoints.edges.copy()
    nodes[0, 3] = edges[1, 2] = np.nan
    superpoints = replace(superpoints, nodes=nodes, edges=edges)
    torch.manual_seed(0)
    config = GroupingConfig(SMALL_NETWORK.features, SMALL_NETWORK.embedding)
    network = SuperpointNetwork(config).eval()
    for part in (network.standard_node, network.standard_edge, network.standard_whole):
        torch.nn.init.normal_(part.mean)
        torch.nn.init.uniform_(part.scale)
    group = np.arange(len(nodes)) % 3
    with torch.inference_mode():
        scene, pairs = torch.zeros(len(nodes), dtype=torch.int64), torch.from_numpy(superpoints.pairs)
        same, surface, x = network(torch.from_numpy(nodes), pairs, torch.from_numpy(edges), scene, 1)
        rest = (superpoints.sizes, group, superpoints.wholes(group))
        kinds = network.kinds(surface, x, *map(torch.from_numpy, rest))
    said = FusedGrouping(Weights.of(network), config)(superpoints)
    assert len(said.same) > 3
    assert np.allclose(said.same, same.numpy(), atol=1e-4)
    assert np.allclose(said.kinds(group), kinds.numpy(), atol=1e-4)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.usefixtures("float32")
def test_instances_and_texts_meet_as_in_torch(form):
    torch.manual_seed(0)
    config = AlignmentConfig(**SMALL, **form)
    alignment, x = Alignment(config).eval(), instances([5, 200, 1])
    x.color[:7] = torch.nan
    t = torch.randn(6, config.text)
    fused = FusedAlignment(Weights.of(alignment), config)
    parts = (x.features, x.geometry, x.owner, x.statistics, x.color)
    with torch.inference_mode():
        v = alignment.project_instances(x)
        similarity = alignment.similarity(v, t)
    ours = fused.project_instances(InstanceInput(*(part.numpy() for part in parts)))
    assert ours.shape == v.shape
    assert np.allclose(ours, v.numpy(), atol=1e-5)
    assert np.allclose(fused.similarity(ours, t.numpy()), similarity.numpy(), atol=1e-4)
    assert fused.similarity(ours[:0], t.numpy()).shape == (0, 6)


def test_layers_are_those_of_torch():
    torch.manual_seed(0)
    module = torch.nn.ModuleDict(
        {
            "norm": torch.nn.LayerNorm(7),
            "mlp": torch.nn.Sequential(torch.nn.Linear(7, 5), torch.nn.GELU(), torch.nn.Linear(5, 3)),
        }
    )
    x, weights = torch.randn(9, 7), Weights.of(module)
    assert np.allclose(weights.norm("norm", x.numpy()), module["norm"](x).detach().numpy(), atol=1e-5)
    assert np.allclose(weights.mlp("mlp", x.numpy()), module["mlp"](x).detach().numpy(), atol=1e-5)
    assert np.allclose(layers.gelu(x.numpy()), torch.nn.functional.gelu(x).numpy(), atol=1e-5)
    assert np.allclose(layers.unit(x.numpy()), torch.nn.functional.normalize(x, dim=1).numpy(), atol=1e-6)
    assert layers.sigmoid(np.array([-200, 0, 200], np.float32)).tolist() == [0, 0.5, 1]


def test_inference_follows_the_module_once_someone_has_asked_for_it():
    model, (sample, grid, *_) = SegVec3D.load(device="cpu"), a_scene()
    given = grid, sample.viewpoint, None
    arrays = model.embed_voxels(*given)
    module = model.network
    assert np.array_equal(model.embed_voxels(*given).features, arrays.features)
    with torch.no_grad():
        module.stems[0].weight.mul_(1.1)  # type: ignore[operator,union-attr]
    assert not np.allclose(model.embed_voxels(*given).features, arrays.features)
    assert np.array_equal(SegVec3D.load(device="cpu").embed_voxels(*given).features, arrays.features)


def test_a_module_can_be_trained_wherever_it_was_asked_for_and_is_made_where_it_runs():
    config = NetworkConfig(channels=(32,), layers=(1,))
    arrays = Weights.of(PointAttention(config)).arrays
    with torch.inference_mode():
        module = backbone(arrays, config).module
    assert not any(p.is_inference() for p in module.parameters())
    assert {p.device.type for p in backbone(arrays, config).on("meta").module.parameters()} == {"meta"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": {"layers": [2, 2]}}, "layers: expected one number for each of channels"),
        ({"network": {"layers": [2, 2, 3, 2, 2, 2]}}, "layers: expected one number for each of channels"),
        ({"network": {"neighbors": 0}}, "neighbors: expected at least 1, got 0"),
        ({"network": "shipped"}, "does not fit this version"),
        ({"alignment": {"features": 64}}, r"alignment\.describe\.0\.weight: expected"),
    ],
)
def test_weights_for_another_network_are_refused_when_they_are_loaded(change, message, tmp_path):
    shipped = load_checkpoint(shipped_path())
    config = {
        name: {**about, **change[name]} if isinstance(change.get(name), dict) else change.get(name, about)
        for name, about in shipped.config.items()
    }
    save_checkpoint(replace(shipped, config=config), tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=message):
        SegVec3D.load(tmp_path / "other.safetensors")


@pytest.mark.parametrize("stage", ["alignment", "grouping"])
def test_networks_that_were_not_trained_together_are_refused(stage, tmp_path):
    small = SegVec3D.untrained(config=SMALL_NETWORK)
    small.save(tmp_path / "small.safetensors")
    shipped, other = load_checkpoint(shipped_path()), load_checkpoint(tmp_path / "small.safetensors")
    arrays = {name: value for name, value in shipped.arrays.items() if not name.startswith(stage)}
    arrays |= {f"{stage}.{name}": value for name, value in other.part(stage).items()}
    mixed = Checkpoint(arrays, {**shipped.config, stage: other.config[stage]})
    save_checkpoint(mixed, tmp_path / "mixed.safetensors")
    with pytest.raises(ValueError, match=f"{stage}: expected 96 features, got {SMALL_NETWORK.features}"):
        SegVec3D.load(tmp_path / "mixed.safetensors")


def test_weights_in_a_number_format_that_numpy_lacks_are_refused_in_a_sentence(tmp_path):
    from safetensors.torch import save_file

    save_file({"network.x": torch.zeros(2, dtype=torch.bfloat16)}, tmp_path / "short.safetensors")
    with pytest.raises(ValueError, match="expected numbers in float16, 32 or 64"):
        SegVec3D.load(tmp_path / "short.safetensors")
