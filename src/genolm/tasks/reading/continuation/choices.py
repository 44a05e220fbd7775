"""What a decoder chooses from: all tokens of its vocabulary, or the four bases.

Shapes: A rows, L prompt tokens, V choices.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from genolm.models.networks.stepping import Steps, begin_network_steps, begin_steps
from genolm.tasks.reading.continuation.prompts import TokenIds, check_vocabulary
from genolm.tasks.reading.log_probabilities import base_log_probs

if TYPE_CHECKING:
    from genolm.models.model import Model


class Choices(Protocol):
    """Choices for the next token.

    Attributes:
        count: number of choices.
        end: choice that ends a sequence; -1 if there is none.
    """

    count: int
    end: int

    def begin(
        self, ids_AL: Tensor, mask_AL: Tensor | None, steps: int, chunk: int, *, pack: bool
    ) -> tuple[Tensor, Steps]:
        """Read prompts as :func:`genolm.models.networks.stepping.begin_steps` does; return scores (A, V) and steps."""
        ...

    def log_probs(self, scores_AV: Tensor) -> Tensor:
        """Return the log-probabilities of scores under the model."""
        ...

    def allowed(self, scores_AV: Tensor) -> Tensor:
        """Return the scores, perhaps in place, with minus infinity for choices that are never sampled."""
        ...

    def ids(self, chosen_A: Tensor) -> Tensor:
        """Return the token id of each choice."""
        ...

    def penalised(self, prompt_L: TokenIds, new_T: TokenIds) -> TokenIds:
        """Return the choices to which a repetition penalty applies after a prompt and new tokens."""
        ...


class Vocabulary:
    """All tokens of A, C, G and T, and the end token; probabilities are over the complete vocabulary.

    Raises:
        ModelError: if no token of the vocabulary consists of A, C, G and T.
    """

    def __init__(self, model: Model) -> None:
        check_vocabulary(model)
        self.network, self.count, self.end = model.decoder, model.config.vocab_size, model.tokenizer.eod_id
        plain_V = np.zeros(self.count, np.bool_)
        plain_V[: model.tokenizer.vocab_size] = model.tokenizer.plain_ids
        plain_V[self.end] = True
        # Never sampled: special tokens other than the end token, tokens with N, and unused rows of the embedding.
        self._barred = torch.from_numpy(np.flatnonzero(~plain_V))

    def begin(
        self, ids_AL: Tensor, mask_AL: Tensor | None, steps: int, chunk: int, *, pack: bool
    ) -> tuple[Tensor, Steps]:
        """Return the logits of the first new token, and the steps to the next ones."""
        return begin_steps(self.network, ids_AL, mask_AL, steps, chunk=chunk, pack=pack)

    def log_probs(self, scores_AV: Tensor) -> Tensor:
        """Normalise logits."""
        return scores_AV.log_softmax(1)

    def allowed(self, scores_AV: Tensor) -> Tensor:
        """Exclude tokens in place."""
        return scores_AV.index_fill_(1, self._barred, float("-inf"))

    def ids(self, chosen_A: Tensor) -> Tensor:
        """Return the choices: they are ids."""
        return chosen_A

    def penalised(self, prompt_L: TokenIds, new_T: TokenIds) -> TokenIds:
        """Return the tokens of prompt and continuation."""
        return np.concatenate([prompt_L, new_T])


class Bases:
    """The bases A, C, G and T; probabilities are normalised over these four, and a sequence has no end token."""

    count = 4
    end = -1

    def __init__(self, model: Model) -> None:
        self.network, self._head = model.decoder, partial(base_log_probs, model)
        self._ids = torch.tensor(model.tokenizer.base_ids)

    def begin(
        self, ids_AL: Tensor, mask_AL: Tensor | None, steps: int, chunk: int, *, pack: bool
    ) -> tuple[Tensor, Steps]:
        """Return the log-probabilities of the first new base, and the steps to the next ones."""
        return begin_network_steps(self.network, ids_AL, mask_AL, self._head, chunk=chunk)

    def log_probs(self, scores_AV: Tensor) -> Tensor:
        """Return the scores: they are log-probabilities."""
        return scores_AV

    def allowed(self, scores_AV: Tensor) -> Tensor:
        """Return all scores."""
        return scores_AV

    def ids(self, chosen_A: Tensor) -> Tensor:
        """Return the ids of bases."""
        return self._ids[chosen_A]

    def penalised(self, prompt_L: TokenIds, new_T: TokenIds) -> TokenIds:
        """Return the bases of the continuation; with four of them, a prompt would soon penalise all alike."""
        return np.flatnonzero(np.isin(self._ids.numpy(), new_T))
