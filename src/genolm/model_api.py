"""Models whose methods are the verbs: ``genolm.load(...).embed(...)``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MethodType
from typing import Concatenate, Generic, ParamSpec, TypeVar

import torch

from genolm.models import model as models
from genolm.models.checkpoints.convert import save
from genolm.models.checkpoints.load import load as load_without_verbs
from genolm.tasks.clustering.cluster import cluster
from genolm.tasks.completion.complete import complete
from genolm.tasks.embed import embed
from genolm.tasks.explain.explain_attribution import explain_attribution
from genolm.tasks.explain.explain_experts import explain_experts
from genolm.tasks.explain.explain_lens import explain_lens
from genolm.tasks.explain.explain_memory import explain_memory
from genolm.tasks.explain.explain_tables import explain_tables
from genolm.tasks.generation.generate import generate
from genolm.tasks.generation.stream import stream
from genolm.tasks.scanning.scan import scan
from genolm.tasks.score import score
from genolm.tasks.variants.mutate import mutate
from genolm.tasks.variants.variants import variants
from genolm.tasks.writing.result_html import fields_html, paragraph

Rest = ParamSpec("Rest")
Returned = TypeVar("Returned", covariant=True)


class method_of(Generic[Rest, Returned]):
    """A function whose first argument is a model, as a method.

    Args:
        function: the function; signature and documentation of the method are those of its further arguments.
    """

    def __init__(self, function: Callable[Concatenate[models.Model, Rest], Returned]) -> None:
        self._function = function

    def __get__(self, owner: Model | Explanations | None, kind: type) -> Callable[Rest, Returned]:
        """Return the method of a model; on the class, the function."""
        if owner is None:
            return self._function  # type: ignore[return-value]
        return MethodType(self._function, owner.model if isinstance(owner, Explanations) else owner)


class Explanations:
    """Interpretation of one model: ``model.explain.memory(...)`` and so on.

    Args:
        model: the model.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    memory = method_of(explain_memory)
    tables = method_of(explain_tables)
    lens = method_of(explain_lens)
    experts = method_of(explain_experts)
    attribution = method_of(explain_attribution)


class Model(models.Model):
    """A network ready for inference, with the verbs as methods; :func:`genolm.load` makes one.

    ``model.embed(inputs)`` is ``genolm.embed(model, inputs)``.
    """

    embed = method_of(embed)
    score = method_of(score)
    variants = method_of(variants)
    mutate = method_of(mutate)
    scan = method_of(scan)
    cluster = method_of(cluster)
    generate = method_of(generate)
    stream = method_of(stream)
    complete = method_of(complete)
    save = method_of(save)

    @property
    def explain(self) -> Explanations:
        """Interpretation of the model: ``memory``, ``tables``, ``lens``, ``experts`` and ``attribution``."""
        return Explanations(self)

    def _repr_html_(self) -> str:
        """Return the representation for notebooks."""
        size = f"{self.config.parameters:,}"
        fields = {"family": self.card.family, "parameters": size, **self.facts, "licence": self.card.licence}
        return paragraph(title=self.card.name) + fields_html(fields)


def load(
    name: str | Path,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    revision: str | None = None,
    offline: bool | None = None,
    adapter: str | Path | None = None,
) -> Model:
    """Load a model for inference.

    Args:
        name: model name (``genolm models`` lists them), model folder, or hub id ``ORGANISATION/NAME``; models on
            the hub are downloaded once and kept in the Hugging Face cache, and may end in ``@REVISION``.
        device: device to compute on; by default the first CUDA device, else the CPU.
        dtype: precision of the weights: ``float32``, ``bfloat16`` or ``float16``. Default on an accelerator: that of
            the card. Default on a CPU: float32, or bfloat16 for models of at least 100 million parameters that were
            trained in it, if the processor multiplies it natively.
        revision: branch, tag or commit of a model on the hub; None for the main branch.
        offline: True: use the cache only; False: ask the hub; None: True if the variable HF_HUB_OFFLINE is set.
        adapter: folder of a low-rank adapter (LoRA) in the layout of PEFT, whose updates are merged into the weights. A
            folder that holds an adapter may also be given as ``name``; its base is then the one that it records.

    Raises:
        ModelError: the name is unknown, the model has no revisions, or config, weights or tokenizer of the folder
            cannot be used; or the adapter cannot be used or was made for another base.
        NetworkError: a download failed, the hub does not have the revision, or the cache does not have the complete
            model and must not be completed.
        ResourceError: the weights do not fit in memory.
    """
    loaded = load_without_verbs(name, device=device, dtype=dtype, revision=revision, offline=offline, adapter=adapter)
    return Model(loaded.network, loaded.tokenizer, loaded.card, loaded.origin, loaded.added_heads)
