"""What a sentence asks for, once it is read: by ``query.interpret``, for ``matching.answer``."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Superlative:
    """The first, or another, of the things in an order that geometry decides.

    Attributes:
        measure: what is compared, a key of ``relations.MEASURES``, or "centrality", how far from the middle of those
            that are meant; "distance" with an anchor is from the anchor.
        largest: whether the most of it comes first; rank: 1 for the first, 2 for "the second biggest".
        anchor: of "nearest to the mug".
        word: as it was said.
    """

    measure: str
    largest: bool
    word: str
    rank: int = 1
    anchor: Thing | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """How a thing stands to others.

    Attributes:
        name: a key of ``relations.RELATIONS``; anchors: what it stands so to: two for "between", else one.
        negated: it must not stand so.
    """

    name: str
    anchors: tuple[Thing, ...]
    negated: bool = False

    def __str__(self) -> str:
        return f"{'not ' if self.negated else ''}{self.name} {' and '.join(map(_told, self.anchors))}"


@dataclass(frozen=True, slots=True)
class Thing:
    """What is asked for.

    Attributes:
        phrase: words for the sentence encoder; "" where any object will do ("the biggest thing").
        alternatives: other words that will do as well: "the mug or the cup".
        without: what must not fit, each as words for the encoder: "not red".
        excluded: things that are not meant, told by their place: "but not the one on the table".
        superlative: which of those that fit, or None.
        relations: where it stands.
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
    """An anchor in words, in parentheses where these say more than what it is."""
    bare = replace(anchor, phrase="", alternatives=()) == Thing("")
    return str(anchor) if bare else f"({anchor})"


@dataclass(frozen=True, slots=True)
class Query:
    """How a sentence was understood.

    Attributes:
        text: the sentence; thing: what it asks for.
        count: how many objects it asks for at most, None for all that fit.
    """

    text: str
    thing: Thing
    count: int | None

    @property
    def phrase(self) -> str:
        """The words that say what the thing is."""
        return self.thing.phrase

    def explain(self, threshold: float) -> str:
        """In words, for the person who asked."""
        many = "everything" if self.count is None else f"the best {self.count}" if self.count > 1 else "the best one"
        return f"{many} similar to {self.thing} (similarity at least {threshold:.2f})"
