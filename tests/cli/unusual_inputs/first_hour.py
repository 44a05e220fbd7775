"""What people pass in their first hour that looks wrong and is not."""

from pathlib import Path

import polars as pl
from tests.cli.unusual_inputs.case import MODEL, Unusual

FASTA = b">a\nACGTACGTAC\n"


def ids(*expected: str):
    """The table ``out.parquet`` has rows of these ids."""

    def check(folder: Path) -> None:
        assert pl.read_parquet(folder / "out.parquet")["id"].to_list() == list(expected)

    return check


def titles(*expected: str):
    """The records of ``out.fa`` have these names."""

    def check(folder: Path) -> None:
        lines = (folder / "out.fa").read_text().splitlines()
        assert [line[1:].split()[0] for line in lines if line.startswith(">")] == list(expected)

    return check


def merged(folder: Path) -> None:
    assert {path.name for path in folder.glob("found*")} == {"found.bw", "found.bed", "found.json"}


def prompts(folder: Path) -> None:
    pl.DataFrame({"id": ["my prompt", "next\tone"], "sequence": ["ACGT", "TTGA"]}).write_parquet(folder / "in.parquet")


CASES = (
    Unusual(
        "DNA instead of a file",
        f"score {MODEL} ACGTACGT out.parquet",
        "read as one sequence",
        ids("sequence1"),
    ),
    Unusual(
        "a prompt instead of a file of prompts",
        f"generate {MODEL} ACGTACGT out.fa --length 5",
        "continued as one prompt",
        titles("sequence1_1"),
    ),
    Unusual(
        "an interval instead of a file",
        f"embed {MODEL} chr1:1,001-1,060 out.parquet --genome genome.fa",
        "its sequence is read from the genome",
        ids("chr1:1001-1060"),
    ),
    Unusual(
        "a FASTA whose name is DNA",
        f"score {MODEL} CAT.fa out.parquet",
        "read as the file that it is",
        ids("a"),
        {"CAT.fa": FASTA},
    ),
    Unusual(
        "a table whose names are numbers",
        f"score {MODEL} in.csv out.parquet",
        "numbers are names like others",
        ids("1", "02"),
        {"in.csv": "id,sequence\n1,ACGT\n02,AC\n"},
    ),
    Unusual(
        "prompts whose names hold blanks and tabs",
        f"generate {MODEL} in.parquet out.fa --length 5",
        "in the FASTA a name is one word, joined by underscores",
        titles("my_prompt_1", "next_one_1"),
        make=prompts,
    ),
    Unusual(
        "a model's name in capitals",
        f"score {MODEL.upper()} reads.fa out.parquet",
        "read as in small letters",
        ids("a"),
        {"reads.fa": FASTA},
    ),
    Unusual(
        "merge: the prefix of a scan",
        "merge found",
        "the shards of the scan are joined",
        merged,
        {"reads.fa": b">a\n" + b"ACGTTGCAAC" * 6 + b"\n"},
        before=(f"scan {MODEL} reads.fa found --shard 1/1",),
    ),
)
