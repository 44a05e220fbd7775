"""`genolm report` on files of one's own: what it accepts, what it says, and what it refuses."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.tasks.report.test_report import table, unpack, view, without_scripts
from typer.testing import CliRunner

import genolm
from genolm.cli.main import app
from genolm.errors import InputError, RunError
from genolm.genome.bigwig import write_bigwig
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.tasks.report.label_columns import Label
from genolm.tasks.report.report_regions import Regions, choose_regions
from genolm.tasks.report.scored_variants import read_scored

BASES = "".join(np.random.default_rng(7).choice(list("ACGT"), 2_000))
HEADER = """\
##fileformat=VCFv4.2
##INFO=<ID=GENOLM_LLR_SUM,Number=A,Type=Float,Description="log p(ALT) - log p(REF) in nats">
##INFO=<ID=GENOLM_STATUS,Number=A,Type=String,Description="status">
##INFO=<ID=CLS,Number=1,Type=String,Description="class">
##INFO=<ID=CSQ,Number=.,Type=String,Description="much text">
##genolm=<ID=variants,genolm_version="0.1.0",model="genolm-nano",method="full",strands="both",horizon="512">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tPATIENT_7
"""
OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}


def line(pos: int, info: str, *, ref: str = "", alt: str = "", chrom: str = "chr1") -> str:
    ref = ref or BASES[pos - 1]
    return f"{chrom}\t{pos}\t.\t{ref}\t{alt or OTHER[ref]}\t.\t.\t{info}\tGT\t0/1\n"


def scored(score: float, label: str) -> str:
    return f"GENOLM_LLR_SUM={score};GENOLM_STATUS=scored;CLS={label};CSQ=x{score}|y"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "g.fa").write_text(f">chr1\n{BASES}\n")
    labels = ["LP", "LB", "VUS", "LB"] * 5
    lines = [line(100 + 50 * n, scored(-1.0 + 0.1 * n, label)) for n, label in enumerate(labels)]
    lines.append(line(1500, scored(-2.5, "LP"), ref=BASES[1499:1502], alt=BASES[1499]))
    indels = [
        line(1510 + 10 * n, scored(3.0 + n, "VUS"), ref=BASES[1509 + 10 * n], alt="ACGT"[n] + "TT") for n in range(4)
    ]
    lines += indels
    lines.append(line(1600, "GENOLM_STATUS=symbolic;CLS=LP", alt="<DEL>"))
    (tmp_path / "s.vcf").write_text(HEADER + "".join(lines))
    exon = 'gene_id "G1"; transcript_id "T1"; gene_name "BRCA9";'
    (tmp_path / "g.gtf").write_text(f"1\tx\texon\t90\t400\t.\t+\t.\t{exon}\n")
    return tmp_path


def page(folder: Path, name: str = "s.vcf", **given: object) -> str:
    return genolm.report(
        folder / name, folder / "p.html", genome=folder / "g.fa", overwrite=True, **given
    ).path.read_text()


def tiles(text: str) -> dict[str, str]:
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)<small>", text))


def test_it_says_which_model_scored_and_what_the_numbers_mean(folder: Path) -> None:
    text = page(folder)
    assert tiles(text)["Model"] == "genolm-nano" and tiles(text)["Scored"] == "25"
    assert "full, both strands" in text and "log p(ALT) - log p(REF) in nats" in text
    facts = dict(re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', text))
    assert (facts["horizon"], facts["method"], facts["score"]) == ("512", "full", "GENOLM_LLR_SUM")


def test_snvs_and_indels_have_figures_of_their_own(folder: Path) -> None:
    text = page(folder)
    assert (
        "Scores of SNVs by CLS" in text
        and "Scores of indels by CLS" in text
        and "Scores of MNVs" not in text
        and "Too few" not in text
    )


def test_a_kind_with_few_scores_is_named_instead_of_drawn(folder: Path) -> None:
    multiple = line(1560, scored(1.0, "LB"), ref=BASES[1559:1561], alt="CC" if BASES[1559:1561] != "CC" else "GG")
    (folder / "m.vcf").write_text((folder / "s.vcf").read_text() + multiple)
    text = page(folder, "m.vcf")
    assert "Too few for a figure: 1 MNVs." in text and "Scores of MNVs" not in text


def test_an_auroc_needs_the_names_of_both_sides(folder: Path) -> None:
    assert "AUROC, model" not in tiles(page(folder)) and "AUROC, model" not in tiles(page(folder, label="CLS"))
    named = page(folder, label="CLS=LP:LB")
    low = [-1.0 + 0.4 * n for n in range(5)] + [-2.5]
    high = [-1.0 + 0.1 * n for n in range(20) if n % 2]
    expected = np.mean([(one < other) + (one == other) / 2 for one in low for other in high])
    assert float(tiles(named)["AUROC, model"]) == pytest.approx(expected, abs=5e-4)


def test_unscored_alleles_are_counted_by_reason(folder: Path) -> None:
    text = without_scripts(page(folder))
    assert "1 of 26 ALT alleles (3.85%) have no score." in text
    assert '<th scope="row">symbolic</th><td class="number">1</td>' in text


def test_genes_come_from_the_annotation_whatever_the_contigs_are_called(folder: Path) -> None:
    rows = table(page(folder, genes=folder / "g.gtf"))["rows"]
    genes = {row[0].split(":")[1]: row[2] for row in rows}
    assert genes["100"] == genes["400"] == "BRCA9" and genes["450"] == ""


def test_samples_and_further_fields_stay_out_of_the_page(folder: Path) -> None:
    text = page(folder)
    track = next(one for one in view(text)["tracks"] if one["name"] == "Variants")
    shown = unpack(track["url"]).decode()
    assert "PATIENT_7" not in text + shown and "0/1" not in shown and "x-1.0|y" not in text + shown


def test_the_table_is_capped_at_the_lowest_scores_and_says_so(folder: Path) -> None:
    text = page(folder, rows=3)
    assert [row[5] for row in table(text)["rows"]] == [-2.5, -1.0, -0.9]
    assert "The 3 ALT alleles with the lowest scores, of 26" in text


def test_a_table_makes_the_same_page_as_its_vcf(folder: Path) -> None:
    alleles = read_scored(folder / "s.vcf").alleles
    frame = pl.DataFrame(
        {
            "chrom": [one.chrom for one in alleles],
            "pos": [one.pos for one in alleles],
            "id": ["."] * len(alleles),
            "ref": [one.ref for one in alleles],
            "alt": [one.alt for one in alleles],
            "llr_alt_minus_ref_sum_nats": [one.score for one in alleles],
            "status": [one.status for one in alleles],
            "CLS": [one.truth for one in alleles],
        }
    )
    frame.write_parquet(folder / "s.parquet")
    frame.write_csv(folder / "s.tsv", separator="\t")
    rows = [table(page(folder, name, label="CLS=LP:LB"))["rows"] for name in ("s.vcf", "s.parquet", "s.tsv")]
    assert rows[0] == rows[1] == rows[2]


def test_without_any_score_there_is_a_page_that_says_so(folder: Path) -> None:
    (folder / "none.vcf").write_text(HEADER + line(100, "GENOLM_STATUS=no_context"))
    text = page(folder, "none.vcf")
    assert "No ALT allele of none.vcf has a score" in text and "<svg" not in without_scripts(text)
    (folder / "empty.vcf").write_text(HEADER)
    assert "empty.vcf has no ALT alleles." in page(folder, "empty.vcf")


def test_what_is_missing_from_the_page_is_said_on_it(folder: Path) -> None:
    exon = 'gene_id "G1"; transcript_id "T1";'
    (folder / "other.gtf").write_text(f"chr9\tx\texon\t90\t400\t.\t+\t.\t{exon}\n")
    track = write_bigwig(folder / "o.bw", {"chrZ": 10}, [("chrZ", 0, np.ones(4, np.float32))])
    unknown = line(5, "GENOLM_STATUS=unknown_contig", ref="A", chrom="chrUn_1")
    (folder / "more.vcf").write_text((folder / "s.vcf").read_text() + unknown)
    text = page(folder, "more.vcf", genes=folder / "other.gtf", tracks=track)
    assert "No gene of the annotation lies on a contig of the genome" in text
    assert "o.bw is not shown: it has no value" in text
    assert "1 ALT alleles are on contigs that the genome does not have: chrUn_1." in text
    assert table(text)["rows"][-1][7] is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"label": "CLS=LP"}, r"invalid label: expected FIELD or FIELD=POSITIVE:NEGATIVE"),
        ({"label": "CLS=LP:LP"}, r"a label value is both positive and negative \(value 'LP'\)"),
        (
            {"label": "NOPE"},
            r"s.vcf: no text field of this name .*available: EFFECT, GENE, CLS, CSQ\) \(value 'NOPE'\)",
        ),
        ({"label": "CLS=LP:B"}, r"s.vcf: no variant has this value of CLS \(values: LB, LP, VUS\) \(value 'B'\)"),
        ({"field": "AF"}, r"s.vcf: no INFO field AF"),
        ({"rows": 0}, r"rows must be at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(folder: Path, given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        page(folder, **given)
    assert not (folder / "p.html").exists()


def test_variants_scored_with_another_genome_are_refused(folder: Path) -> None:
    (folder / "shifted.fa").write_text(f">chr1\n{BASES[1:]}A\n")
    with pytest.raises(
        InputError, match=r"s.vcf:8: REF is ., the genome has .: the variants were scored with a genome other"
    ):
        genolm.report(folder / "s.vcf", folder / "p.html", genome=folder / "shifted.fa")
    (folder / "short.fa").write_text(f">chr1\n{BASES[:150]}\n")
    with pytest.raises(InputError, match=r"s.vcf:10: the allele ends after the 150 bases of chr1"):
        genolm.report(folder / "s.vcf", folder / "p.html", genome=folder / "short.fa")


def test_a_vcf_without_scores_names_the_verb_that_makes_them(folder: Path) -> None:
    plain = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t5\t.\tA\tC\t.\t.\t.\n"
    (folder / "plain.vcf").write_text(plain)
    done = CliRunner().invoke(
        app, ["report", str(folder / "plain.vcf"), str(folder / "p.html"), "--genome", str(folder / "g.fa")]
    )
    assert done.exit_code == 3 and "score the file with 'genolm variants' first" in done.stderr
    assert not (folder / "p.html").exists()


def test_a_score_that_is_not_finite_is_refused(folder: Path) -> None:
    (folder / "nan.vcf").write_text(HEADER + line(100, "GENOLM_LLR_SUM=nan"))
    with pytest.raises(InputError, match=r"nan.vcf:8: a score must be a finite number or missing \(value 'nan'\)"):
        page(folder, "nan.vcf")


def test_the_page_must_be_html_in_a_folder_that_exists(folder: Path) -> None:
    with pytest.raises(InputError, match=r"p.pdf: unsupported output format; use one of .html, .htm"):
        genolm.report(folder / "s.vcf", folder / "p.pdf", genome=folder / "g.fa")
    with pytest.raises(RunError, match="there is no folder"):
        genolm.report(folder / "s.vcf", folder / "x" / "p.html", genome=folder / "g.fa")


def test_regions_are_found_as_by_looking_at_each(folder: Path) -> None:
    random = np.random.default_rng(1)
    starts = np.sort(random.choice(1_000, 40, replace=False))
    ends = np.minimum(starts + random.integers(1, 30, 40), np.append(starts[1:], 1_030))
    regions = Regions(tuple(Interval("c", int(a), int(b)) for a, b in zip(starts, ends)))
    for start, length in random.integers(1, 1_000, (500, 2)):
        end = int(start + length % 40 + 1)
        expected = any(one.start < end and start < one.end for one in regions.intervals)
        assert regions.overlaps("c", int(start), end) == expected
        inside = Interval("c", int(start), end)
        assert regions.contains(inside) == any(one.start <= start and end <= one.end for one in regions.intervals)
    assert not regions.overlaps("d", 0, 9) and not regions.overlaps(None, 0, 9)


def test_of_too_many_variants_those_with_the_lowest_scores_are_in_the_browser(folder: Path) -> None:
    with Genome(folder / "g.fa") as genome:
        file = read_scored(folder / "s.vcf")
        regions = choose_regions(genome, file, 1_000)
        lowest = min((one for one in file.alleles if one.score is not None), key=lambda one: one.score or 0.0)
        assert regions.bases <= 1_000 and regions.shows(genome, lowest)


def test_a_label_is_read_as_it_is_written() -> None:
    assert Label.parse("CLS") == Label("CLS")
    assert Label.parse("CLNSIG=P,LP : B") == Label("CLNSIG", ("P", "LP"), ("B",))


def test_a_model_card_on_the_page_reads_as_text(folder: Path) -> None:
    card = {"name": "m", "layer": None, "citation": "", "notes": ["one", "two"], "training": {"steps_done": 32768000}}
    text = without_scripts(page(folder, card=card))
    assert "one<br>two" in text and "steps done: 32,768,000" in text
    assert (
        "layer" not in text
        and "citation" not in text
        and "[" not in json.dumps(re.findall(r"<td>(.*?)</td>", text))[1:-1]
    )
