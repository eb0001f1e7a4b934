"""ModelNet40 and ScanObjectNN are read as published, from files written in exactly these formats."""

import numpy as np
import pytest

from segvec3d_core import SegVec3D
from segvec3d_core.datasets.modelnet import Y_UP, Z_UP, modelnet, read_off, sample_surface
from segvec3d_core.datasets.scanobjectnn import CLASSES, scanobjectnn
from segvec3d_core.zeroshot import class_vectors, classify

CUBE = """8 6 0
0 0 0
1 0 0
1 1 0
0 1 0
0 0 2
1 0 2
1 1 2
0 1 2
4 0 3 2 1
4 4 5 6 7
4 0 1 5 4
4 1 2 6 5
4 2 3 7 6
4 3 0 4 7
"""


@pytest.mark.parametrize("header", ["OFF\n", "OFF"], ids=["a line of its own", "glued, as in some of ModelNet40"])
def test_off_meshes_are_read_with_either_header(tmp_path, header):
    path = tmp_path / "box.off"
    path.write_text(header + CUBE)
    vertices, faces = read_off(path)
    assert vertices.shape == (8, 3)
    assert faces.shape == (12, 3)  # six quads
    assert vertices.max(0).tolist() == [1, 1, 2]


def test_points_lie_on_the_faces_evenly(tmp_path):
    path = tmp_path / "box.off"
    path.write_text("OFF\n" + CUBE)
    points = sample_surface(*read_off(path), 20_000, np.random.default_rng(0))
    on_face = np.isclose(points, 0, atol=1e-6) | np.isclose(points, [1, 1, 2], atol=1e-6)
    assert on_face.any(1).all()
    top = np.isclose(points[:, 2], 2, atol=1e-6).mean()
    assert top == pytest.approx(1 / 10, abs=0.01)  # its area is 1 of 10


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("PLY\n", "expected an OFF mesh"), ("OFF\n8 6 0\n0 0", "damaged OFF mesh"),
        ("OFF\n1 1 0\n0 0 0\n3 0 1 2\n", "names vertex 2"),
    ],
)  # fmt: skip
def test_what_is_no_mesh_is_refused_by_name(tmp_path, text, words):
    path = tmp_path / "bad.off"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        read_off(path)


def test_princetons_folders_give_their_test_meshes_by_class(tmp_path):
    for name in ("bathtub", "night_stand"):
        for split in ("train", "test"):
            (tmp_path / name / split).mkdir(parents=True)
            (tmp_path / name / split / f"{name}_0001.off").write_text("OFF" + CUBE)
    shapes = modelnet(tmp_path)
    assert shapes is not None
    assert shapes.classes == ("bathtub", "night_stand")
    assert [(s.name, s.label, s.up) for s in shapes] == [("bathtub_0001", 0, Z_UP), ("night_stand_0001", 1, Z_UP)]
    assert all(len(s.points) == 4096 for s in shapes)


def test_resampled_text_files_are_read_by_their_lists(tmp_path):
    (tmp_path / "modelnet40_shape_names.txt").write_text("airplane\nflower_pot\n")
    (tmp_path / "modelnet40_test.txt").write_text("airplane_0627\nflower_pot_0150\n")
    rows = np.random.default_rng(0).normal(size=(50, 6))
    for name in ("airplane_0627", "flower_pot_0150"):
        folder = tmp_path / name.rsplit("_", 1)[0]
        folder.mkdir()
        np.savetxt(folder / f"{name}.txt", rows, fmt="%.6f", delimiter=",")
    shapes = modelnet(tmp_path)
    assert shapes is not None
    read = list(shapes)
    assert [(s.name, s.label, s.up) for s in read] == [("airplane_0627", 0, Y_UP), ("flower_pot_0150", 1, Y_UP)]
    assert np.allclose(read[0].points, rows[:, :3], atol=1e-5)
    (tmp_path / "flower_pot" / "flower_pot_0150.txt").unlink()
    with pytest.raises(FileNotFoundError, match="flower_pot_0150"):
        modelnet(tmp_path)


def test_hdf5_lists_are_read_wherever_they_were_made(tmp_path):
    h5py = pytest.importorskip("h5py", reason="HDF5 needs h5py, which is not installed")
    (tmp_path / "shape_names.txt").write_text("airplane\nbathtub\n")
    (tmp_path / "test_files.txt").write_text("data/modelnet40_ply_hdf5_2048/ply_data_test0.h5\n")
    data = np.random.default_rng(0).normal(size=(3, 2048, 3)).astype(np.float32)
    with h5py.File(tmp_path / "ply_data_test0.h5", "w") as file:
        file["data"], file["label"] = data, np.array([[1], [0], [1]], np.uint8)
    shapes = modelnet(tmp_path)
    assert shapes is not None
    read = list(shapes)
    assert [s.label for s in read] == [1, 0, 1]
    assert np.array_equal(read[2].points, data[2])


def test_scanobjectnn_is_read_with_its_fifteen_classes(tmp_path):
    h5py = pytest.importorskip("h5py", reason="HDF5 needs h5py, which is not installed")
    assert len(CLASSES) == 15
    for name in ("test_objectdataset.h5", "test_objectdataset_augmentedrot_scale75.h5"):
        with h5py.File(tmp_path / name, "w") as file:
            file["data"] = np.zeros((2, 2048, 3), np.float32)
            file["label"], file["mask"] = np.array([4, 14]), np.zeros((2, 2048), np.int64)
    plain = scanobjectnn(tmp_path)
    hardest = scanobjectnn(tmp_path / "test_objectdataset_augmentedrot_scale75.h5")
    assert plain is not None
    assert hardest is not None
    assert [CLASSES[s.label] for s in plain] == ["chair", "toilet"]
    assert [s.name for s in hardest] == [f"test_objectdataset_augmentedrot_scale75_{i}" for i in range(2)]
    with h5py.File(tmp_path / "bad.h5", "w") as file:
        file["data"], file["label"] = np.zeros((1, 8, 3), np.float32), np.array([15])
    with pytest.raises(ValueError, match="expected labels from 0 to 14, got 15 to 15"):
        list(scanobjectnn(tmp_path / "bad.h5") or ())


def test_another_folder_is_neither(tmp_path):
    assert modelnet(tmp_path) is None
    assert scanobjectnn(tmp_path) is None


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_a_shape_is_named_whatever_its_units(scale):
    """Untrained weights give some answer, and the same for the same shape in millimetres."""
    model = SegVec3D.untrained(device="cpu")
    classes = class_vectors(model, ["chair", "night_stand", "display"])
    points = np.random.default_rng(0).uniform(-1, 1, (2048, 3)).astype(np.float32)
    points[:, 0] = np.sign(points[:, 0])  # two walls
    similarity = classify(model, points * np.float32(scale), Z_UP, classes)
    assert similarity.shape == (3,)
    assert ((similarity >= 0) & (similarity <= 1)).all()
    assert np.allclose(similarity, classify(model, points, Z_UP, classes), atol=1e-4)


def test_a_shape_without_extent_is_refused():
    model = SegVec3D.untrained(device="cpu")
    with pytest.raises(ValueError, match="at least four points with an extent"):
        classify(model, np.ones((9, 3), np.float32), Z_UP, class_vectors(model, ["chair"]))
