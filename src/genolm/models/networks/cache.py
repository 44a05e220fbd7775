"""Key-value cache of a decoder."""

from __future__ import annotations

from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from genolm.errors import ModelError

Branches: TypeAlias = list[tuple[int, int]]
"""Where alternative continuations begin: row of the cache, and number of its tokens before the continuation."""


class KVCache:
    """Keys and values of all layers, the ids read so far and the mask of real tokens.

    Buffers double when they are full, so that appending is linear in total. With a Gengram convolution, the
    last few gated values of each memory are kept as well.

    Args:
        num_layers: number of layers of the decoder.
        branches: whether to keep all gated values, so that a branch can start anywhere.

    Attributes:
        length: number of tokens read so far, including padding.
        ids_BS: ids read so far, (B, length); None before the first.
        mask_BS: True for real tokens; None if all are.
        documents_BS: document of each token read so far; None if each row is one document.
    """

    def __init__(self, num_layers: int, *, branches: bool = False) -> None:
        self._branches = branches
        self._written: dict[int, Tensor] = {}
        self._keys: list[Tensor | None] = [None] * num_layers
        self._values: list[Tensor | None] = [None] * num_layers
        self._lengths = [0] * num_layers
        self.ids_BS: Tensor | None = None
        self.mask_BS: Tensor | None = None
        self.documents_BS: Tensor | None = None

    @property
    def length(self) -> int:
        """Number of tokens read so far."""
        return 0 if self.ids_BS is None else self.ids_BS.shape[1]

    def read(self, ids_BL: Tensor, mask_BL: Tensor | None, documents_BL: Tensor | None) -> None:
        """Record ids, mask and documents of the tokens whose keys will be appended.

        Raises:
            ModelError: documents are given in some passes but not in others.
        """
        past = self.length
        if past and (documents_BL is None) != (self.documents_BS is None):
            raise ModelError("a cache must be continued with documents if and only if it was started with them")
        if documents_BL is not None:
            old_documents = documents_BL[:, :0] if self.documents_BS is None else self.documents_BS
            self.documents_BS = torch.cat((old_documents, documents_BL), 1)
        if mask_BL is not None or self.mask_BS is not None:
            new = torch.ones_like(ids_BL, dtype=torch.bool) if mask_BL is None else mask_BL
            old = new.new_ones(new.shape[0], past) if self.mask_BS is None else self.mask_BS
            self.mask_BS = torch.cat((old, new), 1)
        self.ids_BS = ids_BL if self.ids_BS is None else torch.cat((self.ids_BS, ids_BL), 1)

    def append(self, layer: int, k_BKLD: Tensor, v_BKLD: Tensor) -> tuple[Tensor, Tensor]:
        """Append a layer's new keys and values; return all of that layer's, (B, K, S, D) each."""
        start = self._lengths[layer]
        stop = start + k_BKLD.shape[2]
        self._keys[layer] = _stored(self._keys[layer], k_BKLD, start)
        self._values[layer] = _stored(self._values[layer], v_BKLD, start)
        self._lengths[layer] = stop
        return self.layer(layer)

    def layer(self, layer: int) -> tuple[Tensor, Tensor]:
        """Return views of the keys and values of one layer, (B, K, S, D) each."""
        keys, values = self._keys[layer], self._values[layer]
        assert keys is not None and values is not None, "nothing has been read yet"
        return keys[:, :, : self._lengths[layer]], values[:, :, : self._lengths[layer]]

    def pop(self, layer: int) -> tuple[Tensor, Tensor]:
        """Like :meth:`layer`, but release the cached tensors."""
        keys, values = self.layer(layer)
        self._keys[layer] = self._values[layer] = None
        return keys, values

    def keep(self, rows: Tensor) -> None:
        """Keep only these rows, in this order."""
        self._keys = [None if keys is None else keys[rows] for keys in self._keys]
        self._values = [None if values is None else values[rows] for values in self._values]
        self._written = {layer: values[rows] for layer, values in self._written.items()}
        self.ids_BS, self.mask_BS, self.documents_BS = (
            None if noted is None else noted[rows] for noted in (self.ids_BS, self.mask_BS, self.documents_BS)
        )

    def written(self, layer: int) -> Tensor | None:
        """Return a layer's gated values of earlier passes, (B, P, D), newest last; None before the first."""
        return self._written.get(layer)

    def keep_written(self, layer: int, values_BLD: Tensor, reach: int) -> None:
        """Record the gated values of new tokens; only the last ``reach`` are kept unless the cache is for branches."""
        if reach:
            past = self._written.get(layer)
            written = values_BLD if past is None else torch.cat((past, values_BLD), 1)
            self._written[layer] = written if self._branches else written[:, -reach:].clone()

    def written_before(self, layer: int, branches: Branches, reach: int) -> Tensor | None:
        """Return the ``reach`` gated values before each branch, (N, reach, D), zeros before the beginning.

        Raises:
            ModelError: the cache is not for branches.
        """
        if not reach:
            return None
        if not self._branches:
            raise ModelError("this cache does not keep what a branch needs: make it with new_cache(branches=True)")
        padded_BPD = F.pad(self._written[layer], (0, 0, reach, 0))
        return torch.stack([padded_BPD[row, start : start + reach] for row, start in branches])


def _stored(buffer: Tensor | None, new_BKLD: Tensor, start: int) -> Tensor:
    """Write ``new`` into the buffer at ``start``, and return the buffer, enlarged if it is too short."""
    if buffer is None:
        return new_BKLD.contiguous()
    stop = start + new_BKLD.shape[2]
    if stop > buffer.shape[2]:
        batch, heads, capacity, width = buffer.shape
        grown = buffer.new_empty(batch, heads, max(stop, 2 * capacity), width)
        grown[:, :, :start] = buffer[:, :, :start]
        buffer = grown
    buffer[:, :, start:stop] = new_BKLD
    return buffer
