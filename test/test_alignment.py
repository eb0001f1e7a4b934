"""Instances and texts meet in one space: equations (9) to (11), colours, and the captions' truth."""

from typing import Any

import numpy as np
import pytest
import torch

from segvec3d_core.alignment import Alignment
from segvec3d_core.config import AlignmentConfig
from segvec3d_core.inference.alignment import (
    COLOR_BINS,
    INSTANCE_STATISTICS,
    VOXEL_GEOMETRY,
    InstanceInput,
    instance_statistics,
)
from segvec3d_core.kernels.colors import histograms

SMALL: dict[str, Any] = {"features": 8, "text": 16, "shared": 4, "hidden": 8}


def instances(sizes: list[int], seed: int = 0) -> InstanceInput[torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    rows = sum(sizes)
    owner = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return InstanceInput(
        torch.randn(rows, 8, generator=g),
        torch.randn(rows, VOXEL_GEOMETRY, generator=g),
        owner,
        torch.randn(len(sizes), INSTANCE_STATISTICS, generator=g),
        torch.rand(rows, 3, generator=g),
    )


def test_the_papers_own_instance_vector_is_the_normalised_mean_of_its_features():
    x = instances([5, 1, 30])
    u = Alignment(AlignmentConfig(**SMALL, paper=True)).pool(x)
    for k in range(3):
        mean = x.features[x.owner == k].mean(0)
        assert torch.allclose(u[k], mean / mean.norm(), atol=1e-5)


FORMS: dict[str, dict[str, Any]] = {
    "paper": {"paper": True}, "one projection": {"looks": 0}, "looks": {"looks": 3},
    "described once": {"looks": 3, "again": False},
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_an_instance_vector_does_not_hang_on_its_company_or_the_order_of_its_voxels(form):
    torch.manual_seed(0)
    alignment = Alignment(AlignmentConfig(**SMALL, **form)).eval()
    x = instances([5, 9])
    both = alignment.project_instances(x)
    assert both.shape == (2, alignment.config.width)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1)) + 5
    owner = torch.zeros(9, dtype=torch.long)
    alone = alignment.project_instances(
        InstanceInput(x.features[order], x.geometry[order], owner, x.statistics[1:], x.color[order])
    )
    assert torch.allclose(both[1], alone[0], atol=1e-5)
    assert torch.allclose(both.norm(dim=1), torch.ones(2), atol=1e-5)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_texts_and_instances_land_in_the_same_space_with_similarities_from_0_to_1(form):
    torch.manual_seed(0)
    alignment = Alignment(AlignmentConfig(**SMALL, **form))
    t = torch.randn(3, 16)
    v = alignment.project_instances(instances([4, 4]))
    assert alignment.project_texts(t).shape == (3, v.shape[1])
    assert torch.allclose(alignment.project_texts(t).norm(dim=1), torch.ones(3), atol=1e-5)
    p = alignment.similarity(v, t)
    assert p.shape == (2, 3)
    assert bool(((p >= 0) & (p <= 1)).all())
    low, high = alignment.probability(torch.tensor([-1.0, 1.0]))
    assert low < high


def test_a_text_fits_only_where_all_that_it_claims_is_true():
    """Of two blocks that a text claims, one that fits does not make up for one that does not, as a cosine would."""
    looks = Alignment(AlignmentConfig(**SMALL, looks=3)).looks
    assert looks is not None
    with torch.no_grad():
        looks.claims.weight.zero_()
        looks.claims.bias.copy_(torch.tensor([9.0, 9.0, -9.0, -9.0]))  # kind and colour
    yes, no = torch.ones(1, 1), -torch.ones(1, 1)
    t = torch.zeros(1, 16)

    def odds(kind: torch.Tensor, color: torch.Tensor) -> float:
        return looks.all_true([kind, color, no, no], t).item()

    assert odds(yes, yes) > 0
    assert odds(yes, no) < 0
    assert odds(no, yes) < 0
    assert looks.all_true([yes, yes, yes, yes], t).item() == pytest.approx(odds(yes, yes), abs=0.1)


def test_without_colours_the_kind_is_told_and_the_colour_is_the_same_for_all():
    torch.manual_seed(0)
    alignment = Alignment(AlignmentConfig(**SMALL, looks=3)).eval()
    x = instances([5, 9])
    x.color[:] = torch.nan
    v = alignment.project_instances(x)
    assert torch.isfinite(v).all()
    color = alignment.parts(v)[1]
    assert torch.allclose(color[0], color[1], atol=1e-5)


def test_a_file_from_before_there_were_looks_has_one_projection():
    old = {"features": 8, "text": 16, "shared": 4, "hidden": 8, "paper": False}
    assert AlignmentConfig.from_dict(old).width == 4
    now = AlignmentConfig(**SMALL)
    assert AlignmentConfig.from_dict(now.to_dict()) == now
    assert now.width > 4


@pytest.mark.parametrize(
    ("rgb", "bin_"),
    [((0.9, 0.1, 0.1), 0), ((0.1, 0.8, 0.1), 3), ((0.1, 0.2, 0.9), 5), ((0.4, 0.25, 0.1), 8), ((0.05, 0.05, 0.05), 9),
     ((0.45, 0.45, 0.45), 10), ((0.95, 0.95, 0.95), 11)],
    ids=["red", "green", "blue", "brown", "black", "grey", "white"],
)  # fmt: skip
def test_a_colour_falls_into_the_bin_of_its_name_in_light_and_shade(rgb, bin_):
    shades = np.array([rgb], np.float32) * np.linspace(0.9, 1.05, 20, dtype=np.float32)[:, None]
    (histogram,) = histograms(np.clip(shades, 0, 1), np.array([0, 20]))
    assert histogram.shape == (COLOR_BINS,)
    assert histogram[bin_] > 0.9
    assert histogram.sum() == pytest.approx(1)


def test_what_has_no_colour_says_so_instead_of_black():
    size, starts, edge = np.array([[0.1, 0.1, 0.2]], np.float32), np.array([0, 5]), np.array([0.01])
    without = instance_statistics(size, None, starts, True, edge)[0]
    black = instance_statistics(size, np.zeros((5, 3), np.float32), starts, True, edge)[0]
    assert without[8] == 0
    assert black[8] == 1
    assert not without[9:].any()


def hue_shares(rgb: np.ndarray) -> np.ndarray:
    """The bins of (N, 3) colours in plain array operations -> (12,)."""
    high, low = rgb.max(1), rgb.min(1)
    (r, g, b), chroma = rgb.T, high - low
    hue = np.where(high == r, (g - b) / chroma % 6, np.where(high == g, (b - r) / chroma + 2, (r - g) / chroma + 4)) / 6
    bins = np.floor(hue * 8 + 0.5) % 8
    bins[((hue < 0.12) | (hue > 0.96)) & (high < 0.55) & (chroma / high > 0.25)] = 8
    grey = chroma / high < 0.22
    bins[grey] = np.where(high[grey] > 0.7, 11, 10)
    bins[high < 0.18] = 9
    return np.bincount(bins.astype(int), minlength=12) / len(rgb)


def test_what_is_told_of_sizes_and_colours_is_what_it_is_called():
    rng = np.random.default_rng(0)
    rgb, starts = rng.random((400, 3)).astype(np.float32), np.array([0, 1, 80, 400])
    sizes, edges = rng.uniform(0.05, 0.4, (3, 3)).astype(np.float32), np.array([0.01, 0.1, 0.01])
    told = instance_statistics(sizes, rgb, starts, True, edges)
    for k in range(3):
        some, longest = rgb[starts[k] : starts[k + 1]], np.maximum(np.sort(sizes[k])[::-1], edges[k])
        expected = [
            *np.log(longest / 0.1), longest[1] / longest[0], longest[2] / longest[0], 1.0,
            np.log(max(sizes[k, 2], edges[k]) / 0.1), np.log(edges[k] / 0.01), 1.0,
            *some.mean(0), *np.median(some, 0), *some.std(0), *hue_shares(some),
            some.max(1).mean(), np.ptp(some, axis=1).mean(),
        ]  # fmt: skip
        assert told[k] == pytest.approx(expected, abs=1e-5)
