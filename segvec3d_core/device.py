"""Which device the network runs on."""

from __future__ import annotations

import logging

import torch

log = logging.getLogger(__name__)


def device_of(name: str | torch.device) -> torch.device:
    """The device of a name. A GPU gets its explicit index, because the current GPU differs between threads.

    Raises:
        ValueError: not auto, cpu or cuda, or a GPU that is missing.
    """
    if name == "auto":
        return device_of("cuda") if torch.cuda.is_available() and _computes() else torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device: expected auto, cpu or cuda, got {name!r}") from None
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device: expected auto, cpu or cuda, got {name!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device: {name} was asked for, but torch sees {torch.cuda.device_count()} CUDA devices here")
    return torch.device("cuda", torch.cuda.current_device()) if str(device) == "cuda" else device


def _computes() -> bool:
    """Whether torch has kernels for the GPU that it sees."""
    try:
        return bool((torch.zeros(1, device="cuda") + 1).item())
    except RuntimeError as error:
        log.warning("the GPU is left alone, torch cannot compute on it: %s", error)
        return False
