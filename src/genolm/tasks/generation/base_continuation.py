"""Base-by-base continuation of a batch of prompts with a KV cache. B sequences, L prompt tokens, T new tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolm.engine.batches import Batch, collate
from genolm.models.finite import require_finite
from genolm.models.networks.cache import KVCache
from genolm.tasks.reading.hidden_states import CHUNK_TOKENS
from genolm.tasks.reading.log_probabilities import base_log_probs
from genolm.tasks.reading.sampling import Sampler, draw

if TYPE_CHECKING:
    from genolm.models.model import Model


def continue_prompts(
    model: Model,
    prompts: Sequence[str],
    length: int,
    sampler: Sampler,
    uniforms_BT: NDArray[np.float64],
    *,
    chunk: int | None = None,
) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Generate new bases for every prompt.

    Prompts are padded on the left; masks and positions make each sequence independent of its neighbours in the batch.
    An empty prompt starts after the end-of-document token, as a new document did in training.

    Args:
        model: a causal model.
        prompts: bases.
        length: T, number of new bases per prompt.
        sampler: sampling rule.
        uniforms_BT: a random number in [0, 1) for every new base.
        chunk: maximum prompt tokens per pass; None for the default.

    Returns:
        Bases (B, T) as 0..3 in ACGT order, and their mean log-probability (B,) in nats under the model, normalised over
        A, C, G, T, before the sampler's rules.

    Raises:
        NonFiniteError: a log-probability is NaN or infinite.
    """
    steps = _Steps(model, _collated(model, prompts), chunk or CHUNK_TOKENS)
    base_ids = torch.tensor(model.tokenizer.base_ids)
    uniforms = torch.from_numpy(uniforms_BT)
    written = torch.zeros(len(prompts), 4, dtype=torch.bool)
    total = torch.zeros(len(prompts), dtype=torch.float64)
    bases = torch.zeros(len(prompts), length, dtype=torch.int64)
    log_probs = steps.prompt()
    for step in range(length):
        chosen = draw(sampler.probabilities(log_probs, written), uniforms[:, step])
        bases[:, step] = chosen
        total += log_probs.gather(-1, chosen[:, None])[:, 0]
        written.scatter_(-1, chosen[:, None], True)
        if step + 1 < length:
            log_probs = steps.next(base_ids[chosen].to(model.device))
    return bases.to(torch.int8).numpy(), (total / length).numpy()


def _collated(model: Model, prompts: Sequence[str]) -> Batch:
    start = np.array([model.tokenizer.eod_id], np.int32)
    rows = [prompt if prompt else start for prompt in prompts]
    return collate(rows, model.tokenizer, side="left", device=model.device)


class _Steps:
    """Passes of the model over a growing batch; predictions are returned on the CPU, where bases are sampled."""

    def __init__(self, model: Model, batch: Batch, chunk: int) -> None:
        self.model, self.batch, self.chunk = model, batch, chunk
        self.cache: KVCache = model.decoder.new_cache()
        self.padded = not bool(batch.mask_BL.all())

    def prompt(self) -> Tensor:
        """Read the prompts; return the log-probabilities (B, 4) of the first new base."""
        positions_BL = (self.batch.mask_BL.cumsum(1) - 1).clamp_min(0)
        log_probs = None
        for columns in _slices(self.batch.ids_BL.shape[1], self.chunk):
            mask = self.batch.mask_BL[:, columns] if self.padded else None
            log_probs = self._pass(self.batch.ids_BL[:, columns], mask, positions_BL[:, columns])
        assert log_probs is not None, "a prompt has at least one token"
        self.positions_B = positions_BL[:, -1]
        return log_probs

    def next(self, ids_B: Tensor) -> Tensor:
        """Read one more token of every sequence; return the log-probabilities (B, 4) of the next base."""
        self.positions_B = self.positions_B + 1
        return self._pass(ids_B[:, None], None, self.positions_B[:, None])

    def _pass(self, ids_BL: Tensor, mask_BL: Tensor | None, positions_BL: Tensor) -> Tensor:
        last = self.model.config.num_layers
        output = self.model.decoder(
            ids_BL, mask_BL=mask_BL, positions_BL=positions_BL, cache=self.cache, layers={last}, logits=False
        )
        log_probs_B4 = base_log_probs(self.model, output.hidden[last][:, -1]).cpu()
        require_finite(self.model, log_probs_B4)
        return log_probs_B4


def _slices(length: int, width: int) -> list[slice]:
    return [slice(start, start + width) for start in range(0, length, width)]
