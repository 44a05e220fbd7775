"""What the k-mer memories of a network do at every position: a few numbers for each layer. B batch, L tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from genolm.models.gengram.kmer_stream import digits_of, read_kmers
from genolm.models.networks.decoder import Decoder
from genolm.tasks.explain.random_copies import INPUT, gengrams
from genolm.tokens.tokenizer import Tokenizer

QUANTITIES = ("written", "relative", "gate")
"""Norm of what the memory adds; the same over the norm of what it is added to; the gate, 0 to 1.

The tables at the input have no gate: NaN.
"""


def memory_layers(network: Decoder) -> tuple[int, ...]:
    """Where a network has a memory: 0 for tables at the input, then Gengram's layers, counted from 1."""
    return (*((INPUT,) if network.kmer is not None else ()), *gengrams(network))


def memory_traces(network: Decoder, tokenizer: Tokenizer, ids_BL: Tensor) -> Tensor:
    """The :data:`QUANTITIES` of every memory of the network, fp32 (B, memories, 3, L)."""
    found = [] if network.kmer is None else [_input_trace(network, tokenizer, ids_BL)]
    if gengrams(network):
        memory = network(ids_BL, logits=False, memory=True).memory
        for trace in memory.values():
            found.append(_stacked(trace.written_BL, trace.stream_BL, trace.gate_BL))
    return torch.stack(found, 1)


def _input_trace(network: Decoder, tokenizer: Tokenizer, ids_BL: Tensor) -> Tensor:
    assert network.kmer is not None
    digits = digits_of(network.config.vocab_size, tokenizer.base_ids, tokenizer.n_id)
    stream = read_kmers(torch.tensor(digits, device=ids_BL.device)[ids_BL])
    written, embedded = network.kmer(stream), network.embedding(ids_BL)
    no_gate = torch.full_like(ids_BL, torch.nan, dtype=torch.float32)
    return _stacked(written.float().norm(dim=-1), embedded.float().norm(dim=-1), no_gate)


def _stacked(written_BL: Tensor, stream_BL: Tensor, gate_BL: Tensor) -> Tensor:
    relative_BL = written_BL / stream_BL.clamp_min(1e-12)
    return torch.stack((written_BL, relative_BL, gate_BL), 1)
