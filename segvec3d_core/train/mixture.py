"""Weights between those that training began with and those that it ended with.

What is learned from other scenes costs some of what was known of the earlier ones; on the way between the two networks
most of both is kept (Wortsman et al., Robust fine-tuning of zero-shot models, 2022).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..checkpoint import Checkpoint, fingerprint, load_checkpoint


def mix(weights: Path, start: Path, keep: float) -> Checkpoint:
    """All networks of ``weights``, a share ``keep`` of the way back to those of ``start``, and the threshold and the
    scores with them, so that they mean what they mean between the scenes of both; other constants are ``weights``' own.

    Returns:
        the mixture, whose record tells what it was made of.

    Raises:
        FileNotFoundError: no file at either.
        ValueError: no share, or networks of two shapes.
    """
    if not 0 < keep < 1:
        raise ValueError(f"--keep: expected a share between 0 and 1, got {keep}")
    ours, theirs = load_checkpoint(weights), load_checkpoint(start)
    shapes = [{name: value.shape for name, value in each.arrays.items()} for each in (ours, theirs)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"mixture: {start} has networks of another shape than {weights}")
    arrays = {
        name: _between(value.astype(np.float32), theirs.arrays[name].astype(np.float32), keep).astype(value.dtype)
        for name, value in ours.arrays.items()
    }
    told: dict[str, Any] = {"kept": keep, "of": fingerprint(weights), "start": fingerprint(start)}
    config = {**ours.config, **{k: _between(ours.config[k], theirs.config[k], keep) for k in ("threshold", "score")}}
    return replace(ours, arrays=arrays, config=config, record={**ours.record, "mixture": told})


def _between(ours: Any, theirs: Any, keep: float) -> Any:
    """Numbers, in lists and by names, a share ``keep`` of the way from ``ours`` to ``theirs``."""
    if isinstance(ours, dict):
        return {name: _between(value, theirs[name], keep) for name, value in ours.items()}
    if isinstance(ours, list):
        return [_between(a, b, keep) for a, b in zip(ours, theirs, strict=True)]
    return ours + keep * (theirs - ours)
