"""Generation by vLLM from a Hugging Face folder: conversion of requests and results.

vLLM (extra ``vllm``) is imported only when this backend is selected; there is no fallback in either direction.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from genolm.engine.events import Advanced, Listener, Observer, current_observer
from genolm.engine.progress import as_listener
from genolm.errors import GenolmError, InputError, ModelError, NonFiniteError
from genolm.files.digests import file_sha256
from genolm.files.version import __version__
from genolm.models.adapters.tokenizer_files import read_tokenizer
from genolm.models.card import complete_card
from genolm.models.checkpoints.model_folder import read_folder
from genolm.models.finite import WIDER_PRECISION
from genolm.models.model import Model
from genolm.models.networks.decoder import Decoder
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.remedies import Notice, Remedy
from genolm.tasks.generation.generate_tokens_task import GenerateTokensTask, Written
from genolm.tasks.generation.generation_requests import Request
from genolm.tasks.reading.sampling import stream
from genolm.tasks.reading.token_continuation import Drawn, Limits, Reason, check_vocabulary, prompt_ids
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    from genolm.models.card import Card


@dataclass(frozen=True, slots=True)
class VllmRequest:
    """One sequence to generate, as vLLM's arguments.

    Attributes:
        prompt_token_ids: the model's begin tokens and the prompt.
        parameters: arguments of ``vllm.SamplingParams``.
    """

    prompt_token_ids: list[int]
    parameters: dict[str, Any]


def open_without_weights(folder: Path) -> tuple[Model, Provenance]:
    """Return a model without its weights, and the provenance of a folder.

    Raises:
        ModelError: the folder does not exist, is not in Hugging Face layout, holds no decoder, or has one token per
            base.
    """
    import torch

    if not folder.is_dir():
        raise ModelError(
            f"{folder}: vllm requires a folder in Hugging Face layout; create one with `genolm convert MODEL FOLDER"
            " --to huggingface`"
        )
    opened = read_folder(folder)
    config, layout = opened.network, opened.layout
    if layout != "huggingface" or not isinstance(config, DecoderConfig):
        raise ModelError(
            f"{folder}: vllm requires a decoder in Hugging Face layout; see `genolm convert`",
            code="unsupported-by-model",
        )
    tokenizer = read_tokenizer(folder, config)
    if tokenizer.bases_per_token == 1:
        raise ModelError(
            f"{folder}: the vllm backend requires byte-pair tokens, and this model has one token per base",
            code="unsupported-by-model",
        )
    card = complete_card(opened.card, folder.resolve().name, opened.values, config, tokenizer)
    with torch.device("meta"):
        network = Decoder(config, tokenizer.base_ids, tokenizer.n_id)
    return Model(network, tokenizer, card), Provenance(
        card.name, f"files:{_digest(folder)}", card.precision, __version__
    )


def check_limits(limits: Limits, sampler_top_p: float) -> None:
    """Check that vLLM supports the limits.

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
    if sampler_top_p == 0:
        raise InputError(
            "top_p must be above 0 for the vllm backend; for greedy sampling use a temperature of 0", value=0.0
        )


def engine_arguments(folder: Path, card: Card, dtype: str | None) -> dict[str, Any]:
    """Return arguments of ``vllm.LLM``: token ids in and out, and no code from the folder."""
    return {
        "model": str(folder),
        "skip_tokenizer_init": True,
        "trust_remote_code": False,
        "dtype": dtype or card.precision,
        "max_model_len": card.context,
        "logprobs_mode": "raw_logprobs",
        "generation_config": "vllm",  # ignore generation_config.json of the folder
    }


def vllm_requests(model: Model, task: GenerateTokensTask, items: Sequence[Request]) -> list[VllmRequest]:
    """Return the requests of a task, each with its own seed."""
    allowed = _allowed(model, task.limits)
    return [_request(model, task, item, allowed) for item in items]


def _request(model: Model, task: GenerateTokensTask, item: Request, allowed: list[int]) -> VllmRequest:
    limits, sampler, end = task.limits, task.sampler, model.tokenizer.eod_id
    prompt = prompt_ids(model, item.prompt).tolist()
    assert limits.max_tokens is not None, "check_limits refuses this"
    max_tokens = min(limits.max_tokens, model.context - len(prompt))
    return VllmRequest(
        prompt,
        {
            "n": 1,
            "temperature": sampler.temperature,
            "top_k": sampler.top_k or -1,
            "top_p": sampler.top_p,
            "repetition_penalty": sampler.repetition_penalty,
            "seed": int(stream(task.seed, item.number, item.sample).integers(2**63)),
            "min_tokens": min(limits.min_tokens, max_tokens),
            "max_tokens": max_tokens,
            "stop_token_ids": [] if limits.ignore_end else [end],
            "ignore_eos": True,  # stop_token_ids decide, not the folder's config
            "allowed_token_ids": allowed,
            "logprobs": 0,
            "detokenize": False,
        },
    )


def _allowed(model: Model, limits: Limits) -> list[int]:
    """Return the ids of tokens of A, C, G and T only, and the end token."""
    check_vocabulary(model)
    plain = np.flatnonzero(model.tokenizer.plain_ids).tolist()
    return sorted(plain if limits.ignore_end else [*plain, model.tokenizer.eod_id])


def read_answer(model: Model, task: GenerateTokensTask, request: VllmRequest, answer: Any) -> Written:
    """Convert a ``CompletionOutput`` to the result of a request.

    Raises:
        GenolmError: log-probabilities are missing, a token was not allowed, or the finish reason is unknown.
        NonFiniteError: a log-probability is NaN or infinite.
    """
    ids = [int(token) for token in answer.token_ids]
    if answer.logprobs is None or len(answer.logprobs) != len(ids):
        raise GenolmError("vllm returned no log-probability for some tokens")
    _check_allowed(request, ids)
    values = [float(_value(at[token])) for token, at in zip(ids, answer.logprobs)]
    if not np.isfinite(values).all():
        raise NonFiniteError(
            f"{model.card.name} in {task.provenance.precision} under vllm",
            Notice("the numbers overflow in this precision, or the weights are damaged", WIDER_PRECISION),
            subject="a sequence",
        )
    if ids and ids[-1] == model.tokenizer.eod_id:
        ids, values = ids[:-1], values[:-1]
    reason = _reason(answer.finish_reason, len(ids), task.limits)
    sampled = Drawn(np.array(ids, np.int64), np.array(values, np.float64), reason)
    return task.written(model, sampled)


def _check_allowed(request: VllmRequest, ids: list[int]) -> None:
    """Raise `GenolmError` unless all tokens were allowed."""
    if wrong := set(ids) - set(request.parameters["allowed_token_ids"]):
        raise GenolmError(f"vllm returned token {min(wrong)}, which has letters other than A, C, G and T")


def _value(log_probability: Any) -> float:
    return log_probability.logprob if hasattr(log_probability, "logprob") else log_probability


def _reason(reason: str | None, tokens: int, limits: Limits) -> Reason:
    if reason == "stop":
        return "stop"
    if reason == "length":
        return "length" if tokens == limits.max_tokens else "context"
    raise GenolmError(f"vllm returned the unknown finish reason {reason!r}")


def generate_with_vllm(
    model: Model,
    task: GenerateTokensTask,
    folder: Path,
    dtype: str | None,
    progress: Listener | bool | None = None,
) -> pl.DataFrame:
    """Generate all sequences of a task by vLLM, in the columns of the task; ``progress`` replaces vLLM's progress bar.

    Raises:
        GenolmError: vLLM is not installed.
    """
    vllm = _imported()
    items = list(task.items())
    requests = vllm_requests(model, task, items)
    engine = vllm.LLM(**engine_arguments(folder, model.card, dtype))
    prompts = [{"prompt_token_ids": request.prompt_token_ids} for request in requests]
    parameters = [vllm.SamplingParams(**request.parameters) for request in requests]
    observer = current_observer().also(as_listener(progress))
    bases = sum(round(task.cost(item) * task.bases_per_token) for item in items)
    with observer.computing(task.name, bases):
        answers = engine.generate(prompts, parameters, use_tqdm=forwarded(observer, bases))
    outputs = [read_answer(model, task, request, answer.outputs[0]) for request, answer in zip(requests, answers)]
    return task.rows(items, task.windows(items, model), outputs)


def forwarded(observer: Observer, bases: int) -> type[Any]:
    """Return a silent progress bar for vLLM that forwards its steps to an observer.

    Args:
        observer: receives the number of finished bases.
        bases: bases of all requests.
    """
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Forwarded(tqdm):  # type: ignore[misc]
        def __init__(self, **settings: Any) -> None:
            super().__init__(**{**settings, "file": io.StringIO()})

        def update(self, n: float | None = 1) -> Any:
            before = self.n
            shown = super().update(n)
            observer.emit(Advanced(round(bases * self.n / self.total) - round(bases * before / self.total)))
            return shown

    return Forwarded


def _imported() -> Any:
    try:
        import vllm
    except ImportError as error:
        raise GenolmError(
            f"the vllm backend needs vLLM, which cannot be imported ({error}): pip install 'genolm[vllm]'",
            code="missing-package",
        ) from None
    return vllm


def refuse_engine_settings(settings: Mapping[str, Any]) -> None:
    """Check that no setting is given that only genolm's own engine supports.

    Raises:
        InputError: a setting was given.
    """
    for name, value in settings.items():
        if value:
            raise InputError(f"the vllm backend does not support {name}", value=value, code="inapplicable-argument")


def _digest(folder: Path) -> str:
    """Return the SHA-256 of the names and digests of the weight files."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(f"{folder}: no safetensors file")
    listing = "".join(f"{path.name} {file_sha256(path)}\n" for path in files)
    return hashlib.sha256(listing.encode()).hexdigest()
