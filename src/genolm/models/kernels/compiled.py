"""Kernels compiled by torch for the processor, which on a CPU needs a C++ compiler."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from genolm.errors import ResourceError

Elementwise = Callable[..., Tensor]


def has_compiler() -> bool:
    """Return whether torch finds a C++ compiler."""
    return shutil.which(os.environ.get("CXX", "g++")) is not None


def compiled(function: Elementwise) -> Elementwise:
    """Return a function that is compiled at its first call, for any number of rows.

    Raises:
        ResourceError: (when called) this machine has no C++ compiler, although the run selected compiled kernels.
    """

    def call(*arguments: object) -> Tensor:
        return _compile(function)(*arguments)

    return call


@cache
def _compile(function: Elementwise) -> Elementwise:
    if not has_compiler():
        raise ResourceError("the run uses compiled kernels, but this machine has no C++ compiler: install g++")
    made: Elementwise = torch.compile(function, dynamic=True)
    return made
