"""``segvec3d eval --language`` and ``--classify``: retrieval by text, and zero-shot classification of shapes."""

from __future__ import annotations

import itertools
import math
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from segvec3d_core.cli.common import at_least, configuration, load_model, machine, machine_line, progress
from segvec3d_core.cli.gallery import Gallery
from segvec3d_core.cli.report import known
from segvec3d_core.cli.simulated import first_edition, known_things, nouns, surface_names, table_frame
from segvec3d_core.datasets.modelnet import modelnet
from segvec3d_core.datasets.scanobjectnn import scanobjectnn
from segvec3d_core.io import write_json
from segvec3d_core.metrics import HitRate
from segvec3d_core.pipeline import SegVec3D
from segvec3d_core.quiz import ABSENT, SUPERLATIVE, Outcome, Quiz, ask, pair_scores, summarize
from segvec3d_core.types import Scene, SceneObject
from segvec3d_core.zeroshot import class_vectors, classify

SCENES = 100
"""Default number of scenes, of about 20 objects each."""
CROWD, TIMED = 50, 30
"""Number of objects in the scene on which queries are timed, and number of queries."""


def evaluate(args: Namespace) -> int:
    """Query the model on simulated scenes that are not used in training, and print the scores by kind of question."""
    with nullcontext() if args.wide else first_edition():
        return _evaluate(args)


def _evaluate(args: Namespace) -> int:
    count = at_least("--limit", SCENES if args.limit is None else args.limit, 1)
    model, config = load_model(args), configuration(args)
    model.warm_up()
    outcomes: list[Outcome] = []
    names: set[str] = set()
    crowd: list[SceneObject] = []
    gallery = Gallery()
    for index in progress(range(count), "scenes"):
        rng = np.random.default_rng([881, index])
        frame = table_frame(rng)
        cloud, things, truth = known_things(frame)
        names |= {thing.name for thing in things}
        questions = Quiz(things, truth, nouns(), rng, surface_names(frame)).questions()
        scene = model.segment(cloud, config)
        answers = ask(model.find, scene, things, questions)
        outcomes += answers
        crowd += scene.objects
        if args.pictures is not None:
            gallery.look(model.find, cloud, scene, things, answers)
    new, again = query_times(model, crowd)
    pairs = _pairs(outcomes, model)
    if args.json != "-":
        print(machine_line())
        print(f"{count} simulated tables, {len(names)} categories, {len(outcomes)} questions, percent")
        _print(outcomes)
        _print_pairs(pairs)
        print(
            f"a new query over {CROWD} objects takes {1e3 * new:.1f} ms, a repeated one {1e3 * again:.2f} ms (medians)"
        )
    if args.pictures is not None:
        written = gallery.save(Path(args.pictures))
        print(f"written: {', '.join(map(str, written))}", file=sys.stderr if args.json == "-" else sys.stdout)
    if args.json is not None:
        result = _as_dict(outcomes, count, sorted(names)) | {"query_seconds": {"new": new, "repeated": again}}
        result |= {"colour_category_pairs": pairs}
        write_json(args.json, result | {"machine": machine(), "model": model.info})
    return 0


def query_times(model: SegVec3D, objects: Sequence[SceneObject]) -> tuple[float, float]:
    """Median seconds of a new query and of a repeated one, on a scene of ``CROWD`` objects.

    The objects are repeated if there are fewer; without any, the scene is empty.
    """
    crowd = tuple(itertools.islice(itertools.cycle(objects), CROWD if objects else 0))
    scene = Scene(np.zeros(0, np.int32), crowd, {}, np.zeros(3, np.float32), np.array([0, 0, 1], np.float32))
    texts = [f"the shiny {noun} left of the {other} one" for noun, other in itertools.pairwise(nouns()[: TIMED + 1])]
    seconds: list[list[float]] = []
    for _ in range(2):
        seconds.append([])
        for text in texts:
            start = time.perf_counter()
            model.find(scene, text)
            seconds[-1].append(time.perf_counter() - start)
    return float(np.median(seconds[0])), float(np.median(seconds[1]))


def _print(outcomes: Sequence[Outcome]) -> None:
    print(
        f"{'':18} {'asked':>6}  {'R@1':>5}  {'95% interval':>12}  {'R@5':>5}  {'MRR':>5}  {'rank':>4}  "
        f"{'in view':>7}  {'R@1 of':>6}  {'found':>5}  {'R@1 so':>6}"
    )
    for kind, score in summarize(outcomes).items():
        if kind in ABSENT:
            print(
                f"{kind:18} {score.answered.total:>6}  refused at the default threshold: {_refused(score.answered):.1f}"
            )
            continue
        low, high = score.first.interval()
        rank = "-" if math.isinf(score.median_rank) else f"{score.median_rank:.0f}"
        print(
            f"{kind:18} {score.first.total:>6}  {100 * score.first.rate:5.1f}  {100 * low:5.1f}-{100 * high:5.1f}   "
            f"{100 * score.fifth.rate:5.1f}  {100 * score.mrr:5.1f}  {rank:>4}  {100 * score.segmented.rate:7.1f}  "
            f"{100 * score.seen.rate:6.1f}  {100 * score.answered.rate:5.1f}  "
            f"{100 * score.right.rate:6.1f}"
        )
    present, absent = _present_absent(outcomes)
    print(
        f"of what is there {100 * present:.1f} % are answered (superlatives left out), of what is not "
        f"{100 * absent:.1f} % are refused, at the default threshold (found; R@1 so: with it); in view: an instance "
        "overlaps a right thing (R@1 of: of these)"
    )


def _pairs(outcomes: Sequence[Outcome], model: SegVec3D) -> dict[str, Any]:
    """R@1 of the pairs of colour and category that training may hold out and of the others, as JSON, and whether the
    weights were trained ``--without-pairs``."""
    scores = zip(("held_out", "others"), pair_scores(outcomes), strict=True)
    rates = {name: {"asked": r.total, "r_at_1": known(r.rate), "interval": r.interval()} for name, r in scores}
    return {"never_seen": bool(model.info.get("alignment", {}).get("without_pairs", False)), **rates}


def _print_pairs(pairs: dict[str, Any]) -> None:
    texts = []
    for rate in (pairs["held_out"], pairs["others"]):
        first = "-" if rate["r_at_1"] is None else f"{100 * rate['r_at_1']:.1f}"
        low, high = rate["interval"]
        texts.append(f"{first} of {rate['asked']} ({100 * low:.1f}-{100 * high:.1f})")
    story = "never saw" if pairs["never_seen"] else "may have seen"
    print(f"R@1 of colour + category, pairs that this alignment {story} together: {texts[0]}; other pairs: {texts[1]}")


def _refused(answered: Any) -> float:
    return 100 * (1 - float(answered.rate))


def _present_absent(outcomes: Sequence[Outcome]) -> tuple[float, float]:
    """Share of answered questions among those with an answer, superlatives left out, and of refused ones among those
    without.

    The latter is the mean of absent categories and absent attributes, which thus have equal weight. NaN without any.
    """
    present = [o.answered for o in outcomes if o.question.kind not in (*ABSENT, *SUPERLATIVE)]
    absent = [[not o.answered for o in outcomes if o.question.kind == kind] for kind in ABSENT]
    means = [float(np.mean(group)) for group in absent if group]
    return float(np.mean(present)) if present else math.nan, float(np.mean(means)) if means else math.nan


def _as_dict(outcomes: Sequence[Outcome], scenes: int, names: list[str]) -> dict[str, Any]:
    """The scores for JSON, as fractions; the median rank is None if infinite."""
    kinds: dict[str, Any] = {}
    for kind, score in summarize(outcomes).items():
        if kind in ABSENT:
            kinds[kind] = {"asked": score.answered.total, "refused": 1 - score.answered.rate}
            continue
        kinds[kind] = {
            "asked": score.first.total, "r_at_1": score.first.rate, "interval": score.first.interval(),
            "r_at_5": score.fifth.rate, "mrr": score.mrr,
            "median_rank": None if math.isinf(score.median_rank) else score.median_rank,
            "segmented": score.segmented.rate, "r_at_1_segmented": score.seen.rate if score.segmented.hits else None,
            "answered": score.answered.rate, "r_at_1_answered": score.right.rate,
        }  # fmt: skip
    present, absent = _present_absent(outcomes)
    rows = [
        {
            "kind": o.question.kind, "text": o.question.text, "there": bool(o.question.right), "rank": o.rank,
            "answered": o.answered, "right": o.right,
        }
        for o in outcomes
    ]  # fmt: skip
    return {
        "version": 1, "scenes": scenes, "categories": names, "kinds": kinds, "present_answered": known(present),
        "absent_refused": known(absent), "questions": rows,
    }  # fmt: skip


# Single shapes ---------------------------------------------------------------------------------------------------


def classify_shapes(args: Namespace) -> int:
    """Classify the test shapes of ModelNet40 or ScanObjectNN zero-shot, and print the accuracy."""
    path = Path(args.path)
    if not args.path or not path.exists():
        raise FileNotFoundError(f"{args.path or 'PATH'}: no such file or folder")
    shapes = modelnet(path) or scanobjectnn(path)
    if shapes is None:
        raise ValueError(f"{path}: neither ModelNet40 (CLASS/test/*.off, or its lists) nor ScanObjectNN (.h5)")
    if args.limit is not None:
        at_least("--limit", args.limit, 1)
    model = load_model(args)
    classes = class_vectors(model, shapes.classes)
    rows: list[tuple[int, list[int]]] = []
    for shape in progress(itertools.islice(shapes, args.limit), "shapes"):
        similarity = classify(model, shape.points, shape.up, classes)
        rows.append((shape.label, np.argsort(-similarity, kind="stable")[:5].tolist()))
    if not rows:
        raise ValueError(f"{path}: expected shapes, got none")
    first = HitRate(sum(label == guess[0] for label, guess in rows), len(rows))
    fifth = HitRate(sum(label in guess for label, guess in rows), len(rows))
    by_class = {
        name: HitRate(sum(k == guess[0] for k, guess in rows if k == label), sum(k == label for k, _ in rows))
        for label, name in enumerate(shapes.classes)
    }
    asked = [rate.rate for rate in by_class.values() if rate.total]
    if args.json != "-":
        print(machine_line())
        low, high = first.interval()
        print(
            f"{path}: {len(rows)} shapes, {len(shapes.classes)} classes; top-1 {100 * first.rate:.1f} % "
            f"(95% interval {100 * low:.1f} to {100 * high:.1f}), top-5 {100 * fifth.rate:.1f} %, "
            f"mean over classes {100 * float(np.mean(asked)):.1f} %, chance {100 / len(shapes.classes):.1f} %"
        )
        for name, rate in by_class.items():
            if rate.total:
                print(f"  {name:16} {100 * rate.rate:5.1f} of {rate.total}")
    if args.json is not None:
        result = {
            "version": 1, "path": str(path), "shapes": len(rows), "classes": list(shapes.classes),
            "top_1": first.rate, "interval": first.interval(), "top_5": fifth.rate,
            "mean_over_classes": float(np.mean(asked)),
            "by_class": {name: rate.rate for name, rate in by_class.items() if rate.total},
            "machine": machine(), "model": model.info,
        }  # fmt: skip
        write_json(args.json, result)
    return 0
