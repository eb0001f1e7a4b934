"""Modes of commands that have several, and the arguments that apply to each; other arguments are refused."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

Modes = dict[Any, tuple[str, list[str]]]

EVALUATIONS: Modes = {
    ("compare", "evaluate"): (
        "an evaluation of labelled data",
        ["path", "split", "limit", "stride", "colorless", "model_only", "spread", "reliability", "worst", "output"],
    ),
    ("sequences", "evaluate"): ("--sequence", ["sequences", "seconds", "layout", "workers", "truth"]),
    ("language", "evaluate"): ("--language", ["limit", "wide", "pictures"]),
    ("held_out", "evaluate"): ("--held-out", ["limit"]),
    ("validation", "evaluate"): ("--validation", ["limit", "colorless"]),
    ("language", "classify_shapes"): ("--classify", ["path", "limit"]),
}
"""Modes of ``eval`` by (module, function): how the mode is selected, and the arguments that apply to it."""

SIMULATIONS: Modes = {
    "frames": (
        "a simulation without --test",
        ["output", "preview", "count", "seed", "layout", "objects", "sensor", "width", "height"],
    ),
    "test": ("--test", ["output", "preview", "limit", "workers", "shapes"]),
    "fetch": ("--fetch-shapes without --test", ["shapes"]),
}
_SEGMENTATION = ["clustering", "voxel_size", "max_voxels", "max_range", "min_score"]
BENCHMARKS: Modes = {
    "clouds": (
        "a measurement without --start",
        ["path", "runs", "sizes", "scans", "threads", *_SEGMENTATION],
    ),
    "start": ("--start", ["start"]),
}
_FIRST = ["resume", "start", "frames", "scenes", "steps", "max_voxels", "labels", "split", "labelled_points"]
_GROUPING = ["grouping_scenes", "grouping_steps", "grouping_start"]
_AGAIN = ["learning_rate", "start", "grouping_scenes", "grouping_steps"]
_ALIGNMENT = ["alignment_scenes", "alignment_steps", "alignment_start", "alignment_keep", "without", "without_pairs"]
STAGES: Modes = {
    "segmentation": ("--stage segmentation", ["learning_rate", *_FIRST]),
    "clustering": ("--stage clustering", []),
    "grouping": ("--stage grouping", ["learning_rate", *_GROUPING]),
    "alignment": ("--stage alignment", ["learning_rate", *_ALIGNMENT]),
    "bonds": ("--stage bonds", ["learning_rate", "start", "scenes", "steps", "max_voxels"]),
    "pairs": ("--stage pairs", _AGAIN),
    "kinds": ("--stage kinds", _AGAIN),
    "mixture": ("--stage mixture", ["start", "keep"]),
    "calibration": ("--stage calibration", []),
    "all": ("--stage all", ["learning_rate", *_FIRST, *_GROUPING, *_ALIGNMENT]),
}
"""Stages of ``train``, in the same form; ``SIMULATIONS`` and ``BENCHMARKS`` are those of ``simulate`` and ``bench``."""


class Mode(argparse.Action):
    """Option that selects a mode of ``eval``; a second one is refused."""

    def __init__(self, option_strings: Sequence[str], dest: str, **described: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **described)

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Select this mode.

        Raises:
            argparse.ArgumentError: another mode is selected already.
        """
        chosen = getattr(namespace, self.dest)
        if chosen not in (parser.get_default(self.dest), self.const):
            raise argparse.ArgumentError(self, f"not together with {EVALUATIONS[chosen][0]}")
        setattr(namespace, self.dest, self.const)


def note_defaults(parser: argparse.ArgumentParser, modes: Modes) -> None:
    """Store the defaults of the modes' arguments, which ``refuse_others`` compares with."""
    names = [name for _, own in modes.values() for name in own]
    parser.set_defaults(defaults={name: parser.get_default(name) for name in names})


def _modes(args: argparse.Namespace) -> tuple[Modes, Any]:
    """Modes of a command, and the selected one; ({}, None) for a command with a single mode."""
    if args.run in EVALUATIONS:
        return EVALUATIONS, args.run
    if args.run == ("workshop", "simulate"):
        return SIMULATIONS, "test" if args.test is not None else "fetch" if args.fetch_shapes else "frames"
    if args.run == ("bench", "bench"):
        return BENCHMARKS, "clouds" if args.start is None else "start"
    if args.run == ("workshop", "train"):
        return STAGES, args.stage
    return {}, None


def refuse_others(args: argparse.Namespace) -> None:
    """Raise ValueError if an argument was given that only applies to other modes than the selected one."""
    modes, mode = _modes(args)
    asked, own = modes.get(mode, ("", []))
    for name in sorted({name for _, names in modes.values() for name in names}.difference(own)):
        if getattr(args, name) != args.defaults[name]:
            told = "PATH" if name == "path" else f"--{name.replace('_', '-')}"
            raise ValueError(f"{told}: {asked} takes none")
