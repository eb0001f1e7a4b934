"""What a thing is not: "the mug that is not red", "a mug without a handle"."""

from __future__ import annotations

from . import words as w
from .nouns import attribute, bare, generic, plural


def negations(head: str) -> tuple[str, tuple[str, ...]]:
    """Part "mug that is not red or blue" into what it must and what it must not be."""
    without: list[str] = []
    prefix = w.NON.search(head)
    if prefix:
        without.append(attribute(prefix.group(1)))
        head = (head[: prefix.start()] + head[prefix.end() :]).strip()
    match = w.NEGATION.search(head)
    if not match:
        return head, tuple(without)
    words, denied = head[: match.start()].strip(" ,"), head[match.end() :].strip(" ,")
    more, after = "", w.AFTER_DENIED.search(denied)
    if after:  # "not red and has a handle", "not red but blue"
        more, denied = denied[after.end() :], denied[: after.start()].strip(" ,")
    some = generic(words) or plural(words) or " any " in words
    if not denied or (match.group(1) == "but" and not some):  # "the small but heavy box"
        return head, tuple(without)
    for part in w.OR.split(denied):
        part = bare(part)
        if match.group(1) in w.LACKS:
            noun = "thing" if generic(words) else words
            told = part.startswith(w.DETERMINERS) or plural(part)
            without.append(f"{noun} with {part}" if told else f"{noun} with a {part}")
        else:
            without.append(attribute(part))
    return _joined(words, more), tuple(text for text in without if text)


def _joined(words: str, more: str) -> str:
    """A thing and what else is said of it, after what it is not."""
    if w.WITH.match(more):
        return f"{words} {w.WITH.sub('with ', more)}"
    more = w.ONE.sub("", bare(w.IS.sub("", more)))
    if generic(words) or not more:
        return attribute(more) or words
    return f"{more} {words}" if more in w.QUALITIES else f"{words} that is {more}"
