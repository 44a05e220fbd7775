"""The demo: the commands that it runs and its closing text."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pysam
import pytest
from typer.testing import CliRunner

from genolm.cli.demo import MODEL, NEXT, demo
from genolm.cli.main import app
from genolm.genome.bigwig import read_bigwig
from genolm.genome.interval import Interval
from genolm.genome.vcf.vcf_records import read_variants
from genolm.models.card import Card

MADE = SimpleNamespace(
    fasta=Path("d/genome.fa"),
    vcf=Path("d/variants.vcf.gz"),
    bed=Path("d/regions.bed"),
    loci=Path("d/loci.bed"),
    gtf=Path("d/genes.gtf"),
    rna={"+": Path("d/rna.plus.bw"), "-": Path("d/rna.minus.bw")},
)
NANO = SimpleNamespace(card=Card("genolm-nano"))


@pytest.fixture
def stages(record):
    record("genolm.models.checkpoints.load", "load", NANO)
    return {
        "simulate": record("genolm.genome.simulation.simulate", "simulate", MADE),
        "variants": record("genolm.tasks.variants.variants", "variants"),
        "embed": record("genolm.tasks.embed", "embed"),
        "score": record("genolm.tasks.score", "score"),
        "report": record("genolm.tasks.report.report", "report"),
    }


def test_each_stage_runs_once_on_the_simulated_genome(stages):
    assert CliRunner().invoke(app, ["demo", "d"]).exit_code == 0
    assert all(len(calls) == 1 for calls in stages.values())
    for verb, inputs in (("variants", MADE.vcf), ("embed", MADE.bed), ("score", MADE.loci)):
        (arguments, settings), *_ = stages[verb]
        assert arguments[:2] == (NANO, inputs)
        assert settings["genome"] == MADE.fasta and settings["overwrite"] is True


def test_it_ends_with_where_to_look_and_what_to_try(stages):
    done = CliRunner().invoke(app, ["demo", "d"])
    assert "Results:  d/report.html" in done.stdout and "d/variants.scored.vcf.gz" in done.stdout
    assert [line[:3] for line in done.stderr.splitlines()] == ["Thi", "1/5", "2/5", "3/5", "4/5", "5/5"]
    assert "two to three minutes" in done.stderr.splitlines()[0]


def test_without_its_extra_nothing_is_computed(stages, monkeypatch):
    monkeypatch.setattr(
        "genolm.cli.extras.missing_packages", lambda extra: ["igv-notebook"] if extra == "report" else []
    )
    done = CliRunner().invoke(app, ["demo", "d"])
    assert done.exit_code == 1
    assert done.stderr == "error: the report of the demo needs igv-notebook: pip install 'genolm[report]'\n"
    assert not any(stages.values())


def test_ctrl_c_says_how_to_start_again_and_not_to_resume(stages, record):
    record("genolm.tasks.variants.variants", "variants", KeyboardInterrupt("continue with --resume"))
    done = CliRunner().invoke(app, ["demo", "d"])
    assert done.exit_code == 130
    assert done.stderr.endswith("interrupted: run the same command again to restart the demo\n")


def test_the_commands_it_suggests_are_well_formed(record):
    suggested = [line.split("#")[0].split()[1:] for line in NEXT.splitlines() if line.startswith("  genolm ")]
    called = [
        record("genolm.tasks.variants.variants", "variants"),
        record("genolm.tasks.embed", "embed"),
        record("genolm.tasks.score", "score"),
    ]
    for arguments in suggested:
        assert CliRunner().invoke(app, [part.format(model=MODEL) for part in arguments]).exit_code == 0
    assert len(suggested) == 4 and all(called)


def test_the_demo_itself_on_a_small_genome(tmp_path):
    files = demo(tmp_path / "demo", length=61_000, progress=False)
    page = files.report.read_text()
    assert "genolm variants genolm-nano variants.vcf.gz" in page and "igv" in page
    given = [record.alts for record in read_variants(tmp_path / "demo/variants.vcf.gz")]
    scored = list(pysam.VariantFile(str(files.scored)))
    assert len(scored) == len(given) > 20
    assert sum("GENOLM_LLR_SUM" in record.info for record in scored) > 0.9 * len(given)
    values = read_bigwig(files.track, Interval.parse(first_interval(tmp_path / "demo/loci.bed")))
    assert np.isfinite(values).mean() > 0.9 and np.nanmax(values) < 0
    assert pl.read_parquet(files.embedded)["embedding"].dtype == pl.Array(pl.Float32, 256)


def first_interval(bed: Path) -> str:
    chrom, start, end = bed.read_text().splitlines()[0].split("\t")[:3]
    return f"{chrom}:{int(start) + 2}-{end}"
