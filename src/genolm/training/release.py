"""A trained network as a model folder."""

from __future__ import annotations
from pathlib import Path
from typing import Any
import json
import torch
from safetensors.torch import save_file
from genolm.models.decoder import Decoder
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import Corpus
from genolm.training.recipe import Recipe


def write_model(
    folder: Path,
    network: Decoder,
    tokenizer: NucleotideTokenizer,
    recipe: Recipe,
    corpus: Corpus,
    history: list[dict[str, Any]],
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.bfloat16().contiguous() for k, v in network.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "genolm-decoder", **recipe.model.to_dict()}))
    return folder
