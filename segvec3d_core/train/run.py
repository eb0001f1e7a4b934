"""``segvec3d train``: from a seed to one weight file; the first stage is resumable, the others are short."""

from __future__ import annotations

import logging
import os
import platform
import subprocess
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from ..alignment import Alignment, AlignmentConfig
from ..checkpoint import load_checkpoint
from ..config import NetworkConfig
from ..pipeline import SegVec3D
from .alignment import AlignmentTraining, train_alignment
from .data import use_threads
from .grouping import GroupingTraining, train_grouping
from .segmentation import SegmentationTraining, train_segmentation
from .tuning import tune_clustering
from .weak import Supervision

log = logging.getLogger(__name__)


def _commit() -> str:
    """The commit that trains, with a plus when the tree differs from it; "unknown" outside a checkout."""
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
    """The options that were given; the plans of the stages hold the defaults of the rest."""
    return {key: value for key, value in options.items() if value is not None}


def _left_out(nouns: str | None) -> tuple[str, ...] | None:
    """The categories of ``--without``.

    Raises:
        ValueError: the simulator makes no such thing.
    """
    if nouns is None:
        return None
    from ..simulate import FAMILIES

    names = tuple(noun.strip() for noun in nouns.split(",") if noun.strip())
    unknown = set(names) - {family.category for family in FAMILIES}
    if unknown or not names:
        raise ValueError(f"--without: expected categories that the simulator makes, got {nouns!r}")
    return names


def run(args: Namespace) -> int:
    """Train what ``args`` asks for; see ``segvec3d train --help``.

    Args:
        args: output, cache, start, frames, scenes, steps, learning_rate, max_voxels, seed, workers, threads, resume,
            stage, labels, grouping_scenes, grouping_steps,
            alignment_scenes, alignment_steps, validation_scenes, without; None stands for the default.

    Returns:
        0; the weights then lie at ``output/segvec3d.safetensors``.

    Raises:
        ValueError: an unknown kind of ``labels``, or of things to train ``without``; the alignment before the grouping.
        FileNotFoundError: a later stage without the first.
    """
    logging.getLogger("segvec3d_core").setLevel(logging.INFO)
    use_threads(args.threads or max(1, (os.cpu_count() or 1) - args.workers))
    without = _left_out(args.without)
    output = Path(args.output)
    cache = Path(args.cache) if args.cache else None
    common = {"output": output, "cache": cache, **_given(seed=args.seed, workers=args.workers)}
    common |= _given(validation_scenes=args.validation_scenes)
    backbone, weights = output / "backbone.safetensors", output / "segvec3d.safetensors"
    record: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "commit": _commit(), "machine": _machine()}
    if args.stage in ("segmentation", "all"):
        plan = SegmentationTraining(
            **common,
            **_given(
                steps=args.steps, scenes=args.scenes, learning_rate=args.learning_rate, max_voxels=args.max_voxels
            ),
            start=Path(args.start) if args.start else None,
            frames=Path(args.frames) if args.frames else None,
            supervision=Supervision.parse(args.labels),
        )
        network, story = train_segmentation(plan, NetworkConfig(), args.resume)
        model = SegVec3D(network, Alignment(AlignmentConfig(features=network.config.features)), device="cpu")
        model.save(backbone, {**record, "labels": args.labels, "segmentation": story})
        log.info("backbone written to %s", backbone)
    if args.stage in ("clustering", "all"):
        trained = SegVec3D.load(backbone, device="cpu")
        scenes = args.validation_scenes or AlignmentTraining(output).validation_scenes
        constants, story = tune_clustering(trained.network, args.seed, scenes, cache, start=trained.clustering)
        trained.with_clustering(constants).save(backbone, {**load_checkpoint(backbone).record, "clustering": story})
    if args.stage in ("grouping", "all"):
        base = load_checkpoint(backbone)
        # On scenes that the backbone learned from its superpoints are too good, so the next seed's are taken.
        grouping = GroupingTraining(
            cache, args.seed + 1,
            **_given(
                scenes=args.grouping_scenes, steps=args.grouping_steps, validation_scenes=args.validation_scenes,
                workers=args.workers,
            ),
        )  # fmt: skip
        model, story = train_grouping(grouping, backbone)
        model.save(backbone, {**base.record, "grouping": story})
    if args.stage in ("alignment", "all"):
        base = load_checkpoint(backbone)
        if "grouping" not in base.record:
            raise ValueError(f"alignment: {backbone} cannot group yet, run --stage grouping first")
        options = _given(scenes=args.alignment_scenes, steps=args.alignment_steps, without=without)
        model, story = train_alignment(AlignmentTraining(**common, **options), backbone)
        model.save(weights, {**base.record, "alignment": story})
        log.info("weights written to %s", weights)
    return 0
