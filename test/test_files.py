"""Files are written whole or not at all, where a link points, for whom they were there."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

import pytest
from clouds import some_cloud

from segvec3d_core.io import write_cloud, write_json


@pytest.mark.parametrize("name", ["scan.ply", "scan.npz", "scan.NPZ", "scene.json"])
def test_what_cannot_be_written_leaves_what_was_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cloud = tmp_path / name, some_cloud()
    write = partial(write_cloud, path, cloud) if "scan" in name else partial(write_json, path, {"a": 1})
    write()
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("segvec3d_core.files.os.replace", full)
    with pytest.raises(OSError, match="no space left"):
        write()
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_link_is_written_through_and_so_is_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "folder" / "real.json")
    write_json(tmp_path / "link.json", {"a": 1})
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "folder" / "real.json").read_text()) == {"a": 1}
    write_json("/dev/null", {"a": 1})
    assert not Path("/dev/null").is_file()
    read, write = os.pipe()
    with os.fdopen(read) as heard, os.fdopen(write, "w"):
        write_json(f"/proc/self/fd/{write}", {"a": 1})
        os.set_blocking(read, False)
        assert json.loads(heard.read()) == {"a": 1}


def test_a_file_keeps_its_mode(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": 1})
    (tmp_path / "a.json").chmod(0o600)
    write_json(tmp_path / "a.json", {"a": 2})
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o600
