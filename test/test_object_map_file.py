"""The file of an object map: whole or not at all, and never taken for what it is not."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from boxes import CAN, FRONT, MUG, SECOND, Block, Robot, see

from segvec3d_core.object_map import ObjectMap, storage


def test_a_saved_map_comes_back(robot, tmp_path):
    ids = robot.watch([MUG, CAN], seconds=2.0)
    before = robot.map.snapshot()
    assert robot.map.save(tmp_path / "deep" / "kitchen.npz") == 3
    other = Robot()
    assert other.map.load(tmp_path / "deep" / "kitchen.npz") == 3
    after = other.map.snapshot()
    assert [t.id for t in after] == [t.id for t in before]
    assert [t.first_seen for t in after] == [t.first_seen for t in before]
    assert np.allclose(after.cloud().points, before.cloud().points)
    for a, b in zip(after, before, strict=True):
        assert np.allclose(a.object.box.corners(), b.object.box.corners(), atol=1e-4)
        assert np.allclose(a.object.embedding, b.object.embedding)
    assert other.watch([MUG, CAN]) == ids
    assert max(other.watch([MUG, CAN, Block((0.3, 0, 0), look=9)])) > max(ids)


@pytest.mark.parametrize("offset", [-1000, 0, 1000])
def test_what_has_moved_meanwhile_is_recognised_whatever_the_clock(robot, offset, tmp_path):
    robot.stamp = 2000 * SECOND
    ids = robot.watch([MUG, CAN], seconds=2.0)
    robot.map.save(tmp_path / "map.npz")
    other = Robot()
    other.stamp = robot.stamp + (offset + 1) * SECOND
    other.map.load(tmp_path / "map.npz")
    assert other.watch([replace(MUG, at=(-0.4, 0.3, 0)), CAN], seconds=3.0) == ids


def test_a_map_is_saved_for_whom_it_was_there_and_where_a_link_points(robot, tmp_path):
    robot.watch([MUG], seconds=2.0)
    path, link = tmp_path / "map.npz", tmp_path / "link.npz"
    robot.map.save(path)
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    path.chmod(0o640)
    link.symlink_to(path)
    robot.map.save(link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_map_comes_back_where_it_was_said_to_lie(tmp_path):
    robot, rng = Robot(), np.random.default_rng(0)
    for _ in range(20):
        T = FRONT.copy()
        T[:3, 3] += rng.normal(0, 0.01, 3)
        robot.stamp += SECOND // 5
        robot.map.update(*see([MUG, CAN], FRONT), T, robot.stamp)
    before = robot.map.snapshot()
    robot.map.save(tmp_path / "map.npz")
    other, former = ObjectMap(), ObjectMap()
    other.load(tmp_path / "map.npz")
    assert np.allclose(other.snapshot().cloud().points, before.cloud().points, atol=1e-5)
    with np.load(tmp_path / "map.npz") as file:  # as version 1 had it
        arrays = {name: file[name] for name in file.files if name != "anchor"}
    about = json.loads(str(arrays["about"])) | {"version": 1}
    del about["anchored"]
    np.savez(tmp_path / "former.npz", **arrays | {"about": np.array(json.dumps(about))})
    former.load(tmp_path / "former.npz")
    moved = np.linalg.norm(former.snapshot().cloud().points - before.cloud().points, axis=1)
    assert 1e-4 < moved.max() < 0.05


def test_the_grey_of_a_former_map_without_colours_is_no_colour(robot, tmp_path):
    robot.watch([MUG])
    robot.map.save(tmp_path / "map.npz")
    with np.load(tmp_path / "map.npz") as file:
        arrays = {name: file[name] for name in file.files}
    grey, about = np.full_like(arrays["colors"], 128), json.loads(str(arrays["about"]))
    for colored, color in ((False, None), (True, [128] * 3)):
        told = {"colors": grey, "about": np.array(json.dumps(about | {"colored": colored}))}
        np.savez(tmp_path / "former.npz", **arrays | told)
        former = ObjectMap()
        former.load(tmp_path / "former.npz")
        things = list(former.snapshot())
        assert things
        assert all((None if t.object.color is None else t.object.color.tolist()) == color for t in things)
    del arrays["colors"]
    np.savez(tmp_path / "former.npz", **arrays | {"about": np.array(json.dumps(about | {"colored": False}))})
    with pytest.raises(ValueError, match="a damaged object map: 'colors'"):
        ObjectMap().load(tmp_path / "former.npz")


def test_an_empty_map_can_be_saved(tmp_path):
    assert ObjectMap().save(tmp_path / "map.npz") == 0
    assert ObjectMap().load(tmp_path / "map.npz") == 0


@pytest.mark.parametrize("failing", ["write", "fsync", "replace"])
def test_a_crash_in_mid_save_leaves_the_last_save(robot, tmp_path, monkeypatch, failing):
    path = tmp_path / "map.npz"
    robot.watch([MUG])
    robot.map.save(path)
    robot.watch([MUG, CAN])

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*{"write": (np, "savez"), "fsync": (os, "fsync"), "replace": (os, "replace")}[failing], fail)
    with pytest.raises(OSError, match="No space left"):
        robot.map.save(path)
    monkeypatch.undo()
    assert ObjectMap().load(path) == 2
    assert os.listdir(tmp_path) == ["map.npz"]


def _cut(path):
    path.write_bytes(path.read_bytes()[:-200])


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def _encrypt(path):
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")  # a member in the archive's list of contents
    data[at + 8] |= 1
    path.write_bytes(data)


def _older(path):
    with np.load(path) as file:
        arrays = dict(file)
    arrays["about"] = np.array(json.dumps(json.loads(str(arrays["about"])) | {"version": 0}))
    np.savez(path, **arrays)


def _mixed_up(path):
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {"lengths": arrays["lengths"][:-1]})


def _with(**changes):
    """Damage by other arrays, and by another time of the anchor."""

    def damage(path):
        with np.load(path) as file:
            arrays = dict(file)
        about = json.loads(str(arrays["about"])) | {k: v for k, v in changes.items() if k == "anchored"}
        arrays |= {name: value for name, value in changes.items() if name != "anchored"}
        np.savez(path, **arrays | {"about": np.array(json.dumps(about))})

    return damage


def _without_anchor(path):
    with np.load(path) as file:
        arrays = dict(file)
    del arrays["anchor"]
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_without_anchor, "a damaged object map: 'anchor'"),
        (_with(anchor=np.full((4, 4), np.nan)), "anchor: expected .4, 4. finite numbers"),
        (_with(anchor=np.eye(3)), "anchor: expected .4, 4. finite numbers"),
        (_with(anchor=2 * np.eye(4)), "anchor: expected a rotation and a translation"),
        (_with(anchor=np.zeros((4, 4))), "anchor: expected a rotation and a translation"),
        (_with(up=np.full(3, np.inf)), "up: expected .3,. finite numbers"),
        (_with(origin=np.array("here")), "a damaged object map"),
        (_with(anchored=-1.0), "anchored: expected more than 0 seconds"),
        (_with(anchored=float("nan")), "anchored: expected more than 0 seconds"),
        (_with(anchored=10**400), "a damaged object map"),
        (_cut, "not an object map, or a damaged one"),
        (_flip, "damaged"),
        (_encrypt, "not an object map, or a damaged one"),
        (lambda path: path.write_bytes(b""), "not an object map, or a damaged one"),
        (lambda path: path.write_text("hello"), "not an object map, or a damaged one"),
        (lambda path: np.save(path.open("wb"), np.zeros(3)), "not an object map, or a damaged one"),
        (lambda path: np.savez(path, points=np.zeros(3)), "not an object map, or a damaged one: it lacks 'about'"),
        (_older, f"expected an object map of version 1 or {storage.VERSION}, got version 0"),
        (_mixed_up, "a damaged object map"),
    ],
)
def test_a_file_that_is_no_map_gives_one_error_and_leaves_the_map(robot, tmp_path, damage, message):
    path = tmp_path / "map.npz"
    robot.watch([MUG, CAN])
    robot.map.save(path)
    damage(path)
    with pytest.raises(ValueError, match=message):
        robot.map.load(path)
    assert len(robot.objects()) == 2


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.npz: no such file"):
        ObjectMap().load(tmp_path / "nowhere.npz")


def test_a_map_of_other_weights_is_refused_and_one_that_names_none_is_not(robot, tmp_path):
    robot.watch([MUG])
    robot.map.save(tmp_path / "unknown.npz")
    robot.map.weights = "abc"
    robot.map.save(tmp_path / "abc.npz")
    other = ObjectMap()
    assert other.load(tmp_path / "abc.npz") == 2
    assert other.made_with == "abc"
    other.save(tmp_path / "again.npz")
    other.weights = "def"
    with pytest.raises(ValueError, match=r"expected a map made with the weights 'def', got one made with 'abc'"):
        other.load(tmp_path / "abc.npz")
    assert len(other) == 2
    assert other.load(tmp_path / "unknown.npz") == 2
    assert other.made_with == "def"
    with pytest.raises(ValueError, match="got one made with 'abc'"):
        other.load(tmp_path / "again.npz")


def test_a_map_that_was_loaded_is_replaced_or_forgotten_with_its_weights(robot, tmp_path):
    robot.watch([MUG])
    for name in ("abc", "def"):
        robot.map.weights = name
        robot.map.save(tmp_path / f"{name}.npz")
    other = ObjectMap()
    for name in ("abc", "def"):
        assert other.load(tmp_path / f"{name}.npz") == 2
        assert other.made_with == name
    other.clear()
    assert other.made_with == ""
