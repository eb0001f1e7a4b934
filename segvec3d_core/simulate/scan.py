"""Fused scans: several views of one room as a single labelled cloud."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..kernels.grid import hash_cells, mean_by_cell
from ..types import PointCloud
from .edition import is_first_edition
from .noise import SENSORS
from .placing import turn_about
from .scenes import Entity, sample_scene
from .sensor import render, sample_camera, sample_view


def simulate_scan(
    rng: Generator, views: int = 10, voxel: float = 0.015, width: int = 320, height: int = 240
) -> tuple[PointCloud, NDArray[np.int32], tuple[Entity, ...]]:
    """A room seen from several places and fused, z up.

    As in a real fusion, what is far from a camera is left out, poses are a little off, and a voxel's points are
    averaged.

    Args:
        rng: source of randomness.
        views: how many places.
        voxel: one point is kept per voxel of this edge, metres.
        width, height: image size of each view.

    Returns:
        the cloud (N points, ``up`` = z, no viewpoint); labels (N,) int32, indices into the entities; the entities,
        centres in the scan's frame.
    """
    scene = sample_scene(rng, "room")
    targets = [np.asarray(e.center, np.float64) for e in scene.entities if e.kind == "object"] or [scene.focus]
    points, colors, labels = [], [], []
    sensor = SENSORS[int(rng.integers(1, 4 if is_first_edition() else len(SENSORS)))]
    reach = rng.uniform(2.5, 4.0)
    for _ in range(views):
        aimed = replace(scene, focus=targets[int(rng.integers(len(targets)))])
        view = sample_view(rng, aimed)
        frame = render(rng, aimed, view, sample_camera(rng, width, height), sensor)
        kept = (frame.instance.ravel() >= 0) & (np.nan_to_num(frame.depth).ravel() < reach)
        cloud = frame.cloud()
        rotation = view.rotation @ turn_about(_direction(rng), rng.normal(0, 0.2))
        eye = (view.eye + rng.normal(0, 0.004, 3)).astype(np.float32)
        points.append(cloud.points[kept] @ rotation.T.astype(np.float32) + eye)
        colors.append(frame.color.reshape(-1, 3)[kept])
        labels.append(frame.instance.ravel()[kept])
    all_points, all_labels = np.concatenate(points), np.concatenate(labels)
    cell, first, _ = hash_cells(np.floor(all_points / voxel).astype(np.int64))
    # A voxel shows the thing that was seen there first, at the mean of what was seen of that thing.
    same = all_labels == all_labels[first][cell]
    fused, _ = mean_by_cell(all_points[same], cell[same], len(first))
    cloud = PointCloud(fused, np.concatenate(colors)[first], up=np.array([0, 0, 1], np.float32))
    return cloud, all_labels[first].astype(np.int32), scene.entities


def _direction(rng: Generator) -> NDArray[np.float64]:
    """(3,) unit vector, all directions alike."""
    v = rng.normal(size=3)
    return v / np.linalg.norm(v)
