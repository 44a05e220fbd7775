"""Valid range of random seeds."""

from __future__ import annotations

from genolm.errors import InputError

LARGEST = 2**32 - 1
"""Largest seed, as in scikit-learn."""


def check_seed(seed: int) -> None:
    """Check that all random number generators accept a seed.

    Raises:
        InputError: if the seed is below 0 or above :data:`LARGEST`.
    """
    if not 0 <= seed <= LARGEST:
        raise InputError(f"seed must be from 0 to {LARGEST}", value=seed)
