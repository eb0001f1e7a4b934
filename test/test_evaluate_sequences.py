"""The figures of the object map say what they should."""

from dataclasses import replace

import numpy as np
import pytest

from segvec3d_core.cli.arguments import make_parser
from segvec3d_core.cli.sequences import _reports, line, true_scene, values
from segvec3d_core.evaluate_sequences import NEAR, SequenceScorer, pooled
from segvec3d_core.object_map import MapObject, MapSnapshot, ObjectMap
from segvec3d_core.object_map.anchor import Anchor
from segvec3d_core.testsets.sequences import SEQUENCES, frames
from segvec3d_core.types import Match, Matches, Scene

SPEC = replace(SEQUENCES[4], width=160, height=120, seconds=5.0)


@pytest.fixture(scope="module")
def seen():
    return [(frame, true_scene(frame)) for frame in frames(SPEC)]


class Scorer(SequenceScorer):
    """Looks at each frame once, however often it is shown one."""

    _latest = 0

    def _observe(self, frame):
        if frame.stamp_ns != self._latest:
            self._latest = frame.stamp_ns
            super()._observe(frame)


def truth(frame, scorer, change=lambda identity, points: [(identity + 1, points)]):
    """A map that holds just what could be known, or what ``change`` makes of each thing: (id, points), ..."""
    scorer._observe(frame)
    objects, clouds = [], []
    template = true_scene(frame).objects[0]
    for thing in frame.things:
        if not scorer._is_known(thing):
            continue
        for i, points in change(thing.identity, scorer._known[thing.identity].points):
            objects.append(
                MapObject(i, "visible", replace(template, kind="object", box=thing.box), 0, frame.stamp_ns, 5)
            )
            clouds.append((points, np.zeros((len(points), 3), np.uint8)))
    up = np.array([0, 0, 1], np.float32)
    return MapSnapshot(tuple(objects), tuple(clouds), Anchor(np.zeros(3)), up, frame.stamp_ns)


def scored(seen, change=None, searcher=None):
    scorer = Scorer(NEAR["table"], searcher, retrieval_every=5)
    for frame, scene in seen:
        snapshot = truth(frame, scorer) if change is None else truth(frame, scorer, change(frame))
        scorer.add(frame, scene, snapshot, 1.0)
    return scorer.report()


def test_the_truth_is_perfect(seen):
    report = scored(seen)
    assert report.idf1 == report.ap50 == report.duplicate_rate == 1.0
    assert report.ghost_rate == report.switches == 0
    assert max(report.center_errors) < 1e-6
    assert max(report.size_errors) < 1e-6


def test_ids_that_change_cost_identity_alone(seen):
    told: dict[bool, set[int]] = {False: set(), True: set()}

    def renamed(frame):
        late = frame.stamp_ns > 3_000_000_000

        def change(k, points):
            told[late].add(k)
            return [(k + 1 + 100 * late, points)]

        return change

    report = scored(seen, renamed)
    assert report.switches == len(told[False] & told[True]) >= 3
    assert 0.3 < report.idf1 < 0.8
    assert report.ap50 == 1.0


def test_a_thing_told_of_twice_is_a_duplicate(seen):
    report = scored(seen, lambda frame: lambda k, points: [(k + 1, points), (k + 101, points[::3])])
    assert report.duplicate_rate > 1.8
    assert report.ghost_rate == 0
    assert report.idf1 < 0.8


def test_an_object_on_nothing_is_a_ghost(seen):
    report = scored(seen, lambda frame: lambda k, points: [(k + 1, points), (k + 101, points + np.float32(5))])
    assert report.ghost_rate == pytest.approx(1.0, abs=0.05)
    assert report.duplicate_rate == 1.0


def test_what_is_not_in_the_map_is_missed(seen):
    report = scored(seen, lambda frame: lambda k, points: [])
    assert report.idf1 == report.ap50 == report.duplicate_rate == 0


def test_retrieval_asks_for_every_known_thing_by_name(seen):
    asked = []

    class Searcher:
        def find(self, scene, text, top_k=None, min_similarity=None):
            asked.append(text)
            return Matches((Match(0, scene.objects[0], 1.0),)) if len(scene) else Matches()

    report = scored(seen, searcher=Searcher())
    assert len(asked) == 2 * report.map_found.total > 0
    assert all(text.startswith("the ") for text in asked)
    assert 0 < report.map_found.hits < report.map_found.total


def test_a_ghost_bears_no_name(seen):
    class Searcher:
        def find(self, scene, text, top_k=None, min_similarity=None):
            return Matches((Match(0, scene.objects[0], 1.0),)) if len(scene) else Matches()

    things, ghosts = (
        scored(seen, lambda frame, far=far: lambda k, points: [(k + 1, points + np.float32(far))], Searcher())
        for far in (0, 5)
    )
    assert ghosts.ghost_rate > 0.9
    assert ghosts.map_found.total == things.map_found.total > 0
    assert things.map_found.hits > 0
    assert ghosts.map_found.hits == 0


def test_reports_pool_and_print(seen):
    report = scored(seen)
    both = pooled([report, report])
    assert both.true == 2 * report.true
    assert both.idf1 == report.idf1
    assert values(both)["idf1"] == 1.0
    assert line("all", both).startswith("all")


def test_a_frame_without_anything_is_ordinary(seen):
    scorer = SequenceScorer(NEAR["table"])
    empty = ObjectMap().snapshot()
    scorer.add(seen[0][0], Scene(np.full(len(seen[0][0].cloud), -1)), empty, 1.0)
    assert scorer.report().identity_hits == 0


def test_several_processes_report_what_one_does():
    specs = [replace(SPEC, seconds=2.0), replace(SPEC, seed=5, seconds=2.0)]
    asked = "eval --sequence --truth --workers"
    one, two = ([*_reports(specs, make_parser().parse_args([*asked.split(), n]))] for n in "12")
    assert [values(r) | {"milliseconds": 0} for r in one] == [values(r) | {"milliseconds": 0} for r in two]
