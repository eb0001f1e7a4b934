"""What cannot be answered as it was asked is refused, with the reason."""

from time import perf_counter

import pytest

from segvec3d_core.query import interpret
from segvec3d_core.text import MAX_CHARACTERS


@pytest.mark.parametrize("text", ["", "   ", "\n\t", " ?! "])
def test_an_empty_query_is_refused(text):
    with pytest.raises(ValueError, match="text: expected words, got an empty string"):
        interpret(text)


def test_an_overlong_query_is_refused_before_it_is_read():
    interpret(("something to in the mug " * 100)[:MAX_CHARACTERS])
    began = perf_counter()
    with pytest.raises(ValueError, match="text: expected at most 2000 characters, got 240000"):
        interpret("something to in the mug " * 10_000)
    assert perf_counter() - began < 1


@pytest.mark.parametrize(
    "text",
    [
        "the mug closest to me on the left",
        "the mug nearest to the laptop and farthest from the bowl",
        "the biggest box on the left",
        "the mug next to me on the left",
    ],
)
def test_things_in_two_orders_are_refused(text):
    """Either order alone would answer another question."""
    with pytest.raises(ValueError, match="text: expected things in one order, got two: "):
        interpret(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("the box and the mug", 'expected one kind of thing, got several with "and"'),
        ("bring me the red mug and a plate, please", 'expected one kind of thing, got several with "and"'),
        ("the box bigger than 5 cm", "sizes in numbers are not read, got 'bigger than 5'"),
        ("a mug that is taller than about 20 cm", "sizes in numbers are not read, got 'taller than about 2'"),
        ("the heaviest object", "expected an order by size or place, got 'heaviest', which no cloud shows"),
        ("no apples", "expected what is looked for, got 'no apples'"),
        ("put the mug in the basket", "expected a thing, got also where to put it"),
        ("left of the", "expected a whole phrase, got 'left of the'"),
        ("the mug beside an", "expected a whole phrase, got 'the mug beside an'"),
    ],
)
def test_what_would_be_answered_as_if_half_of_it_had_not_been_said_is_refused(text, reason):
    with pytest.raises(ValueError, match=f"^text: {reason}"):
        interpret(text)


def test_a_name_may_end_as_an_article():
    assert interpret("the frame from Hoi An").thing.phrase == "frame from hoi an"


@pytest.mark.parametrize(
    "text",
    ["the mug on the table or on the shelf", "the mug in front of or behind the bowl", "left or right of the mug"],
)
def test_either_of_two_places_is_refused(text):
    with pytest.raises(ValueError, match='text: expected one place, got places with "or" between them'):
        interpret(text)


@pytest.mark.parametrize("text", [None, 3, ["mug"]])
def test_a_query_that_is_no_text_is_refused(text):
    with pytest.raises(TypeError, match="text: expected a string"):
        interpret(text)


@pytest.mark.parametrize(
    "text",
    [
        "all boxes on the left",
        "boxes on the left",
        "which mugs are on the right?",
        "the chairs to the left of me",
        "every box at the top",
        "all mugs except the ones on the left",
    ],
)
def test_several_on_a_side_are_refused_without_how_many(text):
    with pytest.raises(ValueError, match='text: expected how many stand on that side, as in "the two boxes'):
        interpret(text)


@pytest.mark.parametrize(
    "text",
    ["the second box", "a third one", "the 2nd red box on the table", "the first two boxes", "the second of the boxes",
     "second", "the second shelf", "the mug next to the second box", "all boxes except the second"],
)  # fmt: skip
def test_an_ordinal_that_counts_from_nowhere_is_refused(text):
    with pytest.raises(ValueError, match='text: expected from where to count, as in "the second box from'):
        interpret(text)
