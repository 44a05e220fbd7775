"""Every promise that the documentation of the simulated genome makes."""

import itertools
import math
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pysam
import pytest

from genolm.errors import InputError, RunError
from genolm.genome.annotation.coding_sequences import translate
from genolm.genome.annotation.genes import Transcript, read_gtf
from genolm.genome.bigwig import read_bigwig
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.genome.sequence import reverse_complement
from genolm.genome.simulation import human_figures as figures
from genolm.genome.simulation.simulate import SimulatedGenome, simulate
from genolm.genome.simulation.simulated_genes import Sampler, codes_of, draw_gene, letters
from genolm.genome.simulation.simulated_variants import CLASS_OF, tata_score
from genolm.genome.variant import Variant


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> SimulatedGenome:
    return simulate(tmp_path_factory.mktemp("example") / "genome")


@pytest.fixture(scope="module")
def genome(example: SimulatedGenome) -> Genome:
    return Genome(example.fasta, iupac="keep")


@pytest.fixture(scope="module")
def genes(example: SimulatedGenome) -> dict[str, Transcript]:
    return {transcript.gene: transcript for transcript in read_gtf(example.gtf)}


@pytest.fixture(scope="module")
def records(example: SimulatedGenome) -> list[pysam.VariantRecord]:
    with pysam.VariantFile(str(example.vcf)) as file:
        return list(file)


def alternatives(records: list[pysam.VariantRecord], effect: str) -> list[tuple[pysam.VariantRecord, str]]:
    return [
        (record, alt)
        for record in records
        for alt, own in zip(record.alts or (), record.info["EFFECT"])
        if own == effect
    ]


def changed(genome: Genome, part: Interval, record: pysam.VariantRecord, alt: str) -> str:
    """The part of the genome on its strand, with the alternative put in (which must lie inside)."""
    forward = genome[Interval(part.chrom, part.start, part.end)]
    at = record.pos - 1 - part.start
    assert forward[at : at + len(record.ref)] == record.ref
    text = forward[:at] + alt + forward[at + len(record.ref) :]
    return reverse_complement(text) if part.strand == "-" else text


def coding(genome: Genome, transcript: Transcript) -> str:
    parts = [genome[part] for part in transcript.coding_exons]
    return "".join(reversed(parts) if transcript.interval.strand == "-" else parts)


def spliced_with(genome: Genome, transcript: Transcript, record: pysam.VariantRecord, alt: str) -> str:
    """The reading frame with one alternative inside one coding exon."""
    parts = []
    for part in transcript.coding_exons:
        inside = part.start < record.pos <= part.end
        parts.append(changed(genome, part, record, alt) if inside else genome[part])
    return "".join(reversed(parts) if transcript.interval.strand == "-" else parts)


def test_all_files_and_nothing_else(example: SimulatedGenome) -> None:
    assert sorted(path.name for path in example.folder.iterdir()) == [
        "README.txt", "genes.gtf", "genome.fa", "genome.fa.fai", "loci.bed", "regions.bed",
        "rna.minus.bw", "rna.plus.bw", "variants.vcf.gz", "variants.vcf.gz.tbi",
    ]  # fmt: skip
    assert all(path.is_file() for path in (example.fasta, example.gtf, example.vcf, example.bed, example.readme))


def test_same_seed_same_bytes_and_another_seed_other_bytes(tmp_path: Path) -> None:
    def bytes_of(name: str, seed: int) -> dict[str, bytes]:
        folder = simulate(tmp_path / name, seed=seed, length=50_000, contigs=2).folder
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    first, again, other = bytes_of("a", 3), bytes_of("b", 3), bytes_of("c", 4)
    assert first == again
    unchanged = {name for name in first if first[name] == other[name]}
    assert unchanged <= {"genome.fa.fai", "variants.vcf.gz.tbi"}


def test_fast(tmp_path: Path) -> None:
    start = time.process_time()
    simulate(tmp_path / "x")
    assert time.process_time() - start < 5


def test_lengths(example: SimulatedGenome, genome: Genome) -> None:
    assert example.lengths == genome.lengths
    lengths = list(example.lengths.values())
    assert sum(lengths) == 400_000 and lengths == sorted(lengths, reverse=True) and lengths[-1] == 900
    assert list(example.lengths) == ["chr1", "chr2", "chr3", "chr4"]


def test_gaps_and_ambiguous_letters(example: SimulatedGenome, genome: Genome) -> None:
    text = genome.fetch("chr1", 0, example.lengths["chr1"])
    counts = Counter(text)
    assert text.startswith("N" * 500) and not text.startswith("N" * 501)
    assert counts["N"] == 700 and "N" * 200 in text[500:]
    assert {letter: counts[letter] for letter in "RYSWKM"} == dict.fromkeys("RYSWKM", 1)
    for name in list(example.lengths)[1:]:
        assert set(genome.fetch(name, 0, example.lengths[name])) == set("ACGT")


def raw(example: SimulatedGenome) -> dict[str, str]:
    with pysam.FastaFile(str(example.fasta)) as file:
        return {name: file.fetch(name) for name in file.references}


def test_repeats_are_lower_case_and_outside_every_exon_and_splice_site(
    example: SimulatedGenome, genes: dict[str, Transcript]
) -> None:
    texts = raw(example)
    lower = sum(letter.islower() for text in texts.values() for letter in text)
    assert 0.1 < lower / 400_000 < 0.4
    for transcript in genes.values():
        for exon in transcript.exons:
            assert texts[exon.chrom][exon.start - 40 : exon.end + 40].isupper()
        promoter = Interval(exon.chrom, transcript.tss, transcript.tss + 1, exon.strand).expand(299, 0)
        assert texts[promoter.chrom][promoter.start : promoter.end].isupper()


def test_repeats_in_both_orientations(example: SimulatedGenome) -> None:
    lower = "".join(letter if letter.islower() else "-" for text in raw(example).values() for letter in text).upper()
    words = {figures.ALU[start : start + 14] for start in range(len(figures.ALU) - 14)}
    forward = sum(lower.count(word) for word in words)
    backward = sum(lower.count(reverse_complement(word)) for word in words)
    assert forward > 500 and backward > 500


def test_tandem_repeats(example: SimulatedGenome) -> None:
    for name in ("chr1", "chr2", "chr3"):
        assert re.search(r"([acgt]{1,6}?)\1{11,}", raw(example)[name]), name


def cpg(text: str) -> float:
    """Observed over expected CpG."""
    return text.count("CG") * len(text) / (text.count("C") * text.count("G"))


def test_background_has_human_cpg_depletion(example: SimulatedGenome) -> None:
    rows = [line.split("\t") for line in example.bed.read_text().splitlines()]
    texts = raw(example)
    ratios = {
        kind: cpg("N".join(texts[row[0]][int(row[1]) : int(row[2])] for row in rows if row[3].startswith(kind)))
        for kind in ("intergenic", "promoter")
    }
    assert ratios["intergenic"] < 0.4 < 0.6 < ratios["promoter"]
    drawn = letters(Sampler(np.random.default_rng(1)).background(100_000))
    counted = Counter(drawn[at : at + 4] for at in range(len(drawn) - 3))
    expected = figures.background()
    for row, context in enumerate(a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"):
        counts = np.array([counted[context + base] for base in "ACGT"])
        error = 5 * np.sqrt(expected[row] * (1 - expected[row]) / counts.sum())
        assert (abs(counts / counts.sum() - expected[row]) < error).all(), context


def test_genes_on_both_strands_with_one_to_seven_exons(example: SimulatedGenome, genes: dict[str, Transcript]) -> None:
    assert len(genes) == example.genes > 50
    strands = Counter(transcript.interval.strand for transcript in genes.values())
    assert min(strands.values()) > 0.3 * len(genes)
    exons = {len(transcript.exons) for transcript in genes.values()}
    assert min(exons) == 1 and 5 <= max(exons) <= 7
    contigs = {transcript.interval.chrom for transcript in genes.values()}
    assert contigs == {"chr1", "chr2", "chr3"}


def test_introns_begin_with_gt_and_end_with_ag(genome: Genome, genes: dict[str, Transcript]) -> None:
    introns = [genome[intron] for transcript in genes.values() for intron in transcript.introns]
    assert len(introns) > 100
    assert {intron[:2] for intron in introns} == {"GT"} and {intron[-2:] for intron in introns} == {"AG"}
    assert all(90 <= len(intron) <= 2500 for intron in introns)


def frequencies(texts: list[str]) -> np.ndarray:
    table = np.zeros((len(texts[0]), 4))
    for text in texts:
        table[np.arange(len(text)), codes_of(text)] += 1
    return table / len(texts)


def test_splice_sites_follow_the_matrices() -> None:
    sampler = Sampler(np.random.default_rng(5))
    drafts = [draw_gene(sampler) for _ in range(400)]
    introns = [(draft.codes, intron) for draft in drafts for intron in draft.introns]
    donors = [letters(codes[start : start + 6]) for codes, (start, _) in introns]
    acceptors = [letters(codes[end - 15 : end]) for codes, (_, end) in introns]
    tolerance = 5 * math.sqrt(0.25 / len(introns))
    assert abs(frequencies(donors) - figures.DONOR[3:]).max() < tolerance
    assert abs(frequencies(acceptors) - figures.ACCEPTOR[:15]).max() < tolerance
    # codons pull the exonic letters towards themselves, and still the last base of an exon is mostly G
    assert frequencies([letters(codes[start - 1 : start]) for codes, (start, _) in introns])[0, 2] > 0.6


def test_reading_frames(genome: Genome, genes: dict[str, Transcript]) -> None:
    for transcript in genes.values():
        protein = translate(coding(genome, transcript))
        assert protein[0] == "M" and protein.endswith("*") and protein.count("*") == 1, transcript.gene
        assert len(coding(genome, transcript)) % 3 == 0


def test_gtf_frames_agree_with_the_sequence(example: SimulatedGenome, genome: Genome) -> None:
    checked = 0
    for row in (line.rstrip().split("\t") for line in example.gtf.read_text().splitlines()):
        if row[2] == "CDS":
            text = genome[Interval(row[0], int(row[3]) - 1, int(row[4]), row[6])]
            assert "*" not in translate(text[int(row[7]) :])
            checked += 1
    assert checked > 200


def test_codons_have_human_usage(genome: Genome, genes: dict[str, Transcript]) -> None:
    counts: Counter[str] = Counter()
    for transcript in genes.values():
        text = coding(genome, transcript)
        counts.update(text[at : at + 3] for at in range(3, len(text) - 3, 3))
    sense = [codon for codon, amino in figures.GENETIC_CODE.items() if amino != "*"]
    ours, human = [counts[codon] for codon in sense], [figures.CODONS[codon] for codon in sense]
    assert np.corrcoef(ours, human)[0, 1] > 0.95


def test_promoters(genome: Genome, genes: dict[str, Transcript]) -> None:
    tata, rich, initiators = 0, 0, []
    for transcript in genes.values():
        start = Interval(transcript.interval.chrom, transcript.tss, transcript.tss + 1, transcript.interval.strand)
        tata += genome[start.expand(31, -26)] in {"TATAAA", "TATATA"}
        island = genome[start.expand(250, 0)]
        rich += (island.count("C") + island.count("G")) / len(island) > 0.55
        initiators.append(genome[start.expand(2, 5)])
    assert 0.2 < tata / len(genes) < 0.6
    assert 0.4 < rich / len(genes) < 0.8
    assert abs(frequencies(initiators) - figures.INITIATOR).max() < 5 * math.sqrt(0.25 / len(genes))
    assert {text[2] for text in initiators} <= {"A", "T"}


def test_polyadenylation_signals(genome: Genome, genes: dict[str, Transcript]) -> None:
    for transcript in genes.values():
        last = transcript.exons[-1] if transcript.interval.strand == "+" else transcript.exons[0]
        tail = genome[last][-31:-15]
        assert "AATAAA" in tail or "ATTAAA" in tail, transcript.gene


def test_references_match_and_records_are_sorted(genome: Genome, records: list[pysam.VariantRecord]) -> None:
    places = [(list(genome.lengths).index(record.chrom), record.pos) for record in records]
    assert places == sorted(set(places)) and len(records) > 500
    for record in records:
        assert record.ref == genome.fetch(record.chrom, record.pos - 1, record.pos - 1 + len(record.ref))
        assert set(record.ref) <= set("ACGT")


def test_indels_cannot_move_left(genome: Genome, records: list[pysam.VariantRecord]) -> None:
    indels = [
        Variant(record.chrom, record.pos, record.ref, alt)
        for record in records
        for alt in record.alts or ()
        if alt not in {"*", "<DEL>"} and len(alt) != len(record.ref)
    ]
    kinds = Counter(variant.kind for variant in indels)
    assert kinds["insertion"] > 50 and kinds["deletion"] > 50 and len(kinds) == 2
    assert all(variant.left_aligned(genome) == variant for variant in indels)


def test_truth_fields(example: SimulatedGenome, records: list[pysam.VariantRecord]) -> None:
    effects: Counter[str] = Counter()
    for record in records:
        own = record.info["EFFECT"]
        assert len(own) == len(record.alts or ())
        classes = tuple(value or "." for value in record.info["CLS"])
        assert classes == tuple(CLASS_OF[effect] for effect in own)
        effects.update(own)
    assert set(effects) == set(CLASS_OF)
    assert all(
        f"{effect:<18}{CLASS_OF[effect]:<3}{effects[effect]:>5}" in example.readme.read_text() for effect in effects
    )
    assert len(records) == example.variants


@pytest.mark.parametrize(("effect", "at", "lawful"), [("splice_donor", 0, "GT"), ("splice_acceptor", -2, "AG")])
def test_splice_variants_break_the_site(
    genome: Genome, genes: dict[str, Transcript], records: list[pysam.VariantRecord], effect: str, at: int, lawful: str
) -> None:
    found = alternatives(records, effect)
    assert len(found) > 30
    for record, alt in found:
        introns = genes[record.info["GENE"]].introns
        intron = next(one for one in introns if one.start < record.pos <= one.end)
        text = changed(genome, intron, record, alt)
        site = text[at:][:2]
        assert site not in {lawful, "GC"} and genome[intron][at:][:2] == lawful


def test_start_lost(genome: Genome, genes: dict[str, Transcript], records: list[pysam.VariantRecord]) -> None:
    found = alternatives(records, "start_lost")
    assert len(found) > 50
    for record, alt in found:
        assert spliced_with(genome, genes[record.info["GENE"]], record, alt)[:3] != "ATG"


def test_stop_gained(genome: Genome, genes: dict[str, Transcript], records: list[pysam.VariantRecord]) -> None:
    found = alternatives(records, "stop_gained")
    assert len(found) > 50
    for record, alt in found:
        protein = translate(spliced_with(genome, genes[record.info["GENE"]], record, alt))
        assert protein.count("*") == 2 and protein.index("*") <= 0.8 * len(protein)


def test_synonymous(genome: Genome, genes: dict[str, Transcript], records: list[pysam.VariantRecord]) -> None:
    found = alternatives(records, "synonymous")
    assert len(found) > 50
    for record, alt in found:
        transcript = genes[record.info["GENE"]]
        assert translate(spliced_with(genome, transcript, record, alt)) == translate(coding(genome, transcript))


def test_frameshift(genome: Genome, genes: dict[str, Transcript], records: list[pysam.VariantRecord]) -> None:
    found = alternatives(records, "frameshift")
    assert len(found) > 50
    for record, alt in found:
        transcript = genes[record.info["GENE"]]
        before, after = coding(genome, transcript), spliced_with(genome, transcript, record, alt)
        assert (len(after) - len(before)) % 3 != 0
        exon = next(part for part in transcript.coding_exons if part.start < record.pos <= part.end)
        assert exon.start + 5 <= record.pos - 1 and record.pos - 1 + len(record.ref) <= exon.end - 5


def test_promoter_variants_break_the_tata_box(
    genome: Genome, genes: dict[str, Transcript], records: list[pysam.VariantRecord]
) -> None:
    found = alternatives(records, "promoter")
    assert len(found) > 15
    for record, alt in found:
        transcript = genes[record.info["GENE"]]
        start = Interval(record.chrom, transcript.tss, transcript.tss + 1, transcript.interval.strand)
        box = start.expand(32, -18)
        assert tata_score(genome[box]) - tata_score(changed(genome, box, record, alt)) > 0.9


@pytest.mark.parametrize("effect", ["intergenic", "intergenic_indel"])
def test_intergenic_variants_are_far_from_genes(
    example: SimulatedGenome, genes: dict[str, Transcript], records: list[pysam.VariantRecord], effect: str
) -> None:
    texts = raw(example)
    for record, _ in alternatives(records, effect):
        place = Interval(record.chrom, record.pos - 1, record.pos - 1 + len(record.ref))
        assert not any(transcript.interval.expand(50, 50).overlaps(place) for transcript in genes.values())
        assert texts[place.chrom][place.start : place.end].isupper()
        assert "GENE" not in record.info


def test_intronic_variants_are_away_from_the_signals(
    genes: dict[str, Transcript], records: list[pysam.VariantRecord]
) -> None:
    for record, _ in alternatives(records, "intronic"):
        introns = [one for one in genes[record.info["GENE"]].introns if len(one) > 140]
        assert any(one.expand(-60, -80).contains(Interval(record.chrom, record.pos - 1, record.pos)) for one in introns)


def test_special_records(genes: dict[str, Transcript], records: list[pysam.VariantRecord]) -> None:
    multi = [record for record in records if "*" not in (record.alts or ()) and len(record.alts or ()) > 1]
    assert [record.info["EFFECT"] for record in multi] == [("stop_gained", "synonymous")]
    star = [record for record in records if "*" in (record.alts or ())]
    assert [(len(record.alts or ()), record.info["EFFECT"][1]) for record in star] == [(2, "spanning_deletion")]
    assert any(
        record.pos < star[0].pos < record.pos + len(record.ref) and len(record.ref) == 6
        for record in records
        if record.chrom == star[0].chrom
    )
    symbolic = [record for record in records if record.alts == ("<DEL>",)]
    assert len(symbolic) == 1
    exons = genes[symbolic[0].info["GENE"]].exons
    assert (symbolic[0].pos, symbolic[0].stop) in {(exon.start, exon.end) for exon in exons[1:-1]}


def test_samples_and_filters(records: list[pysam.VariantRecord]) -> None:
    assert list(records[0].samples) == ["SAMPLE1", "SAMPLE2"]
    alleles = Counter(value for record in records for sample in record.samples.values() for value in sample["GT"])
    assert alleles[0] > 0 and alleles[1] > 0 and alleles[None] > 0
    assert {tuple(record.filter) for record in records} == {("PASS",), ("LowQual",)}


def test_tabix_index_works(example: SimulatedGenome, records: list[pysam.VariantRecord]) -> None:
    with pysam.VariantFile(str(example.vcf)) as file:
        found = list(file.fetch("chr2", 1000, 20_000))
    assert [record.pos for record in found] == [
        record.pos for record in records if record.chrom == "chr2" and 1000 < record.pos <= 20_000
    ]


def test_regions(example: SimulatedGenome, genes: dict[str, Transcript]) -> None:
    rows = [line.split("\t") for line in example.bed.read_text().splitlines()]
    counts = Counter(row[3].split(":")[0] for row in rows)
    assert set(counts) == {"promoter", "exon", "intron", "repeat", "intergenic"}
    assert min(counts["promoter"], counts["exon"]) > 0.7 * len(genes)
    places = [(row[0], int(row[1]), int(row[2])) for row in rows]
    assert all(one[0] != other[0] or one[2] <= other[1] for one, other in itertools.pairwise(places))
    assert len({row[3] for row in rows}) == len(rows)
    assert all(int(row[2]) - int(row[1]) == 400 for row in rows)
    assert all(int(row[1]) >= 0 and int(row[2]) <= example.lengths[row[0]] for row in rows)
    starts = {(transcript.interval.chrom, transcript.tss) for transcript in genes.values()}
    for chrom, start, end in (place for place, row in zip(places, rows) if row[3].startswith("promoter")):
        assert sum(chrom == other and start < tss < end for other, tss in starts) == 1


def test_loci(example: SimulatedGenome, genes: dict[str, Transcript]) -> None:
    rows = [line.split("\t") for line in example.loci.read_text().splitlines()]
    assert [row[3] for row in rows] == list(genes)
    loci = [Interval(row[0], int(row[1]), int(row[2])) for row in rows]
    assert all(locus.contains(genes[row[3]].interval.expand(500, 200)) for locus, row in zip(loci, rows))
    assert not any(one.overlaps(other) for one, other in itertools.pairwise(loci))
    assert all(locus.start >= 0 and locus.end <= example.lengths[locus.chrom] for locus in loci)


def test_coverage_is_exonic_and_stranded(example: SimulatedGenome, genes: dict[str, Transcript]) -> None:
    own, introns, other = [], [], []
    for transcript in genes.values():
        whole = transcript.interval
        track = example.rna[whole.strand]
        body = read_bigwig(track, Interval(whole.chrom, whole.start, whole.end))
        inside = np.zeros(len(whole), np.bool_)
        for exon in transcript.exons:
            inside[exon.start - whole.start : exon.end - whole.start] = True
        own.append(body[inside].mean())
        introns.append(body[~inside].mean() if (~inside).any() else 0)
        other.append(read_bigwig(example.rna["-" if whole.strand == "+" else "+"], whole).mean())
    assert np.median(own) > 5 and np.mean(introns) < 0.1 * np.mean(own) and np.mean(other) < 0.1
    silent = np.mean(np.array(own) < 0.5)
    assert 0.03 < silent < 0.35


def test_readme_names_every_file(example: SimulatedGenome) -> None:
    text = example.readme.read_text()
    assert all(path.name in text for path in example.folder.iterdir() if path.name != "README.txt")
    assert "seed 0, length 400000, contigs 4" in text
    assert all(len(line) <= 120 for line in text.splitlines())


def test_refuses_to_overwrite_unless_told(tmp_path: Path) -> None:
    simulate(tmp_path, length=30_000, contigs=2)
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(RunError, match=r"genome.fa exists; choose another folder"):
        simulate(tmp_path, length=30_000, contigs=2)
    simulate(tmp_path, length=40_000, contigs=2, overwrite=True)
    assert Genome(tmp_path / "genome.fa").lengths == {"chr1": 39_100, "chr2": 900}
    assert (tmp_path / "mine.txt").read_text() == "kept"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"contigs": 1}, r"contigs must be at least 2 \(value 1\)"),
        ({"contigs": 3, "length": 40_000}, r"3 contigs require at least 40900 bases \(value 40000\)"),
    ],
)
def test_bad_settings(tmp_path: Path, settings: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate(tmp_path / "x", **settings)
    assert not (tmp_path / "x").exists()


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(InputError, match="expected a folder, found a file"):
        simulate(tmp_path / "x")


@pytest.mark.parametrize("seed", range(1, 4))
def test_other_seeds_and_shapes_hold_too(tmp_path: Path, seed: int) -> None:
    example = simulate(tmp_path / "x", seed=seed, length=60_900, contigs=seed + 1)
    genome = Genome(example.fasta, iupac="keep")
    for transcript in read_gtf(example.gtf):
        assert translate(coding(genome, transcript)).count("*") == 1
        assert all(genome[intron][:2] + genome[intron][-2:] == "GTAG" for intron in transcript.introns)
    with pysam.VariantFile(str(example.vcf)) as file:
        for record in file:
            assert record.ref == genome.fetch(record.chrom, record.pos - 1, record.pos - 1 + len(record.ref))
