"""What a sentence asks for is read the same way every time."""

import pytest

from segvec3d_core.query import interpret


@pytest.mark.parametrize(
    ("text", "phrase", "count"),
    [
        ("the red mug", "red mug", 1),
        ("a chair", "chair", 1),
        ("Where is the red mug?", "red mug", 1),
        ("please bring me the bottle", "bottle", 1),
        ("two mugs", "mugs", 2),
        ("the 3 boxes", "boxes", 3),
        ("all the cans", "cans", None),
        ("mugs", "mugs", None),
        ("the chairs", "chairs", None),
        ("the scissors", "scissors", 1),
        ("the chair with wheels", "chair with wheels", 1),
        ("the box of pens", "box of pens", 1),
        ("the mugs on the table", "mugs on the table", None),
        ("the lens", "lens", 1),
        ("500 ml bottle", "500 ml bottle", 1),
        ("the one with the handle", "one with the handle", 1),
        ("any mug", "mug", 1),
        ("a glass", "glass", 1),
        ("something to drink from", "something to drink from", 1),
        ("die rote Tasse", "die rote tasse", 1),
        ("красная кружка", "красная кружка", 1),
        ("赤いマグ", "赤いマグ", 1),
        ("  the   box \n", "box", 1),
        ("the", "the", 1),
        ("find", "find", 1),
        ("0 mugs", "mugs", 1),
    ],
)
def test_politeness_articles_and_numbers_are_read(text, phrase, count):
    query = interpret(text)
    assert (query.phrase, query.count) == (phrase, count)


def test_the_answer_says_how_the_query_was_understood():
    assert interpret("two mugs").explain(0.5) == "the best 2 similar to 'mugs' (similarity at least 0.50)"
    assert interpret("mugs").explain(0.5).startswith("everything similar to 'mugs'")


@pytest.mark.parametrize("text", ["", "   ", "\n\t", " ?! "])
def test_an_empty_query_is_refused(text):
    with pytest.raises(ValueError, match="text: expected words, got an empty string"):
        interpret(text)


@pytest.mark.parametrize("text", [None, 3, ["mug"]])
def test_a_query_that_is_no_text_is_refused(text):
    with pytest.raises(TypeError, match="text: expected a string"):
        interpret(text)
