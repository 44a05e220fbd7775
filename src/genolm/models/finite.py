"""Refusing what a model computes when it is not a number: NaN and infinity are never results.

Shapes: B rows of a batch, L tokens, D whatever a token has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genolm.errors import NonFiniteError

if TYPE_CHECKING:
    from genolm.models.model import Model

Float = NDArray[np.floating]


def require_finite(model: Model, values: Tensor | Float, counted_BL: Tensor | None = None) -> None:
    """Raise unless all numbers of a batch are finite.

    The usual case costs one sum over the last dimension, and no copy of the values.

    Args:
        model: the model whose numbers they are.
        values: (B, …), the first dimension being the rows of a batch.
        counted_BL: True at the first two dimensions of ``values`` that are read; None for all.

    Raises:
        NonFiniteError: with the number of the first row concerned.
    """
    row = first_not_finite(values, counted_BL)
    if row is not None:
        raise not_finite(model, row)


def first_not_finite(values: Tensor | Float, counted_BL: Tensor | None = None) -> int | None:
    """Return the number of the first row with a number that is not finite; None where all are finite."""
    values = torch.from_numpy(np.ascontiguousarray(values)) if isinstance(values, np.ndarray) else values.detach()
    if not values.numel():
        return None
    # A sum is finite only if all its terms are; finite terms may still overflow it, so that the terms decide.
    sums = values if values.ndim == 1 else values.sum(-1, dtype=torch.promote_types(values.dtype, torch.float32))
    suspect = ~sums.isfinite()
    if counted_BL is not None:
        suspect &= counted_BL.reshape(counted_BL.shape + (1,) * (suspect.ndim - counted_BL.ndim))
    if not bool(suspect.any()):
        return None
    for row in suspect.flatten(1).any(1).nonzero()[:, 0].tolist() if suspect.ndim > 1 else suspect.nonzero()[:, 0]:
        if not bool(values[row][suspect[row]].isfinite().all()):
            return int(row)
    return None


@contextmanager
def rows_numbered(numbers: Sequence[int]) -> Iterator[None]:
    """Make the row of a `NonFiniteError` raised inside, which is of some rows of a batch, that of the whole batch.

    Args:
        numbers: of these rows in the whole batch.
    """
    try:
        yield
    except NonFiniteError as error:
        raise NonFiniteError(error.model, error.remedy, row=numbers[error.row], part=error.part) from None


def require_finite_rows(model: Model, rows: Sequence[Tensor | Float], network: nn.Module | None = None) -> None:
    """Raise unless all numbers are finite; as :func:`require_finite` for rows that differ in shape.

    Args:
        model: the model whose numbers they are.
        rows: one array for each row of a batch.
        network: the null model that they come from instead.

    Raises:
        NonFiniteError: with the number of the first row concerned.
    """
    for number, values in enumerate(rows):
        if first_not_finite(values) is not None:
            raise not_finite(model, number, network=network)


def not_finite(model: Model, row: int = 0, part: int = 0, *, network: nn.Module | None = None) -> NonFiniteError:
    """Return the error for a model whose numbers are not finite, with the likely cause and the remedy.

    Args:
        model: the model.
        row: number of the sequence in its batch.
        part: number of the place among those asked about in that sequence.
        network: the null model that the numbers come from instead.
    """
    used = model.network if network is None else network
    name = model.card.name if used is model.network else f"the null model of {model.card.name}"
    precision = str(next(used.parameters()).dtype).removeprefix("torch.")
    return NonFiniteError(f"{name} in {precision}", remedy(used), row=row, part=part)


@torch.no_grad()
def remedy(network: nn.Module) -> str:
    """Return what to do about numbers that are not finite, from the network's precision and weights."""
    damaged = next((name for name, weight in network.named_parameters() if not bool(weight.isfinite().all())), None)
    if next(network.parameters()).dtype == torch.float16:
        what = "numbers" if damaged is None else f"numbers, among them the weight {damaged},"
        return (
            f"{what} beyond 65,504 overflow in float16; use --dtype float32 or bfloat16 (if that doesn't help, the"
            " weights are damaged)"
        )
    if damaged is not None:
        return f"the weight {damaged} holds such numbers: the weights are damaged; download or convert the model again"
    return "the weights are too large for this precision or damaged; try --dtype float32, or get the model again"
