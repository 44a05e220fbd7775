"""A network, its tokenizer and its card: what every task is given."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import torch
from torch import Tensor

from genolm.errors import ResourceError
from genolm.models.card import Card
from genolm.models.config import DecoderConfig
from genolm.models.decoder import Decoder
from genolm.tokens.tokenizer import Tokenizer


class Model:
    """A decoder ready for inference; :func:`genolm.load` makes one.

    Args:
        network: the decoder, with weights.
        tokenizer: bases to ids and back; its ids are rows of the network's embedding.
        card: what to know before using it.
    """

    def __init__(self, network: Decoder, tokenizer: Tokenizer, card: Card) -> None:
        self.network, self.tokenizer, self.card = network.eval(), tokenizer, card
        self._fingerprint: str | None = None

    def __repr__(self) -> str:
        """Name, size, precision and device."""
        return f"Model({self.card.name!r}, {self.config.parameters:,} parameters, {self.dtype}, {self.device})"

    @property
    def config(self) -> DecoderConfig:
        """The network's numbers."""
        return self.network.config

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.network.embedding.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the weights."""
        return self.network.embedding.weight.dtype

    @property
    def context(self) -> int:
        """Longest input, in tokens, that the weights were made for."""
        return self.card.context or self.config.max_positions

    @property
    def fingerprint(self) -> str:
        """sha256, in hex, of config and weights as they are in memory; the same on every device."""
        if self._fingerprint is None:
            self._fingerprint = fingerprint(self.network)
        return self._fingerprint

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Model:
        """This model, moved in place to ``device`` and ``dtype``; what is None stays.

        Raises:
            ResourceError: the device has no room for the weights.
        """
        try:
            self.network.to(device=device, dtype=dtype)
        except torch.OutOfMemoryError as error:
            raise ResourceError(f"{self.card.name} does not fit on {device}: {error}") from error
        self._fingerprint = None
        return self


def fingerprint(network: Decoder) -> str:
    """sha256, in hex, of a network's config and of the names, types, shapes and bytes of its weights."""
    digest = hashlib.sha256(json.dumps(network.config.to_dict(), sort_keys=True).encode())
    for name, weight in sorted(network.named_parameters()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        for block in _blocks(weight.detach()):
            digest.update(block.cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _blocks(weight: Tensor, values: int = 1 << 24) -> Iterator[Tensor]:
    """Pieces of a tensor, so that hashing weights of another device never copies them whole."""
    yield from weight.flatten().split(values)
