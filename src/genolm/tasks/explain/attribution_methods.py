"""The number that is attributed to bases: a sum of log-probabilities of the bases themselves.

L bases of a sequence, context included; V choices, the four bases.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from genolm.errors import InputError
from genolm.models.gengram.kmer_stream import KmerStream, digits_of, read_kmers
from genolm.models.networks.decoder import Decoder
from genolm.tasks.explain.random_copies import KmerTable, gengrams, kmer_tables


@dataclass(frozen=True, slots=True)
class Objective:
    """Which log-probabilities are added up.

    Attributes:
        first: the first base that counts, 0-based in the sequence.
        end: one past the last.
    """

    first: int
    end: int

    @classmethod
    def of_window(cls, context: int, length: int) -> Objective:
        """All bases of the window that have a base before them.

        Raises:
            InputError: there is none.
        """
        if context + length < 2:
            raise InputError("one base without context has no likelihood", value=length)
        return cls(max(1, context), context + length)

    @classmethod
    def of_base(cls, context: int, length: int, position: int) -> Objective:
        """One base alone.

        Args:
            context: bases before the window.
            length: bases of the window.
            position: the base, 1-based in the window.

        Raises:
            InputError: no such base, or none before it.
        """
        if not 1 <= position <= length:
            raise InputError(f"the base is one of the window's, 1 to {length:,}", value=position)
        if context + position < 2:
            raise InputError("the first base has nothing before it; choose another, or give it context", value=position)
        return cls(context + position - 1, context + position)

    def value(self, network: Decoder, ids_1L: Tensor, targets_L4: Tensor, base_ids: tuple[int, ...]) -> Tensor:
        """The sum, a scalar that gradients flow from.

        Args:
            network: the decoder.
            ids_1L: token ids of the sequence.
            targets_L4: which base stands where, as 0 and 1; a leaf if the gradient in the bases as targets is wanted.
            base_ids: ids of A, C, G, T.
        """
        log_p_L4 = base_log_probs(network, ids_1L[:, : self.end - 1], base_ids)
        return (log_p_L4[self.first - 1 :] * targets_L4[self.first : self.end]).sum()


def base_log_probs(network: Decoder, ids_1L: Tensor, base_ids: tuple[int, ...]) -> Tensor:
    """Log-probabilities of A, C, G, T after every token, renormalised over these four; fp32 (L, 4)."""
    last = network.config.num_layers
    x_LD = network(ids_1L, layers=(last,), logits=False).hidden[last][0]
    return F.linear(x_LD, network.head.weight[list(base_ids)]).float().log_softmax(-1)


def one_hot(ids_L: Tensor, base_ids: tuple[int, ...]) -> Tensor:
    """1 where a base is A, C, G or T; all 0 for N; fp32 (L, 4)."""
    return (ids_L[:, None] == torch.tensor(base_ids, device=ids_L.device)).float()


_BRANCH_TOKENS = 16_384  # of one batch of branches, pads included


@torch.inference_mode()
def substitution_effects(
    network: Decoder, ids_L: Tensor, objective: Objective, window: range, base_ids: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """Objective with each base in place, minus the objective of the sequence; nats, (len(window), 4).

    0 at the reference and after the objective's last base, NaN at N.

    Args:
        network: the decoder.
        ids_L: token ids of the sequence.
        objective: what is added up.
        window: positions to substitute, 0-based.
        base_ids: ids of A, C, G, T.
    """
    cache = network.new_cache(branches=True)
    last = network.config.num_layers
    x_LD = network(ids_L[None], cache=cache, layers=(last,), logits=False).hidden[last][0]
    head = network.head.weight[list(base_ids)]
    reference_L4 = F.linear(x_LD, head).float().log_softmax(-1)
    known_L4 = one_hot(ids_L, base_ids)
    terms_L = (reference_L4[:-1] * known_L4[1:]).sum(-1)  # term t: log p of base t + 1
    effects = np.full((len(window), 4), np.nan, np.float32)
    own = known_L4.bool().cpu().numpy()
    places = [place for place in window if own[place].any()]
    effects[[place - window.start for place in places]] = 0.0
    changes = [(place, base) for place in places for base in range(4) if not own[place, base] and place < objective.end]
    for batch in _batches(changes, objective.end):
        rows, starts = _branches(ids_L, batch, objective.end, base_ids)
        x_NSD = network.branch(rows, starts, cache, layers=(last,), logits=False).hidden[last]
        after_NS4 = F.linear(x_NSD, head).float().log_softmax(-1)
        for row, (place, base) in enumerate(batch):
            later = slice(max(place + 1, objective.first), objective.end)
            change = 0.0
            if later.start < later.stop:
                told = after_NS4[row, later.start - 1 - place : later.stop - 1 - place]
                change += float((told * known_L4[later]).sum() - terms_L[later.start - 1 : later.stop - 1].sum())
            if objective.first <= place < objective.end:
                change += float(reference_L4[place - 1, base] - terms_L[place - 1])
            effects[place - window.start, base] = change
    return effects


def _batches(changes: Sequence[tuple[int, int]], end: int) -> list[list[tuple[int, int]]]:
    """Substitutions side by side."""
    batches: list[list[tuple[int, int]]] = []
    room = 0
    for place, base in changes:
        if room < 1:
            batches.append([])
            room = max(1, _BRANCH_TOKENS // max(1, end - place))
        batches[-1].append((place, base))
        room -= 1
    return batches


def _branches(
    ids_L: Tensor, batch: Sequence[tuple[int, int]], end: int, base_ids: tuple[int, ...]
) -> tuple[Tensor, list[int]]:
    """The substituted base and what follows it up to the objective's last but one base, padded on the right."""
    longest = max(max(1, end - 1 - place) for place, _ in batch)
    rows = ids_L.new_full((len(batch), longest), base_ids[0])
    for row, (place, base) in enumerate(batch):
        tail = ids_L[place + 1 : max(place + 1, end - 1)]
        rows[row, 0] = base_ids[base]
        rows[row, 1 : 1 + len(tail)] = tail
    return rows, [place for place, _ in batch]


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
