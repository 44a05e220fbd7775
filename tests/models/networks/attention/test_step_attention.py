"""Both orders of keys and values find what attention is defined to find, while places are added and heads leave."""

import pytest
import torch

from genolm.models.networks.attention.step_attention import AcrossRows, AlongRows, step_attention

WIDTH = 6


def expected(q_NGE, k_NCE, v_NCE, hidden_NC):
    weights = (q_NGE @ k_NCE.transpose(1, 2) * WIDTH**-0.5 + hidden_NC[:, None]).softmax(-1)
    return weights @ v_NCE


@pytest.mark.parametrize("kind", [AcrossRows, AlongRows])
@pytest.mark.parametrize("groups", [1, 3])
def test_found_is_what_the_definition_finds(kind, groups):
    heads, room = 4, 9
    random = torch.Generator().manual_seed(0)
    k_NCE, v_NCE = (torch.randn(heads, room, WIDTH, generator=random, dtype=torch.float64) for _ in range(2))
    hidden_NC = torch.zeros(heads, room, dtype=torch.float64)
    hidden_NC[1, :2] = float("-inf")
    memory = kind()
    memory.remember(k_NCE[:, :3], v_NCE[:, :3])
    memory.grow(4)
    for place in range(3, room):
        if place == 5:
            left = torch.tensor([3, 1])
            memory.keep(left)
            k_NCE, v_NCE, hidden_NC = k_NCE[left], v_NCE[left], hidden_NC[left]
        if place == 7:
            memory.grow(4)
        q_NGE = torch.randn(len(k_NCE), groups, WIDTH, generator=random, dtype=torch.float64)
        buffer_N1C = torch.full((len(k_NCE), 1, 7 if place < 7 else 11), float("-inf"), dtype=torch.float64)
        buffer_N1C[:, 0, : place + 1] = hidden_NC[:, : place + 1]
        found = memory.attend(q_NGE, k_NCE[:, place], v_NCE[:, place], buffer_N1C, place)
        wanted = expected(q_NGE, k_NCE[:, : place + 1], v_NCE[:, : place + 1], hidden_NC[:, : place + 1])
        torch.testing.assert_close(found, wanted)


def test_only_fp32_on_a_cpu_goes_along_rows():
    assert isinstance(step_attention(torch.float32, torch.device("cpu")), AlongRows)
    for dtype, device in ((torch.bfloat16, "cpu"), (torch.float64, "cpu"), (torch.float32, "cuda")):
        assert isinstance(step_attention(dtype, torch.device(device)), AcrossRows)
