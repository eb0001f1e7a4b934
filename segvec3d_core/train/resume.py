"""Resuming an interrupted run of all stages: the record of each finished stage holds the settings that it was made
with (its terms), so that the run continues with the first stage missing."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..checkpoint import load_checkpoint
from .alignment import AlignmentTraining
from .grouping import GroupingTraining
from .samples import simulator_version

log = logging.getLogger(__name__)

ASIDE = {"output", "cache", "workers"}
"""Fields of a plan that do not affect the result."""


def terms_of(plan: GroupingTraining | AlignmentTraining) -> dict[str, Any]:
    """Settings that determine the result of grouping or alignment, as they read after a round trip through JSON."""
    values = {key: value for key, value in asdict(plan).items() if key not in ASIDE}
    start = None if plan.start is None else Path(plan.start).name
    told: dict[str, Any] = json.loads(json.dumps({**values, "start": start, "simulator": simulator_version()}))
    return told


def unmade(terms: dict[str, dict[str, Any]], backbone: Path, weights: Path) -> list[str]:
    """The stages that remain to be run: the first that the files do not hold, and all after it.

    Args:
        terms: settings of each stage, in order; backbone: weight file of all stages but the last.
        weights: weight file of all stages.

    Raises:
        ValueError: a stage after the first was made with other settings.
    """
    record, last = _record_of(backbone), _record_of(weights)
    record.pop("alignment", None)
    if all(last.get(key) == value for key, value in record.items()):  # else the alignment belongs to another backbone
        record["alignment"] = last.get("alignment", {})
    stages = list(terms)
    for count, (stage, wanted) in enumerate(terms.items()):
        told = record.get(stage, {}).get("terms")
        if told == wanted:
            log.info("%s: made already, under these terms", stage)
            continue
        if told is not None and count > 0:  # the first stage resumes from a checkpoint and checks these itself
            differ = ", ".join(key for key in told | wanted if told.get(key) != wanted.get(key))
            raise ValueError(
                f"resume: the {stage} in {backbone.parent} was made under other terms ({differ}): "
                f"give another --output, or --stage {stage} to make it anew"
            )
        return stages[count:]
    return []


def _record_of(path: Path) -> dict[str, Any]:
    """The training record of a weight file, empty if there is no file."""
    return load_checkpoint(path).record if path.exists() else {}
