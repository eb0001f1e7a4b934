"""A query meets a scene: similarities say what things are, geometry says which of them is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from .asked import Query, Superlative, Thing
from .nouns import singular
from .relations import DIRECTED, MEASURES, SPREAD, Layout, View, between, precedence
from .types import Scene
from .words import COLORS, NO_SURFACE

Values = NDArray[np.float64]

ANCHORS = 6
"""So many likely anchors are tried for each of the two of "between"."""
DOUBTFUL = 0.05
"""What is less than so likely an anchor beside the likeliest is none."""
SEVERAL = 0.7
"""So sure is it that who speaks of the biggest of a kind sees more than one of it."""


PRESUPPOSED = 0.5
"""So much of the threshold is enough for an anchor: who says "left of the laptop" most often sees one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query makes of every object of a scene.

    Attributes:
        similarity: (K,) 0 to 1, how far each object fits; order: (K,) int64, the best first.
        notes: what the person who asked should know: whose left, an anchor that is not there.
    """

    similarity: Values
    order: NDArray[np.int64]
    notes: tuple[str, ...]


def phrases(thing: Thing) -> Iterator[str]:
    """Every text that the sentence encoder must read for a thing."""
    if thing.phrase:
        yield thing.phrase
    yield from thing.alternatives
    yield from thing.without
    for other in thing.excluded:
        yield from phrases(other)
    for relation in thing.relations:
        for anchor in relation.anchors:
            yield from phrases(anchor)
    if thing.superlative is not None and thing.superlative.anchor is not None:
        yield from phrases(thing.superlative.anchor)


def answer(
    query: Query,
    scene: Scene,
    similarities: Callable[[Sequence[str]], NDArray[np.float32]],
    threshold: float,
    view: View | None = None,
) -> Answer:
    """Rank the objects of a scene by a query.

    Args:
        similarities: texts -> (K, T) calibrated similarities of the scene's objects.
        threshold: similarity from which an object is believed to fit.
        view: whose left and right is meant; None for the camera's.

    Raises:
        ValueError: the query needs a view, or to know which way is up, and the scene has none.
    """
    texts = list(dict.fromkeys(phrases(query.thing)))
    each = [singular(text) for text in texts]
    table = similarities(each).astype(np.float64) if texts else np.zeros((len(scene), 0))
    matcher = _Matcher(scene, dict(zip(texts, table.T, strict=True)), threshold, view)
    fit, rank = matcher.fit(query.thing, query.count)
    color = next((word for text in texts for word in text.split() if word in COLORS), None)
    if color is not None and len(scene) and all(item.color is None for item in scene.objects):
        matcher.notes.append(f"the cloud has no colours, which {color!r} asks for")
    return Answer(fit, np.argsort(-rank, kind="stable"), tuple(dict.fromkeys(matcher.notes)))


_layouts: WeakKeyDictionary[Scene, tuple[View | None, Layout]] = WeakKeyDictionary()
"""The latest layout of each scene that is still there, for the next question about it."""


def _layout(scene: Scene, view: View | None) -> Layout:
    known = _layouts.get(scene)
    if known is None or known[0] is not view:
        known = _layouts[scene] = view, Layout(scene, view)
    return known[1]


class _Matcher:
    """One query at work on one scene; the layout is made when the first relation or superlative needs it."""

    def __init__(self, scene: Scene, columns: dict[str, Values], threshold: float, view: View | None) -> None:
        self._scene, self._columns, self._threshold, self._view = scene, columns, threshold, view
        self._layout: Layout | None = None
        self._known: dict[Thing, tuple[Values, Values]] = {}
        self.notes: list[str] = []

    @property
    def layout(self) -> Layout:
        if self._layout is None:
            self._layout = _layout(self._scene, self._view)
        return self._layout

    def _belief(self, similarity: Values) -> Values:
        """Probability that something fits: the similarity, but no more than an even chance below the threshold."""
        t = np.clip(self._threshold, 0.5, 1 - 1e-3)
        odds = np.clip(similarity, 1e-6, 1 - 1e-6)
        odds = odds / (1 - odds) * (1 - t) / t
        return np.asarray(odds / (1 + odds) * (similarity > 0), np.float64)

    def fit(self, thing: Thing, count: int | None = 1) -> tuple[Values, Values]:
        """(K,) similarity of every object with the thing, and (K,) by which they rank."""
        names = (thing.phrase, *thing.alternatives) if thing.phrase else ()
        fit = np.max([self._columns[words] for words in names], axis=0) if names else np.ones(len(self._scene))
        if all(map(NO_SURFACE.fullmatch, names)):
            fit = fit * np.array([o.kind == "object" for o in self._scene.objects], bool)
        for text in thing.without:
            fit = fit * (1 - self._belief(self._columns[text]))
        for other in thing.excluded:
            fit = fit * (1 - self._excluded(other))
        rank, present = fit.copy(), 1.0
        for relation in thing.relations:
            self._say_view(relation.name)
            degree, meant = self._degree(relation.name, relation.anchors, self._belief(fit))
            there = min(map(self._presence, relation.anchors))
            present = present if relation.negated else min(present, there)  # nothing stands so to what is not there
            if relation.negated:
                degree = meant = 1 - degree
            fit, rank = fit * np.minimum(1, 2 * degree), rank * (meant if count == 1 else degree)
        if thing.superlative is not None and len(self._scene):
            fit, rank = self._superlative(thing.superlative, fit, count or 1)
        return fit * present, rank  # which still tells what comes nearest to what was asked for

    def _presence(self, anchor: Thing) -> float:
        """0 where nothing passes for the anchor, less than 1 where it is doubtful; says so then."""
        best = float(self._certainty(anchor)[0].max(initial=0.0))
        if best < PRESUPPOSED * self._threshold:
            self.notes.append(f"no {anchor} is there")
            return 0.0
        if best < self._threshold:
            self.notes.append(f"perhaps no {anchor} is there: similarity {best:.2f}")
        return min(1.0, best / max(self._threshold, 1e-9))

    def _weights(self, anchor: Thing) -> Values:
        """(K,) 0 to 1, how likely each object is the anchor; the likeliest is 1 where it passes the threshold, for who
        says "left of the laptop" sees one."""
        belief = self._certainty(anchor)[1]
        least = float(self._belief(np.array([self._threshold]))[0])
        return belief / max(float(belief.max(initial=0.0)), least)

    def _excluded(self, other: Thing) -> Values:
        """(K,) 0 to 1, how surely each object is one that is not meant: of an order, "all but the biggest", there is
        one for sure, unless it is told by what is not there."""
        fit, certainty = self._certainty(other)
        if other.superlative is None:
            return certainty
        return self._weights(other) if fit.any() else np.zeros(len(fit))

    def _certainty(self, thing: Thing) -> tuple[Values, Values]:
        """(K,) how far each object fits, and (K,) the probability that it is the thing."""
        if thing not in self._known:
            fit, rank = self.fit(thing)
            self._known[thing] = fit, self._belief(fit) if thing.superlative is None else rank
        return self._known[thing]

    def _degree(self, name: str, anchors: tuple[Thing, ...], belief: Values) -> tuple[Values, Values]:
        """(K,) how far each object stands so to the likeliest anchor, and (K,) by which a single one is meant.

        Who says "the mug left of the laptop" means a laptop with one mug to its left rather than one with many. What
        stands so to each of several likely laptops is meant sooner than what stands so to the likeliest alone.

        Args:
            belief: (K,) probability that each object is such a thing at all.
        """
        weights = [self._weights(anchor) for anchor in anchors]
        if not len(self._scene):
            return np.zeros(0), np.zeros(0)
        if name == "between":
            first, second = (np.argsort(-w, kind="stable")[:ANCHORS] for w in weights)
            pairs = [
                weights[0][b] * weights[1][c] * between(self.layout, int(b), int(c))
                for b in first for c in second if b != c
            ]  # fmt: skip
            most = np.max(pairs, axis=0) if pairs else np.zeros(len(self._scene))
            return most, most
        degree = self.layout.degree(name).copy()
        np.fill_diagonal(degree, 0)
        so = np.maximum(belief @ degree, 1.0)  # so many of them stand so to each anchor
        share = np.where(weights[0] >= DOUBTFUL * weights[0].max(), weights[0], 0.0)
        share = share / max(float(share.sum()), 1e-9)
        meant = (degree / so) @ share
        return np.asarray((degree * weights[0]).max(1), np.float64), np.asarray(meant, np.float64)

    def _superlative(self, superlative: Superlative, fit: Values, count: int) -> tuple[Values, Values]:
        """(K,) the fit, in which an anchor is no answer to what is nearest to it, and (K,) probability of each object
        being the one: it is a thing and fits, and as many others that do come before it as the superlative says."""
        spread, there = 0.0, 1.0
        if superlative.anchor is not None:
            weights = self._weights(superlative.anchor)
            anchor = int(weights.argmax())
            value = self.layout.gap()[anchor] + 1e-3 * np.linalg.norm(
                self.layout.center - self.layout.center[anchor], axis=1
            )
            fit = fit * (np.arange(len(fit)) != anchor)
            there = self._presence(superlative.anchor)
        else:
            self._say_view(superlative.measure)
            if superlative.measure == "centrality":  # in the middle of those that are meant
                likely = self._belief(fit)
                middle = likely @ self.layout.center / max(float(likely.sum()), 1e-9)
                value = np.linalg.norm(self.layout.center - middle, axis=1)
            else:
                value = MEASURES[superlative.measure](self.layout, superlative.word)
            spread = SPREAD.get(superlative.measure, 0.0)
        # A segment that is no whole thing, two boxes in one, is not the biggest box.
        belief = self._belief(fit) * np.array([o.score for o in self._scene.objects])
        first = precedence(value if superlative.largest else -value, spread)
        before: list[int] = []
        for rank in range(superlative.rank - 1 if len(fit) else 0):  # what is the biggest is not the second biggest
            sooner = belief * _placed(belief, first, rank, 1)
            sooner[before] = -np.inf
            before.append(int(sooner.argmax()))
        placed = belief * _placed(belief, first, superlative.rank - 1, count)
        placed[before] = 0.0
        if superlative.rank > 1 and (fit >= self._threshold).sum() < superlative.rank:
            self.notes.append(f"there are no {superlative.rank} of these")
            there = 0.0
        return fit * there, placed

    def _say_view(self, name: str) -> None:
        if name in DIRECTED:
            self.notes.append(f"seen from {self.layout.seen_by}")


def _placed(belief: Values, first: Values, rank: int, count: int) -> Values:
    """(K,) probability that, if an object is such a thing, ``rank`` to ``rank + count - 1`` others come before it.

    Who says "the biggest box" most often sees several: that no other thing is a box at all is held for unlikely.

    Args:
        belief: (K,) probability that each object is such a thing.
        first: (K, K), entry [a, b] is the probability that b comes before a if both are such things.
    """
    ahead = np.zeros((len(belief), rank + count + 1))  # probability of so many before it so far, the last: or more
    ahead[:, 0] = 1.0
    for probability in (first * belief).T[..., None]:
        moved = probability * ahead
        ahead -= moved
        ahead[:, 1:] += moved[:, :-1]
        ahead[:, -1] += moved[:, -1]
    placed = ahead[:, rank : rank + count].sum(1)
    if rank == 0:
        others = np.where(np.eye(len(belief), dtype=bool), 0.0, belief)
        placed -= SEVERAL * (1 - others).prod(1)
    return placed
