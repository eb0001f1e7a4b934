"""What docs/language.md says of a sentence is what the parser makes of it."""

from pathlib import Path

import pytest

from segvec3d_core import words
from segvec3d_core.query import interpret

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "language.md").read_text(encoding="utf-8")
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in PAGE.split("| sentence |")[1].split("\n\n")[0].splitlines()[2:]
]


def test_the_table_is_read():
    assert len(ROWS) > 20
    assert all(len(row) == 3 for row in ROWS)


@pytest.mark.parametrize(("sentence", "count", "understood"), ROWS, ids=[row[0] for row in ROWS])
def test_a_sentence_is_understood_as_the_page_says(sentence, count, understood):
    query = interpret(sentence)
    assert str(query.thing) == understood
    assert query.count == (None if count == "all" else int(count))


def test_every_relation_is_named():
    page = PAGE.split("- **Relations**")[1].split("- **Which")[0]
    for name in words.RELATIONS.values():
        assert name.removesuffix(" than") in page
