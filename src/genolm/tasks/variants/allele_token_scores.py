"""log p(alternative) - log p(reference) of alleles as tokens, in nats, for many pairs of alleles at once.

Shapes: B rows, L tokens of the longest, N places asked about, D dimensions, V vocabulary.
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

_LOGITS = 1 << 25  # at a time: bounds memory for large vocabularies


Ratio = float | Obstacle
"""A score, or why there is none."""


def masked_ratio(model: Model, pairs: Sequence[AlleleTokens]) -> list[Ratio]:
    """Of an encoder: the tokens that differ are all masked and predicted from both sides.

    Alleles of as many tokens share one pass, as what is read is the same. ``n_in_token`` where one of the tokens that
    differ is not made of A, C, G and T alone.

    Raises:
        NonFiniteError: a score is NaN or infinite; the row is the number of the pair.
    """
    mask_id, readings, targets = model.tokenizer.special_id(MASK), [], []
    for pair in pairs:
        for alleles in ([pair.ref, pair.alt],) if len(pair.ref) == len(pair.alt) else ([pair.ref], [pair.alt]):
            hidden = np.full(len(alleles[0]), mask_id, np.int32)
            readings.append((pair.left, hidden, pair.right))
            targets.append(alleles)
    log_probs = _masked_log_probs(model, readings)
    sums = iter([_sum(own, ids, _plain(model)) for own, alleles in zip(log_probs, targets) for ids in alleles])
    return _finite(model, [_difference(ref, alt) for ref, alt in zip(sums, sums)])


def window_ratio(model: Model, pairs: Sequence[AlleleTokens]) -> list[Ratio]:
    """Of a decoder: the tokens that differ and those after them, each given what is before it.

    Tokens after them that are not made of A, C, G and T alone are not counted. ``n_in_token`` where one of those that
    differ is not, ``no_context`` where nothing precedes them and the model has no special token for the beginning.

    Raises:
        NonFiniteError: as :func:`masked_ratio`.
    """
    rows = [np.concatenate([pair.left, own, pair.right]) for pair in pairs for own in (pair.ref, pair.alt)]
    batch = collate([model.with_special_tokens(row) for row in rows], model.tokenizer, device=model.device)
    last = model.config.num_layers
    x_BLD = model.decoder(batch.ids_BL, layers={last}, logits=False).hidden[last]
    plain, values = _plain(model), list[Ratio]()
    for number, pair in enumerate(pair for pair in pairs for _ in range(2)):
        own = pair.ref if number % 2 == 0 else pair.alt
        first = len(model.begin_ids) + len(pair.left)
        stop = first + len(own) + len(pair.right)
        if first == 0 or not plain[own].all():
            values.append("no_context" if first == 0 else "n_in_token")
            continue
        place = slice(number, number + 1)
        found_1N = token_log_probs(
            model, x_BLD[place, first - 1 : stop - 1], batch.ids_BL[place, first:stop], normalise="vocabulary"
        )
        counted = np.concatenate([np.ones(len(own), bool), plain[pair.right]])
        values.append(float(found_1N[0].double().cpu().numpy()[counted].sum()))
    return _finite(model, [_difference(ref, alt) for ref, alt in zip(values[::2], values[1::2])])


def _finite(model: Model, ratios: list[Ratio]) -> list[Ratio]:
    """The scores themselves, once all that are numbers are finite."""
    for row, ratio in enumerate(ratios):
        if not isinstance(ratio, str) and not math.isfinite(ratio):
            raise not_finite(model, row)
    return ratios


def _difference(ref: Ratio, alt: Ratio) -> Ratio:
    if isinstance(ref, str):
        return ref
    return alt if isinstance(alt, str) else alt - ref


def _masked_log_probs(model: Model, readings: Sequence[tuple[Ids, Ids, Ids]]) -> list[Tensor]:
    """Log-probabilities of all tokens at the middle part of every row, fp32 (N, V) each."""
    rows = [model.with_special_tokens(np.concatenate(parts).astype(np.int32)) for parts in readings]
    batch = collate(rows, model.tokenizer, device=model.device)
    last, begin = model.config.num_layers, len(model.begin_ids)
    output = model.encoder(batch.ids_BL, mask_BL=batch.mask_BL, layers={last}, logits=False)
    x_BLD = output.hidden[last]
    places = [slice(begin + len(left), begin + len(left) + len(own)) for left, own, _ in readings]
    hidden = torch.cat([x_BLD[row, place] for row, place in enumerate(places)])
    step = max(1, _LOGITS // model.config.vocab_size)
    logits = torch.cat([model.encoder.logits(x).log_softmax(-1).cpu() for x in hidden.split(step)])
    return list(logits.split([len(own) for _, own, _ in readings]))


def _sum(log_probs_NV: Tensor, ids: Ids, plain: NDArray[np.bool_]) -> Ratio:
    if not plain[ids].all():
        return "n_in_token"
    targets = torch.from_numpy(ids.astype(np.int64))
    return float(log_probs_NV.gather(-1, targets[:, None]).double().sum())


def _plain(model: Model) -> NDArray[np.bool_]:
    return model.tokenizer.plain_ids
