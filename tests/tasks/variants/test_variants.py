"""Variants from file to file: input and output formats, errors, interrupted runs and shards."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import polars as pl
import pysam
import pytest

import genolm
from genolm import Genome, Variant
from genolm.engine.summary import provenance_path
from genolm.errors import InputError, ModelError, RunError
from genolm.models.card import Card
from genolm.models.model import Model
from genolm.tasks.variants.variant_task import VariantTask
from genolm.tasks.variants.variants import variants

SUM, SITE = "llr_alt_minus_ref_sum_nats", "llr_alt_minus_ref_site_nats"
SMALL = {"context": 20, "horizon": 8}


@pytest.fixture(scope="session")
def vcf(contigs, tmp_path_factory):
    """Unsorted VCF with multi-allelic, symbolic, star, ambiguous and missing ALT, indels, other INFO and a sample."""
    one, two = contigs["chr1"], contigs["chr2"]
    records = [
        ("1", 51, "rs1", one[50], ",".join(sorted(set("ACGT") - {one[50]})), "AF=0.1,0.2,0.3"),
        ("1", 60, ".", one[59:62], f"{one[59]},*", "."),
        ("chr1", 60, ".", one[59], f"{one[59]}GGTTA,<DEL>", "END=70"),
        ("chr2", 120, "x;y", two[119], "ACGT".replace(two[119], "")[0], "DB"),
        ("chr2", 1, ".", two[0], "ACGT".replace(two[0], "")[0], "."),
        ("chr1", 99, ".", one[98], f"{one[98]}A,R", "."),
        ("chr1", 30, ".", one[29], ".", "."),
    ]
    lines = ["##fileformat=VCFv4.2", '##INFO=<ID=AF,Number=A,Type=Float,Description="f">', "##contig=<ID=chr1>"]
    lines.append("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1")
    lines += [f"{c}\t{p}\t{i}\t{r}\t{a}\t9.5\tPASS\t{info}\tGT\t0|1" for c, p, i, r, a, info in records]
    path = tmp_path_factory.mktemp("vcf") / "in.vcf"
    path.write_text("\n".join(lines) + "\n")
    return path


def columns(path):
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return [line.rstrip("\n").split("\t") for line in file if not line.startswith("##")]


STATUSES = [
    "scored", "scored", "scored", "scored", "star", "scored", "symbolic", "scored", "no_context", "scored", "non_acgt",
    "missing",
]  # fmt: skip


def test_a_table_has_a_row_for_every_alternative_in_order(tiny, vcf, genome_path):
    table = variants(tiny, vcf, genome=genome_path, **SMALL).table
    assert table.columns == [
        "chrom",
        "pos",
        "id",
        "ref",
        "alt",
        SUM,
        "status",
        "left_context",
        "uncounted_ref",
        "uncounted_alt",
    ]
    assert table["status"].to_list() == STATUSES
    assert table["pos"].to_list() == [51, 51, 51, 60, 60, 60, 60, 120, 1, 99, 99, 30]
    assert [value is not None for value in table[SUM]] == [status == "scored" for status in STATUSES]
    scored = table.filter(status="scored")
    assert scored["left_context"].to_list() == [
        30,
        30,
        30,
        40,
        40,
        59,
        39,
    ]  # a tile starts 20 bases before a step of 40
    assert scored["uncounted_ref"].to_list() == [0, 0, 0, 0, 0, 7, 4]
    assert scored["uncounted_alt"].to_list() == [0, 0, 0, 0, 0, 7, 4]


def test_vcf_keeps_everything_and_adds_info(tiny, vcf, genome_path, tmp_path):
    out, table = tmp_path / "out.vcf", variants(tiny, vcf, genome=genome_path, **SMALL).table
    assert variants(tiny, str(vcf), out, genome=genome_path, **SMALL).path == out
    before, after = columns(vcf), columns(out)
    assert [line[:7] + line[8:] for line in before] == [line[:7] + line[8:] for line in after]
    assert after[1][7].startswith("AF=0.1,0.2,0.3;GENOLM_LLR_SUM=")
    assert after[7][7] == "GENOLM_STATUS=missing"
    assert after[4][7].endswith(";GENOLM_UNCOUNTED_REF=7;GENOLM_UNCOUNTED_ALT=7")
    with pysam.VariantFile(str(out)) as file:
        records = list(file)
    assert [status for record in records for status in record.info["GENOLM_STATUS"]] == STATUSES
    values = [
        value for record in records for value in record.info.get("GENOLM_LLR_SUM", [None] * len(record.alts or "."))
    ]
    assert values == [value and pytest.approx(value, rel=1e-4) for value in table[SUM]]


def test_the_header_tells_model_and_settings_and_not_the_time(tiny, vcf, genome_path, tmp_path):
    outs = [tmp_path / "a.vcf", tmp_path / "b.vcf"]
    for out in outs:
        variants(tiny, vcf, out, genome=genome_path, method="conditional", rc=True, context=20)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    (line,) = (line for line in outs[0].read_text().splitlines() if line.startswith("##genolm"))
    assert line == (
        f'##genolm=<ID=variants,genolm_version="{genolm.__version__}",model="tiny-random-dense",'
        f'model_fingerprint="{tiny.fingerprint}",precision="float32",method="conditional",context="20",step="40",'
        'horizon="1",strands="both",on_mismatch="raise">'
    )


@pytest.mark.parametrize("suffix", [".vcf.gz", ".bcf"])
def test_compressed_outputs_say_the_same(tiny, vcf, genome_path, tmp_path, suffix):
    plain, packed = tmp_path / "out.vcf", tmp_path / f"out{suffix}"
    for out in (plain, packed):
        variants(tiny, vcf, out, genome=genome_path, rc=True, **SMALL)
    with pysam.VariantFile(str(plain)) as one, pysam.VariantFile(str(packed)) as other:
        for left, right in zip(one, other, strict=True):
            assert (left.pos, left.alleles, left.info["GENOLM_STATUS"]) == (
                right.pos,
                right.alleles,
                right.info["GENOLM_STATUS"],
            )
            assert left.info.get("GENOLM_LLR_SUM_REV") == right.info.get("GENOLM_LLR_SUM_REV")
    again = tmp_path / f"again{suffix}"  # an output is input for the next model
    variants(tiny, packed, again, genome=genome_path, method="conditional", context=20)
    with pysam.VariantFile(str(again)) as file:
        assert "GENOLM_LLR_SUM" in file.header.info and "GENOLM_LLR_SITE" in file.header.info


def test_tables_on_disk_equal_the_table_in_memory(tiny, vcf, genome_path, tmp_path):
    table = variants(tiny, vcf, genome=genome_path, rc=True, **SMALL).table
    for suffix, separator in ((".parquet", None), (".tsv", "\t"), (".csv", ",")):
        out = tmp_path / f"out{suffix}"
        variants(tiny, vcf, out, genome=genome_path, rc=True, **SMALL)
        read = pl.read_parquet(out) if separator is None else pl.read_csv(out, separator=separator, schema=table.schema)
        assert read.equals(table)
    told = pl.read_parquet_metadata(tmp_path / "out.parquet")
    assert (told["method"], told["horizon"], told["model"]) == ("full", "8", "tiny-random-dense")


def test_inputs_in_memory(tiny, contigs, genome_path):
    ref = contigs["chr2"][40]
    alt = "ACGT".replace(ref, "")[1]
    frame = pl.DataFrame({"chrom": ["2"], "pos": [41], "ref": [ref], "alt": [alt]})
    sources = Variant("chr2", 41, ref, alt), [f"chr2:41:{ref}>{alt}"], frame, (Variant("2", 41, ref, alt) for _ in "x")
    with Genome(genome_path) as genome:
        values = {variants(tiny, source, genome=genome, **SMALL).table[SUM][0] for source in sources}
    assert len(values) == 1 and None not in values


def test_no_variants_make_an_empty_artefact(tiny, vcf, genome_path, tmp_path):
    assert variants(tiny, [], genome=genome_path, **SMALL).table.height == 0
    empty, out = tmp_path / "empty.vcf", tmp_path / "out.vcf"
    empty.write_text("".join(line for line in vcf.open() if line.startswith("#")))
    variants(tiny, empty, out, genome=genome_path, **SMALL)
    assert len(columns(out)) == 1


def test_both_strands_average(tiny, vcf, genome_path):
    table = variants(tiny, vcf, genome=genome_path, method="conditional", rc=True, context=20).table.filter(
        status="scored"
    )
    mean = (table[f"{SITE}_forward"] + table[f"{SITE}_reverse"]) / 2
    assert table[SITE].to_list() == pytest.approx(mean.to_list(), abs=1e-6)
    forward = variants(tiny, vcf, genome=genome_path, method="conditional", context=20).table
    assert table[f"{SITE}_forward"][0] == pytest.approx(forward[SITE][0], abs=1e-5)


def test_one_strand_without_context_leaves_the_other(tiny, vcf, genome_path):
    table = variants(tiny, vcf, genome=genome_path, rc=True, **SMALL).table.filter(chrom="chr2")
    assert table["status"].to_list() == ["no_context", "no_context"]
    assert table[SUM].null_count() == 2
    assert [value is None for value in table[f"{SUM}_forward"]] == [False, True]
    assert [value is None for value in table[f"{SUM}_reverse"]] == [True, False]
    assert table["left_context"].to_list() == [59, None] and table["right_context"].to_list() == [None, 59]


def test_mismatches_by_policy(tiny, contigs, genome_path):
    ref = contigs["chr1"][20]
    complement = ref.translate(str.maketrans("ACGT", "TGCA"))
    third = next(base for base in "ACGT" if base not in (ref, complement))
    asked = [f"chr1:21:{complement}>{third}", f"chr1:21:{third}>{ref}", f"chrX:5:{ref}>{third}"]
    with pytest.raises(InputError, match=rf"variants:1: REF is {complement}, but the genome has {ref}"):
        variants(tiny, asked, genome=genome_path, **SMALL)
    skipped = variants(tiny, asked, genome=genome_path, on_mismatch="skip", **SMALL).table
    assert skipped["status"].to_list() == ["ref_mismatch", "ref_mismatch", "unknown_contig"]
    flipped = variants(tiny, asked, genome=genome_path, on_mismatch="flip", **SMALL).table
    assert flipped["status"].to_list() == ["flipped", "ref_mismatch", "unknown_contig"]
    assert flipped["ref"][0] == complement  # the table shows what was read
    straight = variants(
        tiny, [f"chr1:21:{ref}>{third.translate(str.maketrans('ACGT', 'TGCA'))}"], genome=genome_path, **SMALL
    ).table
    assert flipped[SUM][0] == pytest.approx(straight[SUM][0], abs=1e-5)


def test_a_wrong_ref_names_file_and_line_before_anything_is_computed(tiny, vcf, genome_path, tmp_path, monkeypatch):
    monkeypatch.setattr(VariantTask, "forward", lambda *_: pytest.fail("computed"))
    bad, out = tmp_path / "bad.vcf", tmp_path / "out.vcf"
    bad.write_text(vcf.read_text() + "chr1\t50\t.\tNNNN\tA\t.\t.\t.\tGT\t0\nchr1\t101\t.\tA\tC\t.\t.\t.\tGT\t0\n")
    message = rf"{bad}:13: REF is A, but the genome has N \(value 'chr1:101:A>C'\); .*on_mismatch='skip'"
    with pytest.raises(InputError, match=message):
        variants(tiny, bad, out, genome=genome_path, **SMALL)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.vcf"]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"method": "both"}, InputError, r"method must be one of full, conditional, window, masked \(value 'both'\)"),
        ({"on_mismatch": "warn"}, InputError, "on_mismatch must be one of raise, skip, flip"),
        ({"horizon": 0}, InputError, "horizon must be at least 1"),
        ({"context": 0}, InputError, "context must be at least 1"),
        ({"context": 32_768}, ModelError, "the largest possible context is 32,256"),
        (
            {"out": "out.txt"},
            InputError,
            r"out\.txt: unsupported output format; use one of \.vcf, \.vcf\.gz, \.bcf",
        ),
        (
            {"out": "out.vcf"},
            InputError,
            r"out\.vcf: VCF output needs VCF or BCF input; .* \(value 'values in memory'\)",
        ),
        ({"genome": "no.fa"}, InputError, "no.fa"),
        ({"dtype": "bfloat16"}, ModelError, "the model is loaded in torch.float32"),
    ],
)
def test_refusals(tiny, genome_path, tmp_path, settings, error, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = settings.pop("out", None)
    with pytest.raises(error, match=message):
        variants(tiny, ["chr1:5:A>C"], out, **{"genome": genome_path, "on_mismatch": "skip", **settings})
    assert not list(tmp_path.iterdir())


def test_a_table_input_cannot_become_a_vcf(tiny, genome_path, tmp_path):
    table = tmp_path / "in.tsv"
    table.write_text("chrom\tpos\tref\talt\n")
    with pytest.raises(
        InputError, match=r"VCF output needs VCF or BCF input; write \.parquet, \.tsv or \.csv .*in\.tsv"
    ):
        variants(tiny, table, tmp_path / "out.bcf", genome=genome_path)


def test_a_model_with_a_short_context_shares_it_out(tiny, vcf, genome_path):
    short = Model(tiny.network, tiny.tokenizer, Card("short", context=64))
    table = variants(short, vcf, genome=genome_path, horizon=8).table.filter(status="scored")
    assert table["left_context"].max() <= 64 - 8
    with pytest.raises(ModelError, match="a horizon of 512 bases leaves no context within the model's limit of 64"):
        variants(short, vcf, genome=genome_path)


def test_an_existing_output_is_kept(tiny, vcf, genome_path, tmp_path):
    out = tmp_path / "out.vcf"
    out.write_text("mine")
    with pytest.raises(RunError, match="overwrite=True"):
        variants(tiny, vcf, out, genome=genome_path)
    assert out.read_text() == "mine"


SCRIPT = """
import json, os, signal, sys
from genolm.tasks.variants import variant_task as module
from genolm.tasks.variants.variants import variants

model, source, out, settings, part_tokens, deadly = json.loads(sys.argv[1])
calls, score = 0, module.score_suffixes

def dying(model, windows):
    global calls
    calls += 1
    if calls == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return score(model, windows)

module.score_suffixes = dying
module.VariantTask.part_tokens = part_tokens
variants(model, source, out, device="cpu", **settings)
"""


def in_another_process(source, out, settings, part_tokens, deadly=0):
    import json

    arguments = ["tiny-random-dense", str(source), str(out), settings, part_tokens, deadly]
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(arguments)], capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=600, check=False,
    )  # fmt: skip
    return run


def killed_and_resumed(source, out, settings, part_tokens, deadly):
    dead = in_another_process(source, out, settings, part_tokens, deadly)
    assert dead.returncode == -9, dead.stderr
    assert not out.exists() and list(Path(f"{out}.parts").glob("part-*.parquet"))
    again = in_another_process(source, out, {**settings, "resume": True}, part_tokens)
    assert again.returncode == 0, again.stderr


def in_three_shards(source, out, settings, part_tokens):
    for number in (3, 1, 2):
        run = in_another_process(source, out, {**settings, "shard": f"{number}/3"}, part_tokens)
        assert run.returncode == 0, run.stderr
    genolm.merge(out)


def whole(source, out, settings, part_tokens):
    run = in_another_process(source, out, settings, part_tokens)
    assert run.returncode == 0, run.stderr


def test_killed_or_shared_out_a_run_gives_the_same_bytes(vcf, genome_path, tmp_path):
    settings = {**SMALL, "genome": str(genome_path), "rc": True}
    outs = [tmp_path / f"{name}.vcf.gz" for name in ("whole", "killed", "shards")]
    whole(vcf, outs[0], settings, 100)
    killed_and_resumed(vcf, outs[1], settings, 100, deadly=3)
    in_three_shards(vcf, outs[2], settings, 100)
    assert len({out.read_bytes() for out in outs}) == 1
    assert len({provenance_path(out).read_bytes() for out in outs}) == 1
    assert len(list(tmp_path.iterdir())) == 6


@pytest.fixture(scope="module")
def vkgl(data_dir, tmp_path_factory):
    """Every 25th variant of a real file."""
    path = tmp_path_factory.mktemp("vkgl") / "vkgl.vcf"
    with gzip.open(data_dir / "variants/vkgl.GRCh38.slices.vcf.gz", "rt") as file:
        lines = list(file)
    head = [line for line in lines if line.startswith("#")]
    path.write_text("".join(head + lines[len(head) :: 25]))
    return path


@pytest.fixture
def human(data_dir):
    return data_dir / "human/GRCh38.slices.fa.gz"


@pytest.mark.data
@pytest.mark.parametrize("method", ["full", "conditional"])
def test_real_variants_one_record_for_one_in_order(tiny, vkgl, human, tmp_path, method):
    out = tmp_path / "out.vcf.gz"
    variants(tiny, vkgl, out, genome=human, method=method, context=128, horizon=32)
    with pysam.VariantFile(str(vkgl)) as before, pysam.VariantFile(str(out)) as after:
        pairs = list(zip(before, after, strict=True))
    assert pairs
    for one, other in pairs:
        assert (one.chrom, one.pos, one.alleles, one.info["CLS"]) == (
            other.chrom,
            other.pos,
            other.alleles,
            other.info["CLS"],
        )
        snv = len(one.ref) == len(one.alts[0]) == 1
        scored = method == "full" or snv
        assert other.info["GENOLM_STATUS"] == (("scored",) if scored else ("not_snv",)) or not snv
        assert ("GENOLM_LLR_SUM" in other.info or "GENOLM_LLR_SITE" in other.info) == (
            other.info["GENOLM_STATUS"][0] == "scored"
        )


@pytest.mark.data
def test_real_variants_killed_or_shared_out_give_the_same_bytes(vkgl, human, tmp_path):
    settings = {"genome": str(human), "context": 128, "horizon": 32}
    outs = [tmp_path / f"{name}.vcf" for name in ("whole", "killed", "shards")]
    whole(vkgl, outs[0], settings, 20_000)
    killed_and_resumed(vkgl, outs[1], settings, 20_000, deadly=5)
    in_three_shards(vkgl, outs[2], settings, 20_000)
    assert len({out.read_bytes() for out in outs}) == 1


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["clinvar_example.multi.b38.vcf.gz", "clinvar_example.single.b38.vcf.gz", "vep_clinvar_testset.vcf.gz"]
)
def test_real_files_that_do_not_fit_are_refused_or_passed_through(tiny, data_dir, human, tmp_path, name):
    source, out = data_dir / "variants" / name, tmp_path / "out.vcf"
    with pytest.raises(InputError, match=rf"{name}:\d+: .*on_mismatch='skip'"):
        variants(tiny, source, out, genome=human, **SMALL)
    assert not out.exists()
    variants(tiny, source, out, genome=human, on_mismatch="skip", **SMALL)
    before, after = columns(source), columns(out)
    assert [line[:7] + line[8:] for line in before] == [line[:7] + line[8:] for line in after]
    assert all("GENOLM_STATUS=" in line[7] for line in after[1:])


@pytest.mark.data
def test_thousands_of_samples_are_kept(tiny, data_dir, human, tmp_path):
    source, out = data_dir / "variants/1000G_30x.chr1.10k-66k.vcf.gz", tmp_path / "out.vcf.gz"
    variants(tiny, source, out, genome=human, method="conditional", context=256)
    before, after = columns(source), columns(out)
    assert len(before[0]) == len(after[0]) > 9
    assert [line[:7] + line[8:] for line in before] == [line[:7] + line[8:] for line in after]


@pytest.fixture(scope="module")
def ambiguous(contigs, tmp_path_factory):
    """The genome with R, M and K in chr2, and the genome with the bases that VCF uses for them: A, A and G."""
    folder = tmp_path_factory.mktemp("ambiguous")
    two = contigs["chr2"]
    for name, letters in (("iupac.fa", "RMK"), ("reduced.fa", "AAG")):
        bases = two[:50] + letters[0] + two[51:60] + letters[1:] + two[62:]
        (folder / name).write_text(f">chr2\n{bases}\n")
    return folder


@pytest.mark.parametrize("method", ["full", "conditional"])
@pytest.mark.parametrize("rc", [False, True])
def test_ref_at_an_ambiguous_letter_is_its_first_base_and_is_scored(tiny, ambiguous, method, rc):
    asked = ["chr2:51:A>C", *(["chr2:61:AG>CT", "chr2:61:AG>A"] if method == "full" else [])]
    settings = {"method": method, "rc": rc, "context": 20, "horizon": 6}
    expected = variants(tiny, asked, genome=ambiguous / "reduced.fa", **settings).table
    found = variants(tiny, asked, genome=ambiguous / "iupac.fa", **settings).table
    assert found["status"].to_list() == ["scored"] * len(asked)
    if method == "conditional" and not rc:  # no other ambiguous letter lies in what is read
        assert found[SITE].to_list() == pytest.approx(expected[SITE].to_list(), abs=1e-4)
    if method == "full" and not rc:
        assert found[SUM][1] != expected[SUM][1]  # of the first letter, N is what the others read
    alone = pl.concat(variants(tiny, [one], genome=ambiguous / "iupac.fa", **settings).table for one in asked)
    score = SITE if method == "conditional" else SUM
    assert found[score].to_list() == pytest.approx(alone[score].to_list(), abs=1e-4)


def test_another_base_at_an_ambiguous_letter_is_a_mismatch_that_says_what_vcf_has_there(tiny, ambiguous):
    with pytest.raises(InputError, match=r"REF is G, but the genome has R \(A in VCF\)"):
        variants(tiny, ["chr2:51:G>C"], genome=ambiguous / "iupac.fa")
    table = variants(tiny, ["chr2:51:G>C"], genome=ambiguous / "iupac.fa", on_mismatch="skip").table
    assert table["status"].to_list() == ["ref_mismatch"]


def test_alleles_at_an_ambiguous_letter_are_embedded(tiny, ambiguous):
    rows = genolm.embed(tiny, [Variant("chr2", 51, "A", "C")], genome=ambiguous / "iupac.fa", length=20).table
    assert rows["id"].to_list() == ["chr2:51:A>C/ref", "chr2:51:A>C/alt"]


@pytest.mark.parametrize("value", [None, float("nan"), pd.NA, pd.NaT, "NA", ""])
def test_missing_values_of_pandas_are_missing(tiny, contigs, genome_path, value):
    ref = contigs["chr1"][20]
    alt = "ACGT".replace(ref, "")[0]
    columns = {"chrom": ["chr1"] * 2, "pos": [21, 21], "id": ["rs1", value], "ref": [ref] * 2, "alt": [alt, value]}
    table = variants(tiny, pd.DataFrame(columns), genome=genome_path, **SMALL).table
    assert table.select("id", "alt", "status").rows() == [("rs1", alt, "scored"), (".", ".", "missing")]
    for name in ("chrom", "pos", "ref"):
        with pytest.raises(InputError, match=f"table:2: column {name} is empty here"):
            variants(tiny, pd.DataFrame({**columns, name: [columns[name][0], value]}), genome=genome_path)


def test_a_contig_of_numbers_beside_a_missing_one_keeps_its_name(tiny, contigs, genome_path):
    ref = contigs["chr1"][20]
    frame = pd.DataFrame({"chrom": [1, None], "pos": [21, 5], "ref": [ref, "A"], "alt": [".", "."]}).iloc[:1]
    assert frame["chrom"].dtype == float
    assert variants(tiny, frame, genome=genome_path).table["chrom"].to_list() == ["1"]


def test_tuples_are_variants_and_other_values_are_input_errors(tiny, contigs, genome_path, vcf):
    ref = contigs["chr1"][20]
    alt = "ACGT".replace(ref, "")[0]
    expected = variants(tiny, [f"chr1:21:{ref}>{alt}"], genome=genome_path, **SMALL).table
    assert variants(tiny, [("chr1", 21, ref, alt)], genome=genome_path, **SMALL).table.equals(expected)
    for bad in (vcf, 5, None, ("chr1", 5, "A"), ("chr1", "x", "A", "C")):
        with pytest.raises(InputError, match="variants:1: "):
            variants(tiny, [bad], genome=genome_path)


@pytest.mark.parametrize("verb", [lambda **given: variants("no-such-model", ["chr1:5:A>C"], **given),
                                  lambda **given: genolm.mutate("no-such-model", "chr1:5-9", **given)])  # fmt: skip
def test_an_unknown_method_is_refused_before_the_model_is_looked_for(genome_path, verb):
    with pytest.raises(InputError, match="method must be one of full, conditional, window, masked"):
        verb(genome=genome_path, method="both")


def test_what_bcf_cannot_hold_is_refused_before_the_model_is_looked_for(vcf, genome_path, tmp_path):
    bad = tmp_path / "bad.vcf"
    bad.write_text(vcf.read_text().replace("AF=0.1", "AF=1e-300"))
    message = r"bad\.vcf:5: INFO AF would become .*BCF cannot hold it, \.vcf\.gz can"
    with pytest.raises(InputError, match=message):
        variants("no-such-model", bad, tmp_path / "out.bcf", genome=genome_path)
    assert list(tmp_path.iterdir()) == [bad]


def test_a_record_that_is_no_vcf_is_reported_as_such_for_bcf_too(vcf, genome_path, tmp_path):
    bad = tmp_path / "bad.vcf"
    bad.write_text(vcf.read_text().replace("\t120\t", "\tx\t"))
    with pytest.raises(InputError, match=r"bad\.vcf:8: POS must be a whole number"):
        variants("no-such-model", bad, tmp_path / "out.bcf", genome=genome_path)


def test_what_killed_writers_left_of_a_vcf_and_its_index_is_swept(tiny, vcf, genome_path, tmp_path):
    for name in ("o.vcf.gz", "o.vcf.gz.tbi", "o.vcf.gz.csi"):
        (tmp_path / f".partial-0123abcd-{name}").write_bytes(b"half")
    (tmp_path / ".partial-0123abcd-other.vcf.gz").write_bytes(b"of another run")
    variants(tiny, vcf, tmp_path / "o.vcf.gz", genome=genome_path, **SMALL)
    left = sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("."))
    assert left == [".partial-0123abcd-other.vcf.gz"]


def test_the_vcf_that_is_scored_is_not_replaced(tiny, vcf, genome_path, tmp_path):
    own = tmp_path / "own.vcf"
    own.write_bytes(vcf.read_bytes())
    with pytest.raises(RunError, match="is an input of this run too"):
        variants(tiny, own, own, genome=genome_path, overwrite=True, **SMALL)
    assert own.read_bytes() == vcf.read_bytes()
