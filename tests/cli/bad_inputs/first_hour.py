"""What people type in their first hour, where a file is expected."""

import polars as pl
from tests.cli.bad_inputs.case import MODEL, Case

NO_FILE = "no such file; pass DNA in a list (in Python) or in a FASTA file (value 'ACGTACGT')"
PROTEIN = "MKVLAAGIVQ" * 30


def two_lines(folder):
    pl.DataFrame({"id": ["a", "b\nc"], "sequence": ["ACGT", "ACGT"]}).write_parquet(folder / "reads.parquet")


CASES = (
    Case("input: DNA instead of a file", f"score {MODEL} ACGTACGT out.parquet", NO_FILE, 3),
    Case("scan: DNA instead of a file", f"scan {MODEL} ACGTACGT found", NO_FILE, 3),
    Case("explain: DNA instead of a file", f"explain lens {MODEL} ACGTACGT out", NO_FILE, 3),
    Case("generate: DNA instead of a file of prompts", f"generate {MODEL} ACGTACGT out.fa", NO_FILE, 3),
    Case(
        "input: the text of a FASTA instead of its path",
        f"score {MODEL} '>a ACGT' out.parquet",
        "expected a path, found text; write it to a FASTA file and pass its path (value '>a ACGT')",
        3,
    ),
    Case(
        "input: a protein instead of a file",
        f"embed {MODEL} {PROTEIN} out.npy",
        f"too long for a file name; pass sequences in a list or in a file (value '{PROTEIN[:58]}…)",
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
