"""Simulation of a small example genome with known genes, signals, repeats, variants and RNA coverage.

It is used by the demo, the tests and the documentation. It contains no real genes or data of real persons, and good
scores on it say little about real genomes: it is sampled from a few published statistics
(`genolm.genome.simulation.human_figures`).

Properties of the simulated data (each has a test):

- **Background**: an order-3 Markov chain of human DNA, with its CpG depletion.
- **Genes** on both strands, 1 to 7 exons. The promoter has an initiator at the transcription start; two of five have a
  TATA box whose core starts 31 bases upstream, three of five are in a CpG island. Introns start with GT and end with
  AG; donor, acceptor and branch-point sequences are sampled from position weight matrices. The open reading frame
  starts with ATG and ends with its only stop codon; codons follow human usage. A poly-A signal ends 15 to 25 bases
  before the end of the transcript.
- **Repeats** in lower case: three families of interspersed repeats in both orientations and tandem repeats, outside
  all signals.
- The first contig starts with 500 N, has a second run of 200 N and six ambiguity codes; the last contig is tiny.
- **Variants** with their effect in INFO: EFFECT, CLS (LP, LB or none) and GENE; two samples. REF always matches.
- **RNA coverage** of both strands: high in exons, low in introns, some noise, some genes not expressed.
- The same seed, length and number of contigs give the same bytes.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pysam

from genolm.arrays import Float32
from genolm.errors import InputError, RunError
from genolm.files.names import as_argument
from genolm.genome.annotation.genes import write_gtf
from genolm.genome.bigwig import write_bigwig
from genolm.genome.interval import Interval
from genolm.genome.records import fasta_lines
from genolm.genome.simulation.simulated_contigs import Contig, PlacedGene, draw_contig, draw_families, intergenic, tss
from genolm.genome.simulation.simulated_genes import Sampler
from genolm.genome.simulation.simulated_variants import CLASS_OF, TrueVariant, draw_variants
from genolm.parameters import AtLeast, Bases, OutputFolder, Seed
from genolm.remedies import Remedy
from genolm.verbs import verb

TINY = 900  # bases of the last contig
REGION = 400  # bases of every region of regions.bed
LOCUS_MARGIN = 200  # bases on both sides of a gene in loci.bed
SAMPLES = ("SAMPLE1", "SAMPLE2")
READ_LENGTH = 75
EXPRESSION = (np.log(20.0), 1.0)  # mean and sigma of the logarithm of a gene's mean coverage
UNSPLICED_SHARE = 0.03  # of a gene's reads come from transcripts that still have their introns
NOISE_READS = 20  # per 100,000 bases and strand, anywhere
UNEXPRESSED_SHARE = 0.15  # of the genes
_LINE = 60
_FILES = (
    "genome.fa", "genome.fa.fai", "genes.gtf", "variants.vcf.gz", "variants.vcf.gz.tbi",
    "regions.bed", "loci.bed", "rna.plus.bw", "rna.minus.bw", "README.txt",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SimulatedGenome:
    """Files of a simulated genome.

    Attributes:
        folder: folder of the files.
        lengths: length of every contig in bases.
        genes: number of genes.
        variants: number of variant records.
    """

    folder: Path
    lengths: dict[str, int]
    genes: int
    variants: int

    @property
    def fasta(self) -> Path:
        """The genome, repeats in lower case, with its index ``genome.fa.fai``."""
        return self.folder / "genome.fa"

    @property
    def gtf(self) -> Path:
        """The genes."""
        return self.folder / "genes.gtf"

    @property
    def vcf(self) -> Path:
        """The variants, bgzip, with their index."""
        return self.folder / "variants.vcf.gz"

    @property
    def bed(self) -> Path:
        """Non-overlapping regions of 400 bases named ``type:number``: promoter, exon, intron, repeat, intergenic."""
        return self.folder / "regions.bed"

    @property
    def loci(self) -> Path:
        """Every gene with its promoter and 200 bases on both sides, BED, forward strand, non-overlapping."""
        return self.folder / "loci.bed"

    @property
    def rna(self) -> dict[str, Path]:
        """RNA coverage of the strands ``+`` and ``-``, bigWig."""
        return {"+": self.folder / "rna.plus.bw", "-": self.folder / "rna.minus.bw"}

    @property
    def readme(self) -> Path:
        """Description of the files."""
        return self.folder / "README.txt"


@verb(example="genolm simulate example --length 100000")
def simulate(
    out: OutputFolder,
    *,
    seed: Seed = 0,
    length: Bases = 400_000,
    contigs: Annotated[int, AtLeast(2)] = 4,
    overwrite: bool = False,
) -> SimulatedGenome:
    """Simulate an example genome with genes and variants.

    Includes promoters, splice sites, repeats, variants of known effect, and RNA coverage.

    Either all files are written or none. Contigs are named ``chr1``, ``chr2``, ... and have decreasing lengths; the
    last has 900 bases and no genes. Equal seed, length and number of contigs give equal bytes.

    Args:
        out: Output folder; created if it does not exist.
        seed: Random seed, 0 or higher.
        length: Genome length in bases, all contigs together.
        contigs: Number of contigs, at least 2; the last one is tiny.
        overwrite: Overwrite existing output.

    Raises:
        InputError: fewer than 2 contigs, or fewer than 20,000 bases per contig except the last.
        RunError: the folder cannot be written, or contains files with these names and `overwrite` is False.
    """
    folder = Path(out)
    _check(folder, length, contigs, overwrite)
    sampler = Sampler(np.random.default_rng(seed))
    simulated = _draw_contigs(sampler, _lengths(length, contigs))
    variants = draw_variants(sampler, simulated)
    _make(folder)
    with tempfile.TemporaryDirectory(prefix=".simulate-", dir=folder) as partial:
        _write_all(Path(partial), sampler, simulated, variants, _settings(seed, length, contigs))
        for name in _FILES:
            (Path(partial) / name).replace(folder / name)
    lengths = {contig.name: len(contig.text) for contig in simulated}
    return SimulatedGenome(folder, lengths, sum(len(contig.genes) for contig in simulated), len(variants))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder} cannot be created: {error.strerror}", code="unwritable-output") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RunError(f"{folder}: the folder is not writable", code="unwritable-output")


def _check(folder: Path, length: int, contigs: int, overwrite: bool) -> None:
    if length < 20_000 * (contigs - 1) + TINY:
        raise InputError(f"{contigs} contigs require at least {20_000 * (contigs - 1) + TINY} bases", value=length)
    if folder.exists() and not folder.is_dir():
        raise InputError("expected a folder, found a file", file=folder)
    present = [name for name in _FILES if (folder / name).exists()]
    if present and not overwrite:
        raise RunError(
            f"{folder}: {present[0]} exists",
            code="output-exists",
            remedy=("choose another folder", Remedy("overwrite", True, "replace it")),
        )


def _lengths(length: int, contigs: int) -> list[int]:
    """Return decreasing lengths of at least 20,000 bases, and that of the tiny contig."""
    large = contigs - 1
    spare = length - TINY - 20_000 * large
    weights = np.arange(large, 0, -1)
    lengths = [20_000 + int(spare * weight / weights.sum()) for weight in weights]
    lengths[0] += length - TINY - sum(lengths)
    return [*lengths, TINY]


def _settings(seed: int, length: int, contigs: int) -> str:
    return f"seed {seed}, length {length}, contigs {contigs}"


def _draw_contigs(sampler: Sampler, lengths: list[int]) -> list[Contig]:
    families = draw_families(sampler)
    simulated: list[Contig] = []
    for number, length in enumerate(lengths, start=1):
        before = sum(len(contig.genes) for contig in simulated)
        simulated.append(draw_contig(sampler, f"chr{number}", length, families, first=number == 1, genes_before=before))
    return simulated


def _write_all(
    folder: Path, sampler: Sampler, contigs: list[Contig], variants: list[TrueVariant], settings: str
) -> None:
    lengths = {contig.name: len(contig.text) for contig in contigs}
    _write_fasta(folder / "genome.fa", contigs)
    write_gtf(folder / "genes.gtf", (gene.transcript for contig in contigs for gene in contig.genes))
    _write_vcf(folder / "variants.vcf", sampler, lengths, variants)
    (folder / "regions.bed").write_text("".join(_region_lines(contigs)), encoding="utf-8")
    (folder / "loci.bed").write_text("".join(_locus_lines(contigs)), encoding="utf-8")
    coverage = {contig.name: _draw_coverage(sampler, contig) for contig in contigs}
    for strand, name in (("+", "rna.plus.bw"), ("-", "rna.minus.bw")):
        write_bigwig(folder / name, lengths, _pieces(coverage, strand))
    (folder / "README.txt").write_text(_readme(contigs, variants, settings), encoding="utf-8")


def _pieces(coverage: dict[str, dict[str, Float32]], strand: str) -> Iterator[tuple[str, int, Float32]]:
    for name, tracks in coverage.items():
        yield name, 0, tracks[strand]


def _draw_coverage(sampler: Sampler, contig: Contig) -> dict[str, Float32]:
    """Simulate the read depth of a contig on each strand: ``{"+": (bases,), "-": (bases,)}``."""
    tracks = {strand: np.zeros(len(contig.text), np.float32) for strand in "+-"}
    for gene in contig.genes:
        if not sampler.chance(UNEXPRESSED_SHARE):
            _add_gene(sampler, tracks[gene.strand], gene)
    for strand in "+-":
        reads = int(sampler.random.poisson(NOISE_READS * len(contig.text) / 100_000))
        tracks[strand] += _pile(sampler, len(contig.text), reads)
    return tracks


def _add_gene(sampler: Sampler, track: Float32, gene: PlacedGene) -> None:
    mean = float(sampler.random.lognormal(*EXPRESSION))
    spliced = np.concatenate([np.arange(*exon) for exon in gene.draft.exons])
    whole = np.arange(gene.draft.exons[0][0], gene.draft.exons[-1][1])
    for offsets, coverage in ((spliced, mean), (whole, UNSPLICED_SHARE * mean)):
        reads = int(sampler.random.poisson(coverage * len(offsets) / READ_LENGTH))
        positions = [gene.position(0), gene.position(1)]
        track[positions[0] + offsets * (positions[1] - positions[0])] += _pile(sampler, len(offsets), reads)


def _pile(sampler: Sampler, length: int, reads: int) -> Float32:
    """Return the depth of reads of `READ_LENGTH` with random starts over `length` bases."""
    if length < READ_LENGTH:
        return np.zeros(length, np.float32)
    starts = sampler.random.integers(0, length - READ_LENGTH + 1, size=reads)
    steps = np.zeros(length + 1, np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, starts + READ_LENGTH, -1)
    return np.cumsum(steps[:-1]).astype(np.float32)


def _write_fasta(path: Path, contigs: list[Contig]) -> None:
    with path.open("w", encoding="ascii", newline="\n") as file:
        for contig in contigs:
            file.writelines(fasta_lines(contig.name, contig.soft_masked(), _LINE))
    pysam.faidx(as_argument(path))


def _write_vcf(path: Path, sampler: Sampler, lengths: dict[str, int], variants: list[TrueVariant]) -> None:
    lines = [
        *_vcf_header(lengths),
        *(_vcf_line(sampler, number, variant) for number, variant in enumerate(variants, 1)),
    ]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    pysam.tabix_index(as_argument(path), preset="vcf", force=True)


def _vcf_header(lengths: dict[str, int]) -> Iterator[str]:
    yield "##fileformat=VCFv4.2"
    yield "##source=genolm simulate"
    yield from (f"##contig=<ID={name},length={length}>" for name, length in lengths.items())
    yield '##FILTER=<ID=LowQual,Description="Drawn at random for one record in fifty; says nothing about the truth">'
    yield '##ALT=<ID=DEL,Description="Deletion">'
    yield f'##INFO=<ID=EFFECT,Number=A,Type=String,Description="True effect, one of {", ".join(CLASS_OF)}">'
    yield '##INFO=<ID=CLS,Number=A,Type=String,Description="Truth: LP breaks a signal or the frame, LB is neutral">'
    yield '##INFO=<ID=GENE,Number=1,Type=String,Description="Gene it falls into">'
    yield '##INFO=<ID=END,Number=1,Type=Integer,Description="Last base of a symbolic deletion (1-based)">'
    yield '##INFO=<ID=SVTYPE,Number=1,Type=String,Description="Type of a symbolic variant">'
    yield '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype, drawn at random">'
    yield '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Read depth, drawn at random">'
    yield "\t".join(("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *SAMPLES))


def _vcf_line(sampler: Sampler, number: int, variant: TrueVariant) -> str:
    info = [f"EFFECT={','.join(variant.effects)}", f"CLS={','.join(variant.classes)}"]
    info += [f"GENE={variant.gene}"] if variant.gene != "." else []
    info += [f"END={variant.end}", "SVTYPE=DEL"] if variant.end is not None else []
    quality, passed = sampler.integer(30, 99), "LowQual" if sampler.chance(0.02) else "PASS"
    genotypes = [_genotype(sampler, len(variant.alts)) for _ in SAMPLES]
    fixed = (variant.chrom, variant.pos, f"sim{number:05d}", variant.ref, ",".join(variant.alts), quality, passed)
    return "\t".join(map(str, (*fixed, ";".join(info), "GT:DP", *genotypes)))


def _genotype(sampler: Sampler, alts: int) -> str:
    depth = int(sampler.random.poisson(30))
    if sampler.chance(0.03):
        return f"./.:{depth}"
    alleles = sorted(sampler.integer(0, alts) for _ in range(2))
    return f"{alleles[0]}/{alleles[1]}:{depth}"


def _region_lines(contigs: list[Contig]) -> Iterator[str]:
    """Yield regions of equal length, so that embeddings cannot separate them by length."""
    for kind, interval, number in _numbered(_regions(contigs)):
        yield f"{interval.chrom}\t{interval.start}\t{interval.end}\t{kind}:{number}\t0\t{interval.strand}\n"


def _locus_lines(contigs: list[Contig]) -> Iterator[str]:
    for gene in (gene for contig in contigs for gene in contig.genes):
        locus = gene.whole.expand(LOCUS_MARGIN, LOCUS_MARGIN)
        yield f"{locus.chrom}\t{locus.start}\t{locus.end}\t{gene.name}\t0\t+\n"


def _numbered(regions: Iterable[tuple[str, Interval]]) -> Iterator[tuple[str, Interval, int]]:
    counts: Counter[str] = Counter()
    for kind, interval in regions:
        counts[kind] += 1
        yield kind, interval, counts[kind]


def _regions(contigs: list[Contig]) -> Iterator[tuple[str, Interval]]:
    """Yield regions by position, skipping those that overlap the previous one."""
    for contig in contigs:
        reached = 0
        for kind, interval in sorted(_contig_regions(contig), key=lambda region: region[1].start):
            if interval.start >= reached:
                reached = interval.end
                yield kind, interval


def _contig_regions(contig: Contig) -> Iterator[tuple[str, Interval]]:
    for gene in contig.genes:
        start = Interval(contig.name, tss(gene), tss(gene) + 1, gene.strand)
        yield "promoter", start.expand(250, REGION - 251)
        yield "exon", max(gene.transcript.coding_exons, key=len).resize(REGION)
        yield from (("intron", part.resize(REGION)) for part in gene.transcript.introns[:1] if len(part) >= REGION)
    last = len(contig.text) - REGION
    long_repeats = (part for part, _ in contig.repeats if len(part) >= 250 and REGION < part.start < part.end < last)
    yield from (("repeat", part.resize(REGION)) for part in list(long_repeats)[: len(contig.genes)])
    between = (span for span in intergenic(contig) if span[1] - span[0] >= REGION)
    for start_base, end in list(between)[: len(contig.genes)]:
        yield "intergenic", Interval(contig.name, start_base, end).resize(REGION)


def _readme(contigs: list[Contig], variants: list[TrueVariant], settings: str) -> str:
    effects = Counter(effect for variant in variants for effect in variant.effects)
    repeats = Counter("tandem" if name.startswith("(") else name for contig in contigs for _, name in contig.repeats)
    return _README.format(
        settings=settings,
        contigs=", ".join(f"{contig.name} {len(contig.text):,}" for contig in contigs),
        genes=sum(len(contig.genes) for contig in contigs),
        repeats=", ".join(f"{name} {count}" for name, count in sorted(repeats.items())),
        records=len(variants),
        effects="\n".join(f"    {effect:<18}{CLASS_OF[effect]:<3}{effects[effect]:>5}" for effect in CLASS_OF),
        samples=" and ".join(SAMPLES),
        region=REGION,
    )


_README = """\
An example genome, drawn by genolm simulate ({settings}).
Nothing here is real, and good scores here say little about real genomes.

genome.fa          the genome, repeats in lower case. Bases: {contigs}.
                   Background: order-3 Markov chain counted on GRCh38 chr2:10,001-2,333,275. chr1 begins with 500 N,
                   has a run of 200 N and the ambiguous letters R Y S W K M once each; the last contig is tiny.
                   Repeats: {repeats}.
                   ALU is drawn from a human copy, the other families from the background; copies differ from their
                   family by substitutions and lack some of their 5' end.
genome.fa.fai      its index.
genes.gtf          {genes} genes, one transcript each. Promoters with initiator, TATA box (2 of 5), CpG island (3 of 5);
                   splice sites and branch points from the matrices of Zhang 1998, TATA and initiator of Bucher 1990;
                   codons by human usage; AATAAA or ATTAAA 15 to 25 bases before the end.
variants.vcf.gz    {records} records of known effect (INFO EFFECT, CLS, GENE).
                   Samples: {samples}, genotypes drawn at random.
                   CLS: LP breaks a signal or the reading frame, LB is neutral. Alternatives by effect:
{effects}
variants.vcf.gz.tbi  its index.
regions.bed        regions of {region} bases, named type:number (promoter, exon, intron, repeat, intergenic);
                   none overlap.
loci.bed           every gene with its promoter and 200 bases on both sides, forward strand.
rna.plus.bw        RNA coverage (reads per base) of the genes on the forward strand: reads of 75 bases of spliced
                   transcripts, 3 % unspliced, a little noise, 15 % of the genes silent.
rna.minus.bw       the same for the genes on the reverse strand.
"""
