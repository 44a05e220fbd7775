"""Models: network, tokenizer and card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from genolm.errors import ModelError, ResourceError
from genolm.models.card import Card
from genolm.models.heads.head_config import HeadConfig, head_to_json
from genolm.models.heads.headed_network import Head, HeadedNetwork
from genolm.models.lora.lora_linear import lora_layers
from genolm.models.networks.built_in_head import BuiltInHead
from genolm.models.networks.decoder import Decoder
from genolm.models.networks.encoder import Encoder
from genolm.models.networks.network import Network, tensors_of
from genolm.models.networks.network_config import NetworkConfig
from genolm.models.networks.recurrent_memory import RecurrentMemory
from genolm.models.precision import parse_device, parse_dtype
from genolm.tokens.tokenizer import CLS, SEP, Ids, Tokenizer

_ENDLESS = 10**12  # context of a recurrent memory without a limit, in tokens
_SHORT = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}


class Model:
    """A network ready for inference; :func:`genolm.load` makes one.

    Args:
        network: causal decoder or bidirectional encoder, with weights.
        tokenizer: tokenizer whose ids are rows of the network's embedding.
        card: model card.
        origin: name, folder or hub id from which :func:`genolm.load` loads the same weights in the same precision; None
            if the model exists in memory only.
        heads: added heads, by name; None for none.

    Attributes:
        headed: the network, or its recurrent memory, with all heads.
        recurrent: the network with its recurrent memory, which reads long sequences a segment at a time and adds the
            special tokens of each segment itself; None for a network without one.

    Raises:
        ModelError: the tokenizer lacks the special tokens that the card puts around sequences, or those of the memory
            differ from the tokenizer's.
    """

    def __init__(
        self,
        network: Network,
        tokenizer: Tokenizer,
        card: Card,
        origin: str | None = None,
        heads: Mapping[str, Head] | None = None,
    ) -> None:
        self.network: Network = network.eval()
        self.tokenizer, self.card, self.origin = tokenizer, card, origin
        self.recurrent = _recurrent(network, tokenizer)
        self.headed = HeadedNetwork(self.recurrent or network, heads or {}, tokenizer).eval()
        if lora_layers(network):
            raise ModelError("the network has low-rank updates; merge them before inference (merge_lora)")
        framed = self.recurrent is None
        self.begin_ids = tuple(tokenizer.special_id(name) for name in card.begin if framed)
        self.end_ids = tuple(tokenizer.special_id(name) for name in card.end if framed)
        self._fingerprint: str | None = None

    def __repr__(self) -> str:
        """Return one line: name, kind of network, tokens, context, precision and device."""
        return " · ".join((self.card.name, *self.facts.values()))

    @property
    def facts(self) -> dict[str, str]:
        """Kind of network, tokens, context, precision and device, as short texts by name."""
        width = self.tokenizer.bases_per_token
        length = "any length" if self.context >= _ENDLESS else f"{self.max_bases:,} bases"
        return {
            "network": "decoder" if self.causal else "encoder",
            "tokens": "1 base per token" if width == 1 else f"{width:.1f} bases per token",
            "context": length,
            "weights": f"{_SHORT.get(self.dtype, str(self.dtype))} on {self.device}",
        }

    @property
    def config(self) -> NetworkConfig:
        """Config of the network."""
        return self.network.config

    @property
    def decoder(self) -> Decoder:
        """Network of a causal model.

        Raises:
            ModelError: the model is an encoder.
        """
        if isinstance(self.network, Encoder):
            raise ModelError(
                f"{self.card.name} is a bidirectional encoder; this requires a causal decoder",
                code="unsupported-by-model",
            )
        return self.network

    @property
    def encoder(self) -> Encoder:
        """Network of a bidirectional model that reads a sequence in one pass.

        Raises:
            ModelError: the model is a causal decoder or has a recurrent memory.
        """
        if self.recurrent is not None:
            raise ModelError(
                f"{self.card.name} has a recurrent memory, which this does not support; embed does (genolm embed)",
                code="unsupported-by-model",
            )
        if isinstance(self.network, Encoder):
            return self.network
        raise ModelError(
            f"{self.card.name} is a causal decoder; this requires a bidirectional encoder", code="unsupported-by-model"
        )

    @property
    def causal(self) -> bool:
        """Whether the model predicts each token from the tokens before it; otherwise from both sides."""
        return self.config.causal

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self._weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the weights."""
        return self._weight.dtype

    @property
    def weight_bytes(self) -> int:
        """Size of the weights in memory, in bytes."""
        tensors = tensors_of(self.headed).values()
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    @property
    def heads(self) -> Mapping[str, HeadConfig | BuiltInHead]:
        """Heads by name, with the kind, number and names of their outputs.

        Those of the network itself come first: ``language``, ``masked``, ``pooler``, ``sentence``, ``labels``.
        """
        return self.headed.head_configs

    @property
    def added_heads(self) -> dict[str, Head]:
        """The modules of added heads, by name."""
        return self.headed.added

    @torch.inference_mode()
    def head_outputs(
        self, ids_BL: Tensor, mask_BL: Tensor | None = None, *, heads: Collection[str] | None = None
    ) -> dict[str, Tensor]:
        """Return the outputs of heads by name; see :meth:`genolm.models.heads.headed_network.HeadedNetwork.forward`.

        Args:
            ids_BL: token ids, with the special tokens of :meth:`with_special_tokens`.
            mask_BL: True for real tokens; None if all are.
            heads: names of heads; None for all added ones.

        Raises:
            ModelError: there is no such head, or a row has no tokens to pool.
        """
        return self.headed(ids_BL, mask_BL=mask_BL, heads=heads)

    @torch.inference_mode()
    def hidden_states(
        self,
        ids_BL: Tensor,
        mask_BL: Tensor | None = None,
        *,
        layers: Collection[int] | None = None,
        vectors_BLD: Tensor | None = None,
        replaced_BL: Tensor | None = None,
    ) -> dict[int, Tensor]:
        """Return hidden states by layer: (B, L, D) each, zero at padding, in the precision of the weights.

        Layer 0 is the embedding, layer n the residual stream after n layers, and ``num_layers`` is after the final norm
        if there is one.

        Args:
            ids_BL: token ids, with the special tokens of :meth:`with_special_tokens` (a recurrent memory adds those of
                each segment itself). Each row is one sequence.
            mask_BL: True for real tokens; None if all are. Padding may be on either side.
            layers: layers to return; None for the last.
            vectors_BLD: token vectors that are used instead of those of the ids, before positions and norms. Memories
                of k-mers still read the ids.
            replaced_BL: True where ``vectors_BLD`` is used; None: everywhere.

        Raises:
            ModelError: a layer does not exist, or the vectors have another shape than the tokens.
        """
        chosen = (self.config.num_layers,) if layers is None else tuple(layers)
        real_BL = torch.ones_like(ids_BL, dtype=torch.bool) if mask_BL is None else mask_BL.bool()
        network = self.recurrent or self.network
        output = network(
            ids_BL, mask_BL=real_BL, vectors_BLD=vectors_BLD, replaced_BL=replaced_BL, layers=chosen, logits=False
        )
        return {layer: output.hidden[layer].masked_fill(~real_BL[..., None], 0.0) for layer in chosen}

    @property
    def context(self) -> int:
        """Longest input that the weights were trained for, in tokens; for a recurrent memory, of all its segments."""
        if self.recurrent is not None:
            memory = self.recurrent.memory
            return _ENDLESS if memory.max_segments is None else memory.content * memory.max_segments
        return self.card.context or self.config.max_positions

    @property
    def max_tokens(self) -> int:
        """Number of tokens of sequence that fit in the context together with the special tokens."""
        return max(1, self.context - len(self.begin_ids) - len(self.end_ids))

    @property
    def max_bases(self) -> int:
        """Average number of bases in ``max_tokens`` tokens; runs of N may be longer, rare words shorter."""
        return max(1, int(self.max_tokens * self.tokenizer.bases_per_token))

    def with_special_tokens(self, ids: Ids) -> Ids:
        """Return the ids with the special tokens that the model expects around a sequence."""
        if not self.begin_ids and not self.end_ids:
            return ids
        return np.concatenate([np.array(self.begin_ids, np.int32), ids, np.array(self.end_ids, np.int32)])

    @property
    def _weight(self) -> Tensor:
        return next(self.network.parameters())

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of config and weights in memory; the same on every device."""
        if self._fingerprint is None:
            self._fingerprint = fingerprint(self.headed)
        return self._fingerprint

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | str | None = None) -> Self:
        """Move this model to a device or precision in place, and return it; None keeps the present one.

        Args:
            device: device of torch, or its name as in :func:`genolm.load`.
            dtype: precision of torch, or its name as in :func:`genolm.load`.

        Raises:
            ModelError: the device or precision is invalid, or this machine has no such device.
            ResourceError: the weights do not fit in the memory of the device.
        """
        target = None if device is None else parse_device(device)
        precision = None if dtype is None else parse_dtype(dtype)
        if precision not in (None, self.dtype):
            self._fingerprint = self.origin = None
        try:
            self.network.to(device=target, dtype=precision)
            self.headed.heads.to(device=target)  # heads keep their precision, and with it their running statistics
        except torch.OutOfMemoryError as error:
            raise ResourceError(f"{self.card.name} does not fit on {device}: {error}", code="out-of-memory") from error
        return self


def _recurrent(network: Network, tokenizer: Tokenizer) -> RecurrentMemory | None:
    if not isinstance(network, Encoder) or network.config.memory is None:
        return None
    memory, ids = network.config.memory, (tokenizer.special_id(CLS), tokenizer.special_id(SEP))
    if ids != (memory.cls_id, memory.sep_id):
        raise ModelError(
            f"[CLS] and [SEP] are {ids} in the tokenizer, but {(memory.cls_id, memory.sep_id)} in the model's memory"
        )
    return RecurrentMemory(network)


def fingerprint(network: Network | HeadedNetwork) -> str:
    """Return the SHA-256, in hex, of the configs and of the names, types, shapes and bytes of all tensors."""
    digest = hashlib.sha256(json.dumps(network.config.to_dict(), sort_keys=True).encode())
    _add_tensors(digest, network.root)
    added = network.added if isinstance(network, HeadedNetwork) else {}
    for name, head in added.items():
        digest.update(json.dumps([name, head_to_json(head.config)], sort_keys=True).encode())
        _add_tensors(digest, head)
    return digest.hexdigest()


def _add_tensors(digest: hashlib._Hash, module: nn.Module) -> None:
    for name, tensor in sorted(tensors_of(module).items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        for block in _blocks(tensor):
            digest.update(block.cpu().contiguous().view(torch.uint8).numpy().data)


def _blocks(weight: Tensor, values: int = 1 << 24) -> Iterator[Tensor]:
    """Split a tensor, so that hashing weights on another device never copies all of it at once."""
    yield from weight.flatten().split(values)
