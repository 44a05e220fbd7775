"""The result of a row does not depend on other rows of the batch or on padding."""

import pytest
import torch

PAD = 14
CLOSE = {"atol": 2e-5, "rtol": 2e-4}


def run(network, ids_BL, **kwargs):
    """Logits and all hidden states."""
    layers = range(network.config.num_layers + 1)
    output = network(ids_BL, layers=layers, **kwargs)
    return torch.cat([output.logits_BLV, *(output.hidden[layer] for layer in layers)], -1)


def padded(rows, amount, side, filler=PAD):
    """Return a batch of rows of different lengths with ``amount`` extra padding, and its mask."""
    width = max(map(len, rows)) + amount
    ids = torch.full((len(rows), width), filler)
    mask = torch.zeros(len(rows), width, dtype=torch.bool)
    for number, row in enumerate(rows):
        own = slice(0, len(row)) if side == "right" else slice(width - len(row), width)
        ids[number, own], mask[number, own] = row, True
    return ids, mask


def test_batch_equals_single(network, ids):
    batch = ids(4, 33)
    alone = torch.cat([run(network, row[None]) for row in batch])
    torch.testing.assert_close(run(network, batch), alone, **CLOSE)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("amount", [0, 1, 13])
def test_side_and_amount_of_padding_change_nothing(network, ids, side, amount):
    rows = [ids(1, length, seed=length)[0] for length in (29, 1, 12, 17)]
    batch, mask = padded(rows, amount, side)
    together = run(network, batch, mask_BL=mask)
    for number, row in enumerate(rows):
        torch.testing.assert_close(together[number][mask[number]], run(network, row[None])[0], **CLOSE)


def test_right_padding_needs_no_mask(network, ids):
    rows = [ids(1, length, seed=length)[0] for length in (29, 12)]
    batch, mask = padded(rows, 5, "right")
    together = run(network, batch)
    for number, row in enumerate(rows):
        torch.testing.assert_close(together[number][mask[number]], run(network, row[None])[0], **CLOSE)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_neighbour_never_leaks(network, ids, side):
    own, one, other = ids(1, 18, seed=1)[0], ids(1, 25, seed=2)[0], ids(1, 25, seed=3)[0]
    results = []
    for neighbour in (one, other):
        batch, mask = padded([neighbour, own], 3, side)
        results.append(run(network, batch, mask_BL=mask)[1][mask[1]])
    torch.testing.assert_close(results[0], results[1], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_what_a_pad_holds_is_never_seen(network, ids, side):
    rows = [ids(1, 25, seed=1)[0], ids(1, 11, seed=2)[0]]
    results = []
    for filler in (PAD, 12, 4, 8):  # the last one is a base
        batch, mask = padded(rows, 2, side, filler)
        results.append(run(network, batch, mask_BL=mask)[1][mask[1]])
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], atol=1e-6, rtol=1e-5)


def test_packed_documents_equal_separate_ones(network, ids):
    memory = network.config.gengram
    if memory is not None and memory.compat != "none":
        pytest.skip("computes as its released code does, which reads k-mers across borders; its card says so")
    lengths = (9, 1, 21, 2, 14)
    rows = [ids(1, length, seed=length) for length in lengths]
    documents = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))[None]
    together = run(network, torch.cat(rows, 1), documents_BL=documents)
    separate = torch.cat([run(network, row) for row in rows], 1)
    torch.testing.assert_close(together, separate, **CLOSE)


def test_a_token_depends_on_those_before_it_only(network, ids):
    whole = ids(2, 40)
    changed = whole.clone()
    changed[:, 25:] = ids(2, 15, seed=9)
    torch.testing.assert_close(run(network, changed)[:, :25], run(network, whole)[:, :25], atol=1e-6, rtol=1e-5)
    assert not torch.allclose(run(network, changed)[:, 26:], run(network, whole)[:, 26:], atol=1e-3)
