"""``segvec3d ablate``."""

from __future__ import annotations

import logging
import os
from argparse import Namespace
from pathlib import Path

from segvec3d_core.cli.common import at_least


def ablate(args: Namespace) -> int:
    """Train and evaluate rows of the ablation table, or print the finished rows."""
    from segvec3d_core.threads import use_threads
    from segvec3d_core.train.ablation import AblationPlan, finished_rows, markdown, run_ablation, select

    given = {"steps": args.steps, "scenes": args.scenes, "validation_scenes": args.validation_scenes}
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        at_least(f"--{name.replace('_', '-')}", value, 1)
    at_least("--workers", args.workers, 0)
    variants = select(args.rows)
    plan = AblationPlan(
        Path(args.output), Path(args.cache) if args.cache else None, seed=args.seed, workers=args.workers, **given
    )
    if args.table:
        print(markdown(finished_rows(plan)))
        return 0
    logging.getLogger("segvec3d_core").setLevel(logging.INFO)
    use_threads(at_least("--threads", args.threads or max(1, (os.cpu_count() or 1) - args.workers), 1))
    print(markdown(run_ablation(plan, variants)))
    print(f"written: {plan.output / 'ablation.md'} and ablation.json")
    return 0
