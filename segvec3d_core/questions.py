"""Reduces questions and commands to noun phrases: "can you give me the red mug?" becomes "the red mug"."""

from __future__ import annotations

import re

from .words import NUMBERS, SHADE, any_of

POLITE = re.compile(
    r"^(((?:hey |hello )?robot(?=,)|hey|please|(?:can|could|do) you see|can you|could you|would you"
    r"|(find|show|bring|give|get|fetch|hand|pass|grab|take)( me)?|where is"
    r"|where are|where (?:can|do|could) (?:i|we|you) (?:find|see)|where did (?:i|we|you) (?:leave|put|place|see)"
    r"|pick up|(pick|select|locate|grasp)(?= (?:the|an?|my|all|every) )"
    r"|(list|count)(?= (?:the|my|all|every|everything)\b)|what about|is there|are there"
    r"|how many(?: of(?= (?:the|my|these|those) ))?|i need"
    r"|(i want|i would like|i'd like)( to have)?|look at|look for|search for|go to|point at)"
    r",? )+"
)
POLITE_END = re.compile(r"(?:,? (?:please|now|for me|for us|do you see|can you see|thank you|thanks))+$")
IS_SHORT = re.compile(r"\b(that|which|who|what|where|there)'s\b")
NOT_SHORT = re.compile(r"\b(do|does|is|are|has|have|was|were)n't\b")
THERE = re.compile(r"(?<!^what) (?:is|are) there(?= |$)| there$|(?<=^what is) there(?= \w)")
OF_SEVERAL = re.compile(
    rf"^which(?: one)? of (?:the|my|these|those) (?:(?:{any_of(NUMBERS)}|\d+) )?(?=(?:\w+ )+?is \w)"
)
"""Asks for one of several: "which of the mugs is red"."""
SEVERAL_OF = re.compile(r"^which of (?:the|my|these|those) (?=(?:\w+ )+?are )")
WHICH = re.compile(
    r"^(?:(?:what|which)(?: one)? (?:is|are) (?=(?:the|my) )|(?:what|which) (?=(?!is |ones? )\w+ (?:is|are) ))"
)
"""Asks for a named thing: "what is the biggest box?", "which mug is red?"."""
WHICH_ONE = re.compile(r"^which(?: one(s?))? (is|are|has|have) (?=\w)")
SEEN = r"(?:do|can|could) (?:i|we|you) (?:see|find)"
ANYWHERE = r"right|over|from|here|nearby|around(?: you)?|in (?:the|this) (?:room|scene|picture|image|view)"
EVERYTHING = re.compile(rf"^what(?: (?:is|{SEEN}))?(?: (?:{ANYWHERE}))*$")
"""Asks for everything: "what do you see?", "what is over there?"."""
ALL_SEEN = re.compile(
    rf"^what {SEEN}(?= (?:on(?: top of)?|in(?:side| front of)?|under|below|above|behind|beside|near|next to|between|by"
    r"|(?:to the )?(?:left|right) of) (?!the (?:left|right)\b)(?:the|my|your|this|that|these|those|an?|it)\b)"
)
"""Asks for everything at some place: "what do you see on the table?"."""
ALL_WITH = re.compile(rf"^what (?:has|have) (?=(?:an?|no|{any_of(NUMBERS)}|\d+) \w|\w+s$)")
"""Asks for everything with some part: "what has a handle?"."""
USE = re.compile(r"^(?:what|which(?: one)?) (?:can|could|should) (?:i|we|you|one) (?=\w)")
"""Asks for things by use: "what can I drink from?"."""
IS_SO = re.compile(rf"^(?:is|are) ((?:the|my|this|that) \w.*?) (?={SHADE}$)")
"""Asks whether a thing has a colour or material: "is the mug red?"."""
IS_WHERE = re.compile(r"^(?:is|are) (?=(?:the|my|an?|any) \w)")
FORBIDDEN = re.compile(r"^(?:you )?(?:(?:do|must|should|may) not|dont|never) (?!(?:i|we|you)\b)(?=\w)")
"""Forbids something: "don't take the box"."""
LIKE_WHAT = re.compile(
    r"^(?:(?:what|which) (colou?r|size|shape|material|weight|height)s? (?:is|are|does|do|has|have)"
    r"|how (big|large|tall|high|wide|long|far|heavy|thick|deep)(?: away)? (?:is|are)|what is \w.* (made of)$) ?"
)
"""Asks about an attribute, not for a thing: "what colour is the mug?"."""


def asked_for(words: str) -> str:
    """The noun phrase that a sentence asks for.

    Args:
        words: in lower case, separated by single spaces.

    Raises:
        ValueError: the sentence asks about an attribute, or forbids something.
    """
    words = NOT_SHORT.sub(r"\1 not", IS_SHORT.sub(r"\1 is", words))
    rest = POLITE.sub("", POLITE_END.sub("", words) + " ").strip() or words
    if FORBIDDEN.match(rest):
        raise ValueError(f"text: expected a thing to look for, got {rest!r}, which says what not to do")
    if like := LIKE_WHAT.match(rest):
        said = next(filter(None, like.groups()))
        raise ValueError(f"text: expected a thing to look for, got {rest!r}, which asks for something else ({said})")
    rest = EVERYTHING.sub("everything", THERE.sub("", rest))
    rest = ALL_WITH.sub("all things with ", ALL_SEEN.sub("everything", rest))
    rest = IS_WHERE.sub("", IS_SO.sub(r"\1 that is ", USE.sub("something to ", rest)))
    rest = SEVERAL_OF.sub("the ", OF_SEVERAL.sub("one of the ", rest))
    return WHICH_ONE.sub(lambda m: f"{'all things' if m[1] else 'thing'} that {m[2]} ", WHICH.sub("", rest))
