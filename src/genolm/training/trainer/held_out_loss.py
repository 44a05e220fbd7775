"""Held-out evaluation during a run, with windows distributed over its processes.

Shapes: B rows of a batch, M tokens of a row, L positions predicted from, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from genolm.models.gengram.gengram import Gengram
from genolm.models.networks.decoder import Decoder
from genolm.training.corpus.order import Rows
from genolm.training.corpus.split_documents import DocumentSpan, DocumentSpans
from genolm.training.feeds.training_passes import Batch, Passes
from genolm.training.trainer.workers import Workers


class HeldOut(NamedTuple):
    """Held-out loss and accuracy.

    Attributes:
        bits_per_base: mean negative log2-likelihood of a base.
        nats_per_token: mean negative log-likelihood of a token.
        accuracy: fraction of tokens that the network ranks first.
    """

    bits_per_base: float
    nats_per_token: float
    accuracy: float


@torch.no_grad()
def held_out(
    network: nn.Module,
    rows: Rows,
    passes: Passes,
    batch_rows: int,
    workers: Workers,
    sharers: int,
    bases_V: Tensor | None = None,
) -> HeldOut | None:
    """Evaluate rows (collective): the tokens in the second half of each, or the masked ones.

    Returns None if no token counts, because all are N or none is masked.

    Args:
        network: network to evaluate.
        rows: windows as rows of tokens.
        passes: passes of rows through the network.
        batch_rows: rows of one pass.
        workers: processes of the run.
        sharers: number of processes that share each row.
        bases_V: bases of each target token; None if each is one base.
    """
    for module in network.modules():
        if isinstance(module, Gengram):
            module.forget()
    starts = range(0, len(rows.ids_RL), batch_rows)
    teams, team = workers.world // sharers, workers.rank // sharers
    sums = torch.zeros(4, dtype=torch.float64, device=workers.device)
    for turn in range(0, len(starts), teams):
        # A team without a batch in the last turn joins the collective passes with a batch that counts nothing.
        start, has_batch = starts[min(turn + team, len(starts) - 1)], turn + team < len(starts)
        batch = counted_batch(passes, rows.select(slice(start, start + batch_rows)))
        predictions = passes.predict(network, batch if has_batch else batch.without_targets())
        count = float(len(predictions.targets_N))
        sums[0] += F.cross_entropy(predictions.logits_NV, predictions.targets_N, reduction="sum")
        sums[1] += count
        sums[2] += count if bases_V is None else bases_V[predictions.targets_N].sum()
        sums[3] += (predictions.logits_NV.argmax(-1) == predictions.targets_N).sum()
    nats, tokens, bases, correct = workers.all_reduce_sum(sums).tolist()
    if not tokens:
        return None
    return HeldOut(nats / bases / math.log(2), nats / tokens, correct / tokens)


def frequency_bits(shares_V: NDArray[np.float64], rows: Rows, passes: Passes, bases_V: Tensor) -> float | None:
    """Return the bits per base of the tokens evaluated by :func:`held_out` from token frequencies alone, as a baseline.

    Returns None if no token counts.
    """
    batch = counted_batch(passes, rows)
    targets_N = batch.targets_BL[batch.counted_BL].cpu()
    if not len(targets_N):
        return None
    bits = -torch.from_numpy(np.log2(np.maximum(shares_V, 1e-300)))[targets_N].sum()
    return float(bits / bases_V.cpu()[targets_N].sum())


def counted_batch(passes: Passes, rows: Rows) -> Batch:
    """Return held-out rows on the device, with the counted positions."""
    batch = passes.tensors(rows)
    if rows.labels_RL is not None:
        return batch
    width = batch.ids_BM.shape[1]
    lengths = torch.full((batch.size,), width) if rows.lengths_R is None else torch.from_numpy(rows.lengths_R)
    # Every base of the second half has at least half a window of context.
    second = torch.arange(1, width) >= (lengths // 2)[:, None]
    return batch._replace(counted_BL=batch.counted_BL & second.to(batch.counted_BL.device))


Windows = NDArray[np.uint8]


def sample_windows(documents: Sequence[DocumentSpan], context: int, count: int, seed: int) -> Windows:
    """Sample windows of ``context + 1`` bases uniformly from the documents, (count, context + 1)."""
    random = np.random.default_rng(seed)
    documents = DocumentSpans.of(documents)
    starts_N = np.maximum(documents.length_N - context, 0)
    if not starts_N.sum():
        raise ValueError(f"no run of {context + 1} bases to evaluate on")
    indices = random.choice(len(documents), size=count, p=starts_N / starts_N.sum())
    offsets = [int(random.integers(int(starts_N[i]))) for i in indices]
    return np.stack([documents.ids(i)[start : start + context + 1] for i, start in zip(indices, offsets, strict=True)])


@torch.inference_mode()
def bits_per_base(network: Decoder, windows: Windows, bf16: bool, *, first: int | None = None, rows: int = 16) -> float:
    """Return the mean negative log2-likelihood of the bases from position ``first`` of each window on.

    Args:
        network: decoder to evaluate.
        windows: token ids, (count, length); every base is predicted from the preceding ones of its window.
        bf16: whether to use bf16.
        first: first base that counts; default: the middle of the window, so that every base has context.
        rows: windows of one pass.
    """
    first = windows.shape[1] // 2 if first is None else max(1, first)
    total = 0.0
    for batch in torch.from_numpy(windows.astype(np.int64)).split(rows):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = network(batch[:, :-1]).logits_BLV
        total += F.cross_entropy(
            logits[:, first - 1 :].flatten(0, 1), batch[:, first:].flatten(), reduction="sum"
        ).item()
    return total / (windows.shape[0] * (windows.shape[1] - first)) / math.log(2)
