"""Words for several things, and for one of them."""

import pytest

from segvec3d_core.nouns import singular
from segvec3d_core.simulate.vocabulary import NOUNS


@pytest.mark.parametrize(
    ("several", "one"),
    [
        ("mugs", "mug"),
        ("red mugs with handles", "red mug with handles"),
        ("bottles of water", "bottle of water"),
        ("boxes", "box"),
        ("batteries", "battery"),
        ("puppies", "puppy"),
        ("cookies", "cookie"),
        ("ties", "tie"),
        ("book shelves", "book shelf"),
        ("bookshelves", "bookshelf"),
        ("dresses", "dress"),
        ("brushes", "brush"),
        ("peaches", "peach"),
        ("vases", "vase"),
        ("houses", "house"),
        ("buses", "bus"),
        ("tomatoes", "tomato"),
        ("shoes", "shoe"),
        ("bananas", "banana"),
        ("toy monkeys", "toy monkey"),
        ("computer mice", "computer mouse"),
        ("plants", "plant"),
        ("toys", "toy"),
        ("sunglasses", "sunglasses"),
        ("keys", "keys"),
        ("bunch of grapes", "bunch of grapes"),
        ("glass", "glass"),
        ("pants", "pants"),
        ("ananas", "ananas"),
        ("species", "species"),
        ("boxes and cups", "boxes and cups"),
        ("kellogg's", "kellogg's"),
        ("s", "s"),
        ("size s", "size s"),
        ("something to drink from", "something to drink from"),
        ("Fußbälle", "Fußbälle"),
    ],
)
def test_several_are_looked_for_by_the_words_for_one(several, one):
    assert singular(several) == one


def test_no_name_of_the_simulator_is_taken_for_several_of_another_thing():
    names = {name for noun in NOUNS.values() for name in (noun.name, *noun.synonyms, *noun.hypernyms, *noun.uses)}
    assert len(names) > 500
    assert {name for name in names if singular(name) != name} <= {"shelves"}
