"""Checkpoints: tokenizer, card and matched tensors of a model folder, or of a model in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from genolm.models.adapters.pieces import MemoryTensor, Piece, StoredTensor
from genolm.models.adapters.tokenizer_files import tokenizer_of
from genolm.models.card import Card, complete_card
from genolm.models.checkpoints.head_files import read_heads
from genolm.models.checkpoints.matching import MatchedTensors, match_tensors
from genolm.models.checkpoints.model_folder import ModelFolder
from genolm.models.heads.headed_network import Head
from genolm.models.networks.network import Network, tensor_shapes, tensors_of
from genolm.models.networks.network_config import NetworkConfig
from genolm.models.zoo.zoo_entry import Entry
from genolm.tokens.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model whose files agree with each other; its weights are still on disk.

    Attributes:
        tokenizer: its tokenizer.
        card: its card.
        tensors: config and location of its weights.
        heads: added heads, by name.
    """

    tokenizer: Tokenizer
    card: Card
    tensors: MatchedTensors
    heads: Mapping[str, Head] = field(default_factory=dict)

    @property
    def config(self) -> NetworkConfig:
        """Config of the network."""
        return self.tensors.config

    @classmethod
    def of_network(
        cls, network: Network, tokenizer: Tokenizer, card: Card, heads: Mapping[str, Head] = MappingProxyType({})
    ) -> Checkpoint:
        """Return a model in memory as a checkpoint."""
        stored = {name: MemoryTensor(tensor) for name, tensor in tensors_of(network).items()}
        shapes, layouts = tensor_shapes(network.config), network.config.layout_shapes()
        pieces = [Piece(name, name) for name in shapes]
        tensors = MatchedTensors(network.config, shapes, pieces, stored, {name: stored[name] for name in layouts})
        return cls(tokenizer, card, tensors, heads)


def match_folder(folder: ModelFolder, stored: Mapping[str, StoredTensor], entry: Entry | None = None) -> Checkpoint:
    """Read the tokenizer of a folder and match its tensors to its config.

    Args:
        folder: the folder.
        stored: its tensors.
        entry: zoo entry of the model, for what its files do not say.

    Raises:
        ModelError: tokenizer, config and tensors do not agree.
    """
    where, config = str(folder.path), folder.network
    tokenizer = tokenizer_of(folder.tokenizer, folder.path, config)
    tensors = match_tensors(stored, config, folder.layout, where, folder.values)
    own = folder.layout == "genolm"
    tensors = replace(tensors, config=tensors.config.for_tokens(tokenizer.vocab_size, where, stated=own))
    tokenizer = entry.with_settings(tokenizer) if entry else tokenizer
    known = folder.card or (entry.card if entry else None)
    card = complete_card(known, folder.path.resolve().name, folder.values, config, tokenizer)
    heads = read_heads(folder.path, card.heads, tensors.config)
    return Checkpoint(tokenizer, card.with_notes(tensors.notes), tensors, heads)
