"""Checkpoints: tokenizer, card and matched tensors of a model folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from genolm.errors import ModelError
from genolm.models.adapters.pieces import StoredTensor
from genolm.models.adapters.tokenizer_files import tokenizer_of
from genolm.models.card import Card
from genolm.models.checkpoints.layouts import MatchedTensors, match_tensors
from genolm.models.checkpoints.model_folder import Layout, ModelFolder
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.network_config import NetworkConfig
from genolm.models.zoo.zoo_entry import Entry
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.tokenizer import CLS, SEP, Tokenizer


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model whose files agree with each other; its weights are still on disk.

    Attributes:
        tokenizer: its tokenizer.
        card: its card.
        tensors: config and location of its weights.
    """

    tokenizer: Tokenizer
    card: Card
    tensors: MatchedTensors

    @property
    def config(self) -> NetworkConfig:
        """Config of the network."""
        return self.tensors.config


def match_folder(folder: ModelFolder, stored: Mapping[str, StoredTensor], entry: Entry | None = None) -> Checkpoint:
    """Read the tokenizer of a folder and match its tensors to its config.

    Args:
        folder: the folder.
        stored: its tensors.
        entry: zoo entry of the model, for what its files do not say.

    Raises:
        ModelError: tokenizer, config and tensors do not agree.
    """
    tokenizer = tokenizer_of(folder.tokenizer, folder.path, folder.network)
    tensors = match_tensors(stored, folder.network, folder.layout, str(folder.path), folder.values)
    card = with_notes(card_of(folder, tokenizer, entry.card if entry else None), tensors.notes)
    config = with_token_rows(tensors.config, folder.layout, tokenizer, str(folder.path))
    tokenizer = entry.with_settings(tokenizer) if entry else tokenizer
    return Checkpoint(tokenizer, card, replace(tensors, config=config))


def card_of(folder: ModelFolder, tokenizer: Tokenizer, card: Card | None = None) -> Card:
    """Return the card of a folder; else ``card``; else what its config and its tokenizer say."""
    card = folder.card or card
    if card is None:
        precision = folder.values.get("torch_dtype") or folder.values.get("dtype") or "float32"
        card = Card(
            folder.path.resolve().name,
            family=str(folder.values["model_type"]),
            objective="causal" if isinstance(folder.network, DecoderConfig) else "masked",
            precision=str(precision),
        )
        if _has_bert_tokens(tokenizer):  # BERT and GenomeOcean were trained with these around every sequence
            card = replace(card, begin=(CLS,), end=(SEP,))
    return card if card.context else replace(card, context=folder.network.max_positions)


def _has_bert_tokens(tokenizer: Tokenizer) -> bool:
    if isinstance(tokenizer, NucleotideTokenizer):
        return False
    try:
        return all(tokenizer.special_id(name) >= 0 for name in (CLS, SEP))
    except ModelError:
        return False


def with_notes(card: Card, notes: tuple[str, ...]) -> Card:
    """Add notes to a card, except those it already has."""
    return replace(card, notes=(*card.notes, *(note for note in notes if note not in card.notes)))


def with_token_rows(config: NetworkConfig, layout: Layout, tokenizer: Tokenizer, where: str) -> NetworkConfig:
    """Set the number of tokens of an encoder whose embedding has more rows than its tokenizer has tokens.

    Published configs do not state it; our own do.

    Raises:
        ModelError: the tokenizer has more tokens than the config states.
    """
    if not isinstance(config, EncoderConfig):
        return config
    tokens = tokenizer.vocab_size
    if tokens > config.tokens:
        raise ModelError(
            f"{where}: its tokenizer has {tokens} tokens, but its config has token_rows {config.token_rows}"
        )
    fewer = layout != "genolm" and not config.token_rows and tokens < config.vocab_size
    return replace(config, token_rows=tokens) if fewer else config
