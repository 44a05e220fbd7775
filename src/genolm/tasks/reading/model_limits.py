"""Limits of a model: layers, context and readable letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genolm.errors import InputError, ModelError
from genolm.tokens.tokenizer import Tokenizer

if TYPE_CHECKING:
    from genolm.models.model import Model


def check_layer(layer: object, *, several: bool = True) -> None:
    """Raise `InputError` unless the layer is None, a whole number or, with ``several``, ``"all"``."""
    if layer is None or (several and layer == "all"):
        return
    if isinstance(layer, bool) or not isinstance(layer, int):
        raise InputError("layer must be a whole number" + (" or 'all'" if several else ""), value=layer)


def choose_layers(model: Model, layer: int | Literal["all"] | None) -> tuple[int, ...]:
    """Return the numbers of the requested layers: None is the card's preference, negative numbers count from the end.

    Raises:
        InputError: if the layer is neither a whole number nor ``"all"``.
        ModelError: if the model does not have the layer.
    """
    check_layer(layer)
    last = model.config.num_layers
    if layer == "all":
        return tuple(range(last + 1))
    requested = layer if layer is not None else model.card.layer if model.card.layer is not None else last
    if not isinstance(requested, int) or not -last - 1 <= requested <= last:
        raise ModelError(
            f"{model.card.name} has no layer {requested}: expected 0 (embedding) to {last}, a negative number or 'all'"
        )
    return (requested + last + 1 if requested < 0 else requested,)


def context_bases(model: Model, context: int | None = None) -> int:
    """Return the maximum length of a window in bases: ``context``, or the model's maximum.

    Raises:
        ModelError: if the context is below 1 or exceeds the model's maximum.
    """
    maximum = model.max_bases
    if context is not None and not 1 <= context <= maximum:
        raise ModelError(
            f"context must be from 1 to {maximum:,} bases for {model.card.name}, not {context:,}",
            code="context-exceeded",
        )
    return maximum if context is None else context


_LETTERS = "ACGTNRYSWKMBDHV"


def unreadable_letters(tokenizer: Tokenizer) -> str:
    """Return the letters of genomes (bases, N and ambiguity codes) that the tokenizer cannot encode."""
    return "".join(letter for letter in _LETTERS if not _reads(tokenizer, letter))


def _reads(tokenizer: Tokenizer, letter: str) -> bool:
    try:
        tokenizer.encode(letter)
    except InputError:
        return False
    return True
