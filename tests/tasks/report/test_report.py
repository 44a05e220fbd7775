"""The report: what stands on the page, that it is whole, and that it needs no network."""

import base64
import gzip
import json
import re
import sys
from collections import Counter
from html.parser import HTMLParser
from importlib import util
from pathlib import Path

import numpy as np
import polars as pl
import pysam
import pytest

from genolm.errors import GenolmError, InputError, RunError
from genolm.genome.annotation.genes import read_gtf
from genolm.genome.bigwig import BigWig, write_bigwig
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.genome.simulation.simulate import SimulatedGenome, simulate
from genolm.tasks.report.report import report
from genolm.tasks.report.report_regions import choose_regions
from genolm.tasks.report.scored_variants import read_scored


def score(example: SimulatedGenome, out: Path) -> Path:
    """A scored VCF as the verb writes it, with drawn scores: low for splice sites, none for symbolic alleles."""
    random = np.random.default_rng(0)
    with pysam.VariantFile(str(example.vcf)) as source:
        header = source.header.copy()
        header.add_line('##INFO=<ID=GENOLM_LLR_SUM,Number=A,Type=Float,Description="a <sum> & nats">')
        header.add_line('##INFO=<ID=GENOLM_STATUS,Number=A,Type=String,Description="status">')
        with pysam.VariantFile(str(out), "wz", header=header) as target:
            for record in source:
                record.translate(header)
                scored = [set(alt) <= set("ACGT") for alt in record.alts]
                means = [-4 if "splice" in effect else 0 for effect in record.info["EFFECT"]]
                values = [float(random.normal(mean)) if done else None for mean, done in zip(means, scored)]
                record.info["GENOLM_LLR_SUM"] = values
                record.info["GENOLM_STATUS"] = ["scored" if done else "symbolic" for done in scored]
                target.write(record)
    return out


def embed(example: SimulatedGenome, out: Path) -> Path:
    names = [line.split("\t")[3] for line in example.bed.read_text().splitlines()]
    kinds = sorted({name.split(":")[0] for name in names})
    random = np.random.default_rng(0)
    vectors = [random.normal(3 * kinds.index(name.split(":")[0]), 1, 8).tolist() for name in names]
    pl.DataFrame({"id": names, "embedding": vectors}).write_parquet(out)
    return out


def likelihood(example: SimulatedGenome, out: Path) -> Path:
    random = np.random.default_rng(0)
    pieces = [(name, 0, -random.random(length).astype(np.float32)) for name, length in example.lengths.items()]
    return write_bigwig(out, example.lengths, pieces)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("report")
    example = simulate(folder / "example", length=60_000, contigs=3)
    return {
        "genome": example.fasta,
        "variants": score(example, folder / "scored.vcf.gz"),
        "genes": example.gtf,
        "scores": likelihood(example, folder / "likelihood.bw"),
        "tracks": {"RNA, forward": example.rna["+"], "RNA, reverse": example.rna["-"]},
        "embeddings": embed(example, folder / "vectors.parquet"),
    }


@pytest.fixture(scope="module")
def page(inputs: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> str:
    return report(
        out=tmp_path_factory.mktemp("page") / "report.html",
        **inputs,
        label="CLS=LP:LB",
        title="A <title> & more",
        lead="lead",
        commands=["genolm variants genolm-nano a.vcf b.vcf"],
        card={"name": "genolm-nano", "licence": "Apache-2.0"},
    ).path.read_text(encoding="utf-8")


def without_scripts(page: str) -> str:
    return re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def view(page: str) -> dict:
    text = re.search(r'<script id="browser-view" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert text is not None
    return json.loads(text[1])


def unpack(uri: str) -> bytes:
    kind, data = uri.split(",", 1)
    content = base64.b64decode(data)
    return gzip.decompress(content) if "gzip" in kind else content


def table(page: str) -> dict:
    """The data of the table of variants."""
    text = re.search(r'<script id="variants-data" type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert text is not None
    return json.loads(text[1])


def test_sections(page: str) -> None:
    titles = re.findall(r"<h2[^>]*>(.*?)</h2>", page)
    assert titles == [
        "Variant effects", "Genome", "Variants", "Without a score", "Likelihood around signals", "Embeddings",
        "How this was made",
    ]  # fmt: skip
    links = re.findall(r"<nav.*?</nav>", page, re.DOTALL)[0]
    assert all(f'id="{anchor}"' in page for anchor in re.findall(r'href="#([^"]+)"', links))


def test_it_needs_no_network(page: str) -> None:
    outside = without_scripts(page)
    assert not re.findall(r'(?:src|href|action)="(?!#|data:)', outside)
    assert "@import" not in outside and not re.findall(r"url\((?!#)", outside)
    assert "default-src 'none'" in page and "http" not in re.search(r'Policy" content="([^"]*)"', page)[1]
    addresses = [value for track in view(page)["tracks"] for key, value in track.items() if "url" in key.lower()]
    assert len(addresses) == 5 and all(address.startswith("data:") for address in addresses)
    assert view(page)["search"] is False and view(page)["loadDefaultGenomes"] is False


class Balanced(HTMLParser):
    """Fails where a tag closes another than the one that is open."""

    EMPTY = frozenset({"meta", "link", "input", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_well_formed_with_unique_ids(page: str) -> None:
    parser = Balanced()
    parser.feed(without_scripts(page))
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))


def test_text_from_outside_is_escaped(page: str) -> None:
    assert "<title>A &lt;title&gt; &amp; more</title>" in page
    assert "a &lt;sum&gt; &amp; nats" in page and "a <sum>" not in without_scripts(page)


def test_it_is_accessible(page: str) -> None:
    text = without_scripts(page)
    assert '<html lang="en">' in text and text.count("<h1>") == 1
    drawings = re.findall(r"<svg[^>]*>", text)
    assert len(drawings) == 6
    assert all('role="img"' in drawing and 'aria-label="' in drawing for drawing in drawings)
    assert text.count("<figcaption>") == 6


def test_figures_take_their_colours_from_the_page(page: str) -> None:
    drawings = re.findall(r"<svg.*?</svg>", without_scripts(page), re.DOTALL)
    assert len(drawings) == 6
    colours = set(re.findall(r"#[0-9a-f]{6}\b", " ".join(drawings)))
    assert colours == set()
    assert "var(--series-1)" in page and "prefers-color-scheme: dark" in page


def test_the_browser_has_the_whole_small_genome(page: str, inputs: dict[str, object]) -> None:
    fasta = unpack(view(page)["reference"]["fastaURL"]).decode()
    with Genome(inputs["genome"]) as genome:
        expected = "".join(f">{name}\n{genome.fetch(name, 0, length)}\n" for name, length in genome.lengths.items())
    assert fasta == expected


def test_the_browsers_tracks(page: str, inputs: dict[str, object], tmp_path: Path) -> None:
    tracks = {track["name"]: track for track in view(page)["tracks"]}
    assert list(tracks) == [
        "Genes", "Variants", "Score of variants (GENOLM_LLR_SUM, nats)", "Log-likelihood per base (nats)",
        "RNA, forward", "RNA, reverse",
    ]  # fmt: skip
    genes = [line.split("\t") for line in unpack(tracks["Genes"]["url"]).decode().splitlines()]
    transcripts = list(read_gtf(inputs["genes"]))
    assert {row[3] for row in genes} == {one.gene for one in transcripts} and len(genes) < len(transcripts) + 1
    assert all(len(row) == 12 and int(row[9]) == len(row[10].split(",")) for row in genes)
    lines = unpack(tracks["Variants"]["url"]).decode().splitlines()
    scored = read_scored(inputs["variants"])
    assert sum(not line.startswith("#") for line in lines) == len(scored.alleles)
    assert lines[-1].count("\t") == 7  # no samples
    points = tracks["Score of variants (GENOLM_LLR_SUM, nats)"]
    values = [allele for allele in scored.alleles if allele.score is not None]
    assert [point["start"] for point in points["features"]] == [allele.pos - 1 for allele in values]
    assert points["min"] < min(allele.score for allele in values) and points["max"] > max(a.score for a in values)
    (tmp_path / "x.bw").write_bytes(unpack(tracks["RNA, forward"]["url"]))
    whole = Interval("chr1", 0, 30_000)
    with BigWig(tmp_path / "x.bw") as ours, BigWig(inputs["tracks"]["RNA, forward"]) as theirs:
        np.testing.assert_array_equal(ours.values(whole), theirs.values(whole))


def test_the_table_has_every_alternative_lowest_first(page: str, inputs: dict[str, object]) -> None:
    rows = table(page)["rows"]
    alleles = read_scored(inputs["variants"]).alleles
    assert len(rows) == len(alleles)
    scores = [row[5] for row in rows if row[5] is not None]
    assert scores == sorted(scores) and len(scores) == sum(allele.score is not None for allele in alleles)
    lowest = min((allele for allele in alleles if allele.score is not None), key=lambda allele: allele.score)
    assert rows[0][0] == lowest.name
    assert rows[0][3:5] == [lowest.effect, lowest.truth]
    assert [row[6] for row in rows[-2:]] == ["symbolic", "symbolic"]


def test_numbers_on_the_page(page: str, inputs: dict[str, object]) -> None:
    tiles = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)<small>", page))
    assert tiles["Genome"] == "60,000"
    assert 0.55 < float(tiles["AUROC, model"]) < 0.9
    assert 0.3 < float(tiles["AUROC, composition alone"]) < 0.7
    names = [line.split("\t")[3] for line in Path(inputs["genome"]).with_name("regions.bed").read_text().splitlines()]
    counts = Counter(name.split(":")[0] for name in names)
    # the kinds lie apart, so that only a kind with fewer than six members has neighbours of another kind
    same = sum(count * min(5, count - 1) for count in counts.values()) / (5 * len(names))
    chance = sum(count * (count - 1) for count in counts.values()) / (len(names) * (len(names) - 1))
    assert f"Of the 5 nearest neighbours {same:.0%} are of the same kind ({chance:.0%} expected by chance)." in page


def test_how_it_was_made(page: str) -> None:
    facts = dict(re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', page))
    assert "genolm variants genolm-nano a.vcf b.vcf" in page
    assert facts["licence"] == "Apache-2.0" and facts["genes"] == "genes.gtf"
    assert {"genolm", "python", "numpy", "igv-notebook"} <= set(facts)


def test_same_input_same_bytes(inputs: dict[str, object], tmp_path: Path) -> None:
    pages = [report(out=tmp_path / f"{number}.html", **inputs).path.read_bytes() for number in range(2)]
    assert pages[0] == pages[1]


def test_only_a_genome(inputs: dict[str, object], tmp_path: Path) -> None:
    text = report(None, tmp_path / "x.html", genome=inputs["genome"]).path.read_text()
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", text) == ["Genome", "How this was made"]
    assert view(text)["tracks"] == [] and view(text)["locus"] == "chr1:1-500"


def test_without_truth_there_is_no_auroc(inputs: dict[str, object], tmp_path: Path) -> None:
    text = report(inputs["variants"], tmp_path / "x.html", genome=inputs["genome"]).path.read_text()
    assert "AUROC" not in without_scripts(text) and "Scores of SNVs by CLS" in text


def test_it_opens_where_it_is_told(inputs: dict[str, object], tmp_path: Path) -> None:
    text = report(None, tmp_path / "x.html", genome=inputs["genome"], locus=Interval("chr2", 99, 200)).path.read_text()
    assert view(text)["locus"] == "chr2:100-200"


def test_a_large_genome_is_cut_around_the_variants(inputs: dict[str, object], tmp_path: Path) -> None:
    text = report(out=tmp_path / "x.html", **{**inputs, "embeddings": None}, most_bases=30_000).path.read_text()
    fasta = unpack(view(text)["reference"]["fastaURL"]).decode()
    headings = re.findall(r">(\S+):(\d+)-(\d+) @len=(\d+)\n([A-Z]+)", fasta)
    assert sum(int(end) - int(start) + 1 for _, start, end, _, _ in headings) <= 30_000
    with Genome(inputs["genome"]) as genome:
        for name, start, end, length, letters in headings:
            assert genome.fetch(name, int(start) - 1, int(end)) == letters and genome.lengths[name] == int(length)
    track = next(track for track in view(text)["tracks"] if track["name"] == "Variants")
    shown = [line.split("\t") for line in unpack(track["url"]).decode().splitlines() if line[0] != "#"]
    assert len(shown) > 0
    assert all(
        any(
            row[0] == n and int(s) <= int(row[1]) + len(row[3]) and int(row[1]) <= int(e) + 10_000
            for n, s, e, _, _ in headings
        )
        for row in shown
    )


def test_regions_shrink_before_anything_is_left_out(inputs: dict[str, object]) -> None:
    scored = read_scored(inputs["variants"])
    with Genome(inputs["genome"]) as genome:
        wide, narrow = (choose_regions(genome, scored, most) for most in (59_000, 45_000))
        assert narrow.bases < wide.bases <= 59_000
        assert all(narrow.contains(Interval(one.chrom, one.start, one.end)) for one in scored.alleles)


def test_a_track_of_other_contigs_is_left_out(inputs: dict[str, object], tmp_path: Path) -> None:
    other = write_bigwig(tmp_path / "o.bw", {"chrZ": 10}, [("chrZ", 0, np.ones(4, np.float32))])
    text = report(None, tmp_path / "x.html", genome=inputs["genome"], tracks={"other": other}).path.read_text()
    assert view(text)["tracks"] == []


def test_refuses_to_overwrite(inputs: dict[str, object], tmp_path: Path) -> None:
    out = tmp_path / "x.html"
    out.write_text("mine")
    with pytest.raises(RunError, match=r"x.html exists; pass overwrite=True to replace it"):
        report(None, out, genome=inputs["genome"])
    assert out.read_text() == "mine"
    report(None, out, genome=inputs["genome"], overwrite=True)
    assert out.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("package", ["matplotlib", "igv_notebook"])
def test_a_missing_package_says_what_to_install(
    inputs: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    find_spec = util.find_spec
    monkeypatch.setattr(
        "genolm.tasks.report.browser_view.find_spec", lambda name: None if name == package else find_spec(name)
    )
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(GenolmError, match=r"(needs|requires) .*[:;] pip install 'genolm\[report\]'") as caught:
        report(None, tmp_path / "x.html", genome=inputs["genome"])
    assert caught.value.exit_code == 1 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pl.DataFrame({"id": ["a"]}), r"v.parquet: no column embedding"),
        (pl.DataFrame({"id": ["a"], "embedding": [[1.0]]}), r"v.parquet: fewer than 3 embeddings \(value 1\)"),
    ],
)
def test_bad_embeddings(inputs: dict[str, object], tmp_path: Path, frame: pl.DataFrame, message: str) -> None:
    frame.write_parquet(tmp_path / "v.parquet")
    with pytest.raises(InputError, match=message):
        report(None, tmp_path / "x.html", genome=inputs["genome"], embeddings=tmp_path / "v.parquet")
    assert not (tmp_path / "x.html").exists()


def test_embeddings_that_are_no_parquet(inputs: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "v.parquet").write_text("no")
    with pytest.raises(InputError, match=r"v.parquet: not a readable parquet file"):
        report(None, tmp_path / "x.html", genome=inputs["genome"], embeddings=tmp_path / "v.parquet")


def test_of_several_layers_the_last(inputs: dict[str, object], tmp_path: Path) -> None:
    ids = ["a:1", "a:2", "b:1", "b:2"]
    rows = {
        "id": ids * 2,
        "layer": [1] * 4 + [2] * 4,
        "embedding": [[0.0, 0.0]] * 4 + [[0.0, 1.0], [0.0, 1.1], [5.0, 0.0], [5.0, 0.1]],
    }
    pl.DataFrame(rows).write_parquet(tmp_path / "v.parquet")
    text = report(
        None, tmp_path / "x.html", genome=inputs["genome"], embeddings=tmp_path / "v.parquet"
    ).path.read_text()
    assert "4 sequences, 2 dimensions" in text
