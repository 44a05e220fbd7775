"""The tokenizer protocol."""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Ids: TypeAlias = NDArray[np.uint8] | NDArray[np.int32]

CLS, SEP, PAD, MASK, UNK = "[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]"
"""Names of special tokens, for :meth:`Tokenizer.special_id`."""


class Tokens(NamedTuple):
    """A tokenised sequence; T is the number of tokens.

    Attributes:
        ids: token ids as :meth:`Tokenizer.encode` returns them, shape (T,).
        spans_T2: start and end of every token in the sequence, int64, 0-based half-open, without gaps or overlaps.
    """

    ids: Ids
    spans_T2: NDArray[np.int64]


@runtime_checkable
class Tokenizer(Protocol):
    """Converts sequences to token ids and back; adds no special tokens and no silent unknown tokens."""

    @property
    def vocab_size(self) -> int:
        """Largest id plus one; a model's embedding may have more rows (padding)."""
        ...

    @property
    def pad_id(self) -> int:
        """Id of the padding token."""
        ...

    @property
    def eod_id(self) -> int:
        """Id of the token that ends a document in pretraining."""
        ...

    @property
    def base_ids(self) -> tuple[int, int, int, int]:
        """Ids of the single bases A, C, G and T, in this order."""
        ...

    @property
    def n_id(self) -> int:
        """Id of N; -1 if N has no id."""
        ...

    @property
    def bases_per_token(self) -> float:
        """Mean number of bases per token; exactly 1.0 with one token per base."""
        ...

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of bases of each token, shape (vocab_size,).

        0 for special tokens, -1 for a token that represents a run of N of any length.
        """
        ...

    @property
    def plain_ids(self) -> NDArray[np.bool_]:
        """Whether a token consists of A, C, G and T only, shape (vocab_size,)."""
        ...

    def special_id(self, name: str) -> int:
        """Return the id of a special token such as ``[CLS]``, ``[SEP]``, ``[PAD]``, ``[MASK]`` or ``[UNK]``.

        Raises:
            ModelError: the vocabulary has no special token of this name.
        """
        ...

    def encode(self, sequence: str) -> Ids:
        """Return the token ids of a sequence, shape (tokens,), writable, without special tokens.

        Raises:
            InputError: the sequence contains a letter that the settings do not accept; the message names it and its
                1-based position.
        """
        ...

    def decode(self, ids: Ids) -> str:
        """Return the text of token ids; special tokens appear by name.

        Raises:
            InputError: an id is not in the vocabulary.
        """
        ...

    def spans(self, sequence: str) -> NDArray[np.int64]:
        """Return start and end of every token in the sequence, shape (tokens, 2), 0-based half-open."""
        ...

    def tokens(self, sequence: str) -> Tokens:
        """Return :meth:`encode` and :meth:`spans` from one pass over the sequence."""
        ...

    def to_json(self) -> str:
        """Return all settings as one line of JSON; equal tokenizers give equal text.

        A large vocabulary is represented by its digest.
        """
        ...
