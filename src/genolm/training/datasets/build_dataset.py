"""Building of datasets from an annotated genome."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from genolm.errors import RunError
from genolm.files.digests import file_sha256
from genolm.files.output_paths import check_output_path, refuse_replacing
from genolm.genome.fasta import Genome
from genolm.genome.labelled.dataset_folder import Description, LabelledRow, is_dataset, write_dataset
from genolm.parameters import AtLeast, Bases, Fasta, Fraction, OutputFolder, Shown
from genolm.remedies import Remedy
from genolm.training.corpus.corpus_regions import TRAIN
from genolm.training.datasets.coding_genes import Gene, read_coding_genes
from genolm.training.datasets.gene_splits import CDS_KMER, SPLITS, Regions, divided, without_homologues
from genolm.training.datasets.splice_windows import LABELS, Sites, gene_windows, gt_ag_fraction, splice_sites
from genolm.verbs import verb


@verb(example="genolm dataset build splice data --genome hg38.fa --genes genes.gff3 --valid chr9 --test chr22")
def build_dataset(
    kind: Literal["splice"],
    out: OutputFolder,
    *,
    genome: Fasta,
    genes: Annotated[Path | str, Shown("GTF")],
    valid: Annotated[Sequence[str], Shown("REGION")],
    test: Annotated[Sequence[str], Shown("REGION")],
    train: Annotated[Sequence[str], Shown("REGION")] = (),
    exclude: Annotated[Sequence[str], Shown("REGION")] = (),
    transcripts: Literal["principal", "all"] = "principal",
    window: Bases = 5000,
    flank: Annotated[int, AtLeast(0), Shown("BASES")] = 1000,
    max_shared: Fraction = 0.1,
    overwrite: bool = False,
) -> Path:
    """Build a labelled dataset from an annotated genome.

    Splice sites: donors and acceptors per base of the windows of protein-coding genes, on their strand.

    Splits are by chromosome or region. Training genes whose coding sequence shares many 15-mers with a held-out gene
    are removed.

    Args:
        kind: Content of the dataset.
        out: Output folder; it appears when it is complete.
        genome: Genome, an indexed FASTA.
        genes: Annotation of the same assembly, GTF or GFF3.
        valid: Contig or region of the validation split, such as chr9 or chr9:1-1,000,000.
        test: Contig or region of the test split.
        train: Contig or region of the training split. Default: all that is in no other split.
        exclude: Contig or region that belongs to no split.
        transcripts: Transcripts whose splice sites are labelled: the principal one of each gene (MANE Select, else
            Ensembl canonical, else the longest coding sequence), or all coding ones.
        window: Bases of a window without its flanks.
        flank: Bases of context on each side of a window, which are not counted.
        max_shared: Largest fraction of coding 15-mers that a training gene may share with held-out genes.
        overwrite: Overwrite an existing dataset.

    Returns:
        Path of the folder.

    Raises:
        InputError: an input is invalid, a region is on no contig, a split is empty, or the annotation belongs to
            another assembly.
        RunError: the folder exists and ``overwrite`` is not set, or it is not a dataset.
        ResourceError: the disk is full.
    """
    folder, annotation = Path(out), Path(genes)
    _check_output(folder, overwrite)
    refuse_replacing((genome, annotation), folder)
    settings = {
        "valid": list(valid), "test": list(test), "train": list(train), "exclude": list(exclude),
        "transcripts": transcripts, "window": window, "flank": flank, "max_shared": max_shared, "cds_kmer": CDS_KMER,
    }  # fmt: skip
    with Genome(os.fspath(genome)) as opened:
        regions = Regions(opened, train, valid, test, exclude)
        build = _SpliceBuild(opened, annotation, regions, settings)
        rows = {name: list(build.rows(name)) for name in SPLITS}
        write_dataset(folder, build.description(kind), rows)
    return folder


class _SpliceBuild:
    """Genes of a splice dataset by split, and what was counted."""

    def __init__(self, genome: Genome, annotation: Path, regions: Regions, settings: dict[str, Any]) -> None:
        self._genome, self._annotation, self._settings = genome, annotation, settings
        self._left_out = Counter[str]()
        every = settings["transcripts"] == "all"
        found = read_coding_genes(annotation, genome, every=every, counts=self._left_out)
        self._gt_ag = gt_ag_fraction(found, genome, annotation)
        self._chosen_by = Counter(gene.chosen_by for gene in found)
        self._sites: Sites = splice_sites(found)
        margin = settings["window"] + settings["flank"]
        self._genes: dict[str, list[Gene]] = divided(found, regions, margin, self._left_out)
        self._before = len(self._genes[TRAIN])
        self._genes[TRAIN] = without_homologues(self._genes, genome, settings["max_shared"])
        self._counts: dict[str, Counter[str]] = {}

    def rows(self, split: str) -> Iterator[LabelledRow]:
        """Yield the windows of a split, and count them."""
        counts = self._counts[split] = Counter[str]()
        for gene in self._genes[split]:
            before, empty = counts["windows"], counts["windows of N"]
            yield from self._windows(gene, counts)
            counts["genes"] += counts["windows"] > before
            counts["genes of N"] += counts["windows"] == before
            counts["genes partly N"] += counts["windows"] > before and counts["windows of N"] > empty

    def _windows(self, gene: Gene, counts: Counter[str]) -> Iterator[LabelledRow]:
        window, flank = self._settings["window"], self._settings["flank"]
        return gene_windows(gene, self._genome, self._sites, window, flank, counts)

    def description(self, kind: str) -> Description:
        """Return the description of the dataset; all rows must have been read."""
        inputs = (_input("genome", self._genome.path), _input("genes", self._annotation))
        homologues = {"training_genes_before": self._before, "training_genes_after": len(self._genes[TRAIN])}
        return Description(
            kind=kind, of="base", task="classes", labels=LABELS, split_by="chromosome", settings=self._settings,
            inputs=inputs,
            counts={
                "splits": {name: dict(sorted(counts.items())) for name, counts in self._counts.items()},
                "left_out": dict(sorted(self._left_out.items())), "homologues": homologues,
                "transcripts_chosen_by": dict(sorted(self._chosen_by.items())), "gt_ag": self._gt_ag,
            },
        )  # fmt: skip


def _input(role: str, path: Path) -> dict[str, str]:
    return {"role": role, "file": path.name, "sha256": file_sha256(path)}


def _check_output(folder: Path, overwrite: bool) -> None:
    check_output_path(folder, folder.name)
    if not folder.exists():
        return
    if not overwrite:
        advice = ("choose another folder", Remedy("overwrite", True, "replace it"))
        raise RunError(f"{folder} exists", code="output-exists", remedy=advice)
    if not is_dataset(folder):
        raise RunError(f"{folder} is not a dataset; refusing to overwrite it", code="foreign-output")
