"""Contact sheets: colour, depth and instances of several frames in one image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .sensor import SimulatedFrame


def _palette(count: int) -> NDArray[np.uint8]:
    """(count, 3) uint8 RGB, well separated colours, the same on every run."""
    hue = np.arange(count) * 0.61803398875 % 1.0
    value = 1.0 - 0.35 * (np.arange(count) % 3) / 2
    channels = [np.clip(np.abs((hue + shift) % 1.0 * 6 - 3) - 1, 0, 1) for shift in (0.0, 2 / 3, 1 / 3)]
    return np.asarray((np.stack(channels, 1) * 0.75 + 0.25) * value[:, None] * 255, np.uint8)


def frame_strip(frame: SimulatedFrame, width: int = 240) -> NDArray[np.uint8]:
    """(h, 3 * width, 3) uint8: colour, depth (near is bright) and instances (surfaces grey) side by side."""
    depth = np.nan_to_num(frame.depth)
    seen = depth > 0
    near, far = np.percentile(depth[seen], [1, 98]) if seen.any() else (0.0, 1.0)
    grey = np.where(seen, np.clip(255 - 225 * (depth - near) / max(far - near, 1e-6), 30, 255), 0).astype(np.uint8)
    palette = _palette(len(frame.entities))
    surfaces = [k for k, e in enumerate(frame.entities) if e.kind == "surface"]
    palette[surfaces] = np.linspace(70, 130, len(surfaces))[:, None] if surfaces else 0
    instance = np.where((frame.instance >= 0)[..., None], palette[frame.instance], 0).astype(np.uint8)
    size = (width, round(width * frame.depth.shape[0] / frame.depth.shape[1]))
    tiles = (frame.color, np.repeat(grey[..., None], 3, 2), instance)
    return np.hstack([np.asarray(Image.fromarray(t).resize(size, Image.Resampling.NEAREST)) for t in tiles])


def write_preview(path: str | Path, frames: Sequence[SimulatedFrame], columns: int = 2, width: int = 240) -> Path:
    """Write a contact sheet as PNG and return its path.

    Raises:
        ValueError: no frames.
    """
    if not frames:
        raise ValueError("frames: expected at least one, got none")
    strips = [frame_strip(f, width) for f in frames]
    tall = max(s.shape[0] for s in strips)
    blank = np.zeros((tall, 3 * width, 3), np.uint8)
    cells = [np.vstack([s, blank[: tall - len(s)]]) for s in strips] + [blank] * (-len(strips) % columns)
    rows = [np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)]
    Image.fromarray(np.vstack(rows)).save(path)
    return Path(path)
