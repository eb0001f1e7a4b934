"""Interpolation between the weights that training started from and those that it ended with.

Training on other scenes forgets part of what was learned on the earlier ones; interpolated weights keep most of both
(Wortsman et al., Robust fine-tuning of zero-shot models, 2022).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..checkpoint import Checkpoint, fingerprint, load_checkpoint


def mix(weights: Path, start: Path, keep: float) -> Checkpoint:
    """Interpolate all networks from ``weights`` towards ``start`` by the share ``keep``, and with them the threshold
    and the score model, so that both stay calibrated between the two; other constants are taken from ``weights``.

    Returns:
        the mixture, whose record names both sources.

    Raises:
        FileNotFoundError: either file is missing.
        ValueError: ``keep`` is not between 0 and 1, or the networks differ in shape.
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
    """Interpolate numbers, arrays, and lists and dictionaries of them, from ``ours`` towards ``theirs`` by ``keep``."""
    if isinstance(ours, dict):
        return {name: _between(value, theirs[name], keep) for name, value in ours.items()}
    if isinstance(ours, list):
        return [_between(a, b, keep) for a, b in zip(ours, theirs, strict=True)]
    return ours + keep * (theirs - ours)
