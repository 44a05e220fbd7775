"""Checks that the outputs of a model are finite: NaN and infinity are never reported as results.

Shapes: B rows of a batch, L tokens, D values of a token.
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
from genolm.remedies import Notice, Remedy

if TYPE_CHECKING:
    from genolm.models.model import Model

Float = NDArray[np.floating]
WIDER_PRECISION = (Remedy("dtype", "float32"), Remedy("dtype", "bfloat16"))
"""Remedy for numbers beyond the range of float16."""


def require_finite(model: Model, values: Tensor | Float, counted_BL: Tensor | None = None) -> None:
    """Raise an error unless all values of a batch are finite.

    If they are, this costs one sum over the last dimension and no copy of the values.

    Args:
        model: model that computed the values.
        values: values by row of the batch, (B, …).
        counted_BL: True for the values to check, by the first two dimensions; None checks all.

    Raises:
        NonFiniteError: with the index of the first row that is not finite.
    """
    row = first_not_finite(values, counted_BL)
    if row is not None:
        raise not_finite(model, row)


def first_not_finite(values: Tensor | Float, counted_BL: Tensor | None = None) -> int | None:
    """Return the index of the first row with a value that is not finite; None if all are finite."""
    values = torch.from_numpy(np.ascontiguousarray(values)) if isinstance(values, np.ndarray) else values.detach()
    if not values.numel():
        return None
    # A sum is finite only if all its terms are. Finite terms may overflow it, so the terms decide in the end.
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
    """Translate the row of a `NonFiniteError` raised inside, for some rows of a batch, to its index in the batch.

    Args:
        numbers: indices of these rows in the batch.
    """
    try:
        yield
    except NonFiniteError as error:
        raise NonFiniteError(error.model, error.cause, row=numbers[error.row], part=error.part) from None


def require_finite_rows(model: Model, rows: Sequence[Tensor | Float], network: nn.Module | None = None) -> None:
    """Raise an error unless all values are finite, as :func:`require_finite` does, for rows of different shapes.

    Args:
        model: model that computed the values.
        rows: array of each row of a batch.
        network: null model that computed the values instead.

    Raises:
        NonFiniteError: with the index of the first row that is not finite.
    """
    for number, values in enumerate(rows):
        if first_not_finite(values) is not None:
            raise not_finite(model, number, network=network)


def not_finite(model: Model, row: int = 0, part: int = 0, *, network: nn.Module | None = None) -> NonFiniteError:
    """Return the error for values that are not finite, with the likely cause and the remedy.

    Args:
        model: the model.
        row: index of the sequence in its batch.
        part: index of the requested position in that sequence.
        network: null model that computed the values instead.
    """
    used = model.network if network is None else network
    name = model.card.name if used is model.network else f"the null model of {model.card.name}"
    precision = str(next(used.parameters()).dtype).removeprefix("torch.")
    return NonFiniteError(f"{name} in {precision}", cause(used), row=row, part=part)


@torch.no_grad()
def cause(network: nn.Module) -> Notice:
    """Return the likely cause of values that are not finite, given the precision and the weights, with the remedy."""
    damaged = next((name for name, weight in network.named_parameters() if not bool(weight.isfinite().all())), None)
    if next(network.parameters()).dtype == torch.float16:
        what = "numbers" if damaged is None else f"numbers, among them the weight {damaged},"
        return Notice(f"{what} beyond 65,504 overflow in float16, or the weights are damaged", WIDER_PRECISION)
    if damaged is not None:
        return Notice(
            f"the weight {damaged} holds such numbers: the weights are damaged",
            ("download or convert the model again",),
        )
    return Notice(
        "the weights are too large for this precision or damaged",
        (Remedy("dtype", "float32"), "get the model again"),
    )
