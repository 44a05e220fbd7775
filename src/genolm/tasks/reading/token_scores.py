"""Log-probabilities of tokens given the preceding tokens (decoders) or the tokens on both sides (encoders).

Shapes: B windows, L tokens of the longest, D dimensions, N tokens at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from genolm.arrays import Float32
from genolm.engine.windows import Window
from genolm.errors import ModelError
from genolm.models.finite import require_finite
from genolm.tasks.reading.hidden_states import Chunk, body_mask, framed_batch, hidden_chunks
from genolm.tasks.reading.log_probabilities import Normalisation, token_log_probs
from genolm.tokens.tokenizer import MASK, Tokenizer

if TYPE_CHECKING:
    from genolm.models.model import Model

_HEAD_ROWS = 2048  # rows of logits in memory at a time


def causal_scores(model: Model, windows: Sequence[Window[object]], normalise: Normalisation) -> list[Float32]:
    """Return the log-probability in nats of each token of each window given the preceding tokens.

    NaN at a first token without special tokens before it, and at tokens with letters other than A, C, G and T.

    Raises:
        NonFiniteError: if the log-probability of a real token is NaN or infinite.
    """
    last = model.config.num_layers
    columns: list[Tensor] = []
    before: Tensor | None = None
    for chunk in hidden_chunks(model, windows, {last}):
        columns.append(_chunk_scores(model, chunk, chunk.hidden[last], before, normalise))
        before = chunk.hidden[last][:, -1:]
    values_BL = torch.cat(columns, 1).cpu().numpy()
    skipped = len(model.begin_ids)
    return [row[skipped : skipped + _body(model, window)].copy() for row, window in zip(values_BL, windows)]


def masked_scores(model: Model, windows: Sequence[Window[object]], passes: int) -> list[Float32]:
    """Return the log-probability in nats of each token of each window when it is masked.

    In each of ``passes`` passes every ``passes``-th token is masked, so that each token is predicted once
    (pseudo-likelihood; Salazar et al. 2020 mask one token at a time). NaN at tokens with letters other than A, C, G
    and T.

    Raises:
        NonFiniteError: as :func:`causal_scores`.
    """
    batch = framed_batch(model, windows)
    body_BL = body_mask(model, batch)
    number_BL = (body_BL.cumsum(1) - 1) % passes
    values_BL = torch.full(batch.ids_BL.shape, float("nan"), device=batch.ids_BL.device)
    mask_id = model.tokenizer.special_id(MASK)
    for number in range(min(passes, int(body_BL.sum(1).max()))):
        hidden_BL = body_BL & (number_BL == number)
        ids_BL = batch.ids_BL.masked_fill(hidden_BL, mask_id)
        values_BL[hidden_BL] = masked_log_probs(model, ids_BL, batch.mask_BL, hidden_BL, batch.ids_BL[hidden_BL])
    plain_BL = plain(model.tokenizer, batch.ids_BL)
    require_finite(model, values_BL[..., None], body_BL & plain_BL)
    values_BL = values_BL.masked_fill(~plain_BL, float("nan"))
    return [row[body].copy() for row, body in zip(values_BL.cpu().numpy(), body_BL.cpu().numpy())]


def masked_log_probs(model: Model, ids_BL: Tensor, mask_BL: Tensor, positions_BL: Tensor, targets_N: Tensor) -> Tensor:
    """Return the log-probability of each target at its position, over the model's vocabulary, fp32 (N,).

    Args:
        model: an encoder.
        ids_BL: input ids.
        mask_BL: True at real tokens.
        positions_BL: True at N positions.
        targets_N: target ids, in the order of the positions.
    """
    last = model.config.num_layers
    output = model.encoder(ids_BL, mask_BL=mask_BL, layers={last}, logits=False)
    values = []
    for x_ND, targets in zip(
        output.hidden[last][positions_BL].split(_HEAD_ROWS), targets_N.split(_HEAD_ROWS), strict=True
    ):
        log_probs_NV = model.encoder.logits(x_ND).log_softmax(-1)
        values.append(log_probs_NV.gather(-1, targets[:, None])[:, 0])
    return torch.cat(values) if values else targets_N.new_empty(0, dtype=torch.float32)


def plain(tokenizer: Tokenizer, ids_BL: Tensor) -> Tensor:
    """Return a mask of the tokens that consist of A, C, G and T."""
    plain_ids = tokenizer.plain_ids
    table = torch.zeros(max(len(plain_ids), int(ids_BL.max()) + 1 if ids_BL.numel() else 0), dtype=torch.bool)
    table[: len(plain_ids)] = torch.from_numpy(plain_ids)
    return table.to(ids_BL.device)[ids_BL]


def _chunk_scores(
    model: Model, chunk: Chunk, x_BLD: Tensor, before_B1D: Tensor | None, normalise: Normalisation
) -> Tensor:
    """Return the scores of a chunk's tokens; the last hidden state before the chunk predicts its first token."""
    if before_B1D is None:
        missing = x_BLD.new_full((len(x_BLD), 1), float("nan"), dtype=torch.float32)
        rest = _scores(model, x_BLD[:, :-1], chunk.ids_BL[:, 1:], chunk.mask_BL[:, 1:], normalise)
        return torch.cat((missing, rest), 1)
    return _scores(model, torch.cat((before_B1D, x_BLD[:, :-1]), 1), chunk.ids_BL, chunk.mask_BL, normalise)


def _scores(model: Model, x_BLD: Tensor, targets_BL: Tensor, mask_BL: Tensor, normalise: Normalisation) -> Tensor:
    values_BL = token_log_probs(model, x_BLD, targets_BL, normalise=normalise)
    plain_BL = plain(model.tokenizer, targets_BL)
    # Checked before NaN marks tokens without a score.
    require_finite(model, values_BL[..., None], mask_BL & plain_BL)
    return values_BL.masked_fill(~plain_BL, float("nan"))


def _body(model: Model, window: Window[object]) -> int:
    """Return the number of tokens of a window without special tokens."""
    return len(window) if window.encoded is None else len(window.encoded.ids)


def normalisation_of(model: Model, requested: Normalisation | None) -> Normalisation:
    """Return the requested normalisation or the default of the model.

    Raises:
        ModelError: if ``bases`` is requested for a model that does not predict single bases.
    """
    over_bases = model.causal and model.tokenizer.bases_per_token == 1
    if requested == "bases" and not over_bases:
        raise ModelError(
            f"{model.card.name} does not predict single bases: normalise over its vocabulary",
            code="unsupported-by-model",
        )
    return requested or ("bases" if over_bases else "vocabulary")


def passes_of(model: Model, requested: int | None) -> int:
    """Return the number of masked passes: as requested or 8; 0 for a decoder.

    Raises:
        ModelError: if passes are requested for a decoder.
    """
    if model.causal and requested is not None:
        raise ModelError(
            f"{model.card.name} is a decoder: passes is for encoders, which mask tokens", code="unsupported-by-model"
        )
    return 0 if model.causal else PASSES if requested is None else requested


PASSES = 8
