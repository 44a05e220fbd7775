"""Genos and Gengram: decoders with one token per base."""

from __future__ import annotations

from dataclasses import replace

from genolm.models.card import Card
from genolm.models.gengram.gengram_config import GengramConfig
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.zoo.zoo_entry import Entry

MILLION_BASES = 1_048_576

_SMALL_GENOS = DecoderConfig(
    vocab_size=128,
    hidden_size=1024,
    num_layers=12,
    num_heads=16,
    num_kv_heads=8,
    head_dim=64,
    ffn_size=4096,
    num_experts=8,
    experts_per_token=2,
    rope_theta=5e7,
    max_positions=MILLION_BASES,
    initial_std=0.01,
)
_LARGE_GENOS = DecoderConfig(
    vocab_size=256,
    hidden_size=4096,
    num_layers=12,
    num_heads=16,
    num_kv_heads=8,
    head_dim=256,
    ffn_size=8192,
    num_experts=8,
    experts_per_token=2,
    rope_theta=5e7,
    max_positions=MILLION_BASES,
    initial_std=0.01,
)
_GENGRAM = replace(_LARGE_GENOS, gengram=GengramConfig(layers=(3, 6, 10), compat="released-bf16", init="reference"))

_LICENCE_NOTE = (
    "The licence texts disagree: MIT in the first repository, Apache-2.0 in the second;"
    " the stricter one, Apache-2.0, is taken as binding."
)
_CITATION = (
    "Genos: a human-centric genomic foundation model. GigaScience (2025). https://doi.org/10.1093/gigascience/giaf132"
)
_GENGRAM_CARD = Card(
    name="gengram-10b",
    family="gengram",
    context=32_768,
    precision="bfloat16",
    licence="Apache-2.0",
    source="code BGI-HangzhouAI/Gengram, paper arXiv 2601.22203",
    citation=(
        "Beyond Conditional Computation: Retrieval-Augmented Genomic Foundation Models with Gengram. (2026)."
        " https://arxiv.org/abs/2601.22203"
    ),
    notes=(
        "Published in Megatron format only: convert the checkpoint before use.",
        "The short convolution is settled from the checkpoint's keys when it is converted; this entry has it on.",
        "The released code averages its windows with running sums in bf16, which drift: an exact average (compat none)"
        " does not match this checkpoint beyond a few hundred bases. compat released-bf16 does as it was trained,"
        " across document borders too.",
        "Trained on windows of 8,192, then 32,768 bases.",
    ),
)
_FP32_SHARDS = "Stored as nine fp32 shards (about 41 GB), computed in bf16."


def _genos(name: str, hub_id: str, config: DecoderConfig, *notes: str) -> Entry:
    card = Card(
        name=name,
        family="genos",
        context=MILLION_BASES,
        precision="bfloat16",
        licence="Apache-2.0",
        source=f"https://huggingface.co/{hub_id}",
        citation=_CITATION,
        notes=(_LICENCE_NOTE, *notes),
    )
    return Entry(card, config, hub_id=hub_id)


GENOS = (
    _genos("genos-1.2b", "BGI-HangzhouAI/Genos-1.2B", _SMALL_GENOS),
    _genos("genos-10b", "BGI-HangzhouAI/Genos-10B", _LARGE_GENOS, _FP32_SHARDS),
    _genos(
        "genos-10b-v2",
        "BGI-HangzhouAI/Genos-10B-v2",
        _LARGE_GENOS,
        _FP32_SHARDS,
        "Trained further on primates and other mammals; shape as genos-10b.",
    ),
    Entry(_GENGRAM_CARD, _GENGRAM, megatron_only=True),
)
"""Published by BGI."""
