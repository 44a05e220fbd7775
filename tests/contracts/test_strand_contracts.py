"""With both strands, a sequence and its reverse complement have the same result."""

import numpy as np
import pytest

from genolm.genome.sequence import reverse_complement
from genolm.tasks.embed import embed
from genolm.tasks.score import score
from genolm.tasks.writing.vector_files import matrix

SEQUENCE = "ACGGTNTTACGATTACCANNGGATCCAT"


@pytest.mark.parametrize("pooling", ["mean", "max", "min", "last"])
def test_embedding_is_symmetric(model, pooling):
    table = embed(model, [SEQUENCE, reverse_complement(SEQUENCE)], layer="all", pooling=pooling, rc=True).table
    forward, reverse = np.split(matrix(table), 2)
    np.testing.assert_allclose(forward, reverse, atol=2e-5, rtol=2e-4)
    one, other = np.split(matrix(embed(model, table_inputs(), layer="all", pooling=pooling).table), 2)
    assert not np.allclose(one, other, atol=1e-2), "without the average the strands differ"


def table_inputs():
    return [SEQUENCE, reverse_complement(SEQUENCE)]


def test_unpooled_embedding_is_mirrored(model):
    forward, reverse = np.split(matrix(embed(model, table_inputs(), pooling="none", rc=True).table), 2)
    np.testing.assert_allclose(forward, reverse[::-1], atol=2e-5, rtol=2e-4)
    assert not np.allclose(forward, reverse, atol=1e-2)


def test_scores_are_symmetric(model):
    table = score(model, table_inputs(), rc=True).table
    assert table["scored_bases"].to_list() == [25, 25]
    np.testing.assert_allclose(*table["log_likelihood_sum_nats"], rtol=1e-5)
    plain = score(model, table_inputs()).table["log_likelihood_sum_nats"]
    assert abs(plain[0] - plain[1]) > 1e-2


def test_scores_per_base_are_mirrored(model):
    values = score(model, table_inputs(), rc=True, per_base=True).table["log_probability_nats"].to_numpy()
    forward, reverse = np.split(values, 2)
    np.testing.assert_allclose(forward, reverse[::-1], atol=2e-5, rtol=2e-4)
