"""Rows of one sequence each, for heads: token ids with special tokens, padded to the longest.

Shapes: R rows, L tokens of the longest row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.genome.sequence import upper_dna
from genolm.models.model import Model
from genolm.tokens.tokenizer import Ids
from genolm.training.rows import Rows


class SequenceTokens:
    """Tokens of sequences as a model expects them, with its special tokens.

    Args:
        model: the model.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.before, self.after = len(model.begin_ids), len(model.end_ids)
        self.single = model.tokenizer.bases_per_token == 1

    def ids(self, sequence: str, longest: int) -> Ids:
        """Return the ids of a sequence; ambiguity codes are read as N.

        Args:
            sequence: letters of the sequence.
            longest: maximum number of tokens, special ones included.

        Raises:
            InputError: a letter is invalid, or the sequence is empty or too long.
        """
        if not sequence:
            raise InputError("the sequence is empty")
        ids = self._model.with_special_tokens(self._model.tokenizer.encode(upper_dna(sequence, iupac="N")))
        if len(ids) > longest:
            raise InputError(f"the sequence has {len(ids):,} tokens, but the context of the recipe is {longest:,}")
        return ids

    def rows(self, ids: Sequence[Ids]) -> Rows:
        """Return rows without targets."""
        lengths_R = np.array([len(row) for row in ids])
        ids_RL = np.full((len(ids), lengths_R.max()), self._model.tokenizer.pad_id, np.int32)
        for row, tokens in enumerate(ids):
            ids_RL[row, : len(tokens)] = tokens
        return Rows(ids_RL, None, lengths_R=lengths_R)

    def along(self, rows: Rows, values: Sequence[NDArray[np.float32]], fill: float = 0.0) -> NDArray[np.float32]:
        """Return values of bases at the tokens of rows with one base per token, (R, L, …); special tokens get ``fill``.

        Args:
            rows: rows of the sequences.
            values: values of each base of each sequence, (bases, …).
            fill: value of special tokens and padding.
        """
        shape = (*rows.ids_RL.shape, *values[0].shape[1:])
        targets = np.full(shape, fill, np.float32)
        for row, of_bases in enumerate(values):
            targets[row, self.before : self.before + len(of_bases)] = of_bases
        return targets
