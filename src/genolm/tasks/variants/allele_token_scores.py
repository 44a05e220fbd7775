"""Log-likelihood ratios of alleles as tokens: log p(ALT) - log p(REF), in nats, for a batch of pairs of alleles.

Shapes: B rows, L tokens of the longest row, N masked tokens, D dimensions, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolm.engine.batches import collate
from genolm.models.finite import not_finite
from genolm.tasks.reading.allele_strands import Obstacle
from genolm.tasks.reading.log_probabilities import token_log_probs
from genolm.tasks.variants.allele_tokens import AlleleTokens
from genolm.tokens.tokenizer import MASK, Ids

if TYPE_CHECKING:
    from genolm.models.model import Model

_LOGITS = 1 << 25  # logits in memory at a time

Ratio = float | Obstacle
"""A score, or why there is none."""


def masked_ratio(model: Model, pairs: Sequence[AlleleTokens]) -> list[Ratio]:
    """Return the ratios under an encoder: all tokens that differ are masked and predicted from both sides.

    Alleles with equal numbers of tokens share one pass, because their masked input is the same. ``n_in_token`` if a
    token that differs has letters other than A, C, G and T.

    Raises:
        NonFiniteError: if a score is NaN or infinite; its row is the number of the pair.
    """
    mask_id, readings, targets = model.tokenizer.special_id(MASK), [], []
    for pair in pairs:
        for alleles in ([pair.ref, pair.alt],) if len(pair.ref) == len(pair.alt) else ([pair.ref], [pair.alt]):
            hidden = np.full(len(alleles[0]), mask_id, np.int32)
            readings.append((pair.left, hidden, pair.right))
            targets.append(alleles)
    log_probs = _masked_log_probs(model, readings)
    plain = model.tokenizer.plain_ids
    sums = iter([_sum(values_NV, ids, plain) for values_NV, alleles in zip(log_probs, targets) for ids in alleles])
    return _finite(model, [_difference(ref, alt) for ref, alt in zip(sums, sums)])


def window_ratio(model: Model, pairs: Sequence[AlleleTokens]) -> list[Ratio]:
    """Return the ratios under a decoder: tokens that differ and those after them, each given the preceding tokens.

    Following tokens with letters other than A, C, G and T are not counted. ``n_in_token`` if a token that differs has
    such letters; ``no_context`` if no token precedes it and the model has no begin token.

    Raises:
        NonFiniteError: as in :func:`masked_ratio`.
    """
    rows = [np.concatenate([pair.left, allele, pair.right]) for pair in pairs for allele in (pair.ref, pair.alt)]
    batch = collate([model.with_special_tokens(row) for row in rows], model.tokenizer, device=model.device)
    last = model.config.num_layers
    x_BLD = model.decoder(batch.ids_BL, layers={last}, logits=False).hidden[last]
    plain, values = model.tokenizer.plain_ids, list[Ratio]()
    for number, pair in enumerate(pair for pair in pairs for _ in range(2)):
        allele = pair.ref if number % 2 == 0 else pair.alt
        first = len(model.begin_ids) + len(pair.left)
        stop = first + len(allele) + len(pair.right)
        if first == 0 or not plain[allele].all():
            values.append("no_context" if first == 0 else "n_in_token")
            continue
        row = slice(number, number + 1)
        log_probs_1N = token_log_probs(
            model, x_BLD[row, first - 1 : stop - 1], batch.ids_BL[row, first:stop], normalise="vocabulary"
        )
        counted = np.concatenate([np.ones(len(allele), bool), plain[pair.right]])
        values.append(float(log_probs_1N[0].double().cpu().numpy()[counted].sum()))
    return _finite(model, [_difference(ref, alt) for ref, alt in zip(values[::2], values[1::2])])


def _finite(model: Model, ratios: list[Ratio]) -> list[Ratio]:
    """Return the ratios, or raise if one is not finite."""
    for row, ratio in enumerate(ratios):
        if not isinstance(ratio, str) and not math.isfinite(ratio):
            raise not_finite(model, row)
    return ratios


def _difference(ref: Ratio, alt: Ratio) -> Ratio:
    if isinstance(ref, str):
        return ref
    return alt if isinstance(alt, str) else alt - ref


def _masked_log_probs(model: Model, readings: Sequence[tuple[Ids, Ids, Ids]]) -> list[Tensor]:
    """Return the log-probabilities of all tokens at the masked part of each row, fp32 (N, V)."""
    rows = [model.with_special_tokens(np.concatenate(parts).astype(np.int32)) for parts in readings]
    batch = collate(rows, model.tokenizer, device=model.device)
    last, begin = model.config.num_layers, len(model.begin_ids)
    output = model.encoder(batch.ids_BL, mask_BL=batch.mask_BL, layers={last}, logits=False)
    x_BLD = output.hidden[last]
    spans = [slice(begin + len(left), begin + len(left) + len(masked)) for left, masked, _ in readings]
    hidden = torch.cat([x_BLD[row, span] for row, span in enumerate(spans)])
    step = max(1, _LOGITS // model.config.vocab_size)
    logits = torch.cat([model.encoder.logits(x).log_softmax(-1).cpu() for x in hidden.split(step)])
    return list(logits.split([len(masked) for _, masked, _ in readings]))


def _sum(log_probs_NV: Tensor, ids: Ids, plain: NDArray[np.bool_]) -> Ratio:
    if not plain[ids].all():
        return "n_in_token"
    targets = torch.from_numpy(ids.astype(np.int64))
    return float(log_probs_NV.gather(-1, targets[:, None]).double().sum())
