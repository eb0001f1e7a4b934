"""``segvec3d eval --language``, ``--held-out`` and ``--classify``: what is printed is what the JSON says."""

import json

import pytest

from segvec3d_core.cli import main
from segvec3d_core.quiz import ABSENT, KINDS

TETRAHEDRON = "OFF\n4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 2 1\n3 0 1 3\n3 1 2 3\n3 0 3 2\n"


def test_simulated_tables_are_asked_about_and_the_same_figures_are_printed_and_written(tmp_path, capsys):
    assert main(["eval", "--language", "--limit", "1", "--device", "cpu", "--json", str(tmp_path / "out.json")]) == 0
    printed = capsys.readouterr().out
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["version"] == 1
    assert set(result["kinds"]) <= set(KINDS)
    assert sum(kind["asked"] for kind in result["kinds"].values()) == len(result["questions"]) > 20
    for name, kind in result["kinds"].items():
        line = next(line for line in printed.splitlines() if line.startswith(f"{name} ".ljust(19)))
        share = kind["refused"] if name in ABSENT else kind["r_at_1"]
        assert f"{100 * share:.1f}" in line
    pairs = result["colour_category_pairs"]
    assert not pairs["never_seen"]
    assert pairs["held_out"]["asked"] + pairs["others"]["asked"] == result["kinds"]["colour + category"]["asked"]
    assert f"may have seen together: {100 * pairs['held_out']['r_at_1']:.1f} of {pairs['held_out']['asked']}" in printed
    asked = [q for q in result["questions"] if q["kind"] == "category"]
    assert result["kinds"]["category"]["r_at_1"] == pytest.approx(sum(q["rank"] == 1 for q in asked) / len(asked))


def test_shapes_are_classified_with_one_command(tmp_path, capsys):
    for name in ("chair", "night_stand"):
        (tmp_path / "ModelNet" / name / "test").mkdir(parents=True)
        (tmp_path / "ModelNet" / name / "test" / "solid.off").write_text(TETRAHEDRON)
    out = tmp_path / "out.json"
    assert main(["eval", "--classify", str(tmp_path / "ModelNet"), "--device", "cpu", "--json", str(out)]) == 0
    result = json.loads(out.read_text())
    assert (result["shapes"], result["classes"]) == (2, ["chair", "night_stand"])
    assert result["top_1"] == 0.5  # the two are the same shape, and of one name the same points
    assert result["top_5"] == 1
    assert "top-1 50.0 %" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--classify"], "no such file or folder"), (["--classify", "."], "neither ModelNet40"),
     (["--language", "--limit", "0"], "--limit: expected at least 1"),
     (["--held-out", "--limit", "0"], "--limit: expected at least 1"),
     (["--language", "."], "PATH: --language takes none"),
     (["--sequence", "--spread"], "--spread: --sequence takes none"),
     ([".", "--workers", "2"], "--workers: an evaluation of labelled data takes none"),
     ([".", "--reliability", "plot"], "plot: expected the name of a picture, such as .png, got no suffix")],
)  # fmt: skip
def test_bad_input_is_refused_in_one_line(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["eval", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_right_and_wrong_answers_are_drawn(tmp_path, capsys):
    asked = ["eval", "--language", "--limit", "1", "--device", "cpu", "--pictures", str(tmp_path)]
    assert main(asked) == 0
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn
    assert drawn <= {"right.jpg", "wrong.jpg"}
    assert all(path.stat().st_size < 300_000 for path in tmp_path.iterdir())
    printed = capsys.readouterr().out
    assert "a new query over 50 objects takes" in printed
    assert all(name in printed for name in drawn)


def test_things_are_named_among_ten_with_one_command(tmp_path, capsys):
    out = tmp_path / "out.json"
    assert main(["eval", "--held-out", "--limit", "1", "--device", "cpu", "--json", str(out)]) == 0
    result = json.loads(out.read_text())
    assert len(result["names"]) == 10
    assert result["taught"] == [name for name in result["names"] if name != "bicycle"]  # as the weights that ship
    assert result["in_view"] == len(result["called"]) > 0
    assert result["top_1"] == pytest.approx(sum(a == b for a, b in result["called"]) / len(result["called"]))
    assert f"top-1 {100 * result['top_1']:.1f} %" in capsys.readouterr().out
