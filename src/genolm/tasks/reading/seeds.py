"""The seed that a verb is given: one range for all of them."""

from __future__ import annotations

from genolm.errors import InputError

LARGEST = 2**32 - 1
"""Seeds of scikit-learn go no further, so none do."""


def check_seed(seed: int) -> None:
    """Refuses a seed that some generator of random numbers would not take, before anything is computed.

    Raises:
        InputError: a seed below 0 or above :data:`LARGEST`.
    """
    if not 0 <= seed <= LARGEST:
        raise InputError(f"a seed is from 0 to {LARGEST}", value=seed)
