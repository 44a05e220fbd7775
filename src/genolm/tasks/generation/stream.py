"""Streaming of generated DNA."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack

from genolm.engine.batches import length_buckets
from genolm.engine.events import current_observer
from genolm.engine.free_memory import is_out_of_memory
from genolm.engine.plan import make_plan, part_items
from genolm.engine.windows import Window
from genolm.engine.work import Work
from genolm.errors import InputError, NonFiniteError, ResourceError
from genolm.genome.in_memory import Sequences
from genolm.tasks.generation.generate_task import GenerateTask
from genolm.tasks.generation.generation_requests import Request
from genolm.tasks.generation.generation_settings import GenerationOptions, GenerationSettings
from genolm.tasks.generation.sequence_pieces import Piece, pieces
from genolm.tasks.generation.vllm_backend import VllmBackend
from genolm.tasks.generation.vllm_generation import plan_with_vllm, refuse_engine_settings
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.continuation.steps import StepStream
from genolm.tasks.reading.sources import open_source
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model


def stream(
    model: Model | str | Path,
    prompts: Sequences,
    *,
    backend: Literal["torch", "vllm"] = "torch",
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    batch_tokens: int | None = None,
    **options: Unpack[GenerationOptions],
) -> Generator[Piece, None, None]:
    """Continue prompts and yield new bases as soon as they are sampled.

    The joined pieces of a sequence are what :func:`genolm.generate` returns for the same arguments, with
    ``backend="torch"`` to the last bit. Sequences of one batch alternate, and batches follow one another: join pieces
    by their ``id``. Nothing is computed between two pieces; close the iterator to stop, which frees the memory of the
    batch::

        for piece in genolm.stream(model, ["ACGT"], length=200, seed=7):
            print(piece.bases, end="", flush=True)

    Args:
        model: a model, or any argument of :func:`genolm.load`.
        prompts: as for :func:`genolm.generate`.
        backend: as for :func:`genolm.generate`. vLLM supports, of the following arguments, ``dtype`` and the options
            only.
        device: device such as ``cuda:0``; None for the first CUDA device, else the CPU.
        dtype: precision of the weights; None for the default of model card and device.
        batch_tokens: maximum tokens per batch; None for as many as fit in memory.
        options: as for :func:`genolm.generate`: ``preset``, ``n``, ``length``, ``min_length``, ``max_tokens``,
            ``min_tokens``, ``ignore_end``, ``whole_tokens``, ``slide``, ``temperature``, ``top_k``, ``top_p``,
            ``repetition_penalty`` and ``seed``.

    Raises:
        InputError: the prompts are invalid, or a setting is out of range.
        ModelError: the model does not exist, or a prompt and its continuation exceed its context.
        ResourceError: a batch does not fit into memory.
    """
    settings, source = GenerationSettings(**options), open_source(prompts)
    if batch_tokens is not None and batch_tokens < 1:
        raise InputError("batch_tokens must be at least 1", value=batch_tokens)
    if backend == "vllm":
        refuse_engine_settings({"device": device, "batch_tokens": batch_tokens})
        planned = plan_with_vllm(model, settings, source, dtype)
        return _by_vllm(planned.model, planned.task, planned.backend())
    if backend != "torch":
        raise InputError("invalid backend: expected torch or vllm", value=backend)
    opened = Bulk(device, dtype).open(model)
    return _by_torch(opened, settings.task(opened, Provenance.of(opened), source), batch_tokens)


def _by_vllm(model: Model, task: GenerateTask, backend: VllmBackend) -> Generator[Piece, None, None]:
    windows = task.windows(list(task.items()), model)
    return _pieces(model, task, iter([windows]), lambda batch: backend(task.prompts(model, batch), task.sampler))


def _by_torch(model: Model, task: GenerateTask, batch_tokens: int | None) -> Generator[Piece, None, None]:
    return _pieces(model, task, _batches(model, task, batch_tokens), lambda batch: task.steps(model, batch))


def _batches(model: Model, task: GenerateTask, batch_tokens: int | None) -> Iterator[list[Window[Request]]]:
    """Yield the batches of a run of the task, so that the results are equal in every bit."""
    budget, plan = Work(task, model, current_observer(), batch_tokens).fitting_budget(), make_plan(task)
    for _, items in part_items(task.items(), plan, range(plan.parts)):
        windows = task.windows(items, model)
        lengths = [window.token_count(task.bases_per_token) for window in windows]
        yield from ([windows[index] for index in bucket] for bucket in length_buckets(lengths, budget))


def _pieces(
    model: Model,
    task: GenerateTask,
    batches: Iterator[list[Window[Request]]],
    steps_of: Callable[[Sequence[Window[Request]]], StepStream],
) -> Generator[Piece, None, None]:
    for windows in batches:
        requests = [window.origin for window in windows]
        with closing(steps_of(windows)) as steps:
            yield from _explained(pieces(model, requests, task.limits, steps), requests)


def _explained(found: Iterator[Piece], requests: Sequence[Request]) -> Iterator[Piece]:
    """Yield the pieces; name the sequence of a non-finite value, and advise when memory runs out."""
    try:
        yield from found
        return
    except NonFiniteError as error:
        raise error.about(requests[error.row].named) from None
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    # Outside of the handler: the error and its traceback hold the tensors of the batch.
    raise ResourceError("a batch does not fit into memory: lower batch_tokens, or shorten the request")
