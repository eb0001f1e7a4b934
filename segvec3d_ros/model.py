"""What the node needs of the core's model, and how it is loaded, read its words and freed."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from segvec3d_core.config import SegmentationConfig
from segvec3d_core.relations import View
from segvec3d_core.types import Matches, PointCloud, Scene

WORDS_AT_A_TIME = 8
"""Words that the sentence encoder reads before a query gets its turn: 0.1 to 0.2 s on one core."""

TURN = 0.005
"""Seconds in which a waiting query takes its turn: whoever gives up a lock and asks for it at once mostly gets it."""


class Model(Protocol):
    """``segvec3d_core.SegVec3D``, as far as the node uses it; ``find`` and ``name`` from any thread."""

    @property
    def device(self) -> Any:
        """The torch device in use."""
        ...

    @property
    def info(self) -> dict[str, Any]:
        """What is known of the weights."""
        ...

    def segment(self, cloud: PointCloud, config: SegmentationConfig | None = None) -> Scene:
        """Find the instances of a cloud."""
        ...

    def find(
        self, scene: Scene, text: str, top_k: int | None = None, min_similarity: float | None = None,
        view: View | None = None,
    ) -> Matches:  # fmt: skip
        """The objects that a text describes; ``view`` says whose left and right is meant."""
        ...

    def name(self, scene: Scene, labels: Sequence[str]) -> list[tuple[str, float]]:
        """The best of ``labels`` for each object."""
        ...

    def warm_up(self) -> None:
        """Load and compile everything that the first cloud and the first query would wait for."""
        ...


def load_segvec3d(path: str | None, device: str) -> Model:
    """``SegVec3D.load``; imported here, because torch takes seconds and a machine without it should say so late."""
    from segvec3d_core.pipeline import SegVec3D

    model: Model = SegVec3D.load(Path(path) if path else None, device)
    return model


class Namer:
    """Names objects. New words are read a few at a time, so that queries are answered in between.

    The sentence encoder takes one list of texts after the other; a new vocabulary in one list would hold up every query
    for as long as it takes to read, and with them every other service.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._known: frozenset[str] = frozenset()

    def knows(self, words: Sequence[str]) -> bool:
        """Whether all of the words have been read."""
        return self._known.issuperset(words)

    def read(self, words: Sequence[str]) -> None:
        """Let the sentence encoder read the words that it does not know yet."""
        nothing = Scene(np.empty(0, np.int32))
        new = [word for word in words if word not in self._known]
        for k in range(0, len(new), WORDS_AT_A_TIME):
            self._model.name(nothing, new[k : k + WORDS_AT_A_TIME])
            time.sleep(TURN)
        self._known = frozenset(words)

    def name(self, scene: Scene, words: Sequence[str]) -> list[tuple[str, float]]:
        """The best of ``words`` for each object."""
        self.read(words)
        return self._model.name(scene, words)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is ready for its first cloud, and what names its objects."""

    model: Model
    namer: Namer


class Loading:
    """A model on its way, in a thread of its own: torch alone takes seconds to import.

    Args:
        load: called with ``path`` and ``device``.
        path, device: of the weights, as the parameters ``model`` and ``device`` say.
        words: the vocabulary, read now rather than while the first cloud waits.
        done: called in that thread when the model has come or failed.
    """

    def __init__(
        self,
        load: Callable[[str | None, str], Model],
        path: str,
        device: str,
        words: Sequence[str],
        done: Callable[[], None] = lambda: None,
    ) -> None:
        self.path, self.device = path, device
        self._load, self._words, self._done = load, list(words), done
        self._future: Future[Loaded] = Future()
        self._begun, self._ended = time.monotonic(), 0.0
        # A daemon: an interrupted node does not wait for it.
        self._thread = threading.Thread(target=self._run, name="segvec3d model", daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """How long loading took, or has taken so far."""
        return (self._ended or time.monotonic()) - self._begun

    @property
    def busy(self) -> bool:
        """Whether the model has neither come nor failed."""
        return not self._future.done()

    def result(self) -> Loaded:
        """The model, waited for; raises what loading raised."""
        return self._future.result()

    def _run(self) -> None:
        try:
            model = self._load(self.path or None, self.device)
            model.warm_up()
            namer = Namer(model)
            namer.read(self._words)
        except BaseException as error:
            self._future.set_exception(error)
        else:
            self._ended = time.monotonic()
            self._future.set_result(Loaded(model, namer))
        self._done()


def release_memory() -> None:
    """Give back what a model that nobody refers to any more has held, on the GPU too."""
    gc.collect()
    cuda: Any = getattr(sys.modules.get("torch"), "cuda", None)
    if hasattr(cuda, "is_initialized") and cuda.is_initialized():  # it has not where torch is still being imported
        cuda.empty_cache()
