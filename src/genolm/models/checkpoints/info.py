"""What can be said of a model without its weights: parameters, memory for each context length, terms."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from genolm.models.card import Card, read_card
from genolm.models.checkpoints.config_file import CONFIG, parse_config, read_config
from genolm.models.checkpoints.model_names import cached_entry, locate
from genolm.models.footprint import BYTES, cache_bytes, peak_bytes, table_bytes
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.network_config import NetworkConfig
from genolm.models.weight_files import INDEX, SINGLE
from genolm.models.zoo.zoo import ZOO, Entry

CONTEXTS = tuple(8192 << step for step in range(8))
"""8,192 to 1,048,576 tokens."""


class ContextMemory(TypedDict):
    """Bytes for one context length, in the model's precision.

    Keys:
        tokens: context length.
        cache_bytes: key-value cache, as generation and shared prefixes need it.
        peak_bytes: weights and one pass without a cache, as embedding needs them.
        peak_bytes_with_cache: the same with the cache.
    """

    tokens: int
    cache_bytes: int
    peak_bytes: int
    peak_bytes_with_cache: int


class ModelInfo(TypedDict):
    """Facts about a model, plain JSON values throughout.

    Keys:
        parameters: all weights; ``backbone_parameters`` without the heads; ``active_parameters`` those
            that one token passes through, embedding, tables and head counted whole; ``gengram_parameters`` those of
            the k-mer memories inside layers.
        weights_bytes: size of the weights in each precision.
        folded_table_bytes: what inference keeps beside the weights to read these memories quickly, in the model's
            precision; part of ``peak_bytes``.
        cache_bytes_per_token: key-value cache in the model's precision.
        memory: one entry for each context length up to the model's own; for that alone where it is shorter than all.
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
    notes: list[str]


class TableRow(TypedDict):
    """One line of ``genolm models``; ``parameters`` is None where the weights are not installed."""

    name: str
    family: str
    parameters: int | None
    context: int | None
    licence: str
    weights: str


def models_table() -> list[TableRow]:
    """Every model that :func:`genolm.load` knows by name."""
    return [_row(entry) for entry in ZOO.values()]


def _row(entry: Entry) -> TableRow:
    config = entry.config or _shipped(entry.folder)
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


def _shipped(folder: Path | None) -> NetworkConfig | None:
    return read_config(folder)[0] if folder and (folder / CONFIG).is_file() else None


def describe(name: str | Path) -> ModelInfo:
    """Parameters, memory and card of a model; of a hub id only ``config.json`` is fetched, of a zoo name nothing.

    Args:
        name: a name of the zoo, a model folder, or a hub id.

    Raises:
        ModelError: nothing of that name, or a config that is not one of our networks.
        NetworkError: a hub id that cannot be looked up.
    """
    place = locate(name)
    if isinstance(place, Entry):
        config = place.config or read_config(place.installed_folder())[0]
        card = (read_card(place.folder) if place.folder else None) or place.card
        return _info(config, card, place.hub_id)
    if isinstance(place, Path):
        config = _with_heads(place)
        entry = cached_entry(place)
        known = read_card(place) or (entry.card if entry else Card(place.resolve().name, objective=_objective(config)))
        return _info(config, known, entry.hub_id if entry else None)
    return _describe_hub(place)


def _with_heads(folder: Path) -> NetworkConfig:
    """The config of a folder; which heads an encoder has is told by its weights, where they are there."""
    config, layout = read_config(folder)
    if isinstance(config, DecoderConfig) or not any((folder / name).is_file() for name in (SINGLE, INDEX)):
        return config
    from genolm.models.checkpoints.layouts import open_weights

    return open_weights(folder, config, layout).config


def _objective(config: NetworkConfig) -> str:
    return "causal" if isinstance(config, DecoderConfig) else "masked"


def _describe_hub(hub_id: str) -> ModelInfo:
    from genolm.models.checkpoints.download import config_values, endpoint

    values = config_values(hub_id)
    config, _ = parse_config(values, f"{hub_id}/{CONFIG}")
    precision = str(values.get("torch_dtype") or values.get("dtype") or "float32")
    source = f"{endpoint()}/{hub_id}"
    card = Card(hub_id, str(values["model_type"]), _objective(config), precision=precision, source=source)
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
        "gengram_parameters": config.gengram_parameters if isinstance(config, DecoderConfig) else 0,
        "layers": config.num_layers,
        "hidden_size": config.hidden_size,
        "heads": config.num_heads,
        "key_value_heads": config.num_kv_heads if isinstance(config, DecoderConfig) else config.num_heads,
        "head_dim": config.head_dim,
        "experts": config.num_experts if isinstance(config, DecoderConfig) else 0,
        "experts_per_token": config.experts_per_token if isinstance(config, DecoderConfig) else 0,
        "vocabulary": config.vocab_size,
        "context": context,
        "precision": card.precision,
        "weights_bytes": {kind: config.parameters * BYTES[kind] for kind in ("float32", "bfloat16")},
        "folded_table_bytes": table_bytes(config, width),
        "cache_bytes_per_token": cache_bytes(config, 1, width),
        "memory": [_memory(config, tokens, width) for tokens in _contexts(context)],
        "layer": card.layer,
        "pooling": card.pooling,
        "citation": card.citation,
        "notes": list(card.notes),
    }


def _contexts(context: int) -> list[int]:
    """The lengths to tell memory of: the usual ones that fit, else the model's own."""
    return [tokens for tokens in CONTEXTS if tokens <= context] or [context]


def _memory(config: NetworkConfig, tokens: int, width: int) -> ContextMemory:
    cache, peak = cache_bytes(config, tokens, width), peak_bytes(config, tokens, width)
    return {"tokens": tokens, "cache_bytes": cache, "peak_bytes": peak, "peak_bytes_with_cache": peak + cache}
