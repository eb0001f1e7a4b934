"""Which device the network runs on."""

from __future__ import annotations

import ctypes
import logging
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def device_of(name: str | torch.device) -> str:
    """The device of a name: "cpu", or "cuda:0" and so on, with an index, because the current GPU differs between
    threads.

    Args:
        name: "auto", "cpu", "cuda" or "cuda:N", or a torch device.

    Raises:
        ValueError: not auto, cpu or cuda, or a GPU that is missing.
    """
    name = str(name)
    if name == "auto":
        return device_of("cuda") if gpus() and _computes() else "cpu"
    if name == "cpu":
        return name
    index = re.fullmatch(r"cuda(?::(\d+))?", name)
    if index is None:
        raise ValueError(f"device: expected auto, cpu or cuda, got {name!r}")
    try:
        import torch
    except (ImportError, OSError) as error:
        raise ValueError(f"device: {name} was asked for, but torch, which runs there, is missing: {error}") from None
    if int(index[1] or 0) >= torch.cuda.device_count():
        raise ValueError(f"device: {name} was asked for, but torch sees {torch.cuda.device_count()} CUDA devices here")
    return f"cuda:{index[1] or torch.cuda.current_device()}"


def gpus() -> int:
    """Number of NVIDIA GPUs according to the driver: torch takes seconds to import, and is asked only if there are."""
    try:
        driver, count = ctypes.CDLL(DRIVER), ctypes.c_int(0)
        known = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    except (OSError, AttributeError):  # no driver, or something else of that name
        return 0
    return count.value if known else 0


def gpu_name() -> str | None:
    """Name of the current GPU, or None if there is none that torch sees."""
    if not gpus():
        return None
    try:
        import torch
    except (ImportError, OSError):
        return None
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _computes() -> bool:
    """Whether torch is installed, sees the GPU and has kernels for it."""
    try:
        import torch
    except (ImportError, OSError) as error:  # not installed, or without one of its libraries
        log.warning("the GPU is left alone, torch cannot be imported: %s", error)
        return False
    if not torch.cuda.is_available():
        return False
    try:
        return bool((torch.zeros(1, device="cuda") + 1).item())
    except RuntimeError as error:
        log.warning("the GPU is left alone, torch cannot compute on it: %s", error)
        return False
