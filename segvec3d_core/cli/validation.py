"""``segvec3d eval --validation``: scores on scenes of the training distribution, for choosing between weights."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict, fields

import numpy as np

from segvec3d_core.cli.common import at_least, configuration, load_model, machine, machine_line, progress
from segvec3d_core.cli.report import known
from segvec3d_core.config import SegmentationConfig
from segvec3d_core.io import write_json

SCENES = 100
"""Default number of scenes; every other one has the placement and sensors, though not the objects and light, of the
simulator's first edition."""


def evaluate(args: Namespace) -> int:
    """Print the model's scores on validation scenes, for each edition of the simulator and for both."""
    from segvec3d_core.text import TextEncoder
    from segvec3d_core.train.tuning import overall
    from segvec3d_core.train.validation import SEED, figures, see_scenes

    default, asked = SegmentationConfig(), configuration(args)
    for field in fields(default):
        if getattr(asked, field.name) != getattr(default, field.name):
            option = f"--{field.name.replace('_', '-')}"
            raise ValueError(f"{option}: --validation takes none, and sees scenes by the defaults")
    count = at_least("--limit", SCENES if args.limit is None else args.limit, 4)
    model, text = load_model(args), TextEncoder()
    seen = list(progress(see_scenes(model, range(count), args.colorless), "scenes", count))
    parts = {
        "today": [scene for scene in seen if scene.index % 2 == 0],
        "first edition": [scene for scene in seen if scene.index % 2 == 1],
        "both": seen,
    }
    reached = {title: figures(model, scenes, text) for title, scenes in parts.items()}
    if args.json != "-":
        print(machine_line())
        bare = ", without colours" if args.colorless else ""
        print(f"{count} simulated scenes as training draws them, of seed {SEED}{bare}; percent")
        print(
            f"{'':13} {'overlap F':>9} {'F > 0.75':>8} {'IoU > 0.5 F':>11} {'their mean':>14} {'R@1 (chance)':>13} "
            f"{'found':>5} {'refused':>7}"
        )
        for title, f in reached.items():
            mean, first = f"{100 * f.overall:.1f} +- {100 * f.error:.1f}", f"{100 * f.first:.1f} ({100 * f.chance:.0f})"
            found, refused = ("-" if np.isnan(share) else f"{100 * share:.1f}" for share in (f.found, f.refused))
            print(
                f"{title:13} {100 * f.overlap_f:9.1f} {100 * f.detected:8.1f} {100 * f.iou50_f:11.1f} {mean:>14} "
                f"{first:>13} {found:>5} {refused:>7}"
            )
    if args.json is not None:
        values = {title: {name: known(x) for name, x in asdict(each).items()} for title, each in reached.items()}
        scenes = {str(scene.index): overall(scene.score) for scene in seen}  # to compare two sets of weights on each
        result = {
            "version": 1, "colorless": args.colorless, "figures": values, "scenes": scenes, "machine": machine(),
            "model": model.info,
        }  # fmt: skip
        write_json(args.json, result)
    return 0
