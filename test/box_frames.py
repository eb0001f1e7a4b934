"""Three small frames of two boxes on a table, on disk."""

import json
from pathlib import Path

import numpy as np

from segvec3d_core.datasets.frames import Frame, write_frame
from segvec3d_core.types import Camera

CAMERA = Camera(96, 72, 90.0, 90.0, 47.5, 35.5)


def write_box_frames(folder: Path) -> None:
    """Write them, with the coarse names of the boxes."""
    rng = np.random.default_rng(0)
    for number in range(3):
        depth, label = np.full((72, 96), 0.8, np.float32), np.zeros((72, 96), np.uint16)
        for k, column in enumerate((15, 55), start=1):
            depth[25:50, column : column + 25] -= 0.06 * k
            label[25:50, column : column + 25] = k
        depth += rng.normal(0, 0.0005, depth.shape).astype(np.float32)
        color = rng.integers(0, 256, (72, 96, 3), np.uint8)
        write_frame(folder, Frame(f"f{number}", color, depth, label, CAMERA, {1: "tea box", 2: "mug"}))
    (folder / "coarse_names.json").write_text(json.dumps({"tea box": "box", "mug": "mug"}))
