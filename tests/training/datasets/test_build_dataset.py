"""Splice datasets: every label is at its exon boundary, splits share no gene, and wrong inputs are refused."""

import json
from pathlib import Path

import polars as pl
import pytest

from genolm.errors import InputError, RunError
from genolm.genome.annotation.genes import Transcript, read_gtf, write_gtf
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.genome.labelled.dataset_folder import LabelledRow, read_dataset
from genolm.genome.simulation.simulate import SimulatedGenome, simulate
from genolm.training.datasets.build_dataset import build_dataset

SPLITS = {"valid": ("chr3",), "test": ("chr2",)}


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> SimulatedGenome:
    return simulate(tmp_path_factory.mktemp("example") / "genome", length=120_000)


def built(example: SimulatedGenome, out: Path, **settings: object) -> dict[str, list[LabelledRow]]:
    values = {"genome": example.fasta, "genes": example.gtf, "window": 700, "flank": 90, **SPLITS, **settings}
    dataset = read_dataset(build_dataset("splice", out, **values))
    return {name: list(dataset.rows(name)) for name in dataset.description.splits}


def positions(rows: list[LabelledRow], label: str) -> set[tuple[str, str, int]]:
    """Positions of a label in genome coordinates."""
    found = set()
    for row in rows:
        for index in (index for index, one in enumerate(row.label) if one == label):
            position = row.start + index if row.strand == "+" else row.end - 1 - index
            found.add((row.chrom, row.strand, position))
    return found


def test_labels_are_the_boundaries_of_introns(example: SimulatedGenome, tmp_path: Path) -> None:
    rows = built(example, tmp_path / "data")
    donors, acceptors = set(), set()
    for transcript in read_gtf(example.gtf):
        for intron in transcript.introns:
            ends = [intron.start - 1, intron.end]
            donor, acceptor = ends if intron.strand == "+" else ends[::-1]
            donors.add((intron.chrom, intron.strand, donor))
            acceptors.add((intron.chrom, intron.strand, acceptor))
    every = [row for split in rows.values() for row in split]
    assert donors and positions(every, "2") == donors and positions(every, "1") == acceptors


def test_windows_are_the_bases_of_their_strand_and_cover_each_gene_once(
    example: SimulatedGenome, tmp_path: Path
) -> None:
    rows = built(example, tmp_path / "data")
    counted: dict[str, int] = {}
    with Genome(example.fasta) as genome:
        for row in (row for split in rows.values() for row in split):
            assert row.sequence == genome[Interval(row.chrom, row.start, row.end, row.strand)] and len(row.label) == 880
            assert row.label[:90] == row.label[-90:] == "." * 90
            assert [at for at in range(880) if row.label[at] == "2" and row.sequence[at + 1 : at + 3] != "GT"] == []
            assert [at for at in range(880) if row.label[at] == "1" and row.sequence[at - 2 : at] != "AG"] == []
            counted[row.gene] = counted.get(row.gene, 0) + 880 - row.label.count(".")
        expected = {one.gene: len(one.interval) - genome[one.interval].count("N") for one in read_gtf(example.gtf)}
    assert counted == expected


def test_splits_are_by_chromosome_and_excluded_regions_are_in_none(example: SimulatedGenome, tmp_path: Path) -> None:
    rows = built(example, tmp_path / "data")
    assert {name: {row.chrom for row in split} for name, split in rows.items()} == {
        "train": {"chr1"}, "valid": {"chr3"}, "test": {"chr2"},
    }  # fmt: skip
    cut = built(example, tmp_path / "cut", exclude=("chr1:1-30,000",))
    assert 0 < len(cut["train"]) < len(rows["train"]) and all(row.start >= 30_000 for row in cut["train"])
    one = built(example, tmp_path / "one", train=("1:1-30,000",))
    assert 0 < len(one["train"]) < len(rows["train"]) and all(row.end <= 30_000 for row in one["train"])


def test_equal_inputs_give_equal_bytes(example: SimulatedGenome, tmp_path: Path) -> None:
    for name in ("first", "second"):
        built(example, tmp_path / name)
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes()


def edited(example: SimulatedGenome, folder: Path, change) -> Path:
    """A copy of the genome in which one contig, by name, is changed."""
    with Genome(example.fasta, iupac="keep") as genome:
        texts = {name: genome.fetch(name, 0, length) for name, length in genome.lengths.items()}
    path = folder / "edited.fa"
    path.write_text("".join(f">{name}\n{text}\n" for name, text in change(texts).items()))
    return path


def test_a_copy_of_a_held_out_gene_is_removed_from_training(example: SimulatedGenome, tmp_path: Path) -> None:
    held_out = next(one for one in read_gtf(example.gtf) if one.interval.chrom == "chr2")
    span, moved = held_out.interval, -held_out.interval.start
    shifted = tuple(Interval("copy", exon.start + moved, exon.end + moved, exon.strand) for exon in held_out.exons)
    assert held_out.coding is not None
    coding = Interval("copy", held_out.coding.start + moved, held_out.coding.end + moved, span.strand)
    gtf = write_gtf(tmp_path / "genes.gtf", [*read_gtf(example.gtf), Transcript("copy", "copy", shifted, coding)])
    fasta = edited(example, tmp_path, lambda texts: {**texts, "copy": texts["chr2"][span.start : span.end]})
    for share, genes in ((0.1, False), (1.0, True)):
        rows = built(example, tmp_path / f"data{share}", genome=fasta, genes=gtf, max_shared=share)
        assert ("copy" in {row.gene for row in rows["train"]}) is genes
        counts = json.loads((tmp_path / f"data{share}" / "dataset.json").read_text())["counts"]["homologues"]
        assert counts["training_genes_before"] - counts["training_genes_after"] == (not genes)


def test_bases_of_n_are_not_counted(example: SimulatedGenome, tmp_path: Path) -> None:
    genes = [one for one in read_gtf(example.gtf) if one.interval.chrom == "chr2"]
    border = genes[0].interval.start + 100
    fasta = edited(example, tmp_path, lambda texts: {**texts, "chr2": "N" * border + texts["chr2"][border:]})
    rows = built(example, tmp_path / "data", genome=fasta)
    for row in rows["test"]:
        assert all(label == "." for label, base in zip(row.label, row.sequence, strict=True) if base == "N")
    first = [row for row in rows["test"] if row.gene == genes[0].gene]
    assert sum(len(row.label) - row.label.count(".") for row in first) == len(genes[0].interval) - 100


def test_wrong_inputs_are_refused(example: SimulatedGenome, tmp_path: Path) -> None:
    other = edited(example, tmp_path, lambda texts: {name: "AC" + text for name, text in texts.items()})
    cases: list[tuple[str, dict[str, object]]] = [
        (
            r"introns begin with GT and end with AG: the annotation belongs to another genome or assembly than edited",
            {"genome": other},
        ),
        (r"no such contig.*'chr22'", {"test": ("chr22",)}),
        (r"a region is given twice .*'chr2'", {"valid": ("chr2",)}),
        (r"no example falls into this split .*'test'", {"test": ("chr4",)}),
        (r"no example falls into this split .*'train'", {"valid": ("chr3", "chr1")}),
    ]
    for message, settings in cases:
        with pytest.raises(InputError, match=message):
            built(example, tmp_path / "data", **settings)
        assert not (tmp_path / "data").exists()
    (tmp_path / "data").mkdir()
    with pytest.raises(RunError, match="exists"):
        built(example, tmp_path / "data")
    with pytest.raises(RunError, match="not a dataset; refusing to overwrite"):
        built(example, tmp_path / "data", overwrite=True)


@pytest.mark.data
def test_human_genes_have_canonical_sites(data_dir: Path, tmp_path: Path) -> None:
    human = data_dir / "human"
    out = build_dataset(
        "splice", tmp_path / "data", genome=human / "GRCh38.slices.fa.gz",
        genes=human / "genes/gencode_v48.slices.gff3.gz", valid=("chr9", "chr21"), test=("chr22",),
        train=("chr17", "chr13"),
    )  # fmt: skip
    dataset = read_dataset(out)
    assert dataset.description.counts["gt_ag"] > 0.98
    for split in dataset.description.splits:
        frame = pl.DataFrame(list(dataset.rows(split)))
        windows = zip(frame["sequence"], frame["label"], strict=True)
        ends = [text[at + 1 : at + 3] for text, labels in windows for at in range(len(labels)) if labels[at] == "2"]
        assert len(ends) > 50 and sum(end == "GT" for end in ends) > 0.97 * len(ends)
