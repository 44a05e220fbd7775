import numpy as np
import pandas as pd
import polars as pl
import pytest

from genolm.errors import InputError
from genolm.genome.tabular import present, read_table, required, whole


def rows(source, *names):
    return list(read_table(source).pick(*names))


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, newline="")
    return path


def test_text_tables_know_their_lines(tmp_path):
    path = write(tmp_path, "a.tsv", '##comment\n\n#CHROM\tScore\tPosition\r\nchr1\t0.5\t7\r\n\r\n"chr2"\t1\t8\r\n')
    assert rows(path, "pos", "chrom", "ref") == [(4, ("7", "chr1", None)), (6, ("8", "chr2", None))]


def test_comma_separated_with_quotes(tmp_path):
    path = write(tmp_path, "a.csv", 'name,seq\n"x, y",ACGT\nz,"A""C"\n')
    assert rows(path, "name", "sequence") == [(2, ("x, y", "ACGT")), (3, ("z", 'A"C'))]


@pytest.mark.parametrize("text", ["id\tsequence\na\tAC\n", "id,sequence\na,AC\n"])
def test_txt_is_told_by_its_header(tmp_path, text):
    assert rows(write(tmp_path, "a.txt", text), "id", "sequence") == [(2, ("a", "AC"))]


def test_a_text_of_nothing_but_dna(tmp_path):
    assert rows(write(tmp_path, "a.txt", "ACGT\n\nnnry \n"), "sequence") == [(1, ("ACGT",)), (3, ("nnry",))]


def test_frames_and_parquet(tmp_path):
    frame = pl.DataFrame({"other": [0, 0], "Chr": ["chr1", "chr2"], "start0": [1, 2], "END": [5, None]})
    expected = [(1, ("chr1", 1, 5)), (2, ("chr2", 2, None))]
    assert rows(frame, "chrom", "start", "end") == expected
    frame.write_parquet(tmp_path / "a.parquet")
    assert rows(tmp_path / "a.parquet", "chrom", "start", "end") == expected
    pandas = pd.DataFrame({"chrom": ["chr1"], "start": [1], "end": [5.0]})
    assert rows(pandas, "chrom", "start", "end") == [(1, ("chr1", 1, 5.0))]
    table = read_table(frame)
    assert read_table(table) is table and table.has("chrom", "end") and not table.has("ref")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tsv", "", "a.tsv: the table is empty"),
        ("a.tsv", "##only comments\n", "the table is empty"),
        ("a.tsv", "id\tsequence\na\tAC\nb\n", r"a\.tsv:3: expected 2 fields as in the header, found 1 \(value 'b'\)"),
        ("a.csv", "id,sequence\na,AC,\n", r"a\.csv:2: expected 2 fields as in the header, found 3"),
        ("a.csv", 'id,sequence\n"a,AC\n', r"a\.csv:2: invalid quotes"),
        ("a.tsv", "seq\tsequence\nA\tC\n", r"a\.tsv: two columns mean 'sequence' \(value 'sequence'\)"),
        ("a.parquet", "not parquet", "not a parquet file"),
        ("a.parquet", "PAR1 but nothing else", "the parquet file is truncated; download it again"),
        ("a.parquet", "PAR1 and nothing between PAR1", "the parquet file is damaged"),
    ],
)
def test_broken_tables(tmp_path, name, text, message):
    with pytest.raises(InputError, match=message):
        rows(write(tmp_path, name, text), "id", "sequence")


def test_fields_longer_than_a_csv_limit(tmp_path):
    path = write(tmp_path, "a.csv", "id,sequence\na," + "ACGT" * 50_000 + "\n")
    assert len(rows(path, "sequence")[0][1][0]) == 200_000


def test_whole_numbers():
    assert [whole(value, "pos") for value in ("1,024", 7, " 8 ", 9.0, "-3")] == [1024, 7, 8, 9, -3]
    for bad in ("1e3", 1.5, "x"):
        with pytest.raises(InputError, match="column pos must hold whole numbers"):
            whole(bad, "pos")
    for missing in ("", ".", None):
        with pytest.raises(InputError, match="column pos is empty here"):
            whole(missing, "pos")


MISSING_VALUES = [
    None,
    float("nan"),
    np.nan,
    np.float32("nan"),
    pd.NA,
    pd.NaT,
    "",
    " ",
    "NA",
    "NaN",
    "nan",
    ".",
    "<NA>",
]


@pytest.mark.parametrize("value", MISSING_VALUES, ids=repr)
def test_every_spelling_of_a_missing_value_is_missing(value):
    assert present(value) is None
    for read in (required, whole):
        with pytest.raises(InputError, match="column alt is empty here"):
            read(value, "alt")


def test_what_is_there_is_not_missing():
    assert [present(value) for value in (0, False, "N", "NAN", "ACGT", 0.0)] == [0, False, "N", "NAN", "ACGT", 0.0]
    assert [required(value, "chrom") for value in (22, 22.0, np.float32(22), " X ")] == ["22", "22", "22", "X"]


def test_tsv_and_csv_are_quoted_alike(tmp_path):
    values = {"id": ['x"y', 'say "no"', "a\tb,c", "two\nlines", '"'], "sequence": ["ACGT"] * 5}
    for name, separator in (("a.tsv", "\t"), ("a.csv", ",")):
        pl.DataFrame(values).write_csv(tmp_path / name, separator=separator)
        assert [row for _, row in rows(tmp_path / name, "id", "sequence")] == list(zip(*values.values()))


def test_a_chromosome_may_be_quoted(tmp_path):
    path = write(tmp_path, "a.tsv", '"id"\t"sequence"\n"chr1"\t"' + "ACGT" * 100_000 + '"\n')
    assert len(rows(path, "sequence")[0][1][0]) == 400_000


@pytest.mark.parametrize("quote", ['"', ""])
def test_row_names_of_r_are_left_out(tmp_path, quote):
    lines = [["chrom", "pos"], ["1", "chr1", "7"], ["2", "chr2", "8"]]
    text = "".join("\t".join(f"{quote}{field}{quote}" for field in line) + "\n" for line in lines)
    assert rows(write(tmp_path, "r.tsv", text), "chrom", "pos") == [(2, ("chr1", "7")), (3, ("chr2", "8"))]


@pytest.mark.parametrize("first", ["tag", "nt", "dna", "cds", "TAG", "DNA"])
def test_a_header_of_dna_letters_is_never_a_sequence(tmp_path, first):
    with pytest.raises(
        InputError, match=r"a\.txt:1: ambiguous first line: header or sequence\? add the header line 'sequence'"
    ):
        rows(write(tmp_path, "a.txt", f"{first}\nACGTACGTAC\nTTGACATTGA\n"), "sequence")
    for name in ("a.csv", "a.tsv"):
        with pytest.raises(InputError, match="the first line must name the columns"):
            rows(write(tmp_path, name, f"{first}\nACGTACGTAC\nTTGACATTGA\n"), "sequence")


@pytest.mark.parametrize("text", ["acgtac\nttga\n", "ACGT\nTTGACA\n", "ACGTACGTAC\n" + "ACGT" * 99 + "\n", "ACG\n"])
def test_lists_of_sequences_stay_what_they_are(tmp_path, text):
    assert [row[0] for _, row in rows(write(tmp_path, "a.txt", text), "sequence")] == text.split()
