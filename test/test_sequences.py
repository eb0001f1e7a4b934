"""The simulated sequences that object maps are measured on."""

from dataclasses import replace

import numpy as np
import pytest

from segvec3d_core.simulate import Light, render
from segvec3d_core.testsets import sequences
from segvec3d_core.testsets.sequences import SEQUENCES, Event, SequenceSpec, frames

TABLE = replace(SEQUENCES[4], width=160, height=120)
SHORT = replace(TABLE, seconds=3.0)


def test_there_are_twenty_or_more_of_a_minute_on_tables_and_in_rooms():
    assert len(SEQUENCES) >= 20
    assert {spec.layout for spec in SEQUENCES} == {"table", "room"}
    assert {spec.seconds for spec in SEQUENCES} == {60.0}
    assert len({spec.name for spec in SEQUENCES}) == len(SEQUENCES)


def test_the_same_specification_gives_the_same_frames():
    for a, b in zip(frames(SHORT), frames(SHORT), strict=True):
        assert np.array_equal(a.cloud.points, b.cloud.points, equal_nan=True)
        assert np.array_equal(a.instance, b.instance)
        assert np.array_equal(a.T_map_camera, b.T_map_camera)


@pytest.mark.parametrize("spec", SEQUENCES[:14], ids=lambda spec: spec.name)
def test_a_table_has_things_on_it_and_most_are_in_view(spec):
    counted = []
    for frame in frames(replace(spec, width=160, height=120, rate=0.1)):
        pixels = np.bincount(frame.instance[frame.instance >= 0], minlength=len(frame.things))
        counted.append(sum(thing.counted and pixels[thing.identity] >= 8 for thing in frame.things))
    assert min(counted) >= 2
    assert np.median(counted) >= 4


def test_a_shorter_sequence_is_the_beginning_of_the_longer():
    short, longer = list(frames(SHORT)), list(frames(replace(SHORT, seconds=4.0)))
    assert len(longer) == 8
    assert np.array_equal(short[-1].instance, longer[len(short) - 1].instance)


def test_the_pose_is_told_with_an_error_of_a_centimetre_and_a_degree():
    noise = sequences._PoseNoise(np.random.default_rng(0), 0.5)
    errors = np.array([noise.step() for _ in range(4000)])
    length = np.sqrt((errors.reshape(-1, 2, 3) ** 2).sum(2).mean(0))
    assert length == pytest.approx(sequences.POSE_NOISE, rel=0.1)
    assert not all(np.allclose(f.T_map_camera, f.T_true) for f in frames(replace(SHORT, seconds=1.0)))


def test_points_of_a_thing_lie_in_its_true_box():
    frame = next(frames(SHORT))
    seen = [t for t in frame.things if t.counted and (frame.instance == t.identity).sum() > 50]
    assert seen
    for thing in seen:
        points = frame.cloud.points[frame.instance == thing.identity] @ frame.T_true[:3, :3].T + frame.T_true[:3, 3]
        local = np.abs((points - thing.box.center) @ thing.box.rotation) - thing.box.size / 2
        assert np.percentile(local.max(1), 80) < 0.02


@pytest.mark.parametrize("seed", [0, 6], ids=["kinect", "stereo"])
def test_the_true_surface_of_a_thing_lies_in_its_box_however_noisy_the_depth(seed):
    for frame in frames(replace(SEQUENCES[seed], width=160, height=120, seconds=1.0)):
        assert np.array_equal(np.isfinite(frame.surface).all(1), frame.instance >= 0)
        for thing in (t for t in frame.things if t.counted):
            local = (frame.surface[frame.instance == thing.identity] - thing.box.center) @ thing.box.rotation
            assert (np.abs(local) <= thing.box.size / 2 + 1e-3).all()


def test_the_light_stays_as_it_is(monkeypatch):
    lights = []

    def spy(rng, scene, view, camera, sensor, light):
        lights.append(light)
        return render(rng, scene, view, camera, sensor, light)

    monkeypatch.setattr(sequences, "render", spy)
    assert len(list(frames(SHORT))) == len(lights) == 6
    assert isinstance(lights[0], Light)
    assert len(lights[0].directions) == 1, "the first edition's"
    assert all(light is lights[0] for light in lights)


def test_a_third_of_the_objects_leaves_the_view_or_is_hidden_for_a_while():
    seen: dict[int, list[bool]] = {}
    for frame in frames(replace(TABLE, rate=1.0)):
        counts = np.bincount(frame.instance[frame.instance >= 0], minlength=len(frame.things))
        for thing in frame.things:
            if thing.counted:
                seen.setdefault(thing.identity, []).append(bool(counts[thing.identity] > 20))
    left = known = 0
    for views in seen.values():
        if any(views):
            row = "".join("01"[view] for view in views).strip("0")
            known, left = known + 1, left + ("000" in row)
    assert left / known >= 0.3


@pytest.mark.parametrize("kind", ["put", "remove", "move", "away", "hide"])
def test_what_happens_to_a_thing_shows_in_what_is_true(kind):
    for spec in SEQUENCES[:14]:
        rng = np.random.default_rng([7, spec.seed])
        world = sequences._World(sequences.sample_scene(rng, "table", 12))
        events = [event for event in world.plan_events(rng) if event.kind == kind and not event.undo]
        if not events:
            continue
        k, before = events[0].identity, world.things()
        world.apply(events[0], rng)
        after = world.things()
        if kind == "move":
            assert np.linalg.norm(after[k].box.center - before[k].box.center) > 0.1 or not np.allclose(
                after[k].box.rotation, before[k].box.rotation
            )
        elif kind == "hide":
            assert sum(t.present for t in after) == sum(t.present for t in before) + 1
        else:
            assert after[k].present == (kind == "put")
            assert before[k].present != after[k].present
        return
    pytest.fail(f"no sequence has {kind!r}")


def test_what_was_taken_away_comes_back_under_its_identity():
    rng = np.random.default_rng(0)
    world = sequences._World(sequences.sample_scene(rng, "table", 8))
    k = next(k for k in range(len(world.entities)) if world._movable(k))
    name = world.things()[k].name
    world.apply(Event(0.0, "away", k), rng)
    world.apply(Event(1.0, "away", k, undo=True), rng)
    assert world.things()[k].present
    assert world.things()[k].name == name


def test_rooms_are_walked_through_without_touching_anything():
    spec = SequenceSpec(103, "room", width=64, height=48, seconds=20.0)
    for frame in frames(spec):
        eye = frame.T_true[:3, 3]
        for thing in frame.things:
            if thing.counted and thing.present:
                local = np.abs((eye - thing.box.center) @ thing.box.rotation) - thing.box.size / 2
                assert local.max() > 0
