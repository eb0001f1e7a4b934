"""What a sentence asks for: how many things, and which words describe them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9}
_POLITE = re.compile(
    r"^((please|can you|could you|(find|show|bring|give|get|fetch)( me)?|where is|where are|where's|pick up|take"
    r"|what about|is there|are there|i need|look for) )+"
)
_DETAILS = re.compile(
    r" (?:with|without|of|on|in|under|next|behind|near|between|left|right|that|which|and|made|to|for)\b"
)
_NO_COUNT = "ml|l|cm|mm|m|kg|g|with|that|which|on|in|of"
"""After these a number counts no things: "a 500 ml bottle", "the one with the handle"."""
_SINGULAR_S = (
    "ss",
    "us",
    "is",
    "as",
    "lens",
    "glasses",
    "scissors",
    "pliers",
    "headphones",
    "tweezers",
    "trousers",
    "jeans",
)


@dataclass(frozen=True, slots=True)
class Query:
    """How a sentence was understood.

    Attributes:
        text: the sentence; phrase: the words handed to the sentence encoder.
        count: how many objects it asks for at most, None for all that fit.
    """

    text: str
    phrase: str
    count: int | None

    def explain(self, threshold: float) -> str:
        """In words, for the person who asked."""
        many = "everything" if self.count is None else f"the best {self.count}" if self.count > 1 else "the best one"
        return f"{many} similar to {self.phrase!r} (similarity at least {threshold:.2f})"


def interpret(text: str) -> Query:
    """Read a sentence: politeness and articles are set aside, the number of things is noted, the rest is the phrase.

    "the mug" and "a mug" ask for one, "two mugs" for two, "mugs" and "all mugs" for all that fit. Text that this
    does not understand, in any alphabet, goes to the encoder as it is and asks for one.

    Raises:
        ValueError: an empty text; TypeError: not a string.
    """
    if not isinstance(text, str):
        raise TypeError(f"text: expected a string, got {type(text).__name__}")
    words = " ".join(text.lower().split()).strip(" ?!.,\"'")
    if not words:
        raise ValueError("text: expected words, got an empty string")
    rest = _POLITE.sub("", words + " ").strip() or words
    count: int | None = 1
    number = re.match(rf"(?:the )?(\d{{1,3}}|{'|'.join(_NUMBERS)}) (?!(?:{_NO_COUNT}) )(?=\w)", rest)
    everything = re.match(r"(?:all|every|each)(?: of)?(?: the)? (?=\w)", rest)
    if number:
        value = number.group(1)
        count = _NUMBERS.get(value) or max(1, int(value) if value.isdigit() else 1)
        rest = rest[number.end() :]
    elif everything:
        count, rest = None, rest[everything.end() :]
    else:
        article = re.match(r"(?:the|an?|any|some|my|this|that) (?=\w)", rest)
        rest = rest[article.end() :] if article else rest
        singular = article and article.group(0).strip() in ("a", "an", "any", "this", "that")
        head = _DETAILS.split(rest)[0]  # "the chair with wheels" is one chair
        if not singular and head.endswith("s") and not head.endswith(_SINGULAR_S) and head.isascii():
            count = None
    return Query(text, rest, count)
