"""What users hold in memory: read with its names, or refused with a sentence."""

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pysam
import pytest
from Bio.Seq import MutableSeq, Seq
from Bio.SeqRecord import SeqRecord

from genolm import Genome, InputError, Interval, Variant
from genolm.genome.sequences import SequenceRecord, read_sequences

BASES = "ACGTACGTACGTACGTACGT"
PLACE = Interval("chr1", 2, 8)


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "toy.fa"
    path.write_text(f">chr1\n{BASES}\n>chr2\nACGT\n")
    return path


def read(source, **settings):
    return [(record.id, record.sequence) for record in read_sequences(source, **settings)]


NAMED = {
    "a dict": {"cat": "ACGT", "gag": "TT"},
    "the items of a dict": {"cat": "ACGT", "gag": "TT"}.items(),
    "pairs": [("cat", "ACGT"), ("gag", "TT")],
    "a tuple of pairs": (("cat", "ACGT"), ("gag", "TT")),
    "a generator of pairs": (pair for pair in [("cat", "ACGT"), ("gag", "TT")]),
    "a dict of bytes": {"cat": b"ACGT", "gag": b"TT"},
    "a dict of Bio.Seq": {"cat": Seq("ACGT"), "gag": MutableSeq("TT")},
    "records of Biopython": [SeqRecord(Seq("ACGT"), id="cat"), SeqRecord(Seq("TT"), id="gag")],
    "a pandas table": pd.DataFrame({"id": ["cat", "gag"], "sequence": ["ACGT", "TT"]}),
    "a lazy table of polars": pl.LazyFrame({"id": ["cat", "gag"], "sequence": ["ACGT", "TT"]}),
}


@pytest.mark.parametrize("source", NAMED.values(), ids=NAMED)
def test_names_become_ids(source):
    assert read(source) == [("cat", "ACGT"), ("gag", "TT")]


UNNAMED = {
    "a list": ["ACGT", "TT"],
    "two sequences in a tuple, which are no pair": ("ACGT", "TT"),
    "a generator": (text for text in ("ACGT", "TT")),
    "bytes in a list": [b"ACGT", b"TT"],
    "an array of texts": np.array(["ACGT", "TT"]),
    "an array of bytes": np.array([b"ACGT", b"TT"]),
    "an array of objects": np.array(["ACGT", "TT"], dtype=object),
    "a Series whose index has the name of an attribute": pd.Series(["ACGT", "TT"], index=["seq", "sequence"]),
    "a polars Series": pl.Series(["ACGT", "TT"]),
    "Bio.Seq in a list": [Seq("ACGT"), Seq("TT")],
}


@pytest.mark.parametrize("source", UNNAMED.values(), ids=UNNAMED)
def test_sequences_without_names_are_numbered(source):
    assert read(source) == [("sequence1", "ACGT"), ("sequence2", "TT")]


def test_one_record_is_one_sequence_and_not_its_letters():
    assert read(SeqRecord(Seq("ACGT"), id="cat")) == [("cat", "ACGT")]
    assert read(Seq("ACGT")) == [("sequence1", "ACGT")]
    assert read(SequenceRecord("cat", "ACGT")) == [("cat", "ACGT")]


def test_whole_numbers_can_be_names():
    assert read({1: "ACGT", np.int64(2): "TT"}) == [("1", "ACGT"), ("2", "TT")]


def test_places_and_variants_can_have_names(fasta):
    named = {"promoter": PLACE, "rs1": Variant("chr1", 5, "A", "C")}
    promoter, ref, alt = read_sequences(named, genome=fasta, length=6)
    assert (promoter.id, promoter.interval) == ("promoter", PLACE)
    assert [(ref.id, ref.sequence), (alt.id, alt.sequence)] == [("rs1/ref", "CGTACG"), ("rs1/alt", "CGTCCG")]


def test_a_genome_is_its_fasta(fasta):
    assert read(Genome(fasta)) == read(fasta) == [("chr1", BASES), ("chr2", "ACGT")]


def test_an_open_fastx_of_pysam_is_read_with_its_names(fasta):
    with pysam.FastxFile(str(fasta)) as file:
        assert read(file) == [("chr1", BASES), ("chr2", "ACGT")]


REFUSED = {
    "DNA as a path": ("ACGTACGT", "no such file; pass DNA in a list (in Python) or in a FASTA file (value 'ACGTACGT')"),
    "long DNA as a path": ("ACGT" * 2000, "no such file; pass DNA in a list"),
    "RNA as a path": ("ACGU" * 2000, "no such file; pass DNA in a list"),
    "the text of a FASTA": (">a\nACGT\n", "expected a path, found text"),
    "a protein as a path": ("MKV*" * 100, "too long for a file name"),
    "a path that does not exist": ("absent.fa", "absent.fa: no such file"),
    "bytes": (b"ACGT", "bytes are neither a path nor a list; pass a list of sequences"),
    "an open file": (io.StringIO(">a\nACGT\n"), "an open file; pass its path instead"),
    "a set": ({"ACGT"}, "a set has no order; pass a list, or a dict of names and sequences"),
    "one-hot DNA": (np.eye(4), "an array of sequences must have one dimension and hold one text per sequence"),
    "an array of letters": (np.array([["A", "C"], ["G", "T"]]), "an array of sequences must have one dimension"),
    "a path in a list": ([Path("a.fa")], "inputs:1: a path in a list; pass one path instead of a list"),
    "a list of columns": ({"id": ["a"], "sequence": ["AC"]}, "inputs:1: 'id' must have one sequence; for columns"),
    "a triple": ([("chr1", 1, 4)], "inputs:1: invalid element of a list: a tuple must be a pair (name, sequence)"),
    "a list in a list": (["ACGT", ["a", "AC"]], "inputs:2: invalid element of a list: a tuple must be a pair"),
    "no name": ({None: "ACGT"}, "inputs:1: the name of a sequence must be text"),
    "an empty name": ({"": "ACGT"}, "inputs:1: a sequence must have a name"),
    "a name of two lines": ({"a\nb": "ACGT"}, "inputs:1: the name of a sequence must be a single line"),
    "a name without letters": ([("a", "ACGT"), ("b", "")], "inputs:2: the sequence is empty (value 'b')"),
    "name and sequence swapped": ([("ACGT", "gene1")], "inputs:1: not a base at position 2 of the sequence"),
    "nothing": (None, "expected a path, a table, or a list of sequences or intervals"),
}


@pytest.mark.parametrize(("source", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused_with_a_sentence(source, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        read(source)


def test_a_path_in_a_list_is_recognised_where_the_file_exists(fasta):
    with pytest.raises(InputError, match="inputs:1: a path in a list"):
        read([str(fasta)])


def test_a_file_may_be_called_like_dna(fasta, monkeypatch):
    fasta.rename(fasta.with_name("CAT"))
    monkeypatch.chdir(fasta.parent)
    with pytest.raises(InputError, match=r"^CAT: unknown file format"):
        read("CAT")


def test_a_tables_name_of_two_lines_is_refused():
    with pytest.raises(InputError, match="table:1: the name of a sequence must be a single line"):
        read(pl.DataFrame({"id": ["a\nb"], "sequence": ["ACGT"]}))
