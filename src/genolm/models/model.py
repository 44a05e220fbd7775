"""A network, its tokenizer and its card: what every task is given."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from genolm.errors import ModelError, ResourceError
from genolm.models.card import Card
from genolm.models.networks.decoder import Decoder
from genolm.models.networks.encoder import Encoder
from genolm.models.networks.network import Network
from genolm.models.networks.network_config import NetworkConfig
from genolm.models.networks.recurrent_memory import RecurrentMemory
from genolm.models.precision import parse_device, parse_dtype
from genolm.tokens.tokenizer import CLS, SEP, Ids, Tokenizer

_ENDLESS = 10**12  # tokens: what a memory without a limit reads


class Model:
    """A network ready for inference; :func:`genolm.load` makes one.

    Args:
        network: a causal decoder or a bidirectional encoder, with weights.
        tokenizer: bases to ids and back; its ids are rows of the network's embedding.
        card: what to know before using it.

    Attributes:
        recurrent: the network with its recurrent memory, which reads long sequences a segment at a time and puts the
            special tokens around each itself; None for a network without one.

    Raises:
        ModelError: the card frames sequences in special tokens that the tokenizer does not have, or a memory in others
            than the tokenizer's.
    """

    def __init__(self, network: Network, tokenizer: Tokenizer, card: Card) -> None:
        self.network: Network = network.eval()
        self.tokenizer, self.card = tokenizer, card
        self.recurrent = _recurrent(network, tokenizer)
        framed = self.recurrent is None
        self.begin_ids = tuple(tokenizer.special_id(name) for name in card.begin if framed)
        self.end_ids = tuple(tokenizer.special_id(name) for name in card.end if framed)
        self._fingerprint: str | None = None

    def __repr__(self) -> str:
        """Name, size, precision and device."""
        return f"Model({self.card.name!r}, {self.config.parameters:,} parameters, {self.dtype}, {self.device})"

    @property
    def config(self) -> NetworkConfig:
        """The network's numbers."""
        return self.network.config

    @property
    def decoder(self) -> Decoder:
        """The network of a causal model.

        Raises:
            ModelError: the model is an encoder.
        """
        if isinstance(self.network, Encoder):
            raise ModelError(f"{self.card.name} is an encoder, which reads both ways; this needs a causal decoder")
        return self.network

    @property
    def encoder(self) -> Encoder:
        """The network of a model that reads both ways, in one pass.

        Raises:
            ModelError: the model is a causal decoder, or reads with a recurrent memory.
        """
        if self.recurrent is not None:
            raise ModelError(
                f"{self.card.name} reads with a recurrent memory, which this does not do; embed does (genolm embed)"
            )
        if isinstance(self.network, Encoder):
            return self.network
        raise ModelError(f"{self.card.name} is a causal decoder; this needs an encoder, which reads both ways")

    @property
    def causal(self) -> bool:
        """Whether it predicts each token from those before it; else from all around it."""
        return not isinstance(self.network, Encoder)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the weights."""
        return self._weight.dtype

    @property
    def weight_bytes(self) -> int:
        """Memory of the weights, in bytes."""
        tensors = (*self.network.parameters(), *self.network.buffers())
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    @property
    def context(self) -> int:
        """Longest input, in tokens, that the weights were made for; of a memory, that all its segments hold."""
        if self.recurrent is not None:
            memory = self.recurrent.memory
            return _ENDLESS if memory.max_segments is None else memory.content * memory.max_segments
        return self.card.context or self.config.max_positions

    @property
    def room(self) -> int:
        """Tokens of sequence that fit into the context beside the special tokens around them."""
        return max(1, self.context - len(self.begin_ids) - len(self.end_ids))

    @property
    def room_bases(self) -> int:
        """Bases that the room holds on average; runs of N may be longer, rare words shorter."""
        return max(1, int(self.room * self.tokenizer.bases_per_token))

    def frame(self, ids: Ids) -> Ids:
        """The ids between the special tokens that the model expects around a sequence."""
        if not self.begin_ids and not self.end_ids:
            return ids
        return np.concatenate([np.array(self.begin_ids, np.int32), ids, np.array(self.end_ids, np.int32)])

    @property
    def _weight(self) -> Tensor:
        return next(self.network.parameters())

    @property
    def fingerprint(self) -> str:
        """sha256, in hex, of config and weights as they are in memory; the same on every device."""
        if self._fingerprint is None:
            self._fingerprint = fingerprint(self.network)
        return self._fingerprint

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | str | None = None) -> Model:
        """This model, moved in place to ``device`` and ``dtype``; what is None stays.

        Args:
            device: a device of torch, or its name as for :func:`genolm.load`.
            dtype: a precision of torch, or its name as for :func:`genolm.load`.

        Raises:
            ModelError: no device or precision of that name, or no such device in this machine.
            ResourceError: the device has no room for the weights.
        """
        place = None if device is None else parse_device(device)
        precision = None if dtype is None else parse_dtype(dtype)
        if precision is not None:
            self._fingerprint = None  # it does not depend on the device
        try:
            self.network.to(device=place, dtype=precision)
        except torch.OutOfMemoryError as error:
            raise ResourceError(f"{self.card.name} does not fit on {device}: {error}") from error
        return self


def _recurrent(network: Network, tokenizer: Tokenizer) -> RecurrentMemory | None:
    if not isinstance(network, Encoder) or network.config.memory is None:
        return None
    memory, found = network.config.memory, (tokenizer.special_id(CLS), tokenizer.special_id(SEP))
    if found != (memory.cls_id, memory.sep_id):
        raise ModelError(
            f"[CLS] and [SEP] are {found} in the tokenizer, but {(memory.cls_id, memory.sep_id)} in the model's memory"
        )
    return RecurrentMemory(network)


def fingerprint(network: Network) -> str:
    """sha256, in hex, of a network's config and of the names, types, shapes and bytes of its weights."""
    digest = hashlib.sha256(json.dumps(network.config.to_dict(), sort_keys=True).encode())
    for name, weight in sorted([*network.named_parameters(), *network.named_buffers()]):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        for block in _blocks(weight.detach()):
            digest.update(block.cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _blocks(weight: Tensor, values: int = 1 << 24) -> Iterator[Tensor]:
    """Pieces of a tensor, so that hashing weights of another device never copies them whole."""
    yield from weight.flatten().split(values)
