"""Hidden states of a batch of windows, in one pass, or in chunks with a cache for very long windows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genolm.engine.batches import Batch, collate
from genolm.models.finite import require_finite

if TYPE_CHECKING:
    from torch import Tensor

    from genolm.engine.windows import Window
    from genolm.models.model import Model
    from genolm.models.networks.recurrent_memory import RecurrentMemory
    from genolm.tokens.tokenizer import Ids

# A single pass needs less memory than a cache of all layers up to about this length.
CHUNK_TOKENS = 131_072


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive tokens of every row of a batch.

    Attributes:
        start: number of tokens before the chunk; with a recurrent memory, that of the longest row.
        ids_BL: token ids.
        mask_BL: True at real tokens; padding is on the right.
        body_BL: True at tokens of the sequences: real tokens other than special tokens.
        hidden: hidden states (B, L, D) of the requested layers.
    """

    start: int
    ids_BL: Tensor
    mask_BL: Tensor
    body_BL: Tensor
    hidden: dict[int, Tensor]


def hidden_chunks(
    model: Model, windows: Sequence[Window[object]], layers: Collection[int], *, chunk: int | None = None
) -> Iterator[Chunk]:
    """Yield the hidden states of a batch of windows; the chunks together equal a single pass.

    Args:
        model: the model; its special tokens are added around each window.
        windows: windows, padded on the right. With a recurrent memory, a chunk is the next segment of every row.
        layers: layers from 0 (embedding) to ``num_layers`` (after the final norm, if there is one).
        chunk: maximum tokens per pass of a decoder; None: :data:`CHUNK_TOKENS`. An encoder always uses one pass.

    Raises:
        NonFiniteError: if a hidden state of a real token is NaN or infinite.
    """
    for part in _hidden_chunks(model, windows, layers, chunk):
        for x_BLD in part.hidden.values():
            require_finite(model, x_BLD, part.mask_BL)
        yield part


def _hidden_chunks(
    model: Model, windows: Sequence[Window[object]], layers: Collection[int], chunk: int | None
) -> Iterator[Chunk]:
    batch = framed_batch(model, windows)
    body_BL = body_mask(model, batch)
    width = chunk or CHUNK_TOKENS
    if model.recurrent is not None:
        yield from _remembered(model.recurrent, batch, layers)
    elif not model.causal:
        hidden = model.encoder(batch.ids_BL, mask_BL=batch.mask_BL, layers=layers, logits=False).hidden
        yield Chunk(0, batch.ids_BL, batch.mask_BL, body_BL, hidden)
    elif batch.ids_BL.shape[1] <= width:
        hidden = model.decoder(batch.ids_BL, layers=layers, logits=False).hidden
        yield Chunk(0, batch.ids_BL, batch.mask_BL, body_BL, hidden)
    else:
        yield from _streamed(model, batch, body_BL, layers, width)


def _remembered(memory: RecurrentMemory, batch: Batch, layers: Collection[int]) -> Iterator[Chunk]:
    rows = len(batch.lengths_B)
    for step in memory.steps(batch.ids_BL, batch.mask_BL, layers=layers):
        ids_BL, mask_BL, body_BL = (
            _scattered(values, step.row_R, rows) for values in (step.ids_RS, step.mask_RS, step.content_RS)
        )
        hidden = {layer: _scattered(step.output.hidden[layer], step.row_R, rows) for layer in layers}
        yield Chunk(max(start for start, _ in step.spans), ids_BL, mask_BL, body_BL, hidden)


def _scattered(values_R: Tensor, row_R: Tensor, rows: int) -> Tensor:
    """Return values of some rows scattered into a tensor of all rows; other rows are zero."""
    return values_R.new_zeros(rows, *values_R.shape[1:]).index_copy(0, row_R, values_R)


def framed_batch(model: Model, windows: Sequence[Window[object]]) -> Batch:
    """Return a batch of windows, each with the model's special tokens around it."""
    rows = [model.with_special_tokens(window_ids(model, window)) for window in windows]
    return collate(rows, model.tokenizer, device=model.device)


def window_ids(model: Model, window: Window[object]) -> Ids:
    """Return the token ids of a window, without special tokens."""
    return model.tokenizer.encode(window.sequence) if window.encoded is None else window.encoded.ids


def body_mask(model: Model, batch: Batch) -> Tensor:
    """Return a mask (B, L) that is True at tokens of the sequences, not at special tokens or padding."""
    import torch

    columns_L = torch.arange(batch.ids_BL.shape[1], device=batch.ids_BL.device)
    return (columns_L >= len(model.begin_ids)) & (columns_L < batch.lengths_B[:, None] - len(model.end_ids))


def _streamed(model: Model, batch: Batch, body_BL: Tensor, layers: Collection[int], width: int) -> Iterator[Chunk]:
    outputs = model.decoder.stream(batch.ids_BL, chunk=width, layers=layers, logits=False)
    for number, output in enumerate(outputs):
        columns = slice(number * width, (number + 1) * width)
        ids_BL, mask_BL = batch.ids_BL[:, columns], batch.mask_BL[:, columns]
        yield Chunk(number * width, ids_BL, mask_BL, body_BL[:, columns], output.hidden)
