"""What several commands need: the model and configuration of the arguments, the machine, progress."""

from __future__ import annotations

import os
import platform
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import torch

from segvec3d_core import __version__
from segvec3d_core.config import SegmentationConfig
from segvec3d_core.pipeline import SegVec3D

T = TypeVar("T")


def load_model(args: Namespace) -> SegVec3D:
    """The weights that --model and --device ask for."""
    return SegVec3D.load(args.model, args.device)


def configuration(args: Namespace) -> SegmentationConfig:
    """The segmentation's defaults with what the arguments change."""
    known = {field.name for field in fields(SegmentationConfig)}
    changes = {key: value for key, value in vars(args).items() if key in known and value is not None}
    for key in ("voxel_size", "max_voxels", "max_range"):
        if key in changes and not changes[key] > 0:
            raise ValueError(f"--{key.replace('_', '-')}: expected more than 0, got {changes[key]}")
    return SegmentationConfig(**changes)


def at_least(name: str, value: int, least: int) -> int:
    """The value of an argument, checked.

    Raises:
        ValueError: it is less.
    """
    if value < least:
        raise ValueError(f"{name}: expected at least {least}, got {value}")
    return value


def progress(items: Iterable[T], text: str, total: int | None = None) -> Iterable[T]:
    """The items, with a progress bar on standard error where that is a terminal."""
    from tqdm import tqdm

    return tqdm(items, desc=text, total=total, disable=None, leave=False)


def machine() -> dict[str, Any]:
    """What the figures of a run depend on."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "segvec3d": __version__,
        "cpu": _cpu_name(),
        "cores": cores,
        "gpu": gpu,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine_line() -> str:
    """The same in one line, for people."""
    about = machine()
    gpu = f", {about['gpu']}" if about["gpu"] else ""
    return (
        f"segvec3d {about['segvec3d']}, {about['cpu']}, {about['cores']} cores{gpu}, "
        f"torch {about['torch']} with {about['threads']} threads"
    )
