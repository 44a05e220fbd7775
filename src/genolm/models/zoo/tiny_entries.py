"""Tiny models of every architecture, with random weights made in memory from a seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from genolm.models.card import Card
from genolm.models.gengram.gengram_config import GengramConfig
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.network_config import NetworkConfig
from genolm.models.networks.recurrent_memory_config import MemoryConfig
from genolm.models.zoo.gena_entries import BASE, BIGBIRD, DEEPSPEED, MODERN, SPARSE, SPARSE_T2T, STOCK_BLOCKS
from genolm.models.zoo.zoo_entry import Entry
from genolm.tokens.tokenizer import CLS, SEP

_VOCABULARIES = Path(__file__).parent / "vocabularies"
GENA_PIECES = _VOCABULARIES / "tiny-gena.json"
"""The first 128 tokens of GENA-LM's vocabulary t2t_1000h_multi_32k (MIT), with its rules."""
OCEAN_PIECES = _VOCABULARIES / "tiny-ocean.json"
"""128 tokens in the order of GenomeOcean's: special tokens, A, C, G, N, T, and merges without N."""

_MILLION = 1_048_576
_TINY_EXPERTS = DecoderConfig(
    vocab_size=128,
    hidden_size=48,
    num_layers=3,
    num_heads=8,
    num_kv_heads=4,
    head_dim=8,
    ffn_size=64,
    num_experts=8,
    experts_per_token=2,
    rope_theta=5e7,
    max_positions=_MILLION,
)
_TINY_DENSE = DecoderConfig(
    vocab_size=32,
    hidden_size=48,
    num_layers=3,
    num_heads=6,
    num_kv_heads=2,
    head_dim=16,
    ffn_size=96,
    rope_theta=1e6,
    max_positions=32_768,
)
_TINY_GENGRAM = replace(
    _TINY_EXPERTS, gengram=GengramConfig(layers=(1, 3), orders=(1, 2, 3, 4), dim=16, window=9, conv_dilation=4)
)
_TINY_KMER = replace(_TINY_DENSE, tied=True, kmer_orders=(2, 3, 5), kmer_dims=(8, 16, 4), kmer_rows=300)
_TINY_OCEAN = DecoderConfig(
    vocab_size=128,
    hidden_size=48,
    num_layers=3,
    num_heads=4,
    num_kv_heads=4,
    head_dim=12,
    ffn_size=96,
    rope_theta=1e6,
    max_positions=32_768,
    pad_id=3,
)
_SIZES: dict[str, Any] = {"vocab_size": 128, "hidden_size": 32, "num_heads": 4, "ffn_size": 64, "num_layers": 2}
_BLOCKS: dict[str, Any] = {**_SIZES, "max_positions": 1024}
_TINY_NOLAST = replace(BASE, **_SIZES)
_TINY_BERT = replace(_TINY_NOLAST, num_layers=3, final_norm=True)
_TINY_SPARSE = replace(SPARSE_T2T, **_BLOCKS, sparse=replace(DEEPSPEED, block=16))
_TINY_ROTARY = replace(SPARSE, **_BLOCKS, rotary_dim=4, sparse=replace(DEEPSPEED, block=16))
_TINY_BIGBIRD = replace(BIGBIRD, **_BLOCKS, sparse=replace(STOCK_BLOCKS, block=16))
_TINY_MODERN = replace(
    MODERN, vocab_size=144, token_rows=128, hidden_size=32, num_layers=4, num_heads=4, ffn_size=48, local_window=32
)
_TINY_RMT = replace(_TINY_BERT, vocab_size=136, token_rows=128, num_layers=2, memory=MemoryConfig(8, 64))
_NOTE = "Random weights: for tests, examples and timing; its scores and embeddings mean nothing."


def _random(name: str, config: NetworkConfig, seed: int, vocabulary: Path | None = None) -> Entry:
    card = Card(
        name=name,
        family="genolm",
        objective=config.objective,
        context=config.max_positions,
        begin=(CLS,) if vocabulary else (),
        end=(SEP,) if vocabulary else (),
        licence="Apache-2.0",
        source="made in memory from a seed",
        notes=(_NOTE,),
    )
    return Entry(card, config, vocabulary=vocabulary, seed=seed)


TINY = (
    _random("tiny-random", _TINY_EXPERTS, seed=1),
    _random("tiny-random-dense", _TINY_DENSE, seed=2),
    _random("tiny-random-kmer", _TINY_KMER, seed=3),
    _random("tiny-random-gengram", _TINY_GENGRAM, seed=4),
    _random("tiny-random-ocean", _TINY_OCEAN, 5, OCEAN_PIECES),
    _random("tiny-random-ocean-gqa", replace(_TINY_OCEAN, num_heads=6, num_kv_heads=2, head_dim=8), 6, OCEAN_PIECES),
    _random("tiny-random-bert", _TINY_BERT, 7, GENA_PIECES),
    _random("tiny-random-bert-nolast", _TINY_NOLAST, 8, GENA_PIECES),
    _random("tiny-random-sparse", _TINY_SPARSE, 9, GENA_PIECES),
    _random("tiny-random-sparse-rotary", _TINY_ROTARY, 10, GENA_PIECES),
    _random("tiny-random-bigbird", _TINY_BIGBIRD, 11, GENA_PIECES),
    _random("tiny-random-moderngena", _TINY_MODERN, 12, GENA_PIECES),
    _random("tiny-random-rmt", _TINY_RMT, 13, GENA_PIECES),
)
"""A model of each architecture, in sizes that run in milliseconds."""
