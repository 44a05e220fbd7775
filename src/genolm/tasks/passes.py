"""Hidden states of a batch of windows, in one pass, or in chunks through a cache where a window is very long."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genolm.engine.batches import Batch, collate

if TYPE_CHECKING:
    from torch import Tensor

    from genolm.models.model import Model

# One pass needs less memory than a cache of all layers; beyond this its activations would outgrow the cache's use.
CHUNK_TOKENS = 131_072


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive tokens of every row of a batch.

    Attributes:
        start: tokens before it.
        ids_BL: token ids.
        mask_BL: True at real tokens; pads are on the right.
        hidden: hidden states (B, L, D) of the layers asked for.
    """

    start: int
    ids_BL: Tensor
    mask_BL: Tensor
    hidden: dict[int, Tensor]


def hidden_chunks(
    model: Model, sequences: Sequence[str], layers: Collection[int], *, chunk: int | None = None
) -> Iterator[Chunk]:
    """The hidden states of sequences side by side; all chunks together are what one pass gives.

    Args:
        model: whose network runs.
        sequences: bases; padded on the right, which a causal network never sees.
        layers: 0 (embedding) to ``num_layers`` (after the final norm).
        chunk: most tokens of one pass; None for :data:`CHUNK_TOKENS`.
    """
    batch = collate(list(sequences), model.tokenizer, device=model.device)
    width = chunk or CHUNK_TOKENS
    if batch.ids_BL.shape[1] <= width:
        hidden = model.network(batch.ids_BL, layers=layers, logits=False).hidden
        yield Chunk(0, batch.ids_BL, batch.mask_BL, hidden)
        return
    yield from _streamed(model, batch, layers, width)


def _streamed(model: Model, batch: Batch, layers: Collection[int], width: int) -> Iterator[Chunk]:
    outputs = model.network.stream(batch.ids_BL, chunk=width, layers=layers, logits=False)
    for number, output in enumerate(outputs):
        own = slice(number * width, (number + 1) * width)
        yield Chunk(number * width, batch.ids_BL[:, own], batch.mask_BL[:, own], output.hidden)
