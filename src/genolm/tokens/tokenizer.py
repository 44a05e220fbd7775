"""What everything above expects of a tokenizer, whatever its tokens are."""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Ids: TypeAlias = NDArray[np.uint8] | NDArray[np.int32]

CLS, SEP, PAD, MASK, UNK = "[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]"
"""Names of special tokens that :meth:`Tokenizer.special_id` may be asked for."""


class Tokens(NamedTuple):
    """A tokenised sequence; T is the number of tokens.

    Attributes:
        ids: as :meth:`Tokenizer.encode` returns them, shape (T,).
        spans_T2: start and end of every token, int64, 0-based half-open in the sequence, without gap or overlap.
    """

    ids: Ids
    spans_T2: NDArray[np.int64]


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

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Bases that each id stands for, shape (vocab_size,).

        0 for special tokens, -1 for a token that stands for a whole run of N, however long.
        """
        ...

    @property
    def plain_ids(self) -> NDArray[np.bool_]:
        """True at ids whose letters are A, C, G and T alone, shape (vocab_size,): those whose bases are known."""
        ...

    def special_id(self, name: str) -> int:
        """Id of a special token such as ``[CLS]``, ``[SEP]``, ``[PAD]``, ``[MASK]`` or ``[UNK]``.

        Raises:
            ModelError: when the vocabulary has no special token of that name.
        """
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

    def tokens(self, sequence: str) -> Tokens:
        """The ids of :meth:`encode` together with their :meth:`spans`, from one pass over the sequence."""
        ...

    def to_json(self) -> str:
        """All settings as one line of JSON; equal tokenizers write equal text.

        A large vocabulary stands in it by its digest.
        """
        ...
