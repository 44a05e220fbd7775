"""Every kernel of every operation gives the numbers of the default ones, except for rounding."""

import itertools

import pytest
import torch
from tests.contracts.zoo_networks import DECODERS, ENCODERS, random_network, random_token_network

from genolm.errors import ResourceError
from genolm.models.kernel_selection import LINEAR
from genolm.models.kernels.compiled import compiled, has_compiler
from genolm.models.kernels.kernels import Kernels
from genolm.models.networks.attention.attention import ATTENTION, TRAINED_ATTENTION
from genolm.models.networks.attention.step_attention import STEP_ATTENTION
from genolm.models.networks.decoder import Decoder
from genolm.models.networks.experts import EXPERTS, GATE
from genolm.models.networks.packed_linear import STEP_LINEAR
from genolm.models.networks.stepping import begin_steps, is_plain
from genolm.models.norm import NORM

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def pins(*operations):
    return [((operation.name, name),) for operation in operations for name in operation.candidates]


def decoder_pins(*operations):
    """Pairs of a decoder and a kernel; those of experts for decoders with experts only."""
    pairs = itertools.product(DECODERS, pins(*operations))
    return [(name, pin) for name, pin in pairs if pin[0][0] != EXPERTS.name or random_network(name).config.num_experts]


def ids_of(network, rows=3, length=40):
    return torch.randint(5, 9, (rows, length), generator=torch.Generator().manual_seed(1))


def logits(network, ids, mask=None):
    output = network(ids, mask_BL=mask)
    return output.logits_BLV if isinstance(network, Decoder) else output.logits


@pytest.mark.parametrize(("name", "pin"), decoder_pins(LINEAR, ATTENTION, EXPERTS), ids=str)
def test_logits_of_a_decoder(name, pin):
    network, mask = random_network(name), torch.ones(3, 40, dtype=torch.bool)
    mask[0, :7] = False  # padding on the left
    ids = ids_of(network)
    with torch.inference_mode():
        expected = logits(network, ids), logits(network, ids, mask)[mask]
        with Kernels(pin).imposed():
            got = logits(network, ids), logits(network, ids, mask)[mask]
    torch.testing.assert_close(got, expected, **CLOSE)


@pytest.mark.parametrize("pin", pins(LINEAR), ids=str)
@pytest.mark.parametrize("name", ENCODERS)
def test_logits_of_an_encoder(name, pin):
    network = random_token_network(name)
    ids = ids_of(network)
    with torch.inference_mode():
        expected = logits(network, ids)
        with Kernels(pin).imposed():
            torch.testing.assert_close(logits(network, ids), expected, **CLOSE)


@pytest.mark.parametrize(("name", "pin"), decoder_pins(ATTENTION, EXPERTS), ids=str)
def test_hidden_states_of_a_decoder_in_bf16(name, pin):
    """Every kernel is as close to fp32 as the default one is."""
    ids, exact = ids_of(random_network(name), length=300), random_network(name)
    network = random_network(name).bfloat16()
    last = network.config.num_layers
    with torch.inference_mode():
        expected = exact(ids, layers=(last,), logits=False).hidden[last]
        errors = []
        for kernels in (Kernels(), Kernels(pin)):
            with kernels.imposed():
                found = network(ids, layers=(last,), logits=False).hidden[last].float()
            # The median over tokens: rounding may send a token to another expert.
            errors.append((found - expected).norm(dim=-1).median() / expected.norm(dim=-1).median())
    assert errors[1] < 2 * errors[0] + 1e-4


@pytest.mark.parametrize(("name", "pin"), decoder_pins(LINEAR, TRAINED_ATTENTION, EXPERTS), ids=str)
@torch.inference_mode(False)
def test_gradients(name, pin):
    network, expected = random_network(name), {}
    ids, documents = ids_of(network), torch.arange(40).expand(3, 40) // 17
    for kernels in (Kernels(), Kernels(pin)):
        network.zero_grad()
        with kernels.imposed():
            network(ids, documents_BL=documents).logits_BLV.log_softmax(-1)[..., 5].mean().backward()
        found = {name: weight.grad.clone() for name, weight in network.named_parameters() if weight.grad is not None}
        expected = expected or found
    assert found.keys() == expected.keys()
    for key, gradient in found.items():
        torch.testing.assert_close(gradient, expected[key], msg=key, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("pin", pins(STEP_LINEAR, STEP_ATTENTION), ids=str)
@pytest.mark.parametrize("name", [name for name in DECODERS if is_plain(random_network(name))])
def test_steps(name, pin):
    network = random_network(name)
    ids = ids_of(network)
    with torch.inference_mode(), Kernels(pin).imposed():
        first, steps = begin_steps(network, ids[:, :30], None, 64)
        got = [first, *(steps.next(ids[:, position]) for position in range(30, 40))]
        torch.testing.assert_close(torch.stack(got, 1), logits(network, ids)[:, 29:], rtol=1e-3, atol=1e-4)


def test_a_branch_is_the_same_with_every_attention():
    network = random_network(DECODERS[0])
    ids = ids_of(network, rows=1)
    with torch.inference_mode():
        cache = network.new_cache(branches=True)
        network(ids, cache=cache)
        expected = network.branch(ids_of(network, 2, 12), [10, 30], cache).logits_BLV
        for pin in pins(ATTENTION):
            with Kernels(pin).imposed():
                torch.testing.assert_close(
                    network.branch(ids_of(network, 2, 12), [10, 30], cache).logits_BLV, expected, **CLOSE
                )


@pytest.mark.skipif(not has_compiler(), reason="compiled kernels need a C++ compiler")
def test_compiled_norms_and_gates():
    network = random_network("genos-1.2b")
    ids = ids_of(network)
    with torch.inference_mode():
        expected = logits(network, ids)
        with Kernels(((NORM.name, "compiled"), (GATE.name, "compiled"))).imposed():
            torch.testing.assert_close(logits(network, ids), expected, **CLOSE)


def test_compiled_kernels_without_a_compiler_are_an_error(monkeypatch):
    monkeypatch.setattr("genolm.models.kernels.compiled.shutil.which", lambda name: None)
    with pytest.raises(ResourceError, match="no C\\+\\+ compiler"):
        compiled(lambda x: x)(torch.zeros(1))
