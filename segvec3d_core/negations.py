"""Parses negations: "the mug that is not red", "a mug without a handle"."""

from __future__ import annotations

import re

from . import words as w
from .nouns import attribute, bare, generic, plural


def negations(head: str) -> tuple[str, tuple[str, ...]]:
    """Split "mug that is not red or blue" into the positive phrase and the texts that must not fit."""
    without: list[str] = []
    if prefix := w.NON.search(head):
        without.append(attribute(prefix.group(1)))
        head = (head[: prefix.start()] + head[prefix.end() :]).strip()
    while match := _first(head):
        words, denied = w.AND_END.sub("", head[: match.start()].strip(" ,")), head[match.end() :].strip(" ,")
        lacks = match.group(1) in w.LACKS
        more, after = "", w.AFTER_DENIED.search(denied) or (lacks and w.LACKED_AND.search(denied))
        if after:
            more, denied = denied[after.end() :], denied[: after.start()]
        parts = [part for part in map(bare, w.OR.split(denied)) if part]
        without += [_with(part, words) if lacks else attribute(part) for part in parts]
        head = joined(words, more)
    return head, tuple(text for text in without if text)


def _first(head: str) -> re.Match[str] | None:
    """The first negation; "but" in "the small but heavy box" is none."""
    for match in w.NEGATION.finditer(head):
        words = head[: match.start()].strip(" ,")
        some = generic(words) or plural(words) or " any " in words
        if head[match.end() :].strip(" ,") and (match.group(1) != "but" or some):
            return match
    return None


def _with(part: str, words: str) -> str:
    """Text for the encoder that describes a thing with a part: "mug with a handle"."""
    noun = "thing" if generic(words) else words
    return f"{noun} with {part}" if part.startswith(w.DETERMINERS) or plural(part) else f"{noun} with a {part}"


def joined(words: str, more: str) -> str:
    """Join a phrase and a clause: "mug", "is not red" -> "mug is not red"; "mug", "is red" -> "mug that is red".

    If the phrase has details, a colour or material is put first, so that it refers to the mug, not to its handle.
    """
    more = w.WHO.sub("", more)
    if w.DENIES.match(more):
        return f"{words} {w.NO.sub('with no ', more)}".lstrip()
    if w.WITH.match(more):
        return f"{words} {w.WITH.sub('with ', more)}".lstrip()
    more = w.ONE.sub("", bare(w.IS.sub("", more)))
    if generic(words) or not more:
        return attribute(more) or words
    first = more in w.QUALITIES and w.DETAILS.search(words)  # of the mug, not of its handle
    return f"{more} {words}" if first else f"{words} that is {more}"
