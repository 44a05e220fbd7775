"""Generation by vLLM: checks of the request, the model folder without its weights, and the rows of the result."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.events import Advanced, Listener, Observer, current_observer
from genolm.engine.progress import as_listener
from genolm.errors import InputError, ModelError, NonFiniteError
from genolm.files.digests import file_sha256
from genolm.files.version import __version__
from genolm.models.adapters.tokenizer_files import read_tokenizer
from genolm.models.card import complete_card
from genolm.models.checkpoints.adapter_folder import is_adapter
from genolm.models.checkpoints.model_folder import read_folder
from genolm.models.model import Model
from genolm.models.networks.network import make_network
from genolm.models.precision import parse_dtype
from genolm.tasks.generation.generate_task import GenerateTask
from genolm.tasks.generation.generation_settings import GenerationSettings
from genolm.tasks.generation.vllm_backend import VllmBackend, check_limits
from genolm.tasks.reading.continuation.steps import Step, collect
from genolm.tasks.reading.sources import Source
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    import polars as pl
    import torch


@dataclass(frozen=True, slots=True)
class VllmGeneration:
    """Generation by vLLM, checked and ready to start.

    Attributes:
        model: the model without its weights.
        task: what to generate.
        folder: model folder in Hugging Face layout.
    """

    model: Model
    task: GenerateTask
    folder: Path

    def backend(self) -> VllmBackend:
        """Start vLLM.

        Raises:
            GenolmError: vLLM is not installed.
        """
        return VllmBackend(self.model, self.folder, self.task.provenance.precision)

    def table(self, progress: Listener | bool | None = None) -> pl.DataFrame:
        """Generate all sequences, in the columns of the task.

        Raises:
            GenolmError: vLLM is not installed.
            NonFiniteError: a log-probability is NaN or infinite.
        """
        items = list(self.task.items())
        windows, backend = self.task.windows(items, self.model), self.backend()
        observer = current_observer().also(as_listener(progress))
        bases = [round(self.task.cost(item) * self.task.bases_per_token) for item in items]
        steps = backend(self.task.prompts(self.model, windows), self.task.sampler)
        try:
            with observer.computing(self.task.name, sum(bases)):
                continuations = collect(_advancing(steps, observer, bases), len(items))
        except NonFiniteError as error:
            raise error.about(items[error.row].named) from None
        return self.task.rows(items, windows, [self.task.written(self.model, one) for one in continuations])


def _advancing(steps: Iterator[Step], observer: Observer, bases: list[int]) -> Iterator[Step]:
    """Yield the steps, and report the planned bases of each row that ends; stop if the run is cancelled."""
    for step in steps:
        observer.check()
        for row in step.ended:
            observer.emit(Advanced(bases[row]))
        yield step


def plan_with_vllm(
    model: Model | str | Path, settings: GenerationSettings, source: Source, dtype: torch.dtype | str | None
) -> VllmGeneration:
    """Check a request and the model folder; vLLM is not started.

    Raises:
        InputError: vLLM does not support a setting.
        ModelError: the folder does not exist, is not in Hugging Face layout, holds no decoder, has one token per base,
            or a prompt and its continuation exceed its context.
    """
    if not isinstance(model, str | Path):
        raise ModelError("the vllm backend loads the model itself: pass its folder")
    check_limits(settings.limits(), settings.sampler())
    folder = Path(model)
    opened, provenance = open_without_weights(folder)
    if dtype is not None:
        provenance = replace(provenance, precision=str(parse_dtype(dtype)).removeprefix("torch."))
    return VllmGeneration(opened, replace(settings.task(opened, provenance, source), backend="vllm"), folder)


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
    if is_adapter(folder):
        raise ModelError(f"{folder}: the vllm backend does not apply adapters; merge it first (genolm convert)")
    opened = read_folder(folder)
    config, layout = opened.network, opened.layout
    if layout != "huggingface" or not config.causal:
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
        network = make_network(config, tokenizer.base_ids, tokenizer.n_id)
    return Model(network, tokenizer, card), Provenance(
        card.name, f"files:{_digest(folder)}", card.precision, __version__
    )


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
