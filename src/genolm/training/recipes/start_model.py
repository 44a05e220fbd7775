"""Model that a run starts from: any checkpoint that genolm loads, in fp32 on the CPU."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property

from genolm.errors import GenolmError, InputError
from genolm.models.checkpoints.conversion_source import open_source
from genolm.models.checkpoints.load import load
from genolm.models.lora.base_weights import base_sha256
from genolm.models.model import Model
from genolm.models.networks.network_config import NetworkConfig


def start_config(start: str) -> NetworkConfig:
    """Return the config of the network of a model, without reading its weights.

    Args:
        start: name, folder or hub id; environment variables are expanded.

    Raises:
        InputError: the model does not exist or cannot be used.
    """
    try:
        return open_source(os.path.expandvars(start)).config
    except GenolmError as error:
        raise InputError(f"the recipe's start: {error}", code=error.code) from None


@dataclass(frozen=True)
class StartModel:
    """Model that a run starts from.

    Attributes:
        name: its name, folder or hub id, as written in the recipe.
        model: the model.
    """

    name: str
    model: Model

    @classmethod
    def read(cls, start: str) -> StartModel:
        """Load the model.

        Args:
            start: name, folder or hub id; environment variables are expanded.

        Raises:
            InputError: the model does not exist or cannot be used, or has a recurrent memory.
        """
        try:
            model = load(os.path.expandvars(start), device="cpu", dtype="float32")
        except GenolmError as error:
            raise InputError(f"the recipe's start: {error}", code=error.code) from None
        if model.recurrent is not None:
            raise InputError("the recipe's start has a recurrent memory, which is not trained", value=start)
        return cls(start, model)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of its weights, whatever precision they are stored in."""
        return base_sha256(self.model.network)

    def digest_with(self, data: str) -> str:
        """Return the SHA-256 of its weights together with the digest of the data."""
        return hashlib.sha256(f"{data}\n{self.sha256}".encode()).hexdigest()
