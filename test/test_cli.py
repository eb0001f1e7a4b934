"""The command line: what it writes, and one clear line with exit code 2 for what it cannot do."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segvec3d_core.cli import main
from segvec3d_core.config import SegmentationConfig
from segvec3d_core.datasets.frames import FrameFolder
from segvec3d_core.tiles import Submit

COMMANDS = ("segment", "find", "eval", "train", "ablate", "simulate", "bench", "demo", "info", "node")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_shows_what_a_command_takes_and_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*command.split(), "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    for word in (f"segvec3d {command}", "examples:") if command else COMMANDS:
        assert word in text


def test_help_of_the_demo_tells_its_arguments_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "-h"])
    text = capsys.readouterr().out
    for words in ("as a planner would", "--rate HZ", "--domain N", "(default: 40)", "Exit code 0"):
        assert words in text


def test_help_answers_at_once() -> None:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        program = "from segvec3d_core.cli import main; main(['eval', '--help'])"
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.5, "help should not wait for torch"


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a failing command leaves on standard error."""
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code  # type: ignore[assignment]
    captured = capsys.readouterr()
    assert code == 2, captured
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    return captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("paint", "invalid choice: 'paint'"),
        ("segment", "the following arguments are required: INPUT"),
        ("segment nowhere.ply", "nowhere.ply: no such file"),
        ("segment {file}", "notes.md: unknown format .md; known: .ply"),
        ("segment {frames} --index 7", "no frame 7: it has 3"),
        ("segment {frames} --topic /points", "topic: says nothing of"),
        ("segment {frames}/depth/f0.png --index 1", "index: says nothing of"),
        ("find {frames} --model {weights} 'the biggest box on the left'", "expected things in one order"),
        ("segment {frames} --labels ,", "--labels: expected words separated by commas"),
        ("segment {frames} --model nowhere.safetensors", "nowhere.safetensors"),
        ("segment {frames} --model {file}", "notes.md"),
        ("segment {frames} --model {weights} --device tpu9", "expected auto, cpu or cuda"),
        ("segment {frames} --model {weights} --voxel-size -1", "--voxel-size: expected 0.0001 to 1000 m, got -1.0"),
        ("segment {frames} --model {weights} --max-voxels 0", "--max-voxels: expected at least 100, got 0"),
        ("segment {frames} --model {weights} --max-range nan", "--max-range: expected more than 0, got nan"),
        ("segment {frames} --model {weights} --min-score 7", "--min-score: expected 0 to 1, got 7.0"),
        ("segment {frames} --voxel-size thin", "argument --voxel-size: invalid float value: 'thin'"),
        ("segment {frames} --clustering magic", "invalid choice: 'magic'"),
        ("find {frames}", "the following arguments are required: TEXT"),
        ("find {frames} --model {weights} ' '", "TEXT: expected words, got an empty text"),
        ("find {frames} --model {weights} mug --top-k 0", "top_k: expected at least 1, got 0"),
        ("find {frames} --model {weights} mug --min-similarity 7", "min_similarity"),
        ("eval nowhere", "nowhere: no such file or folder"),
        ("eval {empty}", "neither a frame folder (depth/, camera.json, label/) nor .npz scans, nor ScanNet scenes"),
        ("eval {file}", "expected a frame folder or .npz scans, got a .md file"),
        ("eval {frames} --limit 0", "--limit: expected at least 1, got 0"),
        ("train", "the following arguments are required: --output"),
        ("train --output x --steps 0", "--steps: expected at least 1, got 0"),
        ("train --output {empty} --alignment-steps 0", "--alignment-steps: expected at least 1, got 0"),
        ("train --output {empty} --grouping-scenes 0", "--grouping-scenes: expected at least 1, got 0"),
        ("train --output {empty} --validation-scenes 0", "--validation-scenes: expected at least 4, got 0"),
        ("train --output {empty} --threads 0", "--threads: expected at least 1, got 0"),
        ("train --output x --labels some", "labels: expected full, points:N"),
        ("simulate", "nothing to write: give --output DIR, --preview FILE or both"),
        ("simulate --output {empty} --count 0", "--count: expected at least 1, got 0"),
        ("simulate --output {empty} --count 1 --layout moon", "layout: expected one of table"),
        ("bench {file}", "unknown format .md"),
        ("bench --threads 0", "--threads: expected at least 1, got 0"),
        ("bench --runs 0", "--runs: expected at least 1, got 0"),
        ("bench --sizes big", "--sizes: expected WIDTHxHEIGHT, got 'big'"),
        ("bench --scans 10", "--scans: expected at least 1000, got 10"),
        ("info --model nowhere.safetensors", "nowhere.safetensors"),
    ],
)
def test_bad_input_ends_in_one_line_and_exit_code_2(
    arguments: str, message: str, tmp_path: Path, frames: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shlex

    (tmp_path / "notes.md").write_text("not a cloud")
    (tmp_path / "empty").mkdir()
    places = {"file": tmp_path / "notes.md", "empty": tmp_path / "empty", "frames": frames, "weights": weights}
    line = error_of(capsys, *shlex.split(arguments.format(**places)))
    assert message in line
    assert line.startswith("segvec3d")


def test_a_command_of_the_ros_package_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import segvec3d_core.cli as cli

    def without_ros(name: str) -> None:
        raise ModuleNotFoundError("No module named 'rclpy'", name="rclpy.node")

    monkeypatch.setattr(cli, "import_module", without_ros)
    assert "segvec3d_ros.node needs ROS 2 (rclpy is missing here)" in error_of(capsys, "node", "--ros-args")
    assert "segvec3d_ros.demo needs ROS 2" in error_of(capsys, "demo", "frames")


def test_segment_writes_a_picture_json_and_the_labelled_cloud(
    frames: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from segvec3d_core.io import read_cloud

    cloud = str(frames / "depth/f0.png")
    arguments = [cloud, "--model", str(weights), "--output", str(tmp_path), "--query", "the mug", "--labels", "mug,box"]
    assert main(["segment", *arguments]) == 0
    text = capsys.readouterr().out
    assert "instances of 6,912 points" in text
    assert '"the mug"' in text
    values = json.loads((tmp_path / "f0.json").read_text())
    assert values["query"]["text"] == "the mug"
    assert {item["label"] for item in values["objects"]} <= {"mug", "box", "other"}
    assert Image.open(tmp_path / "f0.png").size > (192, 72)
    assert len(read_cloud(tmp_path / "f0_labelled.ply")) == 6912
    labels = np.load(tmp_path / "f0_labels.npy")
    assert (labels.dtype, len(labels)) == (np.int32, 6912)
    assert np.bincount(labels + 1)[1:].tolist() == [item["points"] for item in values["objects"]]
    assert main(["segment", *arguments, "--json", "-"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["objects"] == values["objects"], "the same input and weights, another output"


def test_a_cloud_without_a_viewpoint_can_be_given_one(
    frames: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from segvec3d_core.io import read_cloud, write_cloud
    from segvec3d_core.types import PointCloud

    write_cloud(tmp_path / "cloud.ply", PointCloud(read_cloud(frames / "depth/f0.png").points))
    arguments = ["find", "--model", str(weights), str(tmp_path / "cloud.ply"), "the thing left of the mug"]
    assert "the cloud has no viewpoint" in error_of(capsys, *arguments)
    segment = ["segment", *arguments[1:-1], "--output", str(tmp_path), "--query", arguments[-1]]
    assert main(segment) == 2  # what was found is there all the same
    told = capsys.readouterr()
    assert "the cloud has no viewpoint" in told.err
    assert "instances of" in told.out
    assert "query" not in json.loads((tmp_path / "cloud.json").read_text())
    assert Image.open(tmp_path / "cloud.png").mode == "RGB"
    assert main([*arguments, "--viewpoint", "0", "0", "0", "--up", "0", "-1", "0"]) in (0, 1)
    assert "seen from the camera" in capsys.readouterr().out
    assert "expected a finite vector" in error_of(capsys, *arguments, "--up", "0", "0", "0")


def test_what_is_read_is_not_replaced_by_what_is_written(
    frames: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "frames"
    shutil.copytree(frames, folder)
    depth, arguments = folder / "depth" / "f0.png", ["segment", "--model", str(weights)]
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for part in ("depth", "color", "label", "camera"):
        assert "is part of the input" in error_of(capsys, *arguments, str(depth), "--output", str(folder / part))
    shutil.copy(depth, tmp_path / "f0.png")
    beside = [str(tmp_path / "f0.png"), "--camera", str(folder / "camera.json"), "--output", str(tmp_path)]
    assert "is part of the input" in error_of(capsys, *arguments, *beside)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == kept
    assert main([*arguments, str(depth), "--output", str(tmp_path / "out")]) == 0


def test_a_camera_cloud_in_tiles_needs_up(frames: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["find", "--model", str(weights), "--tiles", "1", "--min-similarity", "0"]
    depth = str(frames / "depth" / "f0.png")
    assert "expected its up" in error_of(capsys, *arguments, "--", depth, "the box")
    assert main([*arguments, "--up", "0", "-1", "0", "--", depth, "the box"]) in (0, 1)


def test_a_scan_in_pieces_is_segmented_in_tiles(
    frames: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from segvec3d_core.io import read_cloud, write_cloud
    from segvec3d_core.types import PointCloud

    pieces = tmp_path / "building"
    pieces.mkdir()
    for k, name in enumerate(("a.ply", "b.ply")):
        cloud = read_cloud(frames / f"depth/f{k}.png")
        moved = PointCloud(cloud.points[:, [0, 2, 1]] + np.float32(3 * k), cloud.colors)
        write_cloud(pieces / name, moved)
    arguments = ["segment", "--model", str(weights), "--output", str(tmp_path), "--tiles", "2", "--query", "the mug"]
    assert main([*arguments, str(pieces)]) == 0
    assert "instances of 13,824 points" in capsys.readouterr().out
    assert json.loads((tmp_path / "building.json").read_text())["query"]["text"] == "the mug"
    assert len(read_cloud(tmp_path / "a_labelled.ply")) == len(read_cloud(tmp_path / "b_labelled.ply")) == 6912
    assert main([*arguments, str(pieces / "a.ply")]) == 0
    assert "instances of 6,912 points" in capsys.readouterr().out
    assert Image.open(tmp_path / "a.png").mode == "RGB"
    for edge in ("-1", "0.01", "nan"):
        assert "tiles: expected at least" in error_of(capsys, *arguments[:-4], "--tiles", edge, str(pieces))
    assert "output: expected another folder" in error_of(capsys, *arguments, "--output", str(pieces), "--", str(pieces))
    for scan in (pieces, pieces / "a.ply"):
        assert "viewpoint: not used" in error_of(capsys, *arguments, "--viewpoint", "0", "0", "0", "--", str(scan))
        assert "expected a finite vector" in error_of(capsys, *arguments, "--up", "0", "0", "0", "--", str(scan))
    assert "index: not used" in error_of(capsys, *arguments, "--index", "1", "--", str(pieces))
    assert main([*arguments, "--scale", "0.5", "--", str(pieces)]) == 0
    assert "instances of 13,824 points" in capsys.readouterr().out
    halved, whole = read_cloud(tmp_path / "a_labelled.ply"), read_cloud(pieces / "a.ply")
    np.testing.assert_allclose(halved.points, whole.points / 2, atol=1e-6)
    assert "scale: says nothing of" in error_of(
        capsys, "find", "--model", str(weights), "--scale", "0.5", str(frames / "depth/f0.png"), "the mug"
    )
    (pieces / "a.xyz").write_text("0 0 0\n")
    assert "differ in their suffix" in error_of(capsys, *arguments, str(pieces))
    (pieces / "a.xyz").unlink()
    (tmp_path / "empty").mkdir()
    assert "expected clouds" in error_of(capsys, *arguments, str(tmp_path / "empty"))
    for scan in (pieces, pieces / "a.ply"):
        find = ["find", "--model", str(weights), str(scan), "the mug", "--min-similarity", "0", "--tiles", "2"]
        assert main(find) == 0
        assert '"the mug": 1 found' in capsys.readouterr().out
    assert "picture: cannot be drawn" in error_of(capsys, *find[:3], str(pieces), *find[4:], "--picture", "a.png")


def test_workers_share_the_tiles_and_change_nothing(
    frames: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By threads in place of processes."""
    asked: list[int] = []

    @contextmanager
    def threads(workers: int) -> Iterator[Submit]:
        asked.append(workers)
        with ThreadPoolExecutor(workers) as pool:
            yield pool.submit

    monkeypatch.setattr("segvec3d_core.cli.objects.process_submit", threads)
    cloud = str(frames / "depth/f0.png")
    tiles = ["segment", "--model", str(weights), "--up", "0", "-1", "0", "--json", "-", "--output", str(tmp_path)]
    found = []
    for workers in ("1", "2"):
        assert main([*tiles, "--tiles", "1", "--workers", workers, "--", cloud]) == 0
        found.append(json.loads(capsys.readouterr().out)["objects"])
    assert asked == [2]
    assert found[0] == found[1]
    assert len(found[0]) > 0
    assert "workers: they share tiles" in error_of(capsys, *tiles, "--workers", "2", "--", cloud)
    assert "--workers: expected at least 1" in error_of(capsys, *tiles, "--tiles", "--workers", "0", "--", cloud)


@pytest.mark.parametrize(
    ("told", "said"),
    [([], True), (["--up", "0", "0", "1"], False), (["--viewpoint", "1", "0", "2"], True)],
    ids=["nothing", "up", "a place in the room"],
)
def test_that_z_is_taken_for_up_is_told(
    frames: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], told: list[str], said: bool
) -> None:
    from segvec3d_core.io import read_cloud, write_cloud
    from segvec3d_core.types import PointCloud

    upright = read_cloud(frames / "depth/f0.png").points[:, [0, 2, 1]] * np.array([1, 1, -1], np.float32)
    write_cloud(tmp_path / "scan.ply", PointCloud(upright))
    query = ["find", "--model", str(weights), str(tmp_path / "scan.ply"), "the tallest thing", "--min-similarity", "0"]
    assert main([*query, *told]) == 0, "which way is up is known"
    assert ("up: z, as nothing says otherwise" in capsys.readouterr().err) == said


def test_find_tells_by_its_exit_code_whether_there_was_anything(
    frames: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    common = ["find", str(frames), "the mug", "--model", str(weights)]
    assert main([*common, "--min-similarity", "0", "--picture", str(tmp_path / "a/mug.png")]) == 0
    assert '"the mug": 1 found' in capsys.readouterr().out
    assert Image.open(tmp_path / "a/mug.png").mode == "RGB"
    assert main([*common, "--min-similarity", "1"]) == 1
    assert "nothing found" in capsys.readouterr().out
    assert main([*common, "--min-similarity", "0", "--json", "-"]) == 0
    assert len(json.loads(capsys.readouterr().out)["query"]["matches"]) == 1
    np.savez(tmp_path / "empty.npz", points=np.full((50, 3), np.nan))
    assert main(["find", str(tmp_path / "empty.npz"), *common[2:]]) == 1
    assert "empty.npz: no points with finite coordinates" in caplog.text


def test_the_voxel_budget_holds_for_scans_too() -> None:
    from segvec3d_core.cli.arguments import make_parser
    from segvec3d_core.cli.common import configuration

    given = configuration(make_parser().parse_args(["segment", "office.ply", "--max-voxels", "1234"]))
    assert (given.max_voxels, given.max_scan_voxels) == (1234, 1234)
    assert configuration(make_parser().parse_args(["segment", "office.ply"])) == SegmentationConfig()


def test_train_leaves_the_defaults_to_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """They stand with the plans of the stages, once."""
    import segvec3d_core.train

    asked: list[argparse.Namespace] = []

    def run(args: argparse.Namespace) -> int:
        asked.append(args)
        return 0

    monkeypatch.setattr(segvec3d_core.train, "run", run)
    assert main(["train", "--output", "x", "--alignment-steps", "7"]) == 0
    assert asked[0].alignment_steps == 7
    left_out = ("steps", "scenes", "grouping_scenes", "grouping_steps", "alignment_scenes", "validation_scenes")
    assert all(getattr(asked[0], name) is None for name in left_out)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["simulate", "--output", "a", "--limit", "3"], "--limit: a simulation without --test takes none"),
        (["simulate", "--output", "a", "--shapes", "."], "--shapes: a simulation without --test takes none"),
        (["simulate", "--test", "tabletop-v1", "--output", "a", "--count", "3"], "--count: --test takes none"),
        (["simulate", "--fetch-shapes", "--preview", "a.png"], "--preview: --fetch-shapes without --test takes none"),
        (["simulate", "--output", "a", "--layout", "room", "--objects", "3"], "--objects: --layout room takes none"),
        (["train", "--output", "a", "--stage", "grouping", "--resume"], "--resume: --stage grouping takes none"),
        (["train", "--output", "a", "--stage", "alignment", "--frames", "."], "--frames: --stage alignment takes none"),
        (["train", "--output", "a", "--stage", "segmentation", "--without", "mug"], "--without: --stage segmentation"),
        (["info", "--json", "."], "expected a file, got a folder"),
    ],
)
def test_what_an_argument_would_not_change_is_refused(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_simulate_writes_the_same_frames_for_the_same_seed(tmp_path: Path) -> None:
    common = ["simulate", "--seed", "3", "--layout", "table", "--width", "64", "--height", "48", "--objects", "3"]
    assert main([*common, "--output", str(tmp_path / "a"), "--count", "2", "--preview", str(tmp_path / "p/a.png")]) == 0
    assert main([*common, "--output", str(tmp_path / "b"), "--count", "1"]) == 0
    two, one = FrameFolder(tmp_path / "a"), FrameFolder(tmp_path / "b")
    assert (len(two), len(one)) == (2, 1)
    np.testing.assert_array_equal(two[0].depth, one[0].depth)
    assert two[0].camera == one[0].camera
    assert two[0].up is not None
    assert Image.open(tmp_path / "p/a.png").mode == "RGB"


def test_info_knows_versions_device_and_weights(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--model", str(weights), "--device", "cpu", "--json", "-"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["device"] == "cpu"
    assert values["libraries"]["numpy"]
    assert values["model"]["data"] == "none, random weights"
    assert main(["info", "--model", str(weights)]) == 0
    assert "none, random weights" in capsys.readouterr().out


def test_a_command_that_needs_torch_says_so_where_it_is_missing(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "segvec3d_core.cli.bench", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)  # to import it fails
    assert main(["bench"]) == 2
    assert capsys.readouterr().err == "segvec3d: error: this command needs torch: pip install torch\n"
