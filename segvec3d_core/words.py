"""The words that the grammar of queries knows, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_DEPTH = 4
"""Anchors within anchors that are read; deeper ones stay words."""

NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "both": 2, "a couple of": 2,
}  # fmt: skip
ORDINALS = {"second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "fifth": 5, "5th": 5}

COLORS = (
    "red", "orange", "yellow", "green", "blue", "turquoise", "purple", "pink", "brown", "beige", "black", "grey",
    "gray", "white", "silver", "transparent", "clear", "violet", "cyan", "golden", "dark", "bright", "colourful",
)  # fmt: skip
MATERIALS = (
    "wooden", "wood", "metal", "plastic", "glass", "ceramic", "paper", "cardboard", "leather", "fabric", "steel",
    "rubber", "foam", "stone", "wax", "organic",
)  # fmt: skip
GENERIC = (
    "thing", "things", "object", "objects", "item", "items", "one", "ones", "something", "anything", "everything",
    "stuff",
)  # fmt: skip
ALL = ("everything", "stuff")
SUPPORTS = ("table", "tabletop", "table top", "desk", "floor", "ground", "shelf", "counter", "coffee table")
VIEWER = ("me", "us", "camera", "robot", "viewer", "sensor", "you")
DETERMINERS = ("the ", "a ", "an ", "my ", "this ", "that ", "some ", "any ")


def _any(words: Iterable[str]) -> str:
    """A pattern for any of the words, longer ones first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


# Around the thing ------------------------------------------------------------------------------------------------

POLITE = re.compile(
    r"^((please|can you|could you|would you|(find|show|bring|give|get|fetch|hand|pass)( me)?|where is|where are"
    r"|where's|pick up|grab|take|what about|is there|are there|how many|i need|i want|i would like"
    r"|look for|go to|point at) )+"
)
THERE = re.compile(r" (?:(?:is|are) )?there$")
WHAT = re.compile(r"^(?:what is|what's|whatever is|what stands|what lies) (?=\w)")
ARTICLE = re.compile(r"(?:the|an?|any|some|my|this|that|these|those) (?=\w)")
EVERYTHING = re.compile(r"(?:all|every|each)(?: of)?(?: the)? (?=\w)")
_NO_COUNT = "ml|l|cm|mm|m|kg|g|with|that|which|on|in|of"
"""After these a number counts no things: "a 500 ml bottle", "the one with the handle"."""
COUNT = re.compile(
    rf"(?:the )?(\d{{1,3}}|{_any(NUMBERS)})(?: of (?:the|my|these|those))?(?: the)? (?!(?:{_NO_COUNT}) )(?=\w)"
)
SINGULAR_S = (
    "ss", "us", "is", "as", "lens", "glasses", "scissors", "pliers", "headphones", "tweezers", "trousers", "jeans",
)  # fmt: skip
DETAILS = re.compile(
    r" (?:with|without|not|of|on|in|inside|under|below|above|over|next|beside|behind|near|nearest|closest|between|left"
    r"|right|to|for|that|which|and|made|standing|lying|farthest|furthest|at|by|except|but|other than)\b"
)
ONE = re.compile(r"\b ?ones?$")
OF_THE = re.compile(r"^ ?(?:one )?of (?:all |these |those )?(?:the )?")
FILLER_END = re.compile(
    r"(?: (?:that|which|who))?(?: (?:is|are|stands?|lies|sits?|standing|lying|sitting|placed|located|resting))?$"
)
USE = re.compile(
    r"(?:something|anything|a thing|an object|things?|stuff|one|it)(?: \w+)? (?:to|that|which|for|in which)\b"
)

# Superlatives ----------------------------------------------------------------------------------------------------

SUPERLATIVES: dict[str, tuple[str, bool]] = {
    **dict.fromkeys(("biggest", "largest", "bigger", "larger", "hugest"), ("volume", True)),
    **dict.fromkeys(("smallest", "tiniest", "littlest", "smaller"), ("volume", False)),
    **dict.fromkeys(("tallest", "taller"), ("height", True)),
    **dict.fromkeys(("shortest", "shorter"), ("height", False)),
    **dict.fromkeys(("longest", "longer"), ("length", True)),
    **dict.fromkeys(("widest", "wider", "broadest"), ("width", True)),
    **dict.fromkeys(("narrowest", "narrower"), ("width", False)),
    **dict.fromkeys(("thinnest", "thinner", "flattest", "flatter", "slimmest"), ("thickness", False)),
    **dict.fromkeys(("thickest", "thicker"), ("thickness", True)),
    **dict.fromkeys(("highest", "topmost", "uppermost", "upper"), ("elevation", True)),
    **dict.fromkeys(("lowest", "bottommost", "lower"), ("elevation", False)),
    **dict.fromkeys(("leftmost", "left-most", "left", "left-hand"), ("left", True)),
    **dict.fromkeys(("rightmost", "right-most", "right", "right-hand"), ("left", False)),
    **dict.fromkeys(("nearest", "closest", "nearer", "closer", "frontmost"), ("distance", False)),
    **dict.fromkeys(("farthest", "furthest", "most distant", "farther", "further"), ("distance", True)),
    **dict.fromkeys(("middle", "central", "most central"), ("centrality", False)),
}
"""Word -> what is compared, and whether the most of it is meant. Of comparatives the extreme is taken, too."""
ALSO_NOUNS = ("left", "right", "middle", "upper", "lower", "central")
SUPERLATIVE = re.compile(rf"(?:(?<=^)|(?<= ))({_any(SUPERLATIVES)})(?= |$)")
INNER_COUNT = re.compile(rf"(({_any(SUPERLATIVES)}) )({_any(NUMBERS)}) (?=\w)")
SIDES = {
    "left": ("left", True, "leftmost"), "right": ("left", False, "rightmost"),
    "top": ("elevation", True, "highest"), "bottom": ("elevation", False, "lowest"),
    "middle": ("centrality", False, "most central"), "centre": ("centrality", False, "most central"),
    "center": ("centrality", False, "most central"), "front": ("distance", False, "nearest"),
    "back": ("distance", True, "farthest"),
}  # fmt: skip
SIDE = re.compile(
    rf" (?:on|to|at|in|from) the (?:far |very )?({_any(SIDES)})(?:[ -]hand)?(?: side)?(?=$| that | which | and )(?! of)"
)
ORDINAL = re.compile(rf"({_any(ORDINALS)}) ")

DISTANCE_AROUND = re.compile(
    rf"^((?:(?:{_any(ORDINALS)}) )?(?:(?:nearest|closest)(?= .* to )|(?:farthest|furthest)(?= .* from ))) (\w.*?) "
    rf"(to|from) (?=(?:{'|'.join(DETERMINERS)}|(?:{_any(VIEWER)})$)(?!(?:far |very )?(?:{_any(SIDES)})\b))"
)
"""Stands around its thing: "the nearest box to the mug" for "the box nearest to the mug"."""

# Negations -------------------------------------------------------------------------------------------------------

NON = re.compile(r"\bnon[- ](\w+)\b")
NEGATION = re.compile(
    r"(?:^|[ ,])(?:(?:that|which) (?:is|are|has|have|does|do) )?(?:(?:that|which) )?"
    r"(neither|without|with no|isn't|aren't|is not|are not|but not|but|except for|except|other than|not)(?: made of)? "
)
OR = re.compile(r",? (?:or|nor|and)(?: not)? |, ")

# Relations -------------------------------------------------------------------------------------------------------

RELATIONS: dict[str, str] = {
    **dict.fromkeys(("on top of", "on", "upon", "atop", "onto"), "on"),
    **dict.fromkeys(("inside of", "inside", "in", "within", "into"), "in"),
    **dict.fromkeys(("underneath", "under", "beneath", "below"), "under"),
    **dict.fromkeys(("above", "over"), "above"),
    **dict.fromkeys(
        ("to the left of", "on the left of", "left of", "on the left side of", "to the left side of"), "left of"
    ),
    **dict.fromkeys(
        ("to the right of", "on the right of", "right of", "on the right side of", "to the right side of"), "right of"
    ),
    **dict.fromkeys(
        ("next to", "beside", "besides", "near to", "near", "close to", "by", "adjacent to", "alongside", "at"),
        "next to",
    ),
    **dict.fromkeys(("in between", "between"), "between"),
    **dict.fromkeys(("behind", "in back of", "at the back of"), "behind"),
    **dict.fromkeys(("in front of", "at the front of"), "in front of"),
    **dict.fromkeys(("nearest to", "closest to", "nearest", "closest"), "nearest to"),
    **dict.fromkeys(("farthest from", "furthest from", "far from", "far away from", "away from"), "farthest from"),
    **dict.fromkeys(("bigger than", "larger than"), "bigger than"),
    "smaller than": "smaller than",
    "taller than": "taller than",
    **dict.fromkeys(("shorter than", "lower than"), "shorter than"),
}
"""Preposition -> relation."""
DISTANCES = ("nearest to", "farthest from")
NEEDS_ARTICLE = ("by", "over", "at", "within", "into", "onto", "nearest", "closest")
"""Prepositions that part a thing from an anchor only before an article: "stand by", "closest box"."""
PART_OF_USES = ("in", "on", "above")
"""Relations that belong to a use, "something to look at", even before an article."""
NO_ANCHOR = ("top", "it", "them", "wheels", "castors", "legs", "front", "general")
"""What follows no relation: "a chair on wheels"."""
_STANDING = (
    r"(?:,? (?:(?:that|which) )?(?:(?:is|are|stands?|lies|lie|sits?|hangs?) )?(?:(?:standing|lying|sitting|placed"
    r"|located|resting|hanging|put|directly|right|just) )?)"
)
RELATION = re.compile(
    rf"(?:^|{_STANDING})(?:(?P<not>not|isn't|aren't) )?(?:(?:standing|lying|sitting|placed|directly|just) )?"
    rf"(?<![\w'])(?P<name>{_any(RELATIONS)})(?= )"
)
AND_RELATION = re.compile(rf"(?:,| and|, and| but)(?: is| are)? ((?:not )?(?:{_any(RELATIONS)}) )")
SUPPORT_RELATION = re.compile(rf"((?:the |a |my )?(?:\w+ )?(?:{_any(SUPPORTS)})) ((?:not )?(?:{_any(RELATIONS)}) )")
COLOR_AT_END = re.compile(rf"(?:{_any(COLORS)})(?: colou?r)?")
