"""Run a function of a trained model on many scenes in parallel processes, with the results cached on disk."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ..pipeline import SegVec3D
from ..threads import use_threads
from .samples import Sample, load_sample

Look = Callable[[SegVec3D, Sample, int, np.random.Generator], Any]
"""Function of model, scene, scene index and random generator. It must be defined at module level, as it is sent to
other processes, and its result must be loadable by ``torch.load(weights_only=True)``."""

_worker_model: SegVec3D | None = None


def _start_worker(weights: str) -> None:
    global _worker_model
    use_threads(1)
    _worker_model = SegVec3D.load(weights, device="cpu")


def _fingerprint(weights: Path) -> str:
    """Hash of what a result depends on: the weights and the package's sources."""
    package = Path(__file__).parents[1]
    files = [weights, *sorted(package.rglob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _work(task: tuple[Look, int, int, str | None, str]) -> bytes:
    """Process one scene in a worker, or read its cached result; returned as bytes, which need no shared memory."""
    look, seed, index, cache, maker = task
    kept = None if cache is None else Path(cache) / f"{look.__name__}-{maker}-{seed}-{index}.pt"
    if kept is not None and kept.exists():
        return kept.read_bytes()
    assert _worker_model is not None
    rng = np.random.default_rng([seed, 2, index])
    sample = load_sample(seed, index, None if cache is None else Path(cache))
    buffer = io.BytesIO()
    torch.save(look(_worker_model, sample, index, rng), buffer)
    if kept is not None:
        partial = kept.with_suffix(f".{os.getpid()}.part")
        partial.write_bytes(buffer.getvalue())
        partial.replace(kept)
    return buffer.getvalue()


def look_at_scenes(
    look: Look, weights: Path, seed: int, indices: range, cache: Path | None, workers: int, title: str
) -> Iterator[Any]:
    """Apply ``look`` to many scenes; yields the results in order.

    Args:
        seed, indices: which simulated scenes, see ``simulate_sample``.
        cache: folder for scenes and results, for a second run with the same weights; None keeps nothing.
        workers: number of processes; if fewer, one for each core is used, up to eight.
        title: label of the progress bar.
    """
    maker = _fingerprint(weights)
    tasks = [(look, seed, index, None if cache is None else str(cache), maker) for index in indices]
    with ProcessPoolExecutor(
        max(workers, min(os.cpu_count() or 1, 8)), get_context("spawn"), initializer=_start_worker,
        initargs=(str(weights),),
    ) as pool:  # fmt: skip
        for blob in tqdm(
            pool.map(_work, tasks, chunksize=4), total=len(tasks), desc=title, unit="scene", mininterval=5
        ):
            yield torch.load(io.BytesIO(blob), weights_only=True)
