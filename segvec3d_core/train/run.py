"""``segvec3d train``: both stages, resumable, from a seed to one weight file."""

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
from ..network import NetworkConfig
from ..pipeline import SegVec3D
from .alignment import AlignmentTraining, train_alignment
from .segmentation import SegmentationTraining, train_segmentation
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


def run(args: Namespace) -> int:
    """Train what ``args`` asks for; see ``segvec3d train --help``.

    Args:
        args: output, cache, scenes, steps, seed, workers, threads, resume, stage, labels, alignment_scenes,
            alignment_steps.

    Returns:
        0; the weights then lie at ``output/segvec3d.safetensors``.
    """
    logging.getLogger("segvec3d_core").setLevel(logging.INFO)
    torch.set_num_threads(args.threads)
    output = Path(args.output)
    cache = Path(args.cache) if args.cache else None
    weights = output / "segvec3d.safetensors"
    backbone = output / "backbone.safetensors"
    record: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "commit": _commit(), "machine": _machine()}
    if args.stage in ("segmentation", "all"):
        plan = SegmentationTraining(
            output, cache, args.steps, args.scenes, args.seed, workers=args.workers,
            supervision=Supervision.parse(args.labels),
        )  # fmt: skip
        network, story = train_segmentation(plan, NetworkConfig(), args.resume)
        model = SegVec3D(network, Alignment(AlignmentConfig(features=network.config.features)), device="cpu")
        model.save(backbone, {**record, "labels": args.labels, "segmentation": story})
        log.info("backbone written to %s", backbone)
    if args.stage in ("alignment", "all"):
        base = load_checkpoint(backbone)
        alignment_plan = AlignmentTraining(
            output, cache, args.seed, args.alignment_scenes, steps=args.alignment_steps, workers=args.workers
        )
        model, story = train_alignment(alignment_plan, backbone)
        model.save(weights, {**base.record, "alignment": story})
        log.info("weights written to %s", weights)
    return 0
