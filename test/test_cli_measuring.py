"""The commands that measure: eval and bench."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numba
import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from segvec3d_core.cli import bench, compare, main, start
from segvec3d_core.config import ClusteringMethod, SegmentationConfig
from segvec3d_core.datasets.frames import FrameFolder
from segvec3d_core.datasets.scans import ScanFolder
from segvec3d_core.pipeline import SegVec3D
from segvec3d_core.types import PointCloud, Scene


def test_eval_prints_three_rows_retrieval_and_draws_the_worst(
    frames: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "scores.json"
    assert main(["eval", str(frames), "--model", str(weights), "--json", str(report), "--worst", "1",
                 "--output", str(tmp_path), "--clustering", "fast"]) == 0  # fmt: skip
    text = capsys.readouterr().out
    for words in ("3 frames, 6 objects", "untrained heads (7)", "untrained weights", "plane removal + DBSCAN", "ARI",
                  "6 queries by coarse names", "6 queries by full names", "95% interval", "chance 50.0 %"):  # fmt: skip
        assert words in text
    values = json.loads(report.read_text())
    baseline = values["methods"]["plane removal + DBSCAN"]
    assert baseline["summary"]["overlap_f"] > 0.9
    assert baseline["summary"]["adjusted_rand"] > 0.9
    assert all(row["adjusted_rand"] > 0.9 for row in baseline["frames"])
    # The model has the same random weights as the row of untrained ones, and is grouped as these are: so must be the
    # scores.
    assert values["methods"]["SegVec3D"]["summary"] == values["methods"]["untrained weights"]["summary"]
    assert len(values["methods"]["SegVec3D"]["frames"]) == 3
    assert len(list(tmp_path.glob("01_f*.png"))) == 1


@pytest.mark.parametrize(("asked", "random"), [("graph", "fast"), ("dbscan", "dbscan")])
def test_random_weights_are_grouped_by_what_they_embed(weights: Path, asked: ClusteringMethod, random: str) -> None:
    methods = compare._methods(SegVec3D.load(weights, "cpu"), SegmentationConfig(clustering=asked), False)
    assert {name: config.clustering for name, (_, config) in methods.items()} == {
        "SegVec3D": asked, "untrained heads (7)": random, "untrained weights": random, "plane removal + DBSCAN": asked,
    }  # fmt: skip


def test_eval_of_scans_prints_average_precision(
    frames: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = FrameFolder(frames)[0]
    assert frame.label is not None
    np.savez(tmp_path / "room.npz", points=frame.cloud().points, labels=frame.label.reshape(-1).astype(np.int32))
    assert main(["eval", str(tmp_path), "--model", str(weights)]) == 0
    text = capsys.readouterr().out
    assert "1 scans, 2 instances" in text
    assert "AP / AP50 / AP25" in text
    assert "ARI" in text
    assert main(["eval", str(tmp_path / "room.npz"), "--model", str(weights), "--model-only", "--json", "-"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert list(values["methods"]) == ["SegVec3D"]
    (scan,) = values["methods"]["SegVec3D"]["scans"]
    assert scan["name"] == "room"
    assert values["methods"]["SegVec3D"]["summary"]["adjusted_rand"] == scan["adjusted_rand"] <= 1


def test_eval_measures_with_points_farther_apart(
    frames: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = FrameFolder(frames)[0]
    assert frame.label is not None
    cloud, label = frame.cloud(), frame.label.reshape(-1).astype(np.int32)
    np.savez(tmp_path / "room.npz", points=cloud.points, labels=label, surface=np.zeros(len(label), np.int8))
    scan = ScanFolder(tmp_path)[0]
    thin = scan.thinned(3)
    assert len(thin.points) == len(thin.label) == -(-len(label) // 9)
    np.testing.assert_array_equal(thin.label, scan.thinned(3).label)
    row = {tuple(point): k for point, k in zip(scan.cloud().points.tolist(), scan.label, strict=True)}
    seen = np.isfinite(thin.cloud().points).all(1)
    assert seen.any()
    assert [row[tuple(p)] for p in thin.cloud().points[seen].tolist()] == thin.label[seen].tolist()
    assert thin.surface is not None
    assert len(thin.surface) == len(thin.label)
    for path in (frames, tmp_path / "room.npz"):
        assert main(["eval", str(path), "--model", str(weights), "--model-only", "--stride", "4"]) == 0
        assert "points 4 times as far apart, percent" in capsys.readouterr().out
    assert main(["eval", str(frames), "--stride", "0"]) == 2
    assert "--stride: expected at least 1" in capsys.readouterr().err


def test_eval_measures_without_colours(
    frames: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = FrameFolder(frames)[0]
    assert frame.label is not None
    cloud, label = frame.cloud(), frame.label.reshape(-1).astype(np.int32)
    assert cloud.colors is not None
    np.savez(tmp_path / "room.npz", points=cloud.points, colors=cloud.colors, labels=label)
    seen: list[bool] = []
    segment = SegVec3D.segment

    def watched(model: SegVec3D, cloud: PointCloud, *further: Any) -> Scene:
        seen.append(cloud.colors is not None)
        return segment(model, cloud, *further)

    monkeypatch.setattr(SegVec3D, "segment", watched)
    for path in (frames, tmp_path / "room.npz"):
        for told, colored in (([], True), (["--colorless"], False)):
            report = tmp_path / "report.json"
            command = ["eval", str(path), "--model", str(weights), "--model-only", "--json", str(report), *told]
            seen.clear()
            assert main(command) == 0
            assert ("without colours, percent" in capsys.readouterr().out) is not colored
            assert json.loads(report.read_text())["colorless"] is not colored
            assert seen
            assert all(known is colored for known in seen[1:]), "after the warm-up"


def test_bench_tells_the_stages_and_the_machine(
    frames: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "bench.json"
    assert main(["bench", str(frames), "--model", str(weights), "--runs", "2", "--json", str(report)]) == 0
    text = capsys.readouterr().out
    words = ("cores", "torch", "GB/s", "p95", "least", "from PointCloud2", "network", "to PointCloud2",
             "a new question", "the same again", "plane removal + DBSCAN")  # fmt: skip
    places = [text.index(word) for word in words]
    assert places == sorted(places), "rows come in the order of the work"
    values = json.loads(report.read_text())
    assert values["roof"]["bytes_per_second"] > 0
    assert 0 < values["floor"]["network level 1"]
    assert set(values["questions"]) == {"a new question", "the same again"}
    assert set(values["conversions"]) == {"from PointCloud2", "to PointCloud2"}
    assert all(0 < values["floor"][name] for name in values["conversions"])
    assert 0 < values["total"]["p50"] <= values["total"]["p95"]
    assert sum(stage["p50"] for stage in values["stages"].values()) < 2 * values["total"]["p95"]


def test_bench_measures_frames_and_scans_of_the_sizes_asked_for(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "bench.json"
    sizes = ["--sizes", "64x48", "96x72", "--scans", "5000", "--runs", "1"]
    assert main(["bench", *sizes, "--model", str(weights), "--json", str(report)]) == 0
    text, sets = capsys.readouterr().out, json.loads(report.read_text())["sets"]
    assert [row["points"] for row in sets] == [[64 * 48], [96 * 72], [5000]]
    assert all(0 < row["total"]["p50"] and 0 < row["peak_memory"] for row in sets)
    assert "64 x 48" in text
    assert "peak memory" in text


def test_bench_waits_for_a_gpu_after_each_stage_but_not_in_the_total(
    frames: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a model that says that it runs on a GPU, but does not."""
    model, clouds = SegVec3D.load(weights, "cpu"), [FrameFolder(frames)[0].cloud()]
    claimed = Mock(device=torch.device("cuda", 0), segment=Mock(wraps=model.segment), find=model.find)
    monkeypatch.setattr("torch.cuda.synchronize", synchronize := Mock())
    stages, _ = bench._measure_stages(claimed, clouds, 2, SegmentationConfig())
    assert [len(call.args) for call in claimed.segment.call_args_list] == [2, 2, 3, 2, 3], "every other one has a clock"
    assert synchronize.call_count >= 2 * 2 * len(stages)
    synchronize.assert_called_with(claimed.device)
    synchronize.reset_mock()
    assert set(bench._measure_stages(model, clouds, 1, SegmentationConfig())[0]) == set(stages)
    synchronize.assert_not_called()


def test_bench_limits_the_threads_of_torch_and_of_the_kernels(
    frames: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    limits: dict[str, int] = {}
    monkeypatch.setattr("numba.set_num_threads", lambda count: limits.update(numba=count))
    monkeypatch.setattr("torch.set_num_threads", lambda count: limits.update(torch=count))
    command = ["bench", str(frames), "--model", str(weights), "--runs", "1"]
    most = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    with threadpool_limits(limits=None):  # what bench sets for good is put back
        assert main([*command, "--threads", "1"]) == 0
        assert limits == {"numba": 1, "torch": 1}
        assert main([*command, "--threads", str(most + 1)]) == 0
        assert limits == {"numba": most, "torch": most + 1}, "numba refuses more than it has"


def test_bench_tells_how_long_new_processes_take(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "start.json"
    took = [9.0, 0.1, 0.2, 9.0, 2.0, 3.0, 9.0, 4.0, 6.0]  # the first of each kind is no figure
    monkeypatch.setattr(start, "_until_answer", Mock(side_effect=[(seconds, 2 * seconds) for seconds in took]))
    command = ["bench", "--start", "2", "--model", str(weights), "--device", "cpu"]
    assert main([*command, "--json", str(report)]) == 0
    assert re.search(r"a question +5\.00 +4\.00 +6\.00 +10\.00\n", capsys.readouterr().out)
    values = json.loads(report.read_text())
    assert [row["p50"] for row in values["seconds"].values()] == pytest.approx([0.15, 2.5, 5.0])
    assert (values["device"], values["runs"]) == ("cpu", 2)


@pytest.mark.timeout(300)
def test_a_new_process_answers_and_one_that_cannot_is_no_figure(weights: Path) -> None:
    with start._commands(str(weights), "cpu") as commands:
        *_, question = commands.values()
        assert all(seconds > 0 for seconds in start._until_answer(question))
    with pytest.raises(OSError, match="--start: a new process ended with exit code 1"):
        start._until_answer(question)  # its frame is gone


@pytest.mark.parametrize("told", [["frames"], ["--runs", "3"], ["--scans", "5000"], ["--max-voxels", "9000"]])
def test_a_measurement_of_new_processes_takes_no_clouds(told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *told, "--start"]) == 2
    assert f"{told[0] if told[0] != 'frames' else 'PATH'}: --start takes none" in capsys.readouterr().err


def test_eval_of_validation_scenes_tells_of_both_editions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = tmp_path / "validation.json"
    assert main(["eval", "--validation", "--limit", "6", "--json", str(report)]) == 0
    text = capsys.readouterr().out
    assert "6 simulated scenes" in text
    values = json.loads(report.read_text())["figures"]
    today, first, both = (values[title] for title in ("today", "first edition", "both"))
    assert (today["scenes"], first["scenes"], both["scenes"]) == (3, 3, 6)
    assert both["overlap_f"] == pytest.approx((today["overlap_f"] + first["overlap_f"]) / 2)
    assert both["overall"] == pytest.approx((both["overlap_f"] + both["detected"] + both["iou50_f"]) / 3)
    assert both["overlap_f"] > 0.5, "the shipped weights part most things"
    assert both["first"] > both["chance"] + 0.2, "and know most words"
    assert all(0 <= both[name] <= 1 for name in ("found", "refused"))
    model = SegVec3D.load(device="cpu")
    model.threshold = 1e-9
    monkeypatch.setattr("segvec3d_core.cli.validation.load_model", lambda _: model)
    assert main(["eval", "--validation", "--limit", "4", "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    both = result["figures"]["both"]
    assert both["found"] == 1, "nothing is below no threshold"
    assert both["refused"] in (0, None)
    assert len(result["scenes"]) == 4
    assert main(["eval", "--validation", "--limit", "4", "--colorless", "--json", "-"]) == 0
    bare = json.loads(capsys.readouterr().out)
    assert (result["colorless"], bare["colorless"]) == (False, True)
    assert bare["scenes"].keys() == result["scenes"].keys()
    assert bare["scenes"] != result["scenes"]
    assert both["overall"] == pytest.approx(np.mean(list(result["scenes"].values())))
    even, odd = (np.std([value for k, value in result["scenes"].items() if int(k) % 2 == h], ddof=1) for h in (0, 1))
    assert both["error"] == pytest.approx(np.hypot(even, odd) / 8**0.5), "how editions differ is no error"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (["--limit", "3"], "--limit: expected at least 4, got 3"),
        (["--max-voxels", "9000"], "--max-voxels: --validation takes none, and sees scenes by the defaults"),
        (["--worst", "3"], "--worst: --validation takes none"),
    ],
)
def test_eval_of_validation_scenes_refuses_what_it_cannot_heed(
    told: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", "--validation", *told]) == 2
    assert words in capsys.readouterr().err


def test_eval_does_one_thing_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["eval", "--validation", "--validation", "--language"])
    assert refused.value.code == 2
    assert "--language: not together with --validation" in capsys.readouterr().err
