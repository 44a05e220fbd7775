"""Verbs that need one vector per sequence reject poolings that give several."""

import pytest

import genolm
from genolm.errors import InputError


@pytest.mark.parametrize("pooling", ["bases", "none"])
def test_fragments_are_clustered_by_one_vector_each(pooling):
    with pytest.raises(InputError, match="pooling must be one of mean, max, min, last"):
        genolm.cluster("tiny-random-ocean", ["absent.fa"], pooling=pooling)


@pytest.mark.parametrize("pooling", ["bases", "none"])
def test_a_detector_learns_from_one_vector_a_sequence(pooling, tmp_path):
    with pytest.raises(InputError, match="pooling must be one of mean, max, min, last"):
        genolm.detect.train(
            tmp_path / "out", natural="absent.fa", generated="absent.fa", model="tiny-random-ocean", pooling=pooling
        )
