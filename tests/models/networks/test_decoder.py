"""The decoder's parts: rotary positions, k-mer rows, cache, branches and refusals."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genolm.errors import ModelError
from genolm.models.gengram.kmer_stream import KmerStream, KmerTables, digits_of, read_kmers
from genolm.models.networks.attention.attention import rotary_angles, rotate
from genolm.models.networks.cache import KVCache
from genolm.models.networks.decoder import Decoder
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.random_weights import random_decoder
from genolm.models.norm import RMSNorm, rms_norm
from genolm.tokens.nucleotide import NucleotideTokenizer

TOKENIZER = NucleotideTokenizer(iupac="N")
KMER = DecoderConfig(32, 32, 2, 4, 2, 8, 48, kmer_orders=(2, 4), kmer_dims=(4, 8))


def ids(sequence: str) -> torch.Tensor:
    return torch.from_numpy(TOKENIZER.encode(sequence).astype(np.int64))[None]


def stream(sequence: str, documents: torch.Tensor | None = None) -> KmerStream:
    digits = torch.tensor(digits_of(32, TOKENIZER.base_ids, TOKENIZER.n_id))
    return read_kmers(digits[ids(sequence)], documents)


def test_a_rotation_keeps_length_and_depends_on_distance_only() -> None:
    q, k = torch.randn(1, 1, 1, 16), torch.randn(1, 1, 1, 16)

    def product(at: int, back: int) -> float:
        turned = [rotate(x, *rotary_angles(torch.tensor([[p]]), 16, 1e4)) for x, p in ((q, at), (k, at - back))]
        assert turned[0].norm().item() == pytest.approx(q.norm().item(), rel=1e-5)
        return float((turned[0] * turned[1]).sum())

    assert product(5, 3) == pytest.approx(product(105, 3), abs=1e-4)
    assert product(5, 3) != pytest.approx(product(5, 4), abs=1e-3)
    assert product(3, 3) == pytest.approx(product(3, 3))


def test_dimension_i_pairs_with_dimension_i_plus_half() -> None:
    x = torch.zeros(1, 1, 1, 4)
    x[..., 0] = 1.0
    turned = rotate(x, *rotary_angles(torch.tensor([[1]]), 4, 1e4))[0, 0, 0]
    assert turned.tolist() == pytest.approx([np.cos(1), 0, np.sin(1), 0], abs=1e-6)


@given(st.text("ACGTN", max_size=40), st.integers(1, 5))
def test_kmer_rows_are_base_four_numbers(sequence: str, order: int) -> None:
    table = KmerTables([order], [4], 8)
    rows = table.rows(stream(sequence), 0)[0].tolist() if sequence else []
    for position, row in enumerate(rows):
        word = sequence[max(0, position - order + 1) : position + 1]
        whole = len(word) == order and "N" not in word
        assert row == (int("".join(str("ACGT".index(base)) for base in word), 4) if whole else 4**order)


def test_long_kmers_are_hashed_and_short_ones_are_not() -> None:
    tables = KmerTables([2, 9], [4, 4], 8, limit=100)
    assert [table.num_embeddings for table in tables.tables] == [17, 101]
    text = "".join(np.random.default_rng(0).choice(list("ACGT"), 4000))
    rows = tables.rows(stream(text), 1)[0]
    assert rows[:8].tolist() == [100] * 8
    assert sorted(set(rows[8:].tolist())) == list(range(100))
    again = tables.rows(stream(text[2000:]), 1)[0]
    assert torch.equal(again[8:], rows[2008:])


def test_kmers_never_span_documents() -> None:
    table = KmerTables([3], [4], 8)
    documents = torch.tensor([[0, 0, 0, 1, 1, 1]])
    assert (table.rows(stream("ACGTAC", documents), 0)[0] == 64).tolist() == [True, True, False, True, True, False]


def test_the_norm_in_pieces_equals_the_norm_at_once() -> None:
    norm, x = RMSNorm(8, 1e-5), torch.randn(1, 1300, 8)
    with torch.no_grad():
        torch.testing.assert_close(norm(x), rms_norm(x, norm.weight, norm.eps))
        size = norm(x).square().mean(-1).sqrt()
    torch.testing.assert_close(size, torch.ones_like(size), atol=1e-3, rtol=0)


def test_the_cache_grows_and_keeps_what_it_holds() -> None:
    cache, pieces = KVCache(1), torch.randn(9, 1, 2, 3, 4)
    for step, piece in enumerate(pieces):
        keys, values = cache.append(0, piece, -piece)
        assert keys.shape[2] == 3 * (step + 1)
    torch.testing.assert_close(keys, torch.cat(list(pieces), 2))
    torch.testing.assert_close(values, -keys)


def test_a_branch_equals_a_full_pass_and_leaves_the_cache() -> None:
    network, cache = random_decoder(KMER, 0), None
    reference, alternatives, starts = "ACGTTGCAACGTNACGGT", ["TTGAC", "GANCA", "CCCCC"], [0, 3, 18]
    with torch.inference_mode():
        cache = network.new_cache()
        network(ids(reference), cache=cache)
        branch = torch.cat([ids(text) for text in alternatives])
        got = network.branch(branch, starts, cache).logits_BLV
        for row, (text, start) in enumerate(zip(alternatives, starts)):
            whole = network(ids(reference[:start] + text)).logits_BLV[:, start:]
            torch.testing.assert_close(got[row : row + 1], whole, atol=1e-5, rtol=1e-5)
        after = network(ids("AC"), cache=cache).logits_BLV
        torch.testing.assert_close(after, network(ids(reference + "AC")).logits_BLV[:, -2:], atol=1e-5, rtol=1e-5)


def test_layers_asked_for_are_those_returned() -> None:
    network = random_decoder(KMER, 0)
    out = network(ids("ACGT"), layers=(0, 2), logits=False)
    assert sorted(out.hidden) == [0, 2]
    assert out.logits_BLV is None
    torch.testing.assert_close(network.head(out.hidden[2]), network(ids("ACGT")).logits_BLV)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n: n(ids("ACGT"), layers=[3]), "layer 3 does not exist: layers are 0 .embedding. to 2"),
        (lambda n: n(ids("AC"), layers=[-1]), "layer -1 does not exist"),
        (lambda n: n.branch(ids("AC"), [0], n.new_cache()), "a branch requires a cache of one sequence"),
    ],
)
def test_what_cannot_be_is_refused(call: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        call(random_decoder(KMER, 0))  # type: ignore[operator]


def test_a_branch_outside_the_cache_is_refused() -> None:
    network = random_decoder(KMER, 0)
    cache = network.new_cache()
    network(ids("ACGT"), cache=cache)
    with pytest.raises(ModelError, match="must start within the 4 cached tokens"):
        network.branch(ids("A"), [5], cache)
    with pytest.raises(ModelError, match="must continue one of the 1 cached sequences"):
        network.branch(ids("A"), [2], cache, rows=[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_heads": 3}, "num_heads .3. must be a multiple of num_kv_heads .2."),
        ({"head_dim": 7}, "head_dim must be even"),
        ({"num_experts": 2, "experts_per_token": 3}, "experts_per_token must be in 1..2, not 3"),
        ({"kmer_orders": [30, 3]}, "kmer_orders must be ascending whole numbers in 1..24, not .30, 3."),
        ({"kmer_orders": [3]}, "kmer_dims must have a positive width for each of kmer_orders .3., not .4, 8."),
        ({"kmer_orders": [3, 14]}, "at most 16,777,216 rows: set kmer_rows to hash"),
        ({"hidden_size": 0}, "hidden_size must be at least 1, not 0"),
        ({"no_such": 1}, "unknown config keys: no_such"),
    ],
)
def test_contradicting_configs_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        DecoderConfig.from_dict({**KMER.to_dict(), **change})


@pytest.mark.parametrize("experts", [0, 4])
@pytest.mark.parametrize("tied", [False, True])
def test_parameters_are_counted_by_arithmetic(experts: int, tied: bool) -> None:
    values = {**KMER.to_dict(), "num_experts": experts, "experts_per_token": experts and 2, "tied": tied}
    config = DecoderConfig.from_dict(values)
    assert config.parameters == sum(weight.numel() for weight in Decoder(config).parameters())
    assert config.active_parameters < config.parameters or not experts
