"""Ranks the objects of a scene by a query: similarities tell what they are, geometry which of them is meant."""

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
"""Number of likeliest candidates tried for each of the two anchors of "between"."""
DOUBTFUL = 0.05
"""Anchor candidates with less than this share of the largest weight are ignored."""
SEVERAL = 0.7
"""Prior probability that there are several of a kind when someone asks for the biggest of it."""


PRESUPPOSED = 0.5
"""Share of the threshold that suffices for an anchor: "left of the laptop" presupposes that there is a laptop."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Result of a query for every object of a scene.

    Attributes:
        similarity: (K,) 0 to 1, how well each object fits; order: (K,) int64 indices, best first.
        notes: remarks for the user: the viewpoint used, a missing anchor.
    """

    similarity: Values
    order: NDArray[np.int64]
    notes: tuple[str, ...]


def phrases(thing: Thing) -> Iterator[str]:
    """All texts that the sentence encoder must encode for a thing."""
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
        similarities: function of texts -> (K, T) calibrated similarities of the scene's objects.
        threshold: similarity from which an object counts as fitting.
        view: viewpoint that left and right refer to; None for the camera's.

    Raises:
        ValueError: the query needs a view or the up direction, and the scene has none.
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
"""Cache: the latest layout of each scene that is still referenced."""


def _layout(scene: Scene, view: View | None) -> Layout:
    known = _layouts.get(scene)
    if known is None or known[0] is not view:
        known = _layouts[scene] = view, Layout(scene, view)
    return known[1]


class _Matcher:
    """Evaluates one query on one scene; the layout is computed when a relation or superlative first needs it."""

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
        """Probability that an object fits: the similarity, its odds rescaled so that the threshold has even odds.

        A threshold below 0.5 leaves the similarity unchanged; similarity 0 stays 0.
        """
        t = np.clip(self._threshold, 0.5, 1 - 1e-3)
        odds = np.clip(similarity, 1e-6, 1 - 1e-6)
        odds = odds / (1 - odds) * (1 - t) / t
        return np.asarray(odds / (1 + odds) * (similarity > 0), np.float64)

    def fit(self, thing: Thing, count: int | None = 1) -> tuple[Values, Values]:
        """(K,) similarity of every object with the thing, and (K,) values to rank them by.

        Args:
            count: maximum number of objects asked for, None for all that fit.
        """
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
            present = present if relation.negated else min(present, there)  # a missing anchor has no relations
            if relation.negated:
                degree = meant = 1 - degree
            fit, rank = fit * np.minimum(1, 2 * degree), rank * (meant if count == 1 else degree)
        if thing.superlative is not None and len(self._scene):
            fit, rank = self._superlative(thing.superlative, fit, count or 1)
        return fit * present, rank  # the rank still tells which object comes closest to the query

    def _presence(self, anchor: Thing) -> float:
        """0 if no object passes for the anchor, less than 1 if that is doubtful, else 1; adds a note below 1."""
        best = float(self._certainty(anchor)[0].max(initial=0.0))
        if best < PRESUPPOSED * self._threshold:
            self.notes.append(f"no {anchor} is there")
            return 0.0
        if best < self._threshold:
            self.notes.append(f"perhaps no {anchor} is there: similarity {best:.2f}")
        return min(1.0, best / max(self._threshold, 1e-9))

    def _weights(self, anchor: Thing) -> Values:
        """(K,) 0 to 1, how likely each object is the anchor, scaled so that the likeliest has weight 1 if it passes the
        threshold: the query presupposes that there is one."""
        belief = self._certainty(anchor)[1]
        least = float(self._belief(np.array([self._threshold]))[0])
        return belief / max(float(belief.max(initial=0.0)), least)

    def _excluded(self, other: Thing) -> Values:
        """(K,) 0 to 1, probability that each object is the excluded one.

        With a superlative ("all but the biggest") one object is excluded for certain, unless its anchor is missing.
        """
        fit, certainty = self._certainty(other)
        if other.superlative is None:
            return certainty
        return self._weights(other) if fit.any() else np.zeros(len(fit))

    def _certainty(self, thing: Thing) -> tuple[Values, Values]:
        """(K,) how well each object fits, and (K,) the probability that it is the thing."""
        if thing not in self._known:
            fit, rank = self.fit(thing)
            self._known[thing] = fit, self._belief(fit) if thing.superlative is None else rank
        return self._known[thing]

    def _degree(self, name: str, anchors: tuple[Thing, ...], belief: Values) -> tuple[Values, Values]:
        """(K,) degree to which each object has the relation, the maximum over weighted anchors, and (K,) values to rank
        by if a single object is asked for.

        "The mug left of the laptop" rather means a laptop with one mug to its left than one with many. An object that
        has the relation to each of several likely laptops ranks before one that has it to the likeliest alone.

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
        so = np.maximum(belief @ degree, 1.0)  # expected number of objects with the relation to each anchor
        share = np.where(weights[0] >= DOUBTFUL * weights[0].max(), weights[0], 0.0)
        share = share / max(float(share.sum()), 1e-9)
        meant = (degree / so) @ share
        return np.asarray((degree * weights[0]).max(1), np.float64), np.asarray(meant, np.float64)

    def _superlative(self, superlative: Superlative, fit: Values, count: int) -> tuple[Values, Values]:
        """(K,) the fit, and (K,) the probability of being the answer: that the object fits and that the number of other
        fitting objects before it matches the superlative's rank.

        The fit is 0 for the anchor of "nearest to", reduced if the presence of that anchor is doubtful, and 0 for all
        objects if fewer fit than the rank requires, as for "the third biggest" of two.
        """
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
            if superlative.measure == "centrality":  # distance from the mean of the fitting objects
                likely = self._belief(fit)
                middle = likely @ self.layout.center / max(float(likely.sum()), 1e-9)
                value = np.linalg.norm(self.layout.center - middle, axis=1)
            else:
                value = MEASURES[superlative.measure](self.layout, superlative.word)
            spread = SPREAD.get(superlative.measure, 0.0)
        # Objects that are probably wrong segments, such as two boxes in one, should not be the biggest box.
        belief = self._belief(fit) * np.array([o.score for o in self._scene.objects])
        first = precedence(value if superlative.largest else -value, spread)
        before: list[int] = []
        for rank in range(superlative.rank - 1 if len(fit) else 0):  # the biggest cannot be the second biggest
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
    """(K,) probability that ``rank`` to ``rank + count - 1`` others come before an object, if it is such a thing.

    "The biggest box" suggests several boxes: for rank 0 the case that no other object is one is discounted by
    ``SEVERAL``.

    Args:
        belief: (K,) probability that each object is such a thing.
        first: (K, K), entry [a, b] is the probability that b comes before a if both are such things.
    """
    ahead = np.zeros((len(belief), rank + count + 1))  # column n: probability of n objects before it, last: or more
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
