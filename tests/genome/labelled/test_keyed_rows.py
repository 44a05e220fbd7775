"""Tables of labels: a missing value is no label."""

import pytest

from genolm.errors import InputError
from genolm.genome.labelled.genome_labels import read_labels
from genolm.genome.labelled.keyed_rows import keyed_rows


def test_missing_values_are_empty_texts(tmp_path):
    path = tmp_path / "genomes.tsv"
    path.write_text("genome\ttaxon\tfold\na\tNA\t1\nb\tnan\t\n")
    rows = keyed_rows(path, lambda names: True, "", lambda row: row["genome"])
    assert [(row["taxon"], row["fold"]) for row in rows.values()] == [("", "1"), ("", "")]


def test_a_missing_label_is_an_error_with_its_line(tmp_path):
    path = tmp_path / "labels.tsv"
    path.write_text("genome\tlabel\na.fa\tNA\n")
    with pytest.raises(InputError, match=r"labels\.tsv:2: the label is empty \(value 'a'\)"):
        read_labels(path)
