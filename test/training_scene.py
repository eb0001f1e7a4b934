"""What tests of training share: a small network, and one simulated frame."""

import functools

import numpy as np
import torch

from segvec3d_core.config import NetworkConfig
from segvec3d_core.train.examples import Example, prepare
from segvec3d_core.train.samples import Sample, simulate_sample

SMALL = NetworkConfig(channels=(32, 32, 32), layers=(1, 1, 1), features=48)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@functools.cache
def a_sample() -> Sample:
    """The first simulated scene that is a frame."""
    return next(s for s in (simulate_sample(11, i) for i in range(20)) if s.viewpoint is not None)


@functools.cache
def an_example() -> Example:
    """The same as the losses read it, augmented."""
    return prepare(a_sample(), np.random.default_rng(0), SMALL, max_voxels=4_000)
