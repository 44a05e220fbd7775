"""The config of either kind of network."""

from __future__ import annotations

from typing import TypeAlias

from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig

NetworkConfig: TypeAlias = DecoderConfig | EncoderConfig
"""What a network is made of: a decoder (next token) or an encoder (masked token)."""
