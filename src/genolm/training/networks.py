"""The network that a recipe asks for."""

from __future__ import annotations

from genolm.models.config import DecoderConfig
from genolm.models.decoder import Decoder
from genolm.models.encoder import Encoder
from genolm.models.encoder_config import EncoderConfig
from genolm.tokens.tokenizer import Tokenizer

Config = DecoderConfig | EncoderConfig
Network = Decoder | Encoder


def bare_network(config: Config, tokenizer: Tokenizer) -> Network:
    """A decoder or an encoder whose weights are still to be filled."""
    if isinstance(config, EncoderConfig):
        return Encoder(config)
    return Decoder(config, tokenizer.base_ids, tokenizer.n_id)
