"""What is not meant is told apart from what is."""

import pytest

from segvec3d_core.query import interpret


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("the mug that is not red", "'mug', not 'red thing'"),
        ("the mug that isn't red or blue", "'mug', not 'red thing', not 'blue thing'"),
        ("the non-red mug", "'mug', not 'red thing'"),
        ("something that is not red", "any object, not 'red thing'"),
        ("a mug without a handle", "'mug', not 'mug with a handle'"),
        ("anything but the banana", "any object, not 'banana'"),
        ("the box not on the table", "'box', not on 'table'"),
        ("the biggest box that is not red", "'box', not 'red thing', biggest of these"),
        ("a chair that doesn't have wheels", "'chair', not 'chair with wheels'"),
        ("a cup that has no handle", "'cup', not 'cup with a handle'"),
        ("everything on the table except the plates", "any object, not 'plates', on 'table'"),
        ("all mugs except the one on the table", "'mugs', not ('mugs', on 'table')"),
        ("all mugs except those on the table", "'mugs', not ('mugs', on 'table')"),
        ("all the boxes except the one on the left", "'boxes', not ('boxes', leftmost of these)"),
        ("any box but the biggest", "'box', not ('box', biggest of these)"),
        ("the cup that is not closest to me", "'cup', not ('cup', nearest of these)"),
        ("any mug but this one", "'mug'"),
        ("the chair not in front of me", "'chair', not ('chair', nearest of these)"),
        ("the mug on the table, not the leftmost one", "'mug', not ('mug', on 'table', leftmost of these), on 'table'"),
        (
            "boxes except the red one and the one on the left",
            "'boxes', not 'red thing', not ('boxes', leftmost of these)",
        ),
        ("all but the plates and the mug on the table", "any object, not 'plates', not ('mug', on 'table')"),
        ("all but the ball between the mug and the bowl", "any object, not ('ball', between 'mug' and 'bowl')"),
        ("the small but heavy box", "'small but heavy box'"),
        ("everything except what is on the table", "any object, not (any object, on 'table')"),
        ("the thing that is not on the table", "any object, not on 'table'"),
        ("a mug that is not red and has a handle", "'mug with a handle', not 'red thing'"),
        ("the mug that has no handle and is red", "'red mug', not 'mug with a handle'"),
        ("the mug without a handle but with a lid", "'mug with a lid', not 'mug with a handle'"),
        ("the mug that is not red but blue", "'blue mug', not 'red thing'"),
        ("not the red mug but the blue one", "'blue thing', not 'red mug'"),
        ("something that is not red but blue", "'blue thing', not 'red thing'"),
        (
            "all boxes but the two biggest",
            "'boxes', not ('boxes', biggest of these), not ('boxes', number 2 of the biggest of these)",
        ),
        ("everything except the two mugs", "any object, not 'mugs'"),
    ],
)
def test_negations_are_read(text, understood):
    assert str(interpret(text).thing) == understood


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("the boxes that are not blue and are not red", "'boxes', not 'blue thing', not 'red thing'"),
        ("the mug that is not red and is not blue", "'mug', not 'red thing', not 'blue thing'"),
        ("the mug that isn't red and isn't blue", "'mug', not 'red thing', not 'blue thing'"),
        ("the mug which is not red and which is not blue", "'mug', not 'red thing', not 'blue thing'"),
        ("the mug that is not red, not blue", "'mug', not 'red thing', not 'blue thing'"),
        ("not red, not blue", "any object, not 'red thing', not 'blue thing'"),
        ("the mug that is not red or not blue", "'mug', not 'red thing', not 'blue thing'"),
        ("the thing that is not a mug and is not a bowl", "any object, not 'mug', not 'bowl'"),
        ("the mug that is not red and has no handle", "'mug', not 'red thing', not 'mug with a handle'"),
        ("the mug that is not red and without a handle", "'mug', not 'red thing', not 'mug with a handle'"),
        ("the mug without a handle and not red", "'mug', not 'mug with a handle', not 'red thing'"),
        ("the mug that has no handle and no lid", "'mug', not 'mug with a handle', not 'mug with a lid'"),
        ("a mug that doesn't have a handle or a lid", "'mug', not 'mug with a handle', not 'mug with a lid'"),
        ("a mug that doesn't have a handle and doesn't fit", "'mug', not 'mug with a handle', not 'fit'"),
        ("the mug with no handle and red", "'red mug', not 'mug with a handle'"),
        ("the mug that is not red and that has a handle", "'mug with a handle', not 'red thing'"),
        ("the mug that is not red and is big and is not blue", "'mug that is big', not 'red thing', not 'blue thing'"),
        ("the mug that is red but is not big", "'red mug', not 'big'"),
        ("the small but heavy box that is not red", "'small but heavy box', not 'red thing'"),
    ],
)
def test_one_negation_after_another_denies_too(text, understood):
    assert str(interpret(text).thing) == understood


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        (
            "everything except the mug that is red and has a handle",
            "any object, not 'mug that is red and has a handle'",
        ),
        ("everything except mugs that are not red", "any object, not ('mugs', not 'red thing')"),
        ("all mugs but the ones that are not red", "'mugs', not ('mugs', not 'red thing')"),
    ],
)
def test_what_is_said_of_an_exception_is_said_of_it_alone(text, understood):
    assert str(interpret(text).thing) == understood
