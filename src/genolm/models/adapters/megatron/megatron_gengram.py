"""Config of the Gengram memory in a Megatron checkpoint, from its tensors and its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genolm.errors import ModelError
from genolm.models.adapters.megatron.megatron import memory_layer
from genolm.models.adapters.pieces import StoredTensor
from genolm.models.gengram.gengram_config import GengramConfig

_BASE_IDS = [8, 5, 6, 7, 9]  # A, C, G, T and N in the alphabet of Genos, of which such a checkpoint has no file


def read_memory(
    values: Mapping[str, Any], stored: Mapping[str, StoredTensor], where: str, like: GengramConfig | None
) -> GengramConfig | None:
    """Return the Gengram memory of a checkpoint; None without one.

    Orders, width and convolution follow from the tensors: there is a convolution if and only if it has weights.
    Layers, window and dilation come from the arguments, else from ``like``.

    Raises:
        ModelError: neither states the active layers or the window, or arguments and tensors contradict each other.
    """
    layers = sorted({layer for name in stored if (layer := memory_layer(name))})
    if not layers:
        if values.get("gengram_enabled"):
            raise ModelError(f"{where}: gengram_enabled is set, but there are no tensors of a Gengram module")
        return None
    active = _active(values, layers, where, like)
    orders, dim = _tables(stored, f"decoder.layers.{active[0] - 1}.gengram", where)
    _agree(values, "gengram_ngram_sizes", list(orders), where)
    _agree(values, "gengram_embed_dim_per_ngram", dim, where)
    if values.get("gengram_token_ids", _BASE_IDS) not in (_BASE_IDS, None):
        stated = values["gengram_token_ids"]
        raise ModelError(f"{where}: gengram_token_ids {stated!r} is not supported; it must be {_BASE_IDS!r}")
    conv = stored.get(f"decoder.layers.{active[0] - 1}.gengram.short_conv.conv.weight")
    dilation = values.get("gengram_short_conv_dilation") or (orders[-1] if like is None else like.conv_dilation)
    return GengramConfig(
        layers=active,
        orders=orders,
        dim=dim,
        window=_window(values, where, like),
        conv_kernel=0 if conv is None else conv.shape[-1],
        conv_dilation=dilation,
        compat="released-bf16" if like is None else like.compat,
        init="reference" if like is None else like.init,
    )


def memory_arguments(memory: GengramConfig) -> dict[str, Any]:
    """Return the arguments of the released code for a memory."""
    return {
        "gengram_enabled": True,
        "gengram_layer_ids": list(memory.layers),
        "gengram_ngram_sizes": list(memory.orders),
        "gengram_embed_dim_per_ngram": memory.dim,
        "gengram_window_size": memory.window,
        "gengram_token_ids": list(_BASE_IDS),
        "gengram_use_short_conv": memory.conv_kernel > 0,
        "gengram_short_conv_kernel_size": memory.conv_kernel or None,
        "gengram_short_conv_dilation": memory.conv_dilation,
    }


def _active(values: Mapping[str, Any], layers: list[int], where: str, like: GengramConfig | None) -> tuple[int, ...]:
    stated = values.get("gengram_layer_ids")
    if stated is None and like is None:
        raise ModelError(
            f"{where}: {len(layers)} layers have a Gengram module, but which of them use it is not stated; name a"
            " model that has the same layers (--like gengram-10b)"
        )
    if stated is None:
        active = () if like is None else like.layers
    elif not isinstance(stated, list) or not all(isinstance(layer, int) for layer in stated):
        raise ModelError(f"{where}: gengram_layer_ids must be a list of whole numbers, not {stated!r}")
    else:
        active = tuple(sorted(stated)) or tuple(layers)  # the released code takes an empty list for all layers
    if missing := [layer for layer in active if layer not in layers]:
        raise ModelError(f"{where}: layer {missing[0]} should have a Gengram module, but has none of its tensors")
    return active


def _tables(stored: Mapping[str, StoredTensor], prefix: str, where: str) -> tuple[tuple[int, ...], int]:
    """Return orders and width; a table of n-mers over five letters has 5^n rows."""
    orders: list[int] = []
    dim = 0
    while (table := stored.get(f"{prefix}.embeddings.{len(orders)}.weight")) is not None:
        order = next((n for n in range(1, 25) if table.shape[0] == 5**n), None)
        if len(table.shape) != 2 or order is None:
            name = f"{prefix}.embeddings.{len(orders)}.weight"
            raise ModelError(f"{where}: {name} has the shape {list(table.shape)}; a table of n-mers has 5^n rows")
        orders.append(order)
        dim = table.shape[1]
    if not orders:
        raise ModelError(f"{where}: missing tensor {prefix}.embeddings.0.weight")
    return tuple(orders), dim


def _window(values: Mapping[str, Any], where: str, like: GengramConfig | None) -> int:
    stated = values.get("gengram_window_size")
    if stated is None and like is None:
        raise ModelError(f"{where}: the window of its Gengram module is not stated; name a model (--like gengram-10b)")
    if stated is None and like is not None:
        return like.window
    if not isinstance(stated, int):
        raise ModelError(f"{where}: gengram_window_size must be a whole number, not {stated!r}")
    return stated


def _agree(values: Mapping[str, Any], key: str, actual: object, where: str) -> None:
    stated = values.get(key)
    if stated is not None and stated != actual:
        raise ModelError(f"{where}: {key} is {stated!r}, its tensors say {actual!r}")
