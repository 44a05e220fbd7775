"""What everything above expects of a tokenizer, whatever its tokens are."""

from __future__ import annotations

from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Ids: TypeAlias = NDArray[np.uint8] | NDArray[np.int32]


@runtime_checkable
class Tokenizer(Protocol):
    """Turns bases into token ids and back; never adds a special token, never returns an unknown token in silence."""

    @property
    def vocab_size(self) -> int:
        """Ids are below this; a model's embedding may have more rows (padding)."""
        ...

    @property
    def pad_id(self) -> int:
        """Id that fills a row of a batch up to the longest."""
        ...

    @property
    def eod_id(self) -> int:
        """Id that ends a document in pretraining."""
        ...

    @property
    def base_ids(self) -> tuple[int, int, int, int]:
        """Ids of the single bases A, C, G, T, in this order."""
        ...

    @property
    def n_id(self) -> int:
        """Id of N, any base; -1 where it has none."""
        ...

    @property
    def bases_per_token(self) -> float:
        """Bases that a token covers on average; exactly 1.0 with one token per base."""
        ...

    def encode(self, sequence: str) -> Ids:
        """Token ids of the sequence, shape (tokens,), writable, without special tokens.

        Raises:
            InputError: at the first letter that the policy does not accept; names it and its 0-based position.
        """
        ...

    def decode(self, ids: Ids) -> str:
        """The text of the ids; special tokens appear by their names.

        Raises:
            InputError: at the first id that names no token.
        """
        ...

    def spans(self, sequence: str) -> NDArray[np.int64]:
        """Bases that every token covers: shape (tokens, 2), start and end, 0-based half-open in the sequence."""
        ...

    def to_json(self) -> str:
        """All settings as one line of JSON; equal tokenizers write equal text."""
        ...
