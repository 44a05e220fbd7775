"""Further columns of input tables, such as labels and groups, in the outputs."""

from pathlib import Path

import anndata
import pandas as pd
import polars as pl
import pytest
from tests.noted import noted

import genolm
from genolm.errors import InputError, RunError

MODEL = "tiny-random-dense"
TSV = """\
id\tcls\tsequence\tcount\tshare\tkept\tcode\tlength
a\tx\tACGTACGT\t1\t0.5\ttrue\t007\tlong
b\t\tACGTTT\t\tNA\tFALSE\t010\tshort
c\ty\tACGTTTAA\t30\t2\t\tNA\t
"""
CARRIED = {
    "cls": ["x", None, "y"],
    "count": [1, None, 30],
    "share": [0.5, None, 2.0],
    "kept": [True, False, None],
    "code": ["007", "010", None],
    "input_length": ["long", "short", None],
}


@pytest.fixture(scope="module")
def model() -> genolm.Model:
    return genolm.load(MODEL)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "t.tsv"
    path.write_text(TSV)
    return path


def carried(frame: pl.DataFrame) -> dict[str, list[object]]:
    return frame.select(list(CARRIED)).to_dict(as_series=False)


@pytest.mark.parametrize("verb", ["embed", "score"])
def test_labels_and_groups_stand_beside_the_results_with_their_types(
    model: genolm.Model, table: Path, verb: str
) -> None:
    found = getattr(genolm, verb)(model, table).table
    assert carried(found) == CARRIED
    assert found.select(list(CARRIED)).dtypes == [pl.String, pl.Int64, pl.Float64, pl.Boolean, pl.String, pl.String]
    assert found["length"].to_list() == [8, 6, 8] and found["id"].to_list() == ["a", "b", "c"]


def test_a_table_in_memory_and_a_parquet_file_give_the_same(model: genolm.Model, table: Path, tmp_path: Path) -> None:
    frame = pl.read_csv(table, separator="\t", null_values=["", "NA"], schema_overrides={"code": pl.String})
    frame.write_parquet(tmp_path / "t.parquet")
    from_file = genolm.score(model, tmp_path / "t.parquet").table
    assert carried(from_file) == CARRIED
    assert from_file.equals(genolm.score(model, frame).table)
    pandas = pd.DataFrame(frame.to_dicts()).astype({"cls": "category"})
    assert carried(genolm.score(model, pandas).table) == CARRIED


def test_several_rows_for_one_sequence_repeat_its_values(model: genolm.Model, table: Path) -> None:
    found = genolm.embed(model, table, pooling="none").table
    assert found.group_by("id", maintain_order=True).agg(pl.col("cls").first())["cls"].to_list() == CARRIED["cls"]
    assert found["cls"].to_list()[:8] == ["x"] * 8


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
def test_anndata_has_them_in_obs(model: genolm.Model, table: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"e{suffix}"
    genolm.embed(model, table, out)
    obs = (anndata.read_h5ad if suffix == ".h5ad" else anndata.read_zarr)(out).obs
    assert obs["cls"].astype(object).where(obs["cls"].notna(), None).tolist() == CARRIED["cls"]
    assert obs["cls"].dtype == "category" and obs["count"].tolist()[::2] == [1, 30] and pd.isna(obs["count"].iloc[1])
    assert obs["share"].tolist()[::2] == [0.5, 2.0] and pd.isna(obs["share"].iloc[1])
    assert obs["kept"].tolist()[:2] == [True, False] and pd.isna(obs["kept"].iloc[2])


def test_intervals_and_variants_keep_theirs(model: genolm.Model, tmp_path: Path) -> None:
    (tmp_path / "g.fa").write_text(">c\n" + "ACGTTGCA" * 40 + "\n")
    (tmp_path / "i.csv").write_text("chrom,start,end,name,group\nc,0,20,one,7\nc,20,40,,8\n")
    found = genolm.embed(model, tmp_path / "i.csv", genome=tmp_path / "g.fa").table
    assert found["group"].to_list() == [7, 8] and found["id"].to_list()[0] == "one" and "name" not in found.columns
    (tmp_path / "v.tsv").write_text("chrom\tpos\tref\talt\tcls\tstatus\nc\t33\tA\tC,G\tLP\tnew\nc\t35\tG\tT\t\told\n")
    scored = genolm.variants(model, tmp_path / "v.tsv", genome=tmp_path / "g.fa", context=16, horizon=8).table
    assert scored["cls"].to_list() == ["LP", "LP", None] and scored["input_status"].to_list() == ["new", "new", "old"]
    assert scored["status"].to_list() == ["scored"] * 3
    both = genolm.score(model, tmp_path / "v.tsv", genome=tmp_path / "g.fa", length=16).table
    assert both["cls"].to_list() == ["LP"] * 4 + [None] * 2


@pytest.mark.parametrize("suffix", [".parquet", ".tsv"])
def test_shards_and_resumed_runs_write_the_same_bytes(
    model: genolm.Model, table: Path, tmp_path: Path, suffix: str
) -> None:
    whole, parts = tmp_path / f"whole{suffix}", tmp_path / f"parts{suffix}"
    genolm.score(model, table, whole)
    for number in (1, 2):
        genolm.score(model, table, parts, shard=(number, 2))
    genolm.merge(parts)
    assert whole.read_bytes() == parts.read_bytes()


def test_another_label_is_another_run(model: genolm.Model, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.tsv"
    genolm.score(model, table, out, shard=(1, 2))
    table.write_text(TSV.replace("a\tx", "a\tz"))
    with pytest.raises(RunError, match="content of input file 1"):
        genolm.score(model, table, out, shard=(2, 2), resume=True)
    frame = pl.DataFrame({"sequence": ["ACGT", "ACGG"], "cls": ["x", "y"]})
    genolm.score(model, frame, tmp_path / "m.tsv", shard=(1, 2))
    with pytest.raises(RunError, match="changed: setting source"):
        genolm.score(model, frame.with_columns(cls=pl.lit("q")), tmp_path / "m.tsv", shard=(2, 2), resume=True)


def test_names_that_are_taken_repeated_or_empty(model: genolm.Model, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(",sequence,cls,cls,strands,input_strands\n0,ACGTA,x,y,z,w\n")
    found = genolm.score(model, path).table
    assert found.row(0, named=True).items() >= {
        "column_1": 0, "cls": "x", "cls_2": "y", "input_strands": "z", "input_strands_2": "w", "strands": "forward",
    }.items()  # fmt: skip


def test_columns_of_lists_are_left_out_with_a_warning(model: genolm.Model) -> None:
    frame = pl.DataFrame({"sequence": ["ACGTA"], "v": [[1.0, 2.0]], "cls": ["x"]})
    with noted("columns of lists are omitted: v"):
        assert "v" not in genolm.score(model, frame).table.columns


def test_a_list_of_sequences_and_a_file_of_bare_dna_have_no_further_columns(
    model: genolm.Model, tmp_path: Path
) -> None:
    (tmp_path / "d.txt").write_text("ACGTA\nACG\n")
    plain = genolm.score(model, ["ACGTA", "ACG"]).table
    assert genolm.score(model, tmp_path / "d.txt").table.columns == plain.columns


def test_a_row_with_too_few_fields_is_found_before_the_run(model: genolm.Model, table: Path) -> None:
    table.write_text(TSV + "d\tx\n")
    with pytest.raises(InputError, match=r"t.tsv:5: expected 8 fields as in the header, found 2"):
        genolm.score(model, table)
