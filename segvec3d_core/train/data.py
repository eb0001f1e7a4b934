"""The data set of the first stage: simulated scenes, or the frames or scans of a folder, step by step."""

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
    """Training steps as a map from step number to example, so that a resumed run goes on exactly where it stopped.

    ``scenes`` different simulated scenes, or the frames of a folder, or its ScanNet scenes, are visited in turn; every
    visit is augmented anew. ``max_voxels`` bounds an example. Of ScanNet scenes a ``split`` names those to visit, and a
    list the ``labelled_points`` that alone have labels, for the supervision "listed".

    Raises:
        FileNotFoundError: no such folder, split or list.
        ValueError: nothing to learn from in ``frames``, or not what the split or the list names; labels that it cannot
            have.
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
        for attempt in range(10):  # a scene with next to nothing in view teaches nothing
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
