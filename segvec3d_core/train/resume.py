"""An interrupted run of all stages goes on with the stage that it was in: the record of each tells its terms."""

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
"""What of a plan changes nothing of what comes out."""


def terms_of(plan: GroupingTraining | AlignmentTraining) -> dict[str, Any]:
    """What the outcome of a later stage hangs on, as JSON gives it back."""
    values = {key: value for key, value in asdict(plan).items() if key not in ASIDE}
    start = None if plan.start is None else Path(plan.start).name
    told: dict[str, Any] = json.loads(json.dumps({**values, "start": start, "simulator": simulator_version()}))
    return told


def unmade(terms: dict[str, dict[str, Any]], backbone: Path, weights: Path) -> list[str]:
    """The stages that are still to be made: from the first on that the files do not hold.

    Args:
        terms: of each stage, in order; backbone: file of all stages but the last; weights: file of all.

    Raises:
        ValueError: a stage after the first was made under other terms.
    """
    record, last = _record_of(backbone), _record_of(weights)
    record.pop("alignment", None)
    if all(last.get(key) == value for key, value in record.items()):  # else it is the alignment of other weights
        record["alignment"] = last.get("alignment", {})
    stages = list(terms)
    for count, (stage, wanted) in enumerate(terms.items()):
        told = record.get(stage, {}).get("terms")
        if told == wanted:
            log.info("%s: made already, under these terms", stage)
            continue
        if told is not None and count > 0:  # the first goes on from a checkpoint, and sees to its terms itself
            differ = ", ".join(key for key in told | wanted if told.get(key) != wanted.get(key))
            raise ValueError(
                f"resume: the {stage} in {backbone.parent} was made under other terms ({differ}): "
                f"give another --output, or --stage {stage} to make it anew"
            )
        return stages[count:]
    return []


def _record_of(path: Path) -> dict[str, Any]:
    """What a weight file tells of its making; nothing where there is none."""
    return load_checkpoint(path).record if path.exists() else {}
