"""What people type in their first hour, where a file is expected."""

import polars as pl
from tests.cli.bad_inputs.case import MODEL, Case

NO_INPUT = "no such file, and not a variant (chr22:1024:A>C), an interval (chr22:1,001-2,000) or DNA letters"
PROTEIN = "MKVLAAGIVQ" * 30


def two_lines(folder):
    pl.DataFrame({"id": ["a", "b\nc"], "sequence": ["ACGT", "ACGT"]}).write_parquet(folder / "reads.parquet")


CASES = (
    Case(
        "input: a word that is not a file",
        f"score {MODEL} genes out.parquet",
        f"{NO_INPUT} ('e' at position 2 is not a base) (value 'genes')",
        3,
    ),
    Case(
        "input: DNA with a letter that is not a base",
        f"embed {MODEL} ACGTXACGT out.npy",
        f"{NO_INPUT} ('X' at position 5 is not a base) (value 'ACGTXACGT')",
        3,
    ),
    Case(
        "input: RNA",
        f"score {MODEL} ACGUACGU out.parquet",
        "inputs:1: not a base at position 4 of the sequence; write T for U (value 'U')",
        3,
    ),
    Case(
        "input: empty text",
        f"score {MODEL} '' out.parquet",
        f"{NO_INPUT} (value '')",
        3,
    ),
    Case(
        "input: a file in a folder that does not exist",
        f"score {MODEL} data/genes out.parquet",
        "data/genes: no such file",
        3,
    ),
    Case(
        "input: an interval without a genome",
        f"embed {MODEL} chr1:1-100 out.npy",
        "inputs:1: intervals require a genome; pass --genome",
        3,
    ),
    Case(
        "input: an interval that ends before it starts",
        f"embed {MODEL} chr1:100-1 out.npy --genome genome.fa",
        "the interval ends before it starts (value 'chr1:100-1')",
        3,
    ),
    Case(
        "variants: DNA instead of variants",
        f"variants {MODEL} ACGT out.tsv --genome genome.fa",
        "no such file, and not a variant (chr22:1024:A>C) (value 'ACGT')",
        3,
    ),
    Case(
        "scan: an interval instead of a genome",
        f"scan {MODEL} chr1:1-100 found",
        "scan needs complete contigs, not intervals or variants",
        3,
    ),
    Case(
        "generate: an interval instead of prompts",
        f"generate {MODEL} chr1:1-100 out.fa",
        "prompts must be sequences, not intervals or variants (value 'chr1:1-100')",
        3,
    ),
    Case(
        "input: the text of a FASTA instead of its path",
        f"score {MODEL} '>a ACGT' out.parquet",
        "expected a path, found text; write it to a FASTA file and pass its path (value '>a ACGT')",
        3,
    ),
    Case(
        "input: a protein instead of a file",
        f"embed {MODEL} {PROTEIN} out.npy",
        f"{NO_INPUT} ('L' at position 4 is not a base) (value '{PROTEIN[:58]}…)",
        3,
    ),
    Case(
        "table: a name of two lines",
        f"embed {MODEL} reads.parquet out.npy",
        r"reads.parquet:2: the name of a sequence must be a single line (value 'b\nc')",
        3,
        make=two_lines,
    ),
    Case(
        "cluster: DNA instead of files",
        f"cluster {MODEL} ACGTACGT out",
        "ACGTACGT: no such file",
        3,
    ),
    Case(
        "cite: a model that nobody published",
        "cite my-model",
        "no known paper for 'my-model'; expected a model of one of the families "
        "genos, gengram, gena-lm, moderngena, genomeocean",
        4,
    ),
)
