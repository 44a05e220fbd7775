"""Networks, their configs, the zoo, checkpoints and adapters. Names are imported when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genolm.models.card import Card as Card
    from genolm.models.config import DecoderConfig as DecoderConfig
    from genolm.models.conversion import convert as convert
    from genolm.models.conversion import save as save
    from genolm.models.decoder import Decoder as Decoder
    from genolm.models.hub import download as download
    from genolm.models.inspection import ModelInfo as ModelInfo
    from genolm.models.inspection import describe as describe
    from genolm.models.inspection import models_table as models_table
    from genolm.models.loading import load as load
    from genolm.models.model import Model as Model

_MODULES = {
    "Card": "card",
    "DecoderConfig": "config",
    "convert": "conversion",
    "save": "conversion",
    "Decoder": "decoder",
    "download": "hub",
    "ModelInfo": "inspection",
    "describe": "inspection",
    "models_table": "inspection",
    "load": "loading",
    "Model": "model",
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> object:
    """Import a public name on first use; most of them need torch, which takes a second to import."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return __all__
