"""``segvec3d train``: from a seed to one weight file.

An interrupted run resumes with the stage that it was in: the first stage from its last checkpoint, the others, of which
grouping and alignment also take hours, from their beginning; with a cache, they process no scene twice.
"""

from __future__ import annotations

import logging
import os
import platform
import subprocess
from argparse import Namespace
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from ..alignment import Alignment
from ..checkpoint import fingerprint, load_checkpoint, save_checkpoint
from ..config import AlignmentConfig, NetworkConfig
from ..grouping_network import SuperpointNetwork
from ..pipeline import SegVec3D
from ..threads import use_threads
from .alignment import AlignmentTraining, recalibrate, train_alignment
from .bonds import train_bonds
from .grouping import GroupingTraining, train_again, train_grouping
from .mixture import mix
from .resume import terms_of, unmade
from .samples import simulator_version
from .segmentation import SegmentationTraining, train_segmentation
from .tuning import embed_scenes, tune_clustering
from .weak import Supervision

log = logging.getLogger(__name__)


def _commit() -> str:
    """Commit of the code, with a plus if the working tree differs from it; "unknown" outside a checkout."""
    here = Path(__file__).parent
    try:
        run = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12"], cwd=here, capture_output=True, text=True
        )
    except OSError:
        return "unknown"
    return run.stdout.strip() or "unknown"


def _machine() -> str:
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given; defaults of the others are in the stages' plans."""
    return {key: value for key, value in options.items() if value is not None}


def _left_out(nouns: str | None) -> tuple[str, ...] | None:
    """The categories of ``--without``, None if not given.

    Raises:
        ValueError: a category that the simulator does not have, or none named.
    """
    if nouns is None:
        return None
    from ..simulate import FAMILIES

    names = tuple(noun.strip() for noun in nouns.split(",") if noun.strip())
    unknown = set(names) - {family.category for family in FAMILIES}
    if unknown or not names:
        raise ValueError(f"--without: expected categories that the simulator makes, got {nouns!r}")
    return names


def _check_starts(args: Namespace) -> None:
    """Check that the later stages can start from the weights given, before hours of training.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file holds no weights of that stage, untrained ones, or ones of another shape;
            ``--alignment-keep`` out of range or without ``--alignment-start``.
    """
    for stage, module in (("grouping", SuperpointNetwork()), ("alignment", Alignment())):
        path = getattr(args, f"{stage}_start")
        if path is None:
            continue
        checkpoint = load_checkpoint(Path(path))
        if stage not in checkpoint.record:
            raise ValueError(f"--{stage}-start: {path} tells of no training of the {stage}")
        checkpoint.fill(stage, module)
    keep = args.alignment_keep
    if keep is not None and not (0 <= keep < 1 and args.alignment_start is not None):
        raise ValueError(f"--alignment-keep: expected 0 to 1 of the weights of --alignment-start, got {keep}")


def run(args: Namespace) -> int:
    """Run the training stages that ``args`` asks for; see ``segvec3d train --help``.

    Args:
        args: output, cache, start, frames, split, labelled_points, scenes, steps, learning_rate, max_voxels, seed,
            workers, threads, resume, stage, labels, keep, grouping_scenes, grouping_steps, grouping_start,
            alignment_scenes, alignment_steps, alignment_start, alignment_keep, validation_scenes, without,
            without_pairs; None stands for the default.

    Returns:
        0; after all stages, the weights are in ``output/segvec3d.safetensors``.

    Raises:
        ValueError: unknown ``labels``, or both these and ``labelled_points``; an unknown category in ``without``;
            alignment before grouping; calibration of an alignment that reads another network; weights to start from or
            to mix of another shape; bonds, pairs or kinds of unfinished weights; resuming a run with other settings.
        FileNotFoundError: a later stage without the first, or weights to start from that do not exist.
    """
    logging.getLogger("segvec3d_core").setLevel(logging.INFO)
    use_threads(args.threads or max(1, (os.cpu_count() or 1) - args.workers))
    _left_out(args.without)  # raises before hours of training
    _check_starts(args)
    stages = {
        "segmentation": _segment,
        "clustering": _cluster,
        "grouping": _group,
        "alignment": _align,
        "bonds": _learn_bonds,
        "pairs": _learn_again,
        "kinds": _learn_again,
        "mixture": _mix,
        "calibration": _calibrate,
    }
    backbone = Path(args.output) / "backbone.safetensors"
    for name in _asked(args, backbone):
        stages[name](args, backbone)
    return 0


def _asked(args: Namespace, backbone: Path) -> list[str]:
    """The stages to run, in order; a resumed run skips those that are finished."""
    if args.stage != "all":
        return [args.stage]
    terms = {
        "segmentation": _segmentation(args).terms(),
        "clustering": _clustering_terms(args),
        "grouping": terms_of(_grouping(args)),
        "alignment": terms_of(_alignment(args)),
    }
    return unmade(terms, backbone, Path(args.output) / "segvec3d.safetensors") if args.resume else list(terms)


def _common(args: Namespace) -> dict[str, Any]:
    """Options common to all stages."""
    return {"cache": Path(args.cache) if args.cache else None, "seed": args.seed} | _given(
        workers=args.workers, validation_scenes=args.validation_scenes
    )


def _unseen(args: Namespace) -> dict[str, Any]:
    """Options of the stages on a frozen backbone. They use the scenes of the next seed, since the backbone's output on
    its own training scenes is too good. If all stages are run, ``--learning-rate`` applies to the first alone."""
    rate = None if args.stage == "all" else args.learning_rate
    return {**_common(args), "seed": args.seed + 1} | _given(learning_rate=rate)


def _supervision(args: Namespace) -> Supervision | None:
    """Supervision of the first stage, None for full labels.

    Raises:
        ValueError: unknown ``labels``, or both these and ``labelled_points``.
    """
    if args.labelled_points is None:
        return Supervision.parse(args.labels)
    if args.labels != "full":
        raise ValueError(f"--labelled-points: they are the labels, not {args.labels}")
    return Supervision("listed")


def _segmentation(args: Namespace) -> SegmentationTraining:
    options = _given(steps=args.steps, scenes=args.scenes, learning_rate=args.learning_rate, max_voxels=args.max_voxels)
    files = _given(start=args.start, frames=args.frames, split=args.split, labelled_points=args.labelled_points)
    paths: dict[str, Any] = {name: Path(file) for name, file in files.items()}
    return SegmentationTraining(Path(args.output), **_common(args), **options, **paths, supervision=_supervision(args))


def _segment(args: Namespace, backbone: Path) -> None:
    plan = _segmentation(args)
    labels = args.labels if plan.labelled_points is None else plan.labelled_points.name
    record = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "commit": _commit(), "machine": _machine(), "labels": labels}
    network, story = train_segmentation(plan, NetworkConfig(), args.resume)
    model = SegVec3D(network, Alignment(AlignmentConfig(features=network.config.features)), device="cpu")
    model.save(backbone, {**record, "segmentation": story})
    log.info("backbone written to %s", backbone)


def _clustering_terms(args: Namespace) -> dict[str, Any]:
    """Settings that determine the result of this stage, as ``terms_of`` for the later ones."""
    scenes = args.validation_scenes or AlignmentTraining(Path(args.output)).validation_scenes
    return {"seed": args.seed, "validation_scenes": scenes, "simulator": simulator_version()}


def _cluster(args: Namespace, backbone: Path) -> None:
    base, model = load_checkpoint(backbone), SegVec3D.load(backbone, device="cpu")
    terms = _clustering_terms(args)
    rows = embed_scenes(model.network, terms["seed"], terms["validation_scenes"], _common(args)["cache"])
    constants, story = tune_clustering(rows, start=model.clustering)
    model.with_clustering(constants).save(backbone, {**base.record, "clustering": {"terms": terms, **story}})


def _grouping(args: Namespace) -> GroupingTraining:
    options = _given(scenes=args.grouping_scenes, steps=args.grouping_steps, start=args.grouping_start)
    return GroupingTraining(**_unseen(args), **options)


def _group(args: Namespace, backbone: Path) -> None:
    plan = _grouping(args)
    later = ("alignment", "bonds", "pairs", "kinds", "mixture")
    record = {k: v for k, v in load_checkpoint(backbone).record.items() if k not in later}
    model, story = train_grouping(plan, backbone)
    model.save(backbone, {**record, "grouping": {"commit": _commit(), "terms": terms_of(plan), **story}})


def _alignment(args: Namespace) -> AlignmentTraining:
    options = _given(
        scenes=args.alignment_scenes, steps=args.alignment_steps, start=args.alignment_start,
        keep=args.alignment_keep, without=_left_out(args.without), without_pairs=args.without_pairs,
    )  # fmt: skip
    return AlignmentTraining(Path(args.output), **_unseen(args), **options)


def _align(args: Namespace, backbone: Path) -> None:
    base, weights = load_checkpoint(backbone), Path(args.output) / "segvec3d.safetensors"
    if "grouping" not in base.record:
        raise ValueError(f"alignment: {backbone} cannot group yet, run --stage grouping first")
    plan = _alignment(args)
    model, story = train_alignment(plan, backbone)
    model.save(weights, {**base.record, "alignment": {"commit": _commit(), "terms": terms_of(plan), **story}})
    log.info("weights written to %s", weights)


def _learn_again(args: Namespace, backbone: Path) -> None:
    """Train pairs or kinds of finished weights further, those of ``--start`` or those in ``output``."""
    options = _given(scenes=args.grouping_scenes, steps=args.grouping_steps)
    plan = GroupingTraining(**_unseen(args), **options)
    _finished(args, backbone, lambda start: train_again(args.stage, plan, start))


def _learn_bonds(args: Namespace, backbone: Path) -> None:
    """Retrain the bonds of finished weights, those of ``--start`` or those in ``output``."""
    options = _given(scenes=args.scenes, steps=args.steps, max_voxels=args.max_voxels)
    plan = SegmentationTraining(Path(args.output), **_unseen(args), **options)
    _finished(args, backbone, lambda start: train_bonds(plan, start))


def _finished(args: Namespace, backbone: Path, learn: Callable[[Path], tuple[SegVec3D, dict[str, Any]]]) -> None:
    """Train finished weights further by ``learn`` and save the result both as the backbone and as the weights."""
    weights = Path(args.output) / "segvec3d.safetensors"
    start = Path(args.start) if args.start else weights
    record = load_checkpoint(start).record
    if "alignment" not in record:
        raise ValueError(f"{args.stage}: {start} holds no finished weights, run the other stages first")
    told = {"commit": _commit(), "start": fingerprint(start)}
    model, story = learn(start)
    for path in (backbone, weights):
        model.save(path, {**record, args.stage: {**told, **story}})
    log.info("weights written to %s", weights)


def _mix(args: Namespace, backbone: Path) -> None:
    """Mix the weights in ``output`` with those of ``--start`` and save the result both as the backbone and as the
    weights."""
    weights = Path(args.output) / "segvec3d.safetensors"
    if args.start is None or args.keep is None:
        raise ValueError("mixture: --start names the weights to mix in, --keep how much of them")
    mixture = mix(weights, Path(args.start), args.keep)
    mixture.record["mixture"]["commit"] = _commit()
    for path in (backbone, weights):
        save_checkpoint(mixture, path)


def _calibrate(args: Namespace, backbone: Path) -> None:
    base, weights = load_checkpoint(backbone), Path(args.output) / "segvec3d.safetensors"
    record = load_checkpoint(weights).record["alignment"]
    model, figures = recalibrate(AlignmentTraining(Path(args.output), **_unseen(args)), backbone, weights)
    model.save(weights, {**base.record, "alignment": {**record, "calibrated": _commit(), "validation": figures}})
    log.info("weights written to %s", weights)
