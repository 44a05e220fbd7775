"""Chunked passes and branches of a cache equal one full pass."""

import pytest
import torch

from genolm.errors import ModelError

CLOSE = {"atol": 2e-5, "rtol": 2e-4}


def run(network, ids_BL, **kwargs):
    output = network(ids_BL, layers=range(network.config.num_layers + 1), **kwargs)
    return joined([output])


def joined(outputs):
    """Return logits and hidden states of consecutive passes."""
    pieces = [torch.cat([one.logits_BLV, *(one.hidden[key] for key in sorted(one.hidden))], -1) for one in outputs]
    return torch.cat(pieces, 1)


@pytest.mark.parametrize("sizes", [(1,) * 24, (24,), (9, 1, 1, 13), (1, 22, 1)], ids=str)
def test_cache_equals_full_pass(network, ids, sizes):
    whole, cache = ids(3, 24), network.new_cache()
    pieces = [run(network, piece, cache=cache) for piece in whole.split(sizes, 1)]
    assert cache.length == 24
    torch.testing.assert_close(torch.cat(pieces, 1), run(network, whole), **CLOSE)


def test_cache_equals_full_pass_under_left_padding(network, ids):
    whole, mask = ids(3, 24), torch.ones(3, 24, dtype=torch.bool)
    mask[1, :5], mask[2, :11] = False, False
    whole = whole.masked_fill(~mask, network.config.pad_id)
    cache = network.new_cache()
    first = run(network, whole[:, :15], mask_BL=mask[:, :15], cache=cache)
    rest = [run(network, whole[:, column : column + 1], cache=cache) for column in range(15, 24)]
    together = torch.cat([first, *rest], 1)
    for number, row in enumerate(whole):
        alone = run(network, row[mask[number]][None])[0]
        torch.testing.assert_close(together[number][mask[number]], alone, **CLOSE)


@pytest.mark.parametrize("chunk", [1, 7, 16, 49, 50, 64])
def test_chunked_equals_whole(network, ids, chunk):
    whole = ids(2, 50)
    pieces = network.stream(whole, chunk=chunk, layers=range(network.config.num_layers + 1))
    torch.testing.assert_close(joined(pieces), run(network, whole), **CLOSE)


def test_branches_equal_full_passes(network, ids):
    reference, cache = ids(1, 30), network.new_cache(branches=True)
    network(reference, cache=cache)
    starts, tails = [0, 1, 2, 17, 29, 30], ids(6, 8, seed=5)
    output = network.branch(tails, starts, cache, layers=range(network.config.num_layers + 1))
    for number, start in enumerate(starts):
        whole = run(network, torch.cat((reference[:, :start], tails[number : number + 1]), 1))
        torch.testing.assert_close(joined([output])[number], whole[0, start:], **CLOSE)


def test_branches_of_several_sequences_equal_full_passes(network, ids):
    references, cache = ids(3, 30), network.new_cache(branches=True)
    references[1, 21:] = network.config.pad_id  # shorter, with padding on the right
    network(references, cache=cache)
    rows, starts, tails = [2, 1, 0, 1], [30, 21, 0, 4], ids(4, 8, seed=5)
    output = network.branch(tails, starts, cache, rows=rows, layers=range(network.config.num_layers + 1))
    for number, (row, start) in enumerate(zip(rows, starts, strict=True)):
        whole = run(network, torch.cat((references[row : row + 1, :start], tails[number : number + 1]), 1))
        torch.testing.assert_close(joined([output])[number], whole[0, start:], **CLOSE)


@pytest.mark.parametrize("padding", [0, 6])
def test_leaving_out_results_of_the_last_layer_changes_neither_the_others_nor_the_cache(network, ids, padding):
    tokens, since = ids(2, 40), 25
    mask = None if not padding else torch.arange(40).expand(2, 40) >= torch.tensor([[padding], [0]])
    whole, part = network.new_cache(), network.new_cache()
    expected = network(tokens, mask_BL=mask, cache=whole).logits_BLV[:, since:]
    got = network(tokens, mask_BL=mask, cache=part, since=since).logits_BLV
    torch.testing.assert_close(got, expected, **CLOSE)
    for layer in range(network.config.num_layers):
        torch.testing.assert_close(part.layer(layer), whole.layer(layer), **CLOSE)


def test_branches_leave_the_cache_as_it_was(network, ids):
    reference, cache = ids(1, 30), network.new_cache(branches=True)
    network(reference[:, :20], cache=cache)
    network.branch(ids(3, 6, seed=5), [4, 20, 11], cache)
    assert cache.length == 20
    rest = run(network, reference[:, 20:], cache=cache)
    torch.testing.assert_close(rest, run(network, reference)[:, 20:], **CLOSE)


@pytest.mark.parametrize("cut", [1, 7, 20])
def test_packed_documents_in_chunks_equal_one_pass(network, ids, cut):
    whole = ids(2, 40)
    documents = torch.tensor([[0] * 11 + [1] * 3 + [2] * 26, [0] * 30 + [1] * 10])
    expected, cache = run(network, whole, documents_BL=documents), network.new_cache()
    chunks = [
        run(network, part, documents_BL=own, cache=cache)
        for part, own in zip(whole.split(cut, 1), documents.split(cut, 1), strict=True)
    ]
    torch.testing.assert_close(torch.cat(chunks, 1), expected, **CLOSE)


def test_documents_cannot_begin_in_the_middle_of_a_cache(network, ids):
    cache = network.new_cache()
    network(ids(1, 5), cache=cache)
    with pytest.raises(ModelError, match="must be continued with documents if and only if it was started with them"):
        network(ids(1, 5), documents_BL=torch.zeros(1, 5, dtype=torch.long), cache=cache)
