"""Attribution: mutagenesis against plain passes, gradients against finite differences, shuffles against counts."""

from collections import Counter
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
import torch

import genolm
from genolm.errors import InputError
from genolm.models.model import Model
from genolm.tasks.explain.attribution import shuffled_dinucleotides
from genolm.tasks.explain.attribution_methods import Objective, base_gradients, reading_rows

SEQUENCE = "".join(np.random.default_rng(7).choice(list("ACGT"), 30))
NAMES = ["tiny-random", "tiny-random-kmer", "tiny-random-gengram"]


@pytest.fixture(scope="module", params=NAMES)
def model(request: pytest.FixtureRequest) -> Model:
    return genolm.load(request.param)


def log_likelihood(model: Model, sequence: str) -> float:
    return float(genolm.score(model, [sequence]).table["log_likelihood_sum_nats"].item())


def test_mutagenesis_equals_plain_passes(model: Model) -> None:
    table = genolm.explain.attribution(model, [SEQUENCE]).tables["substitutions"]
    own = log_likelihood(model, SEQUENCE)
    for place, base in ((1, "A"), (12, "G"), (12, "T"), (29, "C")):
        changed = SEQUENCE[:place] + base + SEQUENCE[place + 1 :]
        row = table.filter((pl.col("start") == place) & (pl.col("put") == base))
        if base != SEQUENCE[place]:
            assert row["effect_nats"].item() == pytest.approx(log_likelihood(model, changed) - own, abs=2e-3)


def test_gradients_equal_finite_differences_of_weights_of_bases() -> None:
    """With the token embedding as a weighted sum of bases: a network whose only reader of bases it is."""
    model = genolm.load("tiny-random-dense")
    ids = torch.from_numpy(model.tokenizer.encode(SEQUENCE).astype(np.int64))
    objective, bases = Objective.of_base(0, len(SEQUENCE), 20), model.tokenizer.base_ids
    found = base_gradients(model.network, ids, objective, bases, model.tokenizer.n_id)
    network = reading_rows(model.network).double()
    place, base, step = 8, 2, 1e-4
    values = []
    for amount in (-step, step):

        def shift(module: torch.nn.Module, args: object, out: torch.Tensor, amount: float = amount) -> torch.Tensor:
            moved = out.clone()
            moved[:, place] += amount * network.embedding.weight[bases[base]]
            return moved

        handle = network.embedding.register_forward_hook(shift)
        with torch.no_grad():
            log_probs = network(ids[None, :-1]).logits_BLV[0, 18, list(bases)].log_softmax(-1)
        values.append(log_probs[bases.index(int(ids[19]))].item())
        handle.remove()
    assert found[place, base] == pytest.approx((values[1] - values[0]) / (2 * step), rel=2e-2, abs=1e-4)


def test_bases_after_the_explained_one_get_nothing(model: Model) -> None:
    table = genolm.explain.attribution(model, [SEQUENCE], position=15).tables["positions"]
    after = table.filter(pl.col("start") > 14)
    assert (after["mutagenesis"].abs().max(), after["gradient"].abs().max()) == (0.0, 0.0)
    before = table.filter(pl.col("start") <= 14)
    assert before["mutagenesis"].abs().max() > 1e-4 and before["gradient"].abs().max() > 1e-4


def test_every_run_and_its_agreement_is_told(model: Model) -> None:
    found = genolm.explain.attribution(model, [SEQUENCE]).tables["agreement"]
    assert found["run"].to_list() == ["model", "shuffled", "random_weights"]
    assert found["correlation"].is_between(-1, 1).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_shuffle_keeps_dinucleotides(seed: int) -> None:
    sequence = "".join(np.random.default_rng(seed).choice(list("ACGT"), 400))
    shuffled = shuffled_dinucleotides(sequence, seed)
    assert Counter(pairwise(shuffled)) == Counter(pairwise(sequence))
    assert shuffled != sequence
    assert shuffled_dinucleotides(sequence, seed) == shuffled


@pytest.mark.parametrize(
    ("sequence", "words", "message"),
    [("A" * 1001, {}, "limited to 1,000 bases"), ("ACGT", {"position": 9}, "expected 1 to 4")],
)
def test_what_cannot_be_explained_is_refused(sequence: str, words: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        genolm.explain.attribution("tiny-random", [sequence], **words)
