"""The sentence encoder's network: BERT (Devlin et al., 2019) built from torch's own layers, with the files of a
sentence-transformers model (Reimers and Gurevych, 2019). That library gives the same, but takes ten seconds to import.

T texts, L tokens of the longest, C channels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

BATCH = 256
"""Maximum number of texts per forward pass; texts of similar length are batched together."""

_LAYER = {
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}
"""Names of a layer's parts in BERT's files -> in torch."""


class SentenceNetwork(nn.Module):
    """Tokens to sentence vectors: BERT's encoder, then the mean over a text's tokens.

    Args:
        config: contents of BERT's config.json.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width, eps = config["hidden_size"], config["layer_norm_eps"]
        self.words = nn.Embedding(config["vocab_size"], width)
        self.places = nn.Embedding(config["max_position_embeddings"], width)
        self.norm = nn.LayerNorm(width, eps)
        layer = nn.TransformerEncoderLayer(
            width, config["num_attention_heads"], config["intermediate_size"], 0.0, config["hidden_act"], eps,
            batch_first=True,
        )  # fmt: skip
        self.layers = nn.TransformerEncoder(layer, config["num_hidden_layers"], enable_nested_tensor=False)

    def forward(self, tokens: Tensor, there: Tensor) -> Tensor:
        """Vectors of unit length, (T, C).

        Args:
            tokens: (T, L) int64; there: (T, L) bool, False for padding.
        """
        x = self.norm(self.words(tokens) + self.places.weight[: tokens.shape[1]])
        x = self.layers(x, src_key_padding_mask=None if there.all() else ~there)
        total = torch.where(there[:, :, None], x, 0.0).sum(1)
        return functional.normalize(total / there.sum(1, keepdim=True), dim=1)


class SentenceModel:
    """Texts to vectors, with the model files of a folder.

    Args:
        folder: sentence-transformers model made of BERT, mean pooling and normalisation.
        device: where the network runs.
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        longest = json.loads((folder / "sentence_bert_config.json").read_text(encoding="utf-8"))["max_seq_length"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(longest)
        self.tokenizer.no_padding()
        with torch.random.fork_rng(devices=[]):  # initial weights are overwritten: leave the global generator alone
            self.network = SentenceNetwork(config)
        weights = _renamed(load_file(folder / "model.safetensors"), config["num_hidden_layers"])
        self.network.load_state_dict(weights, assign=True)
        self.network.to(device).eval()
        self.device = device

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> Tensor:
        """(T, C) float32 of unit length, on CPU."""
        tokens = [encoded.ids for encoded in self.tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(tokens)), key=lambda k: len(tokens[k]))
        out = torch.empty(len(tokens), self.network.words.embedding_dim)
        for first in range(0, len(order), BATCH):
            rows = order[first : first + BATCH]
            padded = nn.utils.rnn.pad_sequence([torch.tensor(tokens[k]) for k in rows], batch_first=True)
            lengths = torch.tensor([len(tokens[k]) for k in rows])
            there = torch.arange(padded.shape[1]) < lengths[:, None]
            out[rows] = self.network(padded.to(self.device), there.to(self.device)).cpu()
        return out


def _renamed(given: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """BERT's weights under the names of ``SentenceNetwork``; all tokens have token type 0, whose embedding is added to
    the position embeddings."""
    places = given["embeddings.position_embeddings.weight"] + given["embeddings.token_type_embeddings.weight"][0]
    out = {"words.weight": given["embeddings.word_embeddings.weight"], "places.weight": places}
    for end in ("weight", "bias"):
        out[f"norm.{end}"] = given[f"embeddings.LayerNorm.{end}"]
        for k in range(layers):
            old, new = f"encoder.layer.{k}", f"layers.layers.{k}"
            asked = [given[f"{old}.attention.self.{name}.{end}"] for name in ("query", "key", "value")]
            out[f"{new}.self_attn.in_proj_{end}"] = torch.cat(asked)
            out |= {f"{new}.{to}.{end}": given[f"{old}.{name}.{end}"] for name, to in _LAYER.items()}
    return out
