"""Facts about a model that do not need its weights: parameters, memory for each context length, licence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypedDict

from genolm.models.adapters.configs import parse_config
from genolm.models.card import Card, read_card
from genolm.models.checkpoints.model_folder import read_folder
from genolm.models.footprint import BYTES, peak_bytes
from genolm.models.model_files import ADAPTER_CONFIG, CONFIG, INDEX, SINGLE
from genolm.models.networks.network_config import NetworkConfig
from genolm.models.zoo.zoo import ZOO, ModelSource, find_model
from genolm.models.zoo.zoo_entry import Entry
from genolm.parameters import Completed
from genolm.verbs import verb

CONTEXTS = tuple(8192 << step for step in range(8))
"""8,192 to 1,048,576 tokens."""


class ContextMemory(TypedDict):
    """Memory for one context length, in bytes, in the model's precision.

    Keys:
        tokens: context length.
        cache_bytes: key-value cache, used in generation and for shared prefixes.
        peak_bytes: weights and one pass without a cache, as in embedding.
        peak_bytes_with_cache: weights, one pass and the cache.
    """

    tokens: int
    cache_bytes: int
    peak_bytes: int
    peak_bytes_with_cache: int


class HeadInfo(TypedDict):
    """A head of a model: built into the network, or stored beside it.

    Keys:
        name: name of the head.
        kind: ``language``, ``masked``, ``pooler``, ``sentence``, ``labels``, ``tracks`` or ``projection``.
        of: what its outputs describe: ``sequence`` or ``token``.
        outputs: number of outputs.
        names: names of labels or tracks; empty for other heads.
        units: unit of each number or track; empty if not recorded.
    """

    name: str
    kind: str
    of: str
    outputs: int
    names: list[str]
    units: list[str]


class ModelInfo(TypedDict):
    """Facts about a model, as plain JSON values.

    Keys:
        adapter: folder of the low-rank adapter (LoRA); None for a model without one.
        output_heads: heads of the model. (``heads`` is the number of attention heads.)
        parameters: number of all weights; ``backbone_parameters`` without the heads; ``active_parameters`` that one
            token passes through, embedding, tables and head counted in full; ``gengram_parameters`` of the Gengram
            memories.
        weights_bytes: size of the weights in each precision.
        folded_table_bytes: size of the tables that inference keeps to read Gengram memories quickly, in the model's
            precision; part of ``peak_bytes``.
        cache_bytes_per_token: key-value cache in the model's precision.
        memory: one entry for each of the usual context lengths up to the model's own, or one for the model's own if it
            is shorter than all of them.
    """

    name: str
    family: str
    objective: str
    hub_id: str | None
    source: str
    licence: str
    parameters: int
    backbone_parameters: int
    active_parameters: int
    gengram_parameters: int
    layers: int
    hidden_size: int
    heads: int
    key_value_heads: int
    head_dim: int
    experts: int
    experts_per_token: int
    vocabulary: int
    context: int
    precision: str
    weights_bytes: dict[str, int]
    folded_table_bytes: int
    cache_bytes_per_token: int
    memory: list[ContextMemory]
    layer: int | None
    pooling: str
    citation: str
    adapter: str | None
    output_heads: list[HeadInfo]
    notes: list[str]


class TableRow(TypedDict):
    """A line of ``genolm models``; ``parameters`` is None if the weights are not installed."""

    name: str
    family: str
    parameters: int | None
    context: int | None
    licence: str
    weights: str


@verb(example="genolm models")
def models_table() -> list[TableRow]:
    """List the models that can be loaded by name."""
    return [_row(entry) for entry in ZOO.values()]


def _row(entry: Entry) -> TableRow:
    installed = entry.folder is not None and (entry.folder / CONFIG).is_file()
    config = entry.config or (read_folder(entry.installed_folder()).network if installed else None)
    return {
        "name": entry.name,
        "family": entry.card.family,
        "parameters": config.parameters if config else None,
        "context": entry.card.context or config.max_positions if config else None,
        "licence": entry.card.licence,
        "weights": _origin(entry, config is not None),
    }


def _origin(entry: Entry, present: bool) -> str:
    if entry.hub_id:
        return f"hub: {entry.hub_id}"
    if entry.megatron_only:
        return "Megatron checkpoint, to be converted"
    if entry.seed is not None:
        return "random, made in memory"
    return "shipped with genolm" if present else "not in this installation"


@verb(example="genolm info genos-1.2b")
def info(model: Annotated[str | Path, Completed("model")]) -> ModelInfo:
    """Describe a model without downloading it.

    Shows total and active parameters, memory by context length, and the model card.

    Only ``config.json`` is fetched for a hub id or a revision, and nothing for a model name of the zoo.

    Args:
        model: Model: a name from `genolm models`, a model folder, or a Hugging Face Hub id, which may end in
        @REVISION.

    Raises:
        ModelError: the name is unknown, or the config describes a network that genolm does not have.
        NetworkError: the hub id cannot be looked up.
    """
    source = find_model(model)
    if source.folder is None or not (source.folder / ADAPTER_CONFIG).is_file():
        return _described(source)
    from genolm.models.checkpoints.adapter_source import split_adapter

    base, adapter = split_adapter(source)
    facts, card = _described(base), read_card(source.folder)
    facts["adapter"] = str(adapter.path) if adapter else None
    if card is not None:
        facts["name"] = card.name
        facts["output_heads"] += _added_heads(card)
    return facts


def _described(source: ModelSource) -> ModelInfo:
    entry = source.entry
    if source.folder is not None:
        config, card = _described_folder(source.folder, entry)
        return _info(config, card, entry.hub_id if entry else None)
    if entry is None or source.revision is not None:
        return _describe_hub(str(source.hub_id), source.revision)
    if entry.config is not None:
        return _info(entry.config, entry.card, entry.hub_id)
    folder = read_folder(entry.installed_folder())
    return _info(folder.network, folder.card or entry.card, entry.hub_id)


def _described_folder(path: Path, entry: Entry | None) -> tuple[NetworkConfig, Card]:
    """Return config and card of a folder; the weights of an encoder, if present, decide which heads it has."""
    folder = read_folder(path)
    config = folder.network
    if not config.causal and any((path / name).is_file() for name in (SINGLE, INDEX)):
        from genolm.models.checkpoints.matching import match_tensors
        from genolm.models.weight_shards import read_shards

        config = match_tensors(read_shards(path), config, folder.layout, str(path), folder.values).config
    known = folder.card or (entry.card if entry else None)
    return config, known or Card(path.resolve().name, objective=config.objective)


def _describe_hub(hub_id: str, revision: str | None) -> ModelInfo:
    from genolm.models.checkpoints.download import MAIN, config_values, endpoint

    values = config_values(hub_id, revision or MAIN)
    config, _ = parse_config(values, f"{hub_id}/{CONFIG}")
    precision = str(values.get("torch_dtype") or values.get("dtype") or "float32")
    source = f"{endpoint()}/{hub_id}"
    card = Card(hub_id, str(values["model_type"]), config.objective, precision=precision, source=source)
    return _info(config, card, hub_id)


def _info(config: NetworkConfig, card: Card, hub_id: str | None) -> ModelInfo:
    width = BYTES.get(card.precision, 4)
    context = card.context or config.max_positions
    return {
        "name": card.name,
        "family": card.family,
        "objective": card.objective,
        "hub_id": hub_id,
        "source": card.source,
        "licence": card.licence,
        "parameters": config.parameters,
        "backbone_parameters": config.backbone_parameters,
        "active_parameters": config.active_parameters,
        "gengram_parameters": config.gengram_parameters,
        "layers": config.num_layers,
        "hidden_size": config.hidden_size,
        "heads": config.num_heads,
        "key_value_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "experts": config.num_experts,
        "experts_per_token": config.experts_per_token,
        "vocabulary": config.vocab_size,
        "context": context,
        "precision": card.precision,
        "weights_bytes": {kind: config.parameters * BYTES[kind] for kind in ("float32", "bfloat16")},
        "folded_table_bytes": config.table_bytes(width),
        "cache_bytes_per_token": config.cache_bytes(1, width),
        "memory": [_memory(config, tokens, width) for tokens in _contexts(context)],
        "layer": card.layer,
        "pooling": card.pooling,
        "citation": card.citation,
        "adapter": None,
        "output_heads": _built_in_heads(config) + _added_heads(card),
        "notes": list(card.notes),
    }


def _built_in_heads(config: NetworkConfig) -> list[HeadInfo]:
    return [
        {"name": name, "kind": head.kind, "of": head.of, "outputs": head.outputs, "names": [], "units": []}
        for name, head in config.built_in_heads.items()
    ]


def _added_heads(card: Card) -> list[HeadInfo]:
    return [
        {
            "name": name,
            "kind": head.config.kind,
            "of": head.config.of,
            "outputs": head.config.outputs,
            "names": list(head.config.names),
            "units": list(head.config.units),
        }
        for name, head in card.heads.items()
    ]


def _contexts(context: int) -> list[int]:
    """Return the usual context lengths that fit, else the model's own."""
    return [tokens for tokens in CONTEXTS if tokens <= context] or [context]


def _memory(config: NetworkConfig, tokens: int, width: int) -> ContextMemory:
    cache, peak = config.cache_bytes(tokens, width), peak_bytes(config, tokens, width)
    return {"tokens": tokens, "cache_bytes": cache, "peak_bytes": peak, "peak_bytes_with_cache": peak + cache}
