"""Weights on disk: one safetensors file, with everything needed to use them in its metadata."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .files import replacing

if TYPE_CHECKING:
    from torch import nn

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Contents of a weight file.

    Attributes:
        arrays: name -> weights, ``network.*``, ``grouping.*`` and ``alignment.*``.
        config: JSON-serialisable configurations and constants, by module.
        record: JSON-serialisable training record: command, commit, data, time, scores.
    """

    arrays: dict[str, NDArray[np.floating]]
    config: dict[str, Any]
    record: dict[str, Any] = field(default_factory=dict)

    def part(self, prefix: str) -> dict[str, NDArray[np.floating]]:
        """The arrays under ``prefix``, named without it.

        Raises:
            ValueError: there are none.
        """
        part = {k[len(prefix) + 1 :]: v for k, v in self.arrays.items() if k.startswith(prefix + ".")}
        if not part:
            raise ValueError(f"weights: no {prefix} in them")
        return part

    def fill(self, prefix: str, module: nn.Module) -> None:
        """Load the weights under ``prefix`` into a torch module.

        Raises:
            ValueError: there are none, or they do not fit the module.
        """
        import torch

        part = {name: torch.from_numpy(value) for name, value in self.part(prefix).items()}
        try:
            module.load_state_dict(part)
        except RuntimeError as error:
            raise ValueError(f"weights: {prefix} of another shape: {error}") from None


def shipped_path() -> Path:
    """Path of the weights shipped with the package."""
    return Path(str(resources.files("segvec3d_core") / "models" / "segvec3d.safetensors"))


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; an interrupted write leaves an older file intact."""
    from safetensors.numpy import save_file

    metadata = {
        "format": f"segvec3d {FORMAT}",
        "config": json.dumps(checkpoint.config),
        "record": json.dumps(checkpoint.record),
    }
    arrays = {name: np.array(value, order="C") for name, value in checkpoint.arrays.items()}
    with replacing(path) as partial:
        save_file(arrays, partial, metadata)


def fingerprint(path: Path) -> str:
    """First twelve hexadecimal digits of a weight file's SHA-256, which identify it whatever its name."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        FileNotFoundError: nothing at ``path``.
        ValueError: not a SegVec3D weight file, damaged, or of another format.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"weights: no file at {path}")
    try:
        with safe_open(str(path), "np") as file:
            metadata = file.metadata() or {}
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, RuntimeError) as error:
        raise ValueError(f"weights: {path} is damaged or not a safetensors file: {error}") from None
    except (TypeError, AttributeError) as error:  # bfloat16 and float8, which numpy does not know
        raise ValueError(f"weights: {path}: expected numbers in float16, 32 or 64: {error}") from None
    if metadata.get("format") != f"segvec3d {FORMAT}":
        raise ValueError(
            f"weights: {path}: expected format 'segvec3d {FORMAT}', got {metadata.get('format', 'none')!r}"
        )
    try:
        config, record = json.loads(metadata["config"]), json.loads(metadata["record"])
    except (KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"weights: {path}: unreadable metadata: {error}") from None
    if not isinstance(record, dict) or not isinstance(config, dict):
        raise ValueError(f"weights: {path}: unreadable metadata: expected two dictionaries")
    return Checkpoint(arrays, config, record)
