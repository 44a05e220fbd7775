"""Embeddings of several models in one run equal those of each model alone."""

import numpy as np
import pytest

from genolm.engine.run import run
from genolm.genome.sequences import SequenceRecord
from genolm.models.checkpoints.load import load
from genolm.tasks.clustering.cluster_task import ClusterTask
from genolm.tasks.clustering.clustered_fragments import Fragments, Settings
from genolm.tasks.embed import embed
from genolm.tasks.reading.model_group import group_models
from genolm.tasks.reading.random_model import untrained_copy
from genolm.tasks.reading.vector_readers import VectorReader, VectorReaders
from genolm.tasks.writing.vector_files import matrix

SEQUENCES = ["".join(np.random.default_rng(seed).choice(list("ACGT"), 40 + 31 * seed)) for seed in range(5)]


class Vectors(ClusterTask):
    """A task that returns the embeddings of given sequences."""

    def items(self):
        return iter([SequenceRecord(str(number), bases) for number, bases in enumerate(SEQUENCES)])

    def collect(self, frames):
        return next(frames)

    def conclude(self, counted, made):
        return counted


@pytest.mark.parametrize("name", ["tiny-random-dense", "tiny-random-ocean"])
def test_every_model_reads_its_own_windows(name):
    model = load(name, device="cpu")
    models = (model, untrained_copy(model, 3))
    how = {"layer": 1, "pooling": "mean", "rc": True, "context": 50}
    readers = VectorReaders(tuple(VectorReader.of(one, role, **how) for role, one in zip(("own", "twin"), models)))
    fragments = Fragments((), (1,), Settings(1, 0.0, "pca", (0,), None, "genomes", "none"))
    table = run(Vectors(fragments, readers, "tsv"), group_models(models)).table
    for role, one in zip(("own", "twin"), models):
        np.testing.assert_allclose(
            table[role].to_numpy(), matrix(embed(one, SEQUENCES, **how).table), rtol=1e-4, atol=1e-5
        )
    assert not np.allclose(table["own"].to_numpy(), table["twin"].to_numpy(), atol=0.01)
    assert table["length"].to_list() == [len(one) for one in SEQUENCES]
