"""Data set of the first training stage: simulated scenes, or the frames or scans of a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from ..config import NetworkConfig
from ..datasets.frames import FrameFolder
from ..datasets.scannet import labelled_points_of, of_split, read_scene, scene_folders
from .examples import EXAMPLE_VOXELS, Example, prepare
from .samples import frame_sample, load_sample, scannet_sample, simulate_pair
from .weak import Supervision


class Scenes(Dataset[Example]):
    """Map from step number to training example, deterministic, so that a resumed run continues where it stopped.

    Cycles through ``scenes`` distinct simulated scenes, the frames of the folder ``frames``, or its ScanNet scenes,
    with new augmentation at every visit. ``max_voxels`` limits the voxels of an example; ``first`` is the step that
    item 0 stands for. Of ScanNet scenes, the file ``split`` selects those to use, and ``labelled_points`` the only
    points that have labels, for the supervision "listed".

    Raises:
        FileNotFoundError: no such folder, split or list of points.
        ValueError: ``frames`` holds no training data or lacks scenes that the split or the list names; the labels are
            not available for this data.
    """

    def __init__(
        self,
        seed: int,
        scenes: int,
        steps: int,
        config: NetworkConfig,
        supervision: Supervision | None,
        cache: Path | None,
        first: int = 0,
        frames: Path | None = None,
        max_voxels: int = EXAMPLE_VOXELS,
        split: Path | None = None,
        labelled_points: Path | None = None,
    ) -> None:
        if frames is not None and supervision is not None and supervision.kind == "agreement":
            raise ValueError(f"labels: agreement needs frames of one sequence, which {frames} does not tell")
        self.scans = [] if frames is None else scene_folders(frames)
        if not self.scans and (split is not None or labelled_points is not None):
            raise ValueError(f"frames: expected ScanNet scenes for a split or labelled points, got {frames or 'none'}")
        if split is not None:
            self.scans = of_split(self.scans, split)
        names = [folder.absolute().name for folder in self.scans]
        self.listed = None if labelled_points is None else labelled_points_of(names, labelled_points)
        self.frames = None if frames is None or self.scans else FrameFolder(frames)
        self.max_voxels = max_voxels
        self.seed, self.scenes, self.steps, self.first = seed, scenes, steps, first
        self.config, self.supervision, self.cache = config, supervision, cache

    def __len__(self) -> int:
        return self.steps - self.first

    def __getitem__(self, item: int) -> Example:
        step = item + self.first
        if step >= self.steps:
            raise IndexError(step)
        rng = np.random.default_rng([self.seed, 1, step])
        for attempt in range(10):  # skip scenes with almost nothing in view
            turn = step + attempt * 7919
            if self.scans:
                scene = read_scene(self.scans[turn % len(self.scans)])
                sample = scannet_sample(scene if self.listed is None else scene.only(self.listed[scene.name]))
            elif self.frames is not None:
                sample = frame_sample(self.frames[turn % len(self.frames)])
            elif self.supervision is not None and self.supervision.kind == "agreement":
                sample = simulate_pair(self.seed, turn % self.scenes)
            else:
                sample = load_sample(self.seed, turn % self.scenes, self.cache)
            if len(sample.points) > 500 and (sample.instance >= 0).any():
                return prepare(sample, rng, self.config, self.supervision, max_voxels=self.max_voxels)
        raise RuntimeError(f"training scenes: ten empty scenes in a row from {step}")
