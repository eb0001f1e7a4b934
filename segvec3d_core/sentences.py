"""The sentence encoder's network: BERT (Devlin et al., 2019) on arrays, with the files of a sentence-transformers model
(Reimers and Gurevych, 2019). That library gives the same, but takes ten seconds to import.

T texts, L tokens of the longest, C channels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from .inference.layers import Array, Weights, gelu, unit

BATCH = 256
"""Maximum number of texts per forward pass; texts of similar length are batched together."""


class SentenceNetwork:
    """Tokens to sentence vectors: BERT's encoder, then the mean over a text's tokens.

    Args:
        config: contents of BERT's config.json; arrays: its weights by name.
    """

    def __init__(self, config: Mapping[str, Any], arrays: Mapping[str, NDArray[np.floating]]) -> None:
        weights = Weights(arrays)
        self._heads, self._eps = config["num_attention_heads"], config["layer_norm_eps"]
        self._embeddings = weights.part("embeddings")
        self._layers = [
            _Layer(weights.part(f"encoder.layer.{k}"), self._heads, self._eps)
            for k in range(config["num_hidden_layers"])
        ]
        # All tokens have token type 0.
        self._places = (
            self._embeddings["position_embeddings.weight"] + self._embeddings["token_type_embeddings.weight"][0]
        )

    def __call__(self, tokens: NDArray[np.int64], there: NDArray[np.bool_]) -> Array:
        """Vectors of unit length, (T, C).

        Args:
            tokens: (T, L) int64; there: (T, L) bool, False for padding.
        """
        words = self._embeddings["word_embeddings.weight"][tokens]
        x = self._embeddings.norm("LayerNorm", words + self._places[: tokens.shape[1]], self._eps)
        hidden = np.where(there, np.float32(0), np.float32(-np.inf))[:, None, None]
        for layer in self._layers:
            x = layer(x, hidden)
        return unit((x * there[:, :, None]).sum(1) / there.sum(1, keepdims=True))


class _Layer:
    """Attention between the tokens of a text, and a network of two layers for each token."""

    def __init__(self, weights: Weights, heads: int, eps: float) -> None:
        self._weights, self._heads, self._eps = weights, heads, eps

    def __call__(self, x: Array, hidden: Array) -> Array:
        """Update (T, L, C) features.

        Args:
            hidden: (T, 1, 1, L), -inf for padding, else 0.
        """
        w = self._weights
        q, k, v = (self._split(w.linear(f"attention.self.{name}", x)) for name in ("query", "key", "value"))
        score = q @ k.swapaxes(2, 3) * np.float32(q.shape[3] ** -0.5) + hidden
        weight = np.exp(score - score.max(3, keepdims=True))
        heard = (weight / weight.sum(3, keepdims=True)) @ v
        told = w.linear("attention.output.dense", heard.swapaxes(1, 2).reshape(x.shape))
        x = w.norm("attention.output.LayerNorm", x + told, self._eps)
        more = w.linear("output.dense", gelu(w.linear("intermediate.dense", x)))
        return w.norm("output.LayerNorm", x + more, self._eps)

    def _split(self, x: Array) -> Array:
        """(T, L, C) -> (T, heads, L, C / heads)."""
        return x.reshape(*x.shape[:2], self._heads, -1).swapaxes(1, 2)


class SentenceModel:
    """Texts to vectors, with the model files of a folder.

    Args:
        folder: sentence-transformers model made of BERT with GELU, mean pooling and normalisation.
    """

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        longest = json.loads((folder / "sentence_bert_config.json").read_text(encoding="utf-8"))["max_seq_length"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(longest)
        self.tokenizer.no_padding()
        self.network = SentenceNetwork(config, load_file(folder / "model.safetensors"))
        self._width: int = config["hidden_size"]

    def encode(self, texts: Sequence[str]) -> Array:
        """(T, C) float32 of unit length."""
        tokens = [encoded.ids for encoded in self.tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(tokens)), key=lambda k: len(tokens[k]))
        out = np.empty((len(tokens), self._width), np.float32)
        for first in range(0, len(order), BATCH):
            rows = order[first : first + BATCH]
            lengths = np.array([len(tokens[k]) for k in rows])
            there = np.arange(lengths.max()) < lengths[:, None]
            padded = np.zeros(there.shape, np.int64)
            padded[there] = np.concatenate([tokens[k] for k in rows])
            out[rows] = self.network(padded, there)
        return out
