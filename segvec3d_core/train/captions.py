"""Texts for simulated objects, each with what it claims, so that a text's truth about any object is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..simulate.vocabulary import NOUNS

_NOUN_FORMS = ("{1}", "a {1}", "the {1}", "a photo of a {1}", "find the {1}", "there is a {1} on the table", "one {1}")
_COLOR_FORMS = ("{0} {1}", "a {0} {1}", "the {0} {1}", "a {1} that is {0}", "the {1} in {0}")
_MATERIAL_FORMS = ("a {0} {1}", "the {0} {1}", "a {1} made of {0}")
_ADJECTIVE_FORMS = ("something {0}", "a {0} thing", "the {0} object", "{0}")


@dataclass(frozen=True, slots=True)
class Caption:
    """A text and what it claims; None claims nothing.

    Attributes:
        form: the words, with ``{0}`` for the colour or material and ``{1}`` for the noun.
        noun: what the thing is called; color, material: its look, at most one of them.
    """

    form: str
    noun: str | None
    color: str | None = None
    material: str | None = None

    @property
    def text(self) -> str:
        """The words."""
        return self.form.format(self.color or self.material or "", self.noun or "")


@dataclass(frozen=True, slots=True)
class Described:
    """What is true of an object.

    Attributes:
        nouns: every word that names it; color, material: its look.
        own: words that name just its kind (name and synonyms), for captions.
        wider: hypernyms and uses.
    """

    nouns: frozenset[str]
    color: str
    material: str
    own: tuple[str, ...]
    wider: tuple[str, ...]

    @classmethod
    def of(cls, info: dict[str, Any]) -> Described:
        """From a simulated object's info as a dictionary."""
        known = NOUNS.get(info["category"])
        own = (info["category"], *info["synonyms"])
        wider = () if known is None else (*known.hypernyms, *known.uses)
        return cls(frozenset((*own, *wider)), info["color"], info["material"], own, wider)

    def fits(self, caption: Caption) -> bool:
        """Whether the caption's claims are true."""
        return (
            (caption.noun is None or caption.noun in self.nouns)
            and (caption.color is None or caption.color == self.color)
            and (caption.material is None or caption.material == self.material)
        )


def _pick(rng: np.random.Generator, values: Sequence[str]) -> str:
    return values[int(rng.integers(len(values)))]


def caption_of(thing: Described, rng: np.random.Generator) -> Caption:
    """A random true caption: by name, synonym, wider word or use, alone or with colour or material."""
    draw = rng.random()
    word = (
        thing.own[0]
        if draw < 0.5
        else _pick(rng, thing.own)
        if draw < 0.8 or not thing.wider
        else _pick(rng, thing.wider)
    )
    draw = rng.random()
    if draw < 0.45 or word.startswith("something"):
        return Caption("{1}" if word.startswith("something") else _pick(rng, _NOUN_FORMS), word)
    if draw < 0.8:
        return Caption(_pick(rng, _COLOR_FORMS), word, thing.color)
    if draw < 0.92:
        return Caption(_pick(rng, _MATERIAL_FORMS), word, None, thing.material)
    return Caption(_pick(rng, _ADJECTIVE_FORMS), None, thing.color)


def near_miss(
    caption: Caption, others: Sequence[Described], colors: Sequence[str], rng: np.random.Generator
) -> Caption:
    """A hard negative: the same words with one claim changed, its colour or its noun."""
    if caption.color is not None and (caption.noun is None or rng.random() < 0.6):
        return replace(caption, color=_pick(rng, [c for c in colors if c != caption.color]))
    return replace(caption, noun=_pick(rng, others[int(rng.integers(len(others)))].own))


class Facts:
    """What is true of many objects, as arrays, so that a batch of captions is checked at once."""

    def __init__(self, things: Sequence[Described]) -> None:
        self._nouns = {n: i for i, n in enumerate(sorted({n for t in things for n in t.nouns}))}
        self._is = np.zeros((len(things), len(self._nouns) + 1), bool)  # the last column: a noun that none has
        for i, thing in enumerate(things):
            self._is[i, [self._nouns[n] for n in thing.nouns]] = True
        self._color = np.array([t.color for t in things])
        self._material = np.array([t.material for t in things])

    def fits(self, rows: NDArray[np.int64], captions: Sequence[Caption]) -> NDArray[np.bool_]:
        """Whether each caption is true of each of the objects ``rows`` -> (B, T) bool; as ``Described.fits``."""
        noun = np.array([self._nouns.get(c.noun or "", len(self._nouns)) for c in captions])
        true = self._is[rows][:, noun] | np.array([c.noun is None for c in captions])
        color = np.array([c.color or "" for c in captions])
        material = np.array([c.material or "" for c in captions])
        true &= (color == "") | (self._color[rows][:, None] == color)
        true &= (material == "") | (self._material[rows][:, None] == material)
        return np.asarray(true, bool)
