"""Attribution methods: in-silico mutagenesis and the gradient of an objective in the bases.

The objective is a sum of log-probabilities of the bases themselves. Mutagenesis runs the reference once; a substitution
then continues the cache from the changed base on.

The gradient is exact, although table lookups are not differentiable. A base enters a network through the token
embedding, through each k-mer table that reads it, and as the target of a prediction. Each of these is linear in the
base while the others are fixed: a k-mer table, read as the sum over all k-mers of the product of their bases' weights,
has at a real sequence the derivative "row of the k-mer with this base exchanged".

L bases of a sequence, context included; N branches; D width of a table's rows.
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
    """The sum of the log-probabilities of consecutive bases.

    Attributes:
        first: first base, 0-based in the sequence.
        end: one past the last base.
    """

    first: int
    end: int

    @classmethod
    def of_window(cls, context: int, length: int) -> Objective:
        """Return the objective of all bases of a window that have a base before them.

        Raises:
            InputError: there is no such base.
        """
        if context + length < 2:
            raise InputError("a single base without context has no likelihood", value=length)
        return cls(max(1, context), context + length)

    @classmethod
    def of_base(cls, context: int, length: int, position: int) -> Objective:
        """Return the objective of one base.

        Args:
            context: bases before the window.
            length: bases of the window.
            position: the base, 1-based in the window.

        Raises:
            InputError: the position is outside the window, or has no base before it.
        """
        if not 1 <= position <= length:
            raise InputError(f"position must be in the window, 1 to {length:,}", value=position)
        if context + position < 2:
            raise InputError(
                "the first base has no base before it: choose another position, or add context", value=position
            )
        return cls(context + position - 1, context + position)

    def value(self, network: Decoder, ids_1L: Tensor, targets_L4: Tensor, base_ids: tuple[int, ...]) -> Tensor:
        """Return the objective, a scalar that can be differentiated.

        Args:
            network: the decoder.
            ids_1L: token ids of the sequence.
            targets_L4: one-hot bases; a leaf tensor if the gradient in the bases as targets is required.
            base_ids: ids of A, C, G, T.
        """
        log_p_L4 = base_log_probs(network, ids_1L[:, : self.end - 1], base_ids)
        return (log_p_L4[self.first - 1 :] * targets_L4[self.first : self.end]).sum()


def base_log_probs(network: Decoder, ids_1L: Tensor, base_ids: tuple[int, ...]) -> Tensor:
    """Return the log-probabilities of A, C, G, T after every token, normalised over these four; fp32 (L, 4)."""
    last = network.config.num_layers
    x_LD = network(ids_1L, layers=(last,), logits=False).hidden[last][0]
    return F.linear(x_LD, network.head.weight[list(base_ids)]).float().log_softmax(-1)


def one_hot(ids_L: Tensor, base_ids: tuple[int, ...]) -> Tensor:
    """Return 1 at the base of each position and 0 elsewhere, all 0 for N; fp32 (L, 4)."""
    return (ids_L[:, None] == torch.tensor(base_ids, device=ids_L.device)).float()


_BRANCH_TOKENS = 16_384  # per batch of branches, padding included


@torch.inference_mode()
def substitution_effects(
    network: Decoder, ids_L: Tensor, objective: Objective, window: range, base_ids: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """Return the objective with each base substituted, minus the objective of the sequence; nats, (len(window), 4).

    0 at the reference and after the objective's last base, NaN at N.

    Args:
        network: the decoder.
        ids_L: token ids of the sequence.
        objective: the objective.
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
    is_base = known_L4.bool().cpu().numpy()
    positions = [position for position in window if is_base[position].any()]
    effects[[position - window.start for position in positions]] = 0.0
    changes = [
        (position, base)
        for position in positions
        for base in range(4)
        if not is_base[position, base] and position < objective.end
    ]
    for batch in _batches(changes, objective.end):
        rows, starts = _branches(ids_L, batch, objective.end, base_ids)
        x_NSD = network.branch(rows, starts, cache, layers=(last,), logits=False).hidden[last]
        after_NS4 = F.linear(x_NSD, head).float().log_softmax(-1)
        for row, (position, base) in enumerate(batch):
            later = slice(max(position + 1, objective.first), objective.end)
            change = 0.0
            if later.start < later.stop:
                branch_L4 = after_NS4[row, later.start - 1 - position : later.stop - 1 - position]
                change += float((branch_L4 * known_L4[later]).sum() - terms_L[later.start - 1 : later.stop - 1].sum())
            if objective.first <= position < objective.end:
                change += float(reference_L4[position - 1, base] - terms_L[position - 1])
            effects[position - window.start, base] = change
    return effects


def _batches(changes: Sequence[tuple[int, int]], end: int) -> list[list[tuple[int, int]]]:
    """Group substitutions into batches of at most :data:`_BRANCH_TOKENS` tokens."""
    batches: list[list[tuple[int, int]]] = []
    free = 0
    for position, base in changes:
        if free < 1:
            batches.append([])
            free = max(1, _BRANCH_TOKENS // max(1, end - position))
        batches[-1].append((position, base))
        free -= 1
    return batches


def _branches(
    ids_L: Tensor, batch: Sequence[tuple[int, int]], end: int, base_ids: tuple[int, ...]
) -> tuple[Tensor, list[int]]:
    """Return the substituted bases, each followed by the sequence up to the objective's last base, right-padded."""
    longest = max(max(1, end - 1 - position) for position, _ in batch)
    rows = ids_L.new_full((len(batch), longest), base_ids[0])
    for row, (position, base) in enumerate(batch):
        tail = ids_L[position + 1 : max(position + 1, end - 1)]
        rows[row, 0] = base_ids[base]
        rows[row, 1 : 1 + len(tail)] = tail
    return rows, [position for position, _ in batch]


def base_gradients(
    network: Decoder, ids_L: Tensor, objective: Objective, base_ids: tuple[int, int, int, int], n_id: int
) -> NDArray[np.float32]:
    """Return the derivative of the objective in the weight of each base at each position, (L, 4), nats; NaN at N.

    Args:
        network: the decoder.
        ids_L: token ids of the sequence.
        objective: the objective.
        base_ids: ids of A, C, G, T.
        n_id: id of N.
    """
    direct = reading_rows(network)
    tables = kmer_tables(direct)
    with (
        torch.enable_grad(),
        _differentiable_outputs([direct.embedding, *(table.embedding for table in tables)]) as outputs,
    ):
        targets_L4 = one_hot(ids_L, base_ids).requires_grad_()
        value = objective.value(direct, ids_L[None], targets_L4, base_ids)
        leaves = [targets_L4, *outputs]
        gradients = torch.autograd.grad(value, leaves, allow_unused=True)
    known = [torch.zeros_like(one) if gradient is None else gradient for one, gradient in zip(leaves, gradients)]
    with torch.no_grad():
        total_L4 = known[0].clone()
        read = objective.end - 1
        read_S4 = total_L4[:read]
        read_S4 += known[1][0].float() @ direct.embedding.weight[list(base_ids)].float().T
        digits = digits_of(network.config.vocab_size, base_ids, n_id)
        stream = read_kmers(torch.tensor(digits, device=ids_L.device)[ids_L[None, :read]])
        for table, gradient in zip(tables, known[2:]):
            read_S4 += through_table(table, stream, gradient[0].float())
        is_base = one_hot(ids_L, base_ids).any(-1, keepdim=True)
        return np.asarray(total_L4.masked_fill(~is_base, torch.nan).cpu().numpy())


def through_table(table: KmerTable, stream: KmerStream, gradient_SD: Tensor) -> Tensor:
    """Return the gradient that reaches each base through one table, (S, 4).

    Args:
        table: the table.
        stream: the k-mers of one sequence.
        gradient_SD: derivative of the objective in the row read at each position.
    """
    code_S = stream.code(table.order, table.radix)[0]
    run_S = (stream.pure_BS if table.radix == 4 else stream.run_BS)[0]
    complete_S = run_S >= table.order
    weight = table.embedding.weight.float()
    length = len(code_S)
    gradient_S4 = gradient_SD.new_zeros(length, 4)
    for back in range(min(table.order, length)):
        factor = table.radix**back
        digit_S = code_S // factor % table.radix
        for base in range(4):
            rows = table.rows(code_S + (base - digit_S) * factor)
            rows = rows.masked_fill(~complete_S, 0)
            product_S = (gradient_SD * weight[rows]).sum(-1).masked_fill(~complete_S, 0)
            gradient_S4[: length - back, base] += product_S[back:]
    return gradient_S4


def reading_rows(network: Decoder) -> Decoder:
    """Return a copy of the network, with shared weights, whose memories look up every row instead of folded tables."""
    unfolded = copy.deepcopy(network, {id(weight): weight for weight in network.parameters()})
    for memory in gengrams(unfolded).values():
        memory.folds = False
    return unfolded.eval()


@contextmanager
def _differentiable_outputs(modules: list[nn.Embedding]) -> Iterator[list[Tensor]]:
    """Replace the outputs of modules in the next pass by leaf tensors; yield the list of these, in module order."""
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
