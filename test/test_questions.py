"""Questions are read as the things that they ask for."""

import pytest

from segvec3d_core.query import interpret


@pytest.mark.parametrize(
    ("text", "phrase", "count"),
    [
        ("which ones are red?", "red thing", None),
        ("which bowls are white?", "white bowls", None),
        ("which of the mugs is red?", "red mugs", 1),
        ("which of the two boxes is on the table?", "boxes", 1),
        ("which of the mugs are red?", "red mugs", None),
        ("how many of the mugs are red?", "red mugs", None),
        ("which one has a handle?", "thing that has a handle", 1),
        ("what has a handle?", "things with a handle", None),
        ("what has wheels?", "things with wheels", None),
        ("what have you found?", "what have you found", 1),
        ("what can I find to eat?", "something to find to eat", 1),
        ("what can I see through?", "something to see through", 1),
        ("what do you see in the room right now?", "", None),
        ("what can you see from here?", "", None),
        ("what is over there?", "", None),
        ("what do you see on the table?", "", None),
        ("what can I find in the red box?", "", None),
        ("is the mug light blue?", "light blue mug", 1),
        ("is the mug on the table?", "mug", 1),
        ("is it raining", "is it raining", 1),
        ("what can I drink from?", "something to drink from", 1),
        ("can you see a banana?", "banana", 1),
        ("where did I leave my keys?", "keys", None),
        ("what do you see?", "", None),
        ("what is there?", "", None),
        ("what is there on the table?", "", None),
    ],
)
def test_a_question_asks_for_what_a_noun_phrase_would(text, phrase, count):
    query = interpret(text)
    assert (query.phrase, query.count) == (phrase, count)


@pytest.mark.parametrize(
    ("text", "relation", "anchor"),
    [
        ("what do you see on the table?", "on", "table"),
        ("what can I find in the red box?", "in", "red box"),
        ("what is there on the table?", "on", "table"),
    ],
)
def test_a_question_of_a_place_asks_for_all_that_is_there(text, relation, anchor):
    (found,) = interpret(text).thing.relations
    assert (found.name, [a.phrase for a in found.anchors]) == (relation, [anchor])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "what colour is the mug?",
            "expected a thing to look for, got 'what colour is the mug', which asks for something",
        ),
        ("how far is the door?", r"expected a thing to look for, .* something else \(far\)"),
        ("what is the mug made of?", r"expected a thing to look for, .* something else \(made of\)"),
        ("don't take the box", "expected a thing to look for, got 'do not take the box', which says what not to do"),
        ("robot, please do not touch the mug", "expected a thing to look for, .* which says what not to do"),
        ("never touch the mug", "expected a thing to look for, .* which says what not to do"),
        ("you must not move the mug", "expected a thing to look for, .* which says what not to do"),
    ],
)
def test_a_question_for_no_thing_is_refused(text, reason):
    with pytest.raises(ValueError, match=f"^text: {reason}"):
        interpret(text)
