"""The gradient of an objective in the bases of a sequence, through every table that reads them.

A base enters a network through the token embedding, through each table of k-mers that it is part of, and as the thing
that is predicted. Each of these is linear in the base while the others stay: a table of k-mers, read as the sum over
all k-mers of the product of their bases' weights, has at a real sequence the derivative "the row of the k-mer with this
base exchanged". So the gradient is exact, with no need for tables to be differentiable.

L bases, D width of a table's rows.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genolm.models.gengram.kmer_stream import KmerStream, digits_of, read_kmers
from genolm.models.networks.decoder import Decoder
from genolm.tasks.explain.attribution_methods import Objective, one_hot
from genolm.tasks.explain.random_copies import KmerTable, gengrams, kmer_tables


def base_gradients(
    network: Decoder, ids_L: Tensor, objective: Objective, base_ids: tuple[int, int, int, int], n_id: int
) -> NDArray[np.float32]:
    """Derivative of the objective in the weight of each base at each position, (L, 4), nats; NaN at N.

    Args:
        network: the decoder.
        ids_L: token ids of the sequence.
        objective: what is added up.
        base_ids: ids of A, C, G, T.
        n_id: id of N.
    """
    direct = reading_rows(network)
    tables = kmer_tables(direct)
    with torch.enable_grad(), _watched([direct.embedding, *(table.embedding for table in tables)]) as outputs:
        targets_L4 = one_hot(ids_L, base_ids).requires_grad_()
        value = objective.value(direct, ids_L[None], targets_L4, base_ids)
        asked = [targets_L4, *outputs]
        gradients = torch.autograd.grad(value, asked, allow_unused=True)
    found = [torch.zeros_like(one) if gradient is None else gradient for one, gradient in zip(asked, gradients)]
    with torch.no_grad():
        total_L4 = found[0].clone()
        seen = objective.end - 1
        own_S4 = total_L4[:seen]
        own_S4 += found[1][0].float() @ direct.embedding.weight[list(base_ids)].float().T
        digits = digits_of(network.config.vocab_size, base_ids, n_id)
        stream = read_kmers(torch.tensor(digits, device=ids_L.device)[ids_L[None, :seen]])
        for table, gradient in zip(tables, found[2:]):
            own_S4 += through_table(table, stream, gradient[0].float())
        known = one_hot(ids_L, base_ids).any(-1, keepdim=True)
        return np.asarray(total_L4.masked_fill(~known, torch.nan).cpu().numpy())


def through_table(table: KmerTable, stream: KmerStream, gradient_SD: Tensor) -> Tensor:
    """What reaches each base through one table, (S, 4).

    Args:
        table: the table.
        stream: the k-mers of one sequence.
        gradient_SD: derivative of the objective in the row that was read at each position.
    """
    code_S = stream.code(table.order, table.radix)[0]
    run_S = (stream.pure_BS if table.radix == 4 else stream.run_BS)[0]
    whole_S = run_S >= table.order
    weight = table.embedding.weight.float()
    length = len(code_S)
    found_S4 = gradient_SD.new_zeros(length, 4)
    for back in range(min(table.order, length)):
        place = table.radix**back
        digit_S = code_S // place % table.radix
        for base in range(4):
            rows = table.rows(code_S + (base - digit_S) * place)
            rows = rows.masked_fill(~whole_S, 0)
            product_S = (gradient_SD * weight[rows]).sum(-1).masked_fill(~whole_S, 0)
            found_S4[: length - back, base] += product_S[back:]
    return found_S4


def reading_rows(network: Decoder) -> Decoder:
    """The same network, its weights shared, with memories that look every row up instead of folding tables."""
    twin = copy.deepcopy(network, {id(weight): weight for weight in network.parameters()})
    for memory in gengrams(twin).values():
        memory.folds = False
    return twin.eval()


@contextmanager
def _watched(modules: list[nn.Embedding]) -> Iterator[list[Tensor]]:
    """The outputs of these modules in the next pass, in their order, as tensors that gradients can be asked for."""
    outputs: dict[int, Tensor] = {}
    listed: list[Tensor] = []

    def keep(module: nn.Module, _: object, output: Tensor) -> Tensor:
        leaf = output.detach().requires_grad_()
        outputs[id(module)] = leaf
        if len(outputs) == len(modules):
            listed.extend(outputs[id(one)] for one in modules)
        return leaf

    hooks = [module.register_forward_hook(keep) for module in modules]
    try:
        yield listed
    finally:
        for hook in hooks:
            hook.remove()
