"""Prompts of a continuation."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolm.errors import ModelError
from genolm.tasks.reading.continuation.limits import Limits

if TYPE_CHECKING:
    from genolm.models.model import Model

TokenIds = NDArray[np.int64]


class Prompt(NamedTuple):
    """A prompt to continue.

    Attributes:
        ids_L: token ids with begin tokens, at least one; see :func:`prompt_ids`.
        limits: when the continuation ends.
        random: random number generator of the continuation; see
            :func:`genolm.tasks.reading.continuation.sampling.random_stream`.
    """

    ids_L: TokenIds
    limits: Limits
    random: np.random.Generator


def prompt_ids(model: Model, prompt: str) -> TokenIds:
    """Return the ids of a prompt after the model's begin tokens, without end tokens.

    An empty prompt consists of the begin tokens, or for a model without them of the end-of-document token, after which
    a new document begins, as in training.
    """
    begin = np.array(model.begin_ids, np.int64)
    if not prompt:
        return begin if len(begin) else np.array([model.tokenizer.eod_id], np.int64)
    return np.concatenate([begin, model.tokenizer.encode(prompt).astype(np.int64)])


def check_vocabulary(model: Model) -> None:
    """Check that the vocabulary can write DNA.

    Raises:
        ModelError: if no token of the vocabulary consists of A, C, G and T.
    """
    if not model.tokenizer.plain_ids.any():
        raise ModelError(f"{model.card.name} cannot generate DNA: no token of its vocabulary consists of A, C, G and T")
