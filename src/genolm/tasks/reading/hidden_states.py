"""Hidden states of a batch of windows, in one pass, or in chunks through a cache where a window is very long."""

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

# One pass needs less memory than a cache of all layers; beyond this its activations would outgrow the cache's use.
CHUNK_TOKENS = 131_072


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive tokens of every row of a batch.

    Attributes:
        start: tokens before it; with a recurrent memory, where it differs between rows, those of its longest row.
        ids_BL: token ids.
        mask_BL: True at real tokens; pads are on the right.
        body_BL: True at those of the sequences: real tokens without the special ones around them.
        hidden: hidden states (B, L, D) of the layers asked for.
    """

    start: int
    ids_BL: Tensor
    mask_BL: Tensor
    body_BL: Tensor
    hidden: dict[int, Tensor]


def hidden_chunks(
    model: Model, windows: Sequence[Window], layers: Collection[int], *, chunk: int | None = None
) -> Iterator[Chunk]:
    """The hidden states of windows side by side; all chunks together are what one pass gives.

    Args:
        model: whose network runs; its special tokens are put around each window.
        windows: padded on the right, which no network sees. A recurrent memory reads each a segment at a time, and a
            chunk is one segment of every row that has one yet.
        layers: 0 (embedding) to ``num_layers`` (after the final norm, where there is one).
        chunk: most tokens of one pass of a causal network; None for :data:`CHUNK_TOKENS`. An encoder reads all at once.

    Raises:
        NonFiniteError: a hidden state of a real token is NaN or infinite.
    """
    for found in _hidden_chunks(model, windows, layers, chunk):
        for x_BLD in found.hidden.values():
            require_finite(model, x_BLD, found.mask_BL)
        yield found


def _hidden_chunks(
    model: Model, windows: Sequence[Window], layers: Collection[int], chunk: int | None
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
            _of_all(values, step.row_R, rows) for values in (step.ids_RS, step.mask_RS, step.content_RS)
        )
        hidden = {layer: _of_all(step.output.hidden[layer], step.row_R, rows) for layer in layers}
        yield Chunk(max(start for start, _ in step.spans), ids_BL, mask_BL, body_BL, hidden)


def _of_all(values_R: Tensor, row_R: Tensor, rows: int) -> Tensor:
    """Values of some rows among those of all, which have zeros."""
    return values_R.new_zeros(rows, *values_R.shape[1:]).index_copy(0, row_R, values_R)


def framed_batch(model: Model, windows: Sequence[Window]) -> Batch:
    """Windows side by side, each between the special tokens that the model expects."""
    ids = [window_ids(model, window) for window in windows]
    return collate([model.with_special_tokens(own) for own in ids], model.tokenizer, device=model.device)


def window_ids(model: Model, window: Window) -> Ids:
    """The ids of a window's bases."""
    return model.tokenizer.encode(window.sequence) if window.encoded is None else window.encoded.ids


def body_mask(model: Model, batch: Batch) -> Tensor:
    """True at the tokens of the sequences themselves, (B, L); pads are on the right."""
    import torch

    columns_L = torch.arange(batch.ids_BL.shape[1], device=batch.ids_BL.device)
    return (columns_L >= len(model.begin_ids)) & (columns_L < batch.lengths_B[:, None] - len(model.end_ids))


def _streamed(model: Model, batch: Batch, body_BL: Tensor, layers: Collection[int], width: int) -> Iterator[Chunk]:
    outputs = model.decoder.stream(batch.ids_BL, chunk=width, layers=layers, logits=False)
    for number, output in enumerate(outputs):
        own = slice(number * width, (number + 1) * width)
        yield Chunk(number * width, batch.ids_BL[:, own], batch.mask_BL[:, own], body_BL[:, own], output.hidden)
