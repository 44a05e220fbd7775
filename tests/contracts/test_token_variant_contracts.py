"""Token variants do not depend on other variants or on the strand of the genome."""

import random

import numpy as np
import pytest

from genolm.genome.sequence import reverse_complement
from genolm.tasks.variants.variants import variants

SCORES = {True: "llr_alt_minus_ref_sum_nats", False: "llr_alt_minus_ref_masked_sum_nats"}


@pytest.fixture(scope="module")
def contig():
    return "".join(random.Random(12).choices("ACGT", k=900))


@pytest.fixture(scope="module")
def genome(contig, tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    path.write_text(f">c\n{contig}\n>turned\n{reverse_complement(contig)}\n")
    return path


def changes(contig):
    """A substitution, an insertion, a deletion and a complex variant, inside and at both ends of a contig."""
    asked = []
    for start in (0, 450, 880):
        base = contig[start]
        other = "ACGT".replace(base, "")[1]
        asked += [(start, base, other), (start, base, f"{base}GATT"), (start, contig[start : start + 5], base)]
        asked.append((start, contig[start : start + 3], f"{other}T"))
    return asked


def scored(model, genome, asked):
    table = variants(model, [f"{name}:{start + 1}:{ref}>{alt}" for name, start, ref, alt in asked], genome=genome).table
    assert set(table["status"]) == {"scored"}
    name = SCORES[model.causal]
    return {ending: table[name + ending].to_numpy() for ending in ("", "_forward", "_reverse")}


def test_a_score_does_not_depend_on_the_other_variants(token_model, genome, contig):
    asked = [("c", *change) for change in changes(contig)]
    together = scored(token_model, genome, asked)[""]
    alone = np.concatenate([scored(token_model, genome, [one])[""] for one in asked])
    np.testing.assert_allclose(together, alone, atol=2e-4)


def test_a_reverse_complemented_genome_exchanges_the_strands(token_model, genome, contig):
    own = scored(token_model, genome, [("c", *change) for change in changes(contig)])
    turned = [
        ("turned", len(contig) - start - len(ref), reverse_complement(ref), reverse_complement(alt))
        for start, ref, alt in changes(contig)
    ]
    other = scored(token_model, genome, turned)
    np.testing.assert_allclose(own[""], other[""], atol=2e-4)
    np.testing.assert_allclose(own["_forward"], other["_reverse"], atol=2e-4)
    assert np.abs(own["_forward"] - own["_reverse"]).max() > 1e-2
