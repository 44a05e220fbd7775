"""Importing optional dependencies."""

import json

import pytest

from genolm.errors import GenolmError
from genolm.files.optional import require


def test_an_installed_module_is_returned():
    assert require("json", extra="x") is json


def test_a_missing_module_names_the_extra():
    with pytest.raises(GenolmError) as caught:
        require("no_such_module.part", extra="anndata", purpose="writing h5ad files", package="no-such")
    message = "writing h5ad files requires no-such, which is not installed; pip install 'genolm[anndata]'"
    assert str(caught.value) == message
