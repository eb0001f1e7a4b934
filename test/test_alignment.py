"""Instances and texts meet in one space: equations (9) to (11), colours, and the captions' truth."""

from typing import Any

import numpy as np
import pytest
import torch

from segvec3d_core.alignment import (
    COLOR_BINS,
    INSTANCE_STATISTICS,
    VOXEL_GEOMETRY,
    Alignment,
    AlignmentConfig,
    InstanceInput,
    hue_histogram,
    instance_statistics,
)

SMALL: dict[str, Any] = {"features": 8, "text": 16, "shared": 4, "hidden": 8}


def instances(sizes: list[int], seed: int = 0) -> InstanceInput:
    g = torch.Generator().manual_seed(seed)
    rows = sum(sizes)
    owner = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return InstanceInput(
        torch.randn(rows, 8, generator=g),
        torch.randn(rows, VOXEL_GEOMETRY, generator=g),
        owner,
        torch.randn(len(sizes), INSTANCE_STATISTICS, generator=g),
    )


def test_the_papers_own_instance_vector_is_the_normalised_mean_of_its_features():
    x = instances([5, 1, 30])
    u = Alignment(AlignmentConfig(**SMALL, paper=True)).pool(x)
    for k in range(3):
        mean = x.features[x.owner == k].mean(0)
        assert torch.allclose(u[k], mean / mean.norm(), atol=1e-5)


@pytest.mark.parametrize("paper", [True, False])
def test_an_instance_vector_does_not_hang_on_its_company_or_the_order_of_its_voxels(paper):
    torch.manual_seed(0)
    alignment = Alignment(AlignmentConfig(**SMALL, paper=paper)).eval()
    x = instances([5, 9])
    both = alignment.project_instances(x)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1)) + 5
    alone = alignment.project_instances(
        InstanceInput(x.features[order], x.geometry[order], torch.zeros(9, dtype=torch.long), x.statistics[1:])
    )
    assert torch.allclose(both[1], alone[0], atol=1e-5)
    assert torch.allclose(both.norm(dim=1), torch.ones(2), atol=1e-5)


def test_texts_and_instances_land_in_the_same_space_with_similarities_from_0_to_1():
    alignment = Alignment(AlignmentConfig(**SMALL))
    v_text = alignment.project_texts(torch.randn(3, 16))
    v = alignment.project_instances(instances([4, 4]))
    assert v_text.shape[1] == v.shape[1]
    p = alignment.probability(v @ v_text.T)
    assert bool(((p >= 0) & (p <= 1)).all())
    low, high = alignment.probability(torch.tensor([-1.0, 1.0]))
    assert low < high


@pytest.mark.parametrize(
    ("rgb", "bin_"),
    [((0.9, 0.1, 0.1), 0), ((0.1, 0.8, 0.1), 3), ((0.1, 0.2, 0.9), 5), ((0.4, 0.25, 0.1), 8), ((0.05, 0.05, 0.05), 9),
     ((0.45, 0.45, 0.45), 10), ((0.95, 0.95, 0.95), 11)],
    ids=["red", "green", "blue", "brown", "black", "grey", "white"],
)  # fmt: skip
def test_a_colour_falls_into_the_bin_of_its_name_in_light_and_shade(rgb, bin_):
    shades = np.array([rgb], np.float32) * np.linspace(0.9, 1.05, 20, dtype=np.float32)[:, None]
    histogram = hue_histogram(np.clip(shades, 0, 1))
    assert histogram.shape == (COLOR_BINS,)
    assert histogram[bin_] > 0.9
    assert histogram.sum() == pytest.approx(1)


def test_what_has_no_colour_says_so_instead_of_black():
    without = instance_statistics(np.array([0.1, 0.1, 0.2]), None, True, 0.01)
    black = instance_statistics(np.array([0.1, 0.1, 0.2]), np.zeros((5, 3), np.float32), True, 0.01)
    assert without[8] == 0
    assert black[8] == 1
    assert not without[9:].any()
