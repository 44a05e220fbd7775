"""Continuation of prompts by vLLM, from a folder in Hugging Face layout.

vLLM (extra ``vllm``) is imported only when this backend is opened; there is no fallback in either direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genolm.errors import GenolmError, InputError, NonFiniteError
from genolm.models.finite import WIDER_PRECISION
from genolm.remedies import Notice, Remedy
from genolm.tasks.reading.continuation.limits import Limits, Reason
from genolm.tasks.reading.continuation.prompts import Prompt, check_vocabulary
from genolm.tasks.reading.continuation.sampling import Sampler
from genolm.tasks.reading.continuation.steps import Step, StepStream

if TYPE_CHECKING:
    from genolm.models.card import Card
    from genolm.models.model import Model


class VllmBackend:
    """A :data:`genolm.tasks.reading.continuation.steps.Backend` that steps a vLLM engine.

    Args:
        model: the model without its weights.
        folder: model folder in Hugging Face layout.
        precision: precision of the weights.

    Raises:
        GenolmError: vLLM is not installed.
        ModelError: no token of the vocabulary consists of A, C, G and T.
    """

    def __init__(self, model: Model, folder: Path, precision: str) -> None:
        check_vocabulary(model)
        vllm, self._parameters = _imported()
        self.model, self.precision = model, precision
        self.engine = vllm.LLM(**engine_arguments(folder, model.card, precision)).llm_engine

    def __call__(self, prompts: Sequence[Prompt], sampler: Sampler) -> StepStream:
        """Yield the new tokens of each step of the engine; closing the iterator aborts the remaining requests.

        Raises:
            GenolmError: log-probabilities are missing, a token was not allowed, or the finish reason is unknown.
            NonFiniteError: a log-probability is NaN or infinite; its row is the index of the prompt.
        """
        rows = [_Row(self.model, prompt, sampler) for prompt in prompts]
        waiting: set[str] = set()
        try:
            for number, row in enumerate(rows):
                delta = self._parameters.RequestOutputKind.DELTA
                parameters = self._parameters.SamplingParams(**row.parameters, output_kind=delta)
                self.engine.add_request(str(number), {"prompt_token_ids": row.prompt.ids_L.tolist()}, parameters)
                waiting.add(str(number))
            while waiting:
                step = self._step(rows, self.engine.step())
                waiting.difference_update(map(str, step.ended))
                yield step
        finally:
            if waiting:
                self.engine.abort_request(sorted(waiting))

    def _step(self, rows: Sequence[_Row], answers: Sequence[Any]) -> Step:
        """Convert the ``RequestOutput`` objects of a step of the engine."""
        numbers: list[int] = []
        ids: list[int] = []
        log_probs: list[float] = []
        ended: dict[int, Reason] = {}
        for answer in answers:
            number, output = int(answer.request_id), answer.outputs[0]
            new_ids, new_log_probs = self._read(number, rows[number], output)
            numbers += [number] * len(new_ids)
            ids += new_ids
            log_probs += new_log_probs
            if output.finish_reason is not None:
                ended[number] = rows[number].reason(output.finish_reason)
        return Step(np.array(numbers, np.int64), np.array(ids, np.int64), np.array(log_probs, np.float64), ended)

    def _read(self, number: int, row: _Row, output: Any) -> tuple[list[int], list[float]]:
        """Return the new tokens of a ``CompletionOutput``, without the end token, and their log-probabilities."""
        ids = [int(token) for token in output.token_ids]
        if ids and (output.logprobs is None or len(output.logprobs) != len(ids)):
            raise GenolmError("vllm returned no log-probability for some tokens")
        if wrong := set(ids) - row.allowed:
            raise GenolmError(f"vllm returned token {min(wrong)}, which has letters other than A, C, G and T")
        values = [float(_value(at[token])) for token, at in zip(ids, output.logprobs or ())]
        if not np.isfinite(values).all():
            raise NonFiniteError(
                f"{self.model.card.name} in {self.precision} under vllm",
                Notice("the numbers overflow in this precision, or the weights are damaged", WIDER_PRECISION),
                row=number,
            )
        if ids and ids[-1] == self.model.tokenizer.eod_id:
            ids, values = ids[:-1], values[:-1]
        row.tokens += len(ids)
        return ids, values


class _Row:
    """A request to vLLM, and the number of new tokens."""

    def __init__(self, model: Model, prompt: Prompt, sampler: Sampler) -> None:
        self.prompt, self.tokens = prompt, 0
        limits, end = prompt.limits, model.tokenizer.eod_id
        plain = np.flatnonzero(model.tokenizer.plain_ids).tolist()
        self.allowed = set(plain if limits.ignore_end else [*plain, end])
        assert limits.max_tokens is not None, "check_limits refuses this"
        max_tokens = min(limits.max_tokens, model.context - len(prompt.ids_L))
        self.parameters: dict[str, Any] = {
            "n": 1,
            "temperature": sampler.temperature,
            "top_k": sampler.top_k or -1,
            "top_p": sampler.top_p,
            "repetition_penalty": sampler.repetition_penalty,
            "seed": int(prompt.random.integers(2**63)),
            "min_tokens": min(limits.min_tokens, max_tokens),
            "max_tokens": max_tokens,
            "stop_token_ids": [] if limits.ignore_end else [end],
            "ignore_eos": True,  # stop_token_ids decide, not the folder's config
            "allowed_token_ids": sorted(self.allowed),
            "logprobs": 0,
            "detokenize": False,
        }

    def reason(self, finish: str) -> Reason:
        """Return why the sequence ended, given vLLM's finish reason."""
        if finish == "stop":
            return "stop"
        if finish == "length":
            return "length" if self.tokens == self.prompt.limits.max_tokens else "context"
        raise GenolmError(f"vllm returned the unknown finish reason {finish!r}")


def check_limits(limits: Limits, sampler: Sampler) -> None:
    """Check that vLLM supports the limits and the sampling rule.

    Raises:
        InputError: a minimum in bases, no maximum of tokens, a sliding context, or top_p = 0.
    """
    if limits.min_bases:
        raise InputError(
            "the vllm backend counts tokens: a minimum of bases is not supported",
            value=limits.min_bases,
            code="inapplicable-argument",
            remedy=Remedy("min_tokens"),
        )
    if limits.max_tokens is None:
        raise InputError(
            "the vllm backend counts tokens and needs their maximum",
            code="missing-argument",
            remedy=Remedy("max_tokens", purpose="limit the tokens; a length then cuts the result"),
        )
    if limits.slide:
        raise InputError("the vllm backend does not support slide")
    if sampler.top_p == 0:
        raise InputError(
            "top_p must be above 0 for the vllm backend; for greedy sampling use a temperature of 0", value=0.0
        )


def engine_arguments(folder: Path, card: Card, precision: str) -> dict[str, Any]:
    """Return arguments of ``vllm.LLM``: token ids in and out, and no code from the folder."""
    return {
        "model": str(folder),
        "skip_tokenizer_init": True,
        "trust_remote_code": False,
        "dtype": precision,
        "max_model_len": card.context,
        "logprobs_mode": "raw_logprobs",
        "generation_config": "vllm",  # ignore generation_config.json of the folder
    }


def _value(log_probability: Any) -> float:
    return log_probability.logprob if hasattr(log_probability, "logprob") else log_probability


def _imported() -> tuple[Any, Any]:
    """Return the package and its module of sampling parameters."""
    try:
        import vllm
        from vllm import sampling_params
    except ImportError as error:
        raise GenolmError(
            f"the vllm backend needs vLLM, which cannot be imported ({error}): pip install 'genolm[vllm]'",
            code="missing-package",
        ) from None
    return vllm, sampling_params
