"""Tensors of an adapter under the names of PEFT: read as changes of our weights, and written.

PEFT names the modules of the class of transformers to which the adapter was added. The tables of names of
:mod:`genolm.models.adapters` lead from them to our weights. Networks that transformers does not have keep our names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.adapters.configs import Layout, config_values
from genolm.models.adapters.pieces import Piece, StoredTensor, stored_together
from genolm.models.adapters.tensor_names import pieces_of
from genolm.models.lora.lora_config import LoraConfig
from genolm.models.lora.lora_linear import LoraLinear, lora_layers
from genolm.models.lora.peft_options import PeftOptions
from genolm.models.networks.network import Network, tensor_shapes, tensors_of
from genolm.models.networks.network_config import NetworkConfig

PREFIX = "base_model.model."
CLASSIFIERS = ("score", "classifier")
"""Names of the heads of transformers' classes for labels."""

_A, _B = ".lora_A.weight", ".lora_B.weight"
_FUSED = "model.layers.0.mlp.experts.gate_up_proj"  # selects the names of recent versions of transformers
_INNER = ("model.", "bert.")  # prefixes that classes without a head leave out


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    """A low-rank update of a stored weight: ``scale * B A``.

    Attributes:
        a_RI: A.
        b_OR: B.
        scale: its factor.
    """

    a_RI: Tensor
    b_OR: Tensor
    scale: float

    def value(self) -> Tensor:
        """Return the update, fp32 (O, I)."""
        return (self.b_OR.float() @ self.a_RI.float()) * self.scale


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What an adapter does to a part of one of our weights.

    Attributes:
        piece: the part, and where it is in the stored tensor.
        update: update to add to it, or values that replace it.
    """

    piece: Piece
    update: LowRank | Tensor

    def apply(self, weight: Tensor) -> None:
        """Change a weight in place."""
        part = weight[self.piece.part]
        values = self.update if isinstance(self.update, Tensor) else self.update.value()
        values = self.piece.of(values).reshape(part.shape)
        part.copy_(values if isinstance(self.update, Tensor) else part + values.to(part.dtype))


@dataclass(frozen=True, slots=True, eq=False)
class AdapterTensors:
    """The tensors of an adapter, matched to a network.

    Attributes:
        changes: changes of our weights, by name.
        classifier: tensors of a new head for labels, ``weight`` and perhaps ``bias``; empty without one.
    """

    changes: Mapping[str, list[Change]]
    classifier: Mapping[str, Tensor]


def match_adapter(
    stored: Mapping[str, StoredTensor], options: PeftOptions, config: NetworkConfig, where: str
) -> AdapterTensors:
    """Match the tensors of an adapter to the weights of its base.

    Args:
        stored: tensors of the adapter.
        options: its options.
        config: network of the base.
        where: name of the adapter's file in errors.

    Raises:
        ModelError: a tensor is unknown, has another shape than in the base, is not finite, or lacks its counterpart.
    """
    table, shapes = _tables(config), tensor_shapes(config)
    changes: dict[str, list[Change]] = {}
    classifier: dict[str, Tensor] = {}
    for name, update in _updates(stored, options, where):
        module, _, leaf = name.rpartition(".")
        pieces = next((table[prefix + name] for prefix in ("", *_INNER) if prefix + name in table), None)
        if pieces is None and module in CLASSIFIERS and isinstance(update, Tensor):
            classifier[leaf] = update
            continue
        if pieces is None:
            raise ModelError(f"{where}: changes {name}, which its base does not have{_advice(name)}")
        shape = tuple(update.shape) if isinstance(update, Tensor) else (len(update.b_OR), update.a_RI.shape[1])
        expected = pieces[0].stored_shape(shapes)
        if shape != expected:
            raise ModelError(f"{where}: {name} has the shape {list(shape)}; its base has {list(expected)}")
        for piece in pieces:
            changes.setdefault(piece.ours, []).append(Change(piece, update))
    if not changes and not classifier:
        raise ModelError(f"{where}: holds no tensors of an adapter", code="damaged-model")
    return AdapterTensors(changes, classifier)


def _tables(config: NetworkConfig) -> dict[str, list[Piece]]:
    """Return the pieces of our weights by every name that they may have in an adapter."""
    shapes = tensor_shapes(config)
    table = stored_together(pieces_of(config, "genolm", shapes))
    layouts: list[tuple[str, ...]] = [(), (_FUSED,)] if naming_layout(config) == "huggingface" else []
    for names in layouts:
        table |= stored_together(pieces_of(config, "huggingface", shapes, names))
    return table


def naming_layout(config: NetworkConfig) -> Layout:
    """Return ``huggingface`` if its names express the network, else ``genolm``."""
    try:
        config_values(config, "huggingface", "float32")
    except ModelError:
        return "genolm"
    return "huggingface"


def _advice(name: str) -> str:
    if ".experts" in name:
        return "; updates of experts are not supported"
    return ""


def _updates(
    stored: Mapping[str, StoredTensor], options: PeftOptions, where: str
) -> Iterator[tuple[str, LowRank | Tensor]]:
    """Yield the name of each changed tensor, without PEFT's prefix, with its update or its new values."""
    tensors = {name.removeprefix(PREFIX): tensor.read() for name, tensor in stored.items()}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise ModelError(f"{where}: {name} holds NaN, infinity or other than numbers", code="damaged-model")
        if name.endswith(_B):
            if name.removesuffix(_B) + _A not in tensors:
                raise ModelError(f"{where}: missing tensor {name.removesuffix(_B)}{_A}", code="damaged-model")
        elif name.endswith(_A):
            module = name.removesuffix(_A)
            other = tensors.get(module + _B)
            if other is None:
                raise ModelError(f"{where}: missing tensor {module}{_B}", code="damaged-model")
            if tensor.ndim != 2 or other.ndim != 2 or tensor.shape[0] != other.shape[1]:
                shapes = f"{list(tensor.shape)} and {list(other.shape)}"
                raise ModelError(f"{where}: the shapes of {module} do not agree: {shapes}", code="damaged-model")
            yield f"{module}.weight", LowRank(tensor, other, options.scale(module, len(tensor)))
        else:
            yield name, tensor


@dataclass(frozen=True, slots=True, eq=False)
class WrittenAdapter:
    """An adapter under the names of PEFT.

    Attributes:
        tensors: its tensors.
        targets: names of the adapted modules.
        saved: names of the modules that are stored in full.
        ranks: rank of modules that have another one than the config states.
    """

    tensors: Mapping[str, Tensor]
    targets: list[str]
    saved: list[str]
    ranks: Mapping[str, int]


def adapter_tensors(root: Network, config: LoraConfig) -> WrittenAdapter:
    """Return the updates of a network, and its modules that are stored in full, under the names of PEFT.

    Args:
        root: network with updates.
        config: config of the adapter.
    """
    layout = naming_layout(root.config)
    shapes, layers = tensor_shapes(root.config), dict(lora_layers(root))
    tensors: dict[str, Tensor] = {}
    targets, ranks = [], {}
    for name, group in stored_together(pieces_of(root.config, layout, shapes)).items():
        adapted = [piece for piece in group if piece.ours.removesuffix(".weight") in layers]
        if adapted and name.endswith(".weight"):
            module = name.removesuffix(".weight")
            a_RI, b_OR = _joined(adapted, layers, group[0].stored_shape(shapes))
            tensors |= {f"{PREFIX}{module}{_A}": a_RI, f"{PREFIX}{module}{_B}": b_OR}
            targets.append(module)
            if len(a_RI) != config.rank:
                ranks[module] = len(a_RI)
    saved = _saved(root, config, layout)
    tensors |= {f"{PREFIX}{name}": tensor for name, tensor in saved.items()}
    modules = dict.fromkeys(name.rpartition(".")[0] for name in saved)
    stored = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    return WrittenAdapter(stored, targets, list(modules), ranks)


def _joined(pieces: list[Piece], layers: Mapping[str, LoraLinear], shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return A and B of a stored tensor of ``shape``, which may hold several of our layers one below the other."""
    adapted = [layers[piece.ours.removesuffix(".weight")] for piece in pieces]
    a_RI = torch.cat([layer.lora_A.detach() for layer in adapted])
    b_OR = a_RI.new_zeros(shape[0], len(a_RI))
    start = 0
    for piece, layer in zip(pieces, adapted, strict=True):
        stop = start + layer.lora_B.shape[1]
        _rows(piece, b_OR)[:, start:stop] = layer.lora_B.detach()
        start = stop
    return a_RI, b_OR


def _rows(piece: Piece, b_OR: Tensor) -> Tensor:
    """Return the rows of a piece, as a view."""
    if piece.within is None:
        return b_OR
    rank = b_OR.shape[1]
    within = replace(piece.within, shape=(*piece.within.shape[:-1], rank), view=(*piece.within.view[:-1], rank))
    return within.of(b_OR)


def _saved(root: Network, config: LoraConfig, layout: Layout) -> dict[str, Tensor]:
    """Return the tensors of the modules that are stored in full."""
    shapes, weights = tensor_shapes(root.config), tensors_of(root)
    prefixes = tuple(f"{name}." for name in config.modules_to_save)
    tensors: dict[str, Tensor] = {}
    for name, group in stored_together(pieces_of(root.config, layout, shapes)).items():
        chosen = [piece for piece in group if piece.ours.startswith(prefixes)]
        if chosen and len(chosen) < len(group):
            raise ModelError(f"{name} holds weights that are trained in full and others; name their block instead")
        if chosen:
            target = torch.empty(group[0].stored_shape(shapes), dtype=weights[chosen[0].ours].dtype)
            for piece in chosen:
                part = piece.of(target)
                part.copy_(weights[piece.ours][piece.part].reshape(part.shape))
            tensors[name] = target
    return tensors
