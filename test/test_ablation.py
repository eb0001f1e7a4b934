"""The ablation: every row is another network, other labels or another clustering, and none is trained twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segvec3d_core.cli import main
from segvec3d_core.clustering import ClusteringConfig
from segvec3d_core.config import NetworkConfig
from segvec3d_core.instances import ScoreModel
from segvec3d_core.network import PointAttention
from segvec3d_core.train import ablation
from segvec3d_core.train.ablation import (
    FULL,
    VARIANTS,
    AblationPlan,
    choose_score,
    markdown,
    run_ablation,
    score_scene,
    select,
)
from segvec3d_core.train.describing import hits_of
from segvec3d_core.train.examples import Example, prepare
from segvec3d_core.train.samples import simulate_sample
from segvec3d_core.train.tuning import Embedded
from segvec3d_core.train.weak import Supervision

SMALL = NetworkConfig(channels=(16, 16), layers=(1, 1), features=32)


@pytest.fixture(scope="module")
def example() -> Example:
    return prepare(simulate_sample(11, 0), np.random.default_rng(0), SMALL, augment=False, max_voxels=3_000)


def test_every_row_of_the_table_differs_and_says_how() -> None:
    names = [variant.name for variant in VARIANTS]
    assert len(set(names)) == len(names)
    assert names[0] == FULL
    forms = [(variant.config, variant.as_written, variant.labels, variant.clustering) for variant in VARIANTS]
    assert all(forms.count(form) == 1 for form in forms)
    assert all(variant.what for variant in VARIANTS)
    for variant in VARIANTS:
        Supervision.parse(variant.labels)
        PointAttention(variant.config)


def test_every_switch_of_the_network_has_a_row() -> None:
    full = NetworkConfig().to_dict()
    switched = {key for variant in VARIANTS for key, value in variant.config.to_dict().items() if value != full[key]}
    assert {key for key, value in full.items() if isinstance(value, bool)} <= switched
    assert {"layers", "channels"} <= switched


@pytest.mark.parametrize(
    ("names", "chosen"),
    [("mean", ["full", "mean"]), ("points:20, dbscan", ["full", "dbscan", "points:20"]), ("full", ["full"])],
)
def test_rows_are_chosen_by_name_and_the_full_form_comes_along(names: str, chosen: list[str]) -> None:
    assert [variant.name for variant in select(names)] == chosen


def test_slow_rows_are_made_only_by_name_and_unknown_ones_are_told() -> None:
    assert [variant.name for variant in VARIANTS if variant not in select("all")] == ["paper-recompute"]
    assert "paper-recompute" in [variant.name for variant in select("paper-recompute")]
    with pytest.raises(ValueError, match=r"rows: expected all or some of full, mean, .*, got 'yeti'"):
        select("mean,yeti")


def test_embeddings_that_gather_each_object_score_full_marks(example: Example) -> None:
    """The truth as embeddings and bonds: one place for each entity, far from the others; surfaces known."""
    truth = example.truth.numpy()
    e = np.zeros((len(truth), 4), np.float32)
    e[:, 0] = 10 * truth
    surface = np.where(example.is_surface.numpy() | (truth < 0), 1, 0).astype(np.float32)
    neighbors = example.hierarchy.levels[0].neighbors.numpy()
    bonds = np.where(truth[:, None] == truth[neighbors], 4, -4).astype(np.float32)
    seen, constants = Embedded(example, False, e, surface, bonds), ClusteringConfig(min_voxels=1)
    row = score_scene(seen, constants, "fast", ScoreModel())
    assert row.masks is not None
    assert row.masks.overlap.f == pytest.approx(1)
    assert row.quality == pytest.approx(1)
    assert row.surfaces[0, 0] / row.surfaces[0].sum() > 0.97, "but for points in voxels of a neighbour"
    things = surface < 0.5
    bonds = np.where(things[:, None] == things[neighbors], 4, -4).astype(np.float32)
    merged = score_scene(
        Embedded(example, False, np.zeros_like(e), surface, bonds), ClusteringConfig(), "fast", ScoreModel()
    )
    assert merged.masks is not None
    assert (merged.masks.predicted, merged.masks.true) == (1, row.masks.true)
    assert merged.masks.overlap.f < row.masks.overlap.f


def test_the_score_that_a_row_chooses_ranks_what_is_right_first(example: Example) -> None:
    """Half of the things are told truly, with doubtful bonds, and half are cut in two, with surer ones."""
    truth, x = example.truth.numpy(), example.grid.centroids[:, 0]
    surface = np.where(example.is_surface.numpy() | (truth < 0), 1, 0).astype(np.float32)
    things = [k for k in np.unique(truth[surface < 0.5]) if (truth == k).sum() >= 20]
    cut = {k: np.median(x[truth == k]) for k in things[::2]}
    part = np.array([k in cut and at > cut[k] for k, at in zip(truth, x, strict=True)])
    neighbors = example.hierarchy.levels[0].neighbors.numpy()
    same = (truth[:, None] == truth[neighbors]) & (part[:, None] == part[neighbors])
    bonds = np.where(same, np.where(np.isin(truth, list(cut)), 6, 1)[:, None], -4).astype(np.float32)
    e = np.stack([10.0 * truth, 10.0 * part], 1).astype(np.float32)
    seen, constants = Embedded(example, False, e, surface, bonds), ClusteringConfig(min_voxels=8)
    score = choose_score([seen], constants, "fast")
    kinds = np.zeros(truth.max() + 1, bool)
    kinds[truth[example.is_surface.numpy()]] = True

    def ranked_rightly(model: ScoreModel) -> float:
        """Share of the pairs of a right and a wrong object of which the right one has the higher score."""
        objects = [s for s in ablation._segments(seen, constants, "fast", model) if s.kind == "object"]
        right, scores = hits_of(objects, truth, kinds), np.array([segment.score for segment in objects])
        return float((scores[right][:, None] > scores[~right]).mean())

    assert ranked_rightly(score) > 0.9
    assert ranked_rightly(ScoreModel()) < 0.7, "which was made for other networks"
    assert choose_score([], constants, "fast") == ScoreModel(), "of nothing nothing is learned"


@pytest.fixture
def small_world(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Small networks and three rows, one of each group; the names of what is trained, as it is trained."""
    chosen = [replace(v, config=SMALL) for v in VARIANTS if v.name in (FULL, "dbscan", "points:20")]
    monkeypatch.setattr(ablation, "VARIANTS", tuple(chosen))
    monkeypatch.setattr("segvec3d_core.train.tuning.GRID", {"merge_radius": (0.5, 0.8)})
    monkeypatch.setattr(ablation, "RADII", (0.5,))
    trained: list[str] = []
    train = ablation.train_segmentation

    def counted(training: Any, config: NetworkConfig, resume: bool) -> Any:
        state = training.output / "segmentation.state"
        done = torch.load(state, weights_only=True)["step"] if state.exists() else 0
        trained.append(f"{training.output.name} from {done}")
        return train(training, config, resume)

    monkeypatch.setattr(ablation, "train_segmentation", counted)
    return trained


@pytest.mark.timeout(600)
def test_a_second_call_trains_nothing_that_is_finished(tmp_path: Path, small_world: list[str]) -> None:
    plan = AblationPlan(tmp_path / "runs", tmp_path / "cache", steps=2, scenes=1, validation_scenes=1, workers=0)
    first = run_ablation(plan, select("full,points:20"))
    assert [row["name"] for row in first] == [FULL, "points:20"]
    assert small_world == ["full from 0", "points-20 from 0"]
    small_world.clear()
    every = run_ablation(plan, select("all"))
    assert [row["name"] for row in every] == [FULL, "dbscan", "points:20"]
    assert small_world == ["full from 2"], "another clustering goes on with the full network, which has seen all steps"
    assert every[0] == first[0]

    values = json.loads((plan.output / "ablation.json").read_text())
    assert [row["name"] for row in values["rows"]] == [row["name"] for row in every]
    assert 0 <= values["rows"][0]["figures"]["overlap_f"][0] <= 1
    text = (plan.output / "ablation.md").read_text()
    assert text.strip() == markdown(every)
    assert "Not measured" not in text

    with pytest.raises(ValueError, match=r"full\.json: measured under other terms \(steps\); give another --output"):
        run_ablation(replace(plan, steps=4), select("full"))


def row(name: str, ap50: float | None, draws: list[float | None]) -> dict[str, Any]:
    figures = {"ap50": [ap50, 0.1, 0.9], "overlap_f": [0.75, 0.7, 0.8]}
    return {"name": name, "figures": figures, "ap50_draws": draws, "parameters": 840_000, "seconds": 600}


def test_the_table_tells_the_paired_difference_to_the_full_form_and_what_is_missing() -> None:
    lines = markdown([row("full", 0.8, [0.6, 0.8, 1.0]), row("mean", 0.6, [0.4, 0.6, 0.8])]).splitlines()
    (mean,) = [line for line in lines if line.startswith("| mean |")]
    assert "| 60.0 (10.0 to 90.0) | -20.0 (-20.0 to -20.0) | 0.75 (0.67 to 0.80) | 75.0 | 0.84 M | 10 |" in mean
    (full,) = [line for line in lines if line.startswith("| full |")]
    assert full.endswith("| 80.0 (10.0 to 90.0) | - | - | 75.0 | 0.84 M | 10 |")
    assert lines[-1].startswith("Not measured: one-layer, ")
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1


def test_a_table_without_the_full_form_or_without_any_object_has_dashes() -> None:
    (line,) = [line for line in markdown([row("mean", None, [None])]).splitlines() if line.startswith("| mean |")]
    assert line.endswith("| - | - | - | 75.0 | 0.84 M | 10 |")


def test_the_command_prints_the_rows_done_so_far(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ablate", "--output", str(tmp_path), "--table"]) == 0
    assert "Not measured: full, mean," in capsys.readouterr().out
    assert main(["ablate", "yeti", "--output", str(tmp_path)]) == 2
    assert "rows: expected all or some of full" in capsys.readouterr().err
