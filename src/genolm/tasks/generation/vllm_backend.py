"""Generation by vLLM on a folder in the layout of Hugging Face: how requests are written for it and answers read.

vLLM (extra ``vllm``) is imported when it is asked for and never otherwise; nothing falls back to it, nor from it.
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

from genolm.engine.progress import Progress, chosen, showing
from genolm.errors import GenolmError, InputError, ModelError, NonFiniteError
from genolm.files.version import __version__
from genolm.models.adapters.tokenizer_files import read_tokenizer
from genolm.models.checkpoints.config_file import read_config
from genolm.models.checkpoints.load import card_of, file_sha256
from genolm.models.model import Model
from genolm.models.networks.decoder import Decoder
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.tasks.generation.generate_tokens_task import GenerateTokensTask, Written
from genolm.tasks.generation.generation_requests import Request
from genolm.tasks.reading.sampling import stream
from genolm.tasks.reading.token_continuation import Drawn, Limits, Reason, check_vocabulary, prompt_ids
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    from genolm.models.card import Card


@dataclass(frozen=True, slots=True)
class VllmRequest:
    """One sequence as vLLM is asked for it.

    Attributes:
        prompt_token_ids: the prompt behind the model's begin tokens.
        parameters: arguments of ``vllm.SamplingParams``.
    """

    prompt_token_ids: list[int]
    parameters: dict[str, Any]


def described(folder: Path) -> tuple[Model, Provenance]:
    """A model without its weights, and where a result of its folder comes from.

    Raises:
        ModelError: no such folder, not in the layout of Hugging Face, no decoder, or one token per base.
    """
    import torch

    if not folder.is_dir():
        raise ModelError(
            f"{folder}: vllm reads a folder in the layout of Hugging Face, which `genolm convert MODEL FOLDER --to"
            " huggingface` writes"
        )
    config, layout = read_config(folder)
    if layout != "huggingface" or not isinstance(config, DecoderConfig):
        raise ModelError(f"{folder}: vllm reads decoders in the layout of Hugging Face; see `genolm convert`")
    tokenizer = read_tokenizer(folder, config)
    if tokenizer.bases_per_token == 1:
        raise ModelError(f"{folder}: has one token per base; the backend vllm is for byte-pair tokens")
    card = card_of(folder, config, tokenizer=tokenizer)
    with torch.device("meta"):
        network = Decoder(config, tokenizer.base_ids, tokenizer.n_id)
    return Model(network, tokenizer, card), Provenance(
        card.name, f"files:{_digest(folder)}", card.precision, __version__
    )


def check_limits(limits: Limits, sampler_top_p: float) -> None:
    """What vLLM cannot be asked for.

    Raises:
        InputError: a minimum in bases, no maximum in tokens, sliding, or a nucleus of nothing.
    """
    if limits.min_bases:
        raise InputError("vllm counts tokens: ask for --min-tokens instead of --min-length", value=limits.min_bases)
    if limits.max_tokens is None:
        raise InputError("vllm counts tokens: say how many at most (--max-tokens); --length then cuts what came")
    if limits.slide:
        raise InputError("the backend vllm does not slide beyond the context")
    if sampler_top_p == 0:
        raise InputError("vllm wants top_p above 0; a temperature of 0 always takes the likeliest", value=0.0)


def engine_arguments(folder: Path, card: Card, dtype: str | None) -> dict[str, Any]:
    """Arguments of ``vllm.LLM``: our ids go in and come out, no code of the folder runs."""
    return {
        "model": str(folder),
        "skip_tokenizer_init": True,
        "trust_remote_code": False,
        "dtype": dtype or card.precision,
        "max_model_len": card.context,
        "logprobs_mode": "raw_logprobs",
        "generation_config": "vllm",  # a generation_config.json of the folder changes nothing
    }


def written_requests(model: Model, task: GenerateTokensTask, items: Sequence[Request]) -> list[VllmRequest]:
    """The requests of a task, each with a seed of its own."""
    allowed = _allowed(model, task.limits)
    return [_request(model, task, item, allowed) for item in items]


def _request(model: Model, task: GenerateTokensTask, item: Request, allowed: list[int]) -> VllmRequest:
    limits, sampler, end = task.limits, task.sampler, model.tokenizer.eod_id
    prompt = prompt_ids(model, item.prompt).tolist()
    assert limits.max_tokens is not None, "check_limits refuses this"
    most = min(limits.max_tokens, model.context - len(prompt))
    return VllmRequest(
        prompt,
        {
            "n": 1,
            "temperature": sampler.temperature,
            "top_k": sampler.top_k or -1,
            "top_p": sampler.top_p,
            "repetition_penalty": sampler.repetition_penalty,
            "seed": int(stream(task.seed, item.number, item.sample).integers(2**63)),
            "min_tokens": min(limits.min_tokens, most),
            "max_tokens": most,
            "stop_token_ids": [] if limits.ignore_end else [end],
            "ignore_eos": True,  # the end is ours to name, whatever the folder's config says
            "allowed_token_ids": allowed,
            "logprobs": 0,
            "detokenize": False,
        },
    )


def _allowed(model: Model, limits: Limits) -> list[int]:
    """Ids of A, C, G and T alone, and the end."""
    check_vocabulary(model)
    plain = np.flatnonzero(model.tokenizer.plain_ids).tolist()
    return sorted(plain if limits.ignore_end else [*plain, model.tokenizer.eod_id])


def read_answer(model: Model, task: GenerateTokensTask, request: VllmRequest, answer: Any) -> Written:
    """One ``CompletionOutput`` as what a request gives.

    Raises:
        GenolmError: it lacks log-probabilities, holds tokens that were not allowed, or ended for a reason that was not
            asked for.
        NonFiniteError: a log-probability is NaN or infinite.
    """
    ids = [int(token) for token in answer.token_ids]
    if answer.logprobs is None or len(answer.logprobs) != len(ids):
        raise GenolmError("vllm gave no log-probability for every token")
    _refuse_others(request, ids)
    values = [float(_value(at[token])) for token, at in zip(ids, answer.logprobs)]
    if not np.isfinite(values).all():
        raise NonFiniteError(
            f"{model.card.name} in {task.provenance.precision} under vllm",
            "use --dtype float32 or bfloat16; if that doesn't help, the weights are damaged",
            subject="a sequence",
        )
    if ids and ids[-1] == model.tokenizer.eod_id:
        ids, values = ids[:-1], values[:-1]
    reason = _reason(answer.finish_reason, len(ids), task.limits)
    drawn = Drawn(np.array(ids, np.int64), np.array(values, np.float64), reason)
    return task.written(model, drawn)


def _refuse_others(request: VllmRequest, ids: list[int]) -> None:
    """Raise unless all tokens are among those that were allowed."""
    if wrong := set(ids) - set(request.parameters["allowed_token_ids"]):
        raise GenolmError(f"vllm wrote token {min(wrong)}, which is not made of A, C, G and T alone")


def _value(told: Any) -> float:
    return told.logprob if hasattr(told, "logprob") else told


def _reason(told: str | None, tokens: int, limits: Limits) -> Reason:
    if told == "stop":
        return "stop"
    if told == "length":
        return "length" if tokens == limits.max_tokens else "context"
    raise GenolmError(f"vllm ended a sequence for the reason {told!r}")


def generate_with_vllm(
    model: Model,
    task: GenerateTokensTask,
    folder: Path,
    dtype: str | None,
    progress: Progress | bool | None = None,
) -> pl.DataFrame:
    """All sequences of a task by vLLM, in the columns of the task; vLLM's own bar is replaced by ``progress``.

    Raises:
        GenolmError: vLLM is not installed.
    """
    vllm = _imported()
    items = list(task.items())
    requests = written_requests(model, task, items)
    engine = vllm.LLM(**engine_arguments(folder, model.card, dtype))
    prompts = [{"prompt_token_ids": request.prompt_token_ids} for request in requests]
    parameters = [vllm.SamplingParams(**request.parameters) for request in requests]
    told, bases = chosen(progress), sum(round(task.cost(item) * task.bases_per_token) for item in items)
    with showing(told, task.name, bases):
        answers = engine.generate(prompts, parameters, use_tqdm=forwarded(told, bases))
    outputs = [read_answer(model, task, request, answer.outputs[0]) for request, answer in zip(requests, answers)]
    return task.rows(items, task.windows(items, model), outputs)


def forwarded(progress: Progress, bases: int) -> type[Any]:
    """A bar for vLLM to move that shows nothing and passes every step on to a progress.

    Args:
        progress: receives the number of finished bases.
        bases: of all requests.
    """
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Forwarded(tqdm):  # type: ignore[misc]
        def __init__(self, **settings: Any) -> None:
            super().__init__(**{**settings, "file": io.StringIO()})

        def update(self, n: float | None = 1) -> Any:
            before = self.n
            shown = super().update(n)
            progress.advance(round(bases * self.n / self.total) - round(bases * before / self.total))
            return shown

    return Forwarded


def _imported() -> Any:
    try:
        import vllm
    except ImportError as error:
        raise GenolmError(
            f"the backend vllm needs vLLM, which cannot be imported ({error}): pip install 'genolm[vllm]'"
        ) from None
    return vllm


def refuse_engine_settings(settings: Mapping[str, Any]) -> None:
    """Settings of our own engine that vLLM does not follow.

    Raises:
        InputError: one was given.
    """
    for name, value in settings.items():
        if value:
            option = " (--batch-tokens)" if name == "token_budget" else ""
            raise InputError(f"the backend vllm has no setting {name}{option}", value=value)


def _digest(folder: Path) -> str:
    """SHA-256 over the names and the SHA-256 of the weights' files."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(f"{folder}: no safetensors")
    told = "".join(f"{path.name} {file_sha256(path)}\n" for path in files)
    return hashlib.sha256(told.encode()).hexdigest()
