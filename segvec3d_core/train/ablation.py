"""Ablation study: the network without one component, clustered by another method, or trained on weaker labels.

Every row of the table is one training run of the first stage, or the full network clustered by another method; all rows
share scenes and budget. The output folder holds a checkpoint for each training run and ``rows/NAME.json`` for each row
that has been measured. A second call skips measured rows and resumes the others. All rows are measured on the same
simulated scenes, used neither for training nor for choosing clustering constants and score.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..clustering import ClusteringConfig, cluster
from ..config import ClusteringMethod, NetworkConfig
from ..figures import Row, interval, resample, tabulate
from ..instances import SCORE_FEATURES, ScoreModel, Segment, find_segments
from ..metrics import adjusted_rand_index, scan_overlap, scored_hits, surface_confusion
from .calibration import fit_score
from .describing import hits_of
from .samples import simulator_version
from .segmentation import SegmentationTraining, score_voxels, train_segmentation
from .tuning import Embedded, embed_scenes, tune_clustering
from .weak import Supervision

log = logging.getLogger(__name__)

Group = Literal["network", "clustering", "labels"]

FULL = "full"
"""Name of the row with which all others are compared."""

MEASURING_SEED_OFFSET = 77
"""Added to the seed for the scenes on which rows are measured: clustering constants are chosen on other ones."""

MEASURED = 4
"""Number of measured scenes as a multiple of ``AblationPlan.validation_scenes``: fewer would say little."""

RADII = (0.25, 0.5, 0.75, 1.0)
"""Values tried for ``ClusteringConfig.radius``, the one constant that the paper's clustering methods share."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the table.

    Attributes:
        name: name of the row.
        group: section of the table; what: description of the difference from the full network.
        config: of the network; as_written: train with equation (8) exactly as in the paper, see ``losses.as_written``.
        labels: supervision, in the form that ``Supervision.parse`` reads.
        clustering: method that turns embeddings into instances.
    """

    name: str
    group: Group
    what: str
    config: NetworkConfig = field(default_factory=NetworkConfig)
    as_written: bool = False
    labels: str = "full"
    clustering: ClusteringMethod = "fast"

    @property
    def folder(self) -> str:
        """Subfolder of its training run; rows of the group "clustering" share that of the full network."""
        return FULL if self.group == "clustering" else self.name.replace(":", "-")


def _network(name: str, what: str, **changes: Any) -> Variant:
    return Variant(name, "network", what, replace(NetworkConfig(), **changes))


_ONE_LEVEL: dict[str, Any] = {"channels": (64,), "layers": (4,)}
_PAPER = Variant(
    "paper",
    "network",
    "the paper's own form: one level, no relative poses, no centre vote, no colours, (8) to the letter, DBSCAN",
    replace(NetworkConfig(), **_ONE_LEVEL, edge_features=False, centre_vote=False, late_color=False),
    as_written=True,
    clustering="dbscan",
)

VARIANTS: tuple[Variant, ...] = (
    Variant(FULL, "network", "the shipped network"),
    _network("mean", "neighbours weigh alike: no attention, (1)", attention=False),
    _network("one-layer", "one layer a level", layers=(1, 1, 1, 1, 1)),
    _network("four-levels", "without the coarsest level", channels=(32, 64, 128, 128), layers=(2, 2, 3, 2)),
    _network("no-residual", "no residuals, (3)", residual=False),
    _network("no-concatenation", "only the last layer of each level, not all of them, (4)", concatenate=False),
    _network("no-context", "no global context, (5) and (6)", global_context=False),
    _network("no-edges", "attention does not see relative poses", edge_features=False),
    _network("no-vote", "no centre vote in the embedding", centre_vote=False),
    _network("no-color", "edges are judged without colours", late_color=False),
    _network("one-level", "one graph of one voxel size, four layers of 64 channels", **_ONE_LEVEL),
    Variant("plain-loss", "network", "learned from (8) to the letter", as_written=True),
    _PAPER,
    replace(
        _PAPER,
        name="paper-recompute",
        what="the same, neighbourhoods recomputed in feature space",
        config=replace(_PAPER.config, recompute=True),
    ),
    Variant("dbscan", "clustering", "DBSCAN in the embedding space", clustering="dbscan"),
    Variant("mean-shift", "clustering", "mean-shift in the embedding space", clustering="mean-shift"),
    Variant("fixed-radius", "clustering", "the paper's fixed radius", clustering="fixed-radius"),
    *(
        Variant(f"points:{count}", "labels", f"{count} labelled points a scene", labels=f"points:{count}")
        for count in (200, 100, 50, 20)
    ),
    Variant(
        "one-point",
        "labels",
        "one labelled point an object, spread up to creases and other tints",
        labels="one-point",
    ),
    Variant("agreement", "labels", "the same in one frame, carried over to the next", labels="agreement"),
    Variant("oversegmentation", "labels", "pieces of smooth surface, no label by hand", labels="oversegmentation"),
)
"""All rows, in the order of the table."""

SLOW = ("paper-recompute",)
"""Rows that are trained only if named explicitly: a step takes a hundred times as long as for other rows."""


@dataclass(frozen=True, slots=True)
class AblationPlan:
    """Budget of the ablation, shared by all rows.

    Attributes:
        output: folder of all rows; cache: folder for simulated scenes, or None.
        steps: training steps of each run, one scene each; scenes: number of distinct ones among them; seed: of all
            randomness.
        max_voxels: voxel limit of a training example, half of a full run's, and of a measured scene.
        validation_scenes: number of scenes on which clustering constants and score are chosen; rows are measured on
            ``MEASURED`` times as many other scenes.
        workers: processes that simulate scenes.
    """

    output: Path
    cache: Path | None = None
    steps: int = 2_000
    scenes: int = 1_000
    seed: int = 0
    max_voxels: int = 6_000
    validation_scenes: int = 32
    workers: int = 1

    def terms(self, variant: Variant) -> dict[str, Any]:
        """Settings under which a finished row must have been measured to belong to this table."""
        terms = {
            "steps": self.steps, "scenes": self.scenes, "seed": self.seed, "simulator": simulator_version(),
            "max_voxels": self.max_voxels, "validation_scenes": self.validation_scenes,
            "measured_scenes": MEASURED * self.validation_scenes, "config": variant.config.to_dict(),
            "as_written": variant.as_written, "labels": variant.labels, "clustering": variant.clustering,
        }  # fmt: skip
        values: dict[str, Any] = json.loads(json.dumps(terms))  # tuples as lists, as they come back from a file
        return values


def select(names: str) -> list[Variant]:
    """The variants named in a list such as "mean,paper", in the order of the table; "all" selects all but ``SLOW``.

    The full network is always included, since the other rows are compared with it.

    Raises:
        ValueError: unknown name.
    """
    known = {variant.name for variant in VARIANTS}
    wanted = known - set(SLOW) if names == "all" else {name.strip() for name in names.split(",")}
    if wanted - known:
        told = ", ".join(variant.name for variant in VARIANTS)
        raise ValueError(f"rows: expected all or some of {told}, got {', '.join(sorted(wanted - known))!r}")
    return [variant for variant in VARIANTS if variant.name in wanted | {FULL}]


def run_ablation(plan: AblationPlan, variants: Sequence[Variant]) -> list[dict[str, Any]]:
    """Train and measure the variants that are not measured yet; the table is rewritten after every row.

    Returns:
        the finished rows, including those of earlier calls, in the order of the table.

    Raises:
        ValueError: ``plan.output`` holds a row or a checkpoint made with other settings.
    """
    finished_rows(plan)  # raises for rows of other settings before hours of training
    for variant in variants:
        path = _row_path(plan, variant)
        if path.exists():
            log.info("%s: measured before", variant.name)
            continue
        log.info("%s: %s", variant.name, variant.what)
        values = measure(plan, variant)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps({"terms": plan.terms(variant), **values}))
        partial.replace(path)
        write_tables(plan, finished_rows(plan))
    return finished_rows(plan)


def _row_path(plan: AblationPlan, variant: Variant) -> Path:
    return plan.output / "rows" / f"{variant.name.replace(':', '-')}.json"


def finished_rows(plan: AblationPlan) -> list[dict[str, Any]]:
    """The rows measured so far, in the order of the table.

    Raises:
        ValueError: a row was measured with settings other than the plan's.
    """
    rows = []
    for variant in VARIANTS:
        path = _row_path(plan, variant)
        if path.exists():
            row = json.loads(path.read_text())
            if row["terms"] != plan.terms(variant):
                differ = [key for key, value in plan.terms(variant).items() if row["terms"].get(key) != value]
                raise ValueError(f"{path}: measured under other terms ({', '.join(differ)}); give another --output")
            rows.append(row)
    return rows


def measure(plan: AblationPlan, variant: Variant) -> dict[str, Any]:
    """Train a variant or resume its training, choose its clustering constants and score, and measure it.

    Returns:
        its figures with intervals, bootstrap draws of AP50, number of parameters and training time in seconds.
    """
    training = SegmentationTraining(
        plan.output / variant.folder, plan.cache, steps=plan.steps, scenes=plan.scenes, seed=plan.seed,
        max_voxels=plan.max_voxels, workers=plan.workers, supervision=Supervision.parse(variant.labels),
        as_written=variant.as_written, validate_every=plan.steps, validation_scenes=plan.validation_scenes,
    )  # fmt: skip
    network, story = train_segmentation(training, variant.config, resume=True)
    chosen_on = embed_scenes(network, plan.seed, plan.validation_scenes, plan.cache, plan.max_voxels)
    constants = choose_constants(chosen_on, variant.clustering)
    score = choose_score(chosen_on, constants, variant.clustering)
    seed, count = plan.seed + MEASURING_SEED_OFFSET, MEASURED * plan.validation_scenes
    scenes = embed_scenes(network, seed, count, plan.cache, plan.max_voxels)
    rows = [score_scene(scene, constants, variant.clustering, score, str(k)) for k, scene in enumerate(scenes)]
    figures = tabulate(rows)
    return {
        "name": variant.name,
        "figures": {name: [_known(v) for v in (f.value, f.low, f.high)] for name, f in figures.items()},
        "ap50_draws": [_known(value) for value in resample(rows)["ap50"].round(5).tolist()],
        "clustering": asdict(constants),
        "score": asdict(score),
        "parameters": sum(p.numel() for p in network.parameters()),
        "seconds": story["seconds"],
    }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def choose_constants(scenes: Sequence[Embedded], method: ClusteringMethod) -> ClusteringConfig:
    """Choose a row's clustering constants on validation scenes; each row has its own, so that none is at a disadvantage
    from constants tuned for another network. The radius of the paper's methods, which are slow, is chosen on a quarter
    of the scenes."""
    constants, _ = tune_clustering(scenes, rounds=1)
    if method == "fast":
        return constants

    def overlap_f(radius: float) -> float:
        tried = replace(constants, radius=radius)
        rows = [score_scene(scene, tried, method, ScoreModel()) for scene in scenes[: max(1, len(scenes) // 4)]]
        return float(np.mean([row.masks.overlap.f for row in rows if row.masks is not None]))

    return replace(constants, radius=max(RADII, key=overlap_f))


def choose_score(scenes: Sequence[Embedded], constants: ClusteringConfig, method: ClusteringMethod) -> ScoreModel:
    """Fit the score model of a row on the objects found in validation scenes; each row has its own, since average
    precision ranks by the score."""
    features, hits = [np.empty((0, len(SCORE_FEATURES)))], [np.empty(0, bool)]
    for scene in scenes:
        things = [s for s in _segments(scene, constants, method, ScoreModel()) if s.kind == "object"]
        features += [segment.features[None] for segment in things]
        hits.append(hits_of(things, scene.example.truth.numpy(), _are_surfaces(scene)))
    return fit_score(np.concatenate(features), np.concatenate(hits))


def _segments(
    scene: Embedded, constants: ClusteringConfig, method: ClusteringMethod, score: ScoreModel
) -> list[Segment]:
    """The instances of an embedded scene, objects first."""
    neighbors = scene.example.hierarchy.levels[0].neighbors.numpy()
    constants = constants.for_cloud(scene.is_scan)
    objects, surfaces = cluster(scene.e, scene.surface, scene.bonds, neighbors, method, constants)
    graph = scene.bonds, neighbors
    return find_segments(objects, surfaces, scene.e, scene.surface, *graph, scene.example.grid, score)


def score_scene(
    scene: Embedded, constants: ClusteringConfig, method: ClusteringMethod, score: ScoreModel, name: str = ""
) -> Row:
    """Cluster an embedded scene and compare it with the ground truth.

    Average precision is class-agnostic, computed over points by ScanNet's protocol: surfaces are void, and predicted
    objects and surfaces both count as predictions. Masks are scored over voxels.
    """
    example = scene.example
    segments = _segments(scene, constants, method, score)
    of_voxel = np.full(len(scene.e) + 1, -1, np.int64)  # extra element: inverse -1 reads -1
    for k, segment in enumerate(segments):
        of_voxel[segment.voxels] = k
    is_object = np.array([segment.kind == "object" for segment in segments] + [False])
    predicted, scores = of_voxel[example.grid.inverse], [segment.score for segment in segments]
    true, surface = _point_truth(scene)
    on_object = is_object[predicted]
    hits = scan_overlap(np.where(on_object, predicted, -1), scores, true)
    return Row(
        name, scan_overlap(predicted, scores, true), *scored_hits(hits),
        adjusted_rand_index(np.where(on_object, predicted, -1), true), surface_confusion(on_object, surface),
        score_voxels(example, np.where(is_object[of_voxel[:-1]], of_voxel[:-1], -1)), 0.0,
    )  # fmt: skip


def _are_surfaces(scene: Embedded) -> NDArray[np.bool_]:
    """(E + 1,) bool, whether each of a scene's E entities is a surface; the last, False, is what index -1 reads."""
    truth, instance = scene.example.truth.numpy(), scene.example.instance
    kinds = np.zeros(int(max(instance.max(initial=0), truth.max(initial=0))) + 2, bool)
    kinds[truth[scene.example.is_surface.numpy()]] = True
    kinds[-1] = False
    return kinds


def _point_truth(scene: Embedded) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(N,) true object of each point from 1 up, 0 for void, and (N,) kind: 1 surface, 0 object, -1 unknown."""
    instance = scene.example.instance
    on_surface = _are_surfaces(scene)[instance]
    true = np.where((instance < 0) | on_surface, 0, instance + 1)
    return true, np.where(instance < 0, -1, on_surface.astype(np.int64))


# The table ----------------------------------------------------------------------------------------------------------

_TITLES: dict[Group, str] = {
    "network": "The network without a piece",
    "clustering": "The same network, clustered otherwise",
    "labels": "The same network, learned from weaker labels",
}


def write_tables(plan: AblationPlan, rows: Sequence[dict[str, Any]]) -> None:
    """Write ``ablation.md`` and ``ablation.json`` to the output folder."""
    plan.output.mkdir(parents=True, exist_ok=True)
    (plan.output / "ablation.md").write_text(markdown(rows) + "\n", encoding="utf-8")
    values = [{key: value for key, value in row.items() if key != "ap50_draws"} for row in rows]
    (plan.output / "ablation.json").write_text(json.dumps({"version": 1, "rows": values}, indent=1) + "\n")


def markdown(rows: Iterable[dict[str, Any]]) -> str:
    """The finished rows as a Markdown table, in percent; cells that need a missing row show a dash."""
    done = {row["name"]: row for row in rows}
    lines = [
        "| row | what differs | AP50 (95 %) | to full (95 %) | of full (95 %) | overlap F | parameters | minutes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    group: Group | None = None
    for variant in VARIANTS:
        if variant.group != group:
            group = variant.group
            lines.append(f"| **{_TITLES[group]}** | | | | | | | |")
        if variant.name in done:
            lines.append(_line(variant, done[variant.name], done.get(FULL)))
    missing = [variant.name for variant in VARIANTS if variant.name not in done]
    return "\n".join([*lines, *([f"\nNot measured: {', '.join(missing)}."] if missing else [])])


def _line(variant: Variant, row: dict[str, Any], full: dict[str, Any] | None) -> str:
    ap50, overlap = row["figures"]["ap50"], row["figures"]["overlap_f"]
    difference = share = "-"
    if full is not None and full is not row:
        base = full["figures"]["ap50"][0]
        draws, bases = (np.array(values["ap50_draws"], float) for values in (row, full))
        if ap50[0] is not None and base is not None:
            difference = _cell([ap50[0] - base, *interval(draws - bases)], sign="+")
            low, high = interval(draws[bases > 0] / bases[bases > 0])
            share = f"{ap50[0] / base:.2f} ({low:.2f} to {high:.2f})" if base else "-"
    cells = [
        variant.name, variant.what, _cell(ap50), difference, share, _cell(overlap[:1]),
        f"{row['parameters'] / 1e6:.2f} M", f"{row['seconds'] / 60:.0f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _cell(values: Sequence[float | None], sign: str = "") -> str:
    """Format a value in percent, with its interval if it has one."""
    value, *ends = [float("nan") if v is None else 100 * v for v in values]
    if np.isnan(value):
        return "-"
    told = f"{value:{sign}.1f}"
    return told if not ends or np.isnan(ends).any() else f"{told} ({ends[0]:{sign}.1f} to {ends[1]:{sign}.1f})"
