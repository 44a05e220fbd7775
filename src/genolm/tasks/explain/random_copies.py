"""Null models: a copy of the network with random k-mer tables, or with random weights."""

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
"""Layer number of the tables at the input; Gengram layers count from 1."""

NETWORKS = ("model", "random weights")
"""Names, in tables, of a model and of its :func:`random_weights`."""


@dataclass(frozen=True, slots=True)
class KmerTable:
    """A k-mer table of a network.

    Attributes:
        layer: 0 for a table at the input, otherwise the decoder layer, counted from 1.
        order: k.
        embedding: module with the rows.
        radix: 4, or 5 if N is a letter.
        hashed: number of rows that k-mers are hashed into; 0 if each k-mer has its own.
    """

    layer: int
    order: int
    embedding: nn.Embedding
    radix: int
    hashed: int

    def rows(self, code: Tensor) -> Tensor:
        """Return the rows of k-mers given as numbers in the table's radix, last base lowest."""
        return spread(code, self.hashed) if self.hashed else code

    def pure_rows(self) -> Tensor:
        """Return the rows of all 4^k k-mers of A, C, G and T, as base-4 numbers in ACGT order, first base highest."""
        codes = torch.arange(4**self.order) if self.radix == 4 else torch.from_numpy(pure_rows(self.order))
        return self.rows(codes)


def kmer_tables(network: Decoder) -> list[KmerTable]:
    """Return all k-mer tables of a network: those at the input, then layer by layer, by increasing k."""
    tables = [] if network.kmer is None else _input_tables(network.kmer)
    for layer, memory in gengrams(network).items():
        for order, embedding in zip(memory.config.orders, memory.tables):
            hashed = memory.config.table_rows if memory.config.hashed(order) else 0
            tables.append(KmerTable(layer, order, _embedding(embedding), 5, hashed))
    return tables


def gengrams(network: Decoder) -> dict[int, Gengram]:
    """Return the Gengram memories of a network by layer, counted from 1."""
    memories = ((number, layer.gengram) for number, layer in enumerate(network.layers, start=1))
    return {number: memory for number, memory in memories if isinstance(memory, Gengram)}


def _input_tables(memory: KmerTables) -> list[KmerTable]:
    trio = zip(memory.orders, memory.sizes, memory.tables)
    return [KmerTable(INPUT, k, _embedding(table), 4, size if size < 4**k else 0) for k, size, table in trio]


def _embedding(module: nn.Module) -> nn.Embedding:
    assert isinstance(module, nn.Embedding)
    return module


_Key = tuple[str, int, torch.device, torch.dtype]
"""Kind and seed of a copy, and device and precision of the model."""

_CACHE: WeakKeyDictionary[Model, dict[_Key, Decoder]] = WeakKeyDictionary()


def random_tables(model: Model, seed: int) -> Decoder:
    """Return the model's network with random k-mer tables; all other weights are shared, not copied.

    Entries are normal random numbers. Rows of A, C, G and T and all other rows keep their mean square separately: rows
    of N and of the start of a sequence are hardly trained and would distort the scale of the others.
    """
    return _cached(model, "tables", seed, lambda: _with_random_tables(model.decoder, seed))


def random_weights(model: Model, seed: int) -> Decoder:
    """Return a network of the same architecture with random weights, as in the zoo's ``tiny-random`` models."""

    def make() -> Decoder:
        network = random_decoder(model.decoder.config, seed, model.tokenizer.base_ids, model.tokenizer.n_id)
        return network.to(device=model.device, dtype=model.dtype).eval()

    return _cached(model, "weights", seed, make)


def _cached(model: Model, kind: str, seed: int, make: Callable[[], Decoder]) -> Decoder:
    """Return a cached copy, made again if the model was moved to another device or precision."""
    cached, copied = _CACHE.setdefault(model, {}), (kind, seed, model.device, model.dtype)
    if copied not in cached:
        cached.clear()
        cached[copied] = make()
    return cached[copied]


def _with_random_tables(network: Decoder, seed: int) -> Decoder:
    replaced = {id(table.embedding.weight) for table in kmer_tables(network)}
    shared = {id(weight): weight for weight in network.parameters() if id(weight) not in replaced}
    copied = copy.deepcopy(network, shared)
    with torch.no_grad():
        for table in kmer_tables(copied):
            refill(table, seed)
    return copied.eval()


def refill(table: KmerTable, seed: int) -> None:
    """Replace rows in place by random rows with the mean square of pure k-mers and of the other rows, respectively."""
    weight = table.embedding.weight
    random = np.random.default_rng((seed, table.layer, table.order))
    noise = torch.from_numpy(random.standard_normal(tuple(weight.shape), np.float32)).to(weight.device)
    pure = torch.zeros(len(weight), dtype=torch.bool, device=weight.device)
    pure[table.pure_rows().to(weight.device)] = True
    for rows in (pure, ~pure):
        if bool(rows.any()):
            scale = math.sqrt(float(weight[rows].float().square().mean()))
            weight[rows] = (noise[rows] * scale).to(weight.dtype)
