"""What the README promises is so."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def test_the_python_example_runs_as_it_stands(capsys):
    (code,) = blocks("python")
    assert len(code.strip().splitlines()) <= 12
    exec(compile(code, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert any(" object mug " in line for line in lines)
    assert re.match(r"\d+ 0\.\d+ \[", lines[-1]), "the red mug is found"


def test_every_command_of_the_readme_exists():
    from segvec3d_core.cli import main

    named = set(re.findall(r"segvec3d (\w+)", " ".join(blocks("bash")))) - {"segvec3d"}
    assert {"segment", "find", "eval", "simulate", "train", "bench", "info", "demo", "node"} <= named
    for command in named:
        with pytest.raises(SystemExit) as end:
            main([command, "--help"])
        assert end.value.code == 0


def test_every_file_and_heading_that_the_readme_links_to_exists():
    links = re.findall(r"\]\(([^)#]+)(#[^)]*)?\)", README)
    assert links
    for path, heading in links:
        assert (ROOT / path).is_file(), path
        if heading:
            headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(), re.M)
            slugs = {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings}
            assert heading[1:] in slugs


def table(header: str) -> dict[str, list[str]]:
    """Rows of the table below a header cell: first cell without its backticks -> other cells."""
    rows = re.search(rf"^\| {header} \|.*\n\|[-|]+\n((?:\|.*\n)+)", README, re.M)
    assert rows, header
    cells = [[c.strip() for c in row.strip("|").split(" | ")] for row in rows.group(1).splitlines()]
    return {re.findall(r"`([^`]+)`", c[0])[0]: c[1:] for c in cells}


def shown(value: object) -> str:
    """A parameter's default as the table shows it."""
    if isinstance(value, list):
        return f"{len(value)} words" if len(value) > 5 else ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value) or '""'


def test_the_tables_name_the_parameters_topics_and_services_of_the_node():
    pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]'; the tables are text without it")
    from segvec3d_ros.parameters import SPECS

    rows = table("parameter")
    assert list(rows) == list(SPECS)
    for name, spec in SPECS.items():
        assert rows[name][1].rstrip(" |") == spec.description, name
        assert rows[name][0] == shown(spec.value), name
    source = "".join(path.read_text() for path in (ROOT / "segvec3d_ros").glob("*.py"))
    for name in [*table("topic"), *table("service")]:
        assert f'"{name}"' in source, name
