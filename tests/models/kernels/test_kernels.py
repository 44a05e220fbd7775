"""Kernels of a run."""

import pytest

from genolm.errors import RunError
from genolm.models.kernels.kernels import Kernels
from genolm.models.networks.experts import EXPERTS


def test_a_kernel_that_this_version_does_not_have_is_an_error():
    with Kernels(((f"{EXPERTS.name} bfloat16", "of another version"),)).imposed():
        assert EXPERTS.named("float32", "by expert") == "by expert"
        with pytest.raises(RunError, match="'of another version' for experts, which this version does not have"):
            EXPERTS.kernel("bfloat16", "by expert")
