"""Parsed queries: produced by ``query.interpret``, evaluated by ``matching.answer``."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Superlative:
    """The n-th of the fitting things in a geometric order.

    Attributes:
        measure: quantity compared: a key of ``relations.MEASURES``, or "centrality", the distance from the mean of the
            fitting things; "distance" with an anchor is measured from the anchor, else from the viewer.
        largest: whether the largest value comes first; rank: 1 for the first, 2 for "the second biggest".
        anchor: the mug of "nearest to the mug", or None.
        word: the superlative as the user wrote it, or its standard form.
    """

    measure: str
    largest: bool
    word: str
    rank: int = 1
    anchor: Thing | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """A spatial relation of a thing to others.

    Attributes:
        name: a key of ``relations.RELATIONS``, or "between"; while parsing also one of ``words.DISTANCES``.
        anchors: the things it relates to: two for "between", else one.
        negated: whether the relation must not hold.
    """

    name: str
    anchors: tuple[Thing, ...]
    negated: bool = False

    def __str__(self) -> str:
        return f"{'not ' if self.negated else ''}{self.name} {' and '.join(map(_told, self.anchors))}"


@dataclass(frozen=True, slots=True)
class Thing:
    """A description of an object.

    Attributes:
        phrase: words for the sentence encoder; "" if any object will do ("the biggest thing").
        alternatives: phrases that will do as well: "the mug or the cup".
        without: texts for the encoder that must not fit: "not red".
        excluded: excluded things, described by place or order: "but not the one on the table".
        superlative: which of the fitting objects is meant, or None.
        relations: relations to other things.
    """

    phrase: str
    without: tuple[str, ...] = ()
    excluded: tuple[Thing, ...] = ()
    superlative: Superlative | None = None
    relations: tuple[Relation, ...] = ()
    alternatives: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [" or ".join(map(repr, (self.phrase, *self.alternatives))) if self.phrase else "any object"]
        parts += [f"not {text!r}" for text in self.without]
        parts += [f"not ({thing})" for thing in self.excluded]
        parts += [str(relation) for relation in self.relations]
        if self.superlative is not None:
            to = "from" if self.superlative.largest else "to"
            anchor = "" if self.superlative.anchor is None else f" {to} {_told(self.superlative.anchor)}"
            rank = "" if self.superlative.rank == 1 else f"number {self.superlative.rank} of the "
            parts.append(f"{rank}{self.superlative.word}{anchor} of these")
        return ", ".join(parts)


def _told(anchor: Thing) -> str:
    """An anchor as text, in parentheses if it has more than a phrase and alternatives."""
    bare = replace(anchor, phrase="", alternatives=()) == Thing("")
    return str(anchor) if bare else f"({anchor})"


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query.

    Attributes:
        text: the user's text; thing: what it asks for.
        count: maximum number of objects asked for, None for all that fit.
    """

    text: str
    thing: Thing
    count: int | None

    @property
    def phrase(self) -> str:
        """The words for what the thing is."""
        return self.thing.phrase

    def explain(self, threshold: float) -> str:
        """How the query was understood, as text for the user."""
        many = "everything" if self.count is None else f"the best {self.count}" if self.count > 1 else "the best one"
        return f"{many} similar to {self.thing} (similarity at least {threshold:.2f})"
