"""Files of sequences that are unusual and good."""

from pathlib import Path

import polars as pl
from tests.cli.unusual_inputs.case import MODEL, Unusual


def lengths(*expected: int):
    """The table ``out.parquet`` has one row for each of these sequence lengths."""

    def check(folder: Path) -> None:
        assert pl.read_parquet(folder / "out.parquet")["length"].to_list() == list(expected)

    return check


CASES = (
    Unusual(
        "FASTA with Windows line ends",
        f"score {MODEL} reads.fa out.parquet",
        "read as with Unix line ends",
        lengths(6),
        {"reads.fa": b">a\r\nACGT\r\nAC\r\n"},
    ),
)
