"""Captions for simulated objects, each with its claims, so that it is known whether a caption is true of any object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..quiz import alike, held_out_pair
from ..simulate.vocabulary import NOUNS

COLOR_WORDS: dict[str, tuple[str, ...]] = {
    "red": ("crimson", "scarlet", "dark red", "cherry red", "reddish"),
    "orange": ("tangerine coloured", "bright orange", "amber"),
    "yellow": ("golden yellow", "lemon yellow", "mustard", "bright yellow"),
    "green": ("olive", "lime green", "dark green", "emerald", "greenish"),
    "blue": ("navy", "navy blue", "azure", "sky blue", "dark blue", "light blue"),
    "turquoise": ("teal", "cyan", "aqua"),
    "purple": ("violet", "lilac", "lavender"),
    "pink": ("rose", "magenta", "light pink"),
    "brown": ("chestnut", "chocolate brown", "dark brown", "brownish"),
    "beige": ("tan", "cream", "sand coloured", "ivory"),
    "black": ("jet black", "charcoal", "very dark"),
    "grey": ("gray", "dark grey", "light gray"),
    "white": ("snow white", "off-white", "whitish"),
    "silver": ("silvery", "silver coloured", "chrome"),
    "transparent": ("clear", "see-through", "glassy"),
}
"""The simulator's colours, with alternative words for each."""

MATERIAL_WORDS: dict[str, tuple[str, ...]] = {
    "wood": ("wooden",), "metal": ("steel", "metallic", "iron"), "plastic": (), "ceramic": ("porcelain", "clay"),
    "glass": (), "cardboard": ("carton",), "paper": (), "fabric": ("cloth", "textile"), "leather": (), "rubber": (),
    "plush": ("furry",), "foam": (), "wax": (), "plaster": (), "wicker": ("woven",),
}  # fmt: skip
"""The simulator's materials that people name in speech, with alternative words for each."""

NOUN_FORMS = ("{0}", "a {0}", "the {0}", "a photo of a {0}", "there is a {0} on the table", "one {0}", "my {0}",
              "a big {0}", "the small {0}", "an old {0}", "{0} in a room")  # fmt: skip
LOOK_FORMS = ("{1} {0}", "a {1} {0}", "the {1} {0}", "a {0} that is {1}", "the {0} which is {1}")
COLOR_FORMS = (*LOOK_FORMS, "the {0} in {1}", "a {1} coloured {0}")
MATERIAL_FORMS = (*LOOK_FORMS, "a {0} made of {1}", "the {0} of {1}")
SHAPE_FORMS = ("{0} {1}", "a {0} {1}", "the {0} {1}")
ALONE_FORMS = ("something {1}", "a {1} thing", "{1} thing", "the {1} object", "{1}", "a {1} one")
ANYTHING = ("thing", "object", "item")
"""Nouns that fit every object."""


@dataclass(frozen=True, slots=True)
class Caption:
    """A text and its claims, None where it makes none.

    Attributes:
        text: the caption.
        noun: what the object is called; color, material: its appearance; shape: a part or form, "with a handle".
    """

    text: str
    noun: str | None
    color: str | None = None
    material: str | None = None
    shape: str | None = None

    @property
    def claims(self) -> tuple[str | None, ...]:
        """The claims in the order of ``config.BLOCKS``."""
        return self.noun, self.color, self.material, self.shape


@dataclass(frozen=True, slots=True)
class Described:
    """The true description of an object.

    Attributes:
        own: name of its category and synonyms; wider: hypernyms and uses.
        color, material: its appearance; shapes: its parts and forms.
        second: colour of its print or of a part, by which people may also describe it; "" for none.
    """

    own: tuple[str, ...]
    wider: tuple[str, ...]
    color: str
    material: str
    shapes: frozenset[str]
    second: str = ""

    @classmethod
    def of(cls, info: dict[str, Any]) -> Described:
        """From a simulated object's info as a dictionary."""
        known = NOUNS.get(info["category"])
        own = (info["category"], *info["synonyms"])
        wider = () if known is None else (*known.hypernyms, *known.uses)
        shapes, second = frozenset(info["shape_words"]), info.get("second_color", "")
        return cls(own, wider, info["color"], info["material"], shapes, second)

    @property
    def truths(self) -> tuple[frozenset[str], ...]:
        """The words that are true of the object, one set for each of ``config.BLOCKS``."""
        return frozenset((*self.own, *self.wider)), frozenset({self.color}), frozenset({self.material}), self.shapes

    def fits(self, caption: Caption) -> bool:
        """Whether all claims of the caption are true of the object."""
        return all(claim is None or claim in true for claim, true in zip(caption.claims, self.truths, strict=True))


def _pick(rng: Generator, values: Sequence[str]) -> str:
    return values[int(rng.integers(len(values)))]


def _said(rng: Generator, words: dict[str, tuple[str, ...]], word: str) -> str:
    """A colour or material, in three of ten draws replaced by an alternative word if there is one."""
    return word if rng.random() < 0.7 or not words[word] else _pick(rng, words[word])


class Captions:
    """A fixed collection of captions for given objects, so that each is encoded once and drawn many times.

    Args:
        things: the objects to describe; rng: draws the phrasings.
        without_pairs: leave out captions that name a ``held_out_pair`` of a colour and a kind.

    Attributes:
        every: all captions; other methods return indices into it.
    """

    def __init__(self, things: Sequence[Described], rng: Generator, without_pairs: bool = False) -> None:
        names = {thing.own[0] for thing in things} - set(ANYTHING)
        nouns = sorted({word for thing in things for word in (*thing.own, *thing.wider)} - set(ANYTHING))
        shapes: dict[str, set[str]] = {}
        for thing in things:
            shapes.setdefault(thing.own[0], set()).update(thing.shapes)
        found = dict.fromkeys(Caption(form.format(noun), None) for noun in ANYTHING for form in NOUN_FORMS)
        for noun in nouns:
            captions = self._of_noun(noun, noun in names, shapes.get(noun, set()), rng)
            found |= dict.fromkeys(captions)
        for color, others in COLOR_WORDS.items():
            for said in (color, *others):
                found |= {Caption(form.format("", said), None, color): None for form in ALONE_FORMS}
        for material, others in MATERIAL_WORDS.items():
            for said in (material, *others):
                forms = ("something made of {1}", "a thing of {1}", "{1}")
                found |= {Caption(form.format("", said), None, None, material): None for form in forms}
        if without_pairs:
            kinds = {thing.own for thing in things}
            unsaid = {(w, c) for own in kinds for c in COLOR_WORDS if held_out_pair(c, own[0]) for w in own}
            found = {caption: None for caption in found if (caption.noun, caption.color) not in unsaid}
        self.every = tuple(found)
        self._of: dict[tuple[str | None, ...], list[int]] = {}
        for i, caption in enumerate(self.every):
            self._of.setdefault(caption.claims, []).append(i)
        self._names, self._nouns = sorted(names), nouns

    @staticmethod
    def _of_noun(noun: str, name: bool, shapes: Iterable[str], rng: Generator) -> list[Caption]:
        """Captions of one noun, alone and with colours, materials and parts; more of them if ``name``, i.e. if the noun
        is the name of a category."""
        if noun.startswith("something"):
            return [Caption(text, noun) for text in (noun, noun.replace("something", "a thing"))]
        captions = [Caption(noun, noun)]
        for form in rng.choice(NOUN_FORMS[1:], 4 if name else 2, replace=False):
            captions.append(Caption(str(form).format(noun), noun))
        colors = list(COLOR_WORDS) if name else rng.choice(list(COLOR_WORDS), 5, replace=False).tolist()
        for color in colors:
            said = _said(rng, COLOR_WORDS, color)
            captions.append(Caption(_pick(rng, COLOR_FORMS).format(noun, said), noun, color))
        for material in rng.choice(list(MATERIAL_WORDS), 4 if name else 1, replace=False).tolist():
            said = _said(rng, MATERIAL_WORDS, material)
            captions.append(Caption(_pick(rng, MATERIAL_FORMS).format(noun, said), noun, None, material))
        for shape in sorted(shapes):
            form = _pick(rng, SHAPE_FORMS if " " in shape else LOOK_FORMS[:3])
            captions.append(Caption(form.format(noun, shape), noun, None, None, shape))
        return captions

    def _draw(self, rng: Generator, *claims: str | None) -> int | None:
        options = self._of.get(claims)
        return None if not options else options[int(rng.integers(len(options)))]

    def of(self, thing: Described, rng: Generator) -> int:
        """Index of a random true caption: by name, synonym, hypernym or use, alone or with colour, material or part, or
        by colour or material alone."""
        draw = rng.random()
        said = thing.own[0] if draw < 0.4 else _pick(rng, thing.own if draw < 0.7 or not thing.wider else thing.wider)
        word = None if said in ANYTHING else said
        draw = rng.random()
        found: int | None = None
        if draw < 0.3:
            found = self._draw(rng, word, thing.color, None, None)
        elif draw < 0.4:
            found = self._draw(rng, word, None, thing.material, None)
        elif draw < 0.5 and thing.shapes:
            found = self._draw(rng, word, None, None, _pick(rng, sorted(thing.shapes)))
        elif draw < 0.6:
            found = self._draw(rng, None, thing.color, None, None)
        elif draw < 0.63:
            found = self._draw(rng, None, None, thing.material, None)
        if found is None:
            found = self._draw(rng, word, None, None, None)
        assert found is not None, f"no caption for {word!r}"
        return found

    def near_miss(self, index: int, rng: Generator) -> int:
        """Index of a hard negative for a caption: with another colour or another noun."""
        noun, color, material, shape = self.every[index].claims
        found: int | None = None
        if color is not None and (noun is None or rng.random() < 0.6):
            found = self._draw(rng, noun, _pick(rng, [c for c in COLOR_WORDS if not alike(c, color)]), None, None)
        if found is None:
            other = _pick(rng, self._names if self._names and rng.random() < 0.7 else self._nouns)
            found = self._draw(rng, other, color, material, shape)
            found = self._draw(rng, other, None, None, None) if found is None else found
        assert found is not None
        return found


class Facts:
    """Truth tables of the claims of captions about many objects, so that a batch of captions is checked at once.

    Args:
        things: the objects; captions: all captions that may be asked about.
        similarity: function from n nouns to their (n, n) cosines, by which near synonyms are marked as unknown, such as
            "coffee cup" for a cup; None skips this.
    """

    def __init__(
        self,
        things: Sequence[Described],
        captions: Sequence[Caption],
        similarity: Callable[[list[str]], NDArray[np.float32]] | None = None,
    ) -> None:
        self._state, self._claim = [], []
        for block in range(len(captions[0].claims)):
            words = sorted({w for c in captions if (w := c.claims[block]) is not None})
            number = {word: i for i, word in enumerate(words)}
            state = np.zeros((len(things), len(words) + 1), np.int8)
            state[:, -1] = 1  # making no claim is always true
            for i, thing in enumerate(things):
                state[i, [number[w] for w in thing.truths[block] if w in number]] = 1
            self._leave_open(block, things, words, state, similarity)
            self._state.append(state)
            claims = [c.claims[block] for c in captions]
            self._claim.append(np.array([len(words) if c is None else number[c] for c in claims]))

    @staticmethod
    def _leave_open(
        block: int, things: Sequence[Described], words: list[str], state: NDArray[np.int8],
        similarity: Callable[[list[str]], NDArray[np.float32]] | None,
    ) -> None:  # fmt: skip
        """Mark claims whose truth is unknown as -1: near synonyms, narrower words, colours that look alike or that only
        a part or a print has, and parts that the simulator names for no object of that kind."""
        near = None if block or similarity is None else similarity(words) > 0.78
        by_name: dict[str, NDArray[np.bool_]] = {}
        for i, thing in enumerate(things):
            name = thing.own[0]
            if block == 0 and name not in by_name:
                narrower = [w in NOUNS and name in NOUNS[w].hypernyms for w in words]
                close = (
                    np.zeros(len(words), bool)
                    if near is None
                    else near[[words.index(w) for w in thing.own if w in words]].any(0)
                )
                by_name[name] = close | np.array(narrower, bool)
            elif block == 1:
                if thing.second in words and thing.second != thing.color:
                    state[i, words.index(thing.second)] = -1
                by_name.setdefault(thing.color, np.array([alike(thing.color, w) for w in words], bool))
            elif block == 3 and name not in by_name:
                said = {w for other in things if other.own[0] == name for w in other.shapes}
                by_name[name] = np.array([w not in said for w in words], bool)
            key = thing.color if block == 1 else name
            if key in by_name:
                row = state[i, :-1]
                row[by_name[key] & (row == 0)] = -1

    def states(self, rows: NDArray[np.int64], captions: NDArray[np.int64]) -> list[NDArray[np.int8]]:
        """For each block (B, T) int8: whether the claims of T captions are true of B objects: 1, 0, or -1 unknown.

        Args:
            rows: (B,) indices of objects; captions: (T,) indices of captions.
        """
        return [state[rows][:, claim[captions]] for state, claim in zip(self._state, self._claim, strict=True)]

    def claimed(self, captions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(T, blocks) bool, whether each of T captions makes a claim in each block."""
        none = [state.shape[1] - 1 for state in self._state]
        return np.stack([claim[captions] != n for claim, n in zip(self._claim, none, strict=True)], 1)
