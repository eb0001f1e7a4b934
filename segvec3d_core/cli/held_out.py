"""``segvec3d eval --held-out``: zero-shot naming of categories that alignment training has not seen."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter

import numpy as np

from segvec3d_core.cli.common import at_least, configuration, load_model, machine, machine_line, progress
from segvec3d_core.cli.simulated import first_edition, floor_frame, known_things, nouns
from segvec3d_core.config import SegmentationConfig
from segvec3d_core.io import write_json
from segvec3d_core.metrics import HitRate
from segvec3d_core.pipeline import SegVec3D
from segvec3d_core.quiz import PIXELS, hits

HELD_OUT = ("hammer", "teapot", "lamp", "shoe", "guitar", "sink", "bicycle", "plant", "toaster", "clock")
"""The ten names to choose among. The simulator makes no bicycle, so that name is always wrong."""
SCENES = 30
"""Default number of scenes; each has one thing of each kind, as far as there is room."""


def evaluate(args: Namespace) -> int:
    """Let the model choose among the ten names for things of these kinds, and print its accuracy."""
    with first_edition():
        return _evaluate(args)


def _evaluate(args: Namespace) -> int:
    count = at_least("--limit", SCENES if args.limit is None else args.limit, 1)
    model, config = load_model(args), configuration(args)
    without = set(model.info.get("alignment", {}).get("without", ()))
    named = [noun for noun in HELD_OUT if noun in nouns()]
    called, shown = _called(model, config, count, named)
    right = HitRate(sum(name == said for name, said in called), len(called))
    seen = [noun for noun in named if noun not in without]
    low, high = right.interval()
    if args.json != "-":
        note = f"the alignment was taught {', '.join(seen)}" if seen else "the alignment was taught none of these"
        print(machine_line())
        print(f"{count} simulated floors, {len(called)} of {shown} things in view, {len(HELD_OUT)} names; {note}")
        print(
            f"top-1 {100 * right.rate:.1f} % (95% interval {100 * low:.1f} to {100 * high:.1f}), "
            f"chance {100 / len(HELD_OUT):.1f} %"
        )
        for noun in named:
            said = Counter(word for name, word in called if name == noun)
            print(f"  {noun:8} {', '.join(f'{word} {times}' for word, times in said.most_common(4))}")
    if args.json is not None:
        result = {
            "version": 1, "scenes": count, "names": list(HELD_OUT), "shown": shown, "in_view": len(called),
            "top_1": right.rate if called else None, "interval": [low, high], "taught": seen, "called": called,
            "machine": machine(), "model": model.info,
        }  # fmt: skip
        write_json(args.json, result)
    return 0


def _called(
    model: SegVec3D, config: SegmentationConfig, count: int, named: list[str]
) -> tuple[list[tuple[str, str]], int]:
    """(true name, predicted name) of each instance that overlaps a visible thing, and the number of visible things."""
    called: list[tuple[str, str]] = []
    shown = 0
    for index in progress(range(count), "scenes"):
        cloud, things, _ = known_things(floor_frame(np.random.default_rng([883, index]), named))
        scene = model.segment(cloud, config)
        best = model.similarities(scene, HELD_OUT, nouns=True).argmax(1) if len(scene) else []
        overlap = hits(scene, things)
        for t, thing in enumerate(things):
            if thing.name in named and thing.pixels >= PIXELS:
                shown += 1
                called += [(thing.name, HELD_OUT[best[k]]) for k in np.flatnonzero(overlap[:, t])]
    return called, shown
