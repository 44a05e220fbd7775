"""Fixtures of the contract tests: small untrained models of all architectures in the zoo."""

import pytest
import torch
from tests.contracts.zoo_networks import (
    DECODERS,
    ENCODERS,
    model_of,
    random_network,
    random_token_network,
    token_model_of,
)

import genolm

TOKENS = [*ENCODERS, "genomeocean-100m", "genomeocean-4b"]


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _inference():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="session", params=DECODERS)
def network(request):
    return random_network(request.param)


@pytest.fixture(scope="session")
def model(network):
    return model_of(network)


@pytest.fixture(scope="session", params=ENCODERS)
def encoder(request):
    return random_network(request.param)


@pytest.fixture(scope="session", params=TOKENS)
def token_model(request):
    """A model with a multi-base tokenizer: all encoders, and GenomeOcean decoders."""
    return token_model_of(random_token_network(request.param))


@pytest.fixture(scope="session", params=[*TOKENS, "tiny-random-rmt", "bfloat16"])
def embedding_model(request):
    """A multi-base model for embedding, also with recurrent memory and in bf16."""
    if request.param == "bfloat16":
        return genolm.load("tiny-random-bert", device="cpu", dtype="bfloat16")
    if request.param == "tiny-random-rmt":
        return genolm.load(request.param, device="cpu")
    return token_model_of(random_token_network(request.param))


@pytest.fixture
def ids():
    """Return a function (B, L) -> reproducible ids of bases with some N."""

    def make(batch, length, seed=0):
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(5, 10, (batch, length), generator=generator)

    return make
