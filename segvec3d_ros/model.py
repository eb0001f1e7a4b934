"""The part of the core's model that the node uses: loading in the background, naming objects, freeing memory."""

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
"""Words encoded in one batch, between which queries are answered: 0.1 to 0.2 s on one core."""

TURN = 0.005
"""Pause between batches, seconds, in which a waiting query gets the lock: locks are not fair, and a thread that
releases one and requests it again at once usually gets it."""


class Model(Protocol):
    """``segvec3d_core.SegVec3D``, as far as the node uses it; ``find`` and ``name`` are called from any thread."""

    @property
    def device(self) -> Any:
        """The device in use, "cpu" or "cuda:0" and so on."""
        ...

    @property
    def info(self) -> dict[str, Any]:
        """Metadata of the weights."""
        ...

    def segment(self, cloud: PointCloud, config: SegmentationConfig | None = None) -> Scene:
        """Segment a cloud into instances."""
        ...

    def find(
        self, scene: Scene, text: str, top_k: int | None = None, min_similarity: float | None = None,
        view: View | None = None,
    ) -> Matches:  # fmt: skip
        """The objects that match a text; ``view`` defines left, right, front and back."""
        ...

    def name(self, scene: Scene, labels: Sequence[str]) -> list[tuple[str, float]]:
        """(label, similarity) of the best of ``labels`` for each object."""
        ...

    def warm_up(self) -> None:
        """Load and compile everything that would otherwise delay the first cloud or the first query."""
        ...


def load_segvec3d(path: str | None, device: str) -> Model:
    """``SegVec3D.load``, with a late import: the kernels take seconds to import, and a package that is missing is then
    a failure to load the model."""
    from segvec3d_core.pipeline import SegVec3D

    model: Model = SegVec3D.load(Path(path) if path else None, device)
    return model


class Namer:
    """Names objects. New words are encoded a few at a time, so that queries are answered in between.

    The sentence encoder processes one list of texts at a time. A new vocabulary in a single list would block every
    query, and with it every other service, until all of it is encoded.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._known: frozenset[str] = frozenset()

    def knows(self, words: Sequence[str]) -> bool:
        """Whether all of the words have been encoded."""
        return self._known.issuperset(words)

    def read(self, words: Sequence[str]) -> None:
        """Encode the words that have not been encoded yet."""
        nothing = Scene(np.empty(0, np.int32))
        new = [word for word in words if word not in self._known]
        for k in range(0, len(new), WORDS_AT_A_TIME):
            self._model.name(nothing, new[k : k + WORDS_AT_A_TIME])
            time.sleep(TURN)
        self._known = frozenset(words)

    def name(self, scene: Scene, words: Sequence[str]) -> list[tuple[str, float]]:
        """(label, similarity) of the best of ``words`` for each object."""
        self.read(words)
        return self._model.name(scene, words)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is ready for its first cloud, with its ``Namer``."""

    model: Model
    namer: Namer


class Loading:
    """Loads a model in a thread of its own, because imports and kernels take seconds.

    Args:
        load: called with ``path`` (None if empty) and ``device``.
        path, device: the parameters ``model`` and ``device``.
        words: the vocabulary, encoded now so that the first cloud does not wait for it.
        done: called in that thread when the model is loaded or has failed to load.
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
        # A daemon thread, so that an interrupted process does not wait for it.
        self._thread = threading.Thread(target=self._run, name="segvec3d model", daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """Seconds that loading took, or has taken so far."""
        return (self._ended or time.monotonic()) - self._begun

    @property
    def busy(self) -> bool:
        """Whether the model is still loading."""
        return not self._future.done()

    def result(self) -> Loaded:
        """Wait for the model and return it; raises the exception that loading raised."""
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
    """Free the memory of a model that is no longer referenced, including the GPU's."""
    gc.collect()
    cuda: Any = getattr(sys.modules.get("torch"), "cuda", None)
    if hasattr(cuda, "is_initialized") and cuda.is_initialized():  # no such attribute while torch is being imported
        cuda.empty_cache()
