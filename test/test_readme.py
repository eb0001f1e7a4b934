"""What the README and the pages that it leads to promise is so."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
ROBOT = (ROOT / "docs/robot.md").read_text()
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "segvec3d_core/models/README.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
]


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


def slugs(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_heading_that_a_page_links_to_exists(page):
    here = ROOT / page
    links = re.findall(r"\]\(([^)#\s]*)(#[^)\s]*)?\)", here.read_text())
    assert links or page != "README.md"
    for path, heading in links:
        if path.startswith("https://"):
            continue
        target = here.parent / path if path else here
        assert target.is_file(), path
        assert not heading or heading[1:] in slugs(target), path + heading


def test_the_figures_of_the_readme_are_those_of_the_results():
    section = README.split("## How good is it?")[1].split("\n## ")[0]
    figures = re.findall(r"\d+\.\d+", section)
    known = set(re.findall(r"\d+\.\d+", (ROOT / "docs/results.md").read_text()))
    assert len(figures) > 10
    assert set(figures) <= known


def table(header: str, page: str) -> dict[str, list[str]]:
    """Rows of the table below a header cell: first cell without its backticks -> other cells."""
    rows = re.search(rf"^\| {header} \|.*\n\|[-|]+\n((?:\|.*\n)+)", page, re.M)
    assert rows, header
    cells = [[c.strip() for c in row.strip("|").split(" | ")] for row in rows.group(1).splitlines()]
    return {re.findall(r"`([^`]+)`", c[0])[0]: c[1:] for c in cells}


def test_the_parameters_of_the_readme_are_rows_of_the_full_table():
    every = table("parameter", ROBOT)
    some = table("parameter", README)
    assert list(some) == [name for name in every if name in some]
    for name, cells in some.items():
        assert cells == every[name], name


def shown(value: object) -> str:
    """A parameter's default as the table shows it."""
    if isinstance(value, list):
        return f"{len(value)} words" if len(value) > 5 else ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value) or '""'


def test_the_tables_name_the_parameters_topics_and_services_of_the_node():
    pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]'; the tables are text without it")
    from segvec3d_ros.parameters import SPECS

    rows = table("parameter", ROBOT)
    assert list(rows) == list(SPECS)
    for name, spec in SPECS.items():
        assert rows[name][1].rstrip(" |") == spec.description, name
        assert rows[name][0] == shown(spec.value), name
    (fixed,) = re.findall(r"^- Fixed once the node is up: (.*)\.$", ROBOT, re.M)
    assert re.findall(r"`(\w+)`", fixed) == [name for name, spec in SPECS.items() if spec.read_only]
    (unconfigured,) = re.findall(r"^- Changed only while .*unconfigured.*: (.*)\.$", ROBOT, re.M)
    assert re.findall(r"`(\w+)`", unconfigured) == [name for name, spec in SPECS.items() if spec.unconfigured]
    source = "".join(path.read_text() for path in (ROOT / "segvec3d_ros").glob("*.py"))
    for name in [*table("topic", README), *table("service", README)]:
        assert f'"{name}"' in source, name
