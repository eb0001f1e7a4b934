"""Noun phrases: singular and plural, and the text for the encoder."""

from __future__ import annotations

import re

from . import words as w


def plural(noun: str) -> bool:
    """Whether a noun phrase is plural."""
    last = noun.split(" ")[-1]
    one = last in w.SINGULAR or noun.endswith(w.SINGULAR_S)
    return last in w.PLURALS or (noun.endswith("s") and not one and noun.isascii())


def singular(phrase: str) -> str:
    """The singular of a noun phrase: "red mugs with handles" -> "red mug with handles".

    Objects are compared with texts one at a time. A phrase to which no rule certainly applies is returned unchanged.
    """
    noun = w.DETAILS.split(phrase)[0]
    before, _, word = noun.rpartition(" ")
    if not plural(noun) or word in w.NAMED_SO or "'" in word or re.search(r",| (?:and|or) ", phrase):
        return phrase
    one = w.IRREGULAR.get(word)
    if one is None:
        one = next((end.sub(of_one, word) for end, of_one in w.ENDINGS if end.search(word)), word)
    return f"{before} {one}".lstrip() + phrase[len(noun) :]


def bare(text: str) -> str:
    """The text without a leading article and trailing fillers."""
    text = w.FILLER_END.sub("", text.strip(" ,"))
    article = w.ARTICLE.match(text)
    return text[article.end() :] if article else text


def generic(head: str) -> bool:
    """Whether the words mean any object ("thing", "one") or are empty."""
    return head in w.GENERIC or not head


def encoded(head: str) -> str:
    """The text for the encoder; "" for any object."""
    if said := w.SAID_OF_THINGS.match(head):
        head = f"{head[said.end() :]} thing"
    elif (said := w.SAID_OF_A_THING.match(head)) and not w.DETAILS.search(said[1]):
        head = f"{said[2]} {said[1]}"
    return "" if generic(head) else w.ONE.sub(" thing", head)


def attribute(part: str) -> str:
    """A negated attribute as a text for the encoder: "red" and "red one" become "red thing"; "banana" is unchanged."""
    part = w.ONE.sub("", part).strip()
    return f"{part} thing" if part in w.QUALITIES else part
