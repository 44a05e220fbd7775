"""What a model can be asked for: its layers and its context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genolm.errors import InputError, ModelError

if TYPE_CHECKING:
    from genolm.models.model import Model


def check_layer(layer: object, *, several: bool = True) -> None:
    """Raise `InputError` for a layer that no model can have; ``several``: whether ``"all"`` is possible."""
    if layer is None or (several and layer == "all"):
        return
    if isinstance(layer, bool) or not isinstance(layer, int):
        raise InputError("layer must be a whole number" + (" or 'all'" if several else ""), value=layer)


def choose_layers(model: Model, layer: int | Literal["all"] | None) -> tuple[int, ...]:
    """The hidden states that a user means: None is the card's, negative numbers count from the end.

    Raises:
        InputError: neither a number nor ``"all"``.
        ModelError: the model has no such layer.
    """
    check_layer(layer)
    last = model.config.num_layers
    if layer == "all":
        return tuple(range(last + 1))
    wanted = layer if layer is not None else model.card.layer if model.card.layer is not None else last
    if not isinstance(wanted, int) or not -last - 1 <= wanted <= last:
        raise ModelError(f"{model.card.name} has no layer {wanted}: layers go from 0 (embedding) to {last}, or 'all'")
    return (wanted + last + 1 if wanted < 0 else wanted,)


def context_bases(model: Model, context: int | None = None) -> int:
    """Most bases of one window: ``context``, or what the model can read.

    Raises:
        ModelError: the model cannot read so many.
    """
    most = model.max_bases
    if context is not None and not 1 <= context <= most:
        raise ModelError(f"a context of {context:,} bases is not within the 1 to {most:,} of {model.card.name}")
    return most if context is None else context
