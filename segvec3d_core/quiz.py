"""Asks questions about scenes with known ground truth, and scores a model's answers."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .metrics import HitRate
from .relations import MEASURES, RELATIONS, Layout, View
from .types import Matches, Scene
from .words import SUPERLATIVES

KINDS = (
    "category", "synonym", "use", "colour", "colour + category", "material", "size superlative", "place superlative",
    "relation", "negation",
    "absent category", "absent attribute",
)  # fmt: skip
ABSENT = ("absent category", "absent attribute")
SUPERLATIVE = ("size superlative", "place superlative")
"""Kinds of questions that hardly ever go unanswered: whatever may be of the kind has a biggest and a nearest."""

PIXELS = 200
"""Minimum number of visible pixels of a thing that is asked for."""

PLACES = {"leftmost": 0.05, "rightmost": 0.05, "nearest": 0.05, "farthest": 0.05, "highest": 0.05}
"""Superlatives of place, each with the lead over the second, in radians or metres, from which it is asked for."""

_SIMILAR_COLORS = (
    "silver grey white transparent", "beige white", "beige brown", "beige yellow", "beige pink", "turquoise blue",
    "turquoise green", "orange red", "orange yellow", "orange brown", "pink red", "pink purple", "purple blue",
    "grey black", "brown red", "brown black", "yellow green",
)  # fmt: skip
"""Colours that people do not always tell apart: "the grey mug" is never asked for as absent if there is a silver
one."""


def alike(color: str, other: str) -> bool:
    """Whether two people might describe the same thing by these two colours."""
    return color == other or any({color, other} <= set(group.split()) for group in _SIMILAR_COLORS)


def held_out_pair(color: str, name: str) -> bool:
    """Whether ``segvec3d train --without-pairs`` excludes things of this name in this colour: one pair in five, chosen
    by a checksum of the words."""
    return zlib.crc32(f"{color} {name}".encode()) % 5 == 0


@dataclass(frozen=True, slots=True)
class Known:
    """A ground-truth object of a scene, with the properties that questions need.

    Attributes:
        name: its noun; synonyms: other nouns for exactly its kind; wider: hypernyms; uses: phrases for its use, such as
            "something to drink from".
        color, material: its main colour and material; second: colour of its print or of a part, "" for none.
        size: (3,) full extents along its own axes, metres.
        pixels: number of its visible pixels; mask: (N,) bool, which of the cloud's points belong to it.
    """

    name: str
    synonyms: tuple[str, ...]
    wider: tuple[str, ...]
    uses: tuple[str, ...]
    color: str
    second: str
    material: str
    size: tuple[float, float, float]
    pixels: int
    mask: NDArray[np.bool_] = field(repr=False, compare=False)

    @property
    def colors(self) -> tuple[str, str]:
        """The colours by which a person might describe it."""
        return self.color, self.second

    def is_a(self, noun: str) -> bool:
        """Whether a person might call it by this noun or phrase."""
        return noun == self.name or noun in self.synonyms or noun in self.wider or noun in self.uses


@dataclass(frozen=True, slots=True)
class Question:
    """A query, and the things that are right answers to it.

    Attributes:
        kind: one of ``KINDS``; text: the query; right: indices of the things that are right answers, none if absent.
        held_out: whether its colour and name are a ``held_out_pair``.
    """

    kind: str
    text: str
    right: frozenset[int]
    held_out: bool = False


class Quiz:
    """Draws questions about one scene.

    Args:
        things: the ground-truth objects; truth: a scene of these objects, in the same order, followed by surfaces.
        nouns: names of things to ask for that are absent; rng: draws the words.
        surfaces: names for the surfaces in view, such as a desk of which only the top is visible: not asked for as
            absent.
    """

    def __init__(
        self, things: Sequence[Known], truth: Scene, nouns: Sequence[str], rng: Generator,
        surfaces: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self.things, self.truth, self.nouns, self.rng, self.surfaces = things, truth, nouns, rng, surfaces
        self.seen = [k for k, thing in enumerate(things) if thing.pixels >= PIXELS]

    def questions(self) -> list[Question]:
        """All questions, those with an answer and those about absent things; each text once per kind."""
        every = [
            *self._names(), *self._looks(), *self._superlatives(), *self._places(), *self._relations(),
            *self._negations(), *self._absent(),
        ]  # fmt: skip
        return list({(q.kind, q.text): q for q in every}.values())

    def _which(self, noun: str, color: str | None = None, material: str | None = None) -> frozenset[int]:
        """Indices of the things that fit the noun ("thing" fits all) and, if given, the colour and the material."""
        return frozenset(
            k for k, thing in enumerate(self.things)
            if (noun == "thing" or thing.is_a(noun))
            and color in (None, *thing.colors) and material in (None, thing.material)
        )  # fmt: skip

    def _pick(self, words: Sequence[str]) -> str:
        return words[int(self.rng.integers(len(words)))]

    def _ask(self, kind: str, text: str, right: frozenset[int], held_out: bool = False) -> Iterator[Question]:
        """Yield the question, unless every thing or no sufficiently visible thing would be a right answer."""
        if right and len(right) < len(self.things) and right & set(self.seen):
            yield Question(kind, text, right, held_out)

    def _names(self) -> Iterator[Question]:
        for thing in (self.things[k] for k in self.seen if self.things[k].name != "thing"):
            yield from self._ask("category", f"the {thing.name}", self._which(thing.name))
            if thing.synonyms:
                word = self._pick(thing.synonyms)
                yield from self._ask("synonym", f"the {word}", self._which(word))
            if thing.uses:
                word = self._pick(thing.uses)
                yield from self._ask("use", word, self._which(word))

    def _looks(self) -> Iterator[Question]:
        for thing in (self.things[k] for k in self.seen):
            yield from self._ask("colour", f"the {thing.color} thing", self._which("thing", thing.color))
            both, unseen = self._which(thing.name, thing.color), held_out_pair(thing.color, thing.name)
            yield from self._ask("colour + category", f"the {thing.color} {thing.name}", both, unseen)
            made = self._which(thing.name, material=thing.material)
            yield from self._ask("material", f"the {thing.name} made of {thing.material}", made)

    def _nouns_of_many(self) -> list[str]:
        """Names and hypernyms shared by several of the things that may be asked for, and "thing"."""
        every = [noun for k in self.seen for noun in (self.things[k].name, *self.things[k].wider)]
        return [*sorted({noun for noun in every if every.count(noun) > 1} - {"object", "thing"}), "thing"]

    def _superlatives(self) -> Iterator[Question]:
        """Size superlatives in which the first thing is clearly ahead of the second, in true and in visible size: what
        is hidden from the camera is also hidden from a person who looks through it."""
        if not self.things:
            return
        sizes = np.array([thing.size for thing in self.things])
        volume, longest = sizes.prod(1), sizes.max(1)
        seen = np.array([np.maximum(o.box.size, 0.005) for o in self.truth.objects[: len(self.things)]])
        seen_volume, seen_longest = seen.prod(1), seen.max(1)
        for noun in self._nouns_of_many():
            among = np.array(sorted(self._which(noun)))
            if len(among) < 2 or not set(among) <= set(self.seen):
                continue
            for word, value, seen_value, lead in (
                ("biggest", volume, seen_volume, 1.5), ("smallest", 1 / volume, 1 / seen_volume, 1.5),
                ("longest", longest, seen_longest, 1.25),
            ):  # fmt: skip
                first, *others = among[np.argsort(-value[among])]
                if all(v[first] > lead * v[others].max() for v in (value, seen_value)):
                    yield from self._ask("size superlative", f"the {word} {noun}", frozenset({int(first)}))

    def _places(self) -> Iterator[Question]:
        """Which of several is the leftmost, nearest and so on, for a camera that looks ahead: all of them are seen, and
        the first is clearly ahead of the second."""
        layout, view = Layout(self.truth), View.of_camera(self.truth)
        if view is None or not view.perspective:
            return
        for noun in self._nouns_of_many():
            among = np.array(sorted(self._which(noun)))
            if len(among) < 2 or not set(among) <= set(self.seen):
                continue
            for word, lead in PLACES.items():
                measure, largest = SUPERLATIVES[word]
                value = MEASURES[measure](layout, word)[among] * (1 if largest else -1)
                second, first = np.argsort(value)[-2:]
                if value[first] - value[second] >= lead:
                    yield from self._ask("place superlative", f"the {word} {noun}", frozenset({int(among[first])}))

    def _relations(self) -> Iterator[Question]:
        """Relations to an anchor with a unique name that clearly hold for one thing (degree at least 0.9) and for no
        other of its noun (below 0.1)."""
        layout = Layout(self.truth)
        if View.of_camera(self.truth) is None:
            return
        names = ("left of", "right of", "behind", "in front of", "on", "in", "under", "next to")
        for name in names:
            degree = RELATIONS[name](layout, name)[: len(self.things), : len(self.things)]
            for anchor in self.seen:
                word = self.things[anchor].name
                if len(self._which(word)) > 1:
                    continue
                for target in self.seen:
                    noun = self._pick(("thing", self.things[target].name))
                    others = [k for k in self._which(noun) if k not in (target, anchor)]
                    if target == anchor or degree[target, anchor] < 0.9 or (len(others) == 0 and noun != "thing"):
                        continue
                    if all(degree[k, anchor] < 0.1 for k in others):
                        text = f"the {noun} {name} the {word}"
                        yield from self._ask("relation", text, frozenset({target}))

    def _negations(self) -> Iterator[Question]:
        for noun in self._nouns_of_many():
            among = self._which(noun)
            if noun == "thing":
                continue
            for color in sorted({self.things[k].color for k in among}):
                right = frozenset(k for k in among if not any(alike(color, c) for c in self.things[k].colors))
                if right and all(self.things[k].color == color for k in among - right):
                    yield from self._ask("negation", f"the {noun} that is not {color}", right)

    def _absent(self) -> Iterator[Question]:
        """For each visible thing, the name of an absent thing and a colour that nothing of its own name has; draws that
        happen to be present are skipped."""
        colors = sorted({thing.color for thing in self.things} | {"red", "green", "blue", "yellow", "white", "black"})
        present = {noun for thing in self.things for noun in (thing.name, *thing.synonyms, *thing.wider)}
        for thing in (self.things[k] for k in self.seen):
            noun = self._pick(self.nouns)
            if noun not in present | self.surfaces:
                yield Question("absent category", f"the {noun}", frozenset())
            color = self._pick(colors)
            named = self._which(thing.name)
            worn = {c for k in named for c in self.things[k].colors}
            if thing.name not in self.surfaces and not any(alike(color, c) for c in worn):
                yield Question("absent attribute", f"the {color} {thing.name}", frozenset())


# Answers ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a question was answered.

    Attributes:
        question: what was asked.
        rank: rank, from 1, of the first right answer among all instances; 0 if none of them is right.
        answered: whether anything was found at the model's default threshold; right: whether its best match is right.
    """

    question: Question
    rank: int
    answered: bool
    right: bool


@dataclass(frozen=True, slots=True)
class KindScore:
    """Outcomes of one kind of question.

    Attributes:
        first, fifth: R@1 and R@5; mrr: mean of 1 / rank, 0 if not found; median_rank: infinite if most are not found.
        segmented: share of questions with a right answer among the instances, so that they can be answered at all.
        seen: R@1 of these alone.
        answered: share with an answer at the default threshold; right: share whose best answer there is right.
    """

    first: HitRate
    fifth: HitRate
    mrr: float
    median_rank: float
    segmented: HitRate
    seen: HitRate
    answered: HitRate
    right: HitRate

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> KindScore:
        """Score at least one outcome."""
        n = len(outcomes)
        ranks = np.array([o.rank if o.rank else np.inf for o in outcomes])
        first, segmented = int((ranks <= 1).sum()), int(np.isfinite(ranks).sum())
        return cls(
            HitRate(first, n), HitRate(int((ranks <= 5).sum()), n), float((1 / ranks).mean()),
            float(np.median(ranks)), HitRate(segmented, n), HitRate(first, segmented),
            HitRate(sum(o.answered for o in outcomes), n), HitRate(sum(o.right for o in outcomes), n),
        )  # fmt: skip


def hits(scene: Scene, things: Sequence[Known]) -> NDArray[np.bool_]:
    """(K, T) bool, whether instance k overlaps thing t with IoU > 0.5."""
    out = np.zeros((len(scene), len(things)), bool)
    sizes = np.bincount(scene.labels[scene.labels >= 0], minlength=len(scene))
    for t, thing in enumerate(things):
        mine = scene.labels[thing.mask]
        shared = np.bincount(mine[mine >= 0], minlength=len(scene))
        out[:, t] = shared > 0.5 * (sizes + int(thing.mask.sum()) - shared)
    return out


def ask(
    find: Callable[..., Matches], scene: Scene, things: Sequence[Known], questions: Iterable[Question]
) -> list[Outcome]:
    """Ask questions about a scene to the model that segmented it.

    Args:
        find: ``SegVec3D.find``, or a function with the same arguments and result.
    """
    overlap = hits(scene, things)
    outcomes = []
    for question in questions:
        right = np.logical_or.reduce(overlap[:, sorted(question.right)], axis=1)
        found = find(scene, question.text)
        ranked = [] if not question.right else find(scene, question.text, max(1, len(scene)), 0.0)
        places = [place for place, match in enumerate(ranked, start=1) if right[match.index]]
        best = bool(len(found)) and bool(right[found[0].index])
        outcomes.append(Outcome(question, places[0] if places else 0, bool(len(found)), best))
    return outcomes


def pair_scores(outcomes: Sequence[Outcome]) -> tuple[HitRate, HitRate]:
    """R@1 of "colour + category" questions: of those about a ``held_out_pair``, and of the others."""
    asked = [o for o in outcomes if o.question.kind == "colour + category"]
    held_out, others = ([o.rank == 1 for o in asked if o.question.held_out is which] for which in (True, False))
    return HitRate(sum(held_out), len(held_out)), HitRate(sum(others), len(others))


def summarize(outcomes: Sequence[Outcome]) -> dict[str, KindScore]:
    """Scores by kind, in the order of ``KINDS``; kinds without questions are left out."""
    by_kind = {kind: [o for o in outcomes if o.question.kind == kind] for kind in KINDS}
    return {kind: KindScore.of(group) for kind, group in by_kind.items() if group}
