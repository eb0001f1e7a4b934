"""What a sentence asks for is read the same way every time."""

import string
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segvec3d_core import words
from segvec3d_core.asked import Thing
from segvec3d_core.matching import phrases
from segvec3d_core.query import interpret
from segvec3d_core.relations import MEASURES, RELATIONS


@pytest.mark.parametrize(
    ("text", "phrase", "count"),
    [
        ("the red mug", "red mug", 1),
        ("a chair", "chair", 1),
        ("Where is the red mug?", "red mug", 1),
        ("please bring me the bottle", "bottle", 1),
        ("is there a banana", "banana", 1),
        ("two mugs", "mugs", 2),
        ("the 3 boxes", "boxes", 3),
        ("both mugs", "mugs", 2),
        ("three of the mugs", "mugs", 3),
        ("one of the mugs", "mugs", 1),
        ("all three boxes", "boxes", 3),
        ("all 3 of the boxes", "boxes", 3),
        ("all the three biggest boxes", "boxes", 3),
        ("all three", "", 3),
        ("all three on the table", "", 3),
        ("the two with handles", "things with handles", 2),
        ("all 500 ml bottles", "500 ml bottles", None),
        ("how many mugs are there", "mugs", None),
        ("all the cans", "cans", None),
        ("mugs", "mugs", None),
        ("the chairs", "chairs", None),
        ("the scissors", "scissors", 1),
        ("the chair with wheels", "chair with wheels", 1),
        ("the chair on wheels", "chair on wheels", 1),
        ("the box of pens", "box of pens", 1),
        ("the mug in red", "mug in red", 1),
        ("the mugs on the table", "mugs", None),
        ("the lens", "lens", 1),
        ("500 ml bottle", "500 ml bottle", 1),
        ("the one with the handle", "one with the handle", 1),
        ("the red one", "red thing", 1),
        ("any mug", "mug", 1),
        ("a glass", "glass", 1),
        ("something to drink from", "something to drink from", 1),
        ("something to sit on", "something to sit on", 1),
        ("something to see in the dark with", "something to see in the dark with", 1),
        ("everything", "", None),
        ("the thing", "", 1),
        ("die rote Tasse", "die rote tasse", 1),
        ("красная кружка", "красная кружка", 1),
        ("赤いマグ", "赤いマグ", 1),
        ("  the   box \n", "box", 1),
        ("the", "the", 1),
        ("find", "find", 1),
        ("on the table", "on the table", 1),
        ("left", "left", 1),
        ("0 mugs", "mugs", 1),
        ("everything except the mug", "", None),
        ("mugs but not the red one", "mugs", None),
        ("boxes other than the red one", "boxes", None),
        ("anything but the banana", "", 1),
        ("the two on the left", "", 2),
        ("how many cups are on the table?", "cups", None),
        ("how many books are there on the shelf?", "books", None),
        ("which books are under the lamp?", "books", None),
        ("boxes taller than the bottle", "boxes", None),
        ("everything red", "red thing", None),
        ("count everything that is red", "red thing", None),
        ("how many things are red", "red thing", None),
        ("all that is wooden", "wooden thing", None),
        ("the smaller of the two boxes", "boxes", 1),
        ("the first of two cans from the left", "cans", 1),
        ("the 50th birthday card from the left", "50th birthday card", 1),
        ("the first aid kit", "first aid kit", 1),
        ("a second hand book", "second hand book", 1),
        ("the mug on the second shelf", "mug", 1),
        ("something that is used to cut", "something that is used to cut", 1),
        ("bananas", "bananas", None),
        ("people", "people", None),
        ("the wire cutters", "wire cutters", 1),
        ("the 9 volt battery", "9 volt battery", 1),
        ("two wine glasses", "wine glasses", 2),
        ("two mugs close to the laptop", "mugs", 2),
        ("mugs close to the laptop", "mugs", None),
        ("which ones are on the table?", "", None),
        ("how many red mugs do you see?", "red mugs", None),
        ("the tv stand", "tv stand", 1),
        ("the shirt in dark blue", "shirt in dark blue", 1),
        ("give me the red mug please", "red mug", 1),
        ("look at the mug", "mug", 1),
        ("please, bring me the box", "box", 1),
        ("the box, thank you", "box", 1),
        ("I'd like the box", "box", 1),
        ("grasp the box", "box", 1),
        ("where can I find the box?", "box", 1),
        ("hey robot, find the “box”", "box", 1),
        ("the robot vacuum", "robot vacuum", 1),
        ("list everything on the table", "", None),
        ("count the mugs", "mugs", None),
        ("the shopping list", "shopping list", 1),
        ("a few boxes", "boxes", None),
        ("several plates", "plates", None),
        ("any two mugs", "mugs", 2),
        ("those on the table", "", None),
        ("all of those next to the laptop", "", None),
        ("two of those with handles", "things with handles", 2),
        ("those that are red", "red thing", None),
        ("those standing lamps", "standing lamps", None),
        ("the keys on the left", "keys", 1),
        ("the mug next to the boxes on the left", "mug", 1),
        ("the first two mugs from the left", "mugs", 2),
        ("the biggest two boxes", "boxes", 2),
        ("the biggest two with handles", "thing with handles", 2),
        ("the closest two to the table", "", 2),
        ("the mug with a lid that is red", "mug with a lid that is red", 1),
        ("the thing with the biggest handle", "thing with the biggest handle", 1),
        ("the box on the table with the smallest label", "box with the smallest label", 1),
        ("a picture of the tallest tower", "picture of the tallest tower", 1),
    ],
)
def test_politeness_articles_and_numbers_are_read(text, phrase, count):
    query = interpret(text)
    assert (query.phrase, query.count) == (phrase, count)


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("the biggest box", "'box', biggest of these"),
        ("the smallest red mug", "'red mug', smallest of these"),
        ("the second biggest box", "'box', number 2 of the biggest of these"),
        ("the biggest of the boxes", "'boxes', biggest of these"),
        ("the biggest thing", "any object, biggest of these"),
        ("the bigger box", "'box', bigger of these"),
        ("the mug on the left", "'mug', leftmost of these"),
        ("the third mug from the right", "'mug', number 3 of the rightmost of these"),
        ("the nearest box", "'box', nearest of these"),
        ("the box closest to me", "'box', nearest of these"),
        ("the box nearest to the mug", "'box', nearest to 'mug' of these"),
        ("the nearest box to the mug", "'box', nearest to 'mug' of these"),
        ("the closest box to the red mug on the table", "'box', nearest to ('red mug', on 'table') of these"),
        ("the box second nearest to the mug", "'box', number 2 of the nearest to 'mug' of these"),
        ("the second nearest box to the mug", "'box', number 2 of the nearest to 'mug' of these"),
        ("the closest things to me", "any object, nearest of these"),
        ("the thing closest to a mug", "any object, nearest to 'mug' of these"),
        ("the closest one to the table", "any object, nearest to 'table' of these"),
        ("the closest of the boxes to the table", "'boxes', nearest to 'table' of these"),
        ("the nearest one to me", "any object, nearest of these"),
        ("the biggest one with a handle", "'thing with a handle', biggest of these"),
        ("the smallest one liter bottle", "'one liter bottle', smallest of these"),
        ("the furthest chair from the door", "'chair', farthest from 'door' of these"),
        ("the nearest box to the left of the mug", "'box', left of 'mug', nearest of these"),
        ("the nearest thing to drink from", "'thing to drink from', nearest of these"),
        ("the mug farthest from the box", "'mug', farthest from 'box' of these"),
        ("the tallest object on the shelf", "any object, on 'shelf', tallest of these"),
        ("what is the biggest box?", "'box', biggest of these"),
        ("which mug is the biggest?", "'mug', biggest of these"),
        ("the mug that is the biggest with a handle", "'mug with a handle', biggest of these"),
        ("the mug with a handle that is the biggest", "'mug with a handle', biggest of these"),
        ("the mug on the left with a handle", "'mug with a handle', leftmost of these"),
        ("the cup that is the closest to me", "'cup', nearest of these"),
        ("the cup closest to me on the table", "'cup', on 'table', nearest of these"),
        ("the box closest to the robot that is not red", "'box', not 'red thing', nearest of these"),
        ("the one closest to the door", "any object, nearest to 'door' of these"),
        ("the chair closer to the door", "'chair', nearest to 'door' of these"),
        ("the chair in front of me", "'chair', nearest of these"),
        ("the mug on my right", "'mug', rightmost of these"),
        ("the chair to the left of you", "'chair', leftmost of these"),
        ("the mug on the left next to the lamp", "'mug', next to 'lamp', leftmost of these"),
        ("the chair second from the left", "'chair', number 2 of the leftmost of these"),
        ("the sixth book from the left", "'book', number 6 of the leftmost of these"),
        ("the mug that is furthest away", "'mug', furthest of these"),
        ("which is the closest to me?", "any object, nearest of these"),
        ("nearest to the mug", "any object, nearest to 'mug' of these"),
        ("the mug on the right side of the table", "'mug', on 'table', rightmost of these"),
        ("the biggest mug left of the box", "'mug', left of 'box', biggest of these"),
        ("the mug left of the biggest box", "'mug', left of ('box', biggest of these)"),
    ],
)
def test_superlatives_are_read(text, understood):
    assert str(interpret(text).thing) == understood
    assert interpret(text).count == 1


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("the bottle left of the laptop", "'bottle', left of 'laptop'"),
        ("the bottle to the left of the red box", "'bottle', left of 'red box'"),
        ("the chair under the desk", "'chair', under 'desk'"),
        ("mug on table", "'mug', on 'table'"),
        ("the mug which is standing on the book", "'mug', on 'book'"),
        ("the thing on the box", "any object, on 'box'"),
        ("what is in the bowl?", "any object, in 'bowl'"),
        ("the ball between the mug and the bowl", "'ball', between 'mug' and 'bowl'"),
        ("the bottle taller than the mug", "'bottle', taller than 'mug'"),
        ("something to sit on next to the table", "'something to sit on', next to 'table'"),
        ("the mug on the box next to the laptop", "'mug', on ('box', next to 'laptop')"),
        ("the mug on the table left of the laptop", "'mug', on 'table', left of 'laptop'"),
        ("the mug left of the laptop and next to the bowl", "'mug', left of 'laptop', next to 'bowl'"),
        ("the toy between the box and the book on the table", "'toy', between 'box' and ('book', on 'table')"),
        ("the ball between the two boxes", "'ball', between 'boxes' and 'boxes'"),
        ("the one next to the laptop", "any object, next to 'laptop'"),
        ("which one is on the table?", "any object, on 'table'"),
        ("the cup that's on the table", "'cup', on 'table'"),
        ("the cup on the left-hand side of the keyboard", "'cup', left of 'keyboard'"),
        ("the mug not far from the laptop", "'mug', next to 'laptop'"),
        ("the keys I left on the desk", "'keys i left', on 'desk'"),
        ("the box wider than the laptop", "'box', wider than 'laptop'"),
        ("the box next to the one on the left", "'box', next to (any object, leftmost of these)"),
        ("the one that is on the table", "any object, on 'table'"),
        ("those lying on the table", "any object, on 'table'"),
        ("the mug next to those in the bowl", "'mug', next to (any object, in 'bowl')"),
        ("something that lies in the box", "any object, in 'box'"),
        ("the thing which is closest to me", "any object, nearest of these"),
        ("something that is used to sit on", "'something that is used to sit on'"),
        ("something that holds jam", "'something that holds jam'"),
        ("the mug left of the robot", "'mug', leftmost of these"),
        ("the mug left of the camera", "'mug', left of 'camera'"),
        ("the chair in front of the robot", "'chair', nearest of these"),
        ("the mug in front of and left of the bowl", "'mug', in front of 'bowl', left of 'bowl'"),
        ("the mug behind and to the left of the bowl", "'mug', behind 'bowl', left of 'bowl'"),
        ("the last book from the left", "'book', rightmost of these"),
        ("the last two mugs from the left", "'mugs', rightmost of these"),
        ("the 11th book from the left", "'book', number 11 of the leftmost of these"),
        ("the second-biggest box", "'box', number 2 of the biggest of these"),
        ("the mug next to the second box from the left", "'mug', next to ('box', number 2 of the leftmost of these)"),
        ("the mug on the laptop's left", "'mug', left of 'laptop'"),
        ("left of the bowl", "any object, left of 'bowl'"),
        ("a bigger box than the mug", "'box', bigger than 'mug'"),
        ("the mug furthest to the left", "'mug', leftmost of these"),
        ("the farthest left box", "'box', leftmost of these"),
        ("something that is put on bread", "'something that is put on bread'"),
        ("something that is worn on the head", "'something that is worn on the head'"),
        ("the mug on the second shelf on the left", "'mug', on 'second shelf', leftmost of these"),
        ("the last chair on the right", "'last chair', rightmost of these"),
        ("the box (red)", "'box red'"),
        ("the mug that was left on the table", "'mug', on 'table'"),
        ("the mug on the table with a handle", "'mug with a handle', on 'table'"),
        ("the red and blue ball", "'red and blue ball'"),
        ("the salt and pepper shaker", "'salt and pepper shaker'"),
        ("the mug with a handle and a lid", "'mug with a handle and a lid'"),
        ("the box longer than the mug", "'box', longer than 'mug'"),
        ("the no parking sign", "'no parking sign'"),
        ("place mat on the table", "'place mat', on 'table'"),
        ("everything other than 2 mugs", "any object, not 'mugs'"),
    ],
)
def test_relations_are_read(text, understood):
    assert str(interpret(text).thing) == understood


def test_what_follows_an_anchor_belongs_to_it_and_what_follows_and_or_a_table_to_the_thing():
    nested = interpret("the mug on the box next to the laptop").thing
    assert [r.name for r in nested.relations] == ["on"]
    assert [r.name for r in nested.relations[0].anchors[0].relations] == ["next to"]
    for clause in ("the box and next to", "the table next to", "the table that is next to"):
        assert [r.name for r in interpret(f"the mug on {clause} the laptop").thing.relations] == ["on", "next to"]
    described = interpret("the mug on the table that is not red").thing
    assert described.without == ("red thing",)
    assert described.relations[0].anchors[0].without == ()


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("the mug on the table and not red", "'mug', not 'red thing', on 'table'"),
        ("the mug left of the laptop and not red", "'mug', not 'red thing', left of 'laptop'"),
        ("the mug next to the laptop and red", "'red mug', next to 'laptop'"),
        ("the mug next to the laptop and has no handle", "'mug', not 'mug with a handle', next to 'laptop'"),
        ("the mug that is not red and is on the table", "'mug', not 'red thing', on 'table'"),
        ("the mug that is red and on the table", "'red mug', on 'table'"),
        ("the mug that is not on the table and is red", "'red mug', not on 'table'"),
        ("the mug that is on the box and that is next to the laptop", "'mug', on 'box', next to 'laptop'"),
        ("the mug on the box next to the laptop and red", "'red mug', on ('box', next to 'laptop')"),
        ("the mug next to the laptop and not red and on the box", "'mug', not 'red thing', next to 'laptop', on 'box'"),
        ("the ball between the mug and the bowl and red", "'red ball', between 'mug' and 'bowl'"),
        (
            "the second mug left of the bowl and red",
            "'red mug', left of 'bowl', number 2 of the nearest to 'bowl' of these",
        ),
        ("the mug on the left and red", "'red mug', leftmost of these"),
        ("the mug on the left and has a handle", "'mug with a handle', leftmost of these"),
        ("the mug next to the red and blue box", "'mug', next to 'red and blue box'"),
        ("the mug next to the box that is red and blue", "'mug', next to 'box that is red and blue'"),
        ("the mug next to the box that is red and has a lid", "'mug', next to 'box that is red and has a lid'"),
        ("the mug next to the box in the red and blue bag", "'mug', next to ('box', in 'red and blue bag')"),
        ("the pad next to the pen and paper", "'pad', next to 'pen and paper'"),
    ],
)
def test_what_the_thing_is_like_is_not_said_of_the_anchor_before_and(text, understood):
    assert str(interpret(text).thing) == understood


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("the mug or the cup", "'mug' or 'cup'"),
        ("either a mug or a cup", "'mug' or 'cup'"),
        ("mug, cup or glass", "'mug' or 'cup' or 'glass'"),
        ("the red mug or the blue bowl on the table", "'red mug' or 'blue bowl', on 'table'"),
        ("a red, green or blue mug", "'red mug' or 'green mug' or 'blue mug'"),
        ("the mug that is red or blue", "'red mug' or 'blue mug'"),
        ("everything that is red or blue", "'red thing' or 'blue thing'"),
        ("the red or the blue mug", "'red mug' or 'blue mug'"),
        ("the biggest mug or cup", "'mug' or 'cup', biggest of these"),
        ("the mug next to the red or blue box", "'mug', next to 'red box' or 'blue box'"),
        ("the mug not on the table or the floor", "'mug', not on 'table' or 'floor'"),
        ("salt or pepper shaker", "'salt or pepper shaker'"),
        ("something to eat or drink from", "'something to eat or drink from'"),
        ("the mug or something", "'mug or something'"),
        ("a small, round box", "'small, round box'"),
    ],
)
def test_alternatives_are_read(text, understood):
    assert str(interpret(text).thing) == understood


@pytest.mark.parametrize("preposition", sorted(words.RELATIONS))
def test_every_preposition_parts_a_thing_from_its_anchor(preposition):
    end = " and the cup" if words.RELATIONS[preposition] == "between" else ""
    thing = interpret(f"the mug {preposition} the box{end}").thing
    assert thing.phrase == "mug"
    name = words.RELATIONS[preposition]
    if name in words.DISTANCES:
        assert thing.superlative is not None
        assert str(thing.superlative.anchor) == "'box'"
    else:
        assert [r.name for r in thing.relations] == [name]
        assert name in RELATIONS or name == "between"


@pytest.mark.parametrize("word", sorted(words.SUPERLATIVES))
def test_every_superlative_names_a_measure(word):
    superlative = interpret(f"the {word} mug").thing.superlative
    assert superlative is not None
    assert superlative.measure in (*MEASURES, "centrality")


def test_a_side_beside_another_order_of_the_anchor_is_the_things_own():
    thing = interpret("the mug next to the second biggest box on the left").thing
    assert thing.superlative is not None
    assert thing.superlative.measure == "left"
    assert str(thing.relations[0]) == "next to ('box', number 2 of the biggest of these)"


def test_two_places_beside_who_asks_are_not_refused_as_two_orders():
    for text in ("the box in front of and left of me", "the box in front of and near you"):
        interpret(text)


def test_the_answer_says_how_the_query_was_understood():
    assert interpret("two mugs").explain(0.5) == "the best 2 similar to 'mugs' (similarity at least 0.50)"
    assert interpret("mugs").explain(0.5).startswith("everything similar to 'mugs'")


_WORDS = st.sampled_from(
    [*words.RELATIONS, *words.SUPERLATIVES, *words.COLORS, *words.GENERIC, *words.NUMBERS, *words.ORDINALS, "not",
     "without", "but", "except", "on the left", "closest to me", "the", "a", "and", "or", "of", "that is", "mug",
     "boxes", "laptop", "table", "something to", ",", "?"]
)  # fmt: skip


def names(thing: Thing) -> Iterator[str]:
    """Every relation that the matcher must know."""
    for relation in thing.relations:
        yield relation.name
        for anchor in relation.anchors:
            yield from names(anchor)
    others = [*thing.excluded, thing.superlative.anchor if thing.superlative else None]
    for other in others:
        if other is not None:
            yield from names(other)


@given(st.one_of(st.lists(_WORDS, min_size=1, max_size=14).map(" ".join), st.text(string.printable, min_size=1)))
def test_any_words_are_read_without_an_empty_phrase_for_the_encoder(text):
    if not text.translate(words.QUOTES).strip(f"{words.MARKS}\t\n\r\x0b\x0c"):
        return
    try:
        query = interpret(text)
    except ValueError as error:
        assert str(error).startswith("text: expected ") or "are not read" in str(error)  # noqa: PT017
        return
    assert query == interpret(text)
    assert query.count is None or query.count >= 1
    assert all(phrase and phrase == " ".join(phrase.split()) for phrase in phrases(query.thing))
    assert set(names(query.thing)) <= {*RELATIONS, "between"}


def test_a_long_row_of_relations_ends():
    thing = interpret("mug on the box " * 130).thing
    assert all(phrase.strip() for phrase in phrases(thing))
