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
from genolm.genome.in_memory import hold_sequences, hold_variants
from genolm.genome.input_values import Named, SequenceRecord
from genolm.genome.sequences import read_sequences
from genolm.genome.vcf.vcf_records import read_variants

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


ALLELE = Variant("chr1", 5, "A", "C")

TEXTS = {
    "ACGT": ("ACGT",),
    "acgtRYN": ("acgtRYN",),
    "ACGT" * 100_000: ("ACGT" * 100_000,),
    "chr1:3-8": (PLACE,),
    " chr1:3-8 ": (PLACE,),
    "chr1:3-8:-": (Interval("chr1", 2, 8, "-"),),
    "chr22:1,001-2,000": (Interval("chr22", 1000, 2000),),
    "chr1:5:A>C": (ALLELE,),
    "chr1-5-A-C": (ALLELE,),
    "chr1_5_A_C_b38": (ALLELE,),
    "-": Path("-"),
    "absent.fa": Path("absent.fa"),
    "absent.VCF.GZ": Path("absent.VCF.GZ"),
    "chr1:3-8.bed": Path("chr1:3-8.bed"),
    "here/absent.fa": Path("here/absent.fa"),
}


@pytest.mark.parametrize(("text", "held"), TEXTS.items(), ids=[text[:20] for text in TEXTS])
def test_a_text_is_a_file_a_variant_an_interval_or_dna(text, held):
    assert hold_sequences(text) == held
    assert hold_sequences(held) == held


@pytest.mark.parametrize("name", ["ACGT", "chr1:3-8", "chr1:5:A>C", "genes", "some.docx"])
def test_a_text_is_first_of_all_a_file_that_exists(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(name).touch()
    assert hold_sequences(name) == hold_variants(name) == Path(name)


@pytest.mark.parametrize("given", [["chr1:3-8", "ACGT"], ("chr1:3-8", "ACGT"), iter(["chr1:3-8", "ACGT"])])
def test_texts_in_a_list_follow_the_same_rule(given, fasta):
    located = read(given, genome=fasta)
    assert located == [("chr1:3-8", "GTACGT"), ("sequence2", "ACGT")]


def test_texts_in_a_mapping_follow_the_same_rule(fasta):
    named = {"promoter": "chr1:3-8", "a": "ACGT"}
    assert read(named, genome=fasta) == [("promoter", "GTACGT"), ("a", "ACGT")]
    assert hold_sequences({"rs1": "chr1:5:A>C"}) == (Named("rs1", ALLELE),)


class Exported:
    """A table of a library that only exports the Arrow format."""

    def __init__(self, table):
        self.table, self.schema = table, table.schema

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


def test_a_table_of_another_library_is_read_as_arrow():
    exported = Exported(pl.DataFrame({"id": ["cat", "gag"], "sequence": ["ACGT", "TT"]}))
    assert read(exported) == [("cat", "ACGT"), ("gag", "TT")]
    held = hold_variants(Exported(pl.DataFrame({"variant": ["chr1:5:A>C"]})))
    assert isinstance(held, pl.DataFrame) and [record.pos for record in read_variants(held)] == [5]


VARIANTS = {
    "text": "chr1:5:A>C",
    "a Variant": ALLELE,
    "a list of texts": ["chr1:5:A>C"],
    "a tuple": [("chr1", 5, "A", "C")],
    "a generator": (text for text in ["1-5-A-C".replace("1-", "chr1-", 1)]),
    "an array": np.array(["chr1:5:A>C"]),
    "a Series": pd.Series(["chr1:5:A>C"]),
}


@pytest.mark.parametrize("given", VARIANTS.values(), ids=VARIANTS)
def test_forms_of_a_variant(given):
    assert hold_variants(given) == (ALLELE,)


def test_variants_of_a_mapping_or_of_pairs_have_ids():
    for given in ({"rs1": "chr1:5:A>C", "rs2": ALLELE}, [("rs1", ALLELE), ("rs2", "chr1:5:A>C")]):
        held = hold_variants(given)
        assert held == (Named("rs1", ALLELE), Named("rs2", ALLELE)) == hold_variants(held)
        assert [(one.id, one.pos, one.line) for one in read_variants(given)] == [("rs1", 5, 1), ("rs2", 5, 2)]


NO_VARIANT = {
    "DNA": ("ACGT", "no such file, and not a variant (chr22:1024:A>C) (value 'ACGT')"),
    "an interval": ("chr1:3-8", "no such file, and not a variant (chr22:1024:A>C) (value 'chr1:3-8')"),
    "a missing file": ("absent.vcf", "absent.vcf: no such file"),
    "a missing file of no known format": ("data/absent", "data/absent: no such file"),
    "a number": (3.5, "expected a file (VCF, BCF or a table), a variant (chr22:1024:A>C), a table, a mapping from ids"),
    "DNA in a list": (["ACGT"], "variants:1: invalid variant: expected chr22:1024:A>C"),
    "an Interval in a list": ([ALLELE, PLACE], "variants:2: expected a Variant, text such as chr22:1024:A>C, or"),
    "a number in a list": ([5], "variants:1: expected a Variant, text such as chr22:1024:A>C, or"),
    "an id of two words": ({"rs 1": ALLELE}, "variants:1: the id of a variant must be one word"),
    "a number as variant": ({"rs1": 5}, "variants:1: expected a Variant, text such as chr22:1024:A>C, or"),
    "a set": ({"chr1:5:A>C"}, "a set has no order"),
    "an open file": (io.StringIO("##fileformat"), "an open file; pass its path instead"),
}


@pytest.mark.parametrize(("given", "message"), NO_VARIANT.values(), ids=NO_VARIANT)
def test_what_is_no_variant_is_refused(given, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        list(read_variants(given))


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


FORMS = (
    "expected a file, a variant (chr22:1024:A>C), an interval (chr22:1,001-2,000), a sequence of DNA letters, a table,"
    " a mapping from names to sequences, or a list of sequences, intervals or variants"
)

REFUSED = {
    "RNA": ("ACGU", "inputs:1: not a base at position 4 of the sequence; write T for U (value 'U')"),
    "the text of a FASTA": (">a\nACGT\n", "expected a path, found text"),
    "a protein": (
        "MKV*" * 100,
        "no such file, and not a variant (chr22:1024:A>C), an interval (chr22:1,001-2,000) or DNA letters"
        " ('*' at position 4 is not a base) (value 'MKV*MKV*",
    ),
    "a word": (
        "genes",
        "no such file, and not a variant (chr22:1024:A>C), an interval (chr22:1,001-2,000) or DNA letters"
        " ('e' at position 2 is not a base) (value 'genes')",
    ),
    "a position": ("chr22:1024", "no such file, and not a variant (chr22:1024:A>C), an interval"),
    "empty text": ("", "no such file, and not a variant (chr22:1024:A>C), an interval (chr22:1,001-2,000) or DNA"),
    "a null character": ("a\0b", "no such file, and not a variant"),
    "an interval that ends before it starts": ("chr1:9-5", "the interval ends before it starts (value 'chr1:9-5')"),
    "a variant without a change": ("chr1:9:A>A", "REF and ALT are equal (value 'chr1:9:A>A')"),
    "a path that does not exist": ("absent.fa", "absent.fa: no such file"),
    "a compressed file that does not exist": ("absent.vcf.gz", "absent.vcf.gz: no such file"),
    "a packed file": ("absent.fa.zip", "absent.fa.zip: no such file"),
    "a path in a folder that does not exist": ("data/ACGT", "data/ACGT: no such file"),
    "a Path that looks like DNA": (Path("ACGT"), "ACGT: no such file"),
    "a Path that looks like an interval": (Path("chr1:1-5"), "chr1:1-5: no such file"),
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
    "name and sequence swapped": (
        [("ACGT", "gene1")],
        "inputs:1: expected DNA letters, an interval (chr22:1,001-2,000)",
    ),
    "a name in a list": (
        ["ACGT", "rs123"],
        "inputs:2: expected DNA letters, an interval (chr22:1,001-2,000) or a varia",
    ),
    "another letter in a list": (["ACGT", "ACXT"], "inputs:2: not a base at position 3 of the sequence (value 'X')"),
    "a gap in a list": (["AC-T"], "inputs:1: not a base at position 3 of the sequence (value '-')"),
    "the name of a file in a list": (["absent.fa"], "inputs:1: a path in a list; pass one path instead of a list"),
    "the name of a file in a dict": ({"a": "b/c.fa"}, "inputs:1: a path in a list; pass one path instead of a list"),
    "a missing value in a list": (["ACGT", None], "inputs:2: missing value; remove it"),
    "a missing value as text": (["NA"], "inputs:1: missing value; remove it (value 'NA')"),
    "a number in a list": (["ACGT", 5], "inputs:2: expected DNA, an Interval, a Variant or a SequenceRecord (value 5)"),
    "nothing": (None, FORMS),
    "a number": (5, FORMS + " (value 5)"),
    "an object": (object, FORMS),
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
