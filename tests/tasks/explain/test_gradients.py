"""Gradients through tables of k-mers against finite differences of the same network, reading mixtures of rows."""

import numpy as np
import pytest
import torch

import genolm
from genolm.tasks.explain.attribution_methods import Objective, base_gradients, base_log_probs, reading_rows
from genolm.tasks.explain.random_copies import kmer_tables

SEQUENCE = "".join(np.random.default_rng(7).choice(list("ACGT"), 40))


def mixed_value(network, ids, other, amount, objective, bases) -> float:
    """The objective when every reader of bases reads ``ids`` plus ``amount`` of the way to ``other``.

    What a reader gives is linear in one base while the rest stay, so that way is a straight line for each of them.
    """
    modules = [network.embedding, *(table.embedding for table in kmer_tables(network))]
    elsewhere: dict[int, torch.Tensor] = {}
    keep = [m.register_forward_hook(lambda m, _, out: elsewhere.__setitem__(id(m), out)) for m in modules]
    with torch.no_grad():
        base_log_probs(network, other[None, : objective.end - 1], bases)
    for hook in keep:
        hook.remove()
    mix = [m.register_forward_hook(lambda m, _, out: out + amount * (elsewhere[id(m)] - out)) for m in modules]
    with torch.no_grad():
        log_p = base_log_probs(network, ids[None, : objective.end - 1], bases).double()
    for hook in mix:
        hook.remove()
    spots = torch.arange(objective.first, objective.end)
    here, there = ((values[spots, None] == torch.tensor(bases)).double() for values in (ids, other))
    return float((log_p[spots - 1] * (here + amount * (there - here))).sum())


@pytest.mark.parametrize("name", ["tiny-random-kmer", "tiny-random-gengram"])
@pytest.mark.parametrize(("place", "base"), [(0, "A"), (9, "C"), (20, "T"), (38, "G"), (39, "A")])
def test_gradients_equal_finite_differences_through_every_table(name: str, place: int, base: str) -> None:
    model = genolm.load(name, device="cpu")
    base = "ACGT".replace(SEQUENCE[place], "")[0] if base == SEQUENCE[place] else base
    tokenizer, objective = model.tokenizer, Objective.of_window(0, len(SEQUENCE))
    ids, other = (
        torch.from_numpy(tokenizer.encode(text).astype(np.int64))
        for text in (SEQUENCE, SEQUENCE[:place] + base + SEQUENCE[place + 1 :])
    )
    found = base_gradients(model.network, ids, objective, tokenizer.base_ids, tokenizer.n_id)
    told = found[place, "ACGT".index(base)] - found[place, "ACGT".index(SEQUENCE[place])]
    direct, step = reading_rows(model.network), 2e-3
    ends = [mixed_value(direct, ids, other, way * step, objective, tokenizer.base_ids) for way in (-1, 1)]
    assert told == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=2e-2, abs=5e-3)


def test_the_twin_that_reads_rows_is_the_same_network() -> None:
    model = genolm.load("tiny-random-gengram", device="cpu")
    ids = torch.from_numpy(model.tokenizer.encode(SEQUENCE * 20).astype(np.int64))[None]
    with torch.inference_mode():
        own, other = (network(ids).logits_BLV for network in (model.network, reading_rows(model.network)))
    torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-4)


def test_a_planted_motif_is_what_the_base_after_it_listens_to() -> None:
    """A table of 5-mers in which one row alone speaks for A: both methods point at that 5-mer."""
    model = genolm.load("tiny-random-kmer", device="cpu")
    table = next(one for one in kmer_tables(model.network) if one.order == 3)
    motif = "GAT"
    row = sum("ACGT".index(letter) * 4 ** (2 - place) for place, letter in enumerate(motif))
    with torch.no_grad():
        for layer in model.network.layers:
            layer.attention.output.weight.zero_()
            layer.ffn.down.weight.zero_()
        for one in kmer_tables(model.network):
            one.embedding.weight.zero_()
        model.network.embedding.weight.mul_(0.1)
        table.embedding.weight[table.rows(torch.tensor([row]))] = 40.0
    start = 17
    sequence = SEQUENCE[:start] + motif + SEQUENCE[start + 3 :]
    # The base after the motif is the only one whose prediction the planted row decides.
    found = genolm.explain.attribution(model, [sequence], position=start + 4).tables["positions"]
    for method in ("mutagenesis", "gradient"):
        strength = found[method].abs().to_numpy()[: start + 3]
        assert strength[start : start + 3].min() > 20 * max(strength[:start].max(), 1e-6), method
