"""Null models: the same network with random tables, or with random weights everywhere."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from genolm.models.gengram.gengram import Gengram
from genolm.models.gengram.gengram_fold import pure_rows
from genolm.models.gengram.kmer_stream import KmerTables, spread
from genolm.models.model import Model
from genolm.models.networks.decoder import Decoder
from genolm.models.networks.random_weights import random_decoder

INPUT = 0
"""The layer that the tables at the input are counted as; Gengram's layers count from 1."""

NETWORKS = ("model", "random weights")
"""The names, in tables, of a model and of its :func:`random_weights`."""


@dataclass(frozen=True, slots=True)
class KmerTable:
    """One table of k-mers of a network.

    Attributes:
        layer: 0 for a table at the input, else the decoder layer, counted from 1.
        order: k.
        embedding: the module with the rows.
        radix: 4, or 5 where N is a letter.
        hashed: rows that k-mers are hashed into; 0 where each has its own.
    """

    layer: int
    order: int
    embedding: nn.Embedding
    radix: int
    hashed: int

    def rows(self, code: Tensor) -> Tensor:
        """Rows of k-mers given as numbers in the table's radix, newest base lowest."""
        return spread(code, self.hashed) if self.hashed else code

    def pure_rows(self) -> Tensor:
        """Rows of all 4^k k-mers of A, C, G and T, as base-4 numbers in ACGT order, first base highest."""
        codes = torch.arange(4**self.order) if self.radix == 4 else torch.from_numpy(pure_rows(self.order))
        return self.rows(codes)


def kmer_tables(network: Decoder) -> list[KmerTable]:
    """All tables of k-mers of a network: those at the input, then layer by layer; by rising order."""
    found = [] if network.kmer is None else _input_tables(network.kmer)
    for layer, memory in gengrams(network).items():
        for order, embedding in zip(memory.config.orders, memory.tables):
            hashed = memory.config.table_rows if memory.config.hashed(order) else 0
            found.append(KmerTable(layer, order, _embedding(embedding), 5, hashed))
    return found


def gengrams(network: Decoder) -> dict[int, Gengram]:
    """The Gengram memories of a network by layer, counted from 1."""
    memories = ((number, layer.gengram) for number, layer in enumerate(network.layers, start=1))
    return {number: memory for number, memory in memories if isinstance(memory, Gengram)}


def _input_tables(memory: KmerTables) -> list[KmerTable]:
    trio = zip(memory.orders, memory.sizes, memory.tables)
    return [KmerTable(INPUT, k, _embedding(table), 4, size if size < 4**k else 0) for k, size, table in trio]


def _embedding(module: nn.Module) -> nn.Embedding:
    assert isinstance(module, nn.Embedding)
    return module


_Twin = tuple[str, int, torch.device, torch.dtype]
"""Kind, seed, and where and in which precision the model was."""

_KEPT: WeakKeyDictionary[Model, dict[_Twin, Decoder]] = WeakKeyDictionary()


def random_tables(model: Model, seed: int) -> Decoder:
    """The model's network with every k-mer table drawn anew from normal numbers; all else is shared, not copied.

    Rows of A, C, G and T alone and the other rows keep their mean square each: what N and the start of a sequence look
    up is hardly trained, and would not be a fair scale for the rest.
    """
    return _kept(model, "tables", seed, lambda: _with_random_tables(model.decoder, seed))


def random_weights(model: Model, seed: int) -> Decoder:
    """A network of the same shape with random weights everywhere, by the rule of the zoo's ``tiny-random`` models."""

    def make() -> Decoder:
        network = random_decoder(model.decoder.config, seed, model.tokenizer.base_ids, model.tokenizer.n_id)
        return network.to(device=model.device, dtype=model.dtype).eval()

    return _kept(model, "weights", seed, make)


def _kept(model: Model, kind: str, seed: int, make: Callable[[], Decoder]) -> Decoder:
    """The twin made before, as long as the model lives and stays on its device and in its precision."""
    kept, twin = _KEPT.setdefault(model, {}), (kind, seed, model.device, model.dtype)
    if twin not in kept:
        kept.clear()
        kept[twin] = make()
    return kept[twin]


def _with_random_tables(network: Decoder, seed: int) -> Decoder:
    replaced = {id(table.embedding.weight) for table in kmer_tables(network)}
    shared = {id(weight): weight for weight in network.parameters() if id(weight) not in replaced}
    twin = copy.deepcopy(network, shared)
    with torch.no_grad():
        for table in kmer_tables(twin):
            refill(table, seed)
    return twin.eval()


def refill(table: KmerTable, seed: int) -> None:
    """Random rows, in place, with the mean square that the rows of pure k-mers, and those of all others, had."""
    weight = table.embedding.weight
    random = np.random.default_rng((seed, table.layer, table.order))
    drawn = torch.from_numpy(random.standard_normal(tuple(weight.shape), np.float32)).to(weight.device)
    pure = torch.zeros(len(weight), dtype=torch.bool, device=weight.device)
    pure[table.pure_rows().to(weight.device)] = True
    for rows in (pure, ~pure):
        if bool(rows.any()):
            scale = math.sqrt(float(weight[rows].float().square().mean()))
            weight[rows] = (drawn[rows] * scale).to(weight.dtype)
