"""Variant scores equal two plain passes, do not depend on other variants, and treat both strands alike."""

import random

import numpy as np
import pytest
import torch

from genolm import Variant
from genolm.tasks.variants.variants import variants

CONTEXT, HORIZON, STEP = 40, 24, 80  # the step is twice the context
SUM, SITE = "llr_alt_minus_ref_sum_nats", "llr_alt_minus_ref_site_nats"
COMPLEMENT = str.maketrans("ACGT", "TGCA")


def rc(sequence):
    return sequence.translate(COMPLEMENT)[::-1]


def bases(count, seed):
    return "".join(random.Random(seed).choices("ACGT", k=count))


CONTIG = bases(230, 1) + "N" * 30 + bases(140, 2) + "A" * 40 + bases(83, 3)


def edits(start):
    """Return an SNV, an MNV, an insertion, a deletion and a complex variant at a 0-based position, padded as in VCF."""
    ref = CONTIG[start : start + 6]
    other = ref[0].translate(str.maketrans("ACGT", "CGTA"))
    changes = [
        (ref[0], other),
        (ref[:3], rc(ref[:3])),
        (ref[0], ref[0] + "GTTAC"),
        (ref[:4], ref[0]),
        (ref[:2], "TTGCA"),
    ]
    for one, alt in changes:
        if one != alt and not set(one) - set("ACGT") and start + len(one) <= len(CONTIG):
            yield Variant("c1", start + 1, one, alt)


PLACES = (
    1,
    2,
    STEP - 2,
    STEP - 1,
    STEP,
    STEP + 1,
    150,
    2 * STEP,
    205,
    228,
    229,
    261,
    300,
    5 * STEP - 1,
    410,
    470,
    500,
    519,
    521,
    522,
)
VARIANTS = [variant for place in PLACES for variant in edits(place)]


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    path.write_text(f">c1\n{CONTIG}\n>c2\n{rc(CONTIG.replace('N', 'n')).upper()}\n")
    return path


def log_likelihood(model, left, suffix):
    """Return the sum of log p(base | preceding bases) over a suffix, from one plain pass."""
    ids = torch.tensor(model.tokenizer.encode(left + suffix).astype(int))[None]
    logits_LV = model.network(ids).logits_BLV[0]
    log_probs_L4 = logits_LV[:, list(model.tokenizer.base_ids)].log_softmax(-1)
    places = [(len(left) + place - 1, "ACGT".index(base)) for place, base in enumerate(suffix) if base != "N"]
    return sum(float(log_probs_L4[place]) for place in places)


def two_passes(model, contig, variant, horizon, context=CONTEXT, step=STEP):
    """Return the score of one strand by its definition; None if the strand has no score."""
    start, ref, alt = variant.pos - 1, variant.ref, variant.alt
    while ref and alt and ref[0] == alt[0]:
        start, ref, alt = start + 1, ref[1:], alt[1:]
    reference, alternative = contig[start:], alt + contig[start + len(ref) :]
    length = min(horizon, len(reference), len(alternative))
    left = contig[max(0, start // step * step - context) : start]
    if not left or not length:
        return None
    return log_likelihood(model, left, alternative[:length]) - log_likelihood(model, left, reference[:length])


def on_other_strand(variant, length):
    return Variant(variant.chrom, length - (variant.pos - 1 + len(variant.ref)) + 1, rc(variant.ref), rc(variant.alt))


def close(values, expected):
    assert [value is None for value in values] == [value is None for value in expected]
    pairs = [(value, wanted) for value, wanted in zip(values, expected) if wanted is not None]
    np.testing.assert_allclose(*zip(*pairs), atol=1e-4)
    return True


def test_the_cases_are_what_they_should_be():
    kinds = {variant.kind for variant in VARIANTS}
    assert kinds == {"snv", "mnv", "insertion", "deletion", "complex"}
    assert {(variant.pos - 1) % STEP for variant in VARIANTS} >= {0, 1, STEP - 1, STEP - 2}


def test_full_equals_two_plain_passes_on_both_strands(model, genome):
    table = variants(model, VARIANTS, genome=genome, context=CONTEXT, horizon=HORIZON, rc=True).table
    forward = [two_passes(model, CONTIG, variant, HORIZON) for variant in VARIANTS]
    reverse = [two_passes(model, rc(CONTIG), on_other_strand(one, len(CONTIG)), HORIZON) for one in VARIANTS]
    assert close(table[f"{SUM}_forward"].to_list(), forward)
    assert close(table[f"{SUM}_reverse"].to_list(), reverse)
    both = [None if None in pair else sum(pair) / 2 for pair in zip(forward, reverse)]
    assert close(table[SUM].to_list(), both)
    assert np.std([value for value in forward if value is not None]) > 0.3  # scores that say something


def test_full_without_rc_is_the_forward_strand(model, genome):
    table = variants(model, VARIANTS, genome=genome, context=CONTEXT, horizon=HORIZON).table
    assert close(table[SUM].to_list(), [two_passes(model, CONTIG, variant, HORIZON) for variant in VARIANTS])


def test_conditional_equals_two_plain_passes_up_to_the_site(model, genome):
    table = variants(model, VARIANTS, genome=genome, method="conditional", context=CONTEXT, rc=True).table
    snvs = [variant.kind == "snv" for variant in VARIANTS]
    assert any(snvs) and [status != "not_snv" for status in table["status"]] == snvs
    for strand, contig in (("forward", CONTIG), ("reverse", rc(CONTIG))):
        own = [one if strand == "forward" else on_other_strand(one, len(CONTIG)) for one in VARIANTS]
        expected = [two_passes(model, contig, one, 1) if is_snv else None for one, is_snv in zip(own, snvs)]
        assert close(table[f"{SITE}_{strand}"].to_list(), expected)


@pytest.mark.parametrize("method", ["full", "conditional"])
def test_a_score_does_not_depend_on_the_other_variants(model, genome, method):
    settings = {"genome": genome, "method": method, "context": CONTEXT, "horizon": HORIZON, "rc": True}
    together = variants(model, VARIANTS, **settings).table
    alone = [variants(model, [variant], **settings).table for variant in VARIANTS[::7]]
    name = SUM if method == "full" else SITE
    assert close([table[name][0] for table in alone], together[name].to_list()[::7])
    shuffled = random.Random(1).sample(range(len(VARIANTS)), len(VARIANTS))
    table = variants(model, [VARIANTS[number] for number in shuffled], batch_tokens=50, **settings).table
    assert close(table[name].to_list(), [together[name][number] for number in shuffled])


@pytest.mark.parametrize("method", ["full", "conditional"])
def test_a_reverse_complemented_genome_exchanges_the_strands(model, genome, method):
    mirrored = [Variant("c2", *_fields(on_other_strand(variant, len(CONTIG)))) for variant in VARIANTS]
    settings = {"genome": genome, "method": method, "context": CONTEXT, "horizon": HORIZON, "rc": True}
    one, other = (variants(model, values, **settings).table for values in (VARIANTS, mirrored))
    name = SUM if method == "full" else SITE
    assert close(one[name].to_list(), other[name].to_list())
    assert close(one[f"{name}_forward"].to_list(), other[f"{name}_reverse"].to_list())
    assert one["status"].to_list() == other["status"].to_list()


def _fields(variant):
    return variant.pos, variant.ref, variant.alt
