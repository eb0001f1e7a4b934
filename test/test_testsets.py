"""The fixed test sets: made of models that training never sees, the same on every machine."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from segvec3d_core.datasets.frames import FrameFolder
from segvec3d_core.simulate.meshes import Mesh, box, cylinder, lathe
from segvec3d_core.testsets import archives, catalogue, fingerprint, load_shapes, shapes_folder, write_set
from segvec3d_core.testsets.obj import read_obj
from segvec3d_core.testsets.sets import SCENES, SETS, SetName, has_frame
from segvec3d_core.testsets.shapes import Shape, solidity, thin_out

MANIFEST = json.loads((Path(__file__).parents[1] / "segvec3d_core/testsets/manifest.json").read_text())


@pytest.fixture(scope="module")
def shapes() -> list[Shape]:
    """The models, where they have been fetched."""
    try:
        return load_shapes()
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("index", [0, 1])
def test_a_scene_is_the_one_that_the_manifest_records(name: SetName, index: int, shapes: list[Shape]) -> None:
    recorded, made = MANIFEST["sets"][name]["fingerprints"][str(index)], fingerprint(name, index, shapes)
    assert made["names"] == recorded["names"]
    # The last bit of a sine differs between processors: a few pixels and a millimetre may change.
    np.testing.assert_allclose(made["counts"], recorded["counts"], rtol=0.02, atol=10)
    np.testing.assert_allclose(made["centers"], recorded["centers"], rtol=0.002, atol=3)


@pytest.mark.parametrize("name", SETS)
def test_the_manifest_tells_of_at_least_200_scenes_of_each_sensor_alike_with_walls_in_view(name: SetName) -> None:
    contents = MANIFEST["sets"][name]["contents"]
    main = contents["scans" if name == "rooms-v1" else "frames"]
    assert main["scenes"] == SCENES >= 200
    assert main["sensors"] == dict.fromkeys(("generic", "ideal", "kinect", "stereo"), SCENES // 4)
    assert main["walls_in_view"] > 0.95
    if name != "rooms-v1":  # fused scans are hardly ever hard
        assert 0.15 < main["hard"] / SCENES < 0.7


def test_the_manifest_names_the_archives_that_the_code_fetches() -> None:
    pinned = [{key: getattr(a, key) for key in ("name", "version", "file", "sha256")} for a in archives.ARCHIVES]
    assert MANIFEST["sources"] == pinned


def test_a_written_set_is_a_frame_folder_with_tags(tmp_path: Path, shapes: list[Shape]) -> None:
    write_set("tabletop-v1", tmp_path / "set", count=1)
    frame = FrameFolder(tmp_path / "set")[0]
    tags = json.loads((tmp_path / "set" / "tags.json").read_text())[frame.name]
    assert frame.label is not None
    assert frame.depth.shape == (480, 640)
    assert set(np.unique(frame.label)) - {0, 255} == set(frame.names)
    assert tags["objects"] + tags["others"] == len(frame.names)


def test_models_rest_on_the_ground_at_a_size_that_a_person_expects(shapes: list[Shape]) -> None:
    for shape in shapes:
        low, high = shape.model.mesh.vertices.min(0), shape.model.mesh.vertices.max(0)
        assert low[2] == pytest.approx(0, abs=1e-4), shape.source
        assert 0.01 < (high - low).max() < (0.7 if shape.place == "item" else 3.5), shape.source
        assert shape.model.mesh.parts.max() < len(shape.model.materials), shape.source
        assert shape.model.materials[:, :3].min() >= 0.02, shape.source


def test_every_quarter_of_the_rooms_frames_comes_with_every_sensor() -> None:
    with_frame = [index for index in range(SCENES) if has_frame("rooms-v1", index)]
    assert len(with_frame) == 52
    assert {index % 4 for index in with_frame} == {0, 1, 2, 3}


def test_missing_models_are_told_with_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run segvec3d simulate --fetch-shapes"):
        load_shapes(tmp_path)


def test_a_set_is_never_written_into_a_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "old.npz").touch()
    with pytest.raises(ValueError, match="expected an empty or a new folder"):
        write_set("rooms-v1", tmp_path)


def test_an_unknown_set_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected one of tabletop-v1"):
        write_set("tabletop-v9", tmp_path)  # type: ignore[arg-type]  # what a user may type


def test_an_archive_with_another_content_is_refused(tmp_path: Path) -> None:
    (tmp_path / archives.PYBULLET.file).write_bytes(b"something else")
    with pytest.raises(ValueError, match="expected SHA-256"):
        archives.fetch(archives.PYBULLET, tmp_path)


def test_the_models_folder_is_what_is_given_or_the_environment_or_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    monkeypatch.delenv(archives.VARIABLE, raising=False)
    assert shapes_folder() == Path("/cache/segvec3d/shapes")
    monkeypatch.setenv(archives.VARIABLE, "/models")
    assert shapes_folder() == Path("/models")
    assert shapes_folder("/given") == Path("/given")


def test_libraries_are_read_out_of_a_debian_package(tmp_path: Path) -> None:
    library, data = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(library, "w") as archive:
        archive.writestr("a.obj", "v 0 0 0")
    with tarfile.open(fileobj=data, mode="w:xz") as tar:
        member = tarfile.TarInfo("./usr/share/Some.sh3f")
        member.size = len(library.getvalue())
        tar.addfile(member, io.BytesIO(library.getvalue()))

    def entry(name: str, content: bytes) -> bytes:
        return (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(content):<10}`\n".encode()
            + content
            + b"\n" * (len(content) % 2)
        )

    package = b"!<arch>\n" + entry("debian-binary", b"2.0\n!") + entry("data.tar.xz", data.getvalue())
    (tmp_path / "a.deb").write_bytes(package)
    assert archives.debian_files(tmp_path / "a.deb")["Some"].namelist() == ["a.obj"]


def _zip(**files: str) -> zipfile.ZipFile:
    blob = io.BytesIO()
    with zipfile.ZipFile(blob, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_", "."), text)
    return zipfile.ZipFile(blob)


def test_an_obj_gives_its_polygons_as_triangles_with_the_colours_of_their_materials() -> None:
    corners = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv nan 0 0\n"
    text = f"mtllib a.mtl\n{corners}usemtl red\nf 1/1 2/2 3/3 4/4\nf 1 2 5\nf -5 -4 -3\n"
    model = read_obj(_zip(a_obj=text, a_mtl="newmtl red\nKd 1 0 0\nd 0.5\n"), "a.obj")
    assert model.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]
    assert model.paints[0].color.tolist() == [1, 0, 0]
    assert model.paints[0].opacity == 0.5


def test_an_obj_without_triangles_is_told() -> None:
    with pytest.raises(ValueError, match=r"a\.obj: expected triangles"):
        read_obj(_zip(a_obj="v 0 0 0\n"), "a.obj")


def test_a_thinned_mesh_keeps_its_shape_and_the_limit() -> None:
    mesh = cylinder(0.05, 0.1, 200, 0.002)
    vertices, faces, parts = thin_out(mesh.vertices.astype(float), mesh.faces.astype(int), mesh.parts.astype(int), 300)
    assert len(faces) == len(parts) <= 300
    np.testing.assert_allclose(np.ptp(vertices, 0), mesh.size, rtol=0.1)


CUP = lathe(np.array([[0, 0], [0.04, 0], [0.04, 0.1], [0.037, 0.1], [0.037, 0.003], [0, 0.003]]))


@pytest.mark.parametrize(("mesh", "low", "high"), [(box(0.1, 0.2, 0.05), 0.9, 1.1), (CUP, 0.05, 0.45)])
def test_solidity_parts_what_is_full_from_what_is_hollow(mesh: Mesh, low: float, high: float) -> None:
    assert low < solidity(mesh) < high


def test_the_catalogue_names_no_model_twice_in_one_place() -> None:
    for lists in catalogue.FURNITURE.values():
        for library, text in lists.items():
            names = text.split()
            assert len(names) == len(set(names)), library
