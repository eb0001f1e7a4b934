"""Shared by several commands: model and configuration from the arguments, machine information, progress bars."""

from __future__ import annotations

import os
import platform
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from segvec3d_core import __version__
from segvec3d_core.config import SegmentationConfig
from segvec3d_core.device import gpu_name
from segvec3d_core.pipeline import SegVec3D

T = TypeVar("T")


def load_model(args: Namespace) -> SegVec3D:
    """Load the model given by --model and --device."""
    return SegVec3D.load(args.model, args.device)


def configuration(args: Namespace) -> SegmentationConfig:
    """Default segmentation configuration, changed by the arguments; --max-voxels applies to both frames and scans.

    Raises:
        ValueError: an invalid argument, by its name on the command line.
    """
    known = {field.name for field in fields(SegmentationConfig)}
    changes = {key: value for key, value in vars(args).items() if key in known and value is not None}
    if "max_voxels" in changes:
        changes["max_scan_voxels"] = changes["max_voxels"]
    if not changes.get("max_range", 1) > 0:
        raise ValueError(f"--max-range: expected more than 0, got {changes['max_range']}")
    if not 0 <= changes.get("min_score", 0) <= 1:
        raise ValueError(f"--min-score: expected 0 to 1, got {changes['min_score']}")
    try:
        return SegmentationConfig(**changes)
    except ValueError as error:
        field, _, reason = str(error).partition(":")
        raise ValueError(f"--{field.replace('_', '-')}:{reason}") from None


def at_least(name: str, value: int, least: int) -> int:
    """Return the value of the argument ``name``.

    Raises:
        ValueError: it is less than ``least``.
    """
    if value < least:
        raise ValueError(f"{name}: expected at least {least}, got {value}")
    return value


def progress(items: Iterable[T], text: str, total: int | None = None) -> Iterable[T]:
    """Iterate over the items, with a progress bar on standard error if that is a terminal."""
    from tqdm import tqdm

    return tqdm(items, desc=text, total=total, disable=None, leave=False)


def machine() -> dict[str, Any]:
    """Hardware and software that the figures of a run depend on."""
    import numba

    from ..kernels import bfloat16

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "segvec3d": __version__,
        "cpu": _cpu_name(),
        "cores": cores,
        "gpu": gpu_name(),
        "threads": numba.get_num_threads(),
        "bfloat16": bfloat16.multiplier(),
        "python": platform.python_version(),
        "torch": version_of("torch"),
    }


def version_of(package: str) -> str | None:
    """Version of an installed package, which is not imported for it; None if it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def peak_memory() -> int:
    """Peak resident memory of the process so far, bytes."""
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # Linux counts KiB


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine_line() -> str:
    """Summary of ``machine`` in one line, for display."""
    about = machine()
    gpu = f", {about['gpu']}" if about["gpu"] else ""
    maps = f", on CPU linear maps in bfloat16 ({about['bfloat16']})" if about["bfloat16"] else ""
    return (
        f"segvec3d {about['segvec3d']}, {about['cpu']}, {about['cores']} cores{gpu}, "
        f"{about['threads']} threads, torch {about['torch'] or 'missing'}{maps}"
    )
