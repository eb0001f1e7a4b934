"""Parses queries by a small, deterministic grammar; docs/language.md shows it as a table.

    query    = [politeness] [number | article | all] thing ["except" thing] [politeness]
    thing    = words ["or" words], among them superlatives and negations, then relations
    relation = ["not"] preposition thing ["and" thing, for "between"]

What the grammar does not parse stays in the phrase for the sentence encoder. Queries of which the encoder would ignore
an essential part are refused.
"""

from __future__ import annotations

import re
from dataclasses import replace

from . import words as w
from .asked import Query, Relation, Superlative, Thing
from .negations import joined, negations
from .nouns import attribute, bare, encoded, generic, plural
from .questions import asked_for
from .text import MAX_CHARACTERS


def interpret(text: str) -> Query:
    """Parse a query: drop politeness and articles, extract count, superlative, negations and relations.

    "the mug" and "a mug" ask for one, "two mugs" for two, "mugs" and "all mugs" for all that fit. Text that the grammar
    does not parse, in any script, goes to the encoder unchanged and asks for one.

    Raises:
        TypeError: not a string.
        ValueError: the text is empty or too long; has two orders, or an order that a cloud does not show ("heaviest");
            asks for two kinds of things joined by "and", places joined by "or", a numeric size, several things on a
            side without a count, or an ordinal without a reference ("the second box"); asks about an attribute instead
            of a thing; negates or forbids as a whole; says where to put a thing; or ends in mid-phrase.
    """
    if not isinstance(text, str):
        raise TypeError(f"text: expected a string, got {type(text).__name__}")
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"text: expected at most {MAX_CHARACTERS} characters, got {len(text)}")
    words = " ".join(text.lower().translate(w.QUOTES).split()).replace(" ,", ",").strip(w.MARKS)
    if not words:
        raise ValueError("text: expected words, got an empty string")
    rest = asked_for(words)
    _refuse_unread(rest)
    rest = _in_order(_what(rest))
    count, said, rest = _count(rest)
    thing = _thing(rest, 0, _several(count, said, rest))
    if not said and thing.superlative is not None:
        count = 1  # "the biggest boxes" without a number is the biggest one
    return Query(text, thing, count)


def _what(rest: str) -> str:
    """Rewrite "what is ..." questions: "what is on the table" asks for everything there, "what is on the left" for one
    thing."""
    place = w.WHAT.sub("", rest)
    if place == rest:
        return rest
    head, side = _side(f"thing {place}")
    return f"thing {place}" if side is not None and head.strip() == "thing" else f"everything {place}"


def _refuse_unread(rest: str) -> None:
    """Raise ValueError for queries of which an essential part would otherwise be ignored."""
    if w.NONE_OF.match(rest):
        raise ValueError(
            f"text: expected what is looked for, got {rest!r}: ask for the thing, and see whether it is there"
        )
    if compared := w.NUMBER_COMPARED.search(rest):
        raise ValueError(
            f"text: sizes in numbers are not read, got {compared.group()!r}: compare with a thing, or order"
        )
    if order := w.UNMEASURED.search(rest):
        raise ValueError(f"text: expected an order by size or place, got {order.group(1)!r}, which no cloud shows")
    if w.PUT.match(rest):
        raise ValueError("text: expected a thing, got also where to put it: ask for one, then for the other")
    if w.CUT_SHORT.search(rest):
        raise ValueError(f"text: expected a whole phrase, got {rest!r}, which ends too soon")


def _in_order(text: str) -> str:
    """Rewrite variants of word order into the one that the grammar expects."""
    text = w.COUNTED.sub(r"\1 things", w.THOSE.sub("the things", text))
    text = w.AWAY.sub(r"\1", w.SIDE_OF_SUPPORT.sub(r"on \2 on the \1", w.LEFT_THERE.sub("", text)))
    text = w.SIDE_OF.sub(r"\2 of \1", _farthest_side(w.RANKED_SUPERLATIVE.sub(r"\1 ", text)))
    text = w.TWO_RELATIONS.sub(r"\1 \3 and \2 \3", w.COMPARED.sub(r"\2 \1 than ", text))
    return f"thing {text.removeprefix('the ')}" if w.AT_A_SIDE.match(text) else text


def _farthest_side(text: str) -> str:
    return w.FARTHEST_NOUN.sub(r"\1most ", w.FARTHEST_TO.sub(r" on the \1", text))


def _count(rest: str) -> tuple[int | None, bool, str]:
    """The count (None for all), whether it is stated (a number, "all"), and the remaining words."""
    few = w.FEW_FROM_A_SIDE.match(rest)
    if few:
        return w.NUMBERS[few.group(2)], True, f"{few.group(1)} {rest[few.end() :]}"
    counted = w.ALL_COUNTED.sub("", rest, count=1)
    number = w.COUNT.match(counted)
    if number:
        value = number.group(1)
        count = w.NUMBERS.get(value) or max(1, int(value) if value.isdigit() else 1)
        after = counted[number.end() :]
        if w.PLACE.match(after):  # "the two on the table"
            return count, True, f"thing {after}"
        noun = _noun(after)
        if count == 1 or value == "both" or " " not in noun or noun.endswith("s") or plural(noun):
            return count, True, after  # but "a 9 volt battery" is one thing
    everything = w.EVERYTHING.match(rest)
    if everything:
        return None, True, rest[everything.end() :]
    article = w.ARTICLE.match(rest)
    rest = rest[article.end() :] if article else rest
    inner = w.INNER_COUNT.match(rest)  # "the biggest two boxes"
    if inner:
        return w.NUMBERS[inner.group(2)], True, inner.group(1) + w.UNNAMED.sub(" thing", rest[inner.end() :])
    singular = article and article.group(0).strip() in ("a", "an", "any", "this", "that")
    head = _noun(rest)
    several = plural(head) or head.split(" ")[0] in w.ALL
    return (None if several and not singular else 1), False, rest


def _several(count: int | None, said: bool, rest: str) -> bool:
    """Whether an unspecified number of things is asked for. Without "all" or a similar word, "the keys" may be one."""
    return count is None and (said or _noun(rest).rpartition(" ")[2] not in w.NAMED_SO)


def _noun(text: str) -> str:
    """The noun phrase before any details: "the chair" of "the chair with wheels"."""
    noun, place = w.DETAILS.split(text)[0], _first(text, 0)
    return noun if place is None else noun[: place.start()].strip(" ,")


# Things ----------------------------------------------------------------------------------------------------------


def _thing(text: str, depth: int, several: bool = False) -> Thing:
    """Parse a noun phrase with its modifiers; ``several``: an unspecified number of things is asked for."""
    text, denied = _exception(text) if depth == 0 else (text, "")
    if depth == 0:  # not in the excluded part, which may be elsewhere on the same table
        text = w.PART_OF_SUPPORT.sub("on ", text)
    text = w.DISTANCE_AROUND.sub(r"\2 \1 \3 ", bare(text))
    head, superlative = _side(text)
    relations: list[Relation] = []
    if depth < w.MAX_DEPTH:
        head, relations = _relations(head, depth)
    if several and (superlative is not None or any(map(_beside_who_asks, relations))):
        raise ValueError('text: expected how many stand on that side, as in "the two boxes on the left"')
    farther = [order for r in relations if r.negated and (order := _order(r))]
    relations = [r for r in relations if not (r.negated and _order(r))]
    if superlative is None:
        head, superlative, relations = _superlative(head, relations)
    _refuse_another_order(head, superlative, relations)
    _refuse_uncounted(head, depth)
    head, without = negations(bare(head))
    if depth == 0 and not w.DETAILS.search(head.partition(" and ")[0]) and w.SEVERAL_THINGS.match(head):
        raise ValueError('text: expected one kind of thing, got several with "and" between them: ask for one at a time')
    phrase, *others = map(encoded, _alternatives(head))
    if not (head or without or superlative or relations or farther):
        phrase = text
    thing = Thing(phrase, without, (), superlative, tuple(relations), tuple(others))
    excluded = [replace(thing, superlative=order) for order in farther]
    for part in [denied] if " between " in denied else w.PARTS.split(denied):
        words, other = _denied(part, thing)
        thing = replace(thing, without=thing.without + words)
        excluded += other
    return replace(thing, excluded=tuple(excluded))


def _alternatives(head: str) -> tuple[str, ...]:
    """Split "mug or the cup", and "red or blue mug" into "red mug" and "blue mug".

    What may be one name ("salt or pepper shaker") or a use ("something to eat or drink from") is not split.
    """
    if " or " not in head or w.USE.match(head):
        return (head,)
    said = w.EITHER_OR.split(head.removeprefix("either "))
    parts = [bare(part) for part in said]
    qualities = [part in w.QUALITIES for part in parts]
    stem, _, last = parts[0].rpartition(" ")
    if all(qualities[1:]) and stem and last in w.QUALITIES:  # "mug that is red or blue"
        return (parts[0], *(f"{stem} {part}" for part in parts[1:]))
    first, _, noun = parts[-1].partition(" ")
    if all(qualities[:-1]) and noun and first in w.QUALITIES:
        return (*(f"{part} {noun}" for part in parts[:-1]), parts[-1])
    apart = all(part.startswith(w.DETERMINERS) for part in said[1:]) or not any(" " in part for part in parts)
    return tuple(parts) if apart and not any(map(generic, parts)) else (head,)


def _refuse_another_order(head: str, superlative: Superlative | None, relations: list[Relation]) -> None:
    """Raise ValueError if there is a second order besides the superlative."""
    if superlative is None:
        return
    second: Relation | str | None = next((r for r in relations if _order(r)), None)
    if second is None and (match := w.SUPERLATIVE.search(head)) and match.group(1) not in w.ALSO_NOUNS:
        second = match.group(1)
    if second is not None:
        raise ValueError(f"text: expected things in one order, got two: {superlative.word} and {second}")


def _refuse_uncounted(head: str, depth: int) -> None:
    """Raise ValueError for an ordinal without a reference; anchors such as "the second shelf" are allowed."""
    ordinal = w.ORDINAL.match(head)
    if ordinal and not (depth and _noun(head[ordinal.end() :]) in w.SUPPORTS):
        raise ValueError(f'text: expected from where to count, as in "the second box from the left", got {head!r}')


def _exception(text: str) -> tuple[str, str]:
    """Split "everything on the table except the plates" into the requested and the excluded part."""
    match = w.EXCEPT.match(text) or w.BESIDES.match(text)
    if not match:
        return text, ""
    meant, denied = match.group(1).strip(" ,") or "thing", match.group(2)
    if generic(meant) and (after := w.INSTEAD.search(denied)):  # "not the red mug but the blue one"
        return denied[after.end() :], denied[: after.start()]
    return meant, denied


def _denied(text: str, meant: Thing) -> tuple[tuple[str, ...], tuple[Thing, ...]]:
    """Parse the excluded part into texts for the encoder and, if it has relations or an order, into things.

    A thing of which only the place is stated is of the same kind as ``meant``. "This one" yields nothing.
    """
    if not text:
        return (), ()
    count, said, text = _count(w.WHAT.sub("thing ", text))
    place = w.WHICH_IS.sub("", bare(text))
    several = _several(count, said, text)
    thing = _thing(f"thing {place}" if w.PLACE.match(place) else text, 1, several)
    if thing.superlative or thing.relations or thing.without:
        if thing.phrase in w.NUMBERS or thing.phrase.isdigit():
            thing = replace(thing, phrase="")
        if not thing.phrase:
            # The leftmost of the things of that kind and place, not of all things.
            among = meant.relations if thing.superlative else ()
            thing = replace(thing, phrase=meant.phrase, relations=thing.relations + among)
        order = thing.superlative
        if order is None or not said or count is None:
            return (), (thing,)
        ranks = range(order.rank, order.rank + min(count, w.MOST_DENIED))  # "all but the two biggest"
        return (), tuple(replace(thing, superlative=replace(order, rank=rank)) for rank in ranks)
    parts = (attribute(bare(part)) for part in w.OR.split(text))
    return tuple(part for part in parts if not generic(part)), ()


def _side(text: str) -> tuple[str, Superlative | None]:
    """Extract the side from "the mug on the left", "the third mug from the right"."""
    match = w.SIDE.search(text)
    if not match or w.ANOTHER_ONE.search(text[: match.start()]):  # "next to the one on the left"
        return text, None
    counted = " from " in match.group()
    if counted and w.ANOTHER_RANKED.search(text[: match.start()]):
        return text, None
    head = text[: match.start()] + text[match.end() :]
    if said := w.AND_SAID.match(head):  # "the mug on the left and not red"
        head = joined(said.group(1), said.group(2))
    ordinal = match.group(1)
    if ordinal is None and (first := w.ORDINAL.match(head)):
        ordinal, head = first.group(1), w.OF_THE.sub("", head[first.end() :])
    rank = w.ORDINALS[ordinal] if ordinal else 1
    measure, largest, word = w.SIDES[match.group(2)]
    if counted and head.startswith("last ") and measure != "centrality":  # "last" is first from the other side
        head, largest = head.removeprefix("last "), not largest
        word = next(name for m, most, name in w.SIDES.values() if (m, most) == (measure, largest))
    return head, Superlative(measure, largest, word, rank)


def _superlative(head: str, relations: list[Relation]) -> tuple[str, Superlative | None, list[Relation]]:
    """Extract the first superlative from the words, or from a relation that is an order ("nearest to the mug")."""
    for at, relation in enumerate(relations):
        order = _order(relation)
        if order is None:
            continue
        head, rank = _rank(head)
        if ordinal := w.ORDINAL.match(head):  # "the second box next to me"
            head, rank = head[ordinal.end() :], w.ORDINALS[ordinal.group(1)]
        return head, replace(order, rank=rank), relations[:at] + relations[at + 1 :]
    match = w.SUPERLATIVE.search(head)
    if not match or w.OF_A_PART.search(head, 0, match.start()):
        return *_counted_from(head, relations), relations
    before, rank = _rank(head[: match.start()])
    measure, largest = w.SUPERLATIVES[match.group(1)]
    after = w.OF_THE.sub(" ", head[match.end() :])
    before = w.FILLER_END.sub("", before.strip())
    left = f"{before}{after if before else w.UNNAMED.sub(' thing', after)}".strip()
    if not left and not relations and match.group(1) in w.ALSO_NOUNS:
        return head, None, relations
    return left, Superlative(measure, largest, match.group(1), rank), relations


def _counted_from(head: str, relations: list[Relation]) -> tuple[str, Superlative | None]:
    """Read "second mug" before "left of the laptop": the second nearest to it of those on its left."""
    ordinal = w.ORDINAL.match(head)
    side = next((r for r in relations if r.name in w.RANKED and not r.negated), None)
    if ordinal is None or side is None:
        return head, None
    rank = w.ORDINALS[ordinal.group(1)]
    return head[ordinal.end() :], Superlative("distance", False, "nearest", rank, side.anchors[0])


def _order(relation: Relation) -> Superlative | None:
    """The order that a relation expresses, negated or not: "nearest to the mug", or "next to me" for the viewer."""
    anchor, far = relation.anchors[0], relation.name == "farthest from"
    if _beside_who_asks(relation):
        return Superlative(*w.SIDES[relation.name.split()[0]])
    near = relation.name == "next to" and anchor.phrase in w.PRONOUNS
    near = near or (relation.name == "in front of" and anchor.phrase in w.VIEWER)
    if not near and relation.name not in w.DISTANCES:
        return None
    seen_from = None if anchor.phrase in w.VIEWER else anchor
    return Superlative("distance", far, "farthest" if far else "nearest", anchor=seen_from)


def _beside_who_asks(relation: Relation) -> bool:
    return relation.name in ("left of", "right of") and relation.anchors[0].phrase in w.SPEAKERS


def _rank(before: str) -> tuple[str, int]:
    """Split the ordinal (default 1) off the end of the words before a superlative."""
    words = before.split()
    if words and words[-1] in w.ORDINALS:
        return " ".join(words[:-1]), w.ORDINALS[words[-1]]
    return before, 1


# Relations -------------------------------------------------------------------------------------------------------


def _relations(text: str, depth: int) -> tuple[str, list[Relation]]:
    """Split a phrase into its head and its relations.

    A further relation modifies the anchor before it ("on the box next to the laptop": the box is next to the laptop),
    except after "and", and after a support such as the table, of which there is usually one.
    """
    match = _first(text, 0)
    if match is None:
        return text, []
    head = w.AND_END.sub("", text[: match.start()].strip(" ,"))
    _refuse_or(head)
    relations: list[Relation] = []
    while match is not None:
        name = w.RELATIONS[match.group("name")]
        negated = bool(match.group("not"))
        rest = text[match.end() :].lstrip()
        following = _follower(rest)
        anchor = rest if following is None else rest[: following[0]]
        _refuse_or(anchor)
        clause = w.SUPPORT_CLAUSE.match(anchor)
        if clause:
            anchor, head = clause.group(1), head + clause.group(2)
        elif said := w.AND_SAID.match(anchor):
            anchor, head = said.group(1), joined(head, said.group(2))
        if negated and name == "farthest from":  # "not far from the laptop"
            name, negated = "next to", False
        relations.append(Relation(name, _anchors(name, anchor, depth), negated))
        if following is None:
            break
        text = rest[following[1] :]
        match = _first(text, 0, leading=True)
    return head, relations


def _refuse_or(before: str) -> None:
    """Raise ValueError if "or" precedes a place: "on the table or on the shelf"."""
    if before.strip(" ,").endswith(" or") or before.strip() == "or":
        raise ValueError('text: expected one place, got places with "or" between them: ask for one at a time')


def _first(text: str, start: int, leading: bool = False) -> re.Match[str] | None:
    """The first preposition that separates a thing from an anchor; ``leading``: only at the very start."""
    use = None if leading else w.USE.match(text)
    for match in w.RELATION.finditer(text, start):
        if leading and text[: match.start()].strip():
            return None
        if not leading and not text[: match.start()].strip(" ,"):
            continue
        anchor, name = text[match.end() :].strip(" ,"), match.group("name")
        if not anchor or anchor.split()[0] in w.NO_ANCHOR or w.LENGTH.match(anchor):
            continue
        if w.RELATIONS[name] == "in" and w.COLOR_AT_END.fullmatch(bare(anchor)):
            continue  # "the mug in red"
        if w.RELATIONS[name] == "between" and " and " not in anchor and not plural(w.DETAILS.split(anchor)[0]):
            continue
        definite = anchor.startswith(w.DETERMINERS) or anchor.split()[0] in w.PRONOUNS
        if name in w.NEEDS_ARTICLE and not definite:
            continue
        told = use and not match.start("name") < use.end() <= match.end("name")  # not "something next to a mug"
        if told and (not anchor.startswith("the ") or w.RELATIONS[name] in w.PART_OF_USES):
            continue  # "something to sit on", "something to see in the dark with"
        return match
    return None


def _follower(rest: str) -> tuple[int, int] | None:
    """Position where an anchor ends and the head's next relation begins: (end of the anchor, start of the relation)."""
    joined = w.AND_RELATION.search(rest)
    support = w.SUPPORT_RELATION.match(rest)
    if support:
        return support.end(1), support.start(2)
    return (joined.start(), joined.start(1)) if joined else None


def _anchors(name: str, text: str, depth: int) -> tuple[Thing, ...]:
    parts = text.split(" and ", 1) if name == "between" else [text]
    if name == "between" and len(parts) == 1:  # "the two boxes"
        parts = [w.COUNT.sub("", text, count=1)] * 2
    return tuple(_thing(part, depth + 1) for part in parts)
