"""Model folder with the genos-1.2b configuration and random bf16 weights, for transformers and genolm."""

from __future__ import annotations

from pathlib import Path

import torch

import genolm
from genolm.models.checkpoints.convert import save
from genolm.models.model import Model
from genolm.models.networks.decoder import Decoder
from genolm.models.zoo.zoo import entry


def write_weights(folder: Path, name: str = "genos-1.2b", seed: int = 0) -> Path:
    """Write a model folder in Hugging Face layout unless it exists."""
    if (folder / "config.json").exists():
        return folder
    known = entry(name)
    with torch.device("meta"):
        network = Decoder(known.config)
    network = network.to(torch.bfloat16).to_empty(device="cpu")
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(1.0) if weight.ndim == 1 else weight.normal_(0.0, 0.02)
    tokenizer = genolm.load("tiny-random").tokenizer
    return save(Model(network, tokenizer, known.card), folder, layout="huggingface")


def random_bases(length: int, seed: int = 0) -> str:
    """Return uniformly random DNA."""
    generator = torch.Generator().manual_seed(seed)
    return "".join("ACGT"[i] for i in torch.randint(4, (length,), generator=generator).tolist())
